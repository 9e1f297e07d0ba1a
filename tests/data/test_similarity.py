"""What stage 2 takes for similar: classes or products."""

import json

import numpy as np
import pytest
from runs import composed, trained

from fashion_lab.catalogs.synthetic import SyntheticCatalog
from fashion_lab.check import check
from fashion_lab.checkpoint import find, read
from fashion_lab.config import ConfigError
from fashion_lab.data.similarity import similarity

PRODUCTS = ("stage=siamese", "ckpt=null", "experiment=products", "trainer.max_epochs=1")
PRODUCTS += ("data.products=42", "sampler.classes_per_batch=8")
TRAIN_PRODUCTS = 28


@pytest.fixture(scope="module")
def catalog():
    return SyntheticCatalog(products=42, views=3, size=32)


def test_products_are_those_of_the_training_pictures(catalog):
    train = catalog.splits["train"]
    labels, names = similarity(catalog, "product", train)
    assert len(names) == len(set(catalog.products[train].tolist())) == labels.max() + 1
    for row in range(len(catalog)):
        assert (labels[row] == -1) == (row not in set(train.tolist()))
    for row in train.tolist():
        assert names[labels[row]] == f"product {catalog.products[row]}"


def test_classes_are_as_they_are(catalog):
    labels, names = similarity(catalog, "class", catalog.splits["train"])
    np.testing.assert_array_equal(labels, catalog.labels)
    assert names == catalog.classes


def test_a_catalog_without_products(catalog, monkeypatch):
    monkeypatch.setattr(catalog, "products", None)
    with pytest.raises(ValueError, match="'synthetic' does not know which product is on a picture; take"):
        similarity(catalog, "product", catalog.splits["train"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["similar_by=hue", "stage=siamese", "ckpt=null"],
            "similar_by=hue; allowed are class, product",
        ),
        (["similar_by=product"], "similar_by=product with stage=classifier; it is for stage=siamese"),
    ],
)
def test_wrong_words_are_said(words, said, tmp_path):
    with pytest.raises(ConfigError, match=said):
        check(composed(tmp_path, *words))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("products"), *PRODUCTS)


def test_a_run_is_judged_by_products(run):
    result = json.loads((run / "result.json").read_text())
    assert result["monitor"]["metric"] == "val/product/precision_at_1"
    assert list(result["compared"]["stage 2"]) == [
        "product/map_at_r",
        "product/precision_at_1",
        "product/precision_at_5",
    ]
    for name, value in result["compared"]["stage 2"].items():
        assert value == pytest.approx(result["metrics"][f"val/{name}"], abs=1e-6)


def test_a_loss_with_proxies_has_one_for_each_product(tmp_path):
    run = trained(tmp_path, *PRODUCTS, "loss=proxy_anchor")
    config = read(find(run))["fashion_lab"]["config"]
    assert config["loss"]["loss"]["num_classes"] == config["num_classes"] == TRAIN_PRODUCTS
