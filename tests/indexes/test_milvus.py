"""What only the milvus engine does: addresses, and whether a collection is what it should be."""

import logging
import socket
import subprocess
import sys
import threading
import uuid

import numpy as np
import pytest
from galleries_of_vectors import check, clustered, draw

pytest.importorskip("pymilvus", reason="engine=milvus needs the extra milvus")

from fashion_lab.indexes.milvus import MilvusIndex
from fashion_lab.indexes.milvus_collection import Collection, marks
from fashion_lab.indexes.rows import Rows

IDS = np.arange(500)


@pytest.fixture
def name():
    return f"test_{uuid.uuid4().hex[:12]}"


@pytest.fixture
def make(milvus_server, name):
    made = []

    def another(**options):
        made.append(MilvusIndex(**{"uri": milvus_server, "collection": name, **options}))
        return made[-1]

    yield another
    for index in made:
        index.close()


@pytest.fixture
def gallery():
    return clustered(500)


def where(index):
    return index._collection.own


def test_the_same_vectors_are_found_again(make, gallery):
    first, second = make(), make()
    first.build(gallery)
    second.load(None, gallery, IDS)
    assert where(second) == where(first)


def test_after_changes_too(make, gallery):
    first, second = make(), make()
    first.build(gallery[:400])
    first.add(gallery[300:], IDS[300:])
    first.remove(IDS[:50])
    second.load(None, gallery[50:], IDS[50:])
    assert where(second) == where(first)


@pytest.mark.parametrize("change", ["a vector", "an id", "index_type", "two vectors swapped", "name"])
def test_anything_else_is_written_anew(make, gallery, change, name):
    first = make()
    first.build(gallery)
    options, ids = {}, IDS.copy()
    if change == "a vector":
        gallery = gallery.copy()
        gallery[7, 3] += 1e-6
    elif change == "an id":
        ids[-1] += 1
    elif change == "two vectors swapped":
        gallery = gallery[[1, 0, *range(2, 500)]]
    elif change == "name":
        options = {"collection": f"{name}_other"}
    else:
        options = {"index_type": "HNSW", "index_params": {"M": 16, "efConstruction": 64}}
    second = make(**options)
    second.load(None, gallery, ids)
    assert where(second) != where(first)
    check(second, gallery, gallery[:9], 5, ids)
    check(first, clustered(500), gallery[:9], 5)  # who searched the other one still does


def test_what_is_stored_is_centred(make, gallery):
    """A server may compute |x|^2 - 2xy + |y|^2 in float32, which a common offset would drown."""
    index = make()
    index.build(gallery + 1000)
    stored = np.concatenate([rows.vectors_ND for rows in index._collection.all_rows()])
    np.testing.assert_allclose(stored.mean(axis=0), 0, atol=1e-3)
    index.add(gallery[:50] + 1000, np.arange(500, 550))
    assert np.abs(index._server.rows(where(index), [500]).vectors_ND).max() < 10


@pytest.mark.parametrize("verb", ["add", "replace", "remove"])
def test_an_unfinished_change_is_not_taken_for_whole(make, gallery, verb, monkeypatch):
    first = make()
    first.build(gallery[:400])

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(Collection, "_done", killed)
        change = {
            "add": lambda: first.add(gallery[400:], IDS[400:]),
            "replace": lambda: first.add(gallery[400:], IDS[:100]),
            "remove": lambda: first.remove(IDS[:10]),
        }[verb]
        with pytest.raises(KeyboardInterrupt):
            change()
    for vectors, ids in ((gallery[:400], IDS[:400]), (gallery, IDS), (gallery[10:400], IDS[10:400])):
        second = make()
        second.load(None, vectors, ids)
        assert where(second) != where(first)
        check(second, vectors, gallery[:9], 5, ids)


def test_rows_lost_behind_our_back_are_noticed(make, gallery):
    first, second = make(), make()
    first.build(gallery)
    first._server.delete(where(first), [3])
    second.load(None, gallery, IDS)
    assert where(second) != where(first)
    assert len(second) == 500


def test_building_leaves_what_others_search(make, gallery):
    first, second = make(), make()
    first.build(gallery)
    second.build(gallery[:300])
    check(first, gallery, gallery[:3], 5)
    check(second, gallery[:300], gallery[:3], 5)


def test_sweeping_drops_what_is_not_needed_under_the_name(make, gallery, name):
    first, second, third, neighbour = make(), make(), make(), make(collection=f"{name}_b")
    neighbour.build(gallery)
    first.build(gallery)
    second.build(gallery[:400])
    third.build(gallery[:300])
    third.sweep([(gallery[:400], IDS[:400])])
    assert third._server.collections(name) == sorted([where(second), where(third)])
    check(second, gallery[:400], gallery[:3], 5)
    check(neighbour, gallery, gallery[:3], 5)
    with pytest.raises(ValueError, match="does not search") as told:
        first.search(gallery[:1], 5)
    assert "\n" not in str(told.value)
    third.sweep([])
    assert third._server.collections(name) == [where(third)]


def test_other_collections_are_left_alone(make, gallery, name):
    index = make()
    index.build(gallery[:9])
    client = index._server._client
    client.create_collection(f"{name}_theirs", dimension=4)
    index.build(gallery[:8])
    index.sweep([])
    assert client.has_collection(f"{name}_theirs")
    client.drop_collection(f"{name}_theirs")


def test_few_candidates_of_many_copies_are_asked_for_again(make):
    gallery = np.concatenate([np.tile(draw(1, 8), (200, 1)), draw(600, 8, seed=1)])
    index = make()
    index.build(gallery)
    asked = []
    ask = Collection.propose

    def propose(self, queries_QW, count, parameters):
        asked.append(count)
        return ask(self, queries_QW, count, parameters)

    with pytest.MonkeyPatch.context() as watched:
        watched.setattr(Collection, "propose", propose)
        assert index.search(gallery[:1], 5).ids.tolist() == [[0, 1, 2, 3, 4]]
    assert asked == [26, 104, 416]


def test_marks_tell_rows_apart():
    rows = Rows(draw(50, 4), np.arange(50))
    assert len(set(marks(rows))) == 50
    assert marks(Rows(rows.vectors_ND[:1], np.array([1]))) != marks(Rows(rows.vectors_ND[:1], np.array([0])))


class TestAddresses:
    """Each is an error in one line, in seconds, that names the address and what to do."""

    def refused(self, **options):
        index = MilvusIndex(**options)
        with pytest.raises(ValueError, match=r"\w") as told:
            index.build(draw(3, 4))
        assert "\n" not in str(told.value)
        return str(told.value)

    def test_nobody_listens(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            uri = f"http://127.0.0.1:{taken.getsockname()[1]}"
            told = self.refused(uri=uri)
        assert uri in told
        assert "milvus-lite server" in told

    @pytest.mark.timeout(60)
    def test_somebody_listens_and_says_nothing(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
            assert uri in self.refused(uri=uri, timeout=1.0)

    @pytest.mark.timeout(60)
    def test_something_else_answers(self):
        def serve(server):
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                connection.close()

        with socket.create_server(("127.0.0.1", 0)) as web:
            threading.Thread(target=serve, args=(web,), daemon=True).start()
            uri = f"http://127.0.0.1:{web.getsockname()[1]}"
            assert uri in self.refused(uri=uri, timeout=2.0)

    def test_no_address(self):
        assert "engine.uri= is missing" in self.refused(uri=None)

    def test_a_file_that_is_something_else(self, tmp_path):
        (tmp_path / "photo.db").write_text("a photo")
        assert str(tmp_path / "photo.db") in self.refused(uri=str(tmp_path / "photo.db"))

    def test_a_file_without_its_ending(self, tmp_path):
        assert ".db" in self.refused(uri=str(tmp_path / "photo.txt"))

    def test_a_file_that_another_process_holds(self, tmp_path):
        hold = (
            "import sys\nfrom fashion_lab.indexes.milvus import MilvusIndex\nimport numpy as np\n"
            f"index = MilvusIndex(uri={str(tmp_path / 'x.db')!r})\n"
            "index.build(np.zeros((3, 4), np.float32))\nprint('held', flush=True)\nsys.stdin.read()\n"
        )
        with subprocess.Popen(
            [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as other:
            try:
                assert other.stdout.readline().strip() == "held"
                assert "no other process" in self.refused(uri=str(tmp_path / "x.db"))
            finally:
                other.kill()

    def test_passwords_stay_out_of_messages(self):
        told = self.refused(uri="http://root:secret@127.0.0.1:9", timeout=2.0)
        assert "secret" not in told
        assert "127.0.0.1:9" in told

    def test_a_server_that_dies(self, tmp_path, make, gallery):
        index = make()
        index.build(gallery)
        index._server._client.close()  # what is left of a connection
        with pytest.raises(ValueError, match="does not search"):
            index.search(gallery[:1], 30)


def test_a_token_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("CLUSTER_TOKEN", "hush")
    assert MilvusIndex(uri="x.db", token_from="CLUSTER_TOKEN")._token == "hush"
    monkeypatch.delenv("CLUSTER_TOKEN")
    with pytest.raises(ValueError, match="CLUSTER_TOKEN"):
        MilvusIndex(uri="x.db", token_from="CLUSTER_TOKEN")


@pytest.mark.parametrize(
    "option", [{"collection": "a b"}, {"collection": "1st"}, {"batch": 0}, {"timeout": 0}]
)
def test_odd_options(option):
    with pytest.raises(ValueError, match=next(iter(option))):
        MilvusIndex(uri="x.db", **option)


def test_the_clients_do_not_log_what_is_told(caplog):
    with caplog.at_level(logging.INFO), pytest.raises(ValueError, match="no Milvus answers"):
        MilvusIndex(uri="http://127.0.0.1:9", timeout=2.0).build(draw(3, 4))
    assert "Traceback" not in caplog.text
