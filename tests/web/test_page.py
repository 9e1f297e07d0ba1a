"""The page as it works without scripts: forms and links."""

import html
import re
from urllib.parse import parse_qs, urlsplit

import pytest
import store

from fashion_lab.calibration import Calibration

RED = {"picture": store.picture(store.colour("red", 180), kind="PNG")}


def text_of(response, status=200):
    assert response.status_code == status
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    return response.text


def cards(page):
    return [html.unescape(link) for link in re.findall(r'<a class="card" href="([^"]+)"', page)]


def shown(page):
    return [parse_qs(urlsplit(link).query)["item"][0] for link in cards(page)]


def fields(page, form):
    """Hidden fields of the first form of a class."""
    inside = re.search(rf'<form class="{form}".*?</form>', page, re.S)[0]
    pairs = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', inside)
    return {name: html.unescape(value) for name, value in pairs}


def test_it_starts_on_a_sample_of_the_catalog(client):
    page = text_of(client.get("/"))
    assert len(set(shown(page))) == 12
    assert "12 items" in page


def test_another_sample(search):
    with store.client(search, sample=5) as client:
        first = text_of(client.get("/"))
        second = text_of(client.get("/", params=fields(first, "again")))
        assert len(shown(first)) == len(shown(second)) == 5
        assert not {*shown(first)} & {*shown(second)}


def test_a_class_of_the_catalog(client):
    page = text_of(client.get("/?show=is:green"))
    assert len(shown(page)) == 4
    assert all(name.startswith("green/") for name in shown(page))
    assert re.search(r'value="is:green" aria-pressed="true"', page)


def test_an_empty_catalog_says_so(items):
    import dataclasses

    gallery = store.gallery(items)
    none = dataclasses.replace(
        gallery, items=(), vectors_ND=gallery.vectors_ND[:0], pictures=gallery.pictures[:0]
    )
    with store.client(store.VisualSearch(none, store.MeanColour())) as client:
        assert "No picture here" in text_of(client.get("/"))
        assert "Looks like this" in text_of(client.post("/", files=RED))
        assert client.post("/api/search", files=RED).json()["hits"] == []


def test_a_click_searches_from_an_item(client):
    link = next(link for link in cards(text_of(client.get("/"))) if "red%2F3.png" in link)
    page = text_of(client.get(link))
    assert "Looks like this" in page
    assert shown(page)[0] == "red/2.png"
    assert "red/3.png" not in shown(page)
    assert "distance" in page
    assert all(text_of(client.get(link)) for link in cards(page))  # each of them again, odd ids too


def test_a_picture_and_then_a_filter_without_sending_it_again(client):
    page = text_of(client.post("/", files=RED))
    assert shown(page)[0] == "red/3.png"
    kept = fields(page, "filters")
    assert {"seen", "shown"} <= set(kept)
    button = {"show": "not:red"}
    filtered = text_of(client.post("/", data={**kept, **button}, files={"none": b""}))
    assert not [name for name in shown(filtered) if name.startswith("red/")]
    assert fields(filtered, "filters")["shown"] == kept["shown"]
    again = text_of(client.post("/", data={**fields(filtered, "filters"), "show": ""}, files={"none": b""}))
    numbers = re.findall(r"distance [\d.]+", page)
    assert numbers
    assert re.findall(r"distance [\d.]+", again) == numbers  # exactly what the encoder saw


def test_how_many_and_the_filter_stay_chosen(client):
    page = text_of(client.get("/?item=red/3.png&k=2&show=not:red&fold=no"))
    assert len(shown(page)) == 2
    assert fields(page, "filters") == {"item": "red/3.png", "k": "2", "show": "not:red", "fold": "no"}
    assert {(*parse_qs(urlsplit(link).query),) for link in cards(page)} == {("item", "fold", "k")}


def test_a_button_beats_the_hidden_field_before_it(client):
    page = text_of(client.get("/?item=red/3.png&show=is:red&show=is:blue"))
    assert {name.split("/")[0] for name in shown(page)} == {"blue"}


def test_what_the_classifier_says(client):
    page = text_of(client.post("/", files={"picture": store.picture((255, 255, 255))}))
    bars = re.findall(r"<label for=\"bar-\d\">(\w+)</label>.*?value=\"([\d.]+)\"", page, re.S)
    assert [name for name, _ in bars] == ["light", "dark"]
    assert float(bars[0][1]) > 0.99
    assert "The classifier sees" in text_of(client.get("/?item=red/3.png"))


class NoHead(store.MeanColour):
    has_head = False


def test_no_bars_without_a_head(items):
    with store.client(store.finder(items, NoHead())) as client:
        assert "The classifier sees" not in text_of(client.post("/", files=RED))
        assert client.post("/api/search", files=RED, data={"classes": "yes"}).json()["classes"] is None


@pytest.fixture
def calibrated(items):
    meaning = Calibration(
        middle=50,
        slope=0.1,
        thresholds=[(12, 60)],
        alarms=0.05,
        caught=0.5,
        queries=100,
        made_from="validation",
    )
    return store.finder(items, calibration=meaning.record())


def test_similarity_and_nothing_like_it(calibrated):
    with store.client(calibrated) as client:
        page = text_of(client.post("/", files=RED))
        assert re.search(r"<b>99%</b>", page)
        assert "Looks like this" in page
        strange = {"picture": store.picture((255, 255, 255))}
        assert "Nothing quite like it here" in text_of(client.post("/", files=strange))
        assert client.post("/api/search", files=strange).json()["nothing_like_it"] is True
        other = text_of(client.post("/", files=strange, data={"show": "is:blue"}))
        assert "Nothing quite like it" not in other  # whoever asks for another class knows
        record = client.post("/api/search", files=RED).json()
        assert record["nothing_like_it"] is False
        assert record["hits"][0]["similarity"] > 0.99


def test_near_duplicates_are_counted_and_can_be_seen(items):
    import dataclasses

    items = [dataclasses.replace(item, product=f"garment {n // 2}") for n, item in enumerate(items)]
    with store.client(store.finder(items)) as client:
        page = text_of(client.get("/?item=blue/0.png&show=is:red"))
        assert len(shown(page)) == 2
        assert "and 1 nearly the same" in page
        page = text_of(client.get("/?item=blue/0.png&show=is:red&fold=no"))
        assert len(shown(page)) == 4


def test_a_form_that_somebody_else_made(client):
    for data in ({"seen": "%%%"}, {"seen": "AAAA"}, {"shown": "AAAA"}, {}):
        page = client.post("/", data=data, files={"none": b""}, headers={"accept": "text/html"})
        assert "That did not work" in text_of(page, 400)


def test_what_visitors_write_is_escaped(client):
    for query in (
        "item=<script>alert(1)</script>",
        "show=is:<script>alert(1)</script>",
        "page=<script>alert(1)",
    ):
        response = client.get(f"/?{query}", headers={"accept": "text/html"})
        assert "<script>alert" not in response.text
    page = text_of(client.get("/", params={"item": store.ODD}))
    assert "größe 1?#100% &amp;&lt;b&gt;.png" in page
    assert "<b>.png" not in page


def test_many_classes_hide_behind_more(items):
    import dataclasses

    items = [
        dataclasses.replace(item, class_name=f"class {n}") for n, item in enumerate([*items, *items[:3]])
    ]
    items = [dataclasses.replace(item, id=f"i{n}") for n, item in enumerate(items)]
    with store.client(store.finder(items)) as client:
        page = text_of(client.get("/"))
        assert "<summary>" in page
        assert page.count('name="show"') == 16


def test_everything_comes_from_this_server(client):
    for path in ("/", "/docs", "/static/page.css", "/static/page.js", "/static/icon.svg"):
        text = client.get(path).text.replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"(?:src|href)=\"(?:https?:)?//", text), path
        assert "url(" not in text
        assert "@import" not in text
