from functools import partial

import pytest
import torch
from pytorch_metric_learning import losses, miners
from torch import nn
from toys import ToyCatalog, quiet_trainer, toy_backbone, toy_data

from fashion_lab.contracts.batch import IMAGES, LABELS, TRIPLETS
from fashion_lab.data.samplers import BalancedSampler, TripletSampler
from fashion_lab.losses.embedding import DrawnTriplets, InBatch
from fashion_lab.metrics.embedding import SUMMARY
from fashion_lab.metrics.retrieval import KEYS, leave_one_out
from fashion_lab.modules.siamese import CollapseError, SiameseModule
from fashion_lab.networks import SiameseEncoder, SiameseNetwork

DRAWN = DrawnTriplets(loss=nn.TripletMarginLoss(margin=0.2))
BATCH_HARD = InBatch(loss=losses.TripletMarginLoss(margin=0.2), miner=miners.BatchHardMiner(), margin=0.2)
BALANCED = {"sampler": BalancedSampler, "options": {"classes_per_batch": 3, "pictures_per_class": 3}}


class Constant(nn.Module):
    """A backbone that sees no difference between pictures; its one weight moves all of them together."""

    out_channels = 4

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, 4, 1, 1))

    def forward(self, images):
        return self.weight.expand(len(images), -1, -1, -1)


def module(loss=DRAWN, backbone=None, one_pass=True, lr=0.01, **encoder):
    torch.manual_seed(0)
    network = SiameseEncoder(backbone or toy_backbone(), **{"normalize": True} | encoder)
    optimizer = partial(torch.optim.AdamW, lr=lr)
    return SiameseModule(
        SiameseNetwork(network, one_pass=one_pass), loss=loss, optimizer=optimizer, schedule=None
    )


def batch():
    torch.manual_seed(1)
    return {
        IMAGES: torch.randn(6, 3, 16, 16),
        LABELS: torch.tensor([0, 1, 0, 1, 1, 0]),
        TRIPLETS: torch.arange(6).view(3, 2),
    }


@pytest.mark.parametrize(
    ("loss", "source"),
    [(DRAWN, {"sampler": TripletSampler}), (BATCH_HARD, BALANCED)],
    ids=["drawn", "batch_hard"],
)
def test_two_epochs_log_what_is_promised(loss, source):
    trainer, source = quiet_trainer(max_epochs=2), toy_data(**source)
    trainer.fit(module(loss), datamodule=source)
    train = {f"train/{name}" for name in (*SUMMARY, "loss")}
    scores = {*KEYS, "num_queries"}
    found = scores | {f"other_senders/{name}" for name in scores} | {f"product/{name}" for name in scores}
    assert set(trainer.callback_metrics) == train | {f"val/{name}" for name in found}


def test_without_groups_and_products():
    trainer = quiet_trainer(max_epochs=1)
    trainer.fit(module(), datamodule=toy_data(ToyCatalog(known=False), sampler=TripletSampler))
    assert {name for name in trainer.callback_metrics if name.startswith("val/")} == {
        f"val/{name}" for name in (*KEYS, "num_queries")
    }


def test_validation_is_that_of_the_embeddings():
    ours, source = module(), toy_data(ToyCatalog(per_class=9))
    (metrics,) = quiet_trainer().validate(ours, datamodule=source, verbose=False)
    rows = source.splits["validation"]
    with torch.no_grad():
        embeddings = ours.eval()(torch.from_numpy(source.catalog.pixels[rows]).float() / 127.5 - 1)
    expected = leave_one_out(embeddings, torch.from_numpy(source.catalog.labels[rows]))
    assert {name: metrics[f"val/{name}"] for name in expected} == pytest.approx(expected, abs=1e-6)


def test_it_learns():
    trainer, source = quiet_trainer(max_epochs=25), toy_data(ToyCatalog(per_class=12), sampler=TripletSampler)
    ours = module(DrawnTriplets(loss=nn.TripletMarginLoss(margin=0.5)))
    trainer.fit(ours, datamodule=source)
    metrics = trainer.callback_metrics
    assert metrics["train/loss"] < 0.05
    assert metrics["train/active_triplets"] < 0.2
    assert metrics["train/negative_distance"] > metrics["train/positive_distance"] + 0.5
    assert metrics["val/map_at_r"] > 0.9


@pytest.mark.parametrize("one_pass", [True, False])
def test_a_step_is_the_loss_of_the_networks_embeddings(one_pass):
    ours, given = module(one_pass=one_pass), batch()
    with torch.no_grad():
        expected = DRAWN(
            ours.network.embed_batch(given[IMAGES], given[TRIPLETS]), given[LABELS], given[TRIPLETS]
        )
        torch.testing.assert_close(ours.training_step(given, 0), expected)


def test_losses_stay_in_float32_under_autocast():
    """Cosine similarities are a matrix product, which autocast would turn to bf16."""
    seen = []

    class Spy(losses.MultiSimilarityLoss):
        def compute_loss(self, *args, **kwargs):
            mat = self.distance(args[0])
            seen.append(mat.dtype)
            return super().compute_loss(*args, **kwargs)

    ours = module(InBatch(loss=Spy()))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = ours.training_step(batch(), 0)
    assert seen == [torch.float32]
    assert loss.dtype == torch.float32


def test_a_fit_in_bf16():
    trainer = quiet_trainer(max_epochs=1, precision="bf16-mixed")
    trainer.fit(module(BATCH_HARD), datamodule=toy_data(**BALANCED))
    assert trainer.callback_metrics["train/loss"].isfinite()


@pytest.mark.parametrize(
    ("loss", "source"),
    [
        (DRAWN, {"sampler": TripletSampler}),
        (BATCH_HARD, BALANCED),
        (InBatch(loss=losses.MultiSimilarityLoss()), BALANCED),
    ],
    ids=["drawn", "batch_hard", "no margin"],
)
def test_collapse_stops_the_run_after_two_epochs(loss, source):
    trainer = quiet_trainer(max_epochs=9)
    with pytest.raises(
        CollapseError, match=r"collapsed for 2 epochs: their spread is .*optimizer\.lr too high"
    ):
        trainer.fit(module(loss, Constant()), datamodule=toy_data(**source))
    assert trainer.current_epoch == 1


def test_a_loss_resting_at_its_margin_is_collapse_too():
    ours = module()
    ours._stop_if_collapsed(loss=0.2, spread=0.05, active=1.0)
    with pytest.raises(CollapseError, match=r"the loss 0\.2001 \(margin 0\.2\)"):
        ours._stop_if_collapsed(loss=0.2001, spread=0.05, active=1.0)


@pytest.mark.parametrize(("loss", "active"), [(0.2, 0.9), (0.19, 1.0), (0.21, 1.0)])
def test_what_only_looks_like_rest(loss, active):
    ours = module()
    for _ in range(5):
        ours._stop_if_collapsed(loss=loss, spread=0.05, active=active)


def test_one_bad_epoch_is_an_accident():
    ours = module()
    for _ in range(5):
        ours._stop_if_collapsed(loss=0.1, spread=0.0, active=0.5)
        ours._stop_if_collapsed(loss=0.1, spread=0.5, active=0.5)


def test_margins_of_the_diagnostics():
    assert module(DRAWN).margin == 0.2
    assert module(InBatch(loss=losses.MultiSimilarityLoss())).margin == 0.2
    assert module(DrawnTriplets(loss=nn.TripletMarginLoss(margin=1.0))).margin == 1.0


def test_proxies_are_in_the_optimizer():
    ours = module(InBatch(loss=losses.ProxyAnchorLoss(num_classes=3, embedding_size=8)))
    groups = ours.configure_optimizers().param_groups
    assert any(p is ours.loss.loss.proxies for group in groups for p in group["params"])


def test_every_weight_gets_a_gradient():
    ours = module(projection=5)
    ours.training_step(batch(), 0).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in ours.parameters())
