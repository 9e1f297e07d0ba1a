"""The verb `index` as a shop uses it: sync a folder, remove, be interrupted, be two at once."""

import json
import signal
import subprocess
import sys
import time

import pytest
from hydra import compose, initialize_config_dir
from shops import plant
from toy_checkpoints import content

from fashion_lab import checkpoint
from fashion_lab.config import CONF
from fashion_lab.galleries import Gallery
from fashion_lab.galleries.folder import only_writer
from fashion_lab.index import index
from fashion_lab.search import search
from fashion_lab.serve import serve
from fashion_lab.visual_search import VisualSearch


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A folder with a run and a shop."""
    checkpoint.write(tmp_path / "run/checkpoints/best.ckpt", content())
    checkpoint.write(tmp_path / "other/checkpoints/best.ckpt", content(seed=1))
    plant(tmp_path / "shop", "hat/1.png", "hat/2.png", "shoes/1.png", "loose.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*overrides):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        index(compose("index", ["out=index", *overrides]))


def shell(*overrides):
    return [sys.executable, "-m", "fashion_lab.index", "out=index", *overrides]


PHOTOS = ["data=photos", "data.root=shop"]


def test_a_shop_from_build_to_sync(home, capsys):
    run("ckpt=run", *PHOTOS, "mode=sync")
    plant(home / "shop", "hat/3.png")
    (home / "shop/loose.png").unlink()
    (home / "shop/bad.png").write_text("no")
    (home / "table.csv").write_text("path,price\nhat/1.png,10\n")
    capsys.readouterr()
    run(*PHOTOS, "mode=sync", "data.table=table.csv")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "3 kept, 1 added, 0 changed, 1 removed, 1 unreadable: listed in index/manifest.json"
    assert lines[1:3] == ["4 pictures of photos (all), 8 numbers each", "index: index"]
    (left_out,) = json.loads((home / "index/manifest.json").read_text())["left_out"]
    assert left_out["id"] == "bad.png"
    assert Gallery.load("index").items[0].columns == {"price": 10}
    run(*PHOTOS, "mode=sync", "data.table=table.csv")
    assert capsys.readouterr().out.startswith(
        "nothing to do: 4 kept, 0 added, 0 changed, 0 removed, 1 unreadable"
    )
    run("mode=remove", "item=[hat/1.png,'shoes/*']")
    assert capsys.readouterr().out.startswith("2 kept, 0 added, 0 changed, 2 removed")
    run("mode=remove", "item=hat/2.png")
    run("mode=remove", "where={class: hat}")
    assert len(Gallery.load("index")) == 0
    run(*PHOTOS, "mode=add")
    assert len(Gallery.load("index")) == 4


def test_the_engine_is_in_the_manifest(home):
    run("ckpt=run", *PHOTOS)
    engine = json.loads((home / "index/manifest.json").read_text())["engine"]
    assert engine["name"] == "exact"
    assert engine["options"]["_target_"] == "fashion_lab.indexes.auto.AutoIndex"
    assert (engine["recall"], engine["k"]) == (1.0, 10)


@pytest.mark.parametrize("change", ["add", "sync", "remove"])
def test_a_change_keeps_the_engine_unless_another_is_named(home, change):
    words = ["mode=remove", "item=hat/1.png"] if change == "remove" else [*PHOTOS, f"mode={change}"]
    run("ckpt=run", *PHOTOS, "engine=auto", "engine.most=123456")
    plant(home / "shop", "hat/3.png")
    run(*words)
    assert Gallery.load("index").engine.options["most"] == 123456
    words = ["mode=remove", "item=hat/2.png"] if change == "remove" else words
    run(*words, "engine=exact")
    assert Gallery.load("index").engine.options == {"_target_": "fashion_lab.indexes.exact.ExactIndex"}
    run(*PHOTOS, "mode=sync")
    assert Gallery.load("index").engine.options == {"_target_": "fashion_lab.indexes.exact.ExactIndex"}
    run("ckpt=run", *PHOTOS)
    assert Gallery.load("index").engine.options["most"] == 64_000_000


def test_the_engine_that_searches_is_the_one_that_was_measured(home, monkeypatch):
    run("ckpt=run", *PHOTOS, "engine=auto", "engine.most=123456")
    searched = []

    def ask(self, *words, **options):
        searched.append(self.index)
        raise InterruptedError

    def watch(folder, ckpt, *, engine, **options):
        searched.append(VisualSearch.load(folder).index if engine is None else engine())
        raise InterruptedError

    monkeypatch.setattr(VisualSearch, "nearest", ask)
    monkeypatch.setattr("fashion_lab.web.server.watched", watch)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        for words in ([], ["engine=exact"]):
            asked = compose("search", ["index=index", "image=shop/hat/1.png", *words])
            with pytest.raises(InterruptedError):
                search(asked)
            served = compose("serve", ["index=index", "port=0", *words])
            with pytest.raises(InterruptedError):
                serve(served)
    searched.append(VisualSearch.load("index").index)
    assert [getattr(one, "_most", "exact") for one in searched] == [123456, 123456, "exact", "exact", 123456]


def test_a_broken_picture_is_no_failure_unless_strict(home):
    (home / "shop/bad.png").write_text("no")
    done = subprocess.run(shell("ckpt=run", *PHOTOS), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (
        "4 pictures of photos (all), 8 numbers each; 1 unreadable, listed in index/manifest.json"
        in done.stdout
    )
    done = subprocess.run(shell("ckpt=run", *PHOTOS, "strict=true"), capture_output=True, text=True)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: 1 of 5 pictures of 'photos' cannot be read, and strict=true")


REFUSED = {
    "mode=update: choose one of build, add, remove, sync": ["mode=update"],
    "out= is missing: name the index folder to sync": ["mode=sync", "out=null"],
    "item=x is for mode=remove, not mode=build": ["item=x"],
    "give either item=<id, pattern such as 'hat/*', or list> or where=": ["mode=remove"],
    "or where=<conditions>: what to remove": ["mode=remove", "item=x", "where={class: hat}"],
    "where class=hut: no item has it": ["mode=remove", "where={class: hut}"],
    "where=hat: give conditions, such as": ["mode=remove", "where=hat"],
    "where={'class': 'hat'} is for mode=remove": ["where={class: hat}"],
    "no item 'hat/4.png' among 4 in the index; there is hat/": ["mode=remove", "item=hat/4.png"],
    "shard=0: give a whole number": ["shard=0"],
    "executor=dask: choose one of here, ray": ["executor=dask"],
    "workers=two: give a whole number": ["workers=two"],
    "engine_recall=99: give a share": ["engine_recall=99"],
    "ckpt= is missing: give a run folder": ["out=elsewhere", "mode=sync", *PHOTOS],
    "no index at elsewhere: no such folder": ["out=elsewhere", "mode=add", *PHOTOS],
    "no index at empty: it has no manifest": ["out=empty", "mode=remove", "item=x"],
    "their distances mean nothing to each other": ["ckpt=other", "mode=sync", *PHOTOS],
    "'nowhere' does not exist": ["ckpt=nowhere", "mode=add", *PHOTOS],
    "is in catalog 'synthetic': is data= the right one?": ["mode=sync", "data.products=21", "data.views=1"],
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_cannot_work_is_one_line(home, message):
    run("ckpt=run", *PHOTOS)
    (home / "empty").mkdir()
    with pytest.raises(ValueError, match=r"\w") as caught:
        run(*REFUSED[message])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(Gallery.load("index")) == 4
    assert not (home / "elsewhere").exists() or not list((home / "elsewhere").glob("*.json"))


def test_the_second_of_two_writers_is_told_at_once(home):
    run("ckpt=run", *PHOTOS)
    with only_writer(home / "index"):
        done = subprocess.run(shell("ckpt=nowhere", *PHOTOS, "mode=sync"), capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("error: another process writes index: wait for it")


def test_ctrl_c_is_130_and_the_same_command_continues(home):
    """Drawn pictures take their time: some shards are done, some are not."""
    words = ["ckpt=run", "data.products=210", "data.size=64", "shard=32"]
    process = subprocess.Popen(shell(*words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    deadline = time.monotonic() + 120
    while (
        len(list(home.glob("index/shard-*"))) < 2 and process.poll() is None and time.monotonic() < deadline
    ):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 130, output
    assert "Traceback" not in output
    done = {path.name: path.stat().st_ino for path in home.glob("index/shard-*")}
    assert 2 <= len(done) < 33
    run(*words)
    assert len(Gallery.load("index")) == 1050
    assert all((home / "index" / name).stat().st_ino == inode for name, inode in done.items())
