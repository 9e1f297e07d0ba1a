import numpy as np
import pytest
import torch
from toys import ToyCatalog, toy_backbone

from fashion_lab.encoders.torch_encoder import embed
from fashion_lab.evaluation import embedded, means_of, retrieved
from fashion_lab.networks import SiameseEncoder


@pytest.fixture
def network():
    torch.manual_seed(0)
    return SiameseEncoder(toy_backbone()).train()


def naive_precision_at_1(network, catalog, rows, gallery, *, other_senders):
    network.eval()
    vectors, hits = embed(network, catalog.pixels).astype(float), []
    for query in rows:
        seen = [i for i in gallery if not other_senders or catalog.groups[i] != catalog.groups[query]]
        nearest = min(seen, key=lambda i: np.linalg.norm(vectors[i] - vectors[query]))
        hits.append(catalog.labels[nearest] == catalog.labels[query])
    return np.mean(hits)


def test_queries_of_a_split_search_the_training_pictures(network):
    catalog = ToyCatalog(per_class=40)
    catalog.groups = np.arange(len(catalog)) % 2  # senders who are in every split
    catalog.labels = np.random.default_rng(0).integers(
        0, 3, len(catalog)
    )  # hard, so that the neighbour matters
    broken = [int(catalog.splits["train"][0]), int(catalog.splits["validation"][1])]
    rows, gallery = (np.setdiff1d(catalog.splits[name], broken) for name in ("validation", "train"))
    metrics = means_of(retrieved(network, catalog, catalog.store(*broken), "validation"))
    assert network.training, "it is left as it was"
    among_all, among_others = (
        naive_precision_at_1(network, catalog, rows, gallery, other_senders=hidden)
        for hidden in (False, True)
    )
    assert metrics["gallery/precision_at_1"] == pytest.approx(among_all)
    assert metrics["gallery/other_senders/precision_at_1"] == pytest.approx(among_others)
    assert among_all != among_others
    assert metrics["gallery/num_queries"] == len(rows)


def test_embeddings_come_with_their_search(network):
    catalog = ToyCatalog()
    outcomes, vectors_ND = embedded(network, catalog, catalog.store(), "validation")
    rows = catalog.splits["validation"]
    assert np.array_equal(vectors_ND.numpy(), embed(network.eval(), catalog.pixels[rows]))
    searched = retrieved(network, catalog, catalog.store(), "validation")
    assert all(
        np.array_equal(outcomes.scores[name], searched.scores[name], equal_nan=True)
        for name in outcomes.scores
    )


def test_without_senders(network):
    catalog = ToyCatalog(known=False)
    metrics = means_of(retrieved(network.eval(), catalog, catalog.store(), "test"))
    assert not network.training
    assert not any("other_senders" in name for name in metrics)
    assert metrics["gallery/num_queries"] == 3


def test_training_pictures_do_not_find_themselves(network):
    catalog = ToyCatalog()
    metrics = means_of(retrieved(network, catalog, catalog.store(), "train"))
    assert "precision_at_1" in metrics
    assert not any(name.startswith("gallery/") for name in metrics)
