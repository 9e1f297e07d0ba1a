"""How good is a search: Precision@1, Precision@5, MAP@R and R-precision, exact and never sampled.

Shape suffixes: Q queries, G gallery, D embedding, K ranks, N items that are both, B a batch of them.

An item is *visible* to a query unless it is the query itself (told by its position, not by being nearest) or
shares the query's group (the sender who took it). R is the number of visible items with the query's label.
With rel(i) = 1 where the i-th visible item, nearest first, has the query's label, else 0, a query scores (the
last two as in K. Musgrave et al. 2020, "A Metric Learning Reality Check", section 3):

| key            | score of one query                                                                    |
|----------------|---------------------------------------------------------------------------------------|
| precision_at_1 | rel(1)                                                                                |
| precision_at_5 | mean of rel(1) .. rel(5); where fewer than 5 are visible, of those: the share *shown* |
| map_at_r       | 1/R * sum over i = 1 .. R of rel(i) * (rel(1) + ... + rel(i)) / i                     |
| r_precision    | mean of rel(1) .. rel(R)                                                              |

and the result is the mean over the `num_queries` queries with R > 0: the others have no right answer.

Distances are Euclidean in float32 from differences of coordinates: a common offset cancels before anything is
squared, where ||x||^2 - 2xy + ||y||^2 would need centring first. Equal distances rank by position in the
gallery. So embeddings that have collapsed to one point rank by position alone, in the same order for every
query: with a gallery sorted by class that finds the first class for everybody, 1 / classes when they are
equally large, and never a query's own neighbours in the file.
"""

import torch
from torch import Tensor

KEYS = ("precision_at_1", "precision_at_5", "map_at_r", "r_precision")
PAIRS_AT_ONCE = 2**22  # about 100 MB of distances and sort keys at a time; assumption
LARGEST = 1e15  # squares of larger coordinates come near the end of float32 (3.4e38)


def means(scores_Q4: Tensor) -> dict[str, float]:
    """Average the scores of the queries that have a right answer, and count these."""
    scores_Q4 = scores_Q4[~scores_Q4.isnan().any(dim=1)]
    found = dict(zip(KEYS, scores_Q4.mean(dim=0).tolist(), strict=True))
    return {**found, "num_queries": float(len(scores_Q4))}


@torch.no_grad()
def retrieval_scores(
    queries_QD: Tensor,
    query_labels_Q: Tensor,
    gallery_GD: Tensor,
    gallery_labels_G: Tensor,
    *,
    own_position_Q: Tensor | None = None,
    query_groups_Q: Tensor | None = None,
    gallery_groups_G: Tensor | None = None,
    pairs_at_once: int = PAIRS_AT_ONCE,
) -> Tensor:
    """Score the search of every query in the gallery.

    Args:
        queries_QD: embeddings, any float dtype (bf16 too); all tensors on one device.
        query_labels_Q: what counts as found: classes or products, integers.
        gallery_GD: embeddings of what is searched.
        gallery_labels_G: their labels.
        own_position_Q: each query's own row in the gallery, -1 where it has none; None: no query has one.
        query_groups_Q: with `gallery_groups_G`: a query does not see items of its own group.
        gallery_groups_G: both or neither.
        pairs_at_once: bounds the memory, about 24 bytes a pair; changes no result.

    Returns:
        float64 [Q, 4], columns as `KEYS`, each 0 .. 1, on the CPU; NaN where a query has no right answer.

    Raises:
        ValueError: NaN or infinite embeddings, shapes that do not fit, groups on one side only.
    """
    _check_embeddings(queries_QD, query_labels_Q, "query")
    _check_embeddings(gallery_GD, gallery_labels_G, "gallery")
    ours, theirs = queries_QD.shape[1], gallery_GD.shape[1]
    if ours != theirs:
        raise ValueError(f"queries have {ours} dimensions, the gallery {theirs}: use one encoder for both")
    if (query_groups_Q is None) != (gallery_groups_G is None):
        raise ValueError("groups came for one of queries and gallery: give both, or neither to hide nothing")
    if own_position_Q is None:
        own_position_Q = torch.full_like(query_labels_Q, -1, dtype=torch.int64)
    _check_one_each(own_position_Q, queries_QD, "own positions")
    gallery_GD, rows_G = gallery_GD.float(), torch.arange(len(gallery_GD), device=gallery_GD.device)
    step, chunks = max(1, pairs_at_once // max(1, len(gallery_GD))), []
    for part in (slice(start, start + step) for start in range(0, max(1, len(queries_QD)), step)):
        hidden_QG = own_position_Q[part, None] == rows_G
        if query_groups_Q is not None and gallery_groups_G is not None:
            hidden_QG |= query_groups_Q[part, None] == gallery_groups_G
        relevant_QG = (query_labels_Q[part, None] == gallery_labels_G) & ~hidden_QG
        chunks.append(score_queries(distances(queries_QD[part], gallery_GD), relevant_QG, hidden_QG).cpu())
    return torch.cat(chunks)


def leave_one_out(
    embeddings_ND: Tensor,
    labels_N: Tensor,
    groups_N: Tensor | None = None,
    *,
    pairs_at_once: int = PAIRS_AT_ONCE,
) -> dict[str, float]:
    """Search each item among all others, without its own group where groups come: see `retrieval_scores`."""
    return means(leave_one_out_scores(embeddings_ND, labels_N, groups_N, pairs_at_once=pairs_at_once))


def leave_one_out_scores(
    embeddings_ND: Tensor,
    labels_N: Tensor,
    groups_N: Tensor | None = None,
    *,
    pairs_at_once: int = PAIRS_AT_ONCE,
) -> Tensor:
    """Give what `leave_one_out` averages, item by item: see `retrieval_scores`."""
    return retrieval_scores(
        embeddings_ND,
        labels_N,
        embeddings_ND,
        labels_N,
        own_position_Q=torch.arange(len(embeddings_ND), device=embeddings_ND.device),
        query_groups_Q=groups_N,
        gallery_groups_G=groups_N,
        pairs_at_once=pairs_at_once,
    )


def distances(queries_QD: Tensor, gallery_GD: Tensor) -> Tensor:
    """Measure Euclidean distances [Q, G] in float32 from differences of coordinates, also under autocast."""
    return torch.cdist(queries_QD.float(), gallery_GD.float(), compute_mode="donot_use_mm_for_euclid_dist")


def nearest(distances_QG: Tensor, k: int) -> Tensor:
    """Rank the K nearest positions [Q, K], ties by position; K is all G where k is more.

    `topk` alone leaves ties in any order. The bits of a float32 >= 0, read as an integer, keep its order;
    packed into one int64 with the position they make keys without ties.
    """
    keys_QG = distances_QG.contiguous().view(torch.int32).to(torch.int64)
    keys_QG <<= 32
    keys_QG |= torch.arange(distances_QG.shape[1], device=distances_QG.device)
    return keys_QG.topk(min(k, distances_QG.shape[1]), largest=False).values & 0xFFFFFFFF


def score_queries(distances_QG: Tensor, relevant_QG: Tensor, hidden_QG: Tensor) -> Tensor:
    """Score each query: float64 [Q, 4], columns as `KEYS`; NaN where it has no right answer."""
    answerable_Q = relevant_QG.any(dim=1)
    scores_Q4 = torch.full((len(relevant_QG), len(KEYS)), torch.nan, dtype=torch.float64)
    scores_Q4 = scores_Q4.to(relevant_QG.device)
    if not answerable_Q.any():
        return scores_Q4
    distances_QG = distances_QG.masked_fill(hidden_QG, torch.inf)[answerable_Q]
    relevant_QG, visible_Q = relevant_QG[answerable_Q], (~hidden_QG[answerable_Q]).sum(dim=1)
    r_Q = relevant_QG.sum(dim=1)
    # A hidden item is infinitely far and never relevant: ranks past the visible ones add nothing.
    hits_QK = relevant_QG.gather(1, nearest(distances_QG, max(5, int(r_Q.max())))).double()
    ranks_K = torch.arange(1, hits_QK.shape[1] + 1, device=hits_QK.device)
    within_r_QK = hits_QK * (ranks_K <= r_Q[:, None])
    columns = [
        hits_QK[:, 0],
        hits_QK[:, :5].sum(dim=1) / visible_Q.clamp(max=5),
        (within_r_QK * hits_QK.cumsum(dim=1) / ranks_K).sum(dim=1) / r_Q,
        within_r_QK.sum(dim=1) / r_Q,
    ]
    scores_Q4[answerable_Q] = torch.stack(columns, dim=1)
    return scores_Q4


def _check_embeddings(embeddings_ND: Tensor, labels_N: Tensor, what: str) -> None:
    """Refuse what cannot be ranked."""
    if embeddings_ND.ndim != 2:
        raise ValueError(
            f"{what} embeddings have shape {tuple(embeddings_ND.shape)}: give [items, dimensions]"
        )
    _check_one_each(labels_N, embeddings_ND, f"{what} labels")
    bad_N = ~(embeddings_ND.abs() < LARGEST).all(dim=1)
    if bad_N.any():
        raise ValueError(
            f"{int(bad_N.sum())} of {len(bad_N)} {what} embeddings hold NaN, infinity or values over "
            f"{LARGEST:g}, the first in row {int(bad_N.nonzero()[0])}: the encoder has diverged; "
            "look at its loss, lower the learning rate"
        )


def _check_one_each(these: Tensor, embeddings_ND: Tensor, name: str) -> None:
    """Refuse anything but one entry for each embedding."""
    if these.shape != embeddings_ND.shape[:1]:
        raise ValueError(f"{name} have shape {tuple(these.shape)}: give one each, [{len(embeddings_ND)}]")
