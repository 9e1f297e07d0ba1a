"""pytorch-metric-learning's trainer, with the loss, miner and everything else that our stage 2 has."""

from functools import partial
from typing import Any

import numpy as np
import torch
from pictures import Pictures
from pytorch_metric_learning import losses, miners, samplers, trainers
from torch import nn
from torch.nn.utils import clip_grad_norm_
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import Dataset, Sampler


def train(network: nn.Module, pictures: Pictures, plan: dict[str, Any]) -> nn.Module:
    """Train with MetricLossOnly, and give the average of the weights. `plan`: see `study.plan_of`."""
    torch.manual_seed(plan["seed"])
    np.random.seed(plan["seed"])  # noqa: NPY002 - their sampler draws from it
    batch = plan["classes"] * plan["pictures_per_class"]
    sampler = samplers.MPerClassSampler(
        pictures.labels, plan["pictures_per_class"], batch, plan["steps"] * batch
    )
    return train_on(network, pictures, sampler, plan)


def train_on(
    network: nn.Module, pictures: Dataset[Any], sampler: Sampler[int], plan: dict[str, Any]
) -> nn.Module:
    """Train likewise, on the pictures that a sampler names: one iteration of it is an epoch."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=plan["lr"], weight_decay=plan["weight_decay"])
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, plan["lr"], total_steps=plan["epochs"] * plan["steps"], pct_start=0.2, cycle_momentum=False
    )
    average = AveragedModel(
        network,
        multi_avg_fn=get_ema_multi_avg_fn(plan["ema"]),  # type: ignore[no-untyped-call]
        use_buffers=True,
    )
    trainers.MetricLossOnly(
        models={"trunk": network},
        optimizers={"trunk_optimizer": optimizer},
        batch_size=plan["classes"] * plan["pictures_per_class"],
        loss_funcs={"metric_loss": losses.MultiSimilarityLoss(alpha=2.0, beta=50.0, base=0.5)},
        mining_funcs={"tuple_miner": miners.MultiSimilarityMiner(epsilon=0.1)},
        dataset=pictures,
        sampler=sampler,
        iterations_per_epoch=plan["steps"],
        lr_schedulers={"trunk_scheduler_by_iteration": schedule},
        gradient_clippers={
            "trunk_grad_clipper": partial(clip_grad_norm_, list(network.parameters()), plan["clip"])
        },
        end_of_iteration_hook=lambda trainer: average.update_parameters(trainer.models["trunk"]),
        dataloader_num_workers=0,
        data_device=torch.device("cpu"),
    ).train(num_epochs=plan["epochs"])
    averaged: nn.Module = average.module
    return averaged
