"""How often what costs time is done: counts, since seconds depend on the machine."""

from collections import Counter

import numpy as np
import pytest
from PIL import Image, ImageFile
from shops import Shop, plant
from toys import ToyCatalog, toy_backbone

from fashion_lab import indexing
from fashion_lab.catalogs.folder import FolderCatalog
from fashion_lab.data.pixels import PixelStore
from fashion_lab.encoders.batches import EMBED_BATCH
from fashion_lab.encoders.torch_encoder import embed
from fashion_lab.evaluation import retrieved
from fashion_lab.galleries import Gallery, Item, Source
from fashion_lab.galleries.embedding import BATCH
from fashion_lab.galleries.threads import AHEAD, TASK
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
    catalog = ToyCatalog(per_class=1000, size=8)
    store = catalog.store()
    store.pixels = store.pixels.view(Watched)
    Watched.largest = 0
    return catalog, store


@pytest.mark.parametrize("workers", [1, 3])
def test_a_build_opens_decodes_and_resizes_each_picture_once(catalog, counts, tmp_path, workers):
    PixelStore.open(catalog, SPEC, cache=tmp_path, workers=workers)
    assert counts == {"opened": COUNT, "decoded": COUNT, "resized": COUNT}


def test_a_second_open_decodes_nothing(catalog, counts, tmp_path):
    PixelStore.open(catalog, SPEC, cache=tmp_path)
    counts.clear()
    PixelStore.open(catalog, SPEC, cache=tmp_path)
    assert counts == {}


def test_an_index_decodes_each_picture_once_and_afterwards_what_is_new(tmp_path, counts):
    shop = Shop(tmp_path, *[f"{number}.png" for number in range(COUNT)])
    shop.build()
    assert counts == {"opened": COUNT, "decoded": COUNT, "resized": COUNT}
    counts.clear()
    shop.touch("1.png")
    shop.sync()
    assert counts == {}
    plant(shop.root, "new.png")
    shop.sync()
    assert counts == {"opened": 1, "decoded": 1, "resized": 1}


def test_embedding_rows_takes_a_batch_at_a_time_and_gives_the_same_bits(many):
    _, store = many
    network = SiameseEncoder(toy_backbone()).eval()
    rows = np.random.default_rng(0).permutation(len(store.pixels))[: 2 * EMBED_BATCH + 5]
    found = embed(network, store.at(rows))
    assert 0 < Watched.largest <= EMBED_BATCH
    assert np.array_equal(found, embed(network, np.array(store.pixels)[rows]))


def test_evaluating_takes_a_batch_at_a_time(many):
    catalog, store = many
    retrieved(SiameseEncoder(toy_backbone()), catalog, store, "validation")
    assert 0 < Watched.largest <= EMBED_BATCH


def test_indexing_takes_a_batch_at_a_time(tmp_path):
    """Pictures are read a little ahead of the encoder, and never all of them."""
    shop, catalog = Shop(tmp_path, rows=10_000), ToyCatalog(per_class=1000, size=8)
    opened, real = [], catalog.open
    catalog.open = lambda position: opened.append(position) or real(position)
    seen, embed_all = [], shop.encoder.embed

    def embedded(pixels_NCHW):
        seen.append((len(pixels_NCHW), len(opened) - shop.encoder.embedded))
        return embed_all(pixels_NCHW)

    shop.encoder.embed = embedded
    done = indexing.build(shop.job(), catalog, "all", shop.embedder())
    assert len(done.gallery) == 3000
    assert {count for count, _ in seen[:-1]} == {BATCH}
    assert max(ahead for _, ahead in seen) <= BATCH + (AHEAD + 1) * TASK
    assert np.array_equal(
        done.gallery.pictures[:], catalog.pixels[np.concatenate([*catalog.splits.values()])]
    )


def test_a_gallery_is_written_one_by_one(many, tmp_path):
    catalog, store = many
    rows = np.arange(len(catalog))[::-1]
    items = tuple(Item(id=catalog.item(row)) for row in rows.tolist())
    facts = {"run": "r", "fingerprint": "f", "fit": "squash", "classes": [], "catalog_fingerprint": "c"}
    gallery = Gallery(
        items=items,
        vectors_ND=rows[:, None].astype(np.float32),
        pictures=store.at(rows),
        source=Source(**facts, size=8, catalog="toy", split="all"),
    )
    gallery.write(tmp_path / "index")
    assert Watched.largest == 0, "single pictures only"
    written = Gallery.load(tmp_path / "index")
    assert np.array_equal(written.pictures[:], np.array(store.pixels)[::-1])
    assert np.array_equal(written.vectors_ND, gallery.vectors_ND)
