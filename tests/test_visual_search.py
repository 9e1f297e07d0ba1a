"""Search from Python, with an encoder whose distances can be seen: mean colours."""

import dataclasses
import math
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from fashion_lab.gallery import Gallery, Item, Source
from fashion_lab.pictures import PictureError, PixelSpec
from fashion_lab.visual_search import VisualSearch

SIZE = 16


class MeanColour:
    """Embeds a picture as its mean colour, 0 .. 255."""

    pixels = PixelSpec(SIZE, "squash")
    fingerprint = "a" * 64

    def embed(self, pixels_NCHW):
        return pixels_NCHW.mean(axis=(2, 3)).astype(np.float32)


def make(greys=(0, 100, 110, 200, 255)) -> Gallery:
    pictures = np.stack([np.full((3, SIZE, SIZE), grey, dtype=np.uint8) for grey in greys])
    source = Source(
        run="outputs/siamese/gone",
        fingerprint="a" * 64,
        size=SIZE,
        fit="squash",
        classes=["dark", "light"],
        catalog="greys",
        catalog_fingerprint="c" * 64,
        split="all",
    )
    return Gallery(
        items=tuple(Item(id=f"g{grey}", class_name="light" if grey > 127 else "dark") for grey in greys),
        vectors_ND=MeanColour().embed(pictures),
        pictures=pictures,
        source=source,
    )


@pytest.fixture
def search() -> VisualSearch:
    return VisualSearch(make(), MeanColour())


def test_a_file_a_path_and_a_picture_find_the_same(search, tmp_path):
    image = Image.new("RGB", (40, 30), (104, 104, 104))
    image.save(tmp_path / "q.png")
    hits = search.search(image, k=3)
    assert [(hit.rank, hit.id, hit.class_name, hit.position) for hit in hits] == [
        (1, "g100", "dark", 1),
        (2, "g110", "dark", 2),
        (3, "g200", "light", 3),
    ]
    assert [hit.distance for hit in hits] == pytest.approx([math.sqrt(3) * d for d in (4, 6, 96)])
    assert search.search(tmp_path / "q.png", k=3) == search.search(str(tmp_path / "q.png"), k=3) == hits


def test_the_callers_picture_stays_as_it_is(search, tmp_path):
    Image.new("RGB", (4000, 3000), "white").save(tmp_path / "q.jpg")
    with Image.open(tmp_path / "q.jpg") as image:
        search.search(image)
        assert image.size == (4000, 3000)


def test_several_at_once_are_one_after_another(search):
    images = [Image.new("RGB", (9, 9), (grey,) * 3) for grey in (0, 130, 250)]
    assert search.search_all(images, k=2) == [search.search(image, k=2) for image in images]
    assert search.search_all([]) == []


def test_more_than_there_is(search):
    assert len(search.search(Image.new("RGB", (9, 9)), k=100)) == 5
    with pytest.raises(ValueError, match="k is 0"):
        search.search(Image.new("RGB", (9, 9)), k=0)


def test_more_like_an_item_leaves_it_out(search):
    hits = search.more_like("g100", k=2)
    assert [(hit.rank, hit.id) for hit in hits] == [(1, "g110"), (2, "g0")]  # g0 and g200 tie
    assert "g100" not in [hit.id for hit in search.more_like("g100", k=99)]
    with pytest.raises(ValueError, match="k is 0"):
        search.more_like("g100", k=0)
    with pytest.raises(ValueError, match=r"no item 'g111' among 5 .* g110"):
        search.more_like("g111")


def test_an_item_among_equals_leaves_out_itself_only():
    gallery = make()
    gallery = dataclasses.replace(gallery, vectors_ND=np.zeros_like(gallery.vectors_ND))
    hits = VisualSearch(gallery, MeanColour()).more_like("g255", k=2)
    assert [hit.id for hit in hits] == ["g0", "g100"]


def test_an_empty_gallery_finds_nothing():
    whole = make()
    none = dataclasses.replace(whole, items=(), vectors_ND=whole.vectors_ND[:0], pictures=whole.pictures[:0])
    assert VisualSearch(none, MeanColour()).search(Image.new("RGB", (9, 9))) == []


def test_a_picture_that_cannot_be_read(search, tmp_path):
    (tmp_path / "q.jpg").write_text("no")
    with pytest.raises(PictureError, match=r"q\.jpg"):
        search.search(tmp_path / "q.jpg")
    with pytest.raises(PictureError, match="no such file"):
        search.search(tmp_path / "other.jpg")


def test_another_encoder_is_refused():
    other = MeanColour()
    other.fingerprint = "b" * 64
    with pytest.raises(ValueError, match=r"a{16} \(outputs/siamese/gone\), this one is b{16}.*ckpt="):
        VisualSearch(make(), other)


def test_the_run_is_gone(tmp_path):
    make().write(tmp_path / "index")
    with pytest.raises(ValueError, match=r"outputs/siamese/gone that made the index .* ckpt="):
        VisualSearch.load(tmp_path / "index")
    with pytest.raises(ValueError, match="ckpt=nowhere does not exist"):
        VisualSearch.load(tmp_path / "index", "nowhere")


def test_import_is_light():
    heavy = "{'torch', 'pytorch_lightning', 'hydra', 'omegaconf', 'torchvision'}"
    code = f"import sys, fashion_lab.visual_search; sys.exit(bool({heavy} & {{*sys.modules}}))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
