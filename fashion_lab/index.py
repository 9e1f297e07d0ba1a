"""Make an index and keep it: `python -m fashion_lab.index ckpt=<run> data=<catalog> out=<folder>`."""

import functools
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from fashion_lab.allocator import keep_freed_memory
from fashion_lab.config import CONF, build, launch

if TYPE_CHECKING:
    from collections.abc import Callable

    from fashion_lab.contracts.encoder import Encoder
    from fashion_lab.galleries.engines import EngineChoice
    from fashion_lab.galleries.gallery import Gallery
    from fashion_lab.galleries.update import Done, Job

MODES = ("build", "add", "remove", "sync")
USUAL = "auto"  # engine
EXECUTORS = ("here", "ray")


def index(cfg: DictConfig) -> None:
    """Embed a catalog with a trained encoder, or bring an index folder up to date."""
    _check(cfg)
    from fashion_lab import indexing
    from fashion_lab.galleries.listing import default_folder

    if cfg.mode == "remove":
        engine = _engine(cfg, Path(cfg.out))
        with closing(engine.index):
            where: Any = None if cfg.where is None else OmegaConf.to_container(cfg.where)
            _report(indexing.remove(_job(cfg, Path(cfg.out), engine), _listed(cfg.item), where), cfg.mode)
        return
    keep_freed_memory()
    catalog = build(cfg.data, trusted=list(cfg.trusted))
    split, run = str(cfg.split), None if cfg.ckpt is None else str(cfg.ckpt)
    load = functools.cache(_loader(cfg))
    if cfg.out is None:
        out = default_folder(catalog.name, split, load(str(run)).fingerprint)
    else:
        out = Path(cfg.out)
    change = {"build": indexing.build, "add": indexing.add, "sync": indexing.sync}[cfg.mode]
    engine = _engine(cfg, out)
    with closing(engine.index):
        embedder = indexing.Embedder(run=run, load=load)
        _report(change(_job(cfg, out, engine), catalog, split, embedder), cfg.mode)


def _loader(cfg: DictConfig, threads: int | None = None) -> "Callable[[str], Encoder]":
    from fashion_lab import encoders

    trusted = tuple(cfg.trusted)
    return functools.partial(encoders.load, runtime=cfg.runtime, trusted=trusted, threads=threads)


def _engine(cfg: DictConfig, out: Path) -> "EngineChoice":
    """Take the engine that is named; else the one that the index to be changed has; else the usual one."""
    from fashion_lab.galleries.contents import Contents
    from fashion_lab.galleries.engines import EngineChoice
    from fashion_lab.galleries.manifest import MANIFEST
    from fashion_lab.galleries.recorded import is_remade, remade

    choice = functools.partial(EngineChoice, floor=float(cfg.engine_recall), strict=bool(cfg.engine_strict))
    if cfg.engine is None and cfg.mode != "build" and (out / MANIFEST).exists():
        there = Contents.in_force(out).engine
        if there is not None and is_remade(there):
            return choice(index=remade(there, list(cfg.trusted)), options=there.options)
    named = OmegaConf.load(CONF / "engine" / f"{USUAL}.yaml") if cfg.engine is None else cfg.engine
    options: Any = OmegaConf.to_container(named, resolve=True)
    return choice(index=build(options, trusted=list(cfg.trusted)), options=options)


def _job(cfg: DictConfig, out: Path, engine: "EngineChoice") -> "Job":
    from fashion_lab.galleries.embedding import in_this_process
    from fashion_lab.galleries.update import Job

    embed = in_this_process(cfg.workers)
    if cfg.executor == "ray":
        from fashion_lab.galleries.nodes import on_ray

        embed = on_ray(_loader(cfg, threads=1), most=cfg.workers)
    return Job(
        folder=out,
        embed=embed,
        engine=engine,
        rows=cfg.shard,
        strict=bool(cfg.strict),
        calibrate=_what_distances_mean,
    )


def _what_distances_mean(gallery: "Gallery") -> dict[str, Any] | None:
    from fashion_lab.calibrating import on_itself

    means = on_itself(gallery)
    return None if means is None else means.record()


def _report(done: "Done", mode: str) -> None:
    """Say what is in force now."""
    gallery, folder = done.gallery, done.gallery.folder
    dim, left_out = gallery.vectors_ND.shape[1], len(gallery.left_out)
    summary = (
        f"{len(gallery)} pictures of {gallery.source.catalog} ({gallery.source.split}), {dim} numbers each"
    )
    if mode == "build":
        print(summary + (f"; {left_out} unreadable, listed in {folder}/manifest.json" if left_out else ""))
    else:
        counts = f"{done.kept} kept, {done.added} added, {done.replaced} changed, {done.removed} removed"
        nothing = "" if done.changed else "nothing to do: "
        listed = f": listed in {folder}/manifest.json" if left_out else ""
        print(f"{nothing}{counts}, {left_out} unreadable{listed}\n{summary}")
    print(f"index: {folder}")
    print(f"search it: python -m fashion_lab.search index={folder} image=<a picture>")


def _listed(value: object) -> list[str]:
    """Take one name or a list of names; Hydra reads a name like 007 as a number."""
    if value is None:
        return []
    plain = OmegaConf.to_container(value) if OmegaConf.is_config(value) else [value]
    if not isinstance(plain, list):
        raise ValueError(f"item={value} is neither a name nor a list of names")
    return [str(name) for name in plain]


def _check(cfg: DictConfig) -> None:
    """Raise ValueError for what cannot work, before anything is read."""
    if cfg.mode not in MODES:
        raise ValueError(f"mode={cfg.mode}: choose one of {', '.join(MODES)}")
    if cfg.executor not in EXECUTORS:
        raise ValueError(f"executor={cfg.executor}: choose one of {', '.join(EXECUTORS)}")
    if cfg.out is None and cfg.mode != "build":
        raise ValueError(f"out= is missing: name the index folder to {cfg.mode}")
    if cfg.out is None and cfg.ckpt is None:
        raise ValueError("ckpt= is missing: give a run folder (outputs/<stage>/<time>) or a .ckpt file")
    for name in ("item", "where"):
        if cfg[name] is not None and cfg.mode != "remove":
            raise ValueError(f"{name}={cfg[name]} is for mode=remove, not mode={cfg.mode}")
    if cfg.where is not None and not OmegaConf.is_dict(cfg.where):
        raise ValueError(f"where={cfg.where}: give conditions, such as 'where={{class: skirt}}'")
    for name in ("shard", "workers"):
        value = cfg[name]
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise ValueError(f"{name}={value}: give a whole number, 1 or more")
    if not 0 <= cfg.engine_recall <= 1:
        raise ValueError(f"engine_recall={cfg.engine_recall}: give a share from 0 to 1, such as 0.99")


if __name__ == "__main__":
    launch(index, "index")
