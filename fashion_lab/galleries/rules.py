"""How many rows a shard has, and when small shards are merged.

A shard has 1,024 rows, or a 128th of the index where that is more: so a reader never holds more than some
300 files open. No more than 65,536 rows are embedded at once, whatever a full shard has. Each change writes
its new pictures as shards of their own, so small ones gather: with less than half of those rows, be it that
few came or that most are out of force. Small shards are of one size when their rows have the same number of
octal digits (1-7, 8-63, 64-511). When there are more than 8 of one size, these are merged into one of the
next: a row is copied once a size, and a change never copies the whole.
"""

from collections import defaultdict
from collections.abc import Sequence

from fashion_lab.galleries.contents import Shard

SHARD_ROWS = 1024  # pictures: about a second's work, so little is lost in an interruption
MOST_AT_ONCE = 65_536  # pictures: two minutes of a core, which is what an interruption loses at most
MOST_SHARDS = 128  # of full size
MOST_OF_A_SIZE = 8  # 8 of one size have at least the rows of the next


def target_rows(count: int, least: int = SHARD_ROWS) -> int:
    """Say how many rows a shard of an index of `count` items has."""
    return max(least, -(-count // MOST_SHARDS))


def rows_at_once(count: int, least: int = SHARD_ROWS) -> int:
    """Say how many rows are embedded into one shard, for an index that will have `count` items."""
    return min(target_rows(count, least), max(least, MOST_AT_ONCE))


def to_merge(shards: Sequence[Shard], target: int) -> list[list[Shard]]:
    """List the groups of shards that are to be merged, each by itself."""
    sizes = defaultdict(list)
    for shard in shards:
        if 0 < 2 * len(shard) < target:
            sizes[len(f"{len(shard):o}")].append(shard)
    return [sizes[size] for size in sorted(sizes) if len(sizes[size]) > MOST_OF_A_SIZE]
