"""Whether two runtimes say the same of the same pictures. N pictures, D numbers each, K neighbours."""

import numpy as np
from numpy.typing import NDArray

LIMIT = 1e-4  # relative error
NEAREST = 5
TIED = 1e-3  # relative; neighbours whose distances differ by less may change places; assumption

EQUAL = 1e-6  # of the largest distance; below it two pictures are one; assumption


def relative_error(expected_ND: NDArray[np.float32], given_ND: NDArray[np.float32]) -> float:
    """The largest |given - expected| / |expected| of a row (Euclidean lengths); infinite where not finite.

    A row that is nearly zero beside the others is measured against a thousandth of the longest.
    """
    expected, given = expected_ND.astype(np.float64), given_ND.astype(np.float64)
    if expected.shape != given.shape or not (np.isfinite(expected).all() and np.isfinite(given).all()):
        return float("inf")
    lengths_N = np.linalg.norm(expected, axis=1)
    floor = max(1e-3 * lengths_N.max(initial=0.0), np.finfo(np.float64).tiny)
    return float((np.linalg.norm(given - expected, axis=1) / np.maximum(lengths_N, floor)).max(initial=0.0))


def same_nearest(expected_ND: NDArray[np.float32], given_ND: NDArray[np.float32]) -> bool:
    """Whether each row has the same nearest others on both sides, in the same order.

    Counted by distance: what one side finds must be as near, on the other, as what that one finds itself.
    """
    ours_NN, theirs_NN = _distances(expected_ND), _distances(given_ND)
    count = min(NEAREST, len(ours_NN) - 1)
    if count < 1:
        return True
    found_NK = np.argsort(theirs_NN, axis=1, kind="stable")[:, :count]
    nearest_NK = np.sort(ours_NN, axis=1)[:, :count]
    equal = EQUAL * float(nearest_NK.max())
    return bool(np.allclose(np.take_along_axis(ours_NN, found_NK, 1), nearest_NK, rtol=TIED, atol=equal))


def disagreement(what: str, expected_ND: NDArray[np.float32], given_ND: NDArray[np.float32]) -> str | None:
    """Say in what two runtimes differ beyond rounding; None where they agree."""
    error = relative_error(expected_ND, given_ND)
    if not error < LIMIT:
        return f"{what}: relative error {error:.2g}, allowed is under {LIMIT:g}"
    if not same_nearest(expected_ND, given_ND):
        return f"{what}: a picture has other nearest {NEAREST} pictures"
    return None


def _distances(vectors_ND: NDArray[np.float32]) -> NDArray[np.float64]:
    """Euclidean distances [N, N] between rows; infinite to itself."""
    wide = vectors_ND.astype(np.float64)
    distances_NN: NDArray[np.float64] = np.linalg.norm(wide[:, None] - wide[None], axis=2)
    np.fill_diagonal(distances_NN, np.inf)
    return distances_NN
