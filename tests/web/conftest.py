"""A shop, and clients of a server over it."""

import pytest
import shops


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
