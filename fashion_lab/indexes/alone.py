"""One query among few vectors, which is what a page asks: `nearest_in` without what many queries need.

NumPy's calls, not its arithmetic, take the time there: half as many take half as long, measured.
Shape suffixes: N gallery, D embedding, P candidates, K hits.
"""

import numpy as np
from numpy.typing import NDArray

from fashion_lab.contracts.index import Neighbours
from fashion_lab.indexes.rows import Rows
from fashion_lab.indexes.scan import Scan, upper_bounds

MINUS_TWO = np.float32(-2)


def nearest_alone(scan: Scan, rows: Rows, query_D: NDArray[np.float32], k: int) -> Neighbours:
    """Find the k nearest of the rows of a scan that has one block, ties by id."""
    (columns_EN,) = scan.blocks
    centred_D = query_D - scan.mean_D
    scores_N = (centred_D * MINUS_TWO) @ columns_EN[:-1]
    scores_N += columns_EN[-1]
    limit = upper_bounds(scores_N[None], k)[0] + scan.slack * (centred_D @ centred_D + scan.largest_square)
    (row_P,) = (scores_N <= limit).nonzero()
    offsets_PD = rows.vectors_ND[row_P].astype(np.float64)
    offsets_PD -= query_D
    distance_P = np.sqrt(np.einsum("pd,pd->p", offsets_PD, offsets_PD)).astype(np.float32)
    best_K = distance_P.argsort(kind="stable")[:k]
    return Neighbours(rows.ids_N[row_P[best_K]][None], distance_P[best_K][None])
