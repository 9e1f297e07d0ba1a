"""Pictures of items: faults W4, W7, I5."""

import io
import os
from pathlib import Path
from urllib.parse import quote

import pytest
import store
from PIL import Image, PngImagePlugin

SECRET = b"\x89 a secret that is no picture"


def colour_of(response):
    assert response.headers["content-type"] == "image/jpeg"
    image = Image.open(io.BytesIO(response.content))
    return image.size, image.getpixel((0, 0))


def near(colour, other):
    return max(abs(a - b) for a, b in zip(colour, other, strict=True)) < 6


def test_sizes_and_caching(client):
    for size, expected in ((160, (120, 160)), (320, (240, 320)), (640, (300, 400)), (1024, (300, 400))):
        response = client.get(f"/api/pictures/red/3.png?size={size}")
        shape, colour = colour_of(response)
        assert shape == expected
        assert near(colour, store.colour("red", 180))
        again = client.get(
            f"/api/pictures/red/3.png?size={size}", headers={"if-none-match": response.headers["etag"]}
        )
        assert (again.status_code, again.content) == (304, b"")
    assert client.get("/api/pictures/red/3.png?size=161").status_code == 400
    assert "max-age" in response.headers["cache-control"]


@pytest.mark.parametrize(
    "name",
    [
        "../conf/serve.yaml", "..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd", "/etc/passwd",
        "//etc/passwd", "-1", "0", "99999999999999999999", "red", "red/", "red/9.png", "RED/0.PNG",
        "red/0.png%00", "red/0.png/..", "%00", "x" * 5000, "{item_id}", "..", ".", "%ff%fe",
    ],
)  # fmt: skip
def test_w4_only_ids_of_the_index_are_found(client, items, name):
    """W4: an id is looked up, never a path."""
    for kind in ("items", "pictures"):
        response = client.get(f"/api/{kind}/{name}")
        assert response.status_code == 404, response.text[:100]
        assert "root:" not in response.text
    absolute = quote(items[0].path)
    assert client.get(f"/api/pictures/{absolute}").status_code == 404


def stored(response):
    """The index' own small picture, said to be stale."""
    shape, colour = colour_of(response)
    assert shape == (store.SIZE, store.SIZE)
    assert near(colour, store.colour("red", 60))
    assert response.headers["x-stale"] == "true"
    assert response.headers["cache-control"] == "no-cache"
    return True


def gone(path: Path) -> None:
    path.unlink()


def another_picture(path: Path) -> None:
    path.write_bytes(store.picture((1, 2, 250), size=(300, 400), kind="PNG"))


def secret(path: Path) -> None:
    path.write_bytes(SECRET)


def link_to_a_secret(path: Path) -> None:
    (path.parent.parent / "secret").write_bytes(SECRET)
    path.unlink()
    path.symlink_to(path.parent.parent / "secret")


def link_to_another_picture(path: Path) -> None:
    other = path.parent.parent / "blue" / "0.png"
    path.unlink()
    path.symlink_to(other)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def a_device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def unreadable(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def same_size_and_time(path: Path) -> None:
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


CHANGES = [
    gone, another_picture, secret, link_to_a_secret, link_to_another_picture, a_folder, a_pipe, a_device,
    unreadable, same_size_and_time,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("seen_before", [False, True])
def test_i5_a_file_that_is_not_what_was_indexed_is_never_served(client, items, change, seen_before):
    """I5: what the index stored is shown in its place, and hits say that it is stale."""
    if seen_before:
        assert colour_of(client.get("/api/pictures/red/0.png"))[0] == (300, 400)
        assert client.get("/api/items/red/0.png").json()["stale"] is False
    change(Path(items[0].path))
    assert stored(client.get("/api/pictures/red/0.png"))
    assert client.get("/api/items/red/0.png").json()["stale"] is True
    hits = client.post("/api/search", json={"item": "red/1.png", "k": 12, "fold": False}).json()["hits"]
    assert {hit["id"]: hit["stale"] for hit in hits}["red/0.png"] is True
    assert sum(hit["stale"] for hit in hits) == 1
    assert "its file has changed" in client.get("/?item=red/1.png&k=12").text


def test_i5_a_file_that_comes_back_is_shown_again(client, items):
    path = Path(items[0].path)
    data = path.read_bytes()
    path.unlink()
    assert stored(client.get("/api/pictures/red/0.png"))
    path.write_bytes(data)
    assert colour_of(client.get("/api/pictures/red/0.png"))[0] == (300, 400)


def test_an_item_without_a_file_is_shown_as_stored_and_not_stale(items):
    import dataclasses

    gallery = store.gallery(items)
    bare = tuple(dataclasses.replace(item, path=None, sha256=None) for item in items)
    search = store.VisualSearch(dataclasses.replace(gallery, items=bare), store.MeanColour())
    with store.client(search) as client:
        response = client.get("/api/pictures/red/0.png")
        assert colour_of(response)[0] == (store.SIZE, store.SIZE)
        assert "x-stale" not in response.headers
        assert client.get("/api/items/red/0.png").json()["stale"] is False


def marked(kind):
    """A picture whose metadata hold a mark."""
    exif, text = Image.Exif(), PngImagePlugin.PngInfo()
    exif[0x010E] = "CANARY-MARK"  # description
    exif.get_ifd(0x8825)[1] = "CANARY-N"  # GPS
    text.add_text("Comment", "CANARY-MARK <script>alert(1)</script>")
    options = {"pnginfo": text} if kind == "PNG" else {"comment": b"CANARY-MARK"} if kind == "JPEG" else {}
    return store.picture(store.colour("red", 60), kind=kind, exif=exif, **options) + b"CANARY-TAIL <script>"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_w7_metadata_of_uploads_are_neither_echoed_nor_kept(client, tmp_path, kind):
    """W7: what is shown of a visitor's picture is encoded anew."""
    import base64
    import re

    data = marked(kind)
    assert data.count(b"CANARY") > 1
    before = store.listing(tmp_path)
    page = client.post("/", files={"picture": data}).text
    encoded = re.findall(r'(?:base64,|name="(?:seen|shown)" value=")([A-Za-z0-9+/=]{40,})', page)
    assert len(encoded) >= 3
    assert all(b"CANARY" not in base64.b64decode(one) for one in encoded)
    assert "CANARY" not in page + client.post("/api/search", files={"picture": data}).text
    assert store.listing(tmp_path) == before


def test_w7_metadata_of_the_catalog_stay_here(tmp_path):
    """W7: photographs carry where they were taken."""
    import dataclasses
    import hashlib

    items = store.stock(tmp_path / "shop")
    for number, kind in enumerate(("JPEG", "PNG")):
        data = marked(kind)
        Path(items[number].path).write_bytes(data)
        items[number] = dataclasses.replace(items[number], sha256=hashlib.sha256(data).hexdigest())
    with store.client(store.finder(items)) as client:
        for number in range(2):
            response = client.get(f"/api/pictures/red/{number}.png")
            assert colour_of(response)[0] == (60, 80)
            assert b"CANARY" not in response.content
            assert not Image.open(io.BytesIO(response.content)).getexif()
