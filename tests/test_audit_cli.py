"""The verb `audit` as a user calls it, on a folder with a fault of every kind."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from audit_catalogs import drawing, plant

from fashion_lab.audit import audit
from fashion_lab.config import compose
from fashion_lab.outcomes import Outcomes

ODD = "größe&<script>alert(1)<!script>"


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return plant(tmp_path_factory.mktemp("home") / "shop")


@pytest.fixture(autouse=True)
def there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def audited(*words):
    audit(compose("audit", list(words)))


def result_of(folder="outputs/audit/folder"):
    return json.loads((Path(folder) / "result.json").read_text(), parse_constant=pytest.fail)


def test_every_planted_fault_is_found(shop, capsys):
    audited("data=folder", f"data.root={shop}")
    result = result_of()
    assert list(result["checks"]) == ["files", "duplicates", "senders", "mix", "background", "labels"]
    found = {
        (finding["kind"], *finding["pictures"])
        for check in result["checks"].values()
        for finding in check["findings"]
    }
    assert found == {
        ("unreadable", "train/b/broken.png"),
        ("blank", "train/a/blank.png"),
        ("tiny", "train/a/tiny.png"),
        ("odd-shaped", "train/b/long.png"),
        ("across splits", "train/a/1.png", "validation/a/copy.png"),
        ("across splits", "train/a/2.png", "validation/a/again.jpg"),
        ("two labels", "train/a/3.png", "train/b/relabelled.jpg"),
    }
    assert result["splits"] == {"train": 21, "validation": 18}
    assert result["checks"]["mix"]["numbers"]["train/b"] == 10  # without the broken one
    out = capsys.readouterr().out
    assert "1 unreadable, 1 blank, 1 tiny, 1 odd-shaped" in out
    assert "page: outputs/audit/folder/index.html" in out
    assert "\n  python -m fashion_lab.train -m stage=classifier " in out


def test_the_page_asks_nobody_and_runs_nothing(tmp_path, shop):
    root = plant(tmp_path / "odd")
    for split in ("train", "validation"):
        (root / split / "a").rename(root / split / ODD)
    audited("data=folder", f"data.root={root}", "out=page")
    page = Path("page/index.html").read_text()
    assert "<script" not in page
    assert "größe&amp;&lt;script&gt;alert(1)" in page
    assert "default-src 'none'" in page
    assert not re.findall(r"https?://|url\(|style=", page)
    sources = re.findall(r'(?:src|href)="([^"]{0,10})', page)
    assert all(source.startswith(("data:image", "#")) for source in sources)
    assert page.count('src="data:image/jpeg') == 9  # each finding's, but for the unreadable one
    assert "unreadable" in page


def test_a_page_shows_the_worst_and_says_how_many_there_are(tmp_path):
    for start, part in enumerate(("train/a", "train/b", "validation/a", "validation/b")):
        folder = tmp_path / "small" / part
        folder.mkdir(parents=True)
        for number in range(10):
            drawing(10 * start + number, (20 + number, 40)).save(folder / f"{number}.png")
    audited("data=folder", "data.root=small", "out=page", "shape=10")
    page = Path("page/index.html").read_text()
    assert "40, the worst 24 shown; all are in result.json" in page
    assert page.count("<img") == 24
    assert len(result_of("page")["checks"]["files"]["findings"]) == 40


def test_runs_judge_the_labels(tmp_path, shop):
    names = [f"validation/{name}/{number}.png" for name in "ab" for number in range(8)]
    labels = np.repeat([0, 1], 8)
    chances = np.full((16, 2), 0.05)
    chances[np.arange(16), labels] = 0.95
    chances[3] = 0.02, 0.98
    outcomes = Outcomes(
        catalog="folder",
        split="validation",
        classes=("a", "b"),
        items_N=np.array(names),
        labels_N=labels,
        groups_N=None,
        scores={"accuracy": (chances.argmax(axis=1) == labels).astype(float)},
        probabilities_NC=chances.astype(np.float32),
    )
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text("stage: classifier\ndata: {seed: 0}\n")
    outcomes.save(tmp_path / "run")
    audited("data=folder", f"data.root={shop}", "runs=[run]")
    check = result_of()["checks"]["labels"]
    assert [finding["pictures"] for finding in check["findings"]] == [["validation/a/3.png"]]
    assert check["numbers"]["judged"] == 16
    assert "suggested b 98.0%, given a 2.0%" in Path("outputs/audit/folder/index.html").read_text()


def test_a_catalog_that_is_only_searched_is_audited_too(shop):
    audited("data=photos", f"data.root={shop}", "out=photos")
    checks = result_of("photos")["checks"]
    assert checks["files"]["numbers"]["unreadable"] == 1
    assert checks["duplicates"]["numbers"]["exact_pairs"] == 1
    skipped = [name for name, check in checks.items() if check["skipped"]]
    assert skipped == ["senders", "background", "labels"]
    assert checks["labels"]["how"] == []


def test_drawn_pictures_with_senders_are_audited():
    audited("data=synthetic", "data.products=21", "data.views=2", "data.size=64", "out=drawn")
    checks = result_of("drawn")["checks"]
    assert checks["senders"]["numbers"]["train_senders"] > 1
    assert checks["duplicates"]["numbers"]["exact_pairs"] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["data=folder"], "data.root= is missing"),
        (["data=nothing"], "there are .*synthetic"),
        (["data=synthetic", "tiny=0"], "tiny=0: give pixels"),
        (["data=synthetic", "shape=0.5"], "shape=0.5: give longer"),
        (["data=synthetic", "runs=[gone]"], "runs=gone is no run"),
        (["data=synthetic", "out=file"], "out=file: File exists: give a folder"),
        (["data=synthetic", "out=file/below"], "out=file/below: Not a directory: give a folder"),
        (["data=synthetic", "tinny=3"], "did you mean .*tiny"),
        (["data=synthetic", "tiny=small"], "tiny=small: give pixels"),
        (["data=synthetic", "runs=gone"], "runs=gone is no run"),
    ],
)
def test_what_cannot_work_is_one_line(tmp_path, words, message):
    (tmp_path / "file").write_text("")
    done = subprocess.run(
        [sys.executable, "-m", "fashion_lab.audit", *words], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 1
    assert re.search(message, done.stderr)
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "outputs").exists()
