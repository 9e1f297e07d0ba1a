"""Items by their ids, or by patterns such as `hat/*.jpg`."""

import difflib
import fnmatch
import re
from collections.abc import Sequence

IS_PATTERN = re.compile(r"[*?\[]")


def matching(ids: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """List the ids that are wanted, each once, in order.

    Raises:
        ValueError: something wanted is not there; the message names the nearest ids.
    """
    known, found = set(ids), set[str]()
    unknown = []
    for one in wanted:
        some = {one} & known
        if not some and IS_PATTERN.search(one):
            some = set(fnmatch.filter(ids, one))
        found |= some
        unknown += [] if some else [one]
    if unknown:
        close = difflib.get_close_matches(unknown[0], ids, n=3) or list(ids[:3])
        hint = f"; there is {', '.join(close)}" if close else ""
        listed = ", ".join(map(repr, unknown[:3])) + (f" and {len(unknown) - 3} more" if unknown[3:] else "")
        raise ValueError(f"no item {listed} among {len(ids)} in the index{hint}: nothing was removed")
    return [one for one in ids if one in found]
