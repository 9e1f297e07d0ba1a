"""Every kind of picture file comes out right through the one decode, or is refused by a line naming it."""

import io
import os
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from fashion_lab import pictures
from fashion_lab.pictures import FITS, MAX_PIXELS, PictureError, PixelSpec, open_picture

SQUASH = PixelSpec(size=16, fit="squash")


def photo(width: int = 48, height: int = 32) -> Image.Image:
    """A smooth picture whose four corners differ, so that every turn and every channel swap shows."""
    y, x = np.mgrid[0:height, 0:width]
    red, green = 255 * x / (width - 1), 255 * y / (height - 1)
    return Image.fromarray(np.stack([red, green, 120 - red / 3], axis=-1).astype(np.uint8))


def decode(source: Path, spec: PixelSpec = SQUASH) -> np.ndarray:
    with open_picture(source) as image:
        return spec.pixels(image)


def saved(folder: Path, image: Image.Image, name: str, **options: object) -> Path:
    image.save(folder / name, **options)
    return folder / name


def expected(image: Image.Image, spec: PixelSpec = SQUASH) -> np.ndarray:
    """What the plain resize of an RGB picture gives."""
    small = image.convert("RGB").resize((spec.size, spec.size), Image.Resampling.BILINEAR)
    return np.asarray(small).transpose(2, 0, 1)


def off(a: np.ndarray, b: np.ndarray) -> int:
    return int(np.abs(a.astype(int) - b.astype(int)).max())


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.webp"])
def test_lossless_formats_give_the_plain_resize(tmp_path, name):
    path = saved(tmp_path, photo(), name, **({"lossless": True} if name == "a.webp" else {}))
    pixels = decode(path)
    assert pixels.shape == (3, 16, 16)
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    assert np.array_equal(pixels, expected(photo()))


def test_the_name_does_not_matter_the_content_does(tmp_path):
    saved(tmp_path, photo(), "a.png").rename(tmp_path / "a.jpg")
    assert np.array_equal(decode(tmp_path / "a.jpg"), expected(photo()))


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize(("width", "height"), [(640, 480), (400, 533), (2001, 1001)])
def test_draft_decodes_smaller_and_stays_close(tmp_path, fit, width, height):
    path = saved(tmp_path, photo(width, height), "a.jpg", quality=92)
    spec = PixelSpec(size=32, fit=fit)
    with open_picture(path) as image:
        drafted = spec.pixels(image)
        assert min(image.size) < height / 2, f"{image.size} was decoded whole"
        assert min(image.size) >= 32
    with open_picture(path) as image:
        whole = spec.pixels(image.convert("RGB"))
    assert off(drafted, whole) <= 6
    assert np.abs(drafted.astype(int) - whole).mean() < 1.5


@pytest.mark.parametrize("kind", ["png", "tif", "jpg", "webp"])
@pytest.mark.parametrize("fit", FITS)
def test_all_eight_orientations_give_the_same_pixels(tmp_path, kind, fit):
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # position in Image.Transpose of each one's inverse
    spec = PixelSpec(size=17, fit=fit)
    upright = photo(64, 48)
    reference = decode(saved(tmp_path, upright, "0.png"), spec)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        stored = upright if orientation == 1 else upright.transpose(Image.Transpose(undo[orientation]))
        options = {"jpg": {"quality": 95, "subsampling": 0}, "webp": {"lossless": True}}.get(kind, {})
        path = saved(tmp_path, stored, f"{orientation}.{kind}", exif=exif, **options)
        allowed = 6 if kind == "jpg" else 0
        assert off(decode(path, spec), reference) <= allowed, f"orientation {orientation}"


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_broken_exif_counts_as_none(tmp_path):
    path = saved(tmp_path, photo(), "a.png", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff")
    assert np.array_equal(decode(path), expected(photo()))


def ramp16() -> np.ndarray:
    return np.tile(np.linspace(0, 65535, 256).astype(np.uint16), (16, 1))


@pytest.mark.parametrize(("name", "dtype"), [("a.png", "<u2"), ("little.tif", "<u2"), ("big.tif", ">u2")])
def test_sixteen_bits_are_scaled_not_clipped(tmp_path, name, dtype):
    path = saved(tmp_path, Image.fromarray(ramp16().astype(dtype)), name)
    with open_picture(path) as image:
        assert image.mode.startswith("I;16"), image.mode
    pixels = decode(path, PixelSpec(size=256, fit="squash"))
    assert off(pixels[0, 0], np.arange(256)) <= 1
    assert np.array_equal(pixels[0], pixels[2])


def test_sixteen_bit_colour_that_hides_is_white(tmp_path):
    values = np.full((16, 16), 40_000, np.uint16)
    values[:, 8:] = 0
    path = saved(tmp_path, Image.fromarray(values), "a.png", transparency=40_000)
    pixels = decode(path)
    assert (pixels[:, :, 0] == 255).all()
    assert (pixels[:, :, -1] == 0).all()


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_thirty_two_bit_grey_uses_its_own_range(tmp_path, dtype):
    values = np.tile(np.linspace(-1000, 90_000, 256).astype(dtype), (16, 1))
    path = saved(tmp_path, Image.fromarray(values), "a.tif")
    pixels = decode(path, PixelSpec(size=256, fit="squash"))
    assert off(pixels[1, 5], np.arange(256)) <= 1


def test_flat_and_infinite_float_pictures(tmp_path):
    flat = saved(tmp_path, Image.fromarray(np.full((9, 9), 7.5, np.float32)), "flat.tif")
    assert (decode(flat) == 0).all()
    odd = saved(tmp_path, Image.fromarray(np.full((9, 9), np.inf, np.float32)), "inf.tif")
    with pytest.raises(PictureError, match=r"inf\.tif.*infinite"):
        decode(odd)


def half_hidden(mode: str) -> Image.Image:
    """Left half opaque dark (60), right half fully transparent with black hidden under it."""
    alpha = Image.new("L", (16, 16), 255)
    alpha.paste(0, (8, 0, 16, 16))
    image = Image.new("RGB", (16, 16), (60, 60, 60))
    image.paste((0, 0, 0), (8, 0, 16, 16))
    image.putalpha(alpha)
    return image.convert(mode)


@pytest.mark.parametrize(
    ("mode", "name"), [("RGBA", "a.png"), ("LA", "a.png"), ("RGBA", "a.webp"), ("RGBA", "a.tif")]
)
def test_transparency_shows_white(tmp_path, mode, name):
    path = saved(tmp_path, half_hidden(mode), name, **({"lossless": True} if name == "a.webp" else {}))
    pixels = decode(path)
    assert (pixels[:, :, :7] == 60).all()
    assert (pixels[:, :, 9:] == 255).all()


def test_half_transparent_is_blended(tmp_path):
    path = saved(tmp_path, Image.new("RGBA", (16, 16), (0, 0, 0, 128)), "a.png")
    assert off(decode(path), np.full((3, 16, 16), 127)) <= 1


@pytest.mark.parametrize("name", ["a.png", "a.gif"])
def test_palette_with_a_hidden_colour(tmp_path, name):
    indices = np.zeros((16, 16), np.uint8)
    indices[:, 8:] = 1
    image = Image.fromarray(indices)
    image = image.convert("P")
    image.putpalette([200, 30, 30, 0, 0, 0])
    image.putdata(indices.ravel().tolist())
    path = saved(tmp_path, image, name, transparency=1)
    with open_picture(path) as opened:
        assert opened.mode == "P"
    pixels = decode(path)
    assert (pixels[:, :, 0] == np.array([200, 30, 30])[:, None]).all()
    assert (pixels[:, :, -1] == 255).all()


@pytest.mark.parametrize("mode", ["RGB", "L", "1"])
def test_png_key_colour_shows_white(tmp_path, mode):
    image = Image.new(mode, (16, 16), {"RGB": (9, 99, 199), "L": 99, "1": 1}[mode])
    image.paste(0, (8, 0, 16, 16))
    path = saved(tmp_path, image, "a.png", transparency={"RGB": (0, 0, 0), "L": 0, "1": 0}[mode])
    pixels = decode(path)
    assert (pixels[:, :, -1] == 255).all()
    assert pixels[1, 0, 0] == {"RGB": 99, "L": 99, "1": 255}[mode]


@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
def test_cmyk_comes_out_in_its_colours(tmp_path, name):
    image = Image.new("CMYK", (32, 32), (0, 255, 255, 0))  # no cyan, full magenta and yellow: red
    path = saved(tmp_path, image, name, **({"quality": 95} if name == "a.jpg" else {}))
    with open_picture(path) as opened:
        assert opened.mode == "CMYK"
    red, green, blue = decode(path)
    assert red.min() > 245
    assert max(green.max(), blue.max()) < 10


@pytest.mark.parametrize("mode", ["1", "L"])
def test_grey_and_one_bit_have_three_equal_channels(tmp_path, mode):
    image = photo(16, 16).convert(mode)
    pixels = decode(saved(tmp_path, image, "a.png"))
    assert np.array_equal(pixels, np.broadcast_to(np.asarray(image.convert("L")), (3, 16, 16)))


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png", "a.tif"])
def test_first_frame_only(tmp_path, name):
    frames = [Image.new("RGB", (16, 16), colour) for colour in ((250, 0, 0), (0, 250, 0), (0, 0, 250))]
    options = {"lossless": True} if name == "a.webp" else {}
    path = saved(tmp_path, frames[0], name, save_all=True, append_images=frames[1:], **options)
    with open_picture(path) as opened:
        assert opened.n_frames == 3
    assert (decode(path)[:, 5, 5] == (250, 0, 0)).all()


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.bmp", "a.gif", "a.tif"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_truncated_files_are_refused(tmp_path, name, share):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    path = saved(tmp_path, Image.fromarray(noise), name)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(PictureError, match="a\\."):
        decode(path)


def bomb(side: int) -> bytes:
    """A valid one-bit PNG of side x side pixels, about a thousandth of that in bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(bytes(side * (1 + (side + 7) // 8)))
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [4473, 9400, 20_000])
def test_bombs_are_refused_before_they_are_decoded(tmp_path, side):
    path = tmp_path / "bomb.png"
    path.write_bytes(bomb(side))
    tracemalloc.start()
    with pytest.raises(PictureError, match="bomb\\.png"):
        open_picture(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2e6


def test_the_largest_allowed_picture_opens(tmp_path):
    path = tmp_path / "large.png"
    path.write_bytes(bomb(4472))
    assert 4472**2 <= MAX_PIXELS < 4473**2
    with open_picture(path) as image:
        assert image.size == (4472, 4472)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("page.jpg", b"<!doctype html><html><body>404</body></html>"),
        ("drawing.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("empty.jpg", b""),
        ("magic.jpg", b"\xff\xd8\xff"),
        ("page.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
        ("layers.psd", b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 9, 9, 8, 3) + bytes(64)),
    ],
)
def test_what_is_no_picture_is_refused(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(PictureError) as caught:
        open_picture(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_files_folders_and_pipes_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(PictureError, match="no such file"):
        open_picture(tmp_path / "none.jpg")
    for path in (tmp_path, tmp_path / "pipe.jpg"):
        with pytest.raises(PictureError, match="not a plain file"):
            open_picture(path)


def test_machine_trouble_is_not_blamed_on_the_picture(tmp_path, monkeypatch):
    path = saved(tmp_path, photo(), "a.png")

    def full(*args: object, **options: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(pictures.Image, "open", full)
    with pytest.raises(OSError, match="Too many open files"):
        open_picture(path)


def test_lab_comes_out_in_its_colours(tmp_path):
    lab = ImageCms.createProfile("LAB")
    image = ImageCms.profileToProfile(photo(), ImageCms.createProfile("sRGB"), lab, outputMode="LAB")
    path = saved(tmp_path, image, "lab.tif")
    difference = decode(path).astype(int) - expected(photo())
    assert np.abs(difference).mean() < 2, "eight-bit LAB rounds the deepest colours"


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 5000), (5000, 1)])
@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_degenerate_shapes(tmp_path, fit, width, height, name):
    path = saved(tmp_path, Image.new("RGB", (width, height), (10, 20, 30)), name)
    pixels = decode(path, PixelSpec(size=16, fit=fit))
    assert pixels.shape == (3, 16, 16)
    colour = np.array([10, 20, 30])[:, None, None]
    bars = (pixels == 255).all(axis=0)
    assert off(np.where(bars, colour, pixels), np.broadcast_to(colour, pixels.shape)) <= 2
    assert bars.mean() == (15 / 16 if fit == "letterbox" and width != height else 0)


def test_letterbox_is_centred_white_and_keeps_proportions():
    pixels = PixelSpec(size=16, fit="letterbox").pixels(Image.new("RGB", (40, 20)))
    assert (pixels[:, :4] == 255).all()
    assert (pixels[:, 12:] == 255).all()
    assert (pixels[:, 4:12] == 0).all()


def test_crop_keeps_the_centre_square():
    image = Image.new("RGB", (40, 20), (200, 0, 0))
    image.paste((0, 0, 200), (10, 0, 30, 20))
    pixels = PixelSpec(size=16, fit="crop").pixels(image)
    assert (pixels[2, :, 1:-1] == 200).all()
    assert (pixels[0, :, 1:-1] == 0).all()
    assert pixels[2].min() > 180, "the filter may look at most half a target pixel over the edge"


def test_streams_are_read_and_named(tmp_path):
    stream = io.BytesIO(saved(tmp_path, photo(), "a.png").read_bytes())
    with open_picture(stream) as image:
        assert np.array_equal(SQUASH.pixels(image), expected(photo()))
    with pytest.raises(PictureError, match="the picture"):
        open_picture(io.BytesIO(b"nothing"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 7}, r"size=7.*8 \.\. 1024"),
        ({"size": 1025}, "1025"),
        ({"size": True}, "True"),
        ({"size": 64.0}, r"64\.0"),
        ({"fit": "stretch"}, "stretch.*squash, letterbox, crop"),
    ],
)
def test_specs_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        PixelSpec(**options)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_a_thousand_mutations_decode_or_are_refused(tmp_path):
    """Whatever bytes come: pixels or a PictureError, nothing else."""
    rng = np.random.default_rng(1)
    refused = 0
    for name in ("a.jpg", "a.png", "a.gif", "a.webp", "a.tif", "a.bmp"):
        good = np.frombuffer(saved(tmp_path, photo(), name).read_bytes(), np.uint8)
        for _ in range(170):
            bad = good.copy()
            bad[rng.integers(0, len(bad), 4)] = rng.integers(0, 256, 4)
            try:
                with open_picture(io.BytesIO(bad.tobytes())) as image:
                    assert SQUASH.pixels(image).shape == (3, 16, 16)
            except PictureError:
                refused += 1
    assert 100 < refused < 1000
