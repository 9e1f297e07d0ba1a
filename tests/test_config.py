"""Every YAML composes and names what may be built; who beats whom; what is refused, and how it is said."""

import contextlib
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import hydra
import pytest
import torch
from omegaconf import OmegaConf
from runs import composed

from fashion_lab.check import check
from fashion_lab.config import (
    CONF,
    FOR_USERS,
    ConfigError,
    build,
    check_targets,
    compose,
    explain,
    run_folder,
)

GROUPS = sorted(path.name for path in CONF.iterdir() if path.is_dir())
FOR_CLASSIFIER = {"loss": ("cross_entropy",), "sampler": ("shuffle",)}
NOT_TRAINED_WITH = {"engine"}  # of the other verbs
BUILT = ("augment", "network", "loss", "optimizer", "scheduler", "sampler")


def options(group):
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def applies(stage, group, option):
    if group not in FOR_CLASSIFIER:
        return group not in NOT_TRAINED_WITH
    return (stage == "classifier") == (option in FOR_CLASSIFIER[group])


TRAININGS = [
    (stage, group, option)
    for stage in ("classifier", "siamese")
    for group in GROUPS
    if group != "stage"
    for option in options(group)
    if applies(stage, group, option)
]


def trainable(folder, stage, *overrides):
    """A training's config, with what a person must give."""
    given = ["data.root=pictures"] if {"data=folder", "data=photos"} & {*overrides} else []
    given += ["backbone.name=test_resnet"] if "backbone=timm" in overrides else []
    parent = ["ckpt=null"] if stage == "siamese" else []
    cfg = composed(folder, f"stage={stage}", *parent, *given, *overrides)
    cfg.num_classes = 7  # training fills it in from the catalog
    return cfg


@pytest.mark.parametrize(("stage", "group", "option"), TRAININGS, ids=str)
def test_every_option_composes_checks_and_builds(stage, group, option, tmp_path):
    cfg = trainable(tmp_path, stage, f"{group}={option}")
    check(cfg)
    check_targets(OmegaConf.to_container(cfg, resolve=True), ())
    for key in BUILT:
        assert cfg[key] is None or not isinstance(build(cfg[key]), dict | None), f"{key} names no _target_"
    for node in cfg.callbacks.values():
        assert node is None or build(node) is not None


@pytest.mark.parametrize("target", ["NAdam", "SGD", "RMSprop", "Muon"])
def test_an_optimizer_of_torch_needs_its_name_alone(target, tmp_path):
    cfg = trainable(tmp_path, "classifier", f"optimizer._target_=torch.optim.{target}")
    optimizer = build(cfg.optimizer)([torch.nn.Parameter(torch.zeros(2, 2))])
    assert optimizer.param_groups[0]["lr"] == cfg.optimizer.lr


@pytest.mark.parametrize(
    ("config", "overrides"),
    [("train", ())]
    + [("index", (f"data={option}",)) for option in options("data")]
    + [("audit", (f"data={option}",)) for option in options("data")]
    + [("search", (f"engine={option}",)) for option in options("engine")]
    + [("report", ()), ("export", ())],
    ids=str,
)
def test_every_verb_composes(config, overrides):
    given = ["data.root=pictures"] if {"data=folder", "data=photos"} & {*overrides} else []
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = hydra.compose(config, [*overrides, *given])
    if config != "train":
        check_targets(OmegaConf.to_container(cfg, resolve=True), ())


def test_a_config_composes_inside_a_verb_and_leaves_it_as_it_was():
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        assert compose("train", ["seed=7"]).seed == 7
        assert hydra.compose("train", ["seed=8"]).seed == 8


def test_what_an_experiment_says_of_a_stage_is_found():
    for path in (CONF / "experiment/stage").glob("*.yaml"):
        experiment, _, stage = path.stem.rpartition("_")
        assert (CONF / f"experiment/{experiment}.yaml").is_file(), path
        assert stage in options("stage"), path


def test_the_baseline_keeps_the_faults_of_the_notebook(tmp_path):
    for stage in ("classifier", "siamese"):
        cfg = trainable(tmp_path, stage, "experiment=notebook")
        assert cfg.backbone.depthwise is False
        assert cfg.trainer.max_epochs == 5
        assert cfg.callbacks.ema is None
        assert cfg.batch_size == 32
    network = build(trainable(tmp_path, "classifier", "experiment=notebook").network)
    assert sum(parameter.numel() for parameter in network.parameters()) == 429_399


@pytest.fixture
def layers(tmp_path):
    """Options of a user: a trainer and an experiment that say the same keys otherwise."""
    for name, text in {
        "trainer/mine": "defaults: [cpu, _self_]\nmax_epochs: 3\n",
        "experiment/mine": (
            "# @package _global_\nseed: 7\ntrainer: {max_epochs: 5}\noptimizer: {lr: 0.5}\n"
            "pixels: {size: 48}\n"
        ),
    }.items():
        path = tmp_path / f"{name}.yaml"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    return f"hydra.searchpath=[file://{tmp_path}]"


def test_who_beats_whom(layers, tmp_path):
    stage = composed(tmp_path, layers, "trainer=mine")
    assert (
        stage.trainer.max_epochs == composed(tmp_path).trainer.max_epochs != 3
    )  # the stage beats the trainer
    experiment = composed(tmp_path, layers, "trainer=mine", "experiment=mine")
    assert experiment.trainer.max_epochs == 5  # the experiment beats the stage
    assert experiment.optimizer.lr == 0.5
    assert (experiment.seed, experiment.pixels.size) == (7, 48)  # and the root
    words = ("trainer.max_epochs=2", "seed=0", "pixels.size=32", "optimizer.lr=0.1")
    line = composed(tmp_path, layers, "trainer=mine", "experiment=mine", *words)
    assert (line.trainer.max_epochs, line.seed, line.pixels.size, line.optimizer.lr) == (2, 0, 32, 0.1)


def test_what_a_stage_demands_can_be_overridden_after_it(tmp_path):
    cfg = composed(tmp_path, "stage=siamese", "loss=batch_hard", "optimizer=adam", "ckpt=null")
    assert cfg.optimizer._target_ == "torch.optim.Adam"
    assert cfg.sampler._target_.endswith("BalancedSampler")  # the loss brings it
    assert cfg.monitor == {"metric": "val/map_at_r", "mode": "max"}
    assert cfg.callbacks.best.monitor == "val/map_at_r"


def test_check_tells_all_problems_at_once(tmp_path):
    words = [
        "seed=-1",
        "batch_size=0",
        "optimizer.lr=-1",
        "monitor.mode=up",
        "threads=0",
        "resume=gone",
        "+sed=3",
        "+colour=red",
    ]
    with pytest.raises(ConfigError) as caught:
        check(composed(tmp_path, "stage=siamese", "data=folder", "trainer.devices=2", *words), multirun=True)
    text = str(caught.value)
    for said in (
        "stage=siamese needs ckpt=",
        "data.root is missing",
        "sed is no key of a training; did you mean seed",
        "colour is no key of a training; there are stage, folder, seed,",
        "seed=-1",
        "batch_size=0",
        "optimizer.lr=-1",
        "monitor.mode=up",
        "threads=0",
        "resume=gone does not exist",
        "trainer.devices=2; a run is one process",
        "resume=gone in a sweep",
    ):
        assert said in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["stage=siamese", "ckpt=null", "loss=cross_entropy"], "the stage is siamese; take loss=triplet"),
        (["loss._partial_=false"], "the stage a classifier; take loss=cross_entropy"),
        (["ckpt=here"], "ckpt= is where stage=siamese starts from"),
        (["optimizer.lr=nan"], "optimizer.lr=nan"),
        (["optimizer.lr=inf"], "optimizer.lr=inf"),
        (["trainer.max_epochs=0"], "trainer.max_epochs=0"),
        (["trainer.max_epochs=1.5"], "trainer.max_epochs=1.5"),
        (["seed=2147483648"], "seed=2147483648"),
        (["stage=siamese", "ckpt=null", "augment.mixup=0.2"], "augment.mixup"),
        (["stage=siamese", "ckpt=null", "sampler=shuffle"], "sampler=shuffle draws no triplets"),
    ],
    ids=str,
)
def test_what_cannot_be_trained_is_refused(words, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    with pytest.raises(ConfigError, match=said.replace(".", r"\.")):
        check(composed(tmp_path, *words))


def test_seed_zero_and_no_problem(tmp_path):
    check(composed(tmp_path, "seed=0"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["optimizr.lr=1"], "'optimizr.lr'; did you mean optimizer.lr"),
        (["backbone.widht=2"], "'backbone.widht'; did you mean width"),
        (["sed=1"], "no option is called 'sed'; did you mean seed"),
        (["trainer.colour=1"], "no option is called 'trainer.colour'; there are .*max_epochs"),
        (["colour=1"], "no option is called 'colour'; there are .*threads"),
        (["colour.red=1"], "no option is called 'colour.red'; there are .*threads"),
        (["stage=clasifier"], "'stage/clasifier'; there are classifier, siamese; did you mean classifier"),
        (["loss=batch_hrd"], "did you mean batch_hard"),
        (["seed=abc"], "'abc'.*Integer"),
        (["loss=triplet"], "Multiple values for sampler.*belongs to the other stage"),
        (["ckpt=a=b"], "\"ckpt='a=b'\""),
    ],
    ids=str,
)
def test_a_misspelt_word_is_told_with_the_nearest(words, said, tmp_path):
    with pytest.raises(FOR_USERS) as caught:
        composed(tmp_path, *words)
    line = explain(caught.value, "train")
    assert "\n" not in line
    assert re.search(said, line), line


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("trainer@x=gpu", r"To append to your default list use \+trainer@x=gpu"),
        ("hydra.colour=1", "Key 'colour' not in 'HydraConf'"),
    ],
)
def test_what_hydra_advises_is_kept(word, said, tmp_path):
    with pytest.raises(FOR_USERS) as caught:
        composed(tmp_path, word)
    assert re.search(said, explain(caught.value, "train"))


def test_an_option_of_an_engine_needs_the_engine():
    with pytest.raises(FOR_USERS) as caught:
        compose("search", ["engine.nprobe=64"])
    told = "engine.nprobe needs engine= as well, to say whose option it is: one of auto, exact, faiss, milvus"
    assert explain(caught.value, "search") == told


@pytest.mark.parametrize(
    ("node", "said"),
    [
        ({"_target_": "torch.optim.AdamW", "lrr": 1.0}, "torch.optim.AdamW takes no 'lrr'; did you mean lr?"),
        ({"_target_": "fashion_lab.networks.SiameseEncoder", "nope": 1}, "it takes backbone"),
        ({"_target_": "fashion_lab.networks.SiameseEncodr"}, "is not there"),
        ({"_target_": "torch.optim.nothing.Adam"}, "is not there"),
    ],
    ids=str,
)
def test_a_wrong_argument_or_class_is_told(node, said):
    with pytest.raises(ConfigError, match=said.replace("?", r"\?")):
        build(node)


def hostile(canary):
    """Ways of making a file through a config; `canary` is where."""
    touch = {"_target_": "os.system", "command": f"touch {canary}"}
    path = {"_target_": "pathlib.Path", "_args_": [str(canary)]}
    made_later = "${oc.create:'{_target_: os.system, command: touch " + str(canary) + "}'}"
    allowed = "torch.nn.TripletMarginLoss"
    return {
        "open": {"_target_": "builtins.open", "file": str(canary), "mode": "w"},
        "os.system": touch,
        "partial": touch | {"_partial_": True},
        "posix": touch | {"_target_": "posix.system"},
        "subprocess": {"_target_": "subprocess.run", "args": ["touch", str(canary)]},
        "eval": {"_target_": "builtins.eval", "_args_": [f"open({str(canary)!r}, 'w')"]},
        "touch": {"_target_": "pathlib.Path.touch", "self": path},
        "torch.load": {"_target_": "torch.load", "f": str(canary), "weights_only": False},
        "torch.save": {"_target_": "torch.save", "obj": 1, "f": str(canary)},
        "torch.hub": {
            "_target_": "torch.hub.load",
            "repo_or_dir": str(canary),
            "model": "x",
            "source": "local",
        },
        "through torch.optim": {"_target_": "torch.optim.adamw.torch.save", "obj": 1, "f": str(canary)},
        "through config": touch | {"_target_": "fashion_lab.config.os.system"},
        "through networks": {"_target_": "fashion_lab.networks.torch.save", "obj": 1, "f": str(canary)},
        "through catalogs": {"_target_": "fashion_lab.catalogs.clothing.Path.touch", "self": path},
        "our build": {"_target_": "fashion_lab.config.build", "node": touch, "trusted": ["os"]},
        "our writer": {
            "_target_": "fashion_lab.checkpoint.write",
            "path": {"_target_": "pathlib.Path", "_args_": [str(canary)]},
            "checkpoint": {},
        },
        "our function": {"_target_": "fashion_lab.catalogs.download.fetch", "into": str(canary)},
        "our method": {"_target_": "fashion_lab.networks.SiameseNetwork.get_embedding", "self": 1, "x": 1},
        "hydra": {"_target_": "hydra.utils.instantiate", "config": touch},
        "functools": {"_target_": "functools.partial", "_args_": [touch]},
        "functools through torch": {"_target_": "torch.optim.lr_scheduler.partial", "_args_": [touch]},
        "argument": {"_target_": allowed, "margin": touch},
        "partial argument": {"_target_": allowed, "_partial_": True, "margin": touch},
        "not recursive": {"_target_": allowed, "_recursive_": False, "margin": touch},
        "deep": {"_target_": allowed, "margin": {"a": [{"b": [touch]}]}},
        "positional": {"_target_": allowed, "_args_": [touch]},
        "list": [touch],
        "interpolation": {"_target_": allowed, "margin": made_later},
        "interpolation in a list": {"_target_": allowed, "_args_": [made_later]},
        "interpolated target": {"_target_": "fashion_lab.${oc.env:HOME}"},
        "trusts itself": touch | {"trusted": ["os"]},
        "list as target": {"_target_": ["os.system"], "command": f"touch {canary}"},
        "function as target": {"_target_": os.system, "command": f"touch {canary}"},
        "no target": {"_target_": None},
    }


NAMES = list(hostile(Path("x")))


@pytest.mark.parametrize("name", NAMES)
def test_hostile_targets_are_refused_before_anything_runs(name, tmp_path):
    canary = tmp_path / "canary"
    with pytest.raises(ConfigError):
        build(hostile(canary)[name])
    assert not canary.exists()


@pytest.mark.parametrize("name", [name for name in NAMES if "function as" not in name])
def test_hostile_targets_are_refused_in_a_composed_config_too(name, tmp_path):
    """Interpolations are resolved there; an escaped one would be resolved by Hydra after the look."""
    canary = tmp_path / "canary"
    text = OmegaConf.to_yaml(OmegaConf.create({"node": hostile(canary)[name]})).replace("${", "\\${")
    with pytest.raises(ConfigError):
        build(OmegaConf.create(text).node)
    assert not canary.exists()


def test_the_canary_would_have_sung(tmp_path):
    """Hydra alone runs a target that an interpolation makes late; its own list does not know every one."""
    late = "${oc.create:'{_target_: builtins.open, file: " + str(tmp_path / "canary") + ", mode: w}'}"
    node = {"_target_": "torch.nn.TripletMarginLoss", "margin": late}
    with pytest.raises(ConfigError, match="an interpolation is left over"):
        build(node)
    assert not (tmp_path / "canary").exists()
    with contextlib.suppress(hydra.errors.InstantiationException):  # a file is no margin
        hydra.utils.instantiate(node, _convert_="all")
    assert (tmp_path / "canary").exists()


def test_code_of_a_user_is_built_when_the_command_line_trusts_it(tmp_path, monkeypatch):
    (tmp_path / "my_losses.py").write_text("class Mine:\n    def __init__(self, *, a): self.a = a\n")
    monkeypatch.syspath_prepend(tmp_path)
    node = {"_target_": "my_losses.Mine", "a": 3}
    with pytest.raises(ConfigError, match=r"add trusted=\[my_losses\]"):
        build(node)
    assert build(node, trusted=["my_losses"]).a == 3
    with pytest.raises(ConfigError, match="takes no 'b'"):
        build({"_target_": "my_losses.Mine", "b": 3}, trusted=["my_losses"])


def test_runs_of_the_same_second_have_their_own_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = set()
    for _ in range(3):
        folder = run_folder("classifier", None)
        Path(folder).mkdir(parents=True)
        names.add(folder)
    assert len(names) == 3
    assert run_folder("classifier", "outputs/x/checkpoints/last.ckpt") == "outputs/x"
    assert run_folder("classifier", "outputs/x") == "outputs/x"


@pytest.mark.parametrize("verb", ["train", "index", "search", "report", "export", "audit"])
@pytest.mark.parametrize("words", [["--help"], ["--cfg", "job"]], ids=" ".join)
def test_help_and_config_are_shown_without_torch(verb, words, tmp_path):
    code = (
        "import sys, runpy; verb = sys.argv.pop(1)\n"
        "try: runpy.run_module(f'fashion_lab.{verb}', run_name='__main__')\n"
        "except SystemExit as stop: assert not stop.code, stop.code\n"
        "heavy = ('torch', 'torchvision', 'pytorch_lightning', 'matplotlib', 'numpy')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    started = time.perf_counter()
    command = [sys.executable, "-c", code, verb, *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    print(f"{verb} {' '.join(words)}: {time.perf_counter() - started:.2f} s")
    assert done.stdout.endswith("[]\n"), done.stdout + done.stderr
    assert not list(tmp_path.iterdir())


def test_a_wrong_config_is_told_before_torch_is_imported(tmp_path):
    code = (
        "import sys, runpy; sys.argv = ['train', 'batch_size=0', 'stage=siamese']\n"
        "try: runpy.run_module('fashion_lab.train', run_name='__main__')\n"
        "except SystemExit as stop: print(stop.code)\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert "batch_size=0" in done.stdout
    assert "needs ckpt=" in done.stdout
    assert done.stdout.endswith("False\n")
