"""A shop, and clients of a server over it."""

import os
import shutil
import subprocess
import sys

import pytest
import store

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


@pytest.fixture
def items(tmp_path):
    return store.stock(tmp_path / "shop")


@pytest.fixture
def search(items):
    return store.finder(items)


@pytest.fixture
def client(search):
    with store.client(search) as client:
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


BACKBONE = {"_target_": "fashion_lab.backbones.mobilenet.MobileNetBackbone"}


def save_run(folder):
    """What a training leaves, as far as the server reads it."""
    import torch

    from fashion_lab import checkpoint
    from fashion_lab.config import build
    from fashion_lab.networks import SiameseEncoder

    torch.manual_seed(0)
    state = SiameseEncoder(build(BACKBONE)).state_dict()
    record = {
        "format": checkpoint.FORMAT,
        "stage": "classifier",
        "config": {"backbone": BACKBONE, "pixels": {"size": 32, "fit": "squash"}},
        "classes": list(store.CLASSES),
        "parent": None,
        "start": {},
    }
    content = {"state_dict": {f"network.{name}": value for name, value in state.items()}}
    checkpoint.write(folder / "checkpoints" / "best.ckpt", {**content, checkpoint.RECORD: record})


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """A folder with a run, its bundle, and an index of a shop that it made: to serve it needs no torch."""
    from toy_runs import bundle_of

    home = tmp_path_factory.mktemp("home")
    save_run(home / "run")
    bundle_of(home / "run", home / "bundle")
    store.stock(home / "shop")
    words = ["index", "ckpt=bundle", "data=folder", "data.root=shop", "split=all", "out=index"]
    command = [sys.executable, "-m", f"fashion_lab.{words[0]}", *words[1:]]
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, env=store.environment(home))
    assert done.returncode == 0, done.stderr
    return home
