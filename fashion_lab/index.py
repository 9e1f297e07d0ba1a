"""Make an index: `python -m fashion_lab.index ckpt=<run> data=<catalog> split=<name|all>`."""

from pathlib import Path

from omegaconf import DictConfig

from fashion_lab.config import build, launch


def index(cfg: DictConfig) -> None:
    """Embed a catalog with a trained encoder and write the index folder."""
    if cfg.ckpt is None:
        raise ValueError("ckpt= is missing: give a run folder (outputs/<stage>/<time>) or a .ckpt file")
    from fashion_lab import encoders
    from fashion_lab.indexing import default_folder, make_gallery, positions_of

    trusted = list(cfg.trusted)
    encoder = encoders.load(cfg.ckpt, runtime=cfg.runtime, trusted=trusted)
    catalog = build(cfg.data, trusted=trusted)
    positions = positions_of(catalog, str(cfg.split))
    gallery = make_gallery(
        catalog,
        positions,
        encoder,
        run=str(cfg.ckpt),
        split=str(cfg.split),
        cache=None if cfg.cache is None else Path(cfg.cache),
        workers=cfg.workers,
    )
    out = Path(cfg.out) if cfg.out is not None else default_folder(gallery.source)
    gallery.write(out)
    left_out = len(gallery.source.left_out)
    skipped = f"; {left_out} unreadable, listed in {out / 'manifest.json'}" if left_out else ""
    dim = gallery.vectors_ND.shape[1]
    print(f"{len(gallery)} pictures of {catalog.name} ({cfg.split}), {dim} numbers each{skipped}")
    print(f"index: {out}")
    print(f"search it: python -m fashion_lab.search index={out} image=<a picture>")


if __name__ == "__main__":
    launch(index, "index")
