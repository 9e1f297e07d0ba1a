import numpy as np
import pytest
from toys import ToyCatalog

from fashion_lab.bundles.golden import COUNT, DRAWN, catalog_at_hand, golden_pictures
from fashion_lab.pictures import PictureError, PixelSpec

SPEC = PixelSpec(size=16, fit="squash")
SYNTHETIC = {"_target_": "fashion_lab.catalogs.synthetic.SyntheticCatalog", "products": 42, "views": 4}


def test_they_are_spread_over_the_validation_split_and_always_the_same():
    catalog = ToyCatalog(per_class=40)
    golden = golden_pictures(catalog, SPEC)
    rows = [int(item.partition("/")[2]) for item in golden.items]
    allowed = catalog.splits["validation"].tolist()
    assert len(rows) == len(set(rows)) == COUNT
    assert rows[0] == allowed[0]
    assert rows[-1] == allowed[-1]
    assert set(rows) <= set(allowed)
    assert golden.origin == "validation of toy"
    for row, pixels in zip(rows, golden.pixels_NCHW, strict=True):
        np.testing.assert_array_equal(pixels, SPEC.pixels(catalog.open(row)))
    again = golden_pictures(catalog, SPEC)
    np.testing.assert_array_equal(again.pixels_NCHW, golden.pixels_NCHW)
    assert again.items == golden.items


def test_a_small_split_gives_all_it_has():
    assert len(golden_pictures(ToyCatalog(per_class=9), SPEC).items) == 9


class Torn(ToyCatalog):
    def __init__(self, torn):
        super().__init__(per_class=24)
        self.torn = torn

    def open(self, position):
        if self.torn(position):
            raise PictureError(f"toy/{position}: torn")
        return super().open(position)


def test_what_cannot_be_read_is_passed_over():
    assert 6 <= len(golden_pictures(Torn(lambda row: row % 2), SPEC).items) < COUNT


@pytest.mark.parametrize("catalog", [None, Torn(lambda row: True), ToyCatalog(per_class=2)])
def test_else_they_are_drawn(catalog):
    golden = golden_pictures(catalog, SPEC)
    assert golden.origin == DRAWN
    assert golden.pixels_NCHW.shape == (COUNT, 3, 16, 16)
    assert len({item.split("/")[1] for item in golden.items}) == 7, "all classes"


def test_the_catalog_of_a_run_is_opened():
    assert len(catalog_at_hand(SYNTHETIC)) == 42 * 4


@pytest.mark.parametrize(
    "data",
    [
        None,
        "other",
        {"root": "nowhere"},
        {"_target_": "fashion_lab.catalogs.folder.FolderCatalog", "root": "nowhere"},
        {"_target_": "fashion_lab.backbones.mobilenet.MobileNetBackbone"},
        {"_target_": "os.system", "command": "touch canary"},
        {"_target_": "toy_package.Catalog"},
    ],
    ids=str,
)
def test_a_catalog_that_is_not_at_hand_is_none(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert catalog_at_hand(data) is None
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["clothing.Clothing", "fashion_mnist.FashionMnist"])
def test_nothing_is_downloaded(name, tmp_path, monkeypatch):
    monkeypatch.setenv("FASHION_LAB_DATA", str(tmp_path))
    monkeypatch.setenv("FASHION_LAB_CACHE", str(tmp_path))
    monkeypatch.setattr("socket.create_connection", lambda *args, **options: pytest.fail("a download"))
    node = {"_target_": f"fashion_lab.catalogs.{name}Catalog", "download": True}
    assert catalog_at_hand(node) is None
