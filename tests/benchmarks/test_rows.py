import pytest

from fashion_lab.benchmarks.rows import Row
from fashion_lab.benchmarks.timing import in_turns


@pytest.mark.parametrize(("unit", "ratio"), [("s", 4.0), ("MB", 4.0), ("pictures/s", 0.25)])
def test_more_is_better_whatever_the_unit(unit, ratio):
    assert Row(what="work", ours=2.0, theirs=8.0, unit=unit).ratio == ratio


@pytest.mark.parametrize(("at_least", "met"), [(4.0, True), (4.1, False), (None, None)])
def test_a_target_is_met_from_there_on(at_least, met):
    assert Row(what="work", ours=2.0, theirs=8.0, at_least=at_least).is_met is met


def test_a_value_alone_has_no_ratio_and_no_verdict():
    row = Row(what="work", ours=2.0, at_least=1.0)
    assert (row.ratio, row.is_met) == (None, None)


def test_ways_take_turns_and_the_first_round_does_not_count():
    calls, clock = [], iter([0] * 4 + [0, 1, 1, 3, 3, 8, 8, 10, 10, 13, 13, 15])
    ways = {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}
    times = in_turns(ways, rounds=3, clock=lambda: next(clock))
    assert "".join(calls) == "ab" * 4
    assert times == {"a": 3, "b": 2}
