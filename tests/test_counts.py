"""How often what costs time is done: counts, since seconds depend on the machine."""

from collections import Counter

import numpy as np
import pytest
from PIL import Image, ImageFile
from toys import ToyCatalog, toy_backbone

from fashion_lab.catalogs.folder import FolderCatalog
from fashion_lab.data.pixels import PixelStore
from fashion_lab.encoders.batches import EMBED_BATCH
from fashion_lab.encoders.torch_encoder import embed
from fashion_lab.evaluation import gallery_metrics
from fashion_lab.gallery import Gallery
from fashion_lab.indexing import AT_ONCE, make_gallery, positions_of
from fashion_lab.networks import SiameseEncoder
from fashion_lab.pictures import PixelSpec

SPEC = PixelSpec(size=16, fit="squash")
COUNT = 12


@pytest.fixture
def counts(monkeypatch):
    """How often pictures are opened, decoded and resized from now on."""
    counted = Counter()

    def count(name, owner, method):
        real = getattr(owner, method)

        def counting(*args, **options):
            counted[name] += 1
            return real(*args, **options)

        monkeypatch.setattr(owner, method, counting)

    count("opened", Image, "open")
    count("decoded", ImageFile.ImageFile, "load_prepare")
    count("resized", Image.Image, "resize")
    return counted


@pytest.fixture
def catalog(tmp_path):
    draw = np.random.default_rng(0)
    for name in ("hat", "dress"):
        (tmp_path / "shop" / name).mkdir(parents=True)
        for number in range(COUNT // 2):
            pixels = draw.integers(0, 256, (60, 45, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "shop" / name / f"{number}.jpg")
    return FolderCatalog(root=tmp_path / "shop")


class Watched(np.ndarray):
    """Pixels that remember the largest part that anybody took of them."""

    largest = 0

    def __getitem__(self, places):
        part = super().__getitem__(places)
        if part.ndim == self.ndim and part.base is not self:
            Watched.largest = max(Watched.largest, len(part))
        return part


@pytest.fixture
def many():
    """A store of as many pictures as show whether all are taken at once, and the catalog that they are of."""
    catalog = ToyCatalog(per_class=AT_ONCE, size=8)
    store = catalog.store()
    store.pixels = store.pixels.view(Watched)
    Watched.largest = 0
    return catalog, store


class Colours:
    """An encoder that costs nothing: mean colours."""

    pixels = PixelSpec(size=8, fit="squash")
    fingerprint = "f" * 64

    def embed(self, pixels_NCHW):
        return pixels_NCHW.mean(axis=(2, 3)).astype(np.float32)


@pytest.mark.parametrize("workers", [1, 3])
def test_a_build_opens_decodes_and_resizes_each_picture_once(catalog, counts, tmp_path, workers):
    PixelStore.open(catalog, SPEC, cache=tmp_path, workers=workers)
    assert counts == {"opened": COUNT, "decoded": COUNT, "resized": COUNT}


def test_a_second_open_and_an_index_of_it_decode_nothing(catalog, counts, tmp_path):
    positions = positions_of(catalog, "all")
    first = make_gallery(catalog, positions, Colours(), run="r", split="all", cache=tmp_path)
    assert counts == {"opened": COUNT, "decoded": COUNT, "resized": COUNT}
    counts.clear()
    PixelStore.open(catalog, Colours.pixels, cache=tmp_path)
    again = make_gallery(catalog, positions, Colours(), run="r", split="all", cache=tmp_path)
    assert counts == {}
    assert np.array_equal(first.vectors_ND, again.vectors_ND)


def test_embedding_rows_takes_a_batch_at_a_time_and_gives_the_same_bits(many):
    _, store = many
    network = SiameseEncoder(toy_backbone()).eval()
    rows = np.random.default_rng(0).permutation(len(store.pixels))[: 2 * EMBED_BATCH + 5]
    found = embed(network, store.at(rows))
    assert 0 < Watched.largest <= EMBED_BATCH
    assert np.array_equal(found, embed(network, np.array(store.pixels)[rows]))


def test_evaluating_takes_a_batch_at_a_time(many):
    catalog, store = many
    gallery_metrics(SiameseEncoder(toy_backbone()), catalog, store, "validation")
    assert 0 < Watched.largest <= EMBED_BATCH


def test_indexing_takes_a_part_at_a_time_and_writes_one_by_one(many, monkeypatch, tmp_path):
    catalog, store = many
    monkeypatch.setattr(PixelStore, "open", lambda *args, **options: store)
    gallery = make_gallery(catalog, {"all": np.arange(len(catalog))[::-1]}, Colours(), run="r", split="all")
    assert 0 < Watched.largest <= AT_ONCE
    Watched.largest = 0
    gallery.write(tmp_path / "index")
    assert Watched.largest == 0, "single pictures only"
    written = Gallery.load(tmp_path / "index")
    assert np.array_equal(written.pictures, np.array(store.pixels)[::-1])
    assert np.array_equal(written.vectors_ND, gallery.vectors_ND)
