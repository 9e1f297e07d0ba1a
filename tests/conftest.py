"""For all tests: one thread, so that numbers repeat, and a cache of pixels that is gone afterwards."""

import os
import signal

import pytest

os.environ["OMP_NUM_THREADS"] = "1"  # of the programs that tests start, too; two processes share the cores
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else each of them compiles anew what it imports: 20 s


def pytest_collection_modifyitems(items):
    """Let those that fork go before all others, and so their files.

    A fork takes no threads along, but what they held: before it no test may start any.
    """
    items.sort(key=lambda item: item.get_closest_marker("forks") is None)


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c():
    """A shell ignores SIGINT for what it puts in the background, and children inherit that: undone here."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    before = os.environ.get("FASHION_LAB_CACHE")
    os.environ["FASHION_LAB_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["FASHION_LAB_CACHE"]
    else:
        os.environ["FASHION_LAB_CACHE"] = before


@pytest.fixture(scope="session")
def toy_home(tmp_path_factory):
    """Runs of both stages that nobody trained, and their bundles: `<stage>` and `<stage>-bundle`."""
    from toy_runs import bundle_of, save_runs

    home = tmp_path_factory.mktemp("toy-home")
    for run in save_runs(home):
        bundle_of(run, home / f"{run.name}-bundle")
    return home
