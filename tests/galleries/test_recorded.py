"""The engine that a manifest names is made again, but for what a file must not decide."""

import sys

import pytest
from shops import Shop

from fashion_lab.config import ConfigError
from fashion_lab.galleries import Gallery
from fashion_lab.galleries.contents import Engine
from fashion_lab.galleries.engines import EngineChoice
from fashion_lab.galleries.recorded import remade
from fashion_lab.indexes.auto import AutoIndex
from fashion_lab.indexes.exact import ExactIndex

OURS = "fashion_lab.indexes"
AUTO = {"_target_": f"{OURS}.auto.AutoIndex", "most": 7, "faiss": {"nprobe": 64}}


def engine(options, name="auto"):
    return Engine(name=name, options=options, recall=1.0, k=10)


def test_with_the_options_that_were_measured(tmp_path):
    shop = Shop(tmp_path, "a.png", "b.png")
    shop.build(engine=EngineChoice(index=AutoIndex(most=7), options=AUTO))
    index = remade(Gallery.load(shop.index).engine)
    assert type(index) is AutoIndex
    assert (index._most, index._faiss) == (7, {"nprobe": 64})


@pytest.mark.parametrize("none", [None, engine({}), engine({"engine": "made in Python"})])
def test_exact_where_nobody_knows_how_it_was_made(none):
    assert type(remade(none)) is ExactIndex


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"_target_": "os.system", "command": "true"}, "'os.system' is not allowed"),
        ({"_target_": f"{OURS}.rows.hashlib"}, "outside the packages"),
        ({"_target_": "fashion_lab.catalogs.photos.PhotosCatalog", "root": "."}, "is no engine"),
        ({"_target_": "torch.optim.SGD", "lr": 1.0}, "is no engine"),
        ({"_target_": f"{OURS}.auto.AutoIndx", "most": 7}, "AutoIndx' is not there"),
        ({"_target_": 3}, "3 is not allowed"),
        ({**AUTO, "mots": 7}, "takes no 'mots'; did you mean most"),
        ({**AUTO, "most": -1}, "most=-1: give how many"),
        ({**AUTO, "faiss": {"_target_": "os.system"}}, "several parts"),
    ],
)
def test_what_a_file_must_not_name(options, told):
    with pytest.raises(ValueError, match=told):
        remade(engine(options))


def test_no_address_is_followed(monkeypatch):
    """It could lead anywhere, with any secret of the environment for a token."""
    pytest.importorskip("pymilvus", reason="engine=milvus needs the extra milvus")
    monkeypatch.setenv("SECRET", "hush")
    options = {
        "_target_": f"{OURS}.milvus.MilvusIndex",
        "uri": "https://there:19530",
        "collection": "fashion_lab",
        "token_from": "SECRET",
        "index_type": "HNSW",
        "index_params": {"M": 16},
        "search_params": {},
        "batch": 1000,
        "timeout": 60,
    }
    with pytest.raises(ConfigError, match="an address that comes in a file is not followed") as told:
        remade(engine(options, "milvus"))
    words = (
        "engine=milvus \"engine.uri='https://there:19530'\" engine.token_from=SECRET engine.index_type=HNSW"
    )
    assert str(told.value).endswith(f"give it, {words} 'engine.index_params={{M: 16}}'")


def test_a_class_of_ones_own_needs_trust(tmp_path, monkeypatch):
    (tmp_path / "my_engines.py").write_text(
        "from fashion_lab.indexes.exact import ExactIndex\nclass Mine(ExactIndex): pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    options = {"_target_": "my_engines.Mine"}
    with pytest.raises(ConfigError, match=r"trusted=\[my_engines\]"):
        remade(engine(options))
    assert "my_engines" not in sys.modules
    assert type(remade(engine(options), ["my_engines"])).__name__ == "Mine"
