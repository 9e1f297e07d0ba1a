"""What only the faiss engine does: training, lists, and the file that spares the training."""

import json
import logging

import numpy as np
import pytest
from galleries_of_vectors import check, clustered, draw, loop

pytest.importorskip("faiss", reason="engine=faiss needs the extra faiss")

from safetensors import safe_open
from safetensors.numpy import save_file

from fashion_lab.indexes import clusters, faiss
from fashion_lab.indexes.clusters import Clusters
from fashion_lab.indexes.faiss import FILE, FaissIndex
from fashion_lab.indexes.recall import recall
from fashion_lab.indexes.rows import Rows

IDS = np.arange(2000)


@pytest.fixture(params=["flat", "pq"])
def kind(request):
    return request.param


@pytest.fixture
def gallery():
    return clustered(2000, 18)


def lists(index):
    """The arrays that training made, and where each vector is."""
    rows, inner = index._state
    known = inner.known(rows)
    return known.centres_LW, known.codebooks_S, known.lists_N


def made(gallery, **options):
    index = FaissIndex(smallest=256, **options)
    index.build(gallery)
    return index


def forbid_training(monkeypatch):
    def refuse(*_):
        raise AssertionError("it trains")

    monkeypatch.setattr(faiss, "train", refuse)


def test_the_same_vectors_give_the_same_lists(gallery, kind):
    one, two = made(gallery, kind=kind), made(gallery, kind=kind)
    for ours, theirs in zip(lists(one), lists(two), strict=True):
        assert ours.tobytes() == theirs.tobytes()
    other = made(gallery, kind=kind, seed=1)
    assert lists(other)[0].tobytes() != lists(one)[0].tobytes()


def test_few_vectors_need_no_lists(gallery):
    index = FaissIndex()
    index.build(gallery)
    assert index.exact
    index = made(gallery)
    assert not index.exact
    index.remove(IDS[100:])
    assert index.exact
    check(index, gallery[:100], gallery[:9], 5)


def test_short_of_memory_it_keeps_bytes(gallery):
    flat = 2000 * (4 * 18 + 8)
    assert made(gallery, memory=flat)._state[1].kind == "flat"
    assert made(gallery, memory=flat - 1)._state[1].kind == "pq"


def test_twice_as_many_are_trained_anew(gallery, kind):
    index = made(gallery[:600], kind=kind)
    before = lists(index)[0]
    index.add(gallery[600:1200], IDS[600:1200])
    assert lists(index)[0].tobytes() == before.tobytes()
    index.add(gallery[1200:1201], IDS[1200:1201])
    assert len(lists(index)[0]) > len(before)
    check(index, gallery[:1201], clustered(30, 18, seed=1), 10)


def test_more_probes_find_more():
    gallery = draw(3000, 24)
    few, many = (recall(made(gallery, nprobe=n), gallery, np.arange(3000), sample=100) for n in (1, 300))
    assert few < 0.9
    assert many == 1


def test_refinement_is_what_makes_bytes_good():
    gallery = clustered(4000, 64, size=4000)
    little, much = (made(gallery, kind="pq", refine=n, nprobe=300) for n in (2, 20))
    found = [recall(index, gallery, np.arange(4000), k=100, sample=50) for index in (little, much)]
    assert found[0] < 0.97
    assert found[1] > 0.99


def test_a_far_query_with_thin_lists_still_gets_k(gallery):
    gallery[:40] += 1000 * np.arange(1, 41)[:, None]  # each alone in its list
    index = made(gallery, nprobe=1)
    queries = gallery[20:25].copy()
    assert index.search(queries, 50).ids.shape == (5, 50)
    assert (index.search(queries, 1).ids[:, 0] == np.arange(20, 25)).all()


def test_saved_lists_are_filled_without_training(gallery, kind, tmp_path, monkeypatch):
    first = made(gallery, kind=kind)
    first.save(tmp_path)
    forbid_training(monkeypatch)
    second = FaissIndex(smallest=256, kind=kind)
    second.load(tmp_path, gallery, IDS)
    for ours, theirs in zip(lists(first), lists(second), strict=True):
        assert ours.tobytes() == theirs.tobytes()
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    second.add(gallery[:50] + 1, np.arange(2000, 2050))
    assert len(second) == 2050


@pytest.mark.parametrize("option", [{"seed": 1}, {"kind": "pq"}, {"nlist": 7}])
def test_lists_of_other_options_are_not_used(gallery, tmp_path, option, monkeypatch):
    made(gallery, kind="flat").save(tmp_path)
    forbid_training(monkeypatch)
    with pytest.raises(AssertionError, match="trains"):
        FaissIndex(**{"smallest": 256, "kind": "flat", **option}).load(tmp_path, gallery, IDS)


def forged(path, change):
    """Change the arrays of a file, and seal it again as its writer would."""
    with safe_open(path, framework="numpy") as file:
        metadata, arrays = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    change(arrays)
    metadata["seal"] = clusters._seal(metadata["for"], arrays)
    save_file(arrays, path, metadata=metadata)


FORGERIES = {
    "a list that is not there": lambda a: a["lists"].__setitem__(5, len(a["centres"])),
    "a negative list": lambda a: a["lists"].__setitem__(5, -1),
    "too few lists": lambda a: a.__setitem__("lists", a["lists"][:-1].copy()),
    "narrow centres": lambda a: a.__setitem__("centres", a["centres"][:, :-1].copy()),
    "no centres": lambda a: a.__setitem__("centres", a["centres"][:0].copy()),
    "centres of doubles": lambda a: a.__setitem__("centres", a["centres"].astype(np.float64)),
    "a short codebook": lambda a: a.__setitem__("codebooks", a["codebooks"][:-4].copy()),
    "NaN": lambda a: a["centres"].__setitem__((0, 0), np.nan),
    "no mean": lambda a: a.pop("mean"),
}


@pytest.mark.parametrize("change", FORGERIES.values(), ids=FORGERIES)
def test_arrays_that_faiss_would_stumble_over_are_not_used(gallery, tmp_path, change, caplog):
    """Even where the seal holds: lists and shapes are checked before faiss sees them."""
    made(gallery, kind="pq").save(tmp_path)
    forged(tmp_path / FILE, change)
    second = FaissIndex(smallest=256, kind="pq")
    with caplog.at_level(logging.WARNING):
        second.load(tmp_path, gallery, IDS)
    assert "trained anew" in caplog.text
    check(second, gallery, gallery[:9], 5)


def test_every_flipped_bit_is_noticed(gallery, tmp_path):
    """A bit here and there over the whole file."""
    index = made(gallery[:300])
    index.save(tmp_path)
    path, rows = tmp_path / FILE, index.rows
    content = path.read_bytes()
    Clusters.load(path, index._facts(rows), rows.vectors_ND.shape)
    for place in np.linspace(0, len(content) - 1, 60).astype(int):
        flipped = bytearray(content)
        flipped[place] ^= 1 << (place % 8)
        path.write_bytes(flipped)
        with pytest.raises((ValueError, OSError)):
            Clusters.load(path, index._facts(rows), rows.vectors_ND.shape)


def test_a_huge_file_is_not_even_opened(gallery, tmp_path):
    with (tmp_path / FILE).open("wb") as file:
        file.write((2**40).to_bytes(8, "little"))
        file.truncate(2**33)  # sparse
    with pytest.raises(ValueError, match="larger than it can be"):
        Clusters.load(tmp_path / FILE, {}, gallery.shape)


def test_the_file_says_what_it_is_for(gallery, tmp_path):
    made(gallery).save(tmp_path)
    with safe_open(tmp_path / FILE, framework="numpy") as file:
        told = json.loads(file.metadata()["for"])
    assert told["rows"] == Rows(gallery, IDS).digest()
    assert (tmp_path / FILE).stat().st_size < gallery.nbytes / 2


@pytest.mark.parametrize(
    "option",
    [{"kind": "ivf"}, {"nprobe": 0}, {"nlist": -3}, {"memory": 0}, {"refine": 0}, {"smallest": 10}],
)
def test_odd_options(option):
    with pytest.raises(ValueError, match=next(iter(option))):
        FaissIndex(**option)


def test_without_faiss_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'fashion_lab\[faiss\]'"):
        FaissIndex()


def test_many_hits_are_measured_all(gallery):
    found = made(gallery).search(gallery[:2], 1500)
    np.testing.assert_allclose(found.distances, loop(gallery[:2], gallery, 1500)[1], rtol=1e-6)
