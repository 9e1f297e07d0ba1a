"""The notebook's way to train: folders of files, PIL transforms, a DataLoader, a plain loop."""

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.datasets import ImageFolder

from fashion_lab.backbones.mobilenet import MobileNetBackbone
from fashion_lab.benchmarks.apart import Apart
from fashion_lab.benchmarks.rows import Unavailable
from fashion_lab.benchmarks.timing import in_turns
from fashion_lab.contracts.catalog import Catalog
from fashion_lab.networks import MobileNetLikeClassifier, SiameseEncoder, SiameseNetwork

BATCH = 32
WORKERS = (0, 2)  # both are timed; the faster counts

Triplet = tuple[Tensor, Tensor, Tensor]
Epoch = Callable[[], None]


def class_folders(catalog: Catalog, split: str, folder: Path) -> Path:
    """Make `folder/<class>/<position>.<suffix>` links to a split's files, for `ImageFolder`.

    Raises:
        Unavailable: the catalog has no files.
    """
    for position in catalog.splits[split]:
        path = catalog.path(int(position))
        if path is None:
            raise Unavailable(f"the notebook reads files, and {catalog.name!r} has none: take data=clothing")
        link = folder / catalog.classes[catalog.labels[position]] / f"{position}{path.suffix}"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path.resolve())
    return folder


def pictures(folder: Path) -> ImageFolder:
    """The training set with the notebook's augmentation."""
    steps = [
        transforms.Resize((64, 64)),
        transforms.RandomHorizontalFlip(),
        transforms.RandomRotation(10),
        transforms.ToTensor(),
        transforms.Normalize(mean=[0.5] * 3, std=[0.5] * 3),
    ]
    return ImageFolder(str(folder), transforms.Compose(steps))


class TripleDataset(Dataset[Triplet]):
    """The notebook's triplets: each is three pictures decoded anew, and so is the table of labels."""

    def __init__(self, dataset: ImageFolder) -> None:
        self.dataset = dataset
        self.rows: dict[int, list[int]] = {}
        for row, (_, label) in enumerate(dataset):
            self.rows.setdefault(label, []).append(row)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, row: int) -> Triplet:
        anchor, label = self.dataset[row]
        other = random.choice([one for one in self.rows if one != label])
        positive, negative = (self.dataset[random.choice(self.rows[one])][0] for one in (label, other))
        return anchor, positive, negative


@contextmanager
def faster(epoch: Callable[[int], Epoch]) -> Iterator[tuple[str, Epoch]]:
    """Its epoch with the number of workers that suits this machine, and a name for it; runs two with each.

    Each has a process of its own, as a notebook has.
    """
    with ExitStack() as processes:
        ways = {
            f"the notebook's way, {workers} workers": processes.enter_context(Apart(partial(epoch, workers)))
            for workers in WORKERS
        }
        times = in_turns(ways, rounds=1)
        name = min(times, key=times.__getitem__)
        for other in ways.keys() - {name}:
            ways[other].close()
        yield name, ways[name]


def classifier_epoch(dataset: ImageFolder, workers: int) -> Epoch:
    """One epoch of its stage 1: dense network, weighted cross-entropy, Adam."""
    counts = torch.bincount(torch.tensor(dataset.targets))
    network = MobileNetLikeClassifier(len(dataset.classes), MobileNetBackbone(depthwise=False))
    criterion = nn.CrossEntropyLoss(weight=len(dataset) / (len(counts) * counts))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    loader = DataLoader(dataset, batch_size=BATCH, shuffle=True, num_workers=workers)

    def epoch() -> None:
        network.train()
        for images, labels in loader:
            optimizer.zero_grad()
            loss = criterion(network(images), labels)
            loss.backward()
            optimizer.step()
            loss.item()  # its running loss

    return epoch


def triplet_epoch(dataset: TripleDataset, workers: int) -> Epoch:
    """One epoch of its stage 2: three passes of the encoder a step, triplet margin loss, AdamW."""
    network = SiameseNetwork(SiameseEncoder(MobileNetBackbone(depthwise=False)), one_pass=False)
    criterion = nn.TripletMarginLoss(margin=1.0, p=2.0)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.001)
    loader = DataLoader(dataset, batch_size=BATCH, shuffle=True, num_workers=workers)

    def epoch() -> None:
        network.train()
        for triplet in loader:
            optimizer.zero_grad()
            loss = criterion(*network(*triplet))
            loss.backward()
            optimizer.step()
            loss.item()

    return epoch
