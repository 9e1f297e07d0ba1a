"""The index folder: what comes back, what is refused, and what a kill at any moment leaves behind."""

import dataclasses
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

from fashion_lab import index_folder
from fashion_lab.gallery import Gallery, Item, Source
from fashion_lab.index_folder import IndexFolderError


def gallery(n=12, d=8, size=16, seed=0) -> Gallery:
    draw = np.random.default_rng(seed)
    items = tuple(
        Item(
            id=f"train/{i}",
            class_name="skirt" if i % 2 else "hat",
            path=None if i % 3 else f"/p/ü {i}.jpg",
            group=i,
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
        left_out=[{"id": "train/99", "why": "cut off"}],
    )
    vectors = draw.normal(size=(n, d)).astype(np.float32)
    pictures = draw.integers(0, 256, (n, 3, size, size), dtype=np.uint8)
    return Gallery(items=items, vectors_ND=vectors, pictures=pictures, source=source)


def same(one: Gallery, other: Gallery) -> bool:
    return (
        one.items == other.items
        and one.source == other.source
        and np.array_equal(one.vectors_ND, other.vectors_ND)
        and np.array_equal(one.pictures, other.pictures)
    )


def data_of(folder: Path) -> Path:
    return folder / json.loads((folder / "manifest.json").read_text())["data"]


@pytest.mark.parametrize("n", [0, 1, 12])
def test_comes_back_as_it_was(tmp_path, n):
    written = gallery(n)
    written.write(tmp_path / "a" / "index")
    assert same(Gallery.load(tmp_path / "a" / "index"), written)


def test_names_that_are_not_utf8_come_back(tmp_path):
    item = Item(id="odd", class_name="hat", path=os.fsdecode(b"/p/\xff\n.jpg"))
    written = gallery(1)
    written = dataclasses.replace(written, items=(item,))
    written.write(tmp_path / "index")
    assert Gallery.load(tmp_path / "index").items == (item,)


def test_the_manifest_tells_people_what_it_is(tmp_path):
    gallery().write(tmp_path / "index")
    manifest = json.loads((tmp_path / "index" / "manifest.json").read_text())
    assert (manifest["count"], manifest["dim"], manifest["distance"]) == (12, 8, "euclidean")
    assert set(manifest["files"]) == {"vectors.safetensors", "items.jsonl", "pictures.npy"}
    assert manifest["source"]["run"] == "outputs/siamese/x"
    assert (
        json.loads((data_of(tmp_path / "index") / "items.jsonl").read_text().splitlines()[1])["class"]
        == "skirt"
    )


def test_a_new_index_replaces_the_old_and_sweeps(tmp_path):
    folder = tmp_path / "index"
    gallery(5).write(folder)
    opened = Gallery.load(folder)
    (folder / "data-0123456789ab").mkdir()
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
    monkeypatch.setattr(
        index_folder, "flush", lambda path: (_ for _ in ()).throw(OSError(28, "No space left"))
    )
    with pytest.raises(IndexFolderError, match=r"cannot write .* No space left"):
        gallery(7, seed=1).write(folder)
    assert len(Gallery.load(folder)) == 5
    assert len(list(folder.glob("data-*"))) == 1


FAULTS = {
    "no manifest": lambda f: (f / "manifest.json").unlink(),
    "empty manifest": lambda f: (f / "manifest.json").write_text(""),
    "cut manifest": lambda f: (f / "manifest.json").write_text((f / "manifest.json").read_text()[:200]),
    "manifest is a list": lambda f: (f / "manifest.json").write_text("[]"),
    "manifest of something else": lambda f: (f / "manifest.json").write_text('{"format": "x"}'),
    "manifest without source": lambda f: edit(f, lambda m: m.pop("source")),
    "manifest with another source": lambda f: edit(f, lambda m: m["source"].pop("fit")),
    "manifest leads elsewhere": lambda f: edit(f, lambda m: m.update(data="../../data-0123456789ab")),
    "manifest names a path": lambda f: edit(f, lambda m: m["files"].update({"../../x": {}})),
    "manifest of a later release": lambda f: edit(f, lambda m: m.update(format_version=99)),
    "wrong count": lambda f: edit(f, lambda m: m.update(count=3)),
    "no data": lambda f: shutil.rmtree(data_of(f)),
    "no vectors": lambda f: (data_of(f) / "vectors.safetensors").unlink(),
    "cut vectors": lambda f: cut(data_of(f) / "vectors.safetensors"),
    "flipped vectors": lambda f: flip(data_of(f) / "vectors.safetensors"),
    "cut items": lambda f: cut(data_of(f) / "items.jsonl"),
    "flipped items": lambda f: flip(data_of(f) / "items.jsonl"),
    "no pictures": lambda f: (data_of(f) / "pictures.npy").unlink(),
    "cut pictures": lambda f: cut(data_of(f) / "pictures.npy"),
}


def edit(folder, change):
    manifest = json.loads((folder / "manifest.json").read_text())
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


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
        gallery(seed=seed).write(tmp_path / str(seed))
    shutil.copy(data_of(tmp_path / "1") / "vectors.safetensors", data_of(tmp_path / "0"))
    with pytest.raises(IndexFolderError, match=r"vectors.safetensors is not what was written"):
        Gallery.load(tmp_path / "0")


def test_a_pickle_is_never_loaded(tmp_path):
    gallery().write(tmp_path / "index")
    path = data_of(tmp_path / "index") / "pictures.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    edit(tmp_path / "index", lambda m: m["files"]["pictures.npy"].update(bytes=path.stat().st_size))
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
        index_folder._only_writer(tmp_path / "index"),
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
        ({"vectors_ND": vectors}, "1 of 12 vectors hold NaN .* train/3"),
    ):
        with pytest.raises(ValueError, match=message):
            dataclasses.replace(whole, **change)


def write_for_ever(folder):
    galleries = [gallery(400, d=64, seed=seed) for seed in (1, 2)]
    while True:
        for one in galleries:
            one.write(folder)


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
        assert len(list(folder.glob("data-*"))) <= 3  # in force, half written, half removed
    gallery(3).write(folder)
    assert len(list(folder.iterdir())) == 3


def test_readers_never_see_a_mix(tmp_path):
    folder = tmp_path / "index"
    gallery(400, d=64, seed=1).write(folder)
    expected = {f"{seed:064x}": gallery(400, d=64, seed=seed) for seed in (1, 2)}
    writer = multiprocessing.get_context("fork").Process(target=write_for_ever, args=(folder,))
    writer.start()
    try:
        for _ in range(60):
            found = Gallery.load(folder)
            assert same(found, expected[found.source.fingerprint])
    finally:
        writer.kill()
        writer.join()


def test_imports_neither_torch_nor_lightning_nor_hydra():
    heavy = "{'torch', 'pytorch_lightning', 'hydra'}"
    code = f"import sys, fashion_lab.gallery; sys.exit(bool({heavy} & {{*sys.modules}}))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
