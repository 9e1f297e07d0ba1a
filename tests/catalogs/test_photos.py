"""A shop's folder: any tree, whatever lies around in it, and a table that says more."""

import logging
import os

import numpy as np
import pytest
from runs import composed
from shops import photo, plant

from fashion_lab.assembly import assemble
from fashion_lab.catalogs.photos import PhotosCatalog
from fashion_lab.config import ConfigError, build, compose
from fashion_lab.pictures import PictureError


@pytest.fixture
def root(tmp_path):
    return plant(tmp_path / "shop", "hat/1.jpg", "hat/new/2.PNG", "shoes/1.webp", "loose.png")


def named(catalog):
    return {catalog.item(row): row for row in range(len(catalog))}


def class_of(catalog, name):
    label = catalog.labels[named(catalog)[name]]
    return None if label < 0 else catalog.classes[label]


def test_any_tree(root):
    catalog = PhotosCatalog(root=root)
    assert list(named(catalog)) == ["hat/1.jpg", "hat/new/2.PNG", "loose.png", "shoes/1.webp"]
    assert catalog.classes == ("hat", "shoes")
    assert [class_of(catalog, name) for name in named(catalog)] == ["hat", "hat", None, "shoes"]
    assert list(catalog.splits) == ["all"]
    assert catalog.content(0) == (root / "hat/1.jpg").read_bytes()
    assert catalog.path(2) == root / "loose.png"


def test_no_folders_no_classes(tmp_path):
    catalog = PhotosCatalog(root=plant(tmp_path, "b.png", "a.png"))
    assert catalog.classes == ()
    assert catalog.labels.tolist() == [-1, -1]


def test_what_is_no_picture_of_the_shop_is_left_alone_and_counted(root, tmp_path, caplog):
    plant(tmp_path / "outside", "secret.png", "more/secret.png")
    plant(root, ".hidden.png", ".trash/1.png", "hat/._1.jpg", "__MACOSX/hat/1.png")
    for name in (".DS_Store", "hat/Thumbs.db", "notes.txt"):
        (root / name).write_text("x")
    (root / "hat/out.png").symlink_to(tmp_path / "outside/secret.png")
    (root / "out").symlink_to(tmp_path / "outside")
    (root / "loop").symlink_to(root)
    (root / "hat/gone.png").symlink_to(root / "nowhere.png")
    (root / "hat/inside.png").symlink_to(root / "loose.png")
    os.mkfifo(root / "pipe.png")
    (root / "empty").mkdir()
    (root / "folder.png").mkdir()
    with caplog.at_level(logging.WARNING):
        catalog = PhotosCatalog(root=root)
    found = {"hat/1.jpg", "hat/inside.png", "hat/new/2.PNG", "loose.png", "shoes/1.webp"}
    assert named(catalog).keys() == found
    (line,) = caplog.messages
    assert line.startswith(f"12 entries of {root} are no pictures of it: ['.DS_Store', ")
    assert line.endswith("and 7 more")


def test_a_link_that_turns_outward_later_is_not_followed(root, tmp_path):
    (root / "link.png").symlink_to(root / "loose.png")
    catalog = PhotosCatalog(root=root)
    row = named(catalog)["link.png"]
    assert catalog.content(row) == (root / "loose.png").read_bytes()
    outside = plant(tmp_path / "outside", "secret.png") / "secret.png"
    (root / "link.png").unlink()
    (root / "link.png").symlink_to(outside)
    with pytest.raises(PictureError, match="leads out of"):
        catalog.content(row)
    with pytest.raises(PictureError, match="leads out of"):
        catalog.open(row)


def test_names_that_are_hard(tmp_path):
    names = ["ü/ß.png", "a b/c, d=1.png", "it's.png", "CAPS.PNG", "caps.png", os.fsdecode(b"\xff.png")]
    catalog = PhotosCatalog(root=plant(tmp_path, *names[:-1]))
    assert named(catalog).keys() == set(names[:-1])
    (tmp_path / names[-1]).write_bytes(photo(1))
    catalog = PhotosCatalog(root=tmp_path)
    assert len(catalog.fingerprint()) == 64
    assert len(catalog) == 6


@pytest.mark.parametrize("other", ["Hat", "HAT"])
def test_a_class_spelt_two_ways(root, other):
    plant(root, f"{other}/1.png")
    with pytest.raises(ValueError, match=f"a class is spelt '{other}' and 'hat': rename"):
        PhotosCatalog(root=root)


def test_accents_in_two_encodings(tmp_path):
    plant(tmp_path, "caf\u00e9/1.png", "cafe\u0301/1.png")
    with pytest.raises(ValueError, match="is spelt"):
        PhotosCatalog(root=tmp_path)


def test_nothing_there(tmp_path):
    (tmp_path / "hat").mkdir()
    with pytest.raises(ValueError, match=r"has no pictures .*: is it right\?"):
        PhotosCatalog(root=tmp_path)
    with pytest.raises(ValueError, match=r"data\.root=.* is no folder"):
        PhotosCatalog(root=tmp_path / "x")


def write(root, text, name="table.csv"):
    path = root.parent / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_says_more(root, caplog):
    table = write(
        root,
        "\ufeffpath;class;product;price;stock;sale;sku;note\n"
        './hat/1.jpg;cap;A;9.5;3;true;007;"two\nlines; and ""more"""\n'
        "loose.png;;B;10;0;FALSE;12;\n"
        "\n"
        "gone.png;scarf;C;1;1;true;1;x\n",
    )
    with caplog.at_level(logging.WARNING):
        catalog = PhotosCatalog(root=root, table=table)
    rows = named(catalog)
    assert class_of(catalog, "hat/1.jpg") == "cap"
    assert class_of(catalog, "loose.png") is None
    assert class_of(catalog, "shoes/1.webp") == "shoes"
    said = {
        name: [catalog.columns[name][rows[path]] for path in ("hat/1.jpg", "loose.png", "shoes/1.webp")]
        for name in catalog.columns
    }
    assert said == {
        "product": ["A", "B", None],
        "price": [9.5, 10.0, None],
        "stock": [3, 0, None],
        "sale": [True, False, None],
        "sku": ["007", "12", None],
        "note": ['two\nlines; and "more"', None, None],
    }
    assert all(isinstance(price, float) for price in said["price"][:2])
    assert "1 rows of" in caplog.text
    assert "gone.png" in caplog.text


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1", "-2", ""], [1, -2, None]),
        (["1", "2.50", "1e3"], [1.0, 2.5, 1000.0]),
        (["1", "nan"], ["1", "nan"]),
        (["inf", "1"], ["inf", "1"]),
        (["1_000"], ["1_000"]),
        (["01"], ["01"]),
        (["1,5"], ["1,5"]),
        (["True", "false"], [True, False]),
        (["true", "1"], ["true", "1"]),
        (["9" * 19], ["9" * 19]),
        (["٣"], ["٣"]),
        (["", ""], [None, None]),
    ],
)
def test_columns_are_numbers_all_of_them_or_none(root, cells, values):
    paths = ["hat/1.jpg", "loose.png", "shoes/1.webp"]
    lines = [f"{path}\t{cell}" for path, cell in zip(paths, cells, strict=False)]
    catalog = PhotosCatalog(root=root, table=write(root, "path\tx\n" + "\n".join(lines)))
    found = [catalog.columns["x"][named(catalog)[path]] for path in paths[: len(cells)]]
    assert found == values
    assert list(map(type, found)) == list(map(type, values))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no column 'path'"),
        ("file,class\na.png,hat\n", "has no column 'path'"),
        ("path,price,price\n", "has two columns price"),
        ("path,\n", "has a column without a name"),
        ("path,sha256\n", "has a column 'sha256', which is taken"),
        ("path,plain\n", "has a column 'plain', which is taken"),
        ("path,a\nx.png\n", "row 2 has 1 cells, the first row 2"),
        ("path,a\n/etc/passwd,1\n", "names '/etc/passwd': give paths below"),
        ("path,a\n../x.png,1\n", r"names '\.\./x\.png'"),
        ("path,a\n,1\n", "names ''"),
        ("path,a\nx.png,1\n./x.png,2\n", r"has two rows for x\.png"),
        ('path,a\nx.png,"1\n', "is no CSV file"),
    ],
)
def test_a_table_that_cannot_be_used(root, text, message):
    with pytest.raises(ValueError, match=message) as caught:
        PhotosCatalog(root=root, table=write(root, text))
    assert "\n" not in str(caught.value)


def test_a_table_that_cannot_be_read(root, tmp_path):
    with pytest.raises(ValueError, match=r"data\.table=.* cannot be read"):
        PhotosCatalog(root=root, table=tmp_path / "nowhere.csv")
    (tmp_path / "latin.csv").write_bytes("path,größe\n".encode("latin-1"))
    with pytest.raises(ValueError, match="give a CSV file in UTF-8"):
        PhotosCatalog(root=root, table=tmp_path / "latin.csv")


def test_the_config_builds_it(root):
    catalog = build(compose("index", ["data=photos", f"data.root={root}"]).data)
    assert (catalog.name, catalog.strict, len(catalog)) == ("photos", False, 4)
    assert np.array_equal(catalog.splits["all"], np.arange(4))


def test_nobody_trains_on_it(root, tmp_path):
    cfg = composed(tmp_path, "data=photos", f"data.root={root}")
    with pytest.raises(ConfigError, match="'photos' is searched, not trained on; train with data=folder"):
        assemble(cfg, None, ())
