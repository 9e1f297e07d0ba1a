"""The page in a real browser: what people do with it, and how it is for those who see or point less well."""

import base64
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest
import store

from fashion_lab.catalogs.synthetic import SyntheticCatalog
from fashion_lab.visual_search import VisualSearch

DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
RED = store.picture(store.colour("red", 180), kind="PNG")
SCREENSHOT = Path(__file__).parents[2] / "experiments" / "search" / "screenshot.png"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    items = store.stock(tmp_path_factory.mktemp("browser") / "shop")
    with store.served(store.live(store.finder(items))) as address:
        yield address


@pytest.fixture
def open_page(browser, address):
    """Open the page as somebody; at the end, nothing has failed in it and nothing was asked of others."""
    contexts, asked, failures = [], [], []

    def open_(path="/", **somebody):
        context = browser.new_context(**{"viewport": DESK, **somebody})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.on("console", lambda line: failures.append(line.text) if "Security" in line.text else None)
        page.goto(address + path)
        page.wait_for_load_state("networkidle")
        return page

    yield open_
    for context in contexts:
        context.close()
    assert failures == []
    assert [url for url in asked if not url.startswith((address + "/", "data:"))] == []
    assert asked


def until(page, condition):
    """Wait for something to be true (Playwright's own way needs `eval`, which the page's policy forbids)."""
    for _ in range(200):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never: {condition}")


def heading(page):
    return page.locator("#results-heading").inner_text()


def hits(page):
    links = page.locator("a.card").evaluate_all("cards => cards.map(card => card.href)")
    return [unquote(link.split("item=")[1].split("&")[0]) for link in links]


def wait_for_hits(page):
    page.locator(".side.asked").wait_for()
    assert heading(page) == "Looks like this"


def wait_for_subject(page, name):
    page.locator(f'figcaption[title="{name}"]').wait_for()
    assert name in unquote(page.url)


def give(page, event, data=RED, kind="image/png"):
    """Drop or paste a file as a browser tells a page of it."""
    page.evaluate(
        """([event, data, kind]) => {
            const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
            const held = new DataTransfer();
            held.items.add(new File([bytes], "q", { type: kind }));
            const options = { bubbles: true, cancelable: true, dataTransfer: held, clipboardData: held };
            const kinds = { paste: ClipboardEvent, drop: DragEvent, dragover: DragEvent };
            document.body.dispatchEvent(new kinds[event](event, options));
        }""",
        [event, base64.b64encode(data).decode(), kind],
    )


def choose(page, data=RED, name="q.png", kind="image/png"):
    page.locator("input[type=file]").first.set_input_files({"name": name, "mimeType": kind, "buffer": data})


def test_drop(open_page):
    page = open_page()
    give(page, "dragover")
    assert page.locator(".dropping").is_visible()
    give(page, "drop")
    wait_for_hits(page)
    assert hits(page)[0] == "red/3.png"
    assert not page.locator(".dropping").is_visible()
    give(page, "drop", store.picture(store.colour("blue", 60), kind="PNG"))  # and from there, another
    until(page, "document.querySelector('a.card').href.includes('blue')")


def test_paste(open_page):
    page = open_page()
    give(page, "paste")
    wait_for_hits(page)
    assert hits(page)[0] == "red/3.png"


def test_choose_and_then_filter_and_how_many(open_page):
    page = open_page()
    choose(page)
    wait_for_hits(page)
    assert page.locator(".subject img").get_attribute("src").startswith("data:image/jpeg")
    assert page.locator(".bars meter").count() == 2
    page.get_by_role("button", name="green 4").click()
    until(page, "document.querySelectorAll('a.card').length === 4")
    assert {name.split("/")[0] for name in hits(page)} == {"green"}
    assert page.locator(".subject img").is_visible()
    page.get_by_role("button", name="All", exact=True).click()
    until(page, "document.querySelectorAll('a.card').length === 12")
    assert hits(page)[0] == "red/3.png"


def test_click_through_and_back_again(open_page):
    page = open_page()
    first = hits(page)[2]
    page.locator("a.card").nth(2).click()
    wait_for_hits(page)
    assert first in unquote(page.url)
    second = hits(page)[0]
    page.locator("a.card").first.click()
    wait_for_subject(page, second)
    assert second not in hits(page)
    page.go_back()
    wait_for_subject(page, first)
    page.go_back()
    page.locator(".side:not(.asked)").wait_for()
    page.go_forward()
    wait_for_hits(page)


def test_back_to_a_picture_that_was_dropped(open_page):
    """It has no address of its own, and is not sent again."""
    page = open_page()
    give(page, "drop")
    wait_for_hits(page)
    before = hits(page)
    page.locator("a.card").nth(3).click()
    page.wait_for_url("**item=**")
    until(page, "document.querySelector('#side-heading').textContent !== 'Your picture'")
    page.go_back()
    until(page, "document.querySelector('#side-heading').textContent === 'Your picture'")
    assert hits(page) == before


def test_an_answer_that_comes_late_does_not_replace_a_newer_one(open_page):
    page = open_page()
    slow, quick = hits(page)[:2]
    held = []
    page.route(lambda url: slow in unquote(url) and "/?item=" in url, lambda route: held.append(route))
    page.locator("a.card").nth(0).click()
    until(page, "document.querySelector('main').ariaBusy === 'true'")
    page.locator("a.card").nth(1).click()
    wait_for_subject(page, quick)
    shown = hits(page)
    assert len(held) == 1
    held[0].continue_()
    page.wait_for_timeout(300)
    assert hits(page) == shown
    assert quick in unquote(page.url)


def test_a_link_opens_in_a_new_tab_as_any_other(open_page):
    page = open_page()
    with page.context.expect_page() as opened:
        page.locator("a.card").first.click(modifiers=["Control"])
    opened.value.wait_for_load_state()
    assert heading(opened.value) == "Looks like this"
    assert heading(page) == "From the catalog"


def test_drag_one_of_the_catalogs_own(open_page):
    page = open_page()
    name = hits(page)[1]
    page.locator("a.card img").nth(1).drag_to(page.locator(".upload"))
    wait_for_hits(page)
    assert name in unquote(page.url)


@pytest.mark.parametrize("javascript", [True, False])
def test_an_error_is_a_message_to_read(open_page, javascript):
    page = open_page(java_script_enabled=javascript)
    choose(page, b"no picture", "q.jpg", "image/jpeg")
    if not javascript:
        page.get_by_role("button", name="Search").click()
    alert = page.get_by_role("alert")
    alert.wait_for()
    assert "Not a picture in a format read here (JPEG, PNG, WEBP)" in alert.inner_text()
    assert page.locator("a.card").count() == 12  # and on with something
    choose(page)
    if not javascript:
        page.get_by_role("button", name="Search").click()
    wait_for_hits(page)


def test_too_large_is_said_before_all_of_it_is_sent(open_page, tmp_path):
    page = open_page()
    (tmp_path / "q.jpg").write_bytes(b"x" * 100_000_000)
    page.locator("input[type=file]").first.set_input_files(tmp_path / "q.jpg")
    page.get_by_role("alert").wait_for()
    assert "10 MB may be sent" in page.get_by_role("alert").inner_text()


IN_SIGHT = """one => {
    const { top, bottom, width } = one.getBoundingClientRect();
    return 0 <= top && bottom <= innerHeight && width > 200;
}"""


def test_a_server_that_is_gone(open_page):
    """All can see it; what was there stays; the next answer takes its place."""
    page = open_page(viewport=PHONE)
    page.context.set_offline(True)
    for _ in range(2):
        give(page, "drop")
        until(page, "document.querySelector('main').ariaBusy === null")
        (said,) = page.get_by_role("alert").all()
        assert said.inner_text() == "That did not work. The server does not answer: try again in a moment."
        assert said.evaluate(IN_SIGHT)
        assert page.evaluate("document.activeElement.className") == "trouble"
    assert len(hits(page)) == 12
    page.context.set_offline(False)
    give(page, "drop")
    wait_for_hits(page)
    assert page.get_by_role("alert").count() == 0


def test_an_answer_that_is_not_the_servers(open_page):
    """A proxy before it may say that the server is gone."""
    page = open_page()
    page.route("**/?item=*", lambda route: route.fulfill(status=502, content_type="text/html", body="<p>502"))
    page.locator("a.card").first.click()
    page.get_by_role("alert").wait_for()
    assert "The server does not answer" in page.get_by_role("alert").inner_text()
    assert page.locator("main").get_attribute("aria-busy") is None


def test_without_scripts(open_page):
    page = open_page(java_script_enabled=False)
    assert len(hits(page)) == 12
    choose(page)
    page.get_by_role("button", name="Search").click()
    wait_for_hits(page)
    page.get_by_role("button", name="blue 4").click()
    wait_for_hits(page)
    assert {name.split("/")[0] for name in hits(page)} == {"blue"}
    assert page.locator(".subject img").get_attribute("src").startswith("data:image/jpeg")
    page.locator("a.card").first.click()
    wait_for_hits(page)


@pytest.mark.parametrize("path", ["/", "/?item=red/3.png", "/docs", "/?item=none"])
def test_a_phone_needs_no_sideways_scrolling(open_page, path):
    page = open_page(path, viewport=PHONE, is_mobile=True, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    if path == "/":
        assert page.get_by_text("Take a photo").is_visible()
        assert page.locator("input[capture]").get_attribute("capture") == "environment"
        assert not page.get_by_text("Drop or paste").is_visible()


OUTLINE = """(() => {
    const focused = document.activeElement;
    return getComputedStyle(focused.closest(".button") || focused).outlineStyle;
})()"""


def test_by_keyboard_alone(open_page):
    page = open_page()

    def focus():
        return page.evaluate("document.activeElement.innerText || document.activeElement.name || ''")

    def tab_to(text):
        for _ in range(40):
            page.keyboard.press("Tab")
            assert page.evaluate(OUTLINE) != "none", focus()
            if text in focus():
                return
        raise AssertionError(f"{text} is never reached")

    page.keyboard.press("Tab")
    assert focus() == "Skip to the pictures"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    tab_to("picture")
    with page.expect_file_chooser() as chooser:
        page.wait_for_timeout(100)  # until the browser knows that somebody else will choose
        page.keyboard.press("Space")
    chooser.value.set_files({"name": "q.png", "mimeType": "image/png", "buffer": RED})
    wait_for_hits(page)
    assert page.evaluate("document.activeElement.id") == "results-heading"
    assert page.locator("#announcer").inner_text() == "Looks like this. 12 pictures."
    tab_to("blue")
    page.keyboard.press("Space")
    until(page, "document.querySelectorAll('a.card').length === 4")
    assert "blue" in focus()  # the button that was pressed, in the new page
    tab_to("Blue")
    page.keyboard.press("Enter")
    page.wait_for_url("**item=blue**")


def test_dark_and_light(open_page):
    def background(scheme):
        page = open_page(color_scheme=scheme)
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    assert background("light") == "rgb(250, 248, 244)"
    assert background("dark") == "rgb(21, 19, 17)"


LOOKS = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": PHONE, "is_mobile": True, "has_touch": True},
}


@pytest.mark.parametrize("look", LOOKS)
def test_no_rule_of_axe_is_violated(open_page, look):
    from axe_playwright_python.sync_playwright import Axe

    for path in ("/", "/?item=red/3.png&show=not:red", "/?item=none", "/docs"):
        results = Axe().run(open_page(path, **LOOKS[look]))
        assert results.violations_count == 0, results.generate_report()
    page = open_page(**LOOKS[look])
    choose(page)
    wait_for_hits(page)
    page.wait_for_timeout(300)  # the picture fades in
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()


def test_pictures_are_of_one_shape_and_have_names(open_page):
    page = open_page("/?item=red/3.png")
    shapes = page.locator("a.card img").evaluate_all(
        "all => all.map(one => [one.width / one.height, one.alt, one.complete && one.naturalWidth > 0])"
    )
    assert {round(ratio, 2) for ratio, _, _ in shapes} == {0.75}
    assert all(name for _, name, _ in shapes)
    assert shapes[0][2]


BUNDLE = os.environ.get("FASHION_LAB_SCREENSHOT")
QUERY = 227  # row of a red dress
WIDE = {"width": 1360, "height": 900}  # all classes in one line, whatever the font


def shop_of_drawn_garments(home, bundle):
    """The garments of the drawn catalog that no training has seen, large; one view is kept as a query."""
    large = SyntheticCatalog(size=800)
    table = ["path,product"]
    for row in large.splits["test"].tolist():
        name, product = large.classes[large.labels[row]], int(large.products[row])
        path = home / ("query.jpg" if row == QUERY else f"shop/{name}/{row}.jpg")
        if row != QUERY and row % 5 > 1:
            continue  # two views of each are enough
        path.parent.mkdir(parents=True, exist_ok=True)
        large.open(row).save(path, quality=92)
        table += [] if row == QUERY else [f"{name}/{row}.jpg,{product}"]
    (home / "items.csv").write_text("\n".join(table))
    words = [f"ckpt='{Path(bundle).absolute()}'", "data=photos", "data.root=shop", "data.table=items.csv"]
    command = [sys.executable, "-m", "fashion_lab.index", *words, "data.name=drawn", "out=index"]
    subprocess.run(command, cwd=home, check=True, env=store.environment(home))
    return VisualSearch.load(home / "index")


@pytest.mark.skipif(not BUNDLE, reason="only where FASHION_LAB_SCREENSHOT names the bundle of a classifier")
def test_a_screenshot_for_the_readme(browser, tmp_path):
    """Takes it anew with the bundle of `stage=classifier data=synthetic`; one of a phone, to look at, too."""
    finder = shop_of_drawn_garments(tmp_path, BUNDLE)
    with store.served(store.live(finder)) as address:
        for path, look in ((SCREENSHOT, {"viewport": WIDE}), (tmp_path / "phone.png", LOOKS["phone"])):
            context = browser.new_context(color_scheme="light", **look)
            page = context.new_page()
            page.goto(address)
            page.locator("input[type=file]").first.set_input_files(tmp_path / "query.jpg")
            wait_for_hits(page)
            page.mouse.move(2, 2)
            page.wait_for_load_state("networkidle")
            page.wait_for_timeout(500)
            assert page.locator(".bars meter").count() == 5
            page.screenshot(path=path)
            context.close()
    print(f"of a phone: {tmp_path / 'phone.png'}")
