"""Filters against a loop over plain rows, and the messages for what no row has."""

import pytest

from fashion_lab.filters import Filters, as_text

ROWS = [
    {"class": "dress", "product": 7, "price": 19.5, "sale": True},
    {"class": "skirt", "product": 7, "price": 20, "sale": False},
    {"class": "skirt", "product": None, "price": None, "sale": True},
    {"class": None, "product": 12, "price": 35.0, "sale": False},
    {"class": "shoes", "product": 12, "price": "n/a", "sale": False},
]


@pytest.fixture
def filters() -> Filters:
    return Filters(list(ROWS[0]), lambda name: [row[name] for row in ROWS], len(ROWS))


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"class": "skirt"}, [1, 2]),
        ({"class": ["skirt", "shoes"]}, [1, 2, 4]),
        ({"class": {"not": "skirt"}}, [0, 3, 4]),
        ({"class": {"not": ["skirt", "dress"]}}, [3, 4]),
        ({"class": None}, [3]),
        ({"product": "7"}, [0, 1]),
        ({"product": 12.0}, [3, 4]),
        ({"sale": "true"}, [0, 2]),
        ({"sale": True}, [0, 2]),
        ({"price": {"min": 20}}, [1, 3]),
        ({"price": {"max": "20"}}, [0, 1]),
        ({"price": {"min": 19.6, "max": 30}}, [1]),
        ({"price": {"min": 1000}}, []),
        ({"class": "skirt", "sale": True}, [2]),
        ({"class": "dress", "product": 12}, []),
    ],
)
def test_rows(filters, where, rows):
    assert filters.rows(where).tolist() == rows


def test_without_a_column(filters):
    assert filters.rows({"price": 20}).tolist() == [1]
    fewer = filters.without("price")
    assert fewer.rows({"class": "skirt"}).tolist() == [1, 2]
    with pytest.raises(ValueError, match=r"no column 'price'.*there are class, product, sale$"):
        fewer.rows({"price": 20})


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"clas": "skirt"}, "no column 'clas'; did you mean class.*; there are class, product, price, sale"),
        ({"class": "skrit"}, "class=skrit: no item has it; did you mean skirt.*there is dress, null, shoes"),
        ({"class": {"not": "skrit"}}, "did you mean skirt"),
        ({"class": []}, "no condition; give a value"),
        ({"class": {}}, "no condition; give a value"),
        ({"class": [["a"]]}, "no condition; give a value"),
        ({"class": {"like": "s"}}, "no condition; give a value"),
        ({"price": {"min": 1, "not": 2}}, "no condition; give a value"),
        ({"price": {"min": "cheap"}}, "min and max are numbers, not 'cheap'"),
        ({"price": {"min": None}}, "min and max are numbers"),
        ({"price": {"min": float("nan")}}, "min and max are numbers"),
        ({"class": {"min": 3}}, "holds no numbers"),
    ],
)
def test_what_no_row_can_meet_is_said(filters, where, message):
    with pytest.raises(ValueError, match=message):
        filters.rows(where)


def test_values_are_counted(filters):
    assert filters.values("class") == {"dress": 1, "shoes": 1, "skirt": 2}
    assert filters.values("sale") == {"false": 3, "true": 2}


def test_a_column_is_read_once_and_only_when_asked_for():
    reads = []

    def read(name):
        reads.append(name)
        return [1, 2]

    filters = Filters(["a", "b"], read, 2)
    assert filters.rows({"a": 1}).tolist() == [0]
    assert filters.rows({"a": 2}).tolist() == [1]
    assert reads == ["a"]


def test_one_and_true_are_two_values():
    filters = Filters(["a"], lambda _: [1, True, 1.0], 3)
    assert filters.rows({"a": 1}).tolist() == [0, 2]
    assert filters.rows({"a": True}).tolist() == [1]


@pytest.mark.parametrize(
    ("value", "text"), [(None, "null"), (True, "true"), (3, "3"), (3.0, "3"), (3.25, "3.25"), ("x", "x")]
)
def test_text(value, text):
    assert as_text(value) == text


def test_no_rows():
    filters = Filters(["a"], lambda _: [], 0)
    with pytest.raises(ValueError, match="no item has it; there is nothing"):
        filters.rows({"a": 1})
