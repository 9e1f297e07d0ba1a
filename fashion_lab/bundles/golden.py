"""Golden pictures: a few that travel with a bundle, to see that a runtime gives what the training gave."""

import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fashion_lab.catalogs.synthetic import SyntheticCatalog
from fashion_lab.config import FOR_USERS, build
from fashion_lab.contracts.catalog import Catalog
from fashion_lab.pictures import PictureError, PixelSpec

log = logging.getLogger(__name__)

COUNT = 16  # assumption: enough that the nearest five say something, few enough to travel
FEWEST = 6  # a picture and its five nearest
DRAWN = "drawn"


class Golden(NamedTuple):
    """Pictures uint8 [N, 3, S, S], and where they are from."""

    pixels_NCHW: NDArray[np.uint8]
    origin: str
    items: list[str]


def golden_pictures(catalog: Catalog | None, spec: PixelSpec) -> Golden:
    """Choose pictures from the validation split of a catalog, spread over it; the same every time.

    They are drawn where there is no catalog, or too few pictures of it can be read.
    """
    if catalog is not None:
        chosen = _spread(catalog, spec, "validation")
        if len(chosen.items) >= FEWEST:
            return chosen
    return _spread(SyntheticCatalog(products=21, views=3), spec, "validation")._replace(origin=DRAWN)


def catalog_at_hand(data: Any, *, trusted: Sequence[str] = ()) -> Catalog | None:
    """Open the catalog of a run; None where its files are elsewhere. Nothing is downloaded.

    Args:
        data: config node of the catalog.
        trusted: packages outside this project whose classes the config may name.
    """
    if not isinstance(data, dict) or "_target_" not in data:
        return None
    offline = {"download": False} if "download" in data else {}
    try:
        catalog = build({**data, **offline}, trusted=trusted)
    except (OSError, *FOR_USERS) as error:
        log.info("the run's catalog is not at hand: %s", " ".join(str(error.__cause__ or error).split()))
        return None
    return catalog if isinstance(catalog, Catalog) else None


def _spread(catalog: Catalog, spec: PixelSpec, split: str) -> Golden:
    """Take pictures at equal steps through a split, passing over those that cannot be read."""
    rows = catalog.splits[split]
    steps = np.linspace(0, max(0, len(rows) - 1), min(len(rows), COUNT)).round().astype(np.int64)
    pixels, items = [], list[str]()
    for row in rows[steps].tolist():
        try:
            with catalog.open(row) as image:
                pixels.append(spec.pixels(image))
        except PictureError:
            continue
        items.append(catalog.item(row))
    shape = (len(items), 3, spec.size, spec.size)
    return Golden(np.array(pixels, np.uint8).reshape(shape), f"{split} of {catalog.name}", items)
