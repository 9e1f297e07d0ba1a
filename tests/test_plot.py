"""The plot of a report: one row of panels a study, names that do not cover each other."""

import itertools
import math

import numpy as np
import pytest
from PIL import Image
from test_studies import save_run

from fashion_lab.studies.labels import Box, free_place
from fashion_lab.studies.plot import SUFFIXES, save_plot
from fashion_lab.studies.runs import find_runs
from fashion_lab.studies.tables import summary

PANEL = Box(0, 0, 400, 300)


def test_names_cover_neither_each_other_nor_points():
    points = np.random.default_rng(0).uniform((30, 30), (370, 270), size=(12, 2)).tolist()
    taken = [Box(x - 4, y - 4, x + 4, y + 4) for x, y in points]
    names = []
    for x, y in points:
        place = free_place((x, y), (60, 10), [*taken, *names], PANEL)
        assert place is not None
        assert place.is_in(PANEL)
        names.append(place)
    assert not any(one.meets(other) for one, other in itertools.combinations(names, 2))
    assert not any(name.meets(mark) for name in names for mark in taken)


def test_a_lonely_name_is_right_of_its_point_and_at_an_edge_left():
    assert free_place((100, 100), (60, 10), [], PANEL) == Box(107, 95, 167, 105)
    assert free_place((390, 100), (60, 10), [], PANEL) == Box(323, 95, 383, 105)


def test_without_a_place_there_is_no_name():
    assert free_place((100, 100), (60, 10), [PANEL], PANEL) is None
    assert free_place((100, 100), (500, 10), [], PANEL) is None


def test_edges_may_touch():
    assert not Box(0, 0, 1, 1).meets(Box(1, 0, 2, 1))
    assert Box(0, 0, 1, 1).meets(Box(0.9, 0.9, 2, 2))


def report(root, runs, **changes):
    for number in range(runs):
        config = {"optimizer.lr": number}
        save_run(
            root / str(number),
            0.5 + number / 100,
            f"optimizer.lr={number}",
            config=config,
            parameters=1000 * (number + 1),
            **changes,
        )
    return summary(*find_runs([root]))


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("runs", [1, 3, 20])
def test_every_kind_of_file(suffix, runs, tmp_path):
    path = tmp_path / f"plot{suffix}"
    save_plot(report(tmp_path / "runs", runs), path)
    assert path.stat().st_size > 5_000


def test_a_study_has_a_row_of_its_own(tmp_path):
    heights = []
    for stages in (["classifier"], ["classifier", "siamese"]):
        root = tmp_path / str(len(stages))
        for stage in stages:
            save_run(root / stage, 0.8, stage=stage)
        save_plot(summary(*find_runs([root])), root / "plot.png")
        with Image.open(root / "plot.png") as image:
            heights.append(image.height)
            assert np.asarray(image.convert("L")).std() > 10
    assert heights[1] == 2 * heights[0]


@pytest.mark.parametrize("changes", [{"seconds": {"total": 0.0}}, {"parameters": 0}], ids=str)
def test_nothing_is_a_cost_too(changes, tmp_path):
    save_run(tmp_path / "a", 0.8, **changes)
    save_run(tmp_path / "b", 0.9, config={"optimizer.lr": 2})
    save_plot(summary(*find_runs([tmp_path])), tmp_path / "plot.png")


def test_what_is_not_a_number_is_not_drawn(tmp_path):
    save_run(tmp_path / "a", math.nan)
    save_plot(summary(*find_runs([tmp_path])), tmp_path / "plot.png")
