import pytest

from fashion_lab.leaks import refuse_leak
from fashion_lab.problems import ConfigError

OFFICIAL = {"_target_": "x.Clothing", "root": "here", "folds": None, "fold": None}
FIRST, SECOND = (OFFICIAL | {"folds": 3, "fold": number} for number in (0, 1))

FOLDER = {"_target_": "x.Folder", "root": "here", "validation": 0.2, "seed": 0}
DRAWN = {"_target_": "x.Drawn", "seed": 0}


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (FIRST, FIRST),
        (FIRST | {"root": "there"}, FIRST),
        (FIRST, OFFICIAL),
        (OFFICIAL, OFFICIAL),
        (SECOND | {"_target_": "x.Shop"}, FIRST),
        (None, FIRST),
        (DRAWN, DRAWN | {"seed": 1}),
        (FOLDER, FOLDER),
        (FOLDER | {"root": "there", "seed": 1}, FOLDER),
    ],
)
def test_what_was_not_seen_may_be_measured_on(theirs, ours):
    refuse_leak("ckpt", "run", theirs, ours)


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        (SECOND, "fold 1 of 3"),
        (OFFICIAL, "the whole training split"),
        (FIRST | {"folds": 5}, "fold 0 of 5"),
    ],
)
def test_what_was_seen_is_refused(theirs, said):
    message = f"teacher=run was trained on {said}, this run is measured on fold 0 of 3: .* the same fold"
    with pytest.raises(ConfigError, match=message):
        refuse_leak("teacher", "run", theirs, FIRST)


@pytest.mark.parametrize("other", [{"seed": 1}, {"validation": 0.1}])
def test_pictures_held_back_by_another_draw_were_seen(other):
    message = r"ckpt=run was trained on data\.validation=.* measured on data\.validation=0\.2 data\.seed=0"
    with pytest.raises(ConfigError, match=message):
        refuse_leak("ckpt", "run", FOLDER | other, FOLDER)
