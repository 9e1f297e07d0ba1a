"""Pictures that clients send, odd, broken and hostile ones: faults D1 to D8."""

import io
import json
import random
import zlib

import numpy as np
import pytest
import store
from PIL import Image


def ask(client, data: bytes, **fields):
    return client.post("/api/embed", files={"picture": data}, data=fields)


def test_d1_cut_off_and_flipped_pictures(client):
    """D1: never a crash; cut off is refused."""
    draw, noise = random.Random(0), np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    whole = io.BytesIO()
    Image.fromarray(noise).save(whole, "JPEG")
    data = whole.getvalue()
    for _ in range(100):
        assert ask(client, data[: draw.randrange(1, len(data) - 2)]).status_code == 400
        flipped = bytearray(data)
        flipped[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        assert ask(client, bytes(flipped)).status_code in (200, 400)


def bomb(side: int) -> bytes:
    """A black 1-bit PNG of side x side pixels in a few kB."""

    def chunk(kind, data):
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    packer = zlib.compressobj(9)
    row = b"\0" * (side // 8 + 1)
    pixels = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    head = side.to_bytes(4, "big") * 2 + b"\1\0\0\0\0"
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [5000, 9400, 13000, 20000])
def test_d2_a_bomb_is_refused_by_its_size(client, side):
    """D2: before anything is decoded."""
    before = store.resident()
    response = ask(client, bomb(side))
    assert response.status_code == 400
    assert "pixels" in response.json()["error"]
    assert store.resident() < before + 30


def test_d3_a_turned_picture_is_upright(client):
    """D3: all eight orientations of EXIF give one vector."""
    plain = Image.new("RGB", (40, 60), (200, 20, 20))
    plain.paste((20, 20, 200), (0, 0, 20, 30))
    turn = Image.Transpose
    turns = {
        1: None, 2: turn.FLIP_LEFT_RIGHT, 3: turn.ROTATE_180, 4: turn.FLIP_TOP_BOTTOM,
        5: turn.TRANSPOSE, 6: turn.ROTATE_90, 7: turn.TRANSVERSE, 8: turn.ROTATE_270,
    }  # fmt: skip
    seen = set()
    for orientation, turned in turns.items():
        exif, file = Image.Exif(), io.BytesIO()
        exif[0x0112] = orientation
        (plain if turned is None else plain.transpose(turned)).save(file, "PNG", exif=exif)
        seen.add(tuple(ask(client, file.getvalue()).json()["embedding"]))
        page = client.post("/", files={"picture": file.getvalue()}).text
        assert page.count("data:image/jpeg") == 1
    assert len(seen) == 1


def test_d4_sixteen_bits_are_scaled(client):
    """D4: a ramp stays a ramp."""
    ramp = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    file = io.BytesIO()
    Image.fromarray(ramp).save(file, "PNG")
    assert ask(client, file.getvalue()).json()["embedding"] == pytest.approx([127.5] * 3, abs=2)


def test_d5_transparent_is_white(client):
    """D5."""
    for mode, value in (("RGBA", (0, 0, 0, 0)), ("LA", (0, 0))):
        file = io.BytesIO()
        Image.new(mode, (20, 20), value).save(file, "PNG")
        assert ask(client, file.getvalue()).json()["embedding"] == [255] * 3


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("JPEG", "CMYK"),
        ("JPEG", "L"),
        ("PNG", "P"),
        ("PNG", "1"),
        ("PNG", "L"),
        ("PNG", "RGBA"),
        ("WEBP", "RGB"),
    ],
)
def test_d6_every_mode(client, kind, mode):
    """D6."""
    assert ask(client, store.picture((250, 250, 250), kind=kind, mode=mode)).status_code == 200


def test_d6_of_many_frames_the_first_counts(client):
    """D6."""
    file = io.BytesIO()
    frames = [Image.new("RGB", (20, 20), (shade,) * 3) for shade in (0, 255)]
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    assert max(ask(client, file.getvalue()).json()["embedding"]) < 5


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (80, 80)])
def test_d7_little_to_see_is_answered_and_said(client, size):
    """D7."""
    data = store.picture(size=size)
    assert ask(client, data).json()["low_information"] is True
    assert client.post("/api/search", files={"picture": data}).json()["low_information"] is True
    assert "There is little to see" in client.post("/", files={"picture": data}).text


def test_d7_a_real_picture_is_not_called_so(client):
    noise, file = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8), io.BytesIO()
    Image.fromarray(noise).resize((320, 320), Image.Resampling.NEAREST).save(file, "JPEG")
    assert ask(client, file.getvalue()).json()["low_information"] is False


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html><script>alert(1)</script></html>",
        SVG,
        store.picture(kind="GIF"),
        store.picture(kind="TIFF"),
        store.picture(kind="BMP"),
        b"%PDF-1.4",
        b"\0" * 1000,
    ],
)
def test_d8_only_pictures_whatever_they_are_called(client, data):
    """D8: by content; the name says .jpg."""
    response = client.post("/api/search", files={"picture": ("x.jpg", data, "image/jpeg")})
    assert response.status_code == 400
    assert "alert" not in json.dumps(response.json())
    page = client.post("/", files={"picture": ("x.jpg", data)}, headers={"accept": "text/html"})
    assert page.status_code == 400
    assert "alert(1)" not in page.text
    assert "That did not work" in page.text
