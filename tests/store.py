"""A small shop to serve: pictures of plain colours on the disk, found by their mean colour."""

import contextlib
import dataclasses
import hashlib
import io
import os
import threading
import time
from pathlib import Path

import httpx
import numpy as np
from colours import SIZE, MeanColour, greys
from PIL import Image
from starlette.testclient import TestClient

from fashion_lab.galleries import Item
from fashion_lab.pictures import open_picture
from fashion_lab.visual_search import VisualSearch
from fashion_lab.web import server
from fashion_lab.web.app import create
from fashion_lab.web.live import Live
from fashion_lab.web.settings import Batch, Settings, Upload

SHADES = (60, 100, 140, 180)
CLASSES = {"red": (1.0, 0.2, 0.2), "green": (0.2, 1.0, 0.2), "blue": (0.2, 0.2, 1.0)}
ODD = "blue/größe 1?#100% &<b>.png"  # an id with all that an address or a page could trip over


def colour(class_name, shade):
    return tuple(round(shade * share) for share in CLASSES[class_name])


def picture(rgb=(200, 30, 30), *, size=(60, 80), kind="JPEG", mode="RGB", **options):
    """A plain picture's bytes."""
    file = io.BytesIO()
    Image.new("RGB", size, rgb).convert(mode).save(file, kind, **options)
    return file.getvalue()


def stock(folder: Path) -> list[Item]:
    """Fill a folder with pictures and list them."""
    items = []
    for class_name in CLASSES:
        (folder / class_name).mkdir(parents=True, exist_ok=True)
        for number, shade in enumerate(SHADES):
            path = folder / class_name / f"{number}.png"
            data = picture(colour(class_name, shade), size=(300, 400), kind="PNG")
            path.write_bytes(data)
            name = ODD if (class_name, number) == ("blue", 3) else f"{class_name}/{number}.png"
            items.append(
                Item(
                    id=name,
                    class_name=class_name,
                    path=str(path),
                    sha256=hashlib.sha256(data).hexdigest(),
                    columns={"price": 10 * (number + 1)},
                )
            )
    return items


def gallery(items):
    pictures = np.stack([MeanColour.pixels.pixels(open_picture(Path(item.path))) for item in items])
    blank = greys(*range(len(items)), items=items)
    vectors_ND = MeanColour().embed(pictures)
    source = dataclasses.replace(blank.source, classes=list(CLASSES), catalog="shop")
    return dataclasses.replace(blank, vectors_ND=vectors_ND, pictures=pictures, source=source)


def finder(items, encoder=None, **options) -> VisualSearch:
    made = dataclasses.replace(gallery(items), **options)
    return VisualSearch(made, encoder or MeanColour())


def live(search: VisualSearch) -> Live:
    return Live(lambda before: search, lambda: search.gallery.state, every=60)


def settings(upload=None, batch=None, **options) -> Settings:
    return Settings(upload=Upload(**upload or {}), batch=Batch(**batch or {}), **options)


def client(search, **options) -> TestClient:
    """A client in this process; use it in a `with`."""
    app = create(live(search), settings(**options))
    return TestClient(app, base_url="http://localhost:8000", raise_server_exceptions=False)


@contextlib.contextmanager
def served(watched: Live, **options):
    """A real server on loopback in a thread: its address."""
    with server.bound("127.0.0.1", 0, public=False) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        running = server.prepared(watched, settings(**options), listener)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            wait_for(lambda: running.started)
            yield address
        finally:
            running.should_exit = True
            thread.join(20)
    assert not thread.is_alive()


def wait_for(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)


def found(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    return [hit["id"] for hit in response.json()["hits"]]


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*")}


def resident() -> float:
    """Megabytes of this process, in which the server runs."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def environment(home: Path) -> dict[str, str]:
    """Variables of a process that works in `home`."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "FASHION_LAB_CACHE": str(home / "cache")}


__all__ = ["SIZE", "MeanColour"]
