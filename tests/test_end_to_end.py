"""From pictures to hits through the command line, as a user would; and what signals leave behind."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import programs
import pytest
from PIL import Image
from runs import TINY, trained

from fashion_lab.checkpoint import read

DATA = os.environ.get("FASHION_LAB_DATA")


def run(*command, cwd):
    done = programs.run(*command, cwd=cwd)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done


def test_both_stages_index_and_search(tmp_path):
    tiny = [*TINY, "trainer.max_epochs=1"]
    run("fashion_lab.train", *tiny, "hydra.run.dir=one", cwd=tmp_path)
    run("fashion_lab.train", *tiny, "stage=siamese", "ckpt=one", "hydra.run.dir=two", cwd=tmp_path)
    data = [word for word in TINY if word.startswith("data.")]
    run("fashion_lab.index", "ckpt=two", *data, "split=test", "out=index", cwd=tmp_path)
    items = [
        json.loads(line) for line in next(tmp_path.glob("index/**/items.jsonl")).read_text().splitlines()
    ]
    query = items[5]["id"]
    done = run("fashion_lab.search", "index=index", f"item='{query}'", "k=3", "format=json", cwd=tmp_path)
    (answer,) = json.loads(done.stdout)["queries"]
    distances = [hit["distance"] for hit in answer["hits"]]
    assert len(distances) == 3
    assert distances == sorted(distances)
    assert (tmp_path / "two/result.json").is_file()


def start_long_training(folder, epochs=100_000):
    words = [*TINY, f"trainer.max_epochs={epochs}", "hydra.run.dir=run"]
    command = [sys.executable, "-m", "fashion_lab.train", *words]
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    last = folder / "run/checkpoints/last.ckpt"
    deadline = time.monotonic() + 120
    while not last.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    assert last.exists(), process.communicate()[0]
    return process, last


def stop(process, last, number):
    """Send a signal: the run saves and says how to go on."""
    before = read(last)["global_step"]
    process.send_signal(number)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 128 + number, output
    assert "resume=" in output
    assert "Traceback" not in output
    assert read(last)["global_step"] > before


def test_ctrl_c_saves_and_says_how_to_go_on(tmp_path):
    stop(*start_long_training(tmp_path), signal.SIGINT)


def test_terminated_and_resumed_from_the_command_line(tmp_path):
    stop(*start_long_training(tmp_path, epochs=15), signal.SIGTERM)
    done = run("fashion_lab.train", "resume=run", cwd=tmp_path)
    result = json.loads((tmp_path / "run/result.json").read_text())
    assert result["epochs"] == 15
    assert "trainer.max_epochs=15" in result["overrides"]
    assert "done" in done.stdout
    again = programs.run("fashion_lab.train", "resume=run", cwd=tmp_path)
    assert again.returncode == 1
    assert "finished" in again.stderr


@pytest.mark.pictures
@pytest.mark.skipif(DATA is None, reason="needs the real pictures: FASHION_LAB_DATA is not set")
def test_real_pictures_from_photo_to_hit(tmp_path):
    from fashion_lab.visual_search import VisualSearch

    slice_folder = tmp_path / "shop"
    for split, number in (("train", 12), ("validation", 6)):
        for name in ("dress", "hat", "pants"):
            source = Path(DATA, "clothing-dataset-small", split, name)
            (slice_folder / split / name).mkdir(parents=True)
            for picture in sorted(source.glob("*.jpg"))[:number]:
                shutil.copy(picture, slice_folder / split / name)
    own = tuple(word for word in TINY if not word.startswith("data."))
    data = ["data=folder", f"data.root={slice_folder}"]
    epochs = "trainer.max_epochs=2"
    one = trained(tmp_path / "one", *data, epochs, tiny=own)
    two = trained(tmp_path / "two", *data, epochs, "stage=siamese", f"ckpt={one}", tiny=own)
    run("fashion_lab.index", f"ckpt={two}", *data, "split=validation", "out=index", cwd=tmp_path)
    query = next((slice_folder / "validation" / "hat").glob("*.jpg"))
    hits = VisualSearch.load(tmp_path / "index").search(query, k=3)
    assert hits[0].id.endswith(query.name)
    assert hits[0].distance == pytest.approx(0, abs=1e-5)
    run("fashion_lab.search", "index=index", f"image='{query}'", "k=3", "sheet=hits.png", cwd=tmp_path)
    assert np.asarray(Image.open(tmp_path / "hits.png")).std() > 10
