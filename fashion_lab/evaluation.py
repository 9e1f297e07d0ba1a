"""Retrieval of a split's pictures in the training pictures: query -> gallery, outside of training."""

import torch
from torch import nn

from fashion_lab.contracts.catalog import Catalog
from fashion_lab.data.pixels import PixelStore
from fashion_lab.encoders.torch_encoder import embed
from fashion_lab.metrics.retrieval import retrieval_metrics


def gallery_metrics(network: nn.Module, catalog: Catalog, store: PixelStore, split: str) -> dict[str, float]:
    """Search a split's pictures among the training pictures, over all and with the query's sender hidden.

    Returns:
        `gallery/<metric>` and, where the catalog has groups, `gallery/other_senders/<metric>`.
    """
    was_training = network.training
    network.eval()
    queries, gallery = (store.keep_readable(catalog.splits[name]) for name in (split, "train"))
    vectors = [torch.from_numpy(embed(network, store.at(rows))) for rows in (queries, gallery)]
    network.train(was_training)
    labels = [torch.from_numpy(catalog.labels[rows]) for rows in (queries, gallery)]
    scores = retrieval_metrics(vectors[0], labels[0], vectors[1], labels[1])
    metrics = {f"gallery/{name}": value for name, value in scores.items()}
    if catalog.groups is not None:
        groups = [torch.from_numpy(catalog.groups[rows]) for rows in (queries, gallery)]
        hidden = retrieval_metrics(
            vectors[0], labels[0], vectors[1], labels[1], query_groups_Q=groups[0], gallery_groups_G=groups[1]
        )
        metrics |= {f"gallery/other_senders/{name}": value for name, value in hidden.items()}
    return metrics
