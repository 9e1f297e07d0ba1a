"""Search from Python, with an encoder whose distances can be seen: mean colours."""

import dataclasses
import math
import subprocess
import sys

import numpy as np
import pytest
from colours import MeanColour, greys
from PIL import Image

from fashion_lab.galleries import Item
from fashion_lab.pictures import PictureError
from fashion_lab.visual_search import VisualSearch

SHADES = (0, 100, 110, 200, 255)


def make():
    return greys(*SHADES)


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


WARDROBE = [
    (10, Item(id="dress-front", class_name="dress", product=1, columns={"price": 30})),
    (20, Item(id="dress-back", class_name="dress", product=1, columns={"price": 30})),
    (30, Item(id="skirt", class_name="skirt", product=2, columns={"price": 20})),
    (31, Item(id="skirt-again", class_name="skirt", product=3, columns={"price": 25})),
    (60, Item(id="shoes", class_name="shoes", product=4, columns={"price": 80})),
    (90, Item(id="shoes-copy", class_name="shoes", sha256="d" * 64)),
    (99, Item(id="shoes-original", class_name="shoes", sha256="d" * 64)),
    (200, Item(id="hat", class_name="hat")),
]


@pytest.fixture
def wardrobe() -> VisualSearch:
    return VisualSearch(
        greys(*(shade for shade, _ in WARDROBE), items=[i for _, i in WARDROBE]), MeanColour()
    )


def black():
    return Image.new("RGB", (9, 9), (10, 10, 10))


def test_one_product_file_or_picture_is_one_hit(wardrobe):
    hits = wardrobe.search(black(), k=9)
    assert [(hit.rank, hit.id, hit.folded) for hit in hits] == [
        (1, "dress-front", ("dress-back",)),
        (2, "skirt", ("skirt-again",)),
        (3, "shoes", ()),
        (4, "shoes-copy", ("shoes-original",)),
        (5, "hat", ()),
    ]
    apart = wardrobe.search(black(), k=9, fold=False)
    assert [hit.id for hit in apart] == [item.id for _, item in WARDROBE]
    assert all(hit.folded == () for hit in apart)


def test_folding_looks_farther_until_there_are_k():
    items = [Item(id=f"v{n:03}", product=7) for n in range(120)] + [Item(id="a"), Item(id="b")]
    shades = [10] * 120 + [100, 200]
    search = VisualSearch(greys(*shades, items=items), MeanColour())
    hits = search.search(black(), k=3)
    assert [hit.id for hit in hits] == ["v000", "a", "b"]
    assert len(hits[0].folded) == 119


def test_conditions(wardrobe):
    def ids(**options):
        return [hit.id for hit in wardrobe.search(black(), fold=False, **options)]

    assert ids(where={"class": "shoes"}, k=2) == ["shoes", "shoes-copy"]
    assert ids(where={"class": {"not": ["dress", "shoes"]}}, k=9) == ["skirt", "skirt-again", "hat"]
    assert ids(where={"price": {"min": 25, "max": 30}}, k=9) == ["dress-front", "dress-back", "skirt-again"]
    assert ids(where={"class": "skirt", "price": {"max": 20}}, k=9) == ["skirt"]
    assert ids(where={"price": {"min": 81}}, k=9) == []
    assert [hit.id for hit in wardrobe.more_like("skirt", k=1, where={"class": "hat"})] == ["hat"]
    assert [hit.id for hit in wardrobe.more_like("skirt", k=9, where={"class": "skirt"})] == ["skirt-again"]
    with pytest.raises(ValueError, match="did you mean price"):
        ids(where={"prise": 1}, k=1)


def test_an_expanded_query_orders_by_the_company_it_keeps():
    search = VisualSearch(greys(100, 130, 140, 62, 150), MeanColour())
    picture = Image.new("RGB", (9, 9), (95,) * 3)
    plain = search.search(picture, k=5)
    assert [hit.id for hit in plain] == ["g100", "g62", "g130", "g140", "g150"]
    wide = search.search(picture, k=5, expand=3)  # 95, 100, 62 and 130: nearly 97
    assert [hit.id for hit in wide] == ["g100", "g130", "g62", "g140", "g150"]
    assert {hit.id: hit.distance for hit in plain} == {hit.id: hit.distance for hit in wide}
    assert search.search(picture, k=1, expand=99)[0].id == "g100"
    with pytest.raises(ValueError, match="expand is -1"):
        search.search(picture, expand=-1)


def test_what_distances_mean_comes_with_the_encoder_or_the_index():
    record = {"middle": 50.0, "slope": 0.1, "thresholds": [[10, 30.0]], "alarms": 0.05, "caught": 0.9}
    record |= {"queries": 99, "made_from": "greys"}
    search = VisualSearch(greys(*SHADES, calibration=record), MeanColour())
    near, far = (
        search.search(Image.new("RGB", (9, 9), (104,) * 3), k=1),
        search.search(Image.new("RGB", (9, 9), (150,) * 3), k=1),
    )
    assert near[0].similarity == pytest.approx(1 / (1 + math.exp(0.1 * (4 * math.sqrt(3) - 50))))
    assert (search.is_strange(near), search.is_strange(far)) == (False, True)
    record["thresholds"] = [[1, 90.0], [10, 30.0]]
    search = VisualSearch(greys(*SHADES, calibration=record), MeanColour())
    assert (search.is_strange(far), search.is_strange(far, {"id": search.gallery.items[0].id})) == (
        True,
        False,
    )
    encoder = MeanColour()
    encoder.calibration = {**record, "thresholds": [[10, 1e3]]}
    assert not VisualSearch(greys(*SHADES, calibration=record), encoder).is_strange(far)


def test_of_an_expanded_query_the_nearest_hit_says_whether_it_is_strange():
    record = {"middle": 50.0, "slope": 0.1, "thresholds": [[10, 60.0]], "alarms": 0.05, "caught": 0.9}
    record |= {"queries": 99, "made_from": "greys"}
    search = VisualSearch(greys(62, 130, 135, 140, calibration=record), MeanColour())
    hits = search.search(Image.new("RGB", (9, 9), (95,) * 3), k=4, expand=4)
    assert hits[0].distance > 60 > min(hit.distance for hit in hits)
    assert search.is_strange(hits) is False


def test_nobody_knows_what_distances_mean(search):
    hits = search.search(Image.new("RGB", (9, 9)), k=1)
    assert hits[0].similarity is None
    assert search.is_strange(hits) is None


def test_what_the_classifier_says(search):
    pixels = [search.prepare(Image.new("RGB", (9, 9), (shade,) * 3)) for shade in (51, 204)]
    assert search.classify(pixels) == [
        [("dark", pytest.approx(0.8)), ("light", pytest.approx(0.2))],
        [("light", pytest.approx(0.8)), ("dark", pytest.approx(0.2))],
    ]
    search.encoder.has_head = False
    assert search.classify(pixels) is None


def test_import_is_light():
    heavy = "{'torch', 'pytorch_lightning', 'hydra', 'omegaconf', 'torchvision'}"
    code = f"import sys, fashion_lab.visual_search; sys.exit(bool({heavy} & {{*sys.modules}}))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
