"""The pixel store: decoded once, the same for any number of workers, whole or not there at all."""

import json
import logging
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import fashion_lab
from fashion_lab.contracts.catalog import Catalog
from fashion_lab.data.decoding import decoded, threads_for
from fashion_lab.data.pixels import PixelStore, store_key
from fashion_lab.pictures import PictureError, PixelSpec

SPEC = PixelSpec(size=16, fit="letterbox")


class Toy(Catalog):
    """Noise pictures; counts how often each is opened, and refuses those in `bad`."""

    name = "toy"

    def __init__(self, count=300, bad=(), strict=False, delay=0.0):
        self.labels = np.zeros(count, np.int64)
        self.classes = ("noise",)
        self.splits = {"train": np.arange(count), "validation": np.arange(0)}
        self.bad, self.strict, self.delay = set(bad), strict, delay
        self.opened = []

    def open(self, position):
        self.opened.append(position)
        time.sleep(self.delay)
        if position in self.bad:
            raise PictureError(f"{position}.png: broken")
        rng = np.random.default_rng(position)
        return Image.fromarray(rng.integers(0, 256, (24, 24, 3), dtype=np.uint8))

    def item(self, position):
        return f"{position}.png"

    def stamp(self, position):
        return f"{position} {position in self.bad}"


def stores(cache):
    return sorted(path.name for path in (cache / "pixels").iterdir() if path.is_dir())


def test_every_picture_is_at_its_position(tmp_path):
    catalog = Toy()
    store = PixelStore.open(catalog, SPEC, cache=tmp_path)
    assert isinstance(store.pixels, np.memmap)
    assert store.pixels.shape == (300, 3, 16, 16)
    assert store.pixels.dtype == np.uint8
    assert not store.pixels.flags.writeable
    for position in (0, 1, 84, 85, 299):
        assert np.array_equal(store.pixels[position], SPEC.pixels(catalog.open(position)))
    assert store.readable.all()
    assert store.broken == {}


def test_drawn_pictures_get_one_thread_and_files_one_a_core(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 2}, raising=False)
    drawn, filed = Toy(), Toy()
    filed.path = lambda position: Path(f"{position}.png")
    assert (threads_for(drawn), threads_for(filed)) == (1, 3)


def test_workers_do_not_matter(tmp_path):
    one = PixelStore.open(Toy(bad=[3]), SPEC, cache=tmp_path / "1", workers=1)
    four = PixelStore.open(Toy(bad=[3]), SPEC, cache=tmp_path / "4", workers=4)
    assert (one.folder / "pixels.npy").read_bytes() == (four.folder / "pixels.npy").read_bytes()
    assert one.broken == four.broken
    assert one.folder.name == four.folder.name


def test_chunks_come_in_order_whatever_finishes_first(monkeypatch):
    monkeypatch.setattr("fashion_lab.data.decoding.CHUNK_BYTES", 3 * 16 * 16)
    catalog = Toy(count=23)
    slow_first = catalog.open
    monkeypatch.setattr(catalog, "open", lambda at: (time.sleep(0.03 * (at % 4 == 0)), slow_first(at))[1])
    chunks = [chunk.pixels for chunk in decoded(catalog, SPEC, 4)]
    assert [len(chunk) for chunk in chunks] == [1] * 23
    for position, chunk in enumerate(chunks):
        assert np.array_equal(chunk[0], SPEC.pixels(slow_first(position)))


def test_a_second_open_decodes_nothing(tmp_path):
    first = Toy(bad=[7])
    PixelStore.open(first, SPEC, cache=tmp_path)
    assert sorted(first.opened) == list(range(300))
    second = Toy(bad=[7])
    store = PixelStore.open(second, SPEC, cache=tmp_path)
    assert second.opened == []
    assert store.broken == {7: "7.png: broken"}


def test_size_fit_and_pictures_name_the_store_labels_do_not(tmp_path):
    keys = {
        store_key(Toy(), PixelSpec(size=size, fit=fit)) for size in (16, 17) for fit in ("crop", "squash")
    }
    keys.add(store_key(Toy(count=299), PixelSpec(size=16, fit="crop")))
    keys.add(store_key(Toy(bad=[1]), PixelSpec(size=16, fit="crop")))
    assert len(keys) == 6
    relabelled = Toy()
    relabelled.labels = relabelled.labels + 1
    assert store_key(relabelled, SPEC) == store_key(Toy(), SPEC)


def test_the_environment_names_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FASHION_LAB_CACHE", str(tmp_path / "c"))
    assert PixelStore.open(Toy(count=2), SPEC).folder.parent == tmp_path / "c" / "pixels"
    monkeypatch.delenv("FASHION_LAB_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert PixelStore.open(Toy(count=2), SPEC).folder.is_relative_to(tmp_path / "home" / ".cache")


def test_broken_pictures_are_listed_once_and_left_zero(tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    store = PixelStore.open(Toy(bad=range(10, 18)), SPEC, cache=tmp_path)
    assert np.flatnonzero(~store.readable).tolist() == list(range(10, 18))
    assert not store.pixels[10:18].any()
    assert store.pixels[[9, 18]].any()
    (record,) = caplog.records
    assert "8 of 300" in record.getMessage()
    assert "14.png: broken" in record.getMessage()
    assert "15.png" not in record.getMessage()
    assert "3 more" in record.getMessage()


def test_strict_fails_and_stores_nothing(tmp_path):
    with pytest.raises(ValueError, match=r"2 of 300[\s\S]*5\.png: broken"):
        PixelStore.open(Toy(bad=[5, 6], strict=True), SPEC, cache=tmp_path)
    assert stores(tmp_path) == []


def test_strict_fails_on_a_store_that_was_built_without_it(tmp_path):
    PixelStore.open(Toy(bad=[5]), SPEC, cache=tmp_path)
    with pytest.raises(ValueError, match="strict"):
        PixelStore.open(Toy(bad=[5], strict=True), SPEC, cache=tmp_path)


def test_more_than_half_broken_is_an_error(tmp_path):
    PixelStore.open(Toy(count=10, bad=range(5)), SPEC, cache=tmp_path)
    with pytest.raises(ValueError, match=r"6 of 10.*more than half"):
        PixelStore.open(Toy(count=10, bad=range(6)), SPEC, cache=tmp_path)


def test_nothing_to_store_and_wrong_workers(tmp_path):
    with pytest.raises(ValueError, match="no pictures"):
        PixelStore.open(Toy(count=0), SPEC, cache=tmp_path)
    with pytest.raises(ValueError, match="workers=0"):
        PixelStore.open(Toy(), SPEC, cache=tmp_path, workers=0)


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def other_shape(path):
    np.save(path, np.zeros((300, 3, 15, 16), np.uint8))


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("pixels.npy", cut),
        ("pixels.npy", other_shape),
        ("pixels.npy", lambda path: path.write_bytes(b"")),
        ("pixels.npy", lambda path: path.write_bytes(path.read_bytes() + b"x")),
        ("pixels.npy", lambda path: np.save(path, np.array([{}], dtype=object), allow_pickle=True)),
        ("pixels.npy", lambda path: path.unlink()),
        ("meta.json", lambda path: path.write_text("{")),
        ("meta.json", lambda path: path.write_text("[]")),
        ("meta.json", lambda path: path.write_text(json.dumps({"broken": {"300": "?"}}))),
        ("meta.json", lambda path: path.unlink()),
    ],
)
def test_a_damaged_store_is_built_again(tmp_path, name, damage):
    good = PixelStore.open(Toy(), SPEC, cache=tmp_path)
    content = (good.folder / "pixels.npy").read_bytes()
    del good
    (folder,) = (path for path in (tmp_path / "pixels").iterdir() if path.is_dir())
    damage(folder / name)
    again = Toy()
    PixelStore.open(again, SPEC, cache=tmp_path)
    assert len(again.opened) == 300
    assert (folder / "pixels.npy").read_bytes() == content


def test_a_full_disk_names_path_and_space_and_spares_other_stores(tmp_path):
    old = PixelStore.open(Toy(count=20), SPEC, cache=tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OSError, match=rf"cannot write {tmp_path}.*bytes free"):
            PixelStore.open(Toy(), SPEC, cache=tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert stores(tmp_path) == [old.folder.name]
    untouched = Toy(count=20)
    PixelStore.open(untouched, SPEC, cache=tmp_path)
    assert untouched.opened == []


def test_an_error_of_the_machine_is_no_broken_picture(tmp_path, monkeypatch):
    catalog = Toy()

    def fail(position):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(catalog, "open", fail)
    with pytest.raises(OSError, match="Too many open files"):
        PixelStore.open(catalog, SPEC, cache=tmp_path)
    assert stores(tmp_path) == []


def test_two_at_once_build_it_once(tmp_path):
    catalogs = [Toy(delay=0.001), Toy(delay=0.001)]
    results = {}

    def build(number):
        results[number] = PixelStore.open(catalogs[number], SPEC, cache=tmp_path)

    threads = [threading.Thread(target=build, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(len(catalog.opened) for catalog in catalogs) == [0, 300]
    assert np.array_equal(results[0].pixels, results[1].pixels)


CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, {here!r})
from test_pixels import SPEC, PixelStore, Toy
PixelStore.open(Toy(delay={delay}), SPEC, cache=Path({cache!r}), workers=1)
"""


def start(cache, delay):
    code = CHILD.format(here=str(Path(__file__).parent), cache=str(cache), delay=delay)
    path = str(Path(fashion_lab.__file__).parents[1])
    return subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path})


def test_kill_9_leaves_no_store_and_the_next_build_sweeps(tmp_path):
    child = start(tmp_path, delay=0.05)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("pixels/.*.building/pixels.npy")):
        assert child.poll() is None, "the child ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    (torn,) = stores(tmp_path)
    assert torn.endswith(".building")
    PixelStore.open(Toy(count=5), SPEC, cache=tmp_path)
    assert stores(tmp_path) == [store_key(Toy(count=5), SPEC)], "another store's build swept it"
    rebuilt = Toy()
    store = PixelStore.open(rebuilt, SPEC, cache=tmp_path)
    assert len(rebuilt.opened) == 300
    assert store.pixels[299].any()


def test_a_living_build_is_not_swept_by_another_process(tmp_path):
    child = start(tmp_path, delay=0.004)
    while not list(tmp_path.glob("pixels/.*.building")):
        assert child.poll() is None
        time.sleep(0.01)
    PixelStore.open(Toy(count=5), SPEC, cache=tmp_path)
    assert child.wait(timeout=60) == 0
    reader = Toy()
    PixelStore.open(reader, SPEC, cache=tmp_path)
    assert reader.opened == []


def test_quiet_without_a_terminal(tmp_path, capfd):
    PixelStore.open(Toy(), SPEC, cache=tmp_path)
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


def test_no_torch():
    code = (
        "import sys; import fashion_lab.data.pixels, fashion_lab.pictures; assert 'torch' not in sys.modules"
    )
    path = str(Path(fashion_lab.__file__).parents[1])
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": path})
