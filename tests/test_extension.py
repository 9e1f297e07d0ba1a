"""A part of one's own takes one Python file and one YAML: a toy of each is added from outside and used."""

import json
import sys
import textwrap

import numpy as np
import pytest
from runs import TINY, composed

from fashion_lab import encoders
from fashion_lab.checkpoint import find, read
from fashion_lab.config import ConfigError, build
from fashion_lab.training import Training

CODE = """
    import numpy as np
    import torch
    from PIL import Image
    from torch import nn

    from fashion_lab.contracts.backbone import Backbone
    from fashion_lab.contracts.catalog import Catalog
    from fashion_lab.contracts.index import Index, Neighbours


    class ToyBackbone(Backbone):
        def __init__(self, *, channels: int) -> None:
            super().__init__()
            self.out_channels = channels
            self.layer = nn.Conv2d(3, channels, 3, stride=4)

        def forward(self, images_BCHW):
            return self.layer(images_BCHW).relu()


    class ToyCatalog(Catalog):
        name = "toy"
        classes = ("dark", "light")

        def __init__(self, *, number: int) -> None:
            self.labels = np.arange(number) % 2
            half = np.arange(number // 2)
            self.splits = {"train": half, "validation": half + number // 2}

        def open(self, position):
            return Image.new("RGB", (40, 30), (position % 50 + 150 * int(self.labels[position]),) * 3)

        def item(self, position):
            return f"toy-{position}"

        stamp = item


    class ToyLoss(nn.Module):
        def forward(self, embeddings, labels, triplets):
            anchors, positives, negatives = (embeddings[rows] for rows in triplets)
            apart = (anchors - negatives).abs().clamp(max=1).mean()
            return (anchors - positives).square().mean() - 0.1 * apart


    class ToyIndex(Index):
        name, exact = "toy", True

        def build(self, vectors_ND, ids_N=None):
            ids = range(len(vectors_ND)) if ids_N is None else ids_N.tolist()
            self.vectors = dict(zip(ids, vectors_ND, strict=True))

        def add(self, vectors_MD, ids_M):
            self.vectors |= dict(zip(ids_M.tolist(), vectors_MD, strict=True))

        def remove(self, ids_M):
            for number in ids_M.tolist():
                del self.vectors[number]

        def search(self, queries_QD, k, where_M=None):
            wanted = self.vectors if where_M is None else where_M.tolist()
            ids = np.array(sorted(set(self.vectors) & set(wanted)))
            vectors = np.stack([self.vectors[number] for number in ids])
            distances = np.linalg.norm(queries_QD[:, None] - vectors[None], axis=2)
            order = np.argsort(distances, axis=1, kind="stable")[:, :k]
            return Neighbours(ids[order], np.take_along_axis(distances, order, axis=1).astype(np.float32))

        def __len__(self):
            return len(self.vectors)
"""
YAMLS = {
    "backbone": "_target_: toy_parts.ToyBackbone\nchannels: 6\n",
    "data": "_target_: toy_parts.ToyCatalog\nnumber: 40\n",
    "loss": """\
        # @package _global_
        defaults: [{/sampler: triplets}, _self_]
        loss: {_target_: toy_parts.ToyLoss}
    """,
    "engine": "_target_: toy_parts.ToyIndex\n",
}
OWN = [word for word in TINY if not word.startswith(("data.", "backbone."))]


@pytest.fixture(scope="module")
def toys(tmp_path_factory):
    """The command line words that make the toys known."""
    folder = tmp_path_factory.mktemp("toys")
    (folder / "toy_parts.py").write_text(textwrap.dedent(CODE))
    for group, text in YAMLS.items():
        (folder / "conf" / group).mkdir(parents=True)
        (folder / "conf" / group / "toy.yaml").write_text(textwrap.dedent(text))
    sys.path.insert(0, str(folder))
    yield [f"hydra.searchpath=[file://{folder}/conf]", "trusted=[toy_parts]"]
    sys.path.remove(str(folder))


def run(folder, *overrides):
    folder.mkdir()
    Training(composed(folder, *OWN, "trainer.max_epochs=1", *overrides), folder).run()
    return folder


def test_toys_train_both_stages(toys, tmp_path):
    words = [*toys, "backbone=toy", "data=toy"]
    one = run(tmp_path / "one", *words)
    two = run(tmp_path / "two", *words, "stage=siamese", f"ckpt={one}", "loss=toy")
    assert json.loads((two / "result.json").read_text())["catalog"] == "toy"
    assert read(find(two))["fashion_lab"]["config"]["backbone"]["channels"] == 6
    assert encoders.load(two, trusted=["toy_parts"]).dim == 6
    with pytest.raises(ConfigError, match="toy_parts"):
        encoders.load(two)


def test_a_toy_index_searches(toys):
    index = build({"_target_": "toy_parts.ToyIndex"}, trusted=["toy_parts"])
    vectors = np.eye(4, dtype=np.float32)
    index.build(vectors)
    assert index.search(vectors[2:3], 1).ids.tolist() == [[2]]


def test_strangers_are_not_built(toys, tmp_path):
    with pytest.raises(ConfigError, match=r"trusted=\[toy_parts\]"):
        run(tmp_path / "run", toys[0], "backbone=toy")
