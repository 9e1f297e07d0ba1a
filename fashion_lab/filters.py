"""Which items meet conditions: `{"class": "skirt"}`, `{"price": {"max": 50}}`; several conditions all hold.

    value                      equal to it
    [value, value]             equal to one of them
    {"not": value or list}     equal to none of them
    {"min": 10, "max": 50}     between them, both included, or only one of them

Values compare as text, so that "12" from a command line or an address means the number 12 as well.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fashion_lab.problems import nearest

Scalar: TypeAlias = str | int | float | bool | None
Where: TypeAlias = Mapping[str, Any]
SHOWN = 8  # values that an error lists; assumption
COMPARED = 10_000  # values that a misspelt one is compared with: a tenth of a second; assumption


class Filters:
    """The rows of a table that meet conditions; each column is read once, when it is first asked for.

    Args:
        names: names of the columns.
        read: gives the values of a column, one a row.
        count: number of rows.
    """

    def __init__(self, names: Sequence[str], read: Callable[[str], Iterable[Scalar]], count: int) -> None:
        self.names, self._read, self._count = tuple(names), read, count
        self._columns: dict[str, _Column] = {}

    def rows(self, where: Where) -> NDArray[np.int64]:
        """List the rows that meet all conditions, ascending.

        Raises:
            ValueError: no such column, a value that no row has, or something that is no condition.
        """
        mask_N = np.ones(self._count, dtype=bool)
        for name, condition in where.items():
            mask_N &= self._column(name).mask(condition)
        return np.flatnonzero(mask_N)

    def values(self, name: str) -> dict[str, int]:
        """Count the rows of each value of a column, as text and in that order; missing ones left out."""
        column = self._column(name)
        counts = np.bincount(column.codes_N, minlength=len(column.values)).tolist()
        return {
            as_text(value): count
            for value, count in sorted(zip(column.values, counts, strict=True), key=lambda one: str(one[0]))
            if value is not None
        }

    def without(self, name: str) -> "Filters":
        """Give the same filters as if there were no such column; what was read is shared."""
        fewer = Filters([one for one in self.names if one != name], self._read, self._count)
        fewer._columns = self._columns
        return fewer

    def _column(self, name: str) -> "_Column":
        if name not in self.names:
            raise ValueError(
                f"where: no column {name!r}{nearest(name, self.names)}; there are {', '.join(self.names)}"
            )
        if name not in self._columns:
            self._columns[name] = _Column(name, self._read(name))
        return self._columns[name]


class _Column:
    """A column as its distinct values and, for each row, which of them it has."""

    def __init__(self, name: str, values: Iterable[Scalar]) -> None:
        self.name, codes = name, dict[tuple[type, Scalar], int]()
        numbered = (codes.setdefault((type(value), value), len(codes)) for value in values)
        self.codes_N = np.fromiter(numbered, dtype=np.int64)
        self.values = [value for _, value in codes]

    def mask(self, condition: Any) -> NDArray[np.bool_]:
        """Say which rows [N] meet a condition."""
        meets = np.array(self._meets(condition), dtype=bool)
        return np.asarray(meets[self.codes_N])

    def _meets(self, condition: Any) -> list[bool]:
        """Say which of the distinct values meet a condition."""
        if not isinstance(condition, Mapping):
            return self._equal(condition)
        keys = set(condition)
        if keys == {"not"}:
            return [not equal for equal in self._equal(condition["not"])]
        if not keys or not keys <= {"min", "max"}:
            raise ValueError(f"where {self.name}: {condition!r} is no condition; {CONDITIONS}")
        return self._between(condition.get("min"), condition.get("max"))

    def _equal(self, wanted: Any) -> list[bool]:
        listed = list(wanted) if isinstance(wanted, list | tuple) else [wanted]
        if not listed or any(isinstance(one, Mapping | list | tuple) for one in listed):
            raise ValueError(f"where {self.name}: {wanted!r} is no condition; {CONDITIONS}")
        here, texts = {as_text(value) for value in self.values}, [as_text(one) for one in listed]
        for text in texts:
            if text not in here:
                raise ValueError(f"where {self.name}={text}: no item has it{_known(text, sorted(here))}")
        return [as_text(value) in texts for value in self.values]

    def _between(self, low: Any, high: Any) -> list[bool]:
        bounds = [_number(bound) for bound in (low, high) if bound is not None]
        if not bounds or any(bound is None for bound in bounds):
            raise ValueError(f"where {self.name}: min and max are numbers, not {low!r} and {high!r}")
        numbers = [_number(value) for value in self.values]
        if all(number is None for number in numbers):
            raise ValueError(f"where {self.name}: it holds no numbers, so it has no min and max")
        least = -np.inf if low is None else float(low)
        most = np.inf if high is None else float(high)
        return [number is not None and least <= number <= most for number in numbers]


CONDITIONS = 'give a value, a list of values, {"not": ...} or {"min": ..., "max": ...}'


def as_text(value: Scalar) -> str:
    """Write a value as filters compare it: true, 12 (also for 12.0), text as it is, nothing as null."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _known(text: str, known: Sequence[str]) -> str:
    """Name the likely value that was meant, and some of those that there are."""
    shown = ", ".join(known[:SHOWN]) + (", ..." if len(known) > SHOWN else "")
    return f"{nearest(text, known[:COMPARED])}; there is {shown or 'nothing'}"


def _number(value: object) -> float | None:
    """Read a number, also one in text; None where it is none (or NaN, which lies nowhere)."""
    if value is None or isinstance(value, bool):
        return None
    try:
        number = float(str(value))
    except ValueError:
        return None
    return None if np.isnan(number) else number
