"""Small shards are merged before they are many, and no row is copied more than once a size."""

from collections import Counter

import numpy as np
import pytest
from shops import Shop, plant

from fashion_lab.galleries import Gallery
from fashion_lab.galleries.contents import Shard
from fashion_lab.galleries.rules import rows_at_once, target_rows, to_merge


def shards(*lengths):
    return [Shard(name=f"{n}", rows=length, files={}) for n, length in enumerate(lengths)]


@pytest.mark.parametrize(
    ("count", "rows"), [(0, 1024), (1024, 1024), (131_072, 1024), (131_200, 1025), (10**7, 78_125)]
)
def test_shards_grow_with_the_index(count, rows):
    assert target_rows(count) == rows


@pytest.mark.parametrize(("count", "rows"), [(0, 1024), (10**6, 7813), (10**7, 65_536), (10**9, 65_536)])
def test_an_interruption_never_loses_more_than_minutes(count, rows):
    assert rows_at_once(count) == rows
    assert rows_at_once(count, least=100_000) == 100_000


def test_nothing_is_merged_while_there_are_few():
    assert to_merge(shards(1024, *[3] * 8, *[9] * 8, *[100] * 8), 1024) == []
    (group,) = to_merge(shards(1024, *[3] * 8, *[9] * 9, *[511] * 8, 512, 512), 1024)
    assert [len(shard) for shard in group] == [9] * 9
    groups = to_merge(shards(*[1] * 9, *[100] * 9), 1024)
    assert [len(group) for group in groups] == [9, 9]


def test_rows_out_of_force_do_not_count():
    half = [Shard(name=f"{n}", rows=1000, removed=tuple(range(500)), files={}) for n in range(9)]
    assert to_merge(half, 1024) == [half]
    assert to_merge([one.without(range(1000)) for one in half], 1024) == []


def test_many_small_changes_leave_few_shards_and_copy_little():
    """A thousand changes of 1 to 9 pictures: 4 copies of a row at most, as many as there are sizes."""
    draw = np.random.default_rng(0)
    lengths, copies = Counter(), Counter()
    current = []
    for change in range(1000):
        count = int(draw.integers(1, 10))
        current.append(([change] * count, Shard(name=f"{change}", rows=count, files={})))
        lengths[change] = count
        target = target_rows(sum(lengths.values()), 1024)
        for number, group in enumerate(to_merge([shard for _, shard in current], target)):
            names = {shard.name for shard in group}
            rows = [row for rows, shard in current if shard.name in names for row in rows]
            copies.update(set(rows))
            current = [pair for pair in current if pair[1].name not in names]
            for start in range(0, len(rows), target):
                some = rows[start : start + target]
                current.append((some, Shard(name=f"{change}-{number}-{start}", rows=len(some), files={})))
        assert len(current) <= 8 * 4 + len(lengths)
    assert sum(len(shard) for _, shard in current) == sum(lengths.values())
    assert max(copies.values()) <= 4
    assert len(current) <= 8 * 3 + sum(lengths.values()) // 512


def test_syncs_merge_and_keep_every_row(tmp_path):
    shop = Shop(tmp_path, "0.png", rows=64)
    shop.build()
    for number in range(1, 21):
        plant(shop.root, f"{number}.png")
        if number % 5 == 0:
            (shop.root / f"{number - 2}.png").unlink()
        shop.sync()
    gallery = Gallery.load(shop.index)
    assert len(list(shop.index.glob("shard-*"))) <= 10
    assert [item.id for item in gallery.items] == [f"{n}.png" for n in range(21) if n % 5 != 3]
    assert [item.key for item in gallery.items] == [n for n in range(21) if n % 5 != 3]
    pixels = np.stack([gallery.pictures[place] for place in range(len(gallery))])
    assert np.array_equal(shop.encoder.embed(pixels), gallery.vectors_ND)
    assert not shop.sync().changed
