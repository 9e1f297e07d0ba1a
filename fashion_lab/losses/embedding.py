"""The two ways to compare embeddings: drawn triplets, and mining inside the batch.

Both are called with (embeddings [B, D], labels [B], triplets [3, T]) and give one number. B pictures, T
triplets.
"""

from collections.abc import Callable

from torch import Tensor, nn


class DrawnTriplets(nn.Module):
    """A loss of (anchors, positives, negatives) on the sampler's triplets: `torch.nn.TripletMarginLoss`."""

    def __init__(self, *, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss
        self.margin: float | None = getattr(loss, "margin", None)

    def forward(self, embeddings_BD: Tensor, labels_B: Tensor, triplets_3T: Tensor) -> Tensor:
        anchors, positives, negatives = (embeddings_BD[rows] for rows in triplets_3T)
        value: Tensor = self.loss(anchors, positives, negatives)
        return value


class InBatch(nn.Module):
    """A loss of pytorch-metric-learning on every pair of the batch, or on those that its miner picks.

    Args:
        loss: called with (embeddings, labels[, mined]).
        miner: called with (embeddings, labels); None compares every pair.
        margin: where the loss rests when all embeddings are equal; None where it has no such place.
    """

    def __init__(
        self, *, loss: nn.Module, miner: Callable[..., object] | None = None, margin: float | None = None
    ) -> None:
        super().__init__()
        self.loss = loss
        self.miner = miner
        self.margin = margin

    def forward(self, embeddings_BD: Tensor, labels_B: Tensor, triplets_3T: Tensor) -> Tensor:
        if self.miner is None:
            value: Tensor = self.loss(embeddings_BD, labels_B)
        else:
            value = self.loss(embeddings_BD, labels_B, self.miner(embeddings_BD, labels_B))
        return value
