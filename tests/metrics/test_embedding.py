import math

import pytest
import torch
from torch import nn

from fashion_lab.metrics.embedding import SUMMARY, spread, triplet_distances, triplet_summary


@pytest.fixture
def embeddings():
    return torch.randn(20, 6, generator=torch.Generator().manual_seed(0)) + 0.5


@pytest.fixture
def triplets():
    return torch.randint(20, (3, 15), generator=torch.Generator().manual_seed(1))


def test_spread_against_a_naive_loop(embeddings):
    rows = embeddings.tolist()
    mean = [sum(column) / 20 for column in zip(*rows, strict=True)]
    apart = sum(sum((x - m) ** 2 for x, m in zip(row, mean, strict=True)) for row in rows) / 20
    length = sum(sum(x**2 for x in row) for row in rows) / 20
    assert float(spread(embeddings)) == pytest.approx(math.sqrt(apart / length), rel=1e-5)


def test_spread_does_not_depend_on_scale(embeddings):
    assert float(spread(embeddings * 1000)) == pytest.approx(float(spread(embeddings)), rel=1e-5)


@pytest.mark.parametrize("value", [0.0, 1.0, -3.0])
def test_equal_embeddings_have_no_spread(value):
    assert float(spread(torch.full((8, 4), value))) == 0


def test_opposite_embeddings_have_all_the_spread():
    assert float(spread(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]))) == pytest.approx(1)


def test_distances_are_euclidean_and_float32(embeddings, triplets):
    positive, negative = triplet_distances(embeddings.bfloat16(), triplets)
    rows = embeddings.bfloat16().float()
    assert positive.dtype == negative.dtype == torch.float32
    for i, (a, p, n) in enumerate(triplets.T.tolist()):
        assert float(positive[i]) == pytest.approx(math.dist(rows[a].tolist(), rows[p].tolist()), abs=1e-4)
        assert float(negative[i]) == pytest.approx(math.dist(rows[a].tolist(), rows[n].tolist()), abs=1e-4)


@pytest.mark.parametrize("margin", [0.01, 0.5, 100.0])
def test_summary_is_that_of_torchs_loss(embeddings, triplets, margin):
    summary = dict(zip(SUMMARY, triplet_summary(embeddings, triplets, margin).tolist(), strict=True))
    each = nn.TripletMarginLoss(margin=margin, reduction="none")(*(embeddings[rows] for rows in triplets))
    positive, negative = triplet_distances(embeddings, triplets)
    assert summary["active_triplets"] == pytest.approx(float((each > 0).float().mean()))
    assert summary["positive_distance"] == pytest.approx(float(positive.mean()))
    assert summary["negative_distance"] == pytest.approx(float(negative.mean()))
    assert summary["spread"] == pytest.approx(float(spread(embeddings)))
