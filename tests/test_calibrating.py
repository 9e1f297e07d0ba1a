"""Calibrations from a catalog and from a gallery, with colours for embeddings."""

import numpy as np
import pytest
from colours import MeanColour, greys

from fashion_lab.calibrating import on_itself, on_validation
from fashion_lab.catalogs.synthetic import SyntheticCatalog
from fashion_lab.data.pixels import PixelStore
from fashion_lab.galleries import Item


def shop(*known, count=400):
    """Dark and light items around two shades; those of `known` say which fifty are alike."""
    draw = np.random.default_rng(0)
    light = draw.random(count) < 0.5
    shades = np.clip(np.where(light, 180, 70) + draw.normal(0, 25, count), 0, 255).astype(int)
    alike = np.argsort(np.argsort(shades, kind="stable")) // 50
    items = [
        Item(id=f"i{n}", class_name="light" if light[n] else "dark", **dict.fromkeys(known, int(alike[n])))
        for n in range(count)
    ]
    return greys(*shades.tolist(), items=items)


def test_a_gallery_teaches_what_its_distances_mean():
    calibration = on_itself(shop())
    assert calibration is not None
    assert calibration.queries == 400
    assert calibration.similarity(0) > 0.9
    assert calibration.similarity(200) < 0.1
    assert calibration.made_from == "greys: this index searched in itself"
    assert calibration == on_itself(shop())


def test_no_item_sees_itself_its_product_or_its_sender():
    alone = on_itself(shop())
    assert alone is not None
    assert alone.threshold(400) > 0
    for known in (["product"], ["group"], ["group", "product"]):
        hidden = on_itself(shop(*known))
        assert hidden is not None
        assert hidden.threshold(400) > 2 * alone.threshold(400)


def test_items_without_a_class_teach_nothing():
    assert on_itself(greys(1, 2, 3, items=[Item(id=f"{n}") for n in range(3)])) is None
    assert on_itself(greys(*range(100))) is None  # one class


@pytest.mark.parametrize("groups", [True, False])
def test_a_catalog_teaches_on_its_validation_split(tmp_path, groups):
    catalog = SyntheticCatalog(products=140, views=2, size=32)
    catalog.labels = np.array(
        [catalog_brightness(catalog, row) > 150 for row in range(len(catalog))], dtype=np.int64
    )
    PixelStore.open(catalog, MeanColour.pixels, cache=tmp_path)  # drawing a picture needs its group
    if not groups:
        catalog.groups = None
    calibration = on_validation(MeanColour(), catalog, cache=tmp_path)
    assert calibration is not None
    assert calibration.made_from == "synthetic: validation searched in train"
    assert calibration.queries == len(catalog.splits["validation"])
    assert calibration.similarity(0) > 0.8


def catalog_brightness(catalog, row):
    return np.asarray(catalog.open(row).convert("L")).mean()
