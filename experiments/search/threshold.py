"""Does "nothing like it here" hold in catalogs of any size? One threshold against one that follows the size.

python experiments/search/threshold.py outputs/siamese/<time>

Half of the validation pictures teach, in all training pictures; the other half ask in a drawn part of these,
each one's own sender hidden. 40 draws of halves and parts. Writes threshold.md beside this file.
"""

import sys
from pathlib import Path

import numpy as np

from fashion_lab.calibration import calibrate
from fashion_lab.checkpoint import RECORD, find, read
from fashion_lab.config import build
from fashion_lab.data.pixels import PixelStore
from fashion_lab.encoders import load
from fashion_lab.nearness import Examples

SIZES, DRAWS = (70, 140, 280, 600, 1200, 2400), 40


def some_of(examples: Examples, rows) -> Examples:
    return Examples(
        vectors_ND=examples.vectors_ND[rows],
        labels_N=examples.labels_N[rows],
        groups_N=examples.groups_N[rows],
    )


def nearest(queries: Examples, gallery: Examples):
    """The nearest item of all and of other classes, of the queries that have one of their own."""
    distance = np.linalg.norm(queries.vectors_ND[:, None] - gallery.vectors_ND, axis=2)
    distance[queries.groups_N[:, None] == gallery.groups_N] = np.inf
    same = queries.labels_N[:, None] == gallery.labels_N
    known = np.isfinite(np.where(same, distance, np.inf).min(axis=1))
    return distance[known].min(axis=1), np.where(same, np.inf, distance)[known].min(axis=1)


def main(run: str) -> str:
    encoder = load(run, runtime="torch")
    catalog = build(read(find(run))[RECORD]["config"]["data"])
    store = PixelStore.open(catalog, encoder.pixels)
    queries, gallery = (
        Examples(
            vectors_ND=encoder.embed(store.at(rows)),
            labels_N=catalog.labels[rows],
            groups_N=catalog.groups[rows],
        )
        for rows in (store.keep_readable(catalog.splits[name]) for name in ("validation", "train"))
    )
    shares = np.zeros((len(SIZES), DRAWS, 4))
    for draw in range(DRAWS):
        rng = np.random.default_rng(draw)
        order = rng.permutation(len(queries.labels_N))
        half = len(order) // 2
        means = calibrate(some_of(queries, order[:half]), gallery, made_from="half")
        for number, size in enumerate(SIZES):
            part = rng.permutation(len(gallery.labels_N))[:size]
            there, gone = nearest(some_of(queries, order[half:]), some_of(gallery, part))
            one, followed = means.thresholds[-1][1], means.threshold(size)
            called = (there > one, there > followed, gone > one, gone > followed)
            shares[number, draw] = [strange.mean() for strange in called]
    lines = [
        "| items | called strange, class there: one threshold | by size | class taken out: one | by size |",
        "|---:|---:|---:|---:|---:|",
    ]
    for size, row in zip(SIZES, shares.mean(axis=1), strict=True):
        lines.append(f"| {size} | " + " | ".join(f"{share:.1%}" for share in row) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    table = main(sys.argv[1])
    print(table)
    Path(__file__).with_name("threshold.md").write_text(table)
