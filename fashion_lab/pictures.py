"""From a file to pixels: the ONE decode of training, index and query."""

import errno
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from fashion_lab.upright import WHITE, upright

# Decoders that Pillow ships itself and that no file can talk into running anything. JPEG covers phones' MPO.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
EXTENSIONS = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
MAX_PIXELS = 20_000_000  # a 12-megapixel phone photo fits; a 13000 x 13000 bitmap costs 1.2 GiB (faults, D2)
FITS = ("squash", "letterbox", "crop")
MIN_SIZE, MAX_SIZE = 8, 1024  # assumed: smaller shows nothing, larger is no thumbnail any more
DECODE_VERSION = 1  # raise it with every change that alters a pixel: stored pixels carry it in their name

# These say something about the machine and nothing about the picture: they are never a PictureError.
MACHINE_ERRORS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.ESTALE)


class PictureError(ValueError):
    """A picture that cannot be read: one line that names the file and why."""


def open_picture(
    source: Path | BinaryIO, *, formats: tuple[str, ...] = FORMATS, max_pixels: int = MAX_PIXELS
) -> Image.Image:
    """Open a picture lazily: the header is read and its limits are checked, nothing is decoded yet.

    Args:
        source: a file's path, or a binary stream (kept open by the picture).
        formats: those that are read, of `FORMATS`.
        max_pixels: width x height at most.

    Raises:
        PictureError: no such file, none of the formats (by content, not by name), broken header, too large.
        OSError: the machine failed (`MACHINE_ERRORS`), whatever the picture may be.
    """
    name = str(source) if isinstance(source, Path) else str(getattr(source, "name", "the picture"))
    if isinstance(source, Path) and not source.is_file():
        raise PictureError(f"{name}: {'not a plain file' if source.exists() else 'no such file'}")
    image = _translated(name, lambda: Image.open(source, formats=formats), formats)
    width, height = image.size
    if width * height > max_pixels or width < 1 or height < 1:
        image.close()
        raise PictureError(
            f"{name}: {width} x {height} pixels; 1 to {max_pixels:,} are read: make it smaller"
        )
    return image


def jpeg(image: Image.Image) -> bytes:
    """Encode the pixels of an RGB image and nothing else."""
    bare, file = Image.new("RGB", image.size), BytesIO()
    bare.paste(image)  # a picture carries its file's comment along, and Pillow would write it down again
    bare.save(file, "JPEG", quality=85, optimize=True)
    return file.getvalue()


def reduced(image: Image.Image, longest: int) -> Image.Image:
    """Decode the first frame for people to look at, as a whole, upright, on white, in RGB. Uses it up.

    Raises PictureError as `PixelSpec.pixels` does. `longest` is its longer side, where it has as many.
    """

    def decode() -> Image.Image:
        whole = upright(image, (longest, longest))
        whole.thumbnail((longest, longest))
        return whole

    return _translated(_name(image), decode)


@dataclass(frozen=True)
class PixelSpec:
    """How pictures become pixels: the side S and how a picture that is no square gets there.

    Attributes:
        size: side in pixels.
        fit: `squash` distorts, `letterbox` adds white bars, `crop` keeps the centre square.
    """

    size: int = 64
    fit: str = "letterbox"

    def __post_init__(self) -> None:
        if isinstance(self.size, bool) or not isinstance(self.size, int):
            raise ValueError(f"size={self.size!r} is no whole number: give pixels, {MIN_SIZE} .. {MAX_SIZE}")
        if not MIN_SIZE <= self.size <= MAX_SIZE:
            raise ValueError(
                f"size={self.size} is outside {MIN_SIZE} .. {MAX_SIZE} pixels: choose one inside, such as 64"
            )
        if self.fit not in FITS:
            raise ValueError(f"fit={self.fit!r} is unknown: choose one of {', '.join(FITS)}")

    def pixels(self, image: Image.Image) -> NDArray[np.uint8]:
        """Decode the first frame, upright, on white, in RGB: uint8 [3, size, size]. Uses the picture up.

        Raises:
            PictureError: the file is cut off or broken, or its mode has no way to RGB.
        """
        fitted = _translated(_name(image), lambda: self._fitted(image))
        return np.ascontiguousarray(np.asarray(fitted).transpose(2, 0, 1))

    def _fitted(self, image: Image.Image) -> Image.Image:
        return self._resized(upright(image, self._target(image.size)))

    def _target(self, size: tuple[int, int]) -> tuple[int, int]:
        """Width and height that a whole picture of this size is scaled to (for `crop`: before the crop)."""
        if self.fit == "squash":
            return self.size, self.size
        scale = self.size / (min(size) if self.fit == "crop" else max(size))
        return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))

    def _resized(self, image: Image.Image) -> Image.Image:
        square, width, height = (self.size, self.size), *image.size
        if self.fit == "crop":
            left, top, side = (width - min(image.size)) / 2, (height - min(image.size)) / 2, min(image.size)
            box = (left, top, left + side, top + side)
            return image.resize(square, Image.Resampling.BILINEAR, box=box)
        small = image.resize(self._target(image.size), Image.Resampling.BILINEAR)
        if small.size == square:
            return small
        canvas = Image.new("RGB", square, WHITE)
        canvas.paste(small, ((self.size - small.width) // 2, (self.size - small.height) // 2))
        return canvas


def _name(image: Image.Image) -> str:
    return str(getattr(image, "filename", "") or "the picture")


def _translated(
    name: str, read: Callable[[], Image.Image], formats: tuple[str, ...] = FORMATS
) -> Image.Image:
    """Call Pillow, whose errors on hostile bytes are an open list (SyntaxError, struct.error, zlib.error)."""
    try:
        return read()
    except MemoryError:
        raise
    except UnidentifiedImageError as error:
        raise PictureError(f"{name}: not a picture in a format read here ({', '.join(formats)})") from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno in MACHINE_ERRORS:
            raise
        why = " ".join(str(error).split()) or "broken"
        raise PictureError(f"{name}: {type(error).__name__}: {why}") from error
