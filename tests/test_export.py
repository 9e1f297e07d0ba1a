"""The verb `export`, on real runs of seconds, and that what it writes takes the place of a run everywhere."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from runs import trained
from safetensors.numpy import load as load_arrays

from fashion_lab import encoders
from fashion_lab.bundles.bundle import open_bundle
from fashion_lab.calibration import Calibration
from fashion_lab.catalogs.synthetic import SyntheticCatalog
from fashion_lab.config import CONF
from fashion_lab.export import export
from fashion_lab.index import index
from fashion_lab.search import search

pytest.importorskip("onnxscript")
DATA = ["data=synthetic", "data.products=21", "data.views=2", "data.size=64"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Trained runs of both stages, and a bundle and an index of the second."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        words = ("trainer.max_epochs=1", "logger=none")
        trained(Path("classifier"), "stage=classifier", *words)
        trained(Path("siamese"), "stage=siamese", "ckpt=classifier", *words)
        exported("ckpt=siamese", "out=bundle")
    return home


@pytest.fixture(autouse=True)
def there(home, monkeypatch):
    monkeypatch.chdir(home)


def run(verb, *overrides):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        verb(compose(verb.__name__, list(overrides)))


def exported(*overrides):
    run(export, *overrides)


def test_it_says_what_it_wrote(capsys):
    exported("ckpt=siamese", "head=null", "golden=drawn")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("head: none (head=null)")
    assert re.fullmatch(r"torch and onnxruntime agree on 16 pictures \(drawn\) to \d(e-\d+)?", lines[1])
    assert lines[2].startswith(("distances: a hit at", "no calibration"))
    out = lines[3].removeprefix("bundle: ")
    assert out.startswith("outputs/bundle/siamese-")
    assert "head" not in open_bundle(out).graph_of
    assert out in lines[4]


def test_it_learns_what_distances_mean_as_python_does(home, monkeypatch):
    facts = {
        "slope": 2.0,
        "middle": 1.0,
        "thresholds": [[100, 0.5]],
        "alarms": 0.05,
        "caught": 0.8,
        "queries": 30,
    }
    asked = []

    def learn(encoder, catalog, *, cache):
        asked.append((encoder.fingerprint, catalog.name, cache))
        return Calibration(**facts, made_from="validation")

    monkeypatch.setattr("fashion_lab.calibrating.on_validation", learn)
    exported("ckpt=siamese", "out=meaningful", "cache=there")
    exported("ckpt=siamese", "out=meaningless", "calibrate=false")
    encoder = encoders.load("meaningful")
    assert encoder.calibration == {**facts, "made_from": "validation"}
    assert asked == [(encoder.fingerprint, "synthetic", Path("there"))]
    assert encoders.load("meaningless").calibration is None


def test_it_takes_pictures_of_the_runs_own_validation_and_its_parents_head():
    bundle = open_bundle("bundle")
    assert bundle.facts["golden"]["from"] == "validation of synthetic"
    assert all(item.startswith("validation/") for item in bundle.facts["golden"]["items"])
    assert bundle.facts["head"]["path"] == "classifier/checkpoints/best.ckpt"


def test_a_trained_run_and_its_bundle_embed_alike():
    catalog = SyntheticCatalog(products=21, views=2)
    run = encoders.load("siamese")
    pixels = np.stack([run.pixels.pixels(catalog.open(row)) for row in range(len(catalog))])
    for runtime in ("torch", "onnx"):
        bundle = encoders.load("bundle", runtime=runtime)
        np.testing.assert_allclose(bundle.embed(pixels), run.embed(pixels), atol=1e-5)
        np.testing.assert_allclose(bundle.classify(pixels), run.classify(pixels), atol=1e-5)
        golden = load_arrays(open_bundle("bundle").read("golden.safetensors"))
        np.testing.assert_allclose(bundle.embed(golden["pixels"]), golden["embedding"], atol=1e-5)


def test_an_index_of_the_run_is_searched_with_the_bundle_and_the_other_way_round(capsys):
    run(index, "ckpt=siamese", "out=by-run", *DATA)
    run(index, "ckpt=bundle", "runtime=onnx", "out=by-bundle", *DATA)
    SyntheticCatalog(products=21, views=2, size=64).open(20).save("query.png")
    answers = []
    for folder in ("by-run", "by-bundle"):
        for words in (["ckpt=siamese"], ["ckpt=bundle"], ["ckpt=bundle", "runtime=torch"]):
            capsys.readouterr()
            run(search, f"index={folder}", "image=query.png", "format=json", "sheet=null", *words)
            answers.append(json.loads(capsys.readouterr().out)["queries"][0]["hits"])
    assert answers[0][0]["distance"] == pytest.approx(0, abs=1e-4)
    for hits in answers[1:]:
        assert [hit["id"] for hit in hits] == [hit["id"] for hit in answers[0]]
        distances = [hit["distance"] for hit in answers[0]]
        assert [hit["distance"] for hit in hits] == pytest.approx(distances, abs=1e-4)


def test_a_run_of_stage_one_exports_its_own_head(capsys):
    exported("ckpt=classifier/checkpoints/last.ckpt", "out=one")
    assert "head: classifier/checkpoints/last.ckpt" in capsys.readouterr().out
    assert open_bundle("one").graph_of == {"embedding": "model.onnx", "logits": "model.onnx"}


def test_a_head_that_is_gone_is_told(home, capsys, tmp_path):
    gone = home / "classifier/checkpoints/best.ckpt"
    shutil.copytree("siamese", tmp_path / "siamese")
    Path("classifier").rename("moved")
    try:
        exported(f"ckpt={tmp_path / 'siamese'}", f"out={tmp_path / 'b'}")
        assert f"head: none (the classifier {gone}, where" in capsys.readouterr().out
        exported(f"ckpt={tmp_path / 'siamese'}", f"out={tmp_path / 'b'}", "head=moved")
        assert "head: moved/checkpoints/best.ckpt" in capsys.readouterr().out
    finally:
        Path("moved").rename("classifier")


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ([], "ckpt= is missing: give a run folder"),
        (["ckpt=nowhere"], "'nowhere' does not exist"),
        (["ckpt=siamese", "golden=silver"], "golden=silver: choose one of auto, drawn"),
        (["ckpt=siamese", "head=siamese"], "head=siamese does not fit: stage siamese, needed classifier"),
        (["ckpt=siamese", "out=siamese"], "siamese holds .*: give a bundle a folder of its own"),
    ],
    ids=str,
)
def test_what_cannot_be_exported_is_told(overrides, said):
    with pytest.raises(ValueError, match=said) as caught:
        exported(*overrides)
    assert "\n" not in str(caught.value)


def test_the_command_line_is_quiet_but_for_what_it_wrote(tmp_path):
    command = [sys.executable, "-m", "fashion_lab.export", "ckpt=siamese", f"out={tmp_path / 'b'}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 5
