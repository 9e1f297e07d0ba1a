"""A picture of any mode and orientation becomes RGB, upright, on white, with eight bits a channel."""

import numpy as np
from PIL import Image

WHITE = (255, 255, 255)
ORIENTATION = 0x0112  # EXIF 2.3, table 4
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def upright(image: Image.Image, target: tuple[int, int]) -> Image.Image:
    """Decode, turn and convert to RGB what will be resized to `target`."""
    # JPEG alone can decode at 1/2, 1/4, 1/8; twice the target keeps the resize honest (0.55 of 255 off).
    image.draft(None, (2 * target[0], 2 * target[1]))
    image.load()
    turn = _turn(image)
    rgb = _rgb_on_white(image)
    return rgb if turn is None else rgb.transpose(turn)


def _turn(image: Image.Image) -> Image.Transpose | None:
    """Read from EXIF how a loaded picture must be turned; broken EXIF counts as none, as in every viewer."""
    try:
        return TURNS.get(image.getexif().get(ORIENTATION, 1))
    except Exception:  # the picture itself is whole; Pillow raises half a dozen kinds here
        return None


def _rgb_on_white(image: Image.Image) -> Image.Image:
    """Convert any mode to RGB, transparency on white (JPEG stores CMYK inverted; Pillow undoes that)."""
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        image = _eight_bits(image)
    if image.mode in ("LA", "PA", "RGBa", "RGBA", "P") or "transparency" in image.info:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, (*WHITE, 255)), image).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Scale grey of 16 or 32 bits, which `convert` would clip to white.

    65535 is white in 16 bits; 32 bits have no agreed white, so the picture's own min .. max are used.
    """
    values = np.asarray(image).astype(np.float32)
    if not np.isfinite(values).all():
        raise ValueError("has pixels that are NaN or infinite")
    sixteen = image.mode.startswith("I;16") or image.format == "PNG"  # Pillow < 11.3 opens 16-bit PNG as "I"
    low, high = (0.0, 65535.0) if sixteen else (float(values.min()), float(values.max()))
    grey = np.rint((values - low) * (255 / ((high - low) or 1))).astype(np.uint8)
    hidden = image.info.get("transparency")
    if hidden is None:
        return Image.fromarray(grey)
    alpha = np.where(values == hidden, 0, 255).astype(np.uint8)
    return Image.fromarray(np.stack([grey, alpha], axis=-1))
