"""A run for onnxruntime: exported once into the cache, then found there without torch."""

import logging
from collections.abc import Sequence
from pathlib import Path

from fashion_lab import extras
from fashion_lab.bundles.bundle import Bundle, is_bundle, open_bundle
from fashion_lab.bundles.manifest import BundleError
from fashion_lab.digest import file_sha256
from fashion_lab.folders import cache_folder, locked
from fashion_lab.run_files import find

log = logging.getLogger(__name__)


def cached_bundle(given: str | Path, *, trusted: Sequence[str] = ()) -> Bundle:
    """Find the bundle of a run in the cache, where it is named by the checkpoint's bytes; else export it.

    Raises:
        ValueError: no such run, one that cannot be exported, or the extra `export` is not installed.
    """
    path = find(given)
    sha256 = file_sha256(path)
    folder = cache_folder() / "bundles" / sha256[:32]
    found = _there(folder, sha256)
    if found is not None:
        return found
    extras.require(extras.TO_EXPORT, f"runtime=onnx of the run {given}", "export", "take runtime=torch")
    from fashion_lab.bundles.golden import golden_pictures
    from fashion_lab.bundles.writing import write_bundle
    from fashion_lab.encoders.runs import read_run

    with locked(folder):
        found = _there(folder, sha256)
        if found is not None:
            return found
        log.info("exporting %s for onnxruntime, once, to %s", given, folder)
        run = read_run(path, trusted=trusted)
        write_bundle(run, folder, golden_pictures(None, run.blueprint.pixels), trusted=trusted)
    return open_bundle(folder)


def _there(folder: Path, sha256: str) -> Bundle | None:
    """Open the bundle if there is one, it is whole, and this release reads it."""
    if not is_bundle(folder):
        return None
    try:
        bundle = open_bundle(folder)
    except BundleError as error:
        log.warning("%s; doing so", error)
        return None
    return bundle if bundle.facts["run"]["sha256"] == sha256 else None
