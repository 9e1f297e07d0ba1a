"""The part `embed`: both ways give the same vectors, as far as two decoders can."""

import numpy as np
import pytest
from PIL import Image
from toys import toy_backbone

from fashion_lab.benchmarks import embedding
from fashion_lab.benchmarks.embedding import Embedding, loop
from fashion_lab.benchmarks.jpegs import Jpegs
from fashion_lab.catalogs.folder import FolderCatalog
from fashion_lab.config import build, compose
from fashion_lab.encoders.torch_encoder import embed
from fashion_lab.networks import SiameseEncoder
from fashion_lab.pictures import PixelSpec


@pytest.fixture
def catalog(tmp_path, monkeypatch):
    draw = np.random.default_rng(0)
    for name in ("hat", "dress"):
        (tmp_path / "shop" / name).mkdir(parents=True)
        for number in range(4):
            picture = Image.fromarray(draw.integers(0, 256, (12, 9, 3), dtype=np.uint8)).resize((90, 120))
            picture.save(tmp_path / "shop" / name / f"{number}.jpg", quality=95)
    monkeypatch.setenv("FASHION_LAB_CACHE", str(tmp_path / "cache"))
    return Jpegs(FolderCatalog(root=tmp_path / "shop", validation=0.25))


def test_the_rows(catalog, tmp_path, monkeypatch):
    monkeypatch.setattr(embedding, "jpegs", lambda cfg, most: Jpegs(catalog, most))
    monkeypatch.setattr(embedding, "WORKERS", (0,))
    files, store = Embedding(rounds=1, data=["data=clothing"], pictures=6).rows()
    assert "6 pictures, from JPEG files" in files.what
    assert "stored pixels" in store.what
    assert "DataLoader with 0 workers" in files.than
    assert files.theirs == store.theirs
    assert not list((tmp_path / "cache").glob("bench-*"))


def test_each_round_from_files_decodes_all_and_from_the_store_nothing(catalog, monkeypatch):
    monkeypatch.setattr(embedding, "jpegs", lambda cfg, most: catalog)
    monkeypatch.setattr(embedding, "WORKERS", (0,))
    list(Embedding(rounds=2, data=["data=clothing"], pictures=8).rows())
    assert catalog.opened == 8 * (3 + 1), "once to warm up, twice to measure, and once to fill the store"


@pytest.mark.parametrize("workers", [0, 2])
def test_the_plain_way_gives_nearly_the_same_vectors(catalog, workers):
    network = SiameseEncoder(toy_backbone()).eval()
    spec = PixelSpec(size=32, fit="squash")
    pixels = np.stack([spec.pixels(catalog.open(row)) for row in range(len(catalog))])
    theirs = loop(catalog, network, 32, workers).numpy()
    assert theirs.shape == (8, 8)
    np.testing.assert_allclose(embed(network, pixels), theirs, atol=0.05)


def test_the_config_builds_it_and_checks():
    node = compose("bench").embed
    part = build(node)
    assert (part.rounds, part.data, part.pictures) == (3, ["data=clothing"], 1024)
    with pytest.raises(ValueError, match=r"embed\.pictures=0"):
        Embedding(rounds=1, data=["data=clothing"], pictures=0)
