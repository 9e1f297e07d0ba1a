import io
import math

import pytest
from rich.console import Console
from torch import nn

from fashion_lab.backbones.mobilenet import MobileNetBackbone
from fashion_lab.networks import MobileNetLikeClassifier, SiameseEncoder, SiameseNetwork
from fashion_lab.summary import closing_block, network_size


def test_multiply_adds_by_hand():
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5)
    )
    size = network_size(network.train(), 16)
    assert size.multiply_adds == 8 * 8 * 8 * 3 * 3 * 3 + 8 * 5
    assert size.parameters == 8 * 27 + 8 + 8 * 5 + 5
    assert network.training


def test_size_of_both_stages_networks():
    assert network_size(MobileNetLikeClassifier(7), 64).parameters == 33_039
    size = network_size(SiameseNetwork(SiameseEncoder(MobileNetBackbone())), 64)
    assert size.parameters == 33_039 - 7 * 65
    assert size.multiply_adds == network_size(MobileNetLikeClassifier(7), 64).multiply_adds - 7 * 64


@pytest.mark.parametrize("odd", [math.nan, math.inf])
def test_closing_block_shows_metrics_beside_their_start(odd):
    metrics = {
        "val/map_at_r": 0.75,
        "val_start/map_at_r": 0.5,
        "val/num_queries": 276.0,
        "val/recall/hat": 0.1,
    }
    result = {
        "metrics": metrics | {"test/map_at_r": odd, "val_last/map_at_r": 0.7},
        "folder": "runs/a",
        "checkpoint": "checkpoints/best.ckpt",
        "seconds": {"fit": 3.0, "total": 5.0},
        "stage": "siamese",
    }
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(closing_block(result, "runs/a/result.json"))
    text = console.export_text()
    assert "0.7500  (start 0.5000)" in text
    assert "276" in text
    assert str(odd) in text
    assert "recall/hat" not in text
    assert "val_last" not in text
    assert "runs/a/checkpoints/best.ckpt" in text
