"""Export a run: `python -m fashion_lab.export ckpt=<run or checkpoint> out=<folder>`."""

from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from fashion_lab import extras
from fashion_lab.config import launch

if TYPE_CHECKING:  # it brings numpy, which --help can do without
    from fashion_lab.calibration import Calibration

GOLDEN = ("auto", "drawn")


def export(cfg: DictConfig) -> None:
    """Write a bundle that embeds and classifies without training code, and say what it is."""
    if cfg.ckpt is None:
        raise ValueError("ckpt= is missing: give a run folder (outputs/<stage>/<time>) or a .ckpt file")
    if not isinstance(cfg.calibrate, bool):
        raise ValueError(f"calibrate={cfg.calibrate}: give true or false")
    if cfg.golden not in GOLDEN:
        raise ValueError(f"golden={cfg.golden}: choose one of {', '.join(GOLDEN)}")
    extras.require(extras.TO_EXPORT, "python -m fashion_lab.export", "export")
    from fashion_lab.bundles.golden import catalog_at_hand, golden_pictures
    from fashion_lab.bundles.writing import export_bundle
    from fashion_lab.calibrating import on_validation
    from fashion_lab.encoders.runs import read_run

    trusted = list(cfg.trusted)
    run = read_run(cfg.ckpt, head=cfg.head, trusted=trusted)
    catalog = catalog_at_hand(run.data, trusted=trusted)
    golden = golden_pictures(catalog if cfg.golden == "auto" else None, run.blueprint.pixels)
    name = f"{run.blueprint.stage}-{run.fingerprint[:8]}"
    out = Path("outputs", "bundle", name) if cfg.out is None else Path(cfg.out)
    means = None
    if cfg.calibrate and catalog is not None:
        cache = None if cfg.cache is None else Path(cfg.cache)
        means = on_validation(run.encoder(), catalog, cache=cache)
    record = None if means is None else means.record()
    error = export_bundle(run, out, golden, calibration=record, trusted=trusted)
    head = f"none ({run.why_no_head})" if run.head is None else run.head.source["path"]
    print(f"{run.network.dim} numbers a picture of {run.blueprint.pixels.size} pixels; head: {head}")
    print(f"torch and onnxruntime agree on {len(golden.items)} pictures ({golden.origin}) to {error:.1g}")
    print(_meaning(means))
    print(f"bundle: {out}")
    print(f"index with it: python -m fashion_lab.index ckpt={out} data=<catalog>")


def _meaning(means: "Calibration | None") -> str:
    """Say what the distances mean."""
    if means is None:
        return "no calibration: hits carry distances, and similarities only where the index can learn them"
    items, threshold = means.thresholds[-1]
    return (
        f"distances: a hit at {means.middle:.3g} is as likely of the query's class as not; where even the "
        f"nearest of {items} items is farther than {threshold:.3g}, nothing is like it (calls "
        f"{means.alarms:.0%} of what is there strange, and {means.caught:.0%} of what is not; "
        f"{means.made_from}, {means.queries} queries)"
    )


if __name__ == "__main__":
    launch(export, "export")
