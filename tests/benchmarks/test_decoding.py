"""The part `decode`: what is measured, on which pictures, and what it says where it cannot."""

import numpy as np
import pytest
from PIL import Image

from fashion_lab.benchmarks import decoding
from fashion_lab.benchmarks.decoding import Decoding, scaled_decode
from fashion_lab.benchmarks.jpegs import Jpegs, jpegs
from fashion_lab.benchmarks.recipes import recipe
from fashion_lab.benchmarks.rows import Unavailable
from fashion_lab.catalogs.folder import FolderCatalog
from fashion_lab.config import build, compose
from fashion_lab.pictures import PixelSpec


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A folder with 2 x 4 photos, two of them PNGs that are called .jpg, as the catalog to measure."""
    draw = np.random.default_rng(0)
    for name in ("hat", "dress"):
        (tmp_path / "shop" / name).mkdir(parents=True)
        for number in range(4):
            picture = Image.fromarray(draw.integers(0, 256, (40, 30, 3), dtype=np.uint8)).resize((90, 120))
            picture.save(tmp_path / "shop" / name / f"{number}.jpg", "PNG" if number == 3 else "JPEG")
    monkeypatch.setenv("FASHION_LAB_CACHE", str(tmp_path / "cache"))
    catalog = FolderCatalog(root=tmp_path / "shop", validation=0.25)
    monkeypatch.setattr(decoding, "jpegs", lambda cfg, most=None: Jpegs(catalog, most))
    return tmp_path / "shop"


def test_the_rows(shop):
    pytest.importorskip("simplejpeg")
    first, two, again, decodes = Decoding(rounds=1, data=["data=clothing"]).rows()
    assert "6 JPEGs to 64 px" in first.what
    assert (first.unit, first.at_least) == ("pictures/s", 0.7)
    assert two.unit == "pictures/s"
    assert two.at_least is None
    assert again.ratio > 1
    assert (decodes.ours, decodes.ratio) == (0, None)
    assert not list((shop.parent / "cache").glob("bench-*")), "what was built is gone"


def test_theirs_decodes_every_jpeg_to_twice_the_target(shop, monkeypatch):
    simplejpeg = pytest.importorskip("simplejpeg")
    shapes, decode = [], simplejpeg.decode_jpeg

    def watched(*args, **options):
        picture = decode(*args, **options)
        shapes.append(picture.shape)
        return picture

    monkeypatch.setattr(simplejpeg, "decode_jpeg", watched)
    torn = shop / "hat" / "0.jpg"
    torn.write_bytes(torn.read_bytes()[:20])
    catalog = Jpegs(FolderCatalog(root=shop))
    assert len(catalog) == 6
    scaled_decode(catalog, PixelSpec(size=16, fit="squash"))
    assert len(shapes) == 5, "a torn file is no reason to stop"
    assert all(32 <= min(height, width) < 90 for height, width, _ in shapes)


def test_the_jpegs_of_a_catalog(shop):
    catalog = FolderCatalog(root=shop)
    found = Jpegs(catalog)
    assert [found.item(row) for row in range(6)] == [
        f"{name}/{number}.jpg" for name in ("dress", "hat") for number in range(3)
    ]
    assert found.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert found.path(5) == shop.resolve() / "hat" / "2.jpg"
    found.open(5).close()
    assert found.opened == 1
    assert [Jpegs(catalog, 2).item(row) for row in range(2)] == ["dress/0.jpg", "hat/2.jpg"]


@pytest.mark.parametrize(("data", "said"), [("synthetic", "no JPEG files"), ("clothng", "mean clothing")])
def test_a_catalog_without_files_and_one_that_is_not_there(data, said):
    with pytest.raises(Unavailable, match=said):
        jpegs(recipe([f"data={data}"]))


def test_a_catalog_whose_files_are_gone(tmp_path):
    cfg = recipe(["data=folder", f"data.root={tmp_path / 'gone'}"])
    with pytest.raises(Unavailable, match="is no folder"):
        jpegs(cfg)


def test_without_simplejpeg(shop, monkeypatch):
    monkeypatch.setattr(decoding, "find_spec", lambda name: None)
    with pytest.raises(Unavailable, match=r"pip install 'fashion_lab\[bench\]'"):
        next(Decoding(rounds=1, data=["data=clothing"]).rows())


def test_the_config_builds_it():
    part = build(compose("bench").decode)
    assert (part.rounds, part.data) == (3, ["data=clothing"])
