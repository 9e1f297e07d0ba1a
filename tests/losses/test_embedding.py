import pytest
import torch
from pytorch_metric_learning import losses, miners
from torch import nn

from fashion_lab.losses.embedding import DrawnTriplets, InBatch

MARGIN = 0.3


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    embeddings = nn.functional.normalize(torch.randn(12, 5, generator=generator))
    labels = torch.tensor([4, 4, 4, 4, 7, 7, 7, 7, 1, 1, 1, 1])
    triplets = torch.stack([torch.randperm(12, generator=generator)[:8] for _ in range(3)])
    return embeddings, labels, triplets


def naive_batch_hard(embeddings, labels, margin):
    """Mean over anchors whose hardest positive and negative violate the margin."""
    violations = []
    for i, (anchor, label) in enumerate(zip(embeddings, labels, strict=True)):
        apart = [float((anchor - other).square().sum().sqrt()) for other in embeddings]
        positives = [apart[j] for j in range(len(labels)) if labels[j] == label and j != i]
        negatives = [apart[j] for j in range(len(labels)) if labels[j] != label]
        violations.append(max(positives) - min(negatives) + margin)
    active = [value for value in violations if value > 0]
    return sum(active) / len(active)


@pytest.mark.parametrize("p", [1.0, 2.0])
def test_drawn_triplets_is_torchs_loss_on_the_triplets(batch, p):
    embeddings, labels, triplets = batch
    inner = nn.TripletMarginLoss(margin=MARGIN, p=p)
    anchors, positives, negatives = (torch.stack([embeddings[i] for i in row]) for row in triplets)
    expected = inner(anchors, positives, negatives)
    torch.testing.assert_close(DrawnTriplets(loss=inner)(*batch), expected)
    assert expected > 0
    swapped = triplets[[0, 2, 1]]
    assert not torch.isclose(DrawnTriplets(loss=inner)(embeddings, labels, swapped), expected)


def test_batch_hard_is_the_naive_loop(batch):
    embeddings, labels, triplets = batch
    loss = InBatch(loss=losses.TripletMarginLoss(margin=MARGIN), miner=miners.BatchHardMiner(), margin=MARGIN)
    expected = naive_batch_hard(embeddings, labels, MARGIN)
    assert float(loss(embeddings, labels, triplets)) == pytest.approx(expected, abs=1e-5)
    every = InBatch(loss=losses.TripletMarginLoss(margin=MARGIN))
    assert float(every(embeddings, labels, triplets)) < expected


def test_without_a_miner_every_pair_counts(batch):
    embeddings, labels, triplets = batch
    inner = losses.ContrastiveLoss()
    assert torch.equal(InBatch(loss=inner)(embeddings, labels, triplets), inner(embeddings, labels))


def test_in_batch_ignores_the_drawn_triplets(batch):
    embeddings, labels, triplets = batch
    loss = InBatch(loss=losses.MultiSimilarityLoss(), miner=miners.MultiSimilarityMiner())
    assert torch.equal(loss(embeddings, labels, triplets), loss(embeddings, labels, triplets.flip(1)))


def test_margins():
    assert DrawnTriplets(loss=nn.TripletMarginLoss(margin=MARGIN)).margin == MARGIN
    assert DrawnTriplets(loss=nn.CosineEmbeddingLoss()).margin == 0.0
    assert DrawnTriplets(loss=nn.Identity()).margin is None
    assert InBatch(loss=losses.MultiSimilarityLoss()).margin is None
    assert InBatch(loss=losses.TripletMarginLoss(), margin=MARGIN).margin == MARGIN


@pytest.mark.parametrize(
    "loss",
    [
        DrawnTriplets(loss=nn.TripletMarginLoss(margin=MARGIN)),
        InBatch(loss=losses.TripletMarginLoss(margin=MARGIN), miner=miners.BatchHardMiner(), margin=MARGIN),
    ],
    ids=["drawn", "batch_hard"],
)
def test_equal_embeddings_rest_at_the_margin(batch, loss):
    _, labels, triplets = batch
    same = torch.ones(12, 5) / 5**0.5
    assert float(loss(same, labels, triplets)) == pytest.approx(loss.margin, abs=1e-3)


def test_proxies_are_learned(batch):
    embeddings, labels, triplets = batch
    loss = InBatch(loss=losses.ProxyAnchorLoss(num_classes=8, embedding_size=5))
    loss(embeddings, labels, triplets).backward()
    assert [p.shape for p in loss.parameters()] == [(8, 5)]
    assert all(p.grad.abs().sum() > 0 for p in loss.parameters())
