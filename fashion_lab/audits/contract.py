"""What every check of an audit promises: pictures in, a report with its findings out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from fashion_lab.audits.material import Pictures
from fashion_lab.contracts.catalog import Scalar


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something to look at.

    Attributes:
        kind: a word or two; findings of a kind say the same.
        pictures: positions in the catalog; those to be compared stand side by side.
        value: what was measured; None where there is no number.
        why: what was found, for people.
    """

    kind: str
    pictures: tuple[int, ...]
    value: float | None
    why: str


@dataclass(frozen=True, kw_only=True)
class Table:
    """Cells for people, all rows as long as the head."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a check has to say.

    Attributes:
        title: of the check.
        summary: its result in a line.
        notes: what it measured and what that means, a paragraph each.
        findings: what to look at, the worst first.
        numbers: what it measured, by name, for programs.
        table: of what it counted.
        skipped: whether it could not be made; `summary` says what is missing.
        how: then the commands that make what is missing, if there are any.
    """

    title: str
    summary: str
    notes: Sequence[str] = ()
    findings: Sequence[Finding] = ()
    numbers: Mapping[str, Scalar] = field(default_factory=dict)
    table: Table | None = None
    skipped: bool = False
    how: Sequence[str] = ()


Check: TypeAlias = Callable[[Pictures], Report]


def skipped(title: str, why: str, how: Sequence[str] = ()) -> Report:
    """Report that a check has nothing to look at."""
    return Report(title=title, summary=f"skipped: {why}", skipped=True, how=how)


def counted(count: int, one: str, many: str | None = None) -> str:
    """Write a number with its noun: `1 pair`, `2 pairs`."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
