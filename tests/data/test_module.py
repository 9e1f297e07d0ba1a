import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from toys import ToyCatalog, quiet_trainer, toy_data

from fashion_lab.contracts.batch import GROUPS, IMAGES, INDICES, LABELS, PRODUCTS, TARGETS, TRIPLETS
from fashion_lab.data.loader import PARTNERS
from fashion_lab.data.samplers import TripletSampler
from fashion_lab.networks import normalise


class Watcher(pl.LightningModule):
    """Keeps the batches that it is given."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen = {"train": [], "val": []}

    def training_step(self, batch, batch_idx):
        self.seen["train"].append(batch)
        return self.weight * batch[IMAGES].mean()

    def validation_step(self, batch, batch_idx):
        self.seen["val"].append(batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def watched(source, epochs=1):
    watcher = Watcher()
    trainer = quiet_trainer(max_epochs=epochs)
    trainer.fit(watcher, datamodule=source)
    return watcher.seen


def test_batches_of_a_run():
    catalog = ToyCatalog()
    seen = watched(toy_data(catalog))
    for split, batches in (("train", seen["train"]), ("validation", seen["val"])):
        indices = torch.cat([batch[INDICES] for batch in batches]).numpy()
        assert sorted(indices) == catalog.splits[split].tolist()
        for batch in batches:
            rows = batch[INDICES].numpy()
            assert batch[IMAGES].dtype == torch.float32
            assert torch.equal(batch[IMAGES], normalise(torch.from_numpy(catalog.pixels[rows])))
            assert np.array_equal(batch[LABELS].numpy(), catalog.labels[rows])
            if split == "train":
                assert set(batch) == {INDICES, LABELS, IMAGES}
            else:
                assert set(batch) == {INDICES, LABELS, IMAGES, GROUPS, PRODUCTS}
                assert np.array_equal(batch[GROUPS].numpy(), catalog.groups[rows])
                assert np.array_equal(batch[PRODUCTS].numpy(), catalog.products[rows])


def test_a_catalog_without_groups_and_products():
    seen = watched(toy_data(ToyCatalog(known=False)))
    assert set(seen["val"][0]) == {INDICES, LABELS, IMAGES}


def test_only_training_pictures_are_changed():
    catalog = ToyCatalog()
    seen = watched(toy_data(catalog, brightness=0.5), epochs=2)
    plain = normalise(torch.from_numpy(catalog.pixels))
    assert all(not torch.equal(batch[IMAGES], plain[batch[INDICES]]) for batch in seen["train"])
    assert all(torch.equal(batch[IMAGES], plain[batch[INDICES]]) for batch in seen["val"])


def test_validation_has_nothing_random():
    torch.manual_seed(0)
    first = watched(toy_data(flip=0.5, erasing=1.0), epochs=2)["val"]
    torch.manual_seed(1)
    second = watched(toy_data(rotation=90), epochs=2)["val"]
    assert len(first) == len(second) == 4
    for ours, theirs in zip(first, second, strict=True):
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_training_repeats_with_its_seed_alone():
    torch.manual_seed(0)
    first = watched(toy_data(flip=0.5, erasing=1.0), epochs=2)["train"]
    torch.manual_seed(1)
    second = watched(toy_data(flip=0.5, erasing=1.0), epochs=2)["train"]
    assert all(torch.equal(a[IMAGES], b[IMAGES]) for a, b in zip(first, second, strict=True))
    assert not torch.equal(first[0][IMAGES], first[len(first) // 2][IMAGES])


def test_triplet_batches_keep_their_triplets():
    catalog = ToyCatalog()
    for batch in watched(toy_data(catalog, sampler=TripletSampler))["train"]:
        anchors, positives, negatives = batch[LABELS][batch[TRIPLETS]]
        assert torch.equal(anchors, positives)
        assert (anchors != negatives).all()


def test_mixing_gives_targets_of_both_pictures():
    catalog = ToyCatalog()
    source = toy_data(catalog, mixup=1.0)
    drawn = list(source.train_dataloader())
    for batch, draws in zip(watched(source)["train"], drawn, strict=True):
        assert set(batch) == {INDICES, LABELS, IMAGES, TARGETS}
        plain = normalise(torch.from_numpy(catalog.pixels[batch[INDICES].numpy()]))
        theirs, one_hot = plain[draws[PARTNERS]], torch.eye(3)[batch[LABELS]]
        shares = ((batch[IMAGES] - theirs) / (plain - theirs))[:, 2]  # the noise: it differs everywhere
        moved = (draws[PARTNERS] != torch.arange(len(plain))) & shares.isfinite().all(dim=(1, 2))
        share = shares[moved].mean()
        expected = share * one_hot + (1 - share) * one_hot[draws[PARTNERS]]
        torch.testing.assert_close(batch[TARGETS][moved], expected[moved], atol=1e-3, rtol=0)


def test_another_augmentation_draws_as_much_as_it_needs():
    class Darker:
        DRAWS, mixup = 2, 0.0

        def __call__(self, images_BCHW, draws_BN):
            assert draws_BN.shape[1] == 2
            return images_BCHW - 1

    source = toy_data()
    source.augment = Darker()
    assert all(batch[IMAGES].min() < -1 for batch in watched(source)["train"])


def test_unreadable_pictures_are_left_out():
    catalog = ToyCatalog()
    train, validation = catalog.splits["train"], catalog.splits["validation"]
    broken = (int(train[2]), int(validation[0]))
    source = toy_data(catalog, broken=broken)
    seen = watched(source)
    shown = torch.cat([batch[INDICES] for batches in seen.values() for batch in batches]).tolist()
    assert not set(broken) & set(shown)
    assert len(shown) == len(train) + len(validation) - 2
    assert (
        source.class_counts().tolist()
        == np.bincount(np.delete(catalog.labels[train], 2), minlength=3).tolist()
    )


@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_split_without_a_readable_picture(split):
    catalog = ToyCatalog()
    broken = catalog.splits[split].tolist()
    with pytest.raises(ValueError, match=f"'toy' has no readable picture in its split '{split}'"):
        toy_data(catalog, broken=broken)
    del catalog.splits[split]
    with pytest.raises(ValueError, match=f"no readable picture in its split '{split}'"):
        toy_data(catalog)


def test_class_counts_name_every_class():
    catalog = ToyCatalog()
    catalog.labels[catalog.splits["train"]] %= 2
    assert toy_data(catalog).class_counts().tolist() == [6, 3, 0]
