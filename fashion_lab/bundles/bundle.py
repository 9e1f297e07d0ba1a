"""The folder of a bundle, read and checked: what the encoders of both runtimes are loaded from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fashion_lab.bundles.manifest import (
    CLASSIFIER_GRAPH,
    EMBEDDING,
    GOLDEN,
    GRAPH,
    LOGITS,
    MANIFEST,
    WEIGHTS,
    BundleError,
    damaged,
    read_manifest,
    vouch,
)
from fashion_lab.pictures import DECODE_VERSION, PixelSpec
from fashion_lab.run_files import is_file

NEEDED, OPTIONAL = {WEIGHTS, GOLDEN, GRAPH}, {CLASSIFIER_GRAPH}
MAX_FILE = 2**31  # bytes: what a protobuf message, and so a graph in one file, may have


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A bundle whose files are what was written.

    Attributes:
        folder: where it is.
        facts: all that `bundle.json` says.
        stage: of its run: `classifier` or `siamese`.
        classes: what the run was trained on.
        pixels: how a picture becomes pixels.
        dim: numbers D of an embedding.
        fingerprint: that of the run: an index made with one is searched with the other.
        graph_of: which file gives `embedding`, and which `logits` where there is a head.
        calibration: what its distances mean, or None.
    """

    folder: Path
    facts: Mapping[str, Any]
    stage: str
    classes: tuple[str, ...]
    pixels: PixelSpec
    dim: int
    fingerprint: str
    graph_of: Mapping[str, str]
    calibration: Mapping[str, Any] | None

    def read(self, name: str) -> bytes:
        """Read one of its files. Raises BundleError where it is not what was written."""
        try:
            return _vouched(self.folder / name, self.facts["files"][name])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise damaged(self.folder, error) from error


def is_bundle(folder: str | Path) -> bool:
    """Say whether a bundle is meant: a folder with a `bundle.json`."""
    return is_file(Path(folder, MANIFEST))


def open_bundle(folder: str | Path) -> Bundle:
    """Read `bundle.json` and check every file against it.

    Raises:
        BundleError: no bundle there, a damaged, foreign or newer one, or one for another decode.
    """
    folder = Path(folder)
    facts = read_manifest(folder)
    try:
        bundle = _parsed(folder, facts)
        decode = facts["pixels"]["decode_version"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else error
        raise damaged(folder, f"{MANIFEST}: {reason}") from error
    if decode != DECODE_VERSION:
        raise BundleError(
            f"the bundle {folder} was exported with decode version {decode}, this release decodes with "
            f"{DECODE_VERSION}: a picture would embed elsewhere; export its run again"
        )
    for name in facts["files"]:
        bundle.read(name)
    return bundle


def _parsed(folder: Path, facts: dict[str, Any]) -> Bundle:
    """Take what is needed, each of its type and in its range."""
    files, graphs = _typed(facts, "files", dict), _typed(facts, "graphs", dict)
    classes, calibration = _typed(facts, "classes", list), facts["calibration"]
    pixels = _typed(facts, "pixels", dict)
    dim = _typed(facts, "dim", int)
    used = {graphs[EMBEDDING], *graphs.values()}
    if not NEEDED | used <= files.keys() <= NEEDED | OPTIONAL or not used <= {GRAPH, CLASSIFIER_GRAPH}:
        raise ValueError(f"it lists the files {', '.join(files)}")
    if graphs.keys() - {EMBEDDING, LOGITS} or (facts["head"] is None) is not (LOGITS not in graphs):
        raise ValueError(f"it lists the graphs {graphs}")
    if dim < 1 or len(classes) < 2 or not all(isinstance(name, str) for name in classes):
        raise ValueError(f"dim={dim}, classes={classes}")
    if calibration is not None and not isinstance(calibration, dict):
        raise ValueError(f"calibration={calibration!r}")
    return Bundle(
        folder=folder,
        facts=facts,
        stage=_typed(facts, "stage", str),
        classes=tuple(classes),
        pixels=PixelSpec(size=pixels["size"], fit=pixels["fit"]),
        dim=dim,
        fingerprint=_typed(facts, "fingerprint", str),
        graph_of=graphs,
        calibration=calibration,
    )


def _typed(facts: Mapping[str, Any], key: str, kind: type) -> Any:
    value = facts[key]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"{key} is a {type(value).__name__}, not a {kind.__name__}")
    return value


def _vouched(path: Path, expected: Mapping[str, Any]) -> bytes:
    """Read a file if it is what was written. Raises ValueError where not."""
    if not path.is_file():
        raise ValueError(f"{path.name} is missing")
    size = path.stat().st_size
    if size > MAX_FILE or size != expected["bytes"]:
        raise ValueError(f"{path.name} has {size:,} bytes, not {expected['bytes']}")
    content = path.read_bytes()
    if vouch(content) != expected:
        raise ValueError(f"{path.name} is not what was written")
    return content
