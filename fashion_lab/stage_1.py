"""The embedding that stage 1 leaves, searched with before stage 2 changes it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fashion_lab.contracts.catalog import Catalog
from fashion_lab.data.pixels import PixelStore
from fashion_lab.encoders.runs import read_run
from fashion_lab.evaluation import backbone_retrieved
from fashion_lab.outcomes import Outcomes


def stage_1(
    parent: Mapping[str, Any] | None,
    catalog: Catalog,
    split: str,
    *,
    normalize: bool,
    cache: Path | None = None,
    trusted: Sequence[str] = (),
) -> tuple[Outcomes | None, str]:
    """Search a split with the pooled features of a stage 1 run, at its own pixels; None, and why, without it.

    Args:
        parent: of a stage 2 run's record.
        catalog: what the split is of.
        split: its name.
        normalize: whether features get length 1, as the stage 2 run's embeddings do.
        cache: folder of the pixel stores.
        trusted: further packages that may be built from.
    """
    if parent is None:
        return None, "It was trained from scratch: there is no stage 1 to compare with."
    if not Path(parent["path"]).exists():
        return None, f"Its stage 1 run, {parent['path']}, is no longer there to compare with."
    known = read_run(parent["path"], head=None, trusted=trusted)
    store = PixelStore.open(catalog, known.blueprint.pixels, cache=cache)
    backbone = known.network.backbone
    return backbone_retrieved(backbone, catalog, store, split, normalize=normalize), ""
