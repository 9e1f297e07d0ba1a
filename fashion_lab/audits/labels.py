"""Likely label errors: pictures that classifiers who never saw them are sure to be of another class.

Confident learning (Northcutt, Jiang and Chuang 2021, doi:10.1613/jair.1.12125), by cleanlab. N pictures, C
classes.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from fashion_lab.audits.contract import Check, Finding, Report, Table, counted, skipped
from fashion_lab.audits.folds import Predictions
from fashion_lab.audits.material import Pictures
from fashion_lab.contracts.catalog import Ints

TITLE = "Labels"
KIND = "likely errors"
FOLDS = 3  # of the command that is shown: as in the committed studies
DIVISIONS = 5  # of a fifth each, the default: two thirds of the pictures are held back at least once


def labels_check(predictions: Predictions) -> Check:
    """Make the check from out-of-fold predictions."""
    return partial(check_labels, predictions=predictions)


def check_labels(pictures: Pictures, *, predictions: Predictions) -> Report:
    """Find the pictures whose label is likely wrong, the least believed label first."""
    catalog, rows_N, chances_NC = pictures.catalog, predictions.rows_N, predictions.probabilities_NC
    labels_N = catalog.labels[rows_N]
    if len(np.unique(labels_N)) < 2:
        return skipped(TITLE, f"the runs judge {counted(len(rows_N), 'picture')} of one class")
    doubted = likely_errors(labels_N, chances_NC)
    told_N = chances_NC.argmax(axis=1)
    findings = [
        Finding(
            kind=KIND,
            pictures=(int(rows_N[at]),),
            value=float(chances_NC[at, told_N[at]]),
            why=(
                f"suggested {catalog.classes[told_N[at]]} {chances_NC[at, told_N[at]]:.1%}, "
                f"given {catalog.classes[labels_N[at]]} {chances_NC[at, labels_N[at]]:.1%}"
            ),
        )
        for at in doubted
    ]
    right = float((told_N == labels_N).mean())
    judged = f"{len(rows_N):,} of {len(pictures):,} pictures judged"
    return Report(
        title=TITLE,
        summary=(
            f"{counted(len(findings), 'likely label error')} ({judged} by "
            f"{counted(predictions.runs, 'run')} that held them back, right on {right:.1%})"
        ),
        notes=[
            "Each picture is judged by a run that did not learn from it, though its best epoch may be picked "
            "by what it held back. Listed is what confident learning takes for a wrong label; where the runs "
            "are often wrong, hard pictures with the right label are listed too. Look before anything is "
            "changed.",
        ],
        findings=findings,
        numbers={
            "judged": len(rows_N),
            "runs": predictions.runs,
            "out_of_fold_accuracy": right,
            "likely_errors": len(findings),
        },
        table=_table(catalog.classes, labels_N, doubted),
    )


def likely_errors(labels_N: Ints, chances_NC: NDArray[np.float64]) -> Ints:
    """Give places among N whose label is likely wrong, those first whose given label is least likely."""
    from cleanlab.filter import find_label_issues

    there = np.unique(labels_N)  # cleanlab wants every class to have a picture
    chances = chances_NC[:, there]
    chances = chances / np.maximum(chances.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    doubted = find_label_issues(
        np.searchsorted(there, labels_N), chances, return_indices_ranked_by="self_confidence", n_jobs=1
    )
    return np.asarray(doubted, dtype=np.int64)


def _table(classes: tuple[str, ...], labels_N: Ints, doubted: Ints) -> Table:
    counts, of = (np.bincount(some, minlength=len(classes)) for some in (labels_N[doubted], labels_N))
    rows = [
        [name, f"{total:,}", f"{count:,}", f"{count / total:.1%}" if total else ""]
        for name, count, total in zip(classes, counts, of, strict=True)
    ]
    return Table(head=["given class", "judged", "likely errors", "share"], rows=rows)


def no_labels_check(commands: Sequence[str]) -> Check:
    """Make the check that says how to get the runs which it needs."""
    return lambda pictures: skipped(TITLE, "needs runs that held pictures back", how=commands)


def how_to_judge(name: str, words: Sequence[str], by: str | None) -> list[str]:
    """Write two commands: train the runs that can judge a catalog, and audit it with them.

    Args:
        name: of the catalog.
        words: of the command line, that say which it is.
        by: what makes runs hold back other pictures: `data.fold`, and all are judged; `data.seed`, and most
            are; None: the validation split alone is.
    """
    home = f"outputs/audit-runs/{name}"
    said = [word for word in words if word.partition("=")[0] not in ("data.folds", by)]
    count = {"data.fold": FOLDS, "data.seed": DIVISIONS}.get(by or "", 1)
    numbers = ",".join(map(str, range(count)))
    vary = [f"data.folds={FOLDS}"] if by == "data.fold" else []
    vary.append(f"{by or 'seed'}={numbers}")
    runs = ",".join(f"{home}/{number}" for number in range(count))
    train = ["python -m fashion_lab.train -m stage=classifier", *said, *vary, f"hydra.sweep.dir={home}"]
    return [" ".join(train), " ".join(["python -m fashion_lab.audit", *said, f"'runs=[{runs}]'"])]
