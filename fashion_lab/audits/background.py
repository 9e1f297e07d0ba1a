"""The background probe: how far the border of a picture, which shows no garment, gets by itself.

N pictures, P numbers of each, S the side of the small ones.
"""

import warnings

import numpy as np
from numpy.typing import NDArray

from fashion_lab.audits.contract import Report, Table, skipped
from fashion_lab.audits.material import SMALL, Pictures
from fashion_lab.catalogs.splits import folds_apart
from fashion_lab.contracts.catalog import Ints
from fashion_lab.studies.resampling import Interval, bootstrap, mean_of

TITLE = "Background"
RING = 2  # pixels of 32 on each side: 23% of a picture; garments that reach its edge are in it too
STRENGTH = 0.01  # scikit-learn's C; of 0.001 and 0.01 the better for data=clothing's borders: 0.442, 0.464
MOST = 5_000  # pictures learned from, and asked about: seconds instead of minutes; assumption
FOLDS = 3  # of the training pictures, with senders apart; as in the committed studies
TRAIN, VALIDATION = "train", "validation"


def check_background(pictures: Pictures) -> Report:
    """Learn classes from borders, and from whole pictures, and ask about validation."""
    train, asked = (_some(pictures.rows(split)) for split in (TRAIN, VALIDATION))
    labels_N = pictures.catalog.labels
    if len(np.unique(labels_N[train])) < 2 or not len(asked):
        return skipped(TITLE, "needs readable train pictures of two classes, and validation pictures")
    majority = np.bincount(labels_N[train]).argmax()
    found = {"largest class": _accuracy(pictures, asked, labels_N[asked] == majority)}
    for name, pixels_NP in (("border", border(pictures.small_N3SS)), ("whole picture", _whole(pictures))):
        told = predicted(pixels_NP[train], labels_N[train], pixels_NP[asked])
        found[name] = _accuracy(pictures, asked, told == labels_N[asked])
    apart = _with_senders_apart(pictures, train)
    if apart is not None:
        found["largest class of train"] = _accuracy(pictures, train, labels_N[train] == majority)
        found["border, senders apart"] = apart
    got, floor = found["border"].value, found["largest class"].value
    told_apart = ""
    if apart is not None:
        of = found["largest class of train"].value
        told_apart = f"; where no sender is shared {apart.value:.0%} of train, largest class {of:.0%}"
    return Report(
        title=TITLE,
        summary=(
            f"border alone {got:.0%} of {VALIDATION}, largest class {floor:.0%}, whole picture "
            f"{found['whole picture'].value:.0%}{told_apart}"
        ),
        notes=[
            f"Logistic regression on {SMALL.size} x {SMALL.size} pixels, on the outermost {RING} alone and "
            f"on all, learned from {len(train):,} pictures of {TRAIN}. What the border alone gets above the "
            "largest class is background that goes with the class, garments that reach the edge, or, where "
            "senders are shared, the sender's floor. Senders apart: folds of train that share no sender.",
        ],
        numbers={
            key: value
            for name, one in found.items()
            for key, value in _named(name.replace(",", "").replace(" ", "_"), one).items()
        },
        table=Table(
            head=["learned from", "accuracy", "95% interval"],
            rows=[
                [name, f"{one.value:.3f}", f"{one.low:.3f} to {one.high:.3f}"] for name, one in found.items()
            ],
        ),
    )


def border(small_N3SS: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Take the outermost pixels: [N, P]."""
    side = small_N3SS.shape[-1]
    inside = slice(RING, side - RING)
    ring_SS = np.ones((side, side), dtype=bool)
    ring_SS[inside, inside] = False
    return np.asarray(small_N3SS[:, :, ring_SS].reshape(len(small_N3SS), -1))


def predicted(learned_NP: NDArray[np.uint8], labels_N: Ints, asked_NP: NDArray[np.uint8]) -> Ints:
    """Learn labels from pixels, and tell those of others."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH, max_iter=500))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the last digits of a probe do not matter
        model.fit(learned_NP.astype(np.float32), labels_N)
    return np.asarray(model.predict(asked_NP.astype(np.float32)))


def _with_senders_apart(pictures: Pictures, train: Ints) -> Interval | None:
    """Give the border's accuracy over folds of train; None where senders are unknown or fewer than folds."""
    groups_N, labels_N = pictures.catalog.groups, pictures.catalog.labels[train]
    if groups_N is None or len(np.unique(groups_N[train])) < FOLDS:
        return None
    pixels_NP, right_N = border(pictures.small_N3SS[train]), np.zeros(len(train), dtype=bool)
    fold_N = folds_apart(labels_N, groups_N[train], folds=FOLDS)
    for fold in range(FOLDS):
        held = fold_N == fold
        if not held.any():  # fewer pictures than make a fold of each
            continue
        if len(np.unique(labels_N[~held])) < 2:
            return None
        right_N[held] = predicted(pixels_NP[~held], labels_N[~held], pixels_NP[held]) == labels_N[held]
    return _accuracy(pictures, train, right_N)


def _accuracy(pictures: Pictures, rows: Ints, right_N: NDArray[np.bool_]) -> Interval:
    groups_N = pictures.catalog.groups
    return bootstrap(
        mean_of(right_N.astype(np.float64)), len(rows), None if groups_N is None else groups_N[rows]
    )


def _whole(pictures: Pictures) -> NDArray[np.uint8]:
    return pictures.small_N3SS.reshape(len(pictures), -1)


def _some(rows: Ints) -> Ints:
    """Take as many as are looked at, the same ones each time."""
    if len(rows) <= MOST:
        return rows
    return np.sort(np.random.default_rng(0).choice(rows, MOST, replace=False))


def _named(name: str, found: Interval) -> dict[str, float]:
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
