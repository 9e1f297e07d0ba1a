"""What is saved is found again by other objects and processes, and only if it is what was saved."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from engine_process import generation
from galleries_of_vectors import check, clustered, draw, loop, some_ids

PROCESS = Path(__file__).parents[1] / "engine_process.py"


def start(verb, settings, folder):
    command = [sys.executable, str(PROCESS), verb, json.dumps(settings), str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def answers(settings, folder):
    """Check what a new process reads against the loop; say which generation it is."""
    process = start("read", settings, folder)
    out, complaints = process.communicate(timeout=120)
    assert process.returncode == 0, complaints
    told = json.loads(out)
    vectors, ids = generation(told["generation"])
    assert told["size"] == len(ids)
    some = slice(None, None, 9)
    for found, (here, known) in zip(told["ids"], [(vectors, ids), (vectors[some], ids[some])], strict=True):
        right = loop(vectors[:5], here, 10, known)[0]
        assert (np.array(found) == right).mean() >= 0.98
    return told["generation"]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "saved").mkdir()
    return tmp_path / "saved"


def test_another_object_finds_the_same(make, folder):
    gallery, ids, queries = clustered(900), some_ids(900), clustered(20, seed=1)
    first, second = make(), make()
    first.build(gallery, ids)
    first.save(folder)
    second.load(folder, gallery, ids)
    assert second.search(queries, 10).ids.tolist() == first.search(queries, 10).ids.tolist()
    assert (len(second), second.name, second.exact) == (len(first), first.name, first.exact)
    second.add(clustered(50, seed=3), np.arange(50) + ids[-1] + 1)
    assert len(second) == 950


def test_what_was_changed_and_saved_is_found(make, folder):
    gallery, ids = clustered(900), some_ids(900)
    first, second = make(), make()
    first.build(gallery[:600], ids[:600])
    first.add(gallery[500:], ids[500:])
    first.remove(ids[:100])
    first.save(folder)
    second.load(folder, gallery[100:], ids[100:])
    check(second, gallery[100:], clustered(20, seed=1), 10, ids[100:])


@pytest.mark.parametrize("other", ["vectors", "ids", "fewer", "dimensions"])
def test_other_vectors_than_those_saved_are_searched_all_the_same(make, folder, other):
    gallery, ids = clustered(600), some_ids(600)
    first, second = make(), make()
    first.build(gallery, ids)
    first.save(folder)
    if other == "vectors":
        gallery = clustered(600, seed=8)
    elif other == "ids":
        ids = ids + 1
    elif other == "fewer":
        gallery, ids = gallery[1:], ids[1:]
    else:
        gallery = clustered(600, 5)
    second.load(folder, gallery, ids)
    check(second, gallery, gallery[:20], 10, ids)


def test_nothing_saved_is_made_anew(index, folder):
    gallery = clustered(600)
    index.load(folder, gallery, np.arange(600))
    check(index, gallery, gallery[:20], 10)


@pytest.mark.parametrize("damage", ["cut", "empty", "flipped", "foreign", "a folder"])
def test_damaged_files_are_not_used(make, folder, damage):
    gallery, ids = clustered(600), some_ids(600)
    first, second = make(), make()
    first.build(gallery, ids)
    first.save(folder)
    for path in list(folder.iterdir()):
        content = bytearray(path.read_bytes())
        path.unlink()
        if damage == "a folder":
            path.mkdir()
            continue
        if damage == "cut":
            content = content[: len(content) // 2]
        elif damage == "empty":
            content = b""
        elif damage == "flipped":
            content[len(content) // 2] ^= 1
        else:
            content = b"\xff" * 5000
        path.write_bytes(content)
    second.load(folder, gallery, ids)
    check(second, gallery, clustered(20, seed=1), 10, ids)


def test_a_stranger_s_files_are_not_read(index, folder):
    """Formats that run code or crash their reader: pickles, and what faiss takes for its own."""
    canary = folder / "canary"
    pickled = f"cos\nsystem\n(S'touch {canary}'\ntR.".encode()
    for name in ("index.faiss", "ivf.faiss", "index.pkl", "vectors.npy"):
        (folder / name).write_bytes(b"IwFl" + b"\x7f" * 200 if "faiss" in name else pickled)
    gallery = clustered(600)
    index.load(folder, gallery, np.arange(600))
    check(index, gallery, gallery[:20], 10)
    assert not canary.exists()


def test_odd_vectors_are_refused(index, folder):
    vectors = draw(4, 3)
    vectors[2] = np.nan
    with pytest.raises(ValueError, match="row 2"):
        index.load(folder, vectors, np.arange(4))


def test_killed_in_mid_write(settings, make, folder):  # `make` tidies up
    """Kill -9, at any moment: the last complete generation is there, whatever was being written."""
    # seconds; Milvus's client takes long to import
    waits = (0.07,) if settings[0] == "milvus" else (0.0, 0.03, 0.11)
    for wait in waits:
        writer = start("write", settings, folder)
        try:
            assert writer.stdout.readline().strip().isdecimal(), writer.stderr.read()
            time.sleep(wait)
        finally:
            os.kill(writer.pid, signal.SIGKILL)
            out, _ = writer.communicate()
        assert "Error" not in out
        written = answers(settings, folder)
        assert written >= 1
        for path in folder.iterdir():  # the next writer starts from nothing, but for the engine's own place
            for file in path.iterdir():
                file.unlink()
            path.rmdir()
