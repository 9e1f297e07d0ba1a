"""How a network does on a split, picture by picture: what a run's metrics are the means of.

N pictures, G of them searched, D embedding, C classes.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fashion_lab.contracts.backbone import Backbone
from fashion_lab.contracts.catalog import Catalog, Ints
from fashion_lab.data.pixels import PixelStore
from fashion_lab.encoders.batches import in_batches, probabilities
from fashion_lab.encoders.torch_encoder import at_rest, embed
from fashion_lab.metrics.retrieval import KEYS, leave_one_out_scores, retrieval_scores
from fashion_lab.networks import SiameseEncoder
from fashion_lab.outcomes import CORRECT, Outcomes

GREY_SIDE = 32  # of the raw pixels that an embedding must beat; as in the studies' floor
TRAIN = "train"
GALLERY = "gallery/"
OTHERS = "other_senders/"
PRODUCT = "product/"


def classified(network: nn.Module, catalog: Catalog, store: PixelStore, split: str) -> Outcomes:
    """Classify a split's readable pictures: `accuracy`, and the probabilities."""
    rows = store.keep_readable(catalog.splits[split])
    with _at_rest(network):
        chances_NC = probabilities(embed(network, store.at(rows)))
    right_N = (chances_NC.argmax(axis=1) == catalog.labels[rows]).astype(np.float64)
    return _outcomes(catalog, split, rows, {CORRECT: right_N}, chances_NC)


def retrieved(network: nn.Module, catalog: Catalog, store: PixelStore, split: str) -> Outcomes:
    """Search a split's readable pictures: among themselves, and among the training pictures.

    Training pictures are searched among themselves only. Scores are the four of `metrics.retrieval`, over all
    items and, as `other_senders/...`, with the query's sender hidden; as they are for leave-one-out, as
    `gallery/...` for the training pictures. Of `product/...` a hit is right if it shows the query's product,
    where the catalog knows it.
    """
    return embedded(network, catalog, store, split)[0]


def embedded(network: nn.Module, catalog: Catalog, store: PixelStore, split: str) -> tuple[Outcomes, Tensor]:
    """Search as `retrieved` does, and give the split's embeddings [N, D] too."""
    rows = store.keep_readable(catalog.splits[split])
    with _at_rest(network):
        vectors_ND = torch.from_numpy(embed(network, store.at(rows)))
        scores = _views(catalog, rows, vectors_ND)
        if split != TRAIN:  # a picture that finds itself tells nothing
            searched = store.keep_readable(catalog.splits[TRAIN])
            vectors_GD = torch.from_numpy(embed(network, store.at(searched)))
            scores |= _gallery_views(catalog, rows, vectors_ND, searched, vectors_GD)
    return _outcomes(catalog, split, rows, scores), vectors_ND


def backbone_retrieved(
    backbone: Backbone,
    catalog: Catalog,
    store: PixelStore,
    split: str,
    *,
    normalize: bool,
) -> Outcomes:
    """Search as `retrieved` does with a backbone's pooled features."""
    features = at_rest(SiameseEncoder(backbone, normalize=normalize))
    return retrieved(features, catalog, store, split)


def raw_pixels(catalog: Catalog, store: PixelStore, split: str) -> Outcomes:
    """Search a split's pictures among themselves by their grey pixels, 32 x 32: what needs no training."""
    rows = store.keep_readable(catalog.splits[split])
    grey_ND = torch.cat([_grey(torch.from_numpy(batch)) for batch in in_batches(store.at(rows))])
    return _outcomes(catalog, split, rows, _views(catalog, rows, grey_ND))


def means_of(outcomes: Outcomes, view: str = "") -> dict[str, float]:
    """Average the scores whose names begin with a view, and count the queries of each that have an answer."""
    found: dict[str, float] = {}
    for name, scores_N in outcomes.scores.items():
        if not name.startswith(view):
            continue
        known_N = scores_N[np.isfinite(scores_N)]
        found[name] = float(known_N.mean()) if len(known_N) else float("nan")
        head, _, last = name.rpartition("/")
        if last == KEYS[-1]:
            found[f"{head}/num_queries" if head else "num_queries"] = float(len(known_N))
    return found


def _views(catalog: Catalog, rows: Ints, vectors_ND: Tensor) -> dict[str, NDArray[np.float64]]:
    """Score searches of a split among itself: by the metrics' names."""
    labels_N = torch.from_numpy(catalog.labels[rows])
    found = _named("", leave_one_out_scores(vectors_ND, labels_N, None))
    if catalog.groups is not None:
        groups_N = torch.from_numpy(catalog.groups[rows])
        found |= _named(OTHERS, leave_one_out_scores(vectors_ND, labels_N, groups_N))
    if catalog.products is not None:
        products_N = torch.from_numpy(catalog.products[rows])
        found |= _named(PRODUCT, leave_one_out_scores(vectors_ND, products_N))
    return found


def _gallery_views(
    catalog: Catalog, rows: Ints, vectors_ND: Tensor, searched: Ints, vectors_GD: Tensor
) -> dict[str, NDArray[np.float64]]:
    """Score searches of a split among other pictures: by the metrics' names."""
    labels_N, labels_G = (torch.from_numpy(catalog.labels[some]) for some in (rows, searched))
    found = _named(GALLERY, retrieval_scores(vectors_ND, labels_N, vectors_GD, labels_G))
    if catalog.groups is not None:
        groups_N, groups_G = (torch.from_numpy(catalog.groups[some]) for some in (rows, searched))
        scores_N4 = retrieval_scores(
            vectors_ND, labels_N, vectors_GD, labels_G, query_groups_Q=groups_N, gallery_groups_G=groups_G
        )
        found |= _named(GALLERY + OTHERS, scores_N4)
    return found


def _named(prefix: str, scores_N4: Tensor) -> dict[str, NDArray[np.float64]]:
    return {prefix + key: scores_N4[:, column].numpy() for column, key in enumerate(KEYS)}


def _grey(pixels_BCHW: Tensor) -> Tensor:
    grey_B1HW = pixels_BCHW.float().mean(dim=1, keepdim=True) / 255
    return nn.functional.adaptive_avg_pool2d(grey_B1HW, GREY_SIDE).flatten(1)


def _outcomes(
    catalog: Catalog,
    split: str,
    rows: Ints,
    scores: Mapping[str, NDArray[np.float64]],
    probabilities_NC: NDArray[np.float32] | None = None,
) -> Outcomes:
    return Outcomes(
        catalog=catalog.name,
        split=split,
        classes=tuple(catalog.classes),
        items_N=np.array([catalog.item(int(row)) for row in rows]),
        labels_N=catalog.labels[rows],
        groups_N=None if catalog.groups is None else catalog.groups[rows],
        scores=scores,
        probabilities_NC=probabilities_NC,
    )


@contextmanager
def _at_rest(network: nn.Module) -> Iterator[None]:
    """Evaluate a network, and leave it as it was."""
    was_training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(was_training)
