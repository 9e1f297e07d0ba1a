"""One row of TensorBoard's tab "hparams": what distinguishes this run from others, and what came out."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.plugins.hparams import api_pb2, metadata
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo, SessionStartInfo
from torch.utils.tensorboard import SummaryWriter

from fashion_lab.callbacks.boards import BEST

WORDS = (
    "stage",
    "catalog",
    "seed",
    "backbone",
    "optimizer",
    "scheduler",
    "loss",
    "pixels.fit",
    "starts from",
    "command line",
)
FIRST = ("catalog", "loss", "optimizer.lr", "seed", "stage")  # the table shows five columns, others on demand
NUMBERS = (
    "batch_size",
    "optimizer.lr",
    "optimizer.weight_decay",
    "trainer.max_epochs",
    "pixels.size",
    "backbone.width",
    "backbone.depth",
    "module.class_weight_power",
    "module.backbone_lr",
    "module.layer_decay",
    "module.freeze_epochs",
    "loss.label_smoothing",
    "loss.margin",
    "encoder.projection",
)
METRICS = (
    "val/accuracy",
    "val/macro_recall",
    "val/macro_f1",
    "val_start/map_at_r",
    "val/map_at_r",
    "val/precision_at_1",
    "val/other_senders/map_at_r",
    "val/product/map_at_r",
)
ELSEWHERE = re.compile(
    r"\+*(stage|seed|ckpt|resume|trusted|hydra[./\w]*)="
)  # in columns of their own, or of no use


def write_row(
    writer: SummaryWriter, values: Mapping[str, float | str], metrics: Mapping[str, float], step: int
) -> None:
    """Write a finished run's row; its metrics as scalars too, since the table takes them from there.

    Every run declares the same columns, those of both stages: TensorBoard shows the columns of whichever run
    it reads first.
    """
    for name in METRICS:
        if name in metrics:
            writer.add_scalar(f"{BEST}/{name}", metrics[name], step)
    kinds = [(name, api_pb2.DATA_TYPE_STRING) for name in WORDS]
    kinds += [(name, api_pb2.DATA_TYPE_FLOAT64) for name in NUMBERS]
    columns = [api_pb2.HParamInfo(name=name, type=kind, differs=name in FIRST) for name, kind in kinds]
    finals = [
        api_pb2.MetricInfo(name=api_pb2.MetricName(tag=f"{BEST}/{name}"), display_name=name)
        for name in METRICS
    ]
    start, end = SessionStartInfo(), SessionEndInfo(status=api_pb2.STATUS_SUCCESS)
    for name, value in values.items():
        if isinstance(value, str):
            start.hparams[name].string_value = value
        else:
            start.hparams[name].number_value = value
    table = api_pb2.Experiment(hparam_infos=columns, metric_infos=finals)
    file = writer._get_file_writer()  # type: ignore[no-untyped-call]
    file.add_summary(_summary(metadata.EXPERIMENT_TAG, experiment=table))
    file.add_summary(_summary(metadata.SESSION_START_INFO_TAG, session_start_info=start))
    file.add_summary(_summary(metadata.SESSION_END_INFO_TAG, session_end_info=end))


def _summary(tag: str, **content: Any) -> Summary:
    data = HParamsPluginData(version=metadata.PLUGIN_DATA_VERSION, **content)
    plugin = SummaryMetadata.PluginData(plugin_name=metadata.PLUGIN_NAME, content=data.SerializeToString())
    return Summary(value=[Summary.Value(tag=tag, metadata=SummaryMetadata(plugin_data=plugin))])


def hyperparameters(
    config: Mapping[str, Any], *, catalog: str, overrides: Sequence[str]
) -> dict[str, float | str]:
    """Give the columns' values from a run's resolved config; one that has none is left out."""
    fold = _at(config, "data.fold")
    words = {
        "stage": config["stage"],
        "catalog": catalog if fold is None else f"{catalog}, fold {fold}",
        "seed": str(config["seed"]),
        "backbone": _backbone(config["backbone"]),
        "optimizer": _name(config["optimizer"]),
        "scheduler": _name(_at(config, "scheduler.scheduler")) or "none",
        "loss": _loss(config["loss"]),
        "pixels.fit": config["pixels"]["fit"],
        "starts from": _origin(config),
        "command line": " ".join(one for one in overrides if not ELSEWHERE.match(one)),
    }
    numbers = {name: _at(config, name) for name in NUMBERS}
    if numbers["loss.margin"] is None:
        numbers["loss.margin"] = _at(config, "loss.loss.margin")
    return {name: value for name, value in (words | numbers).items() if value not in (None, "")}


def _at(config: Mapping[str, Any], path: str) -> Any:
    """Follow a dotted path; None where it ends early."""
    value: Any = config
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _name(node: Mapping[str, Any] | None) -> str:
    """Name what is built without the words that every such name ends with: a column shows 15 letters."""
    if node is None:
        return ""
    return re.sub(r"(Backbone|Loss|Miner|LR)$", "", str(node["_target_"]).rpartition(".")[2])


def _origin(config: Mapping[str, Any]) -> str:
    if config["ckpt"]:
        return "stage 1"
    return "pretrained" if config["backbone"].get("pretrained") else "scratch"


def _backbone(node: Mapping[str, Any]) -> str:
    return str(node.get("name") or _name(node)) + (", dense 3x3" if node.get("depthwise") is False else "")


def _loss(node: Mapping[str, Any]) -> str:
    """Name the loss inside of our wrapper, and its miner."""
    inner = node.get("loss") or node
    miner = node.get("miner")
    return _name(inner) + (f" + {_name(miner)}" if miner else "")
