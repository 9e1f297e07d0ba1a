"""The index changes while it is served: fault I10."""

import asyncio
import gc
import threading
from collections import Counter

import pytest
import store
from shops import Colours, Shop

from fashion_lab.galleries.engines import EngineChoice
from fashion_lab.indexes.auto import AutoIndex
from fashion_lab.indexes.exact import ExactIndex
from fashion_lab.web import server
from fashion_lab.web.live import Live, Snapshot


class Shelf:
    """An index that is replaced: generation after generation, each with items of its own name."""

    def __init__(self, items):
        self.items, self.generation, self.loads, self.broken = items, 0, 0, False
        self.closed = []

    def state(self):
        if self.broken:
            raise ValueError("the index at /secret is damaged")
        return f"state-{self.generation}"

    def load(self, before):
        import dataclasses

        generation = self.generation
        self.loads += 1
        items = [dataclasses.replace(item, id=f"{generation}/{item.id}") for item in self.items]
        found = store.finder(items, state=f"state-{generation}")
        found.index.close = lambda: self.closed.append(generation)
        return found


@pytest.fixture
def shelf(items):
    return Shelf(items)


def test_i10_queries_during_reloads_see_the_old_index_or_the_new(shelf):
    """I10: 200 queries during 20 reloads; never a mix, never an error."""
    seen, wrong = Counter(), []
    watched = Live(shelf.load, shelf.state, every=0.01)
    files = {"picture": store.picture()}

    def ask(client):
        for number in range(50):
            if number % 2:
                response = client.post("/api/search", files=files, data={"k": "12", "fold": "no"})
            else:
                item = client.get("/").text.split("/?item=")[1].split("%2F")[0]
                response = client.post(
                    "/api/search", json={"item": f"{item}/red/0.png", "k": 11, "fold": False}
                )
                if response.status_code == 404:  # that generation has gone since
                    continue
            record = response.json()
            generations = {hit["id"].split("/")[0] for hit in record["hits"]}
            if {record["index"]} != {f"state-{one}" for one in generations}:
                wrong.append(record)
            seen[record["index"]] += 1

    app = store.create(watched, store.settings())
    with store.TestClient(app, base_url="http://localhost") as client:
        threads = [threading.Thread(target=ask, args=(client,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for generation in range(1, 21):
            shelf.generation = generation
            store.wait_for(lambda: watched.current.state == f"state-{shelf.generation}")
        for thread in threads:
            thread.join()
        assert client.get("/healthz").json()["index"] == "state-20"
    assert not wrong
    assert sum(seen.values()) > 100
    assert len(seen) > 2
    assert watched.reloads == 20


def test_the_engine_of_an_old_snapshot_is_closed_when_nobody_uses_it(shelf):
    watched = Live(shelf.load, shelf.state, every=60)
    old = watched.current
    shelf.generation = 1
    asyncio.run(watched._look())
    gc.collect()
    assert shelf.closed == []
    del old
    gc.collect()
    assert shelf.closed == [0]


def test_an_index_that_cannot_be_read_leaves_the_old_one_in_force(shelf, caplog):
    watched = Live(shelf.load, shelf.state, every=0.01)
    with store.TestClient(store.create(watched, store.settings()), base_url="http://localhost") as client:
        shelf.broken = True
        store.wait_for(lambda: watched.failures == 1)
        assert client.get("/healthz").json()["index"] == "state-0"
        assert client.get("/healthz").status_code == 200
        assert "fashion_lab_index_reload_failures 1.0" in client.get("/metrics").text
    assert "the old one stays" in caplog.text
    assert watched.failures == 1  # not asked again at once


def test_nothing_is_loaded_while_nothing_changes(shelf):
    watched = Live(shelf.load, shelf.state, every=60)
    for _ in range(3):
        asyncio.run(watched._look())
    assert shelf.loads == 1


def test_a_sample_walks_through_the_whole_catalog(search):
    snapshot = Snapshot(search)
    pages = [snapshot.sample(4, page) for page in range(3)]
    assert sorted(position for page in pages for position in page) == list(range(12))
    assert len({snapshot.finder.gallery.items[position].class_name for position in pages[0]}) == 3
    assert snapshot.sample(4, 3) == pages[0]
    assert sorted(snapshot.sample(99)) == list(range(12))


def test_a_sample_of_some_classes(search):
    snapshot, items = Snapshot(search), search.gallery.items
    some = snapshot.sample(3, 0, {"class": "green"})
    assert [items[position].class_name for position in some] == ["green"] * 3
    others = snapshot.sample(99, 0, {"class": {"not": "green"}})
    assert {items[position].class_name for position in others} == {"red", "blue"}
    assert len(others) == 8
    assert snapshot.classes == {"blue": 4, "green": 4, "red": 4}


def test_the_engine_follows_what_the_index_is_made_with(tmp_path, monkeypatch):
    """An index that is made again with another engine is searched with that one, at the next look."""
    shop = Shop(tmp_path, "a.png", "b.png")
    shop.build()
    monkeypatch.setattr(Colours, "calibration", None, raising=False)
    monkeypatch.setattr("fashion_lab.encoders.load", lambda *_, **__: shop.encoder)
    words = {"engine": None, "runtime": "auto", "trusted": [], "every": 60}
    watched = server.watched(str(shop.index), str(tmp_path), **words)
    assert type(watched.current.finder.index) is ExactIndex
    options = {"_target_": "fashion_lab.indexes.auto.AutoIndex", "most": 7, "faiss": {}}
    shop.build(engine=EngineChoice(index=AutoIndex(most=7), options=options))
    asyncio.run(watched._look())
    assert watched.current.finder.index._most == 7
