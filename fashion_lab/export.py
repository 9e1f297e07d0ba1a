"""Export a run: `python -m fashion_lab.export ckpt=<run or checkpoint> out=<folder>`."""

from pathlib import Path

from omegaconf import DictConfig

from fashion_lab import extras
from fashion_lab.config import launch

GOLDEN = ("auto", "drawn")


def export(cfg: DictConfig) -> None:
    """Write a bundle that embeds and classifies without training code, and say what it is."""
    if cfg.ckpt is None:
        raise ValueError("ckpt= is missing: give a run folder (outputs/<stage>/<time>) or a .ckpt file")
    if cfg.golden not in GOLDEN:
        raise ValueError(f"golden={cfg.golden}: choose one of {', '.join(GOLDEN)}")
    extras.require(extras.TO_EXPORT, "python -m fashion_lab.export", "export")
    from fashion_lab.bundles.golden import catalog_at_hand, golden_pictures
    from fashion_lab.bundles.writing import export_bundle
    from fashion_lab.encoders.runs import read_run

    trusted = list(cfg.trusted)
    run = read_run(cfg.ckpt, head=cfg.head, trusted=trusted)
    catalog = catalog_at_hand(run.data, trusted=trusted)
    golden = golden_pictures(catalog if cfg.golden == "auto" else None, run.blueprint.pixels)
    name = f"{run.blueprint.stage}-{run.fingerprint[:8]}"
    out = Path("outputs", "bundle", name) if cfg.out is None else Path(cfg.out)
    error = export_bundle(run, out, golden, calibration=None, trusted=trusted)
    head = f"none ({run.why_no_head})" if run.head is None else run.head.source["path"]
    print(f"{run.network.dim} numbers a picture of {run.blueprint.pixels.size} pixels; head: {head}")
    print(f"torch and onnxruntime agree on {len(golden.items)} pictures ({golden.origin}) to {error:.1g}")
    print(f"bundle: {out}")
    print(f"index with it: python -m fashion_lab.index ckpt={out} data=<catalog>")


if __name__ == "__main__":
    launch(export, "export")
