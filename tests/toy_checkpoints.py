"""Checkpoints as a training writes them, without a training."""

import torch

from fashion_lab import checkpoint as files
from fashion_lab.backbones.mobilenet import MobileNetBackbone
from fashion_lab.networks import MobileNetLikeClassifier, SiameseEncoder, SiameseNetwork

CLASSES = ["dress", "hat", "pants"]
BACKBONE = {
    "_target_": "fashion_lab.backbones.mobilenet.MobileNetBackbone",
    "stages": [[8, 1, 2, 2]],
    "stem_channels": 4,
    "width": 1.0,
}
ENCODER = {
    "_target_": "fashion_lab.networks.SiameseEncoder",
    "backbone": BACKBONE,
    "projection": 5,
    "normalize": True,
}


def backbone(**options):
    return MobileNetBackbone(**{key: BACKBONE[key] for key in ("stages", "stem_channels", "width")} | options)


def content(stage="classifier", *, seed=0, config=None, **record):
    """A checkpoint as a training writes it, untrained."""
    torch.manual_seed(seed)
    if stage == "classifier":
        network = MobileNetLikeClassifier(len(CLASSES), backbone())
    else:
        network = SiameseNetwork(SiameseEncoder(backbone(), projection=5, normalize=True))
    weights = {f"network.{name}": value for name, value in network.state_dict().items()}
    plain = {"backbone": BACKBONE, "pixels": {"size": 16, "fit": "squash"}, "trusted": []}
    plain |= {"encoder": ENCODER} if stage == "siamese" else {}
    optimizer = {"state": {0: {"step": torch.tensor(3.0), "exp_avg": torch.randn(7)}}, "lr": 0.1}
    return {
        "state_dict": weights,
        "optimizer_states": [optimizer],
        "epoch": 3,
        "hyper_parameters": {"betas": (0.9, 0.999), "nan": float("nan"), "none": None},
        files.RECORD: {
            "format": files.FORMAT,
            "stage": stage,
            "config": plain | (config or {}),
            "classes": CLASSES,
            "parent": None,
            "start": {},
            "overrides": [],
        }
        | record,
    }
