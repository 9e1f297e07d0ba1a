"""For all tests: one thread, so that numbers repeat, and a cache of pixels that is gone afterwards."""

import os

import pytest


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
