"""The pretrained backbone that a run began with, searched with as it came: training has to beat it."""

import logging
from collections.abc import Sequence

from fashion_lab.checkpoint import Record
from fashion_lab.config import build
from fashion_lab.contracts.backbone import Backbone
from fashion_lab.contracts.catalog import Catalog
from fashion_lab.data.pixels import PixelStore
from fashion_lab.evaluation import backbone_retrieved
from fashion_lab.outcomes import Outcomes

log = logging.getLogger(__name__)


def pretrained(
    record: Record,
    catalog: Catalog,
    store: PixelStore,
    split: str,
    *,
    normalize: bool,
    trusted: Sequence[str] = (),
) -> Outcomes | None:
    """Search a split with the pooled features of a run's pretrained backbone.

    None, with a warning, where its weights can no longer be had; None where it had none.

    Args:
        record: of the run.
        catalog: what the split is of.
        store: its pixels, as the run sees them.
        split: its name.
        normalize: whether features get length 1, as the run's own do.
        trusted: further packages that may be built from.
    """
    origin = record.get("pretraining")
    if origin is None:
        return None
    begun = record["config"] if record["parent"] is None else record["parent"]["config"]
    try:
        backbone: Backbone = build(begun["backbone"], trusted=trusted)
        found = backbone.start()
    except ValueError as error:
        log.warning("not compared with the pretrained backbone: %s", error)
        return None
    if found is None or found["sha256"] != origin["sha256"]:
        log.warning("not compared with the pretrained backbone: %s holds other weights now", origin["source"])
        return None
    return backbone_retrieved(backbone, catalog, store, split, normalize=normalize)
