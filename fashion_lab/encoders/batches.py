"""What the encoders of both runtimes share: pixels in batches, and probabilities."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from fashion_lab.contracts.pixels import Pixels

EMBED_BATCH = 32
"""One size for all, so that a picture's numbers hardly depend on its company.

CPU time of a picture, one thread, batches of 32 and of 256: 1.5 and 2.8 ms with the default network at 64
pixels, 39 and 52 ms with EfficientNet-Lite0 at 192: large tensors go back to the system after each layer.
"""

NO_HEAD = (
    "this encoder has no head to classify with; export a bundle with one: "
    "python -m fashion_lab.export ckpt=<run> head=<a classifier's run>"
)


def in_batches(pixels_NCHW: Pixels) -> Iterator[NDArray[np.uint8]]:
    """Copy pictures out, a batch at a time: give `store.at(rows)`, and no more than that is in memory."""
    for start in range(0, len(pixels_NCHW), EMBED_BATCH):
        yield np.array(pixels_NCHW[start : start + EMBED_BATCH])


def check_pixels(pixels_NCHW: Pixels, size: int) -> None:
    """Raise ValueError for anything but uint8 [N, 3, size, size]: a network would take other sizes too."""
    if pixels_NCHW.dtype != np.uint8 or pixels_NCHW.shape[1:] != (3, size, size):
        raise ValueError(
            f"pictures are {pixels_NCHW.dtype} {list(pixels_NCHW.shape)}; this encoder takes uint8 "
            f"[N, 3, {size}, {size}]: make them with its `pixels`"
        )


def probabilities(logits_NC: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn logits [N, C] into probabilities [N, C]: softmax, which no size of a logit overflows."""
    powers_NC = np.exp(logits_NC.astype(np.float64) - logits_NC.max(axis=1, keepdims=True))
    shares_NC: NDArray[np.float32] = (powers_NC / powers_NC.sum(axis=1, keepdims=True)).astype(np.float32)
    return shares_NC
