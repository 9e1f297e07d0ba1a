"""What catalogs whose pictures are files share."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from fashion_lab.contracts.catalog import Catalog
from fashion_lab.pictures import EXTENSIONS, MACHINE_ERRORS, PictureError, open_picture

log = logging.getLogger(__name__)

MAX_BYTES = (
    256 * 2**20
)  # of a picture's file, read whole: 20 megapixels without compression are 160; assumption


class FileCatalog(Catalog):
    """A catalog whose pictures are files below one folder.

    Attributes:
        root: that folder.
        names: [N] each file's path below it, with slashes.
    """

    root: Path
    names: Sequence[str]

    def open(self, position: int) -> Image.Image:
        """Open one picture, not yet decoded. Raises PictureError when it cannot be read."""
        return open_picture(self.path(position))

    def content(self, position: int) -> bytes:
        """Read one picture's file. Raises PictureError when it cannot be read."""
        path = self.path(position)
        try:
            if not path.is_file():
                raise PictureError(f"{path}: {'not a plain file' if path.exists() else 'no such file'}")
            if path.stat().st_size > MAX_BYTES:
                raise PictureError(f"{path}: {path.stat().st_size:,} bytes; up to {MAX_BYTES:,} are read")
            return path.read_bytes()
        except OSError as error:
            if error.errno in MACHINE_ERRORS:
                raise
            raise PictureError(f"{path}: {error.strerror or error}") from error

    def item(self, position: int) -> str:
        """Name a picture by its path below the root."""
        return self.names[position]

    def stamp(self, position: int) -> str:
        """Path, bytes and time of last change: no file is read."""
        stat = os.stat(f"{self.root}/{self.names[position]}")  # noqa: PTH116 (a Path takes longer than its stat)
        return f"{self.names[position]} {stat.st_size} {stat.st_mtime_ns}"

    def path(self, position: int) -> Path:
        """Say which file holds the picture."""
        return self.root / self.names[position]


def find_data(folder: str, root: str | Path | None) -> Path | None:
    """Find a data set's folder under `root`, else under `$FASHION_LAB_DATA`; None where nobody has it yet.

    Raises:
        ValueError: `root` is given and does not hold it.
    """
    if root is not None:
        found = Path(root).expanduser() / folder
        if not found.is_dir():
            raise ValueError(
                f"data.root={root} does not hold {folder}/: name the folder that holds it, "
                f"or leave data.root out to use $FASHION_LAB_DATA or to have it fetched"
            )
        return found
    named = os.environ.get("FASHION_LAB_DATA")
    if not named:
        return None
    found = Path(named).expanduser() / folder
    if found.is_dir():
        return found
    log.info("$FASHION_LAB_DATA=%s does not hold %s/", named, folder)
    return None


def ways_on(folder: str) -> str:
    """Say what to do where a data set is not there and cannot be fetched."""
    return (
        f"Ways on: (1) set data.root or $FASHION_LAB_DATA to the folder that holds {folder}/, "
        f"(2) go online with data.download=true, "
        f"(3) take data=synthetic, or data=folder data.root=<your pictures>"
    )


def pictures_in(folder: Path, *, inside: Path) -> tuple[list[str], list[str]]:
    """List a folder's files in order of name: those that end like a picture, and everything else.

    Raises:
        ValueError: a link leads out of `inside`.
    """
    pictures: list[str] = []
    others: list[str] = []
    with os.scandir(folder) as entries:  # knows what is a file without asking for each
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_symlink():
                forbid_links_out(Path(entry.path), inside=inside)
            hidden = entry.name.startswith(".")  # such as macOS's ._photo.jpg, which is no photo
            is_picture = not hidden and entry.name.lower().endswith(EXTENSIONS) and entry.is_file()
            (pictures if is_picture else others).append(entry.name)
    return pictures, others


def forbid_links_out(path: Path, *, inside: Path) -> None:
    """Raise where `path` is a link that leads out of the folder `inside` (which is resolved itself)."""
    if path.is_symlink() and not path.resolve().is_relative_to(inside):
        raise ValueError(
            f"{path} links to {path.resolve()}, outside {inside}: "
            f"copy the pictures in, or name the outer folder as data.root"
        )
