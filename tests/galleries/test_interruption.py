"""Kills at every step, full disks, two writers: what answers meanwhile, and what continues afterwards."""

import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from shops import Colours, Shop, content, copy, photo, plant

from fashion_lab import indexing
from fashion_lab.galleries import Gallery, IndexFolderError, state
from fashion_lab.galleries.embedding import embed_shard
from fashion_lab.galleries.folder import only_writer

PATHS = [f"hat/{number}.png" for number in range(10)]
WRITES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link"}
pytestmark = pytest.mark.forks
FORK = multiprocessing.get_context("fork")


@pytest.fixture
def shop(tmp_path):
    """Ten pictures in shards of three; one of them is broken."""
    shop = Shop(tmp_path, *PATHS, rows=3)
    (shop.root / "hat/4.png").write_bytes(b"no")
    return shop


def killed(work, step: int, folder: Path) -> bool:
    """Do work in another process that is killed before its `step`-th change to a folder; False: it ended."""

    def child():
        left = [step]

        def watch(event, arguments):
            writes = event in WRITES or (event == "open" and str(arguments[1]).startswith(("w", "x", "r+")))
            in_tree = event in ("os.remove", "os.rmdir") and arguments[1] != -1  # of rmtree: relative names
            if writes and (in_tree or str(arguments[0]).startswith(str(folder))):
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(watch)
        work()
        os._exit(0)

    process = FORK.Process(target=child)
    process.start()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def kill_with_shards(shop, count: int) -> None:
    """Kill a build after its `count`-th shard is done."""
    step = 0
    while len(list(shop.index.glob("shard-*"))) != count:
        step += 1
        shutil.rmtree(shop.index, ignore_errors=True)
        assert killed(lambda: shop.build(), step, shop.index)


def uninterrupted(shop, change, plan: bytes, start: Path | None = None) -> dict[str, bytes]:
    """What the change leaves in another folder where nobody kills it, begun at the same time."""
    folder = shop.index.with_name("other")
    shutil.rmtree(folder, ignore_errors=True)
    if start is None:
        folder.mkdir()
    else:
        copy(start, folder)
    (folder / "plan.json").write_bytes(plan)
    change(folder=folder)
    return content(folder)


def test_a_build_killed_anywhere_continues_with_equal_bytes(shop):
    step = 0
    while True:
        step += 1
        shutil.rmtree(shop.index, ignore_errors=True)
        if not killed(lambda: shop.build(), step, shop.index):
            break
        in_force = (shop.index / "manifest.json").exists()
        plan = shop.index / "plan.json"
        noted = plan.read_bytes() if plan.exists() else None
        finished = {path.name: path.stat().st_ino for path in shop.index.glob("shard-*")}
        if in_force:
            assert len(Gallery.load(shop.index)) == 9
        elif shop.index.exists():
            with pytest.raises(IndexFolderError, match="no index"):
                Gallery.load(shop.index)
        shop.encoder.embedded = 0
        shop.build()
        embedded = shop.encoder.embedded
        if noted is not None and not in_force:
            assert content(shop.index) == uninterrupted(shop, shop.build, noted)
            assert all((shop.index / name).stat().st_ino == inode for name, inode in finished.items())
            assert embedded <= max(0, 10 - 3 * len(finished))
    assert step > 30


def test_a_sync_killed_anywhere_leaves_the_old_or_the_new(shop, tmp_path):
    shop.build()
    start = copy(shop.index, tmp_path / "start")
    (shop.root / "hat/0.png").unlink()
    (shop.root / "hat/1.png").write_bytes(photo(999))
    plant(shop.root, *[f"new/{number}.png" for number in range(5)])
    shop.touch("hat/8.png")
    old = Gallery.load(shop.index)
    step = seen_old = seen_new = 0
    while True:
        step += 1
        shutil.rmtree(shop.index)
        copy(start, shop.index)
        if not killed(lambda: shop.sync(), step, shop.index):
            break
        found = Gallery.load(shop.index)
        is_old = found.state == old.state
        seen_old, seen_new = seen_old + is_old, seen_new + (not is_old)
        assert len(found) == (9 if is_old else 13)
        plan = shop.index / "plan.json"
        noted = plan.read_bytes() if plan.exists() else None
        shop.sync()
        assert len(Gallery.load(shop.index)) == 13
        assert not shop.sync().changed
        if is_old and noted is not None:
            assert content(shop.index) == uninterrupted(shop, shop.sync, noted, start)
    assert seen_old > 20
    assert seen_new > 3, "kills while it swept"


def test_shards_made_in_any_order_are_the_same_index(shop):
    """As several workers make them: the last is there, the first is not."""
    shop.build()
    whole = content(shop.index)
    plan = b""

    def backwards(catalog, parts, model, folder):
        nonlocal plan
        encoder = model.load()
        plan = (folder / "plan.json").read_bytes()
        embed_shard(catalog, parts[-1], encoder, folder)
        embed_shard(catalog, parts[1], encoder, folder)
        raise KeyboardInterrupt

    shutil.rmtree(shop.index)
    with pytest.raises(KeyboardInterrupt):
        shop.build(embed=backwards)
    shop.encoder.embedded = 0
    shop.build()
    assert shop.encoder.embedded == 6
    assert len(whole) == len(content(shop.index))
    assert content(shop.index) == uninterrupted(shop, shop.build, plan)


def test_a_damaged_leftover_is_made_again(shop):
    kill_with_shards(shop, 2)
    shards = sorted(shop.index.glob("shard-*"))
    (shards[0] / "vectors.safetensors").write_bytes(b"")
    (shards[1] / "shard.json").unlink()
    plan = (shop.index / "plan.json").read_bytes()
    shop.build()
    assert content(shop.index) == uninterrupted(shop, shop.build, plan)


def test_a_catalog_that_changed_meanwhile_uses_what_is_left(shop):
    """Shards that are done are kept as far as their pictures are as they were."""
    kill_with_shards(shop, 2)
    (shop.root / "hat/0.png").unlink()
    (shop.root / "hat/1.png").write_bytes(photo(999))
    plant(shop.root, "a.png")
    shop.encoder.embedded = 0
    gallery = shop.build().gallery
    assert shop.encoder.embedded == 9 - 3, "of hat/0 .. hat/5, hat/2, hat/3 and hat/5 are as they were"
    assert sorted(item.id for item in gallery.items) == sorted(
        ["a.png", *(path for path in PATHS if path not in ("hat/0.png", "hat/4.png"))]
    )
    assert [one.id for one in gallery.left_out] == ["hat/4.png"]
    pixels = np.stack([gallery.pictures[place] for place in range(len(gallery))])
    assert np.array_equal(Colours().embed(pixels), gallery.vectors_ND)
    assert not shop.sync().changed


def test_killed_again_after_a_change_it_still_ends_well(shop):
    step = 10
    while killed(lambda: shop.build(), step, shop.index):
        step += 7
        plant(shop.root, f"more/{step}.png")
    gallery = Gallery.load(shop.index)
    assert {item.id for item in gallery.items} | {"hat/4.png"} == set(shop.catalog().names)


def test_another_encoders_leftovers_are_not_used(shop):
    kill_with_shards(shop, 2)
    shop.encoder = Colours("e" * 64)
    shop.build()
    assert shop.encoder.embedded == 9


def test_two_writers_at_once(shop):
    """The second is told before anything is loaded or embedded."""
    shop.build()
    before = state(shop.index)
    plant(shop.root, "new.png")
    embedder = indexing.Embedder(run="run", load=lambda run: pytest.fail("it has begun to load"))
    changes = [
        lambda: indexing.remove(shop.job(), ["hat/0.png"]),
        *(
            partial(change, shop.job(), shop.catalog(), "all", embedder)
            for change in (indexing.build, indexing.add, indexing.sync)
        ),
    ]
    with only_writer(shop.index):
        for change in changes:
            with pytest.raises(IndexFolderError, match=r"another process writes .*: wait for it") as caught:
                change()
            assert "\n" not in str(caught.value)
    assert state(shop.index) == before


FULL = """
import resource, sys
sys.path[:0] = sys.argv[1:2]
from pathlib import Path
from shops import Shop
shop = Shop(Path(sys.argv[2]), rows=3)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
shop.sync()
"""


@pytest.mark.parametrize("room", [0, 200, 1000, 2500])
def test_a_full_disk_keeps_the_old_index(shop, tmp_path, room):
    """No file may be longer than `room` bytes: the plan, a shard's items, its pictures, the manifest."""
    shop.build()
    before = content(shop.index)
    plant(shop.root, *[f"new/{number}.png" for number in range(5)])
    here = str(Path(__file__).parent.parent)
    done = subprocess.run(
        [sys.executable, "-c", FULL, here, str(tmp_path), str(room)], capture_output=True, text=True
    )
    assert done.returncode == 1, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert "cannot write an index at" in last
    assert "File too large" in last
    assert not list(shop.index.glob("tmp-*"))
    assert {name: content(shop.index)[name] for name in before} == before
    assert len(Gallery.load(shop.index)) == 9
    assert shop.sync().added == 5
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_ctrl_c_leaves_what_is_done(shop):
    def interrupted(catalog, parts, model, folder):
        encoder = model.load()
        embed_shard(catalog, parts[0], encoder, folder)

        def stop(pixels):
            raise KeyboardInterrupt

        encoder.embed = stop
        embed_shard(catalog, parts[1], encoder, folder)

    with pytest.raises(KeyboardInterrupt):
        shop.build(embed=interrupted)
    assert len(list(shop.index.glob("shard-*"))) == 1
    assert not list(shop.index.glob("tmp-*"))
    shop.encoder = Colours()
    shop.build()
    assert shop.encoder.embedded == 6


def test_an_engine_that_fails_changes_nothing(shop):
    shop.build()
    before = state(shop.index)
    plant(shop.root, "new.png")

    class Broken(type(shop.job().engine.index)):
        def build(self, vectors_ND, ids_N=None):
            raise ValueError("this engine needs a server")

    job = shop.job()
    choice = type(job.engine)(index=Broken(), options={"engine": "broken"})
    with pytest.raises(ValueError, match="needs a server"):
        indexing.sync(shop.job(engine=choice), shop.catalog(), "all", shop.embedder())
    assert state(shop.index) == before
    assert len(Gallery.load(shop.index)) == 9
