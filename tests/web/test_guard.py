"""Who may ask, and what every answer says: faults W8, W9."""

import json
import logging
import re
from pathlib import Path

import pytest
import store

from fashion_lab.web.guard import check, is_ours
from fashion_lab.web.refusals import Refusal

PICTURE = {"picture": store.picture()}


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("localhost", True),
        ("localhost:8000", True),
        ("LOCALHOST:8000", True),
        ("127.0.0.1:9", True),
        ("[::1]:8000", True),
        ("search.example.com", True),
        ("evil.com", False),
        ("localhost.evil.com", False),
        ("localhost@evil.com", False),
        ("192.168.1.5:8000", False),
        ("", False),
        ("[", False),
        ("localhost:x", True),
    ],
)
def test_w8_names_of_this_server(client, host, ours):
    """W8: any other name may be a page that made its own name point here."""
    assert is_ours(host, store.settings(hosts=("search.example.com",))) is ours


def test_w8_in_public_any_number_is_ours_and_no_foreign_name():
    """W8: numeric addresses cannot be made to point elsewhere."""
    public = store.settings(public=True)
    assert is_ours("192.168.1.5:8000", public)
    assert is_ours("[2001:db8::1]", public)
    assert not is_ours("evil.com", public)


def test_w8_a_foreign_host_sees_nothing(client):
    """W8: neither page, nor API, nor pictures, nor health."""
    for path in ("/", "/healthz", "/metrics", "/openapi.json", "/static/page.css", "/api/items/red/0.png"):
        response = client.get(path, headers={"host": "evil.com"})
        assert response.status_code == 421
        assert set(response.json()) == {"error", "id"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://localhost:8000"}, 200),
        ({"origin": "https://localhost:8000"}, 200),  # behind a proxy that speaks TLS
        ({"origin": "http://localhost:9000"}, 403),
        ({"origin": "http://evil.com"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
    ],
)
def test_w8_a_foreign_page_may_not_send(client, headers, status):
    """W8: everything that is no GET."""
    for path in ("/api/search", "/"):
        assert client.post(path, files=PICTURE, headers=headers).status_code == status


def test_w8_a_link_from_elsewhere_is_followed(client):
    assert (
        client.get("/", headers={"sec-fetch-site": "cross-site", "origin": "http://evil.com"}).status_code
        == 200
    )


def test_w8_what_every_answer_tells_browsers(client):
    """W8: pages, errors, pictures and files alike."""
    for path in ("/", "/docs", "/nowhere", "/static/page.js", "/healthz", "/api/pictures/red/0.png"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert "access-control-allow-origin" not in headers
        assert "cookie" not in str(headers).lower()


def test_the_page_keeps_its_own_policy(client):
    """No inline script, no inline style, nothing from elsewhere."""
    for text in (client.get("/").text, client.get("/docs").text, client.post("/", files=PICTURE).text):
        assert "<style" not in text
        assert " style=" not in text
        assert not re.search(r"<[^>]*\son\w+=", text)
        assert "<script>" not in text


class Broken(store.MeanColour):
    """Fails with a secret in its message."""

    def embed(self, pixels_NCHW):
        raise RuntimeError("/secret/path/model.ckpt is broken")


def test_w9_an_error_inside_tells_an_id_and_no_secret(search, caplog):
    """W9: the log has the rest, under that id."""
    search.encoder = Broken()
    with store.client(search) as client, caplog.at_level(logging.ERROR):
        for path in ("/api/search", "/api/embed", "/"):
            response = client.post(path, files=PICTURE, headers={"accept": "text/html"})
            assert response.status_code == 500
            assert "secret" not in response.text
            assert "Traceback" not in response.text
            assert response.headers["x-request-id"] in response.text
            assert response.headers["x-request-id"] in caplog.text
            assert "content-security-policy" in response.headers
        assert client.get("/healthz").status_code == 200
    assert "/secret/path/model.ckpt is broken" in caplog.text


def test_w9_refusals_are_json_for_programs_and_a_page_for_people(client):
    """W9."""
    for path, status in (
        ("/nowhere", 404),
        ("/api/items/nothing", 404),
        ("/api/pictures/red/0.png?size=7", 400),
    ):
        response = client.get(path, headers={"accept": "text/html"})
        assert (response.status_code, set(response.json())) == (status, {"error", "id"})
    assert client.put("/api/search").status_code == 405
    assert client.get("/api/pictures/red/0.png?size=x").json()["error"].startswith("size: ")
    for query in (
        "item=nothing",
        "k=0",
        "k=x",
        "show=evil",
        "show=is:nothing&item=red/0.png",
        "page=-1",
        "fold=maybe",
    ):
        response = client.get(f"/?{query}", headers={"accept": "text/html"})
        assert response.status_code in (400, 404), query
        assert "That did not work" in response.text


@pytest.mark.parametrize("condition", ["x", ["x"], {"not": "x"}, {"min": 0}])
def test_w9_where_files_lie_is_not_told(client, items, condition):
    """W9: neither in a list of what there is, nor as yes or no to a guess."""
    for where in ({"path": condition}, {"path": items[0].path}, {"no such": condition}, {"id": condition}):
        for asked in (
            {"json": {"item": "red/1.png", "where": where}},
            {"data": {"where": json.dumps(where)}, "files": PICTURE},
        ):
            response = client.post("/api/search", **asked)
            assert str(Path(items[0].path).parents[1]) not in response.text
            if "path" in where:
                assert response.status_code == 400
                assert response.json()["error"].startswith("where: no column 'path'")
                assert "path" not in response.json()["error"].partition("; there are ")[2]


def test_check_names_the_reason():
    with pytest.raises(Refusal) as caught:
        check("GET", {"host": "evil.com"}, store.settings())
    assert caught.value.status == 421
