"""The API: search, embed, items, health, metrics, descriptions."""

import json
import socket
from urllib.parse import quote

import numpy as np
import pytest
import store

RED = {"picture": store.picture((180, 36, 36), kind="PNG")}


def test_a_picture_finds_what_looks_like_it(client):
    answer = client.post("/api/search", files=RED, data={"k": "2", "classes": "yes"}).json()
    first, second = answer["hits"]
    assert (first["rank"], first["id"], first["class"], second["rank"]) == (1, "red/3.png", "red", 2)
    assert first["distance"] == pytest.approx(0, abs=0.5)
    assert first["distance"] <= second["distance"]
    assert first["columns"] == {"price": 40}
    assert (answer["items"], answer["low_information"]) == (12, True)  # plain colours show nothing
    assert sum(one["probability"] for one in answer["classes"]) == pytest.approx(1)
    assert "path" not in first


def test_an_item_finds_others_and_not_itself(client):
    for body in (
        {"data": {"item": "red/3.png", "k": "3"}, "files": {"none": b""}},
        {"json": {"item": "red/3.png", "k": 3}},
    ):
        ids = store.found(client.post("/api/search", **body))
        assert len(ids) == 3
        assert ids[0] == "red/2.png"


def test_filters_and_how_many(client):
    def ask(where, **more):
        as_text = store.found(
            client.post("/api/search", files=RED, data={"where": json.dumps(where), **more})
        )
        body = {"item": "red/3.png", "where": where, **more}
        return as_text, store.found(client.post("/api/search", json=body))

    for ids in ask({"class": "blue"}, k=12, fold="false"):
        assert len(ids) == 4
        assert all(name.startswith("blue/") for name in ids)
    for ids in ask({"class": {"not": "red"}, "price": {"min": 20, "max": 30}}, k=12, fold="false"):
        assert sorted(ids) == ["blue/1.png", "blue/2.png", "green/1.png", "green/2.png"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"k": "0"}, "k=0: give a whole number, 1 to 200"),
        ({"k": "-1"}, "k=-1: give"),
        ({"k": "1000000000"}, "k=1000000000: give"),
        ({"k": "five"}, "k=five: give"),
        ({"k": "²"}, "k=²: give"),
        ({"where": "{"}, "is no JSON"),
        ({"where": "[1]"}, "no JSON object"),
        ({"where": "[" * 9000}, "is no JSON"),
        ({"where": "x" * 20000}, "where has 20,000 letters; 10,000 are read"),
        ({"made up": "x" * 20000}, "made up has 20,000 letters"),
        ({"where": '{"colour": "red"}'}, "no column 'colour'"),
        ({"where": '{"class": "skirt"}'}, "no item has it"),
        ({"where": '{"class": {"not": {}}}'}, "no condition"),
        ({"expand": "51"}, "expand=51: give a whole number, 0 to 50"),
        ({"fold": "perhaps"}, "fold=perhaps: give true or false"),
        ({"item": "red/3.png"}, "not both"),
    ],
)
def test_a_wish_that_cannot_be(client, fields, message):
    response = client.post("/api/search", files=RED, data=fields)
    assert response.status_code == 400
    assert message in response.json()["error"]
    assert set(response.json()) == {"error", "id"}


def test_neither_picture_nor_item(client):
    assert client.post("/api/search", json={}).status_code == 400
    assert client.post("/api/search", json=[1]).status_code == 400
    assert (
        client.post("/api/search", content=b"{", headers={"content-type": "application/json"}).status_code
        == 400
    )
    assert client.post("/api/search", content=b"x").status_code == 415
    assert client.post("/api/search", json={"item": "no such"}).status_code == 404
    assert client.post("/api/embed", json={}).status_code == 400


def test_an_id_that_is_not_there_is_not_compared_with_all_that_are(client, monkeypatch):
    """In a catalog of a million that would take a minute a request."""
    import difflib

    monkeypatch.setattr(difflib, "get_close_matches", None)
    for response in (
        client.post("/api/search", json={"item": "red/33.png"}),
        client.get("/api/items/red/33.png"),
        client.get("/?item=red/33.png"),
    ):
        assert response.status_code == 404


def test_json_has_an_end(client):
    assert client.post("/api/search", json={"item": "x" * 20_000}).status_code == 413


def test_the_vector_of_a_picture_is_the_searchs_own(client, search, tmp_path):
    (tmp_path / "q.png").write_bytes(RED["picture"])
    answer = client.post("/api/embed", files=RED).json()
    own = search.encode([search.prepare(tmp_path / "q.png")])[0]
    assert np.array_equal(np.float32(answer["embedding"]), own)
    assert answer["encoder"] == search.encoder.fingerprint
    assert answer["classes"] is None
    asked = client.post("/api/embed", files=RED, data={"classes": "yes"}).json()["classes"]
    assert [one["class"] for one in asked] == ["dark", "light"]


def test_an_item_by_its_id_whatever_is_in_it(client, items):
    for item in items:
        record = client.get(f"/api/items/{quote(item.id)}").json()
        assert (record["id"], record["class"], record["stale"]) == (item.id, item.class_name, False)
        shown = client.get(record["picture"])
        assert (shown.status_code, shown.headers["content-type"]) == (200, "image/jpeg")


def test_health_and_metrics(client):
    health = client.get("/healthz").json()
    assert (health["status"], health["items"]) == ("ok", 12)
    client.post("/api/search", files=RED)
    text = client.get("/metrics").text
    for line in (
        'fashion_lab_requests_total{method="POST",route="/api/search",status="200"} 1.0',
        'fashion_lab_request_seconds_count{route="/api/search"} 1.0',
        "fashion_lab_batch_pictures_count 1.0",
        "fashion_lab_index_items 12.0",
        "fashion_lab_queue_embed 0.0",
    ):
        assert line in text.splitlines()


def test_metrics_have_no_label_that_clients_make_up(client):
    for number in range(5):
        client.request(f"MADEUP{number}", f"/made-up-{number}")
        client.get(f"/api/items/made-up-{number}")
    assert "made-up" not in client.get("/metrics").text
    assert "MADEUP" not in client.get("/metrics").text


def test_the_description_is_typed_and_works_offline(client):
    description = client.get("/openapi.json").json()
    answer = description["paths"]["/api/search"]["post"]["responses"]["200"]["content"]["application/json"]
    assert answer["schema"]["$ref"].endswith("/SearchRecord")
    sent = description["paths"]["/api/search"]["post"]["requestBody"]["content"]
    assert set(sent) == {"multipart/form-data", "application/json"}
    page = client.get("/docs").text
    for path in ("/api/search", "/api/embed", "/api/items/{item_id}", "/healthz"):
        assert path in page
    assert "http" not in page.replace("http://localhost:8000/api/search", "")


def test_w5_no_field_takes_an_address(client):
    """W5: there is no way to make the server fetch something."""
    described = json.dumps(client.get("/openapi.json").json()).lower()
    assert '"url"' not in described
    assert '"uri"' not in described
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/x.jpg"
        for name in ("url", "picture", "image", "item", "where"):
            assert client.post("/api/search", json={name: address}).status_code in (400, 404)
            for path in ("/api/search", "/api/embed", "/"):
                assert client.post(path, files={"none": b""}, data={name: address}).status_code in (400, 404)
        assert client.post("/api/embed", files={"picture": ("x.jpg", address.encode())}).status_code == 400
        listener.settimeout(0.2)
        with pytest.raises(TimeoutError):  # nobody has called
            listener.accept()


def test_two_requests_share_a_forward_pass(search):
    from concurrent.futures import ThreadPoolExecutor

    with store.client(search, batch={"wait_ms": 200}) as client, ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: client.post("/api/search", files=RED), range(16)))
        assert {answer.status_code for answer in answers} == {200}
        text = client.get("/metrics").text
    (count,) = (
        line.split()[1] for line in text.splitlines() if line.startswith("fashion_lab_batch_pictures_count")
    )
    assert float(count) < 16
