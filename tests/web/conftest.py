"""A shop, and clients of a server over it."""

import os
import shutil

import pytest
import shops

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


@pytest.fixture
def items(tmp_path):
    return shops.stock(tmp_path / "shop")


@pytest.fixture
def search(items):
    return shops.finder(items)


@pytest.fixture
def client(search):
    with shops.client(search) as client:
        yield client


@pytest.fixture(scope="module")
def browser():
    """Debian's chromium, or what FASHION_LAB_BROWSER names; none is ever downloaded."""
    named = os.environ.get("FASHION_LAB_BROWSER")
    path = named or next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(
            "no browser: install chromium (Debian: apt-get install chromium) or set FASHION_LAB_BROWSER"
        )
    playwright = pytest.importorskip("playwright.sync_api", reason="the browser is driven by playwright")
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=path, args=list(QUIET))
        yield found
        found.close()
