"""Predictions of runs that held pictures back: put together by name, refused where they do not fit."""

import numpy as np
import pytest
from audit_catalogs import InMemory, encoded
from PIL import Image

from fashion_lab.audits.folds import read_predictions
from fashion_lab.outcomes import Outcomes

GREY = encoded(Image.new("L", (16, 16)))


@pytest.fixture
def catalog():
    return InMemory([GREY] * 9, classes=("a", "b"))


def fold_run(home, catalog, rows, *, stage="classifier", division="data.fold", folds=2, fold=0, **change):
    """A run's folder with what it says about some pictures: for row r, `b` by r / 10."""
    home.mkdir(parents=True)
    data = f"{{folds: {folds}, fold: {fold}}}" if division == "data.fold" else f"{{seed: {fold}}}"
    (home / "config.yaml").write_text(f"stage: {stage}\ndata: {data}\n")
    chances = np.array([[1 - row / 10, row / 10] for row in rows])
    given = {
        "catalog": catalog.name,
        "split": "validation",
        "classes": catalog.classes,
        "items_N": np.array([catalog.item(row) for row in rows]),
        "labels_N": catalog.labels[list(rows)],
        "groups_N": None,
        "scores": {"accuracy": np.ones(len(rows))},
        "probabilities_NC": chances.astype(np.float32),
    }
    Outcomes(**{**given, **change}).save(home)
    return home


def test_folds_are_put_together_by_the_names_of_pictures(tmp_path, catalog):
    runs = [
        fold_run(tmp_path / "0", catalog, [4, 1, 3], fold=0),
        fold_run(tmp_path / "1", catalog, [0, 5], fold=1),
    ]
    found = read_predictions(runs, catalog)
    assert (found.rows_N.tolist(), found.runs) == ([0, 1, 3, 4, 5], 2)
    np.testing.assert_allclose(found.probabilities_NC[:, 1], [0, 0.1, 0.3, 0.4, 0.5], rtol=1e-6)


def test_of_several_divisions_what_is_said_twice_is_averaged(tmp_path, catalog):
    first = fold_run(tmp_path / "0", catalog, [2, 3], division="data.seed")
    turned = np.array([[0.0, 1.0]], dtype=np.float32)
    second = fold_run(tmp_path / "1", catalog, [2], division="data.seed", fold=1, probabilities_NC=turned)
    found = read_predictions([first, second], catalog)
    np.testing.assert_allclose(found.probabilities_NC[:, 1], [(0.2 + 1) / 2, 0.3], rtol=1e-6)


def refused(runs, catalog):
    with pytest.raises(ValueError, match=r".") as told:
        read_predictions(runs, catalog)
    assert "\n" not in str(told.value)
    return str(told.value)


def test_what_does_not_fit_is_told(tmp_path, catalog):
    zero = fold_run(tmp_path / "0", catalog, [0, 1])
    one = fold_run(tmp_path / "1", catalog, [2, 3], fold=1)
    assert "lacks fold 1 of 2: train with data.folds=2 data.fold=1" in refused([zero], catalog)
    assert "more than once" in refused([zero, zero], catalog)
    assert "is no run" in refused([zero, tmp_path], catalog)
    assert "is no run" in refused([tmp_path / "gone"], catalog)
    seeded = fold_run(tmp_path / "seeded", catalog, [4], division="data.seed")
    assert "mixes divisions" in refused([zero, one, seeded], catalog)
    siamese = fold_run(tmp_path / "siamese", catalog, [4], stage="siamese")
    assert "stage=siamese" in refused([siamese], catalog)


def test_runs_of_another_catalog_are_told(tmp_path, catalog):
    options = {"division": "data.seed"}
    names = fold_run(tmp_path / "names", catalog, [0], items_N=np.array(["x.png"]), **options)
    assert "1 of its 1 validation pictures are not in catalog 'memory'" in refused([names], catalog)
    labels = fold_run(tmp_path / "labels", catalog, [0], labels_N=np.array([1]), **options)
    assert "under the same label, such as 0.png" in refused([labels], catalog)
    classes = fold_run(tmp_path / "classes", catalog, [0], classes=("a", "c"), **options)
    assert "knows a, c; catalog 'memory' has a, b" in refused([classes], catalog)
    without = fold_run(tmp_path / "without", catalog, [0], probabilities_NC=None, **options)
    assert "keeps no probabilities" in refused([without], catalog)
    (tmp_path / "labels" / "outcomes" / "validation.npz").unlink()
    assert "has no outcomes of its validation pictures: python -m" in refused([tmp_path / "labels"], catalog)
