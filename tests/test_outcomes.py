"""Outcomes: they come back as they were, and damage is told."""

import dataclasses

import numpy as np
import pytest

from fashion_lab.outcomes import Outcomes


def outcomes(**changes):
    given = {
        "catalog": "drawn",
        "split": "validation",
        "classes": ("hat", "größe/1"),
        "items_N": np.array(["hat/1.png", "größe/2.png", "c"]),
        "labels_N": np.array([0, 1, 1]),
        "groups_N": np.array([5, 5, 7]),
        "scores": {
            "accuracy": np.array([1.0, 0.0, 1.0]),
            "other_senders/map_at_r": np.array([0.5, np.nan, 1]),
        },
        "probabilities_NC": np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]], dtype=np.float32),
    }
    return Outcomes(**{**given, **changes})


@pytest.mark.parametrize("changes", [{}, {"groups_N": None, "probabilities_NC": None}])
def test_they_come_back(tmp_path, changes):
    one = outcomes(**changes)
    path = one.save(tmp_path)
    assert path == tmp_path / "outcomes" / "validation.npz"
    assert [left.name for left in path.parent.iterdir()] == ["validation.npz"]
    back = Outcomes.load(tmp_path, "validation")
    for field in dataclasses.fields(one):
        before, after = getattr(one, field.name), getattr(back, field.name)
        if field.name == "scores":
            assert list(before) == list(after)
            for name, scores in before.items():
                np.testing.assert_array_equal(after[name], scores)
        else:
            np.testing.assert_array_equal(after, before)
    assert back.same_pictures(one)


def test_the_same_pictures():
    one = outcomes()
    assert one.same_pictures(outcomes(groups_N=None))
    assert not one.same_pictures(outcomes(items_N=np.array(["hat/1.png", "c", "größe/2.png"])))
    assert not one.same_pictures(outcomes(labels_N=np.array([0, 0, 1])))
    assert not one.same_pictures(outcomes(classes=("a", "b")))


def test_one_of_each():
    with pytest.raises(ValueError, match="3 pictures and 2 labels"):
        outcomes(labels_N=np.array([0, 1]))
    with pytest.raises(ValueError, match="3 pictures and 1 accuracy"):
        outcomes(scores={"accuracy": np.ones(1)})


def test_damage_is_told_with_the_next_step(tmp_path):
    with pytest.raises(ValueError, match=r"no outcomes of its test pictures: python -m fashion_lab.evaluate"):
        Outcomes.load(tmp_path, "test")
    path = outcomes().save(tmp_path)
    good = path.read_bytes()
    for bad in (b"", good[: len(good) // 2], b"\x80\x04not a zip", good[:-200] + bytes(200)):
        path.write_bytes(bad)
        with pytest.raises(ValueError, match=r"damaged.*evaluate") as told:
            Outcomes.load(tmp_path, "validation")
        assert "\n" not in str(told.value)
