import sys

import numpy as np
import pytest

from fashion_lab.benchmarks.growth import Grown, Growth
from fashion_lab.benchmarks.noise import NoiseCatalog
from fashion_lab.benchmarks.patches import PatchBackbone
from fashion_lab.benchmarks.processes import run
from fashion_lab.contracts.catalog import Catalog
from fashion_lab.data.pixels import PixelStore
from fashion_lab.pictures import PixelSpec

linux = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")


def part(**changes):
    return Growth(**{"sizes": [500, 1000], "limit_gb": 4, "overrides": ["logger=none"]} | changes)


@linux
def test_a_size_is_trained_for_real(tmp_path):
    (tmp_path / "pixels").mkdir()
    grown = part()._grow(tmp_path, 500)
    assert grown.rate > 0
    assert grown.start > 0
    assert grown.resident > grown.own > 100
    assert (tmp_path / "run" / "config.yaml").exists()


@linux
def test_sizes_are_measured_in_turns_with_the_first(monkeypatch):
    seen = []
    of_500 = iter([10.0, 30.0, 20.0])

    def grow(self, folder, size):
        seen.append(size)
        own = next(of_500) if size == 500 else 25.0
        return Grown(rate=size, start=2.0, build=0.1, own=own, resident=40.0)

    monkeypatch.setattr(Growth, "_grow", grow)
    monkeypatch.setattr(Growth, "_until_first_step", lambda *_: 1.0)
    rows = {row.what: row for row in part(sizes=[500, 1000, 2000]).rows()}
    assert seen == [500, 1000, 500, 2000, 500]
    assert rows["1,000 pictures: training"].ratio == 2
    assert rows["2,000 pictures: memory of its own"].ratio == pytest.approx(20 / 25)
    assert rows["2,000 pictures: memory of its own, with the store on disk"].theirs == 4000
    assert len(rows) == 11


@linux
def test_the_limit_is_a_hard_one(tmp_path):
    take = [sys.executable, "-c", "taken = bytearray(200_000_000)"]
    assert run(tmp_path, [*take[:2], f"{take[2]}; import time; time.sleep(0.3)"]).own > 200e6
    with pytest.raises(RuntimeError, match="MemoryError"):
        run(tmp_path, take, limit=100_000_000)


@pytest.mark.parametrize("sizes", [[500], [1000, 500]])
def test_sizes_ascend(sizes):
    with pytest.raises(ValueError, match="smallest first"):
        part(sizes=sizes)


def test_noise_is_a_catalog_like_any_other(tmp_path):
    catalog = NoiseCatalog(pictures=1000, size=16)
    splits = [set(rows.tolist()) for rows in catalog.splits.values()]
    assert sum(map(len, splits)) == len(set.union(*splits)) == 1000
    for rows in catalog.splits.values():
        assert set(catalog.labels[rows]) == set(range(10))
    assert NoiseCatalog(pictures=1000, size=16, seed=1).fingerprint() != catalog.fingerprint()
    assert type(catalog).fingerprint is Catalog.fingerprint, "its cost belongs to the measurement"
    pixels = PixelStore.open(catalog, PixelSpec(16, "squash"), cache=tmp_path).pixels
    assert len(np.unique(pixels.reshape(1000, -1), axis=0)) == 1000


def test_noise_needs_every_class_in_every_split():
    with pytest.raises(ValueError, match="pictures=499"):
        NoiseCatalog(pictures=499)


def test_patches_say_what_they_allow():
    with pytest.raises(ValueError, match=r"backbone\.side=0"):
        PatchBackbone(side=0)
