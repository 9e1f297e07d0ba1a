"""Did stage 2 help? What tells it, by how much, and how a person is told."""

import io
from dataclasses import asdict

import numpy as np
import pytest
from rich.console import Console
from toys import ToyCatalog

from fashion_lab.comparison import STAGE_2, compare, gains, table_of, told_by
from fashion_lab.evaluation import raw_pixels

OTHERS = ("raw pixels", "stage 1")


@pytest.fixture
def after():
    catalog = ToyCatalog(per_class=12)
    catalog.groups = np.arange(len(catalog)) % 4
    return raw_pixels(catalog, catalog.store(), "validation")


def worse(outcomes):
    """The same pictures, with a tenth less of everything."""
    scores = {name: scores_N - 0.1 for name, scores_N in outcomes.scores.items()}
    return type(outcomes)(**{**vars(outcomes), "scores": scores})


def test_hidden_senders_are_told_too(after):
    assert told_by(after, "class") == (
        *("map_at_r", "precision_at_1", "precision_at_5"),
        *("other_senders/map_at_r", "other_senders/precision_at_1", "other_senders/precision_at_5"),
    )
    assert told_by(after, "product") == (
        *("product/map_at_r", "product/precision_at_1", "product/precision_at_5"),
    )


def test_what_no_query_has_an_answer_to_is_not_told():
    catalog = ToyCatalog()
    catalog.groups = np.zeros(len(catalog), np.int64)
    outcomes = raw_pixels(catalog, catalog.store(), "validation")
    assert told_by(outcomes, "class") == ("map_at_r", "precision_at_1", "precision_at_5")


def test_a_gain_on_each_embedding_is_shown(after):
    told, others = told_by(after, "class"), dict.fromkeys(OTHERS, worse(after))
    found = gains(after, others, told)
    assert found["raw pixels"]["other_senders/map_at_r"].value == pytest.approx(0.1)
    assert found["raw pixels"]["map_at_r"].units == len(set(after.groups_N.tolist()))
    gained = {name: {key: asdict(one) for key, one in each.items()} for name, each in found.items()}
    compared = compare({**others, STAGE_2: after}, told)
    console = Console(file=io.StringIO(), width=200)
    console.print(table_of({"compared": compared, "gained": gained}))
    text = console.file.getvalue()
    assert text.count("stage 2 less raw pixels") == text.count("stage 2 less stage 1") == 2
    assert text.count("+0.100 [+0.100, +0.100]") == 12
    assert "the query's sender hidden" in text
