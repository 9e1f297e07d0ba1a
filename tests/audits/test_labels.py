"""Likely label errors: labels that were swapped are found, those that were not are left alone."""

import numpy as np
import pytest
from audit_catalogs import encoded, pictures_of
from PIL import Image

from fashion_lab.audits.folds import Predictions
from fashion_lab.audits.labels import check_labels, how_to_judge, likely_errors, no_labels_check

GREY = encoded(Image.new("L", (16, 16)))
CLASSES = ("a", "b", "c")


def judged(count=120, swapped=(4, 33, 70), seed=0):
    """Labels, of which some are another's, and what a good classifier says."""
    true = np.arange(count) % 3
    rng = np.random.default_rng(seed)
    sure = rng.uniform(0.5, 0.95, count)
    sure[list(swapped)] = 0.97
    chances = np.repeat((1 - sure[:, None]) / 2, 3, axis=1)
    chances[np.arange(count), true] = sure
    labels = true.copy()
    labels[list(swapped)] = (true[list(swapped)] + 1) % 3
    return labels, chances, true


def test_swapped_labels_are_found_with_what_they_were():
    labels, chances, true = judged()
    pictures = pictures_of([GREY] * 125, [*labels, 0, 0, 0, 0, 0], classes=CLASSES)
    rows = np.arange(120)
    report = check_labels(pictures, predictions=Predictions(rows_N=rows, probabilities_NC=chances, runs=3))
    assert {finding.pictures for finding in report.findings} == {(4,), (33,), (70,)}
    for finding in report.findings:
        (row,) = finding.pictures
        assert finding.value == pytest.approx(chances[row].max())
        assert f"suggested {CLASSES[true[row]]} {chances[row].max():.1%}" in finding.why
        assert f"given {CLASSES[labels[row]]} " in finding.why
    beliefs = [chances[one.pictures[0], labels[one.pictures[0]]] for one in report.findings]
    assert beliefs == sorted(beliefs)
    assert report.numbers["out_of_fold_accuracy"] == pytest.approx(117 / 120)
    assert report.summary.startswith("3 likely label errors (120 of 125 pictures judged by 3 runs")
    assert report.table.rows[0][:2] == ["a", str((labels == 0).sum())]


def test_right_labels_are_left_alone():
    labels, chances, _ = judged(swapped=[])
    assert len(likely_errors(labels, chances)) == 0


def test_the_least_believed_label_comes_first_even_where_another_is_further_behind():
    labels, chances, _ = judged(swapped=(4, 33))
    for at, (given, told) in {4: (0.08, 0.91), 33: (0.04, 0.78)}.items():  # 33 has the narrower margin
        chances[at] = 1 - given - told
        chances[at, labels[at]], chances[at, (labels[at] - 1) % 3] = given, told
    assert likely_errors(labels, chances).tolist() == [33, 4]


@pytest.mark.parametrize("lacking", [0, 1, 2])
def test_a_class_without_judged_pictures_is_no_error(lacking):
    """What the others hold is found all the same; no picture is listed whose label the runs believe."""
    labels, chances, true = judged(swapped=range(9))
    kept = np.flatnonzero((labels != lacking) & (true != lacking))
    found = kept[likely_errors(labels[kept], chances[kept])]
    assert sorted(found) == [at for at in range(9) if at in kept]
    assert len(found)


def test_one_class_is_skipped():
    predictions = Predictions(rows_N=np.arange(3), probabilities_NC=np.full((3, 3), 1 / 3), runs=1)
    assert check_labels(pictures_of([GREY] * 3, [0, 0, 0], classes=CLASSES), predictions=predictions).skipped


def test_without_runs_it_says_how_to_get_them():
    commands = how_to_judge("clothing", ["data=clothing", "data.fold=1", "data.folds=5"], "data.fold")
    assert commands == [
        "python -m fashion_lab.train -m stage=classifier data=clothing data.folds=3 data.fold=0,1,2 "
        "hydra.sweep.dir=outputs/audit-runs/clothing",
        "python -m fashion_lab.audit data=clothing 'runs=[outputs/audit-runs/clothing/0,"
        "outputs/audit-runs/clothing/1,outputs/audit-runs/clothing/2]'",
    ]
    report = no_labels_check(commands)(pictures_of([GREY] * 3))
    assert report.skipped
    assert report.how == commands
    train, again = how_to_judge("shop", ["data=folder", "data.root=x", "data.seed=7"], "data.seed")
    assert "data.root=x data.seed=0,1,2,3,4 " in train
    assert again.count("outputs/audit-runs/shop/") == 5
    assert " seed=0 " in how_to_judge("synthetic", ["data=synthetic"], None)[0]
