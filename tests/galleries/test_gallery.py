"""The index folder: what comes back, what is refused, and what a kill at any moment leaves behind."""

import dataclasses
import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from fashion_lab.galleries import Gallery, IndexFolderError, Item, Source, shards, state
from fashion_lab.galleries.contents import LeftOut
from fashion_lab.galleries.folder import only_writer


def gallery(n=12, d=8, size=16, seed=0) -> Gallery:
    draw = np.random.default_rng(seed)
    items = tuple(
        Item(
            key=2 * i,
            id=f"train/{i}",
            class_name=("hat", "skirt", None)[i % 3],
            path=None if i % 3 else f"/p/ü {i}.jpg",
            group=i,
            columns={"price": i / 4} if i % 2 else {},
        )
        for i in range(n)
    )
    source = Source(
        run="outputs/siamese/x",
        fingerprint=f"{seed:064x}",
        size=size,
        fit="squash",
        classes=["hat", "skirt"],
        catalog="toy",
        catalog_fingerprint="c" * 64,
        split="train",
    )
    vectors = draw.normal(size=(n, d)).astype(np.float32)
    pictures = draw.integers(0, 256, (n, 3, size, size), dtype=np.uint8)
    left_out = (LeftOut("train/99", "cut off"),)
    return Gallery(items=items, vectors_ND=vectors, pictures=pictures, source=source, left_out=left_out)


def same(one: Gallery, other: Gallery) -> bool:
    return (
        one.items == other.items
        and one.source == other.source
        and np.array_equal(one.vectors_ND, other.vectors_ND)
        and np.array_equal(one.pictures[:], other.pictures[:])
    )


def data_of(folder: Path) -> Path:
    return folder / json.loads((folder / "manifest.json").read_text())["shards"][0]["name"]


@pytest.mark.parametrize("n", [0, 1, 12])
def test_comes_back_as_it_was(tmp_path, n):
    written = gallery(n)
    written.write(tmp_path / "a" / "index")
    assert same(Gallery.load(tmp_path / "a" / "index"), written)


def test_names_that_are_not_utf8_come_back(tmp_path):
    item = Item(key=0, id="odd", class_name="hat", path=os.fsdecode(b"/p/\xff\n.jpg"))
    written = gallery(1)
    written = dataclasses.replace(written, items=(item,))
    written.write(tmp_path / "index")
    assert Gallery.load(tmp_path / "index").items == (item,)


def test_the_manifest_tells_people_what_it_is(tmp_path):
    gallery().write(tmp_path / "index")
    manifest = json.loads((tmp_path / "index" / "manifest.json").read_text())
    assert (manifest["count"], manifest["dim"], manifest["distance"]) == (12, 8, "euclidean")
    (shard,) = manifest["shards"]
    assert set(shard["files"]) == {"vectors.safetensors", "items.jsonl", "pictures.npy", "shard.json"}
    assert all(len(file["sha256"]) == 64 for file in shard["files"].values())
    assert manifest["left_out"][0]["id"] == "train/99"
    assert manifest["source"]["run"] == "outputs/siamese/x"
    assert (
        json.loads((data_of(tmp_path / "index") / "items.jsonl").read_text().splitlines()[1])["class"]
        == "skirt"
    )


def test_a_new_index_replaces_the_old_and_sweeps(tmp_path):
    folder = tmp_path / "index"
    gallery(5).write(folder)
    opened = Gallery.load(folder)
    for leftover in ("data", "shard", "engine", "tmp"):
        (folder / f"{leftover}-0123456789ab").mkdir()
    (folder / "manifest.json.tmp").write_text("half")
    gallery(7, seed=1).write(folder)
    assert len(Gallery.load(folder)) == 7
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [".lock", "manifest.json", data_of(folder).name]
    )
    assert same(opened, gallery(5))  # an index that is open stays whole


def test_a_failed_write_leaves_the_old_one(tmp_path, monkeypatch):
    folder = tmp_path / "index"
    gallery(5).write(folder)
    monkeypatch.setattr(shards, "flush", lambda path: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(IndexFolderError, match=r"cannot write .* No space left"):
        gallery(7, seed=1).write(folder)
    assert len(Gallery.load(folder)) == 5
    assert len(list(folder.glob("shard-*"))) == 1
    assert not list(folder.glob("tmp-*"))


ENGINE = {
    "name": "toy",
    "options": {},
    "recall": 1.0,
    "k": 10,
    "folder": "engine-0123456789ab",
    "files": {"graph": {"bytes": 3, "sha256": "0" * 64}},
}
FAULTS = {
    "no manifest": lambda f: (f / "manifest.json").unlink(),
    "empty manifest": lambda f: (f / "manifest.json").write_text(""),
    "cut manifest": lambda f: (f / "manifest.json").write_text((f / "manifest.json").read_text()[:200]),
    "manifest is a list": lambda f: (f / "manifest.json").write_text("[]"),
    "manifest of something else": lambda f: (f / "manifest.json").write_text('{"format": "x"}'),
    "manifest without source": lambda f: edit(f, lambda m: m.pop("source")),
    "manifest with another source": lambda f: edit(f, lambda m: m["source"].pop("fit")),
    "manifest leads elsewhere": lambda f: edit(
        f, lambda m: m["shards"][0].update(name="../shard-0123456789ab")
    ),
    "manifest names a path": lambda f: edit(f, lambda m: m["shards"][0]["files"].update({"../../x": {}})),
    "manifest of a later release": lambda f: edit(f, lambda m: m.update(format_version=99)),
    "manifest with a wrong count": lambda f: edit(f, lambda m: m.update(count=3)),
    "manifest with fewer rows": lambda f: edit(
        f, lambda m: (m["shards"][0].update(rows=11), m.update(count=11))
    ),
    "manifest removes a row that is not there": lambda f: edit(
        f, lambda m: m["shards"][0].update(removed=[12])
    ),
    "manifest with an engine that is not there": lambda f: edit(f, lambda m: m.update(engine=ENGINE)),
    "manifest nests deep": lambda f: (f / "manifest.json").write_text("[" * 100_000),
    "no data": lambda f: shutil.rmtree(data_of(f)),
    "no vectors": lambda f: (data_of(f) / "vectors.safetensors").unlink(),
    "cut vectors": lambda f: cut(data_of(f) / "vectors.safetensors"),
    "flipped vectors": lambda f: flip(data_of(f) / "vectors.safetensors"),
    "cut items": lambda f: cut(data_of(f) / "items.jsonl"),
    "flipped items": lambda f: flip(data_of(f) / "items.jsonl"),
    "no items": lambda f: (data_of(f) / "items.jsonl").unlink(),
    "cut facts": lambda f: cut(data_of(f) / "shard.json"),
    "no pictures": lambda f: (data_of(f) / "pictures.npy").unlink(),
    "cut pictures": lambda f: cut(data_of(f) / "pictures.npy"),
}


def edit(folder, change):
    manifest = json.loads((folder / "manifest.json").read_text())
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def vouch_for(folder, path):
    """Write a manifest as an enemy would: it vouches for what is there."""
    content = path.read_bytes()
    facts = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    edit(folder, lambda m: m["shards"][0]["files"].update({path.name: facts}))


def cut(path):
    path.write_bytes(path.read_bytes()[:-40])


def flip(path):
    content = bytearray(path.read_bytes())
    content[-30] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_damaged_is_refused_in_one_line(tmp_path, fault):
    folder = tmp_path / "index"
    gallery().write(folder)
    FAULTS[fault](folder)
    with pytest.raises(IndexFolderError) as caught:
        Gallery.load(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)
    gallery().write(folder)  # and can be made again
    assert same(Gallery.load(folder), gallery())


def test_files_of_two_indexes_do_not_mix(tmp_path):
    for seed in (0, 1):
        gallery(12 + seed, seed=seed).write(tmp_path / str(seed))
    for name in ("vectors.safetensors", "items.jsonl", "shard.json"):
        kept = (data_of(tmp_path / "0") / name).read_bytes()
        shutil.copy(data_of(tmp_path / "1") / name, data_of(tmp_path / "0"))
        with pytest.raises(IndexFolderError, match=rf"{name} is not what was written"):
            Gallery.load(tmp_path / "0")
        (data_of(tmp_path / "0") / name).write_bytes(kept)
    assert same(Gallery.load(tmp_path / "0"), gallery(seed=0))


def test_a_pickle_is_never_loaded(tmp_path):
    gallery().write(tmp_path / "index")
    path = data_of(tmp_path / "index") / "pictures.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    vouch_for(tmp_path / "index", path)
    with pytest.raises(IndexFolderError, match="Python objects"):
        Gallery.load(tmp_path / "index")


def test_no_index_there(tmp_path):
    with pytest.raises(IndexFolderError, match=r"make one: python -m fashion_lab\.index"):
        Gallery.load(tmp_path / "nowhere")
    with pytest.raises(IndexFolderError, match="no manifest"):
        Gallery.load(tmp_path)


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    (tmp_path / "photo.jpg").write_text("mine")
    with pytest.raises(IndexFolderError, match=r"photo\.jpg"):
        gallery().write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["photo.jpg"]
    (tmp_path / "file").write_text("")
    with pytest.raises(IndexFolderError, match="cannot write"):
        gallery().write(tmp_path / "file" / "index")


def test_two_writers_at_once(tmp_path):
    with (
        only_writer(tmp_path / "index"),
        pytest.raises(IndexFolderError, match="another process writes"),
    ):
        gallery().write(tmp_path / "index")


def test_parts_that_do_not_fit_are_refused():
    whole = gallery()
    vectors = whole.vectors_ND.copy()
    vectors[3, 0] = np.nan
    for change, message in (
        ({"vectors_ND": whole.vectors_ND[:-1]}, "12 items with vectors"),
        ({"vectors_ND": whole.vectors_ND.astype(np.float64)}, "float64"),
        ({"pictures": whole.pictures[:-1]}, "12 items with pictures"),
        ({"items": whole.items[:-1] + whole.items[:1]}, "same id"),
        ({"items": whole.items[::-1]}, "keys of the items do not ascend"),
        ({"vectors_ND": vectors}, "1 of 12 vectors hold NaN .* train/3"),
    ):
        with pytest.raises(ValueError, match=message):
            dataclasses.replace(whole, **change)


def write_for_ever(folder):
    galleries = [gallery(400, d=64, seed=seed) for seed in (1, 2)]
    while True:
        for one in galleries:
            one.write(folder)


@pytest.mark.forks
def test_kill_at_any_moment_leaves_a_whole_index(tmp_path):
    """A writer is killed 12 times; a reader finds one of the states each time, and nothing piles up."""
    folder = tmp_path / "index"
    gallery(400, d=64, seed=1).write(folder)
    context = multiprocessing.get_context("fork")
    for attempt in range(12):
        writer = context.Process(target=write_for_ever, args=(folder,))
        writer.start()
        time.sleep(0.02 + 0.013 * attempt)
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        found = Gallery.load(folder)
        assert any(same(found, gallery(400, d=64, seed=seed)) for seed in (1, 2))
        assert len(list(folder.glob("shard-*"))) <= 3  # in force, written, half removed
    gallery(3).write(folder)
    assert len(list(folder.iterdir())) == 3


def write_in_turns(folder, times, gate):
    for number in range(times):
        gate.wait()
        gallery(40 + number % 2, d=64, seed=number % 2).write(folder)


@pytest.mark.forks
def test_200_readers_during_20_publishes_never_see_a_mix(tmp_path):
    """Each publish waits until the reader is about to read: they meet 20 times, however fast they are."""
    folder = tmp_path / "index"
    gallery(40, d=64, seed=0).write(folder)
    expected = {f"{seed:064x}": gallery(40 + seed, d=64, seed=seed) for seed in (0, 1)}
    context = multiprocessing.get_context("fork")
    gate = context.Barrier(2)
    writer = context.Process(target=write_in_turns, args=(folder, 20, gate))
    writer.start()
    seen = set()
    try:
        for number in range(200):
            if number % 10 == 0:
                gate.wait(60)
            found = Gallery.load(folder)
            assert same(found, expected[found.source.fingerprint])
            seen.add(found.state)
    finally:
        writer.join(60)
        writer.kill()
    assert writer.exitcode == 0
    assert len(seen) >= 2
    assert Gallery.load(folder).state == state(folder)


def test_the_state_changes_with_the_index_and_with_nothing_else(tmp_path):
    folder = tmp_path / "index"
    with pytest.raises(IndexFolderError, match="no such folder"):
        state(folder)
    gallery().write(folder)
    first = state(folder)
    (folder / "tmp-0123456789ab").mkdir()
    assert state(folder) == first == Gallery.load(folder).state
    gallery(seed=1).write(folder)
    assert state(folder) != first


HOSTILE = {
    "pictures of objects": (
        "pictures.npy",
        lambda p: np.save(p, np.array([{}], dtype=object), allow_pickle=True),
    ),
    "more pictures than there are bytes": ("pictures.npy", lambda p: header(p, "(1099511627776, 3, 16, 16)")),
    "pictures less than none": ("pictures.npy", lambda p: header(p, "(-12, 3, 16, 16)")),
    "a header that calls": ("pictures.npy", lambda p: header(p, "__import__('os').abort()")),
    "other pictures": ("pictures.npy", lambda p: np.save(p, np.zeros((12, 3, 16, 17), np.uint8))),
    "vectors that are none": ("vectors.safetensors", lambda p: p.write_bytes(b"\xff" * 64)),
    "vectors beyond the file": ("vectors.safetensors", lambda p: tensor(p, [12, 8], 10**15)),
    "vectors of another length": ("vectors.safetensors", lambda p: tensor(p, [12, 7], 336)),
    "items nested deep": ("items.jsonl", lambda p: p.write_text('{"key":' * 100_000)),
    "a key beyond int64": ("items.jsonl", lambda p: item(p, '"key": 0', f'"key": {10**30}')),
    "a key twice": ("items.jsonl", lambda p: item(p, '"key": 2,', '"key": 4,')),
    "a field that items do not have": ("items.jsonl", lambda p: item(p, '"key": 0', '"key": 0, "x": 1')),
    "too few items": ("items.jsonl", lambda p: p.write_text("")),
}


def header(path, shape):
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}}}".ljust(117) + "\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + bytes(9216))


def tensor(path, shape, end):
    text = json.dumps({"vectors": {"dtype": "F32", "shape": shape, "data_offsets": [0, end]}}).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(336))


def item(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize("attack", HOSTILE)
def test_files_of_an_enemy_are_refused(tmp_path, attack):
    """The manifest vouches for them: hashes tell damage from what was written, not friend from enemy."""
    folder = tmp_path / "index"
    gallery().write(folder)
    name, write = HOSTILE[attack]
    write(data_of(folder) / name)
    vouch_for(folder, data_of(folder) / name)
    with pytest.raises(IndexFolderError, match="is damaged"):
        Gallery.load(folder)


@pytest.mark.parametrize("name", ["vectors.safetensors", "items.jsonl", "shard.json", "pictures.npy"])
def test_every_cut_is_noticed(tmp_path, name):
    folder = tmp_path / "index"
    gallery(2).write(folder)
    whole = (data_of(folder) / name).read_bytes()
    for length in {0, 1, 7, 64, 127, 128, len(whole) // 2, len(whole) - 1}:
        (data_of(folder) / name).write_bytes(whole[:length])
        with pytest.raises(IndexFolderError):
            Gallery.load(folder)


@pytest.mark.parametrize("name", ["vectors.safetensors", "items.jsonl", "shard.json"])
def test_every_flipped_bit_is_noticed(tmp_path, name):
    """Of pictures only the size is looked at: they are shown, not searched."""
    folder = tmp_path / "index"
    gallery(2).write(folder)
    whole = (data_of(folder) / name).read_bytes()
    for place in np.linspace(0, len(whole) - 1, 40).astype(int):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << place % 8
        (data_of(folder) / name).write_bytes(flipped)
        with pytest.raises(IndexFolderError):
            Gallery.load(folder)


def test_an_index_of_format_1_is_to_be_made_again(tmp_path):
    folder = tmp_path / "index"
    (folder / "data-0123456789ab").mkdir(parents=True)
    old = {"format": "fashion_lab.index", "format_version": 1, "data": "data-0123456789ab", "files": {}}
    (folder / "manifest.json").write_text(json.dumps(old))
    with pytest.raises(
        IndexFolderError, match=r"has format 1, this release reads 2: make the index again"
    ) as one:
        Gallery.load(folder)
    assert "\n" not in str(one.value)
    gallery().write(folder)
    assert same(Gallery.load(folder), gallery())
    assert not (folder / "data-0123456789ab").exists()


def test_files_that_cannot_be_opened_are_not_called_damaged(tmp_path, monkeypatch):
    gallery().write(tmp_path / "index")

    def refuse(*args, **options):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(np, "load", refuse)
    with pytest.raises(IndexFolderError, match=r"cannot read the index .* Too many open files"):
        Gallery.load(tmp_path / "index")


def test_a_large_gallery_is_written_in_shards(tmp_path):
    large = gallery(2100, d=4, size=8)
    large.write(tmp_path / "index")
    assert len(list((tmp_path / "index").glob("shard-*"))) == 3
    found = Gallery.load(tmp_path / "index")
    assert same(found, large)
    assert np.array_equal(found.pictures[1020:1030:3], large.pictures[1020:1030:3])
    assert np.array_equal(found.pictures[-1], large.pictures[-1])


def test_the_same_items_with_other_vectors_are_another_index(tmp_path):
    folder = tmp_path / "index"
    gallery().write(folder)
    other = dataclasses.replace(gallery(), vectors_ND=gallery().vectors_ND + 1)
    other.write(folder)
    assert same(Gallery.load(folder), other)


def test_imports_neither_torch_nor_lightning_nor_hydra():
    heavy = "{'torch', 'pytorch_lightning', 'hydra'}"
    code = f"import sys, fashion_lab.galleries; sys.exit(bool({heavy} & {{*sys.modules}}))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
