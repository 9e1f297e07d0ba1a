"""Every experiment runs one batch, of either stage, on the drawn catalog."""

import json
from pathlib import Path

import pytest
from runs import composed, trained

from fashion_lab.check import check
from fashion_lab.config import CONF

EXPERIMENTS = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))
QUICK = (
    *("data=synthetic", "data.products=21", "data.views=4", "data.size=64", "pixels.size=32", "batch_size=8"),
    *("trainer=smoke", "trainer.max_steps=1", "trainer.limit_train_batches=1", "logger=none", "threads=1"),
)
TRIES = Path(__file__).parents[1] / "experiments/tries"
OF_ONES_OWN = f"hydra.searchpath=[file://{TRIES}]"  # what --config-dir= says
OTHERS = {
    "pretrained10": ("backbone.pretrained=false",),  # its weights are not shipped
    "products_siamese": ("sampler.classes_per_batch=4",),  # of the few products that are drawn here
}


@pytest.mark.parametrize("stage", ["classifier", "siamese"])
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_it_runs_one_batch(experiment, stage, tmp_path):
    if experiment == "pretrained10":
        pytest.importorskip("timm")
    own = (*OTHERS.get(experiment, ()), *OTHERS.get(f"{experiment}_{stage}", ()))
    start = ("ckpt=null",) if stage == "siamese" else ()
    run = trained(tmp_path, f"experiment={experiment}", f"stage={stage}", *start, *own, tiny=QUICK)
    result = json.loads((run / "result.json").read_text())
    assert (result["stage"], result["steps"]) == (stage, 1)
    assert result["metrics"][result["monitor"]["metric"]] is not None


@pytest.mark.parametrize("name", sorted(path.stem for path in (TRIES / "try").glob("*.yaml")))
def test_a_config_folder_of_ones_own_gives_groups(name, tmp_path):
    check(composed(tmp_path, OF_ONES_OWN, f"+try={name}"))


def test_a_config_folder_of_ones_own_gives_options(tmp_path):
    cfg = composed(tmp_path, OF_ONES_OWN, "stage=siamese", "ckpt=null", "loss=joint")
    assert cfg.loss.loss["_target_"] == "pytorch_metric_learning.losses.MultipleLosses"
