"""The leaderboard of a sweep: a table of all its runs, best recipe first, as Markdown and CSV."""

from pathlib import Path

from fashion_lab.folders import replace_text
from fashion_lab.studies.formats import as_csv, as_markdown
from fashion_lab.studies.runs import find_runs
from fashion_lab.studies.tables import summary
from fashion_lab.sweeps.points import exclusive

LEADERBOARD = "leaderboard.md"


def write_leaderboard(sweep: Path) -> Path:
    """Write `leaderboard.md` and `leaderboard.csv` of all runs below a sweep's folder, of all sessions."""
    path = sweep / LEADERBOARD
    with exclusive(sweep):
        report = summary(*find_runs([sweep]))
        replace_text(path, f"# {sweep.name}\n\n{as_markdown(report)}")
        replace_text(path.with_suffix(".csv"), as_csv(report))
    return path
