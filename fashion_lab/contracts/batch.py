"""The keys of a batch: every shape, dtype and range in one place.

A batch is a plain `dict[str, Tensor]`. B is the number of pictures in it, S the side in pixels, T triplets.

| key      | shape        | dtype   | range                                                        |
|----------|--------------|---------|--------------------------------------------------------------|
| indices  | [B]          | int64   | positions in the catalog, 0 .. N-1                           |
| labels   | [B]          | int64   | positions in `catalog.classes`; in training, in what it learns |
| images   | [B, 3, S, S] | float32 | -1 .. 1, RGB, normalised                                     |
| triplets | [3, T]       | int64   | positions in this batch: anchors, positives, negatives       |
| groups   | [B]          | int64   | who took the picture; evaluation only, where the catalog knows |
| products | [B]          | int64   | which garment; evaluation only, where the catalog knows      |
| targets  | [B, classes] | float32 | class probabilities, only where two pictures were mixed       |

Samplers give `indices` (and `triplets`); the datamodule adds the rest on the device. What training learns are
classes, or products where these are to lie together: the datamodule's `learned_names`.
"""

from typing import TypeAlias

from torch import Tensor

INDICES = "indices"
LABELS = "labels"
IMAGES = "images"
TRIPLETS = "triplets"
TARGETS = "targets"
GROUPS = "groups"
PRODUCTS = "products"

Batch: TypeAlias = dict[str, Tensor]
