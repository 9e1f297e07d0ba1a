"""Search an index: `python -m fashion_lab.search index=<folder> image=<file> k=5`."""

from typing import Any

from omegaconf import DictConfig, OmegaConf

from fashion_lab.config import build, launch

FORMATS = ("table", "json")


def search(cfg: DictConfig) -> None:
    """Answer each query with a table or JSON, and all of them with a contact sheet."""
    images, items = _listed(cfg.image), _listed(cfg.item)
    _check(cfg, images, items)
    from fashion_lab import searching
    from fashion_lab.answer_sheet import save_sheet
    from fashion_lab.visual_search import VisualSearch

    paths = searching.pictures_at(images)
    trusted = list(cfg.trusted)
    engine = None if cfg.engine is None else build(cfg.engine, trusted=trusted)
    finder = VisualSearch.load(cfg.index, cfg.ckpt, index=engine, runtime=cfg.runtime, trusted=trusted)
    where: Any = None if cfg.where is None else OmegaConf.to_container(cfg.where)
    answers, failed = searching.answer(
        finder, paths, items, cfg.k, where=where, fold=cfg.fold, expand=cfg.expand
    )
    wanted = cfg.sheet is not None and answers
    sheet = save_sheet(str(cfg.sheet), finder, answers, str(cfg.index)) if wanted else None
    if cfg.format == "json":
        print(searching.as_json(answers, failed, sheet))
    else:
        searching.print_tables(answers, sheet)
    searching.complain(failed, len(answers))


def _listed(value: object) -> list[str]:
    """Take one name or a list of names; Hydra reads a name like 007 as a number."""
    if value is None:
        return []
    plain = OmegaConf.to_container(value) if OmegaConf.is_config(value) else [value]
    if not isinstance(plain, list):
        raise ValueError(f"{value} is neither a name nor a list of names")
    return [str(name) for name in plain]


def _check(cfg: DictConfig, images: list[str], items: list[str]) -> None:
    """Raise ValueError for what cannot work, before anything is read."""
    if cfg.index is None:
        raise ValueError("index= is missing: give the folder that python -m fashion_lab.index wrote")
    if bool(images) == bool(items):
        both = "both image= and item= are given" if images else "nothing to search for"
        raise ValueError(f"{both}: give image=<file, folder or list>, or item=<id or list>")
    if isinstance(cfg.k, bool) or not isinstance(cfg.k, int) or cfg.k < 1:
        raise ValueError(f"k={cfg.k}: give a whole number of hits, 1 or more")
    if cfg.where is not None and not OmegaConf.is_dict(cfg.where):
        raise ValueError(f"where={cfg.where}: give conditions, such as 'where={{class: skirt}}'")
    if not isinstance(cfg.fold, bool):
        raise ValueError(f"fold={cfg.fold}: give true or false")
    if isinstance(cfg.expand, bool) or not isinstance(cfg.expand, int) or cfg.expand < 0:
        raise ValueError(f"expand={cfg.expand}: give a whole number of hits, or 0 for no expansion")
    if cfg.format not in FORMATS:
        raise ValueError(f"format={cfg.format}: choose one of {', '.join(FORMATS)}")
    if cfg.sheet is not None and cfg.sheet != "auto" and not str(cfg.sheet).lower().endswith(".png"):
        raise ValueError(f"sheet={cfg.sheet}: give a file that ends in .png, auto, or null for none")


if __name__ == "__main__":
    launch(search, "search")
