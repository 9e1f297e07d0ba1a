"""Pictures worth looking at: what a classifier was surest of and wrong, and what a search found worst."""

import base64
from dataclasses import dataclass

import numpy as np

from fashion_lab.contracts.catalog import Catalog, Ints
from fashion_lab.outcomes import CORRECT, Outcomes
from fashion_lab.pictures import PictureError, jpeg, reduced

SIDE = 240  # longer side on a page, in pixels: twice what is shown, for dense screens
MISTAKES, QUERIES, HITS = 24, 8, 6  # as many as are looked at


@dataclass(frozen=True)
class Sight:
    """A picture on a page.

    Attributes:
        name: the picture's, in its catalog.
        picture: JPEG as a data address; empty where it cannot be read.
        label: its class.
        told: what it was taken for, or nothing.
        chance: how sure that was.
        distance: from the query.
        right: whether the class is the query's, or the one it was taken for.
    """

    name: str
    picture: str
    label: str
    told: str = ""
    chance: float | None = None
    distance: float | None = None
    right: bool = True


@dataclass(frozen=True)
class Search:
    """A query with its nearest, and its average precision at R."""

    query: Sight
    hits: list[Sight]
    score: float


def mistakes(outcomes: Outcomes, catalog: Catalog, rows: Ints) -> list[Sight]:
    """Show what a classifier got wrong, the surest first.

    Args:
        outcomes: of N pictures.
        catalog: theirs.
        rows: [N] their positions in it.
    """
    chances_NC = outcomes.probabilities_NC
    assert chances_NC is not None
    wrong = np.flatnonzero(outcomes.scores[CORRECT] == 0)
    surest = wrong[np.argsort(-chances_NC[wrong].max(axis=1), kind="stable")][:MISTAKES]
    return [
        Sight(
            name=str(outcomes.items_N[place]),
            picture=data_address(catalog, int(rows[place])),
            label=outcomes.classes[outcomes.labels_N[place]],
            told=outcomes.classes[int(chances_NC[place].argmax())],
            chance=float(chances_NC[place].max()),
            right=False,
        )
        for place in surest
    ]


def searches(
    outcomes: Outcomes, catalog: Catalog, rows: Ints, queries: Ints, hits_QK: Ints, distances_QK: np.ndarray
) -> list[Search]:
    """Show queries with their hits; all are places among the outcomes' pictures."""
    found = []
    for query, hits_K, distances_K in zip(queries, hits_QK, distances_QK, strict=True):
        sights = [
            _sight(outcomes, catalog, rows, int(hit), float(distance), int(outcomes.labels_N[query]))
            for hit, distance in zip(hits_K, distances_K, strict=True)
        ]
        asked = _sight(outcomes, catalog, rows, int(query))
        found.append(Search(asked, sights, float(outcomes.scores["map_at_r"][query])))
    return found


def data_address(catalog: Catalog, row: int) -> str:
    """Encode a picture so that a page has it inside."""
    try:
        with catalog.open(row) as image:
            data = jpeg(reduced(image, SIDE))
    except PictureError:
        return ""
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"


def _sight(
    outcomes: Outcomes,
    catalog: Catalog,
    rows: Ints,
    place: int,
    distance: float | None = None,
    wanted: int | None = None,
) -> Sight:
    label = int(outcomes.labels_N[place])
    return Sight(
        name=str(outcomes.items_N[place]),
        picture=data_address(catalog, int(rows[place])),
        label=outcomes.classes[label],
        distance=distance,
        right=wanted is None or label == wanted,
    )
