"""Which queries of an embedded split are worth looking at."""

import torch
from torch import Tensor

from fashion_lab.figures import Found
from fashion_lab.metrics.retrieval import KEYS, distances, nearest, score_queries


def find_queries(
    embeddings_ND: Tensor, labels_N: Tensor, queries: int, hits: int, *, worst: bool, seed: int = 0
) -> Found:
    """Search each of N pictures among the others; give those of least average precision, or random ones.

    Equal ones are taken in random order, so that ties do not show the first class alone. A picture that is
    the only one of its class has no right answer and is no query. All N x N distances are held at once.
    """
    own_NN = torch.eye(len(labels_N), dtype=torch.bool)
    relevant_NN = (labels_N[:, None] == labels_N) & ~own_NN
    apart_NN = distances(embeddings_ND, embeddings_ND)
    answerable_A = relevant_NN.any(1).nonzero()[:, 0]
    scores_A = score_queries(apart_NN, relevant_NN, own_NN)[answerable_A, KEYS.index("map_at_r")]
    order_A = torch.randperm(len(scores_A), generator=torch.Generator().manual_seed(seed))
    if worst:
        order_A = order_A[scores_A[order_A].argsort(stable=True)]
    order_Q = order_A[:queries]
    chosen_Q = answerable_A[order_Q]
    apart_QN = apart_NN[chosen_Q].masked_fill(own_NN[chosen_Q], torch.inf)
    hits_QK = nearest(apart_QN, hits)
    return Found(
        queries=chosen_Q.numpy(),
        hits=hits_QK.numpy(),
        distances=apart_QN.gather(1, hits_QK).numpy(),
        scores=scores_A[order_Q].float().numpy(),
    )
