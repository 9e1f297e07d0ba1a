"""What embeddings look like while they are trained. B embeddings of D numbers, T triplets."""

import torch
import torch.nn.functional as F
from torch import Tensor


def spread(embeddings_BD: Tensor) -> Tensor:
    """Root mean square distance from the mean, as a share of the root mean square length; 0 is collapse.

    The share, not the distance itself, so that it means the same with and without unit length.
    """
    embeddings_BD = embeddings_BD.float()
    variance = (embeddings_BD - embeddings_BD.mean(0)).square().sum(1).mean()
    return (variance / embeddings_BD.square().sum(1).mean().clamp(min=1e-12)).sqrt()


def triplet_distances(embeddings_BD: Tensor, triplets_3T: Tensor) -> tuple[Tensor, Tensor]:
    """Euclidean distances [T] from anchor to positive and from anchor to negative, in float32."""
    anchors, positives, negatives = (embeddings_BD[rows].float() for rows in triplets_3T)
    return F.pairwise_distance(anchors, positives), F.pairwise_distance(anchors, negatives)


def triplet_summary(embeddings_BD: Tensor, triplets_3T: Tensor, margin: float) -> Tensor:
    """One vector [4]: share of active triplets, mean positive distance, mean negative distance, spread.

    A triplet is active where it would add to a triplet loss: positive + margin > negative.
    """
    positive_T, negative_T = triplet_distances(embeddings_BD, triplets_3T)
    active = (positive_T + margin > negative_T).float().mean()
    return torch.stack([active, positive_T.mean(), negative_T.mean(), spread(embeddings_BD)])


SUMMARY = ("active_triplets", "positive_distance", "negative_distance", "spread")
