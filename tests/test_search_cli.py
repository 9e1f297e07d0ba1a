"""The verbs `index` and `search`, on drawn pictures and on files, with an encoder nobody trained."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from colours import MeanColour, greys
from hydra import compose, initialize_config_dir
from PIL import Image

from fashion_lab import checkpoint, searching
from fashion_lab.config import CONF, build
from fashion_lab.galleries import Gallery
from fashion_lab.index import index
from fashion_lab.networks import SiameseEncoder
from fashion_lab.search import search
from fashion_lab.visual_search import VisualSearch

BACKBONE = {"_target_": "fashion_lab.backbones.mobilenet.MobileNetBackbone"}
DATA = ["data=synthetic", "data.products=21", "data.views=2", "data.size=64"]


def save_run(folder: Path, seed: int) -> Path:
    """What a stage 1 run leaves, as far as a search reads it."""
    torch.manual_seed(seed)
    state = SiameseEncoder(build(BACKBONE)).state_dict()
    record = {
        "format": checkpoint.FORMAT,
        "stage": "classifier",
        "config": {"backbone": BACKBONE, "pixels": {"size": 32, "fit": "squash"}},
        "classes": ["dress", "hat"],
        "parent": None,
        "start": {},
    }
    content = {"state_dict": {f"network.{name}": value for name, value in state.items()}}
    checkpoint.write(folder / "checkpoints" / "best.ckpt", {**content, checkpoint.RECORD: record})
    return folder


def run(verb, *overrides):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        verb(compose(verb.__name__, list(overrides)))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with two runs, an index of the synthetic catalog, and one of files, two of them broken."""
    home = tmp_path_factory.mktemp("home")
    save_run(home / "run", seed=0)
    save_run(home / "other", seed=1)
    draw = np.random.default_rng(0)
    for name in ("hat", "dress"):
        (home / "shop" / name).mkdir(parents=True)
        for number in range(8):
            pixels = draw.integers(0, 256, (12, 9, 3), dtype=np.uint8)
            Image.fromarray(pixels).resize((90, 120)).save(home / "shop" / name / f"{number}.jpg", quality=95)
    for broken in ("hat/b1.jpg", "dress/b2.jpg"):
        (home / "shop" / broken).write_bytes(b"\xff\xd8\xff\xe0 not a picture")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        patch.setenv("FASHION_LAB_CACHE", str(home / "cache"))
        run(index, "ckpt=run", "out=synthetic", *DATA)
        run(index, "ckpt=run", "out=files", "data=folder", "data.root=shop")
    return home


@pytest.fixture(autouse=True)
def there(home, monkeypatch):
    monkeypatch.chdir(home)
    monkeypatch.setenv("FASHION_LAB_CACHE", str(home / "cache"))


def found(capsys, *overrides):
    capsys.readouterr()
    run(search, *overrides, "format=json")
    return json.loads(capsys.readouterr().out)


def test_an_index_holds_the_whole_catalog(home):
    gallery = Gallery.load(home / "synthetic")
    assert len(gallery) == 42
    assert {item.split for item in gallery.items} == {"train", "validation", "test"}
    assert all(item.product is not None and item.path is None for item in gallery.items)
    assert (gallery.source.run, gallery.source.catalog, gallery.source.split) == (
        str(home / "run"),
        "synthetic",
        "all",
    )


def test_one_split(home, capsys):
    run(index, "ckpt=run", "split=validation", *DATA)
    text = capsys.readouterr().out
    folder = next(line.removeprefix("index: ") for line in text.splitlines() if line.startswith("index: "))
    assert folder.startswith("outputs/index/synthetic-validation-")
    assert {item.split for item in Gallery.load(folder).items} == {"validation"}


def test_broken_pictures_are_listed_and_left_out(home):
    gallery = Gallery.load(home / "files")
    assert len(gallery) == 16
    assert sorted(one.id for one in gallery.left_out) == ["dress/b2.jpg", "hat/b1.jpg"]
    assert all(Path(item.path).is_file() for item in gallery.items)


def test_a_picture_of_the_catalog_finds_itself(home, capsys):
    answer = found(capsys, "index=files", "image=shop/hat/3.jpg", "k=4")
    (query,) = answer["queries"]
    assert query["query"] == "shop/hat/3.jpg"
    assert [hit["rank"] for hit in query["hits"]] == [1, 2, 3, 4]
    first = query["hits"][0]
    assert first["path"] == str(home / "shop/hat/3.jpg")
    assert (first["class"], first["stale"]) == ("hat", False)
    assert first["distance"] == pytest.approx(0, abs=1e-5)
    distances = [hit["distance"] for hit in query["hits"]]
    assert distances == sorted(distances)
    assert answer["failed"] == []
    assert Image.open(answer["sheet"]).size[0] > 1000


def test_several_pictures_a_folder_and_items(home, capsys):
    shutil.copy("shop/hat/0.jpg", "my hat, 2=b.jpg")
    answer = found(capsys, "index=files", 'image=["my hat, 2=b.jpg",shop/dress/1.jpg]', "k=1", "sheet=s.png")
    assert [query["hits"][0]["class"] for query in answer["queries"]] == ["hat", "dress"]
    assert answer["sheet"] == "s.png"
    (home / "three").mkdir(exist_ok=True)
    for number in range(3):
        shutil.copy(f"shop/hat/{number}.jpg", f"three/{2 - number}.JPG")
    answer = found(capsys, "index=files", "image=three", "k=1", "sheet=null")
    assert [query["query"] for query in answer["queries"]] == [f"three/{n}.JPG" for n in range(3)]
    assert answer["sheet"] is None
    items = [item.id for item in Gallery.load("synthetic").items[:2]]
    answer = found(capsys, "index=synthetic", f"item=[{','.join(items)}]", "k=1000", "fold=false")
    assert [query["query"] for query in answer["queries"]] == items
    assert all(len(query["hits"]) == 41 for query in answer["queries"])


def test_conditions_and_folding(home, capsys):
    first = Gallery.load("synthetic").items[0]
    folded = found(capsys, "index=synthetic", f"item={first.id}", "k=1000")["queries"][0]["hits"]
    assert len(folded) == 21
    assert sum(len(hit["folded"]) for hit in folded) == 20
    hats = found(capsys, "index=synthetic", f"item={first.id}", "k=1000", "where={class: hat}", "fold=false")
    assert {hit["class"] for hit in hats["queries"][0]["hits"]} == {"hat"}
    assert len(hats["queries"][0]["hits"]) == sum(
        item.class_name == "hat" and item.id != first.id for item in Gallery.load("synthetic").items
    )
    run(search, "index=synthetic", f"item={first.id}", "where={class: hat, product: {min: 1e9}}")
    assert "no item meets the conditions" in capsys.readouterr().out


def test_a_picture_and_an_item_are_called_strange_alike():
    record = {"middle": 50.0, "slope": 0.1, "thresholds": [[10, 30.0]], "alarms": 0.05, "caught": 0.9}
    record |= {"queries": 99, "made_from": "greys"}
    finder = VisualSearch(greys(0, 100, 110, 255, calibration=record), MeanColour())
    answers, _ = searching.answer(finder, [], ["g100", "g255"], k=3)
    assert [(one.query, one.position, one.strange) for one in answers] == [
        ("g100", 1, False),
        ("g255", 3, True),
    ]


def test_an_index_finds_its_run_from_anywhere_also_when_both_have_moved(tmp_path, monkeypatch, capsys):
    (tmp_path / "shop").mkdir()
    save_run(tmp_path / "shop/outputs/run", seed=0)
    monkeypatch.chdir(tmp_path / "shop")
    run(index, "ckpt=outputs/run", "out=outputs/indexes/all", *DATA)
    query = f"item={Gallery.load('outputs/indexes/all').items[0].id}"
    monkeypatch.chdir(tmp_path)
    assert found(capsys, "index=shop/outputs/indexes/all", query)["queries"]
    (tmp_path / "shop/outputs").rename(tmp_path / "kept")
    assert found(capsys, "index=kept/indexes/all", query)["queries"]
    run(index, "out=kept/indexes/all", "mode=add", *DATA, "data.views=3")
    assert Gallery.load("kept/indexes/all").source.run == str(tmp_path / "kept/run")
    shutil.rmtree("kept/run")
    with pytest.raises(ValueError, match=r"kept/run that made the index .* does not exist: say with ckpt="):
        run(search, "index=kept/indexes/all", query)


def test_the_table(home, capsys):
    run(search, "index=files", "image=shop/hat/3.jpg", "k=2")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "shop/hat/3.jpg"
    assert lines[1].split() == ["rank", "class", "distance", "path"]
    assert lines[2].split() == ["1", "hat", "0.0000", str(home / "shop/hat/3.jpg")]
    assert lines[-1].startswith("contact sheet: outputs/search/3.png")


def test_one_unreadable_picture_does_not_spoil_the_others(capsys):
    images = "image=[shop/hat/b1.jpg,nowhere.jpg,shop/hat/3.jpg]"
    with pytest.raises(ValueError, match="2 of 3 pictures could not be read"):
        run(search, "index=files", images, "format=json")
    told = capsys.readouterr()
    answer = json.loads(told.out)
    assert [query["query"] for query in answer["queries"]] == ["shop/hat/3.jpg"]
    assert [one["query"] for one in answer["failed"]] == ["shop/hat/b1.jpg", "nowhere.jpg"]
    assert "nowhere.jpg: no such file" in told.err


def test_a_file_that_is_gone_is_marked(home, capsys):
    shutil.copytree("shop", "shop2")
    run(index, "ckpt=run", "out=gone", "data=folder", "data.root=shop2")
    query = "shop/hat/3.jpg"
    (home / "shop2/hat/3.jpg").unlink()
    answer = found(capsys, "index=gone", f"image={query}", "k=2")
    assert [hit["stale"] for hit in answer["queries"][0]["hits"]] == [True, False]
    run(search, "index=gone", f"image={query}", "k=2")
    assert "3.jpg (gone)" in capsys.readouterr().out


REFUSED = {
    "index= is missing": ["image=shop/hat/3.jpg"],
    "no index at nowhere: no such folder": ["index=nowhere", "image=shop/hat/3.jpg"],
    "no index at shop: it has no manifest": ["index=shop", "image=shop/hat/3.jpg"],
    "nothing to search for": ["index=files"],
    "both image= and item=": ["index=files", "image=a.jpg", "item=b"],
    "k=0: give": ["index=files", "image=shop/hat/3.jpg", "k=0"],
    "k=-3: give": ["index=files", "image=shop/hat/3.jpg", "k=-3"],
    "k=2.5: give": ["index=files", "image=shop/hat/3.jpg", "k=2.5"],
    "where=hat: give conditions, such as 'where={class: skirt}'": ["index=files", "image=a.jpg", "where=hat"],
    "where class=skirt: no item has it; there is dress, hat": [
        "index=files",
        "image=shop/hat/3.jpg",
        "where={class: skirt}",
    ],
    "where: no column 'colour'": ["index=files", "image=shop/hat/3.jpg", "where={colour: red}"],
    "fold=maybe: give true or false": ["index=files", "image=shop/hat/3.jpg", "fold=maybe"],
    "expand=-1: give a whole number": ["index=files", "image=shop/hat/3.jpg", "expand=-1"],
    "format=xml: choose one of table, json": ["index=files", "image=shop/hat/3.jpg", "format=xml"],
    "sheet=a.jpg: give a file that ends in .png": ["index=files", "image=shop/hat/3.jpg", "sheet=a.jpg"],
    "the contact sheet cannot be written": [
        "index=files",
        "image=shop/hat/3.jpg",
        "sheet=run/checkpoints/best.ckpt/a.png",
    ],
    "no picture in the folder run": ["index=files", "image=run"],
    "no item 'x' among 16": ["index=files", "item=x"],
    "ckpt=nowhere does not exist": ["index=files", "image=shop/hat/3.jpg", "ckpt=nowhere"],
    "make the index again": ["index=files", "image=shop/hat/3.jpg", "ckpt=other"],
}


@pytest.mark.parametrize("message", REFUSED)
def test_search_refuses(message):
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        run(search, *REFUSED[message])
    assert "\n" not in str(caught.value)


def test_index_refuses():
    for message, overrides in (
        ("ckpt= is missing", DATA),
        (
            "no split 'vaildation': choose one of train, validation, test, all",
            ["ckpt=run", "split=vaildation", *DATA],
        ),
        ("'nowhere' does not exist", ["ckpt=nowhere", *DATA]),
        ("shop holds other things", ["ckpt=run", "out=shop", *DATA]),
    ):
        with pytest.raises(ValueError, match=message.replace("(", r"\(")):
            run(index, *overrides)


def test_from_the_command_line(home):
    """Another process; nothing but JSON on stdout, one error line, exit codes; nothing left behind."""
    before = {path.name for path in home.iterdir()}
    good = shell("search", "index=files", "image=shop/hat/3.jpg", "k=2", "format=json", "sheet=null")
    assert good.returncode == 0, good.stderr
    assert json.loads(good.stdout)["queries"][0]["hits"][0]["class"] == "hat"
    bad = shell("search", "index=nowhere", "image=shop/hat/3.jpg")
    assert bad.returncode == 1
    assert bad.stdout == ""
    assert bad.stderr.splitlines()[-1].startswith("error: no index at nowhere")
    assert "Traceback" not in bad.stderr
    assert {path.name for path in home.iterdir()} == before


@pytest.mark.parametrize("form", ["table", "json"])
def test_w11_a_reader_that_has_gone(form):
    """W11: as after `| head -1`; tests/test_pipes.py has the other ways to say something."""
    read, write = os.pipe()
    os.close(read)
    words = ["index=files", "image=shop/hat/3.jpg", f"format={form}", "sheet=null"]
    command = [sys.executable, "-m", "fashion_lab.search", *words]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("verb", ["index", "search"])
def test_help_is_light(verb):
    code = (
        "import sys, runpy\nsys.argv[1:] = ['--help']\n"
        f"try: runpy.run_module('fashion_lab.{verb}', run_name='__main__')\nexcept SystemExit: pass\n"
        "sys.exit('torch' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    assert "engine" in told.stdout or verb == "index"


def shell(verb, *overrides):
    command = [sys.executable, "-m", f"fashion_lab.{verb}", *overrides]
    return subprocess.run(command, capture_output=True, text=True)


def test_four_lines_of_python_without_lightning():
    code = (
        "import sys; sys.modules['pytorch_lightning'] = None\n"
        "from fashion_lab.visual_search import VisualSearch\n"
        "search = VisualSearch.load('files')\n"
        "for hit in search.search('shop/hat/3.jpg', k=2):\n"
        "    print(hit.rank, hit.class_name, round(hit.distance, 4))\n"
        "print('fashion_lab.data' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    assert told.stdout.splitlines()[0] == "1 hat 0.0"
    assert told.stdout.splitlines()[-1] == "False"
