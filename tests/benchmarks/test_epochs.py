from functools import partial

import numpy as np
import pytest
from PIL import Image

from fashion_lab.benchmarks import notebook
from fashion_lab.benchmarks.apart import Apart
from fashion_lab.benchmarks.bare import BareLoop
from fashion_lab.benchmarks.card import Card, demand_of, measure_card
from fashion_lab.benchmarks.epochs import ARITHMETIC, Overhead, Stage1, Stage2
from fashion_lab.benchmarks.gpu import Gpu
from fashion_lab.benchmarks.ours import TRAINING, WHOLE, epochs_in_turns
from fashion_lab.benchmarks.recipes import catalog_of, recipe
from fashion_lab.benchmarks.rows import Unavailable

SMALL = ["threads=1", "backbone.width=0.5", "pixels.size=32", "trainer=cpu"]


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    """A folder of two classes as words of the command line."""
    root = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for name in ("hat", "shoes"):
        (root / name).mkdir()
        for number in range(20):
            Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(
                root / name / f"{number}.jpg"
            )
    return ["data=folder", f"data.root={root}", f"cache={root.parent / 'cache'}", *SMALL]


@pytest.fixture
def in_place(monkeypatch):
    """Let the notebook's way run in this process: another takes seconds to start."""

    class Here(Apart):
        def __init__(self, make):
            self.call = make()

        def __call__(self):
            self.call()

        def close(self):
            pass

    monkeypatch.setattr(notebook, "Apart", Here)


def test_our_epochs_and_others_take_turns(words):
    order = []
    times = epochs_in_turns(words, {"other": lambda: order.append(1)}, rounds=2)
    assert times.keys() == {TRAINING, WHOLE, "other"}
    assert len(order) == 2
    assert all(value > 0 for value in times.values())


@pytest.mark.usefixtures("in_place")
def test_stage_1_compares_both_networks_with_the_notebook(words, monkeypatch):
    monkeypatch.setattr("torch.nn.Module.compile", lambda *_, **__: None)  # takes long, and says nothing here
    dense, alone, depthwise, _, compiled, _ = Stage1(data=words, rounds=1).rows()
    assert ARITHMETIC in alone.what
    assert "dense" in dense.what
    assert "depthwise" in depthwise.what
    assert compiled.at_least is None
    assert (dense.at_least, depthwise.at_least) == (1.8, 8.0)
    assert dense.than.startswith("the notebook's way")


@pytest.mark.usefixtures("in_place")
def test_stage_2_compares_triplets_tables_and_batches(words):
    rows = list(Stage2(data=words, rounds=1).rows())
    assert [row.unit for row in rows] == ["s", "s", "s", "anchors/s"]
    assert rows[0].ratio > 10, "a table of labels needs no picture"
    assert rows[1].at_least == 10.0


def test_overhead_compares_with_a_bare_loop(words):
    steps, whole, *_ = Overhead(data=words, rounds=2, batch_sizes=[64]).rows()
    assert steps.at_least == pytest.approx(1 / 1.1)
    assert whole.ours > 0


@pytest.mark.parametrize("stage", ["classifier", "siamese"])
def test_the_bare_loop_trains(words, stage):
    import torch

    torch.manual_seed(0)
    cfg = recipe([*words, f"stage={stage}", "ckpt=null", "data.seed=0"])
    bare = BareLoop(cfg, torch.device("cpu"))
    before = [weight.clone() for weight in bare.module.parameters()]
    bare.epoch()
    bare.arithmetic()
    assert all((now != then).any() for now, then in zip(bare.module.parameters(), before, strict=True))


def test_the_notebooks_way_needs_files():
    with pytest.raises(Unavailable, match="data=clothing"):
        list(Stage1(data=["data=synthetic", "data.products=21", "data.views=2"], rounds=1).rows())


def test_the_notebooks_way_has_a_process_of_its_own(words, tmp_path):
    folder = notebook.class_folders(catalog_of(recipe(words)), "train", tmp_path)
    with notebook.faster(partial(notebook.classifier_epoch, notebook.pictures(folder))) as (name, epoch):
        assert name in {"the notebook's way, 0 workers", "the notebook's way, 2 workers"}
        assert isinstance(epoch, Apart)
        epoch()
    with pytest.raises(RuntimeError, match="shutdown"):
        epoch()


def test_a_triplet_of_the_notebook_has_two_classes(words, tmp_path):
    folder = notebook.class_folders(catalog_of(recipe(words)), "train", tmp_path)
    triplets = notebook.TripleDataset(notebook.pictures(folder))
    assert len(triplets) == sum(len(rows) for rows in triplets.rows.values())
    assert [picture.shape for picture in triplets[0]] == [(3, 64, 64)] * 3


def test_the_demand_of_one_convolution_by_hand():
    import torch

    network = torch.nn.Conv2d(3, 8, 3, padding=1, bias=False)
    demand = demand_of(network, torch.zeros(4, 3, 16, 16), bytes_each=4)
    forward = 2 * 27 * 8 * 16 * 16
    assert demand.operations == 2 * forward  # the input needs no gradient
    assert demand.moved == 4 * 16 * 16 * (3 * 3 + 2 * 8)
    assert Card(bandwidth=100.0, rate=1.0).floor(demand) == demand.operations


def test_a_card_has_limits():
    import torch

    card = measure_card(torch.device("cpu"), torch.float32, copied=2**16, side=64)
    assert card.bandwidth > 1e6
    assert card.rate > 1e6


def test_the_gpu_part_runs_on_a_cpu(words, monkeypatch):
    import torch

    monkeypatch.setattr("fashion_lab.benchmarks.gpu.measure_card", lambda *_: Card(1e9, 1e9))
    part = Gpu(
        stages=["classifier", "siamese"],
        batch_sizes=[8],
        precisions=["32-true"],
        data=words,
        rounds=1,
        device="cpu",
        whole=False,
        compile_modes=[None],
    )
    rows = list(part.rows())
    assert [row.than for row in rows] == ["a bare loop", "the card's limit"] * 2
    assert all(row.ours > 0 for row in rows)
    if not torch.cuda.is_available():
        with pytest.raises(Unavailable, match="no GPU"):
            list(Gpu(stages=[], batch_sizes=[], precisions=[], data=[], rounds=1).rows())
