import re
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from fashion_lab.catalogs.drawing.fields import moved, wave
from fashion_lab.catalogs.drawing.outlines import rounded
from fashion_lab.catalogs.drawing.sketch import CLOTH, Pose, Sketch
from fashion_lab.catalogs.synthetic import VERSION, SyntheticCatalog, choose_groups, products_per_class

CLASSES = ("dress", "hat", "longsleeve", "pants", "shoes", "shorts", "t-shirt")
TINY = {"products": 21, "views": 2, "size": 64}


@pytest.fixture(scope="module")
def tiny():
    return SyntheticCatalog(**TINY)


MEANS_AND_DEVIATIONS = [
    (99.9, 42.6),
    (114.6, 44.1),
    (115.0, 47.4),
    (122.1, 61.9),
    (111.8, 46.6),
    (57.0, 31.5),
    (44.4, 21.7),
]


def pixels(catalog, positions):
    return [np.asarray(catalog.open(position)) for position in positions]


def test_defaults_are_a_shop_of_the_promised_size():
    catalog = SyntheticCatalog()
    assert catalog.classes == CLASSES
    sizes = {name: len(positions) for name, positions in catalog.splits.items()}
    assert sizes == {"train": 1410, "validation": 345, "test": 345}
    shares = np.bincount(catalog.labels) / len(catalog)
    assert 0.05 < shares.min() < shares.max() < 0.25


@pytest.mark.parametrize("settings", [TINY, {"products": 22, "views": 1}, {"products": 420}])
def test_splits_share_no_picture_and_no_product_and_have_every_class(settings):
    catalog = SyntheticCatalog(**settings)
    together = np.sort(np.concatenate(list(catalog.splits.values())))
    np.testing.assert_array_equal(together, np.arange(len(catalog)))
    for first, second in combinations(catalog.splits.values(), 2):
        assert not set(catalog.products[first]) & set(catalog.products[second])
    for positions in catalog.splits.values():
        assert set(catalog.labels[positions]) == set(range(len(CLASSES)))


@pytest.mark.parametrize("products", [21, 22, 27, 100, 421, 50_000])
def test_products_are_shared_out_completely(products):
    counts = products_per_class(products)
    assert counts.sum() == products
    assert counts.min() >= 3


def test_a_product_has_one_class_and_all_its_views(tiny):
    assert len(tiny) == len(tiny.labels) == len(tiny.products) == len(tiny.groups) == 42
    assert {array.dtype for array in (tiny.labels, tiny.products, tiny.groups)} == {np.dtype(np.int64)}
    np.testing.assert_array_equal(np.bincount(tiny.products), np.full(21, 2))
    for product in range(21):
        assert len(set(tiny.labels[tiny.products == product])) == 1


def test_most_products_are_photographed_by_more_than_one_and_each_mostly_by_its_own():
    groups = choose_groups(products=1000, views=5, seed=0).reshape(1000, 5)
    distinct = np.array([len(set(row)) for row in groups.tolist()])
    assert 0.7 < (distinct > 1).mean() < 1
    assert (groups[:, :1] == groups[:, 1:]).mean() > 0.3


def test_same_seed_same_pictures_in_any_order_and_from_threads(tiny):
    positions = list(range(len(tiny)))
    forward = pixels(tiny, positions)
    again = SyntheticCatalog(**TINY)
    backward = pixels(again, positions[::-1])[::-1]
    with ThreadPoolExecutor(4) as pool:
        threaded = [np.asarray(picture) for picture in pool.map(tiny.open, positions)]
    for one, two, three in zip(forward, backward, threaded, strict=True):
        np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(one, three)
    assert tiny.fingerprint() == again.fingerprint()


def test_every_view_of_every_product_is_another_picture(tiny):
    assert len({picture.tobytes() for picture in pixels(tiny, range(len(tiny)))}) == len(tiny)


@pytest.mark.parametrize("change", [{"seed": 1}, {"views": 3}, {"products": 22}, {"size": 65}])
def test_other_settings_are_told_apart(tiny, change):
    other = SyntheticCatalog(**{**TINY, **change})
    assert other.fingerprint() != tiny.fingerprint()
    assert other.stamp(0) != tiny.stamp(0)


def test_another_seed_is_another_shop(tiny):
    other = SyntheticCatalog(**TINY, seed=1)
    for one, two in zip(pixels(tiny, range(5)), pixels(other, range(5)), strict=True):
        assert np.abs(one.astype(int) - two).mean() > 5


@pytest.mark.parametrize("size", [32, 65, 200])
def test_pictures_are_square_rgb_and_not_flat(size):
    catalog = SyntheticCatalog(products=21, views=1, size=size)
    for position in range(0, 21, 3):
        picture = catalog.open(position)
        assert (picture.mode, picture.size) == ("RGB", (size, size))
        assert np.asarray(picture).std() > 8


def test_size_changes_the_pixels_and_not_the_scene():
    large, small = (SyntheticCatalog(products=21, views=1, size=size) for size in (256, 128))
    for position in range(0, 21, 3):
        halved = np.asarray(large.open(position).reduce(16)).astype(int)
        assert np.abs(halved - np.asarray(small.open(position).reduce(8))).mean() < 3


def test_items_are_unique_and_say_split_class_product_and_view(tiny):
    items = [tiny.item(position) for position in range(len(tiny))]
    assert len(set(items)) == len(items)
    for name, positions in tiny.splits.items():
        for position in positions:
            split, kind, product, view = re.fullmatch(
                r"(\w+)/([\w-]+)/p(\d{4})-v(\d)\.png", items[position]
            ).groups()
            assert (split, kind) == (name, CLASSES[tiny.labels[position]])
            assert int(product) * 2 + int(view) == position
    assert len({tiny.stamp(position) for position in range(len(tiny))}) == len(tiny)
    assert tiny.path(0) is None


def test_the_drawing_is_the_one_that_version_names():
    # Pixel stores know pictures by stamp: when these numbers change, raise VERSION and pin the new ones.
    catalog = SyntheticCatalog(products=21, views=1)
    pictures = [np.asarray(catalog.open(position), dtype=np.int64) for position in range(0, 21, 3)]
    measured = [(round(picture.mean(), 1), round(picture.std(), 1)) for picture in pictures]
    assert VERSION == 1
    # Within 0.5: releases of Pillow may round an edge differently.
    np.testing.assert_allclose(measured, MEANS_AND_DEVIATIONS, atol=0.5)


def test_grey_pixels_do_not_tell_the_classes():
    catalog = SyntheticCatalog(products=210, views=4)
    small = [catalog.open(i).convert("L").resize((32, 32), Image.Resampling.BOX) for i in range(len(catalog))]
    grey = np.array([np.asarray(picture, dtype=np.float32).ravel() for picture in small])
    train, validation = (
        catalog.splits["train"],
        np.concatenate([catalog.splits["validation"], catalog.splits["test"]]),
    )
    squares = (grey[train] ** 2).sum(axis=1) - 2 * grey[validation] @ grey[train].T
    nearest = train[squares.argmin(axis=1)]
    hits = (catalog.labels[nearest] == catalog.labels[validation]).mean()
    assert 0.3 < hits < 0.6  # 0.14 is chance: the pictures are neither noise nor a giveaway


def test_a_quarter_of_a_million_pictures_cost_nothing_until_opened():
    catalog = SyntheticCatalog(products=50_000)
    assert len(catalog) == 250_000
    assert len(catalog.fingerprint()) == 64
    assert catalog.open(249_999).size == (128, 128)
    assert catalog.item(249_999) == "test/t-shirt/p49999-v4.png"


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"products": 20}, "products=20, but it must be a whole number from 21 up"),
        ({"products": 42.0}, "products=42.0"),
        ({"views": 0}, "views=0, but it must be a whole number from 1 up"),
        ({"views": True}, "views=True"),
        ({"seed": -1}, "seed=-1, but it must be a whole number from 0 up"),
        ({"size": 16}, "size=16, but it must be a whole number from 32 to 1024"),
        ({"size": 2048}, "size=2048"),
    ],
)
def test_bad_settings_are_named_with_what_is_allowed(settings, named):
    with pytest.raises(ValueError, match=re.escape(named)):
        SyntheticCatalog(**settings)


@pytest.mark.parametrize("position", [-1, 42])
def test_a_position_outside_is_an_error(tiny, position):
    for ask in (tiny.open, tiny.item, tiny.stamp):
        with pytest.raises(IndexError, match="pictures 0 to 41"):
            ask(position)


def test_garment_grid_undoes_the_pose():
    pose = Pose(((0.5, -0.3), (0.2, 0.7)), (0.1, -0.2))
    x, y = pose.garment_grid(16)
    frame = pose.to_frame(np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float64))
    centres = (np.arange(16) + 0.5) / 8 - 1
    np.testing.assert_allclose(frame[:, 0].reshape(16, 16), np.tile(centres, (16, 1)), atol=1e-6)
    np.testing.assert_allclose(frame[:, 1].reshape(16, 16), np.tile(centres, (16, 1)).T, atol=1e-6)


def test_planes_cover_what_was_drawn():
    sketch = Sketch()
    sketch.area([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)], CLOTH)
    cover, shade, trim, detail = sketch.planes(Pose(((1.0, 0.0), (0.0, 1.0)), (0.0, 0.0)), 64)
    assert cover.mean() == pytest.approx(0.25, abs=0.02)
    np.testing.assert_allclose(shade, 1)
    assert trim.max() == detail.max() == 0


def test_rounded_keeps_doubled_points_and_cuts_the_others():
    corner, other = (1.0, 1.0), (0.0, 0.0)
    points = rounded([corner, corner, (1.0, 0.0), other, (0.0, 1.0)])
    assert corner in points
    assert other not in points


def test_wave_is_close_to_a_sine():
    phase = np.linspace(-2, 2, 401)
    np.testing.assert_allclose(wave(phase), np.sin(2 * np.pi * phase), atol=0.06)


@pytest.mark.parametrize(("right", "down"), [(0, 0), (2, 0), (-1, 3), (1, -2)])
def test_moved_shifts_without_wrapping(right, down):
    plane = np.arange(1.0, 26.0).reshape(5, 5)
    expected = np.zeros((5, 5))
    for y in range(5):
        for x in range(5):
            if 0 <= y - down < 5 and 0 <= x - right < 5:
                expected[y, x] = plane[y - down, x - right]
    np.testing.assert_array_equal(moved(plane, right, down), expected)
