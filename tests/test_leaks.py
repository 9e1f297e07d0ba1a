import pytest

from fashion_lab.leaks import refuse_leak
from fashion_lab.problems import ConfigError

OFFICIAL = {"_target_": "x.Clothing", "root": "here", "folds": None, "fold": None}
FIRST, SECOND = (OFFICIAL | {"folds": 3, "fold": number} for number in (0, 1))


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (FIRST, FIRST),
        (FIRST | {"root": "there"}, FIRST),
        (FIRST, OFFICIAL),
        (OFFICIAL, OFFICIAL),
        (SECOND | {"_target_": "x.Shop"}, FIRST),
        (None, FIRST),
        ({"_target_": "x.Drawn"}, {"_target_": "x.Drawn"}),
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
