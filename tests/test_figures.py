"""Figures: right and wrong are marked, nothing falls out, and classes without pictures are no accident."""

import numpy as np
import pytest

from fashion_lab.cards import RIGHT, WRONG
from fashion_lab.figures import (
    BOARD,
    Found,
    confusion_figure,
    pick_per_class,
    picture_grid,
    prediction_sheet,
    query_sheet,
)
from fashion_lab.sheet import Card, card_grid

CLASSES = ("dress", "hat", "longsleeve")
RED, BLUE, GREEN = (210, 10, 10), (10, 10, 210), (10, 210, 10)


def flat(*colours, side=16):
    """Pictures of one colour each: uint8 [N, 3, side, side]."""
    return np.stack([np.full((side, side, 3), one, np.uint8).transpose(2, 0, 1) for one in colours])


def count(image, colour):
    return int((np.asarray(image) == colour).all(-1).sum())


def one_prediction(label, guess):
    probabilities = np.full((1, 3), 0.1, np.float32)
    probabilities[0, guess] = 0.8
    return prediction_sheet(flat(BLUE), np.array([label]), probabilities, CLASSES, title="t")


def grey(image):
    return np.asarray(image.convert("L")).astype(int)


def test_right_and_wrong_differ_in_frame_and_without_colour_too():
    right, wrong = one_prediction(1, 1), one_prediction(0, 1)
    assert count(right, RIGHT) > 500
    assert count(right, WRONG) == 0
    assert count(wrong, WRONG) > 500
    assert count(wrong, RIGHT) == 0
    marks = [
        query_sheet(found([1], distances=[0.5]), flat(BLUE, BLUE), np.array(labels), CLASSES, title="t")
        for labels in ([0, 0], [0, 1])
    ]
    light = [grey(image) > 200 for image in marks]
    disc = (slice(BOARD.margin * 2 + BOARD.headline + BOARD.picture, None), slice(-50, None))
    assert (light[0][disc] != light[1][disc]).sum() > 20, "tick and cross look the same without colour"


def test_a_row_of_each_true_class():
    pixels = flat(RED, BLUE, GREEN, BLUE)
    probabilities = np.eye(3, dtype=np.float32)[[0, 0, 0, 0]]
    sheet = prediction_sheet(pixels, np.array([2, 0, 2, 0]), probabilities, CLASSES, title="t")
    rows = {colour: np.argwhere((np.asarray(sheet) == colour).all(-1))[:, 0] for colour in (RED, BLUE, GREEN)}
    assert rows[BLUE].max() < rows[RED].min(), "dresses come in the first row, whatever their order"
    assert rows[RED].min() == rows[GREEN].min()
    gap = rows[RED].min() - rows[BLUE].min()
    assert gap == 2 * (BOARD.height + BOARD.gap), "hats have a row too, an empty one"


def test_pick_per_class():
    labels = np.array([0, 2, 0, 0, 2, 0])
    picks = pick_per_class(labels, 3, 3)
    assert [len(pick) for pick in picks] == [3, 0, 2]
    assert all((labels[pick] == label).all() for label, pick in enumerate(picks))
    assert len(set(picks[0].tolist())) == 3
    again = pick_per_class(labels, 3, 3)
    assert all(np.array_equal(one, other) for one, other in zip(picks, again, strict=True))
    others = [pick_per_class(labels, 3, 3, seed=seed)[0].tolist() for seed in range(20)]
    assert len({tuple(other) for other in others}) > 1


def found(hits, distances, queries=(0,)):
    return Found(
        queries=np.array(queries),
        hits=np.array([hits]),
        distances=np.array([distances], np.float32),
        scores=np.zeros(len(queries), np.float32),
    )


def test_query_left_hits_right_and_no_card_for_a_missing_hit():
    pixels, labels = flat(RED, BLUE, GREEN), np.array([0, 0, 1])
    sheet = query_sheet(found([1, 2], [0.1, np.inf]), pixels, labels, CLASSES, title="t")
    pixel = np.asarray(sheet)
    red, blue = (np.argwhere((pixel == colour).all(-1))[:, 1] for colour in (RED, BLUE))
    assert red.max() < blue.min()
    assert count(sheet, GREEN) == 0
    assert count(sheet, RIGHT) > 500


def test_picture_grid_wraps():
    grid = picture_grid(flat(RED, BLUE, GREEN), ["a", "b", "c"], columns=2, title="t")
    two = picture_grid(flat(RED, BLUE), ["a", "b"], columns=2, title="t")
    assert grid.width == two.width
    assert grid.height > two.height
    places = {colour: np.argwhere((np.asarray(grid) == colour).all(-1)) for colour in (RED, BLUE, GREEN)}
    assert places[RED][:, 0].min() == places[BLUE][:, 0].min() < places[GREEN][:, 0].min()
    assert places[RED][:, 1].min() == places[GREEN][:, 1].min() < places[BLUE][:, 1].min()


def test_a_detail_needs_room():
    plain = picture_grid(flat(RED), ["a"], columns=1, title="t")
    detailed = picture_grid(flat(RED), ["a"], ["b"], columns=1, title="t")
    assert detailed.height > plain.height


def test_grid_refuses_nothing_and_labels_that_do_not_fit():
    with pytest.raises(ValueError, match="at least one card"):
        card_grid([[], []], title="t")
    card = Card(one_prediction(0, 0), "x")
    with pytest.raises(ValueError, match="1 rows with 2 labels"):
        card_grid([[card]], title="t", labels=["a", "b"])


@pytest.mark.parametrize("classes", [2, 7, 10])
def test_confusion_grows_with_the_classes(classes):
    names = [f"class {number}" for number in range(classes)]
    counts = np.eye(classes, dtype=np.int64) * 30
    counts[0] = 0  # a class without a picture
    figure = confusion_figure(counts, names, title="validation\n30 right")
    assert figure.mode == "RGB"
    assert min(figure.size) >= max(400, 72 * classes)
    full = (8, 48, 107)  # the last colour of "Blues": a class that is always right
    assert count(figure, full) > (classes - 1) * 500
    moved = np.roll(counts, 1, axis=1)
    assert np.asarray(confusion_figure(moved, names, title="t")).tobytes() != np.asarray(figure).tobytes()
