"""Ways to divide labelled pictures: stratified by class, or into folds with groups kept apart."""

import numpy as np

from fashion_lab.contracts.catalog import Ints


def carve(labels: Ints, *, share: float, seed: int) -> tuple[Ints, Ints]:
    """Divide positions [N] into (rest, carved): `share` of every class, at least one picture on both sides.

    A class draws from its own generator, so its division does not depend on the other classes.
    """
    carved = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        if len(rows) < 2:
            raise ValueError(f"class {label} has {len(rows)} picture: 2 or more are needed to divide it")
        count = min(max(round(len(rows) * share), 1), len(rows) - 1)
        carved[np.random.default_rng([seed, int(label)]).permutation(rows)[:count]] = True
    return np.flatnonzero(~carved), np.flatnonzero(carved)


def folds_apart(labels: Ints, groups: Ints, *, folds: int) -> Ints:
    """Give every picture a fold, [N] 0 .. folds-1, so that no group is in two of them.

    Greedy, the largest group first (ties by group number): each goes where the folds' class counts, as
    shares of their class, then have the smallest sum of squares, and so into the fold that lacks its classes
    most. Folds are as even as the largest group allows. Nothing is drawn: the same folds everywhere.
    """
    names, members = np.unique(groups, return_inverse=True)
    if not 2 <= folds <= len(names):
        raise ValueError(f"folds={folds}: give 2 .. {len(names)}, the number of groups")
    counts = np.zeros((len(names), int(labels.max()) + 1))
    np.add.at(counts, (members, labels), 1)
    shares = counts / np.maximum(counts.sum(axis=0), 1)
    filled, fold_of = np.zeros((folds, shares.shape[1])), np.zeros(len(names), dtype=np.int64)
    for group in np.argsort(-counts.sum(axis=1), kind="stable"):
        growth = ((filled + shares[group]) ** 2 - filled**2).sum(axis=1)
        fold_of[group] = np.argmin(growth.round(12))  # rounded, so that ties break alike on every machine
        filled[fold_of[group]] += shares[group]
    return fold_of[members]
