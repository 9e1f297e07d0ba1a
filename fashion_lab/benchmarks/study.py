"""The speed study: measured parts, kept in one file, with a table and a plot of all of them.

<out>/results.json   each part's rows, when and where they were measured, and by which command
<out>/table.md, table.csv, plot.png   made from it
"""

import json
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

from fashion_lab.benchmarks.rows import Part, Row, Unavailable
from fashion_lab.benchmarks.table import Measured, as_csv, as_markdown, line, plot
from fashion_lab.folders import replace_text
from fashion_lab.results import surroundings

RESULTS = "results.json"
console = Console(highlight=False)


class Study:
    """Rows of the parts that were measured, now or before.

    Args:
        out: its folder; what it holds of other parts stays.

    Raises:
        ValueError: the folder holds results that cannot be read.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self.parts = _read(out / RESULTS)

    def measure(self, name: str, part: Part) -> bool:
        """Measure a part, print each row as it comes, and replace what is kept of it.

        A part that cannot be measured here says why; what is kept of it stays.

        Returns:
            Whether it was measured.
        """
        what = (part.__doc__ or "").strip().splitlines()[0]
        console.print(Text(f"\n{name}: {what}", style="bold"), soft_wrap=True)
        started, rows = time.monotonic(), []
        try:
            for row in part.rows():
                rows.append(row)
                console.print(Text("  " + line(row)), soft_wrap=True)
        except Unavailable as why:
            console.print(Text(f"  not measured: {why}", style="yellow"), soft_wrap=True)
            return False
        about = {
            "command": f"python -m fashion_lab.bench parts=[{name}]",
            "when": datetime.now(UTC).strftime("%Y-%m-%d"),
            "seconds": round(time.monotonic() - started),
            **surroundings(),
        }
        self.parts[name] = Measured(name, rows, about)
        self._write()
        return True

    def _write(self) -> None:
        self.out.mkdir(parents=True, exist_ok=True)
        kept = {
            name: {"rows": [asdict(row) for row in part.rows], **part.about}
            for name, part in self.parts.items()
        }
        replace_text(self.out / RESULTS, json.dumps(kept, indent=1, allow_nan=False) + "\n")
        measured = list(self.parts.values())
        replace_text(self.out / "table.md", as_markdown(measured))
        replace_text(self.out / "table.csv", as_csv(measured))
        plot(measured).savefig(self.out / "plot.png", dpi=120)

    def close(self) -> None:
        """Say where everything is, and which targets were missed."""
        rows = [row for part in self.parts.values() for row in part.rows]
        missed = [row for row in rows if row.is_met is False]
        aimed = sum(row.is_met is not None for row in rows)
        console.print(
            Text(
                f"\n{aimed - len(missed)} of {aimed} targets met; missed:"
                if missed
                else f"\nall {aimed} targets met"
            )
        )
        for row in missed:
            console.print(Text("  " + line(row), style="yellow"), soft_wrap=True)
        console.print(Text(f"table: {self.out / 'table.md'}"))


def _read(path: Path) -> dict[str, Measured]:
    if not path.exists():
        return {}
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return {
            name: Measured(name, [Row(**row) for row in part.pop("rows")], part)
            for name, part in kept.items()
        }
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path} cannot be read ({error}): remove it, or choose another out=") from error
