"""The first batch of a training as the network sees it: after augmentation."""

from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor

from fashion_lab.contracts.batch import IMAGES, LABELS, TARGETS, TRIPLETS, Batch
from fashion_lab.figures import picture_grid

COLUMNS, ROWS = 8, 4


def augmented_sheet(batch: Batch, classes: Sequence[str]) -> Image.Image:
    """Draw the first pictures of a training batch with their classes; drawn triplets one below the other."""
    count = len(batch[IMAGES])
    triplets_3T = _drawn_triplets(batch)
    if triplets_3T is None:
        rows, columns = torch.arange(min(count, COLUMNS * ROWS)), COLUMNS
    else:
        some = triplets_3T[:, :COLUMNS]
        rows, columns = some.flatten(), some.shape[1]
    images = batch[IMAGES].detach().cpu()[rows].float()
    return picture_grid(
        ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).numpy(),
        *_captions(batch, rows, classes),
        columns=columns,
        title="first training batch, after augmentation",
        subtitle=f"{len(rows)} of its {count} pictures, as the network sees them",
        labels=() if triplets_3T is None else ("anchor", "positive", "negative"),
    )


def _drawn_triplets(batch: Batch) -> Tensor | None:
    """Give the triplets [3, T] where the batch is anchors, positives, negatives in turn."""
    if TRIPLETS not in batch:
        return None
    triplets_3T = batch[TRIPLETS].cpu()
    in_order = torch.equal(triplets_3T.flatten(), torch.arange(len(batch[IMAGES])))
    return triplets_3T if in_order else None


def _captions(batch: Batch, rows: Tensor, classes: Sequence[str]) -> tuple[list[str], list[str]]:
    """Name the classes; of a blend (mixup) the two largest shares, in two lines."""
    if TARGETS not in batch:
        return [classes[label] for label in batch[LABELS].cpu()[rows].tolist()], []
    shares, labels = batch[TARGETS].cpu()[rows].topk(2)
    lines = [
        [f"{share:.0%} {classes[label]}" if share else "" for share, label in zip(*pair, strict=True)]
        for pair in zip(shares.tolist(), labels.tolist(), strict=True)
    ]
    return [first for first, _ in lines], [second for _, second in lines]
