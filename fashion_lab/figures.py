"""Pictures of what a network does, from arrays alone: what it was fed, what it takes for what, what it finds.

N pictures, S their side, C classes, Q queries, K hits. Pixels are uint8 [N, 3, S, S].
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fashion_lab.cards import Card, Look
from fashion_lab.sheet import Row, card_grid, contact_sheet

Pixels = NDArray[np.uint8]
Ints = NDArray[np.int64]
Floats = NDArray[np.float32]

BOARD = Look(
    picture=112, padding=8, gap=8, margin=16, radius=8, headline=20, text=14, small=12, verdict_frame=True
)
DARK = 0.55  # share of a confusion cell's colour above which black ink is hard to read on it; tried out


def picture_of(pixels_3SS: Pixels) -> Image.Image:
    """Make one picture from its pixels."""
    return Image.fromarray(np.ascontiguousarray(pixels_3SS.transpose(1, 2, 0)))


def picture_grid(
    pixels: Pixels,
    captions: Sequence[str],
    details: Sequence[str] = (),
    *,
    columns: int,
    title: str,
    subtitle: str = "",
    labels: Sequence[str] = (),
) -> Image.Image:
    """Draw pictures row by row, each with a caption and perhaps a detail; `labels` names the rows."""
    texts = zip(captions, details or [""] * len(captions), strict=True)
    cards = [Card(picture_of(one), *text) for one, text in zip(pixels, texts, strict=True)]
    rows = [cards[start : start + columns] for start in range(0, len(cards), columns)]
    look = replace(BOARD, details=bool(details))
    return card_grid(rows, title=title, subtitle=subtitle, labels=labels, look=look)


def pick_per_class(labels_N: Ints, num_classes: int, per_class: int, *, seed: int = 0) -> list[Ints]:
    """Draw positions for each of C classes, in order: all of them where a class has fewer than asked for."""
    rng = np.random.default_rng(seed)
    places = (np.flatnonzero(labels_N == label) for label in range(num_classes))
    return [np.sort(rng.permutation(place)[:per_class]).astype(np.int64) for place in places]


def prediction_sheet(
    pixels: Pixels,
    labels_N: Ints,
    probabilities_NC: Floats,
    classes: Sequence[str],
    *,
    title: str,
    subtitle: str = "",
) -> Image.Image:
    """Draw a row for each true class: predicted class, its probability, right or wrong by frame and mark."""
    rows: list[list[Card]] = [[] for _ in classes]
    for one, label, probabilities in zip(pixels, labels_N, probabilities_NC, strict=True):
        guess = int(probabilities.argmax())
        share = f"{probabilities[guess]:.0%}"
        rows[label].append(Card(picture_of(one), classes[guess], share, verdict=guess == label))
    labels = [name if row else f"{name}: none" for name, row in zip(classes, rows, strict=True)]
    return card_grid(rows, title=title, subtitle=subtitle, labels=labels, look=BOARD)


@dataclass(frozen=True)
class Found:
    """Q queries and their hits, nearest first, as positions in the same N pictures.

    Attributes:
        queries: [Q].
        hits: [Q, K].
        distances: [Q, K]; smaller is closer; infinite where there is no further hit.
        scores: [Q] average precision among the nearest R (MAP@R of one query).
    """

    queries: Ints
    hits: Ints
    distances: Floats
    scores: Floats


def query_sheet(
    found: Found, pixels: Pixels, labels_N: Ints, classes: Sequence[str], *, title: str, subtitle: str = ""
) -> Image.Image:
    """Draw each query with its hits: class and distance, right where the class is the query's."""
    rows = []
    for query, hits, distances, score in zip(
        found.queries, found.hits, found.distances, found.scores, strict=True
    ):
        left = Card(picture_of(pixels[query]), classes[labels_N[query]], f"AP@R {score:.2f}")
        right = [
            Card(
                picture_of(pixels[hit]),
                classes[labels_N[hit]],
                f"distance {distance:.2f}",
                badge=str(rank),
                verdict=bool(labels_N[hit] == labels_N[query]),
            )
            for rank, (hit, distance) in enumerate(zip(hits, distances, strict=True), start=1)
            if np.isfinite(distance)
        ]
        rows.append(Row(left, right))
    return contact_sheet(rows, title=title, subtitle=subtitle, look=BOARD)


def confusion_figure(confusion_CC: Ints, classes: Sequence[str], *, title: str) -> Image.Image:
    """Draw counts of true (rows) and predicted classes, coloured by the share of the true class."""
    from matplotlib.figure import Figure  # takes a second to import, and not every run draws

    totals = confusion_CC.sum(1, keepdims=True)
    shares = confusion_CC / np.maximum(totals, 1)
    side = 2.2 + 0.72 * len(classes)  # inches: the cells stay as large however many there are
    figure = Figure(figsize=(max(side + 0.6, 5), max(side, 4)), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    shown = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    names = [f"{name} ({total or 'none'})" for name, total in zip(classes, totals[:, 0], strict=True)]
    axes.set_xticks(
        range(len(classes)), classes, rotation=40, ha="right", rotation_mode="anchor", fontsize=12
    )
    axes.set_yticks(range(len(classes)), names, fontsize=12)
    axes.set_xlabel("predicted class", fontsize=12)
    axes.set_ylabel("true class (pictures)", fontsize=12)
    axes.set_title(title, fontsize=13, pad=12)
    for (row, column), count in np.ndenumerate(confusion_CC):
        if count:
            ink = "white" if shares[row, column] > DARK else "black"
            text = f"{count}\n{shares[row, column]:.0%}"
            axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=11)
    figure.colorbar(shown, ax=axes, shrink=0.8, label="share of the true class")
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return Image.open(file).convert("RGB")
