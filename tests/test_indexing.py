"""An index follows its catalog: what is embedded, what stays, what goes, and what people are told."""

import json
import logging
import time
from pathlib import Path

import numpy as np
import pytest
from shops import Colours, Shop, content, photo, plant
from toys import ToyCatalog

from fashion_lab import indexing
from fashion_lab.catalogs.folder import FolderCatalog
from fashion_lab.galleries import Gallery, IndexFolderError, state
from fashion_lab.pictures import open_picture

PATHS = ("hat/1.png", "hat/2.png", "shoes/a/1.png", "shoes/2.png", "loose.png")


@pytest.fixture
def shop(tmp_path):
    shop = Shop(tmp_path, *PATHS)
    shop.build()
    shop.encoder.embedded = 0
    return shop


def counts(done):
    return done.kept, done.added, done.replaced, done.removed


def check(shop):
    """The index says of each picture of the shop what a fresh one would."""
    gallery = Gallery.load(shop.index)
    catalog = shop.catalog()
    rows = {catalog.item(row): row for row in range(len(catalog))}
    left_out = {one.id for one in gallery.left_out}
    assert {item.id for item in gallery.items} == rows.keys() - left_out
    for place, item in enumerate(gallery.items):
        pixels = shop.encoder.pixels.pixels(open_picture(catalog.path(rows[item.id])))
        assert np.array_equal(gallery.pictures[place], pixels)
        assert np.array_equal(gallery.vectors_ND[place], shop.encoder.embed(pixels[None])[0])
    return gallery


def test_a_build_knows_every_picture(shop):
    gallery = check(shop)
    assert [item.id for item in gallery.items] == sorted(PATHS)
    assert [item.key for item in gallery.items] == [0, 1, 2, 3, 4]
    first, loose = gallery.items[0], gallery.items[2]
    assert (first.class_name, first.split, loose.id, loose.class_name) == ("hat", None, "loose.png", None)
    assert first.path == str(shop.root / "hat/1.png")
    assert len(first.sha256) == 64
    assert first.added.endswith("+00:00")
    assert gallery.source.classes == ["hat", "shoes"]
    assert gallery.engine.name == "exact"
    assert gallery.engine.recall == 1.0


def test_what_a_catalog_knows_is_in_the_items(tmp_path):
    shop = Shop(tmp_path)
    done = indexing.build(shop.job(), ToyCatalog(size=8), "validation", shop.embedder())
    item = done.gallery.items[0]
    assert (item.split, item.class_name, item.path, item.sha256) == ("validation", "class 0", None, None)
    assert (item.group, item.product) == (52, 104)
    assert "split" in json.loads(next(shop.index.glob("shard-*/items.jsonl")).read_text().splitlines()[0])


def test_nothing_to_do_touches_nothing(shop):
    before = content(shop.index), state(shop.index)
    done = shop.sync()
    assert counts(done) == (5, 0, 0, 0)
    assert not done.changed
    assert shop.encoder.embedded == 0
    assert (content(shop.index), state(shop.index)) == before


def test_sync_embeds_what_is_new_or_changed_and_drops_what_is_gone(shop):
    old = {item.id: item for item in Gallery.load(shop.index).items}
    plant(shop.root, "hat/3.png", "coat/1.png")
    (shop.root / "hat/1.png").write_bytes(photo(999))
    (shop.root / "loose.png").unlink()
    done = shop.sync()
    assert counts(done) == (3, 2, 1, 1)
    assert shop.encoder.embedded == 3
    new = {item.id: item for item in check(shop).items}
    assert new["hat/2.png"] == old["hat/2.png"]
    assert new["hat/1.png"].sha256 != old["hat/1.png"].sha256
    assert {new[name].key for name in ("hat/1.png", "hat/3.png", "coat/1.png")} == {5, 6, 7}
    assert done.gallery.source.classes == ["coat", "hat", "shoes"]
    assert not shop.sync().changed


def test_a_key_is_never_given_twice(shop):
    plant(shop.root, "z.png")
    shop.sync()
    (shop.root / "z.png").unlink()
    shop.sync()
    plant(shop.root, "z.png")
    shop.sync()
    assert Gallery.load(shop.index).items[-1].key == 6


def test_another_time_on_the_same_bytes_embeds_nothing(shop):
    before = Gallery.load(shop.index)
    for path in PATHS[:3]:
        shop.touch(path)
    done = shop.sync()
    assert counts(done) == (5, 0, 0, 0)
    assert done.changed, "the new times are noted, so that the files are not read again"
    assert shop.encoder.embedded == 0
    assert done.gallery.items == before.items
    assert np.array_equal(done.gallery.vectors_ND, before.vectors_ND)
    assert not shop.sync().changed


def test_files_are_read_only_where_the_stamp_is_another(shop, monkeypatch):
    read = []
    real = type(shop.catalog()).content
    monkeypatch.setattr(
        "fashion_lab.catalogs.photos.PhotosCatalog.content",
        lambda self, position: read.append(self.item(position)) or real(self, position),
    )
    shop.touch("hat/1.png")
    shop.sync()
    assert read == ["hat/1.png"]
    plant(shop.root, "new.png")
    shop.sync()
    assert read == ["hat/1.png", "new.png"], "one read for hash and pixels"


def test_a_moved_root_only_changes_the_paths(shop):
    shop.root.rename(shop.root.with_name("elsewhere"))
    shop.root = shop.root.with_name("elsewhere")
    done = shop.sync()
    assert counts(done) == (5, 0, 0, 0)
    assert shop.encoder.embedded == 0
    assert all(item.path.startswith(str(shop.root)) for item in done.gallery.items)


def test_a_table_changes_without_embedding(shop, tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("path,class,product,price\nhat/1.png,cap,A7,9.5\nloose.png,,B2,\n")
    done = shop.sync(table=table)
    items = {item.id: item for item in done.gallery.items}
    assert shop.encoder.embedded == 0
    assert (items["hat/1.png"].class_name, items["hat/1.png"].product) == ("cap", "A7")
    assert items["hat/1.png"].columns == {"price": 9.5}
    assert (items["loose.png"].class_name, items["loose.png"].product) == (None, "B2")
    assert items["loose.png"].columns == {}
    assert items["hat/2.png"].class_name == "hat"
    table.write_text("path,class,product,price\nhat/1.png,cap,A7,8\n")
    done = shop.sync(table=table)
    assert {item.id: item for item in done.gallery.items}["hat/1.png"].columns == {"price": 8}
    assert shop.encoder.embedded == 0
    assert not shop.sync(table=table).changed


def test_a_forgotten_table_is_told(shop, tmp_path, caplog):
    table = tmp_path / "table.csv"
    table.write_text("path,product,price\nhat/1.png,A7,9.5\nloose.png,,3\n")
    shop.sync(table=table)
    (shop.root / "loose.png").unlink()
    table.write_text("path,product,price\nhat/1.png,A7,9.5\n")
    shop.sync(table=table)
    assert not caplog.text
    shop.sync()
    assert "no item has price, product any more" in caplog.text
    assert "data.table=" in caplog.text


def test_add_removes_nothing(shop):
    plant(shop.root, "new.png")
    (shop.root / "hat/1.png").write_bytes(photo(999))
    (shop.root / "loose.png").unlink()
    done = shop.add()
    assert counts(done) == (4, 1, 1, 0)
    assert shop.encoder.embedded == 2
    assert "loose.png" in {item.id for item in done.gallery.items}
    assert not shop.add().changed


def test_splits_are_added_and_synced_apart(tmp_path):
    shop = Shop(tmp_path)
    catalog = ToyCatalog(size=8)
    indexing.build(shop.job(), catalog, "train", shop.embedder())
    done = indexing.add(shop.job(), catalog, "validation", shop.embedder())
    assert {item.split for item in done.gallery.items} == {"train", "validation"}
    catalog.splits = {**catalog.splits, "train": catalog.splits["train"][1:]}
    done = indexing.sync(shop.job(), catalog, "train", shop.embedder())
    assert counts(done)[3] == 1
    assert {item.split for item in done.gallery.items} == {"train", "validation"}
    assert done.gallery.source.split == "all"


def test_remove_by_id_and_by_pattern(shop):
    done = shop.remove("loose.png")
    assert counts(done) == (4, 0, 0, 1)
    done = shop.remove("hat/*", "shoes/2.png")
    assert [item.id for item in done.gallery.items] == ["shoes/a/1.png"]
    before = content(shop.index)
    with pytest.raises(
        ValueError, match=r"no item 'shoes/a/2.png', 'x\*' among 1 .* there is shoes/a/1.png"
    ) as one:
        shop.remove("shoes/a/1.png", "shoes/a/2.png", "x*")
    assert "\n" not in str(one.value)
    assert content(shop.index) == before
    done = shop.remove("*")
    assert len(done.gallery) == 0
    assert len(Gallery.load(shop.index)) == 0
    with pytest.raises(ValueError, match="give either item="):
        shop.remove()


def test_remove_by_conditions(shop):
    done = indexing.remove(shop.job(), where={"class": {"not": "hat"}})
    assert [item.id for item in done.gallery.items] == ["hat/1.png", "hat/2.png"]
    with pytest.raises(ValueError, match="no item has it"):
        indexing.remove(shop.job(), where={"class": "shoes"})


def test_a_name_that_looks_like_a_pattern_is_itself_first(tmp_path):
    shop = Shop(tmp_path, "a[1].png", "a1.png")
    shop.build()
    done = shop.remove("a[1].png")
    assert [item.id for item in done.gallery.items] == ["a1.png"]


def test_what_was_removed_comes_back_with_a_sync(shop):
    shop.remove("hat/1.png")
    done = shop.sync()
    assert counts(done) == (4, 1, 0, 0)
    check(shop)


def test_a_build_is_anew(shop):
    old = Gallery.load(shop.index)
    (shop.root / "hat/1.png").unlink()
    while old.items[0].added == indexing.now():  # the time is a part of the shards' names
        time.sleep(0.05)
    done = shop.build()
    assert counts(done) == (0, 4, 0, 0)
    assert shop.encoder.embedded == 4
    assert [item.key for item in done.gallery.items] == [0, 1, 2, 3]


def test_unreadable_pictures_are_listed_and_left_out(tmp_path):
    shop = Shop(tmp_path, *PATHS)
    (shop.root / "hat/1.png").write_bytes(photo(1)[:90])
    (shop.root / "shoes/2.png").write_text("<svg/>")
    done = shop.build()
    left_out = {one.id: one.why for one in done.gallery.left_out}
    assert left_out.keys() == {"hat/1.png", "shoes/2.png"}
    assert "not a picture" in left_out["shoes/2.png"]
    assert not shop.sync().changed, "they are not tried again until they change"
    (shop.root / "hat/1.png").write_bytes(photo(1))
    (shop.root / "shoes/2.png").unlink()
    done = shop.sync()
    assert counts(done) == (3, 1, 0, 0)
    assert done.gallery.left_out == ()
    check(shop)


def test_a_picture_that_has_become_unreadable_goes(shop):
    (shop.root / "hat/1.png").write_bytes(b"no")
    done = shop.sync()
    assert counts(done) == (4, 0, 0, 1)
    assert [one.id for one in done.gallery.left_out] == ["hat/1.png"]
    check(shop)


def test_a_file_that_may_not_be_read_is_tried_again(shop, monkeypatch):
    plant(shop.root, "secret.png")
    real = Path.read_bytes

    def refuse(path):
        if path.name == "secret.png":
            raise PermissionError(13, "Permission denied")
        return real(path)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", refuse)
        (one,) = shop.sync().gallery.left_out
    assert (one.id, one.stamp) == ("secret.png", None)
    assert one.why.endswith("secret.png: Permission denied")
    assert counts(shop.sync()) == (5, 1, 0, 0)


def test_strict_changes_nothing(shop):
    (shop.root / "bad.png").write_bytes(b"no")
    before = state(shop.index)
    with pytest.raises(
        ValueError, match=r"1 of 6 pictures of 'photos' cannot be read, and strict=true.*bad\.png"
    ):
        shop.sync(strict=True)
    assert state(shop.index) == before
    assert counts(shop.sync()) == (5, 0, 0, 0)
    with pytest.raises(ValueError, match="strict=true"):
        shop.sync(strict=True)


def test_the_wrong_folder_is_refused(tmp_path):
    shop = Shop(tmp_path, "a.png")
    for number in range(3):
        (shop.root / f"{number}.png").write_bytes(b"no")
    with pytest.raises(ValueError, match=r"3 of 4 .* more than half: is this the right folder\?"):
        shop.build()
    (shop.root / "a.png").unlink()
    with pytest.raises(ValueError, match="3 of 3 "):
        shop.build()
    with pytest.raises(IndexFolderError, match="no index"):
        Gallery.load(shop.index)


def test_another_catalog_does_not_empty_an_index(shop):
    with pytest.raises(ValueError, match=r"none of the 5 items .* 'photos'.* catalog 'toy'.* mode=build"):
        indexing.sync(shop.job(), ToyCatalog(size=8), "all", shop.embedder())
    assert len(Gallery.load(shop.index)) == 5


def test_another_encoder_or_preprocessing_is_refused(shop):
    plant(shop.root, "new.png")
    shop.encoder = Colours("e" * 64)
    for change in (shop.sync, shop.add):
        with pytest.raises(
            ValueError, match=r"made by the encoder f{16} \(.*/run\), run is e{16}.*mode=build"
        ) as one:
            change()
        assert "\n" not in str(one.value)
    assert len(Gallery.load(shop.index)) == 5


def test_the_run_of_the_index_is_taken_where_none_is_given(shop, tmp_path):
    plant(shop.root, "new.png")
    asked = []
    encoder = Colours()
    embedder = indexing.Embedder(run=None, load=lambda run: asked.append(run) or encoder)
    with pytest.raises(
        ValueError, match=r"the run .*/run that made the index does not exist: say with ckpt="
    ):
        indexing.sync(shop.job(), shop.catalog(), "all", embedder)
    shop.encoder = encoder
    there = indexing.Embedder(run=str(tmp_path), load=lambda run: encoder)
    assert indexing.sync(shop.job(), shop.catalog(), "all", there).gallery.source.run == str(tmp_path)
    plant(shop.root, "newer.png")
    indexing.sync(shop.job(), shop.catalog(), "all", embedder)
    assert asked == [str(tmp_path)]
    indexing.sync(shop.job(), shop.catalog(), "all", embedder)
    assert asked == [str(tmp_path)], "nothing to embed, nothing to load"


def test_sync_begins_where_there_is_nothing(tmp_path):
    shop = Shop(tmp_path, *PATHS)
    assert counts(shop.sync()) == (0, 5, 0, 0)
    with pytest.raises(ValueError, match="ckpt= is missing"):
        indexing.sync(shop.job(folder=tmp_path / "x"), shop.catalog(), "all", shop.embedder(None))


def test_add_remove_and_sync_need_a_whole_index(shop):
    for change in (shop.sync, shop.add, lambda: shop.remove("loose.png")):
        whole = (shop.index / "manifest.json").read_text()
        (shop.index / "manifest.json").write_text("{")
        with pytest.raises(IndexFolderError, match="is damaged"):
            change()
        (shop.index / "manifest.json").write_text(whole)
        items = next(shop.index.glob("shard-*/items.jsonl"))
        lines = items.read_bytes()
        items.write_bytes(lines[:-9])
        with pytest.raises(IndexFolderError, match=r"items\.jsonl is not what was written"):
            change()
        items.write_bytes(lines)
    (shop.index / "manifest.json").unlink()
    with pytest.raises(IndexFolderError, match="no index"):
        shop.add()


def test_plain_pictures_say_so(tmp_path):
    from PIL import Image

    shop = Shop(tmp_path, "a.png")
    for name, size in (("white", (90, 90)), ("dot", (1, 1)), ("line", (1, 500))):
        Image.new("RGB", size, (200, 10, 10)).save(shop.root / f"{name}.jpg")
    gallery = shop.build().gallery
    assert {item.id: item.columns for item in gallery.items} == {
        "a.png": {},
        "dot.jpg": {"plain": True},
        "line.jpg": {"plain": True},
        "white.jpg": {"plain": True},
    }
    shop.touch("dot.jpg")
    assert shop.sync().gallery.items == gallery.items


def test_vectors_that_mean_nothing(shop, caplog):
    class Zero(Colours):
        def embed(self, pixels_NCHW):
            return np.zeros((len(pixels_NCHW), 3), np.float32)

    class Diverged(Colours):
        def embed(self, pixels_NCHW):
            return np.full((len(pixels_NCHW), 3), np.nan, np.float32)

    before = state(shop.index)
    shop.encoder = Diverged()
    (shop.root / "hat/1.png").write_bytes(photo(999))
    with pytest.raises(ValueError, match=r"1 of 1 vectors hold NaN .* hat/1\.png: the encoder has diverged"):
        shop.sync()
    assert state(shop.index) == before
    shop.encoder = Zero("0" * 64)
    with caplog.at_level(logging.WARNING):
        shop.build()
    assert "all 5 pictures embed to one point" in caplog.text
    assert "5 of 5 pictures embed to zero" in caplog.text


def test_a_picture_that_goes_while_the_catalog_is_read(shop, monkeypatch):
    catalog = shop.catalog()
    (shop.root / "hat/1.png").unlink()
    done = indexing.sync(shop.job(), catalog, "all", shop.embedder())
    assert counts(done) == (4, 0, 0, 1)


def test_no_such_split(tmp_path):
    shop = Shop(tmp_path, *PATHS)
    with pytest.raises(ValueError, match="catalog 'photos' has no split 'train': choose one of all"):
        indexing.build(shop.job(), shop.catalog(), "train", shop.embedder())
    folder = FolderCatalog(root=plant(tmp_path / "f", "a/1.png", "a/2.png", "b/1.png", "b/2.png"))
    with pytest.raises(ValueError, match="choose one of train, validation, all"):
        indexing.build(shop.job(), folder, "x", shop.embedder())
