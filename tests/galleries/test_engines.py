"""The engine of an index: built, brought up to date, measured, kept, and never worse than was asked for."""

import json
import logging
import shutil

import numpy as np
import pytest
from shops import Shop, photo, plant

from fashion_lab import indexing
from fashion_lab.galleries import Gallery, IndexFolderError, state
from fashion_lab.galleries.engines import EngineChoice
from fashion_lab.indexes.exact import ExactIndex


class Graph(ExactIndex):
    """Exact search that claims to be approximate, keeps a file, and forgets the last of its vectors."""

    name, exact = "graph", False

    def __init__(self, lost: float = 0.0) -> None:
        super().__init__()
        self.lost, self.did = lost, []

    def build(self, vectors_ND, ids_N=None):
        self.did.append("build")
        kept = len(vectors_ND) - round(self.lost * len(vectors_ND))
        super().build(vectors_ND[:kept], ids_N[:kept])

    def load(self, folder, vectors_ND, ids_N):
        self.did.append("load")
        assert {*json.loads((folder / "deep" / "graph.json").read_text())} <= {*ids_N.tolist()}
        super().build(vectors_ND, ids_N)

    def add(self, vectors_MD, ids_M):
        self.did.append("add")
        super().add(vectors_MD, ids_M)

    def remove(self, ids_M):
        self.did.append("remove")
        super().remove(ids_M)

    def save(self, folder):
        (folder / "deep").mkdir()
        (folder / "deep" / "graph.json").write_text(json.dumps(self.rows.ids_N.tolist()))


def choice(lost=0.0, **options):
    return EngineChoice(index=Graph(lost), options={"engine": "graph"}, **options)


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path, *[f"{number:02}.png" for number in range(40)])


def test_what_the_engine_keeps_is_in_the_manifest(shop):
    gallery = shop.build(engine=choice()).gallery
    assert (gallery.engine.name, gallery.engine.options) == ("graph", {"engine": "graph"})
    assert (gallery.engine.recall, gallery.engine.k) == (1.0, 10)
    assert json.loads((gallery.engine_folder / "deep/graph.json").read_text()) == list(range(40))
    (facts,) = gallery.engine.files.values()
    assert len(facts["sha256"]) == 64
    (gallery.engine_folder / "deep/graph.json").write_text("[]")
    with pytest.raises(IndexFolderError, match=r"graph\.json is not what was written"):
        Gallery.load(shop.index)
    shutil.rmtree(gallery.engine_folder)
    with pytest.raises(IndexFolderError, match=r"graph\.json is missing"):
        Gallery.load(shop.index)


def test_an_engine_that_keeps_nothing_has_no_folder(shop):
    gallery = shop.build().gallery
    assert gallery.engine_folder is None
    assert not list(shop.index.glob("engine-*"))


def test_a_small_change_is_added_and_a_large_one_built(shop):
    first = shop.build(engine=choice()).gallery.engine_folder
    plant(shop.root, "new.png")
    (shop.root / "00.png").unlink()
    small = choice()
    gallery = shop.sync(engine=small).gallery
    assert small.index.did == ["load", "remove", "add"]
    assert gallery.engine_folder != first
    assert not first.exists()
    assert json.loads((gallery.engine_folder / "deep/graph.json").read_text()) == list(range(1, 41))
    plant(shop.root, *[f"more/{number}.png" for number in range(20)])
    large = choice()
    shop.sync(engine=large)
    assert large.index.did == ["build"]


def test_other_facts_about_the_same_vectors_leave_the_engine(shop):
    before = shop.build(engine=choice()).gallery
    shop.touch("00.png")
    again = choice()
    after = shop.sync(engine=again).gallery
    assert again.index.did == []
    assert after.engine == before.engine
    assert after.state != before.state


def test_another_engine_is_built_though_no_picture_changed(shop):
    shop.build()
    done = shop.sync(engine=choice())
    assert done.changed
    assert done.gallery.engine.name == "graph"
    assert shop.encoder.embedded == 0


def test_a_build_with_other_vectors_does_not_touch_the_engine_in_force(shop):
    """Keys begin anew: equal keys are not equal vectors there."""
    old = shop.build(engine=choice()).gallery
    (shop.root / "00.png").write_bytes(photo(999))

    class Stop(Graph):
        def save(self, folder):
            super().save(folder)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shop.build(engine=EngineChoice(index=Stop(), options={"engine": "graph"}))
    assert Gallery.load(shop.index).state == old.state
    assert shop.build(engine=choice()).gallery.engine_folder != old.engine_folder


def test_low_recall_warns_or_is_refused(shop, caplog):
    with caplog.at_level(logging.WARNING):
        gallery = shop.build(engine=choice(lost=0.5)).gallery
    assert gallery.engine.recall < 0.9
    assert "engine graph finds 0." in caplog.text
    assert "less than 0.99: take engine=exact" in caplog.text
    before = state(shop.index)
    plant(shop.root, "new.png")
    with pytest.raises(ValueError, match=r"engine graph finds 0\.\d+ of the 10 nearest, less than 0\.99"):
        shop.build(engine=choice(lost=0.5, strict=True))
    assert state(shop.index) == before
    caplog.clear()
    shop.build(engine=choice(lost=0.5, floor=0.1))
    assert not caplog.records


def test_an_update_that_has_lost_recall_is_built_anew(shop):
    shop.build(engine=choice())

    class Forgetful(Graph):
        def add(self, vectors_MD, ids_M):
            self.did.append("add")
            super(Graph, self).remove(self.rows.ids_N[::2])

    plant(shop.root, "new.png")
    forgetful = EngineChoice(index=Forgetful(), options={"engine": "graph"})
    gallery = shop.sync(engine=forgetful).gallery
    assert forgetful.index.did[-1] == "build"
    assert gallery.engine.recall == 1.0


def test_faiss_is_kept_and_loaded(tmp_path):
    pytest.importorskip("faiss")
    from toys import ToyCatalog

    from fashion_lab.indexes.faiss import FaissIndex

    def faiss():
        return EngineChoice(index=FaissIndex(smallest=300, nlist=8, nprobe=8), options={"engine": "faiss"})

    shop, catalog = Shop(tmp_path), ToyCatalog(per_class=120, size=8)
    gallery = indexing.build(shop.job(engine=faiss()), catalog, "all", shop.embedder()).gallery
    assert gallery.engine.name == "faiss"
    assert gallery.engine.recall == 1.0
    gallery = indexing.remove(shop.job(engine=faiss()), ["toy/1", "toy/2"]).gallery
    index = faiss().index
    index.load(gallery.engine_folder, gallery.vectors_ND, gallery.keys_N)
    found = index.search(gallery.vectors_ND[:3], 1)
    assert np.array_equal(found.distances, np.zeros((3, 1), np.float32))


class TestMilvus:
    """Vectors that are elsewhere: who reads an index finds those of its own state there."""

    @pytest.fixture
    def milvus(self, tmp_path):
        pytest.importorskip("pymilvus", reason="engine=milvus needs the extra milvus")
        from fashion_lab.indexes.milvus import MilvusIndex

        made = []

        def milvus():
            made.append(MilvusIndex(uri=str(tmp_path / "milvus.db"), collection="shop"))
            return EngineChoice(index=made[-1], options={"engine": "milvus"})

        yield milvus
        for index in made:
            index.close()

    def reader(self, milvus, gallery):
        index = milvus().index
        index.load(gallery.folder, gallery.vectors_ND, gallery.keys_N)
        return index

    def collections(self, index):
        return index._server.collections("shop")

    def answers(self, index, gallery):
        """Say whether the index holds this state, and nothing of another."""
        found = index.search(gallery.vectors_ND, len(gallery))
        complete = np.array_equal(np.sort(found.ids), np.tile(gallery.keys_N, (len(gallery), 1)))
        return complete and found.distances[:, 0].max() < 1e-3

    def test_the_old_state_is_searched_until_the_next_but_one(self, shop, milvus):
        gallery = shop.build(engine=milvus()).gallery
        reader = self.reader(milvus, gallery)
        plant(shop.root, "new.png")
        new = shop.sync(engine=milvus()).gallery
        assert self.answers(reader, gallery)
        late = self.reader(milvus, new)
        assert self.collections(reader) == sorted([reader._collection.own, late._collection.own])
        (shop.root / "00.png").unlink()
        last = shop.sync(engine=milvus()).gallery
        assert self.answers(late, new)
        assert self.answers(self.reader(milvus, last), last)
        assert len(self.collections(late)) == 2
        with pytest.raises(ValueError, match="does not exist"):
            self.answers(reader, gallery)

    @pytest.mark.parametrize("verb", ["build", "sync"])
    def test_a_change_that_fails_leaves_the_collection_in_force(self, shop, milvus, monkeypatch, verb):
        gallery = shop.build(engine=milvus()).gallery
        reader = self.reader(milvus, gallery)
        plant(shop.root, "new.png")

        def killed(*_):
            raise KeyboardInterrupt

        with monkeypatch.context() as broken:
            broken.setattr("fashion_lab.galleries.update.publish", killed)
            with pytest.raises(KeyboardInterrupt):
                getattr(shop, verb)(engine=milvus())
        assert Gallery.load(shop.index).state == gallery.state
        assert self.answers(reader, gallery)
        assert self.reader(milvus, gallery)._collection.own == reader._collection.own
        done = getattr(shop, verb)(engine=milvus())
        assert self.answers(reader, gallery)
        assert self.answers(self.reader(milvus, done.gallery), done.gallery)
        assert len(self.collections(reader)) == 2

    def test_what_is_no_change_touches_nothing(self, shop, milvus):
        reader = self.reader(milvus, shop.build(engine=milvus()).gallery)
        shop.touch("00.png")
        shop.sync(engine=milvus())
        assert self.collections(reader) == [reader._collection.own]


def test_a_missing_engine_is_told_and_made_again(shop):
    gallery = shop.build(engine=choice()).gallery
    shutil.rmtree(gallery.engine_folder)
    plant(shop.root, "new.png")
    with pytest.raises(IndexFolderError, match=r"graph\.json is missing; make it again"):
        shop.sync(engine=choice())
    assert len(shop.build(engine=choice()).gallery) == 41


class TestCalibration:
    @pytest.fixture
    def learn(self, shop):
        """Calibrates with the number of items, and keeps a list of those."""

        def calibrate(gallery):
            learn.among.append(len(gallery))
            return {"items": len(gallery)}

        def learn(change=shop.sync, calibrate=calibrate):
            return change(calibrate=calibrate).gallery.calibration["items"]

        learn.among = []
        return learn

    def test_it_is_learnt_once_and_kept(self, shop, learn):
        assert learn(shop.build) == 40
        plant(shop.root, "new.png")
        assert learn() == 40
        assert learn.among == [40]

    def test_it_is_learnt_anew_when_there_are_twice_as_many_or_half(self, shop, learn):
        learn(shop.build)
        plant(shop.root, *[f"more/{number}.png" for number in range(39)])
        assert learn() == 40
        plant(shop.root, "more/39.png")
        assert learn() == 80
        shutil.rmtree(shop.root / "more")
        assert learn() == 40
        assert learn.among == [40, 80, 40]

    def test_what_cannot_be_learnt_anew_stays(self, shop, learn):
        learn(shop.build)
        plant(shop.root, *[f"more/{number}.png" for number in range(40)])
        assert learn(calibrate=lambda gallery: None) == 40
        assert learn.among == [40]

    def test_where_nobody_noted_among_how_many_it_is_learnt_anew(self, shop, learn):
        learn(shop.build)
        manifest = json.loads((shop.index / "manifest.json").read_text())
        assert manifest.pop("calibrated") == 40
        (shop.index / "manifest.json").write_text(json.dumps(manifest))
        plant(shop.root, "new.png")
        assert learn() == 41
