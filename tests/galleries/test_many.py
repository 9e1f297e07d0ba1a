"""Ten thousand pictures, one in a hundred of them broken: those are listed, the rest is indexed."""

import os

import pytest
from shops import Shop, photo

from fashion_lab.galleries import Gallery

COUNT, EVERY = 10_000, 100
BROKEN = (b"", b"no picture", photo(0, (8, 8))[:40])


@pytest.fixture
def shop(tmp_path):
    """Pictures by the hundred in a folder, as many links to a few files."""
    shop = Shop(tmp_path)
    bases = [photo(number, (8, 8)) for number in range(COUNT // EVERY)]
    for number, content in enumerate([*bases, *BROKEN]):
        (tmp_path / f"{number}.png").write_bytes(content)
    for number in range(COUNT):
        folder = shop.root / f"{number // EVERY:02}"
        folder.mkdir(parents=True, exist_ok=True)
        broken = number % EVERY == number // EVERY  # at another place in each folder
        base = len(bases) + number % len(BROKEN) if broken else number // EVERY
        os.link(tmp_path / f"{base}.png", folder / f"{number:04}.png")
    return shop


def test_the_broken_ones_are_listed_and_the_rest_is_indexed(shop):
    done = shop.build()
    bad = [f"{number:02}/{number * EVERY + number:04}.png" for number in range(COUNT // EVERY)]
    gallery = Gallery.load(shop.index)
    assert [one.id for one in gallery.left_out] == bad
    assert all(one.why for one in gallery.left_out)
    assert (len(gallery), done.added) == (COUNT - len(bad), COUNT - len(bad))
    assert {item.id for item in gallery.items}.isdisjoint(bad)
    assert shop.encoder.embedded == len(gallery)
    (shop.root / bad[7]).unlink()
    (shop.root / bad[7]).write_bytes(photo(7, (8, 8)))
    done = shop.sync()
    assert (done.kept, done.added, shop.encoder.embedded) == (COUNT - len(bad), 1, 1)
    assert [one.id for one in done.gallery.left_out] == bad[:7] + bad[8:]
