"""What the best checkpoint of a run does: pictures with predictions or hits, and the projector.

N pictures, S their side, C classes.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from fashion_lab.callbacks import boards
from fashion_lab.callbacks.queries import find_queries
from fashion_lab.contracts.catalog import Catalog, Ints
from fashion_lab.data.pixels import PixelStore
from fashion_lab.encoders.torch_encoder import embed
from fashion_lab.figures import confusion_figure, pick_per_class, prediction_sheet, query_sheet
from fashion_lab.modules.base import StageModule
from fashion_lab.modules.classifier import ClassifierModule
from fashion_lab.modules.siamese import SiameseModule
from fashion_lab.networks import SiameseEncoder

SPLIT = "validation"
MOST_SEARCHED = (
    2000  # pictures searched for the worst queries: all their distances are held at once; assumption
)
THUMBNAIL = 48  # side in the projector: 1,000 make a sprite of 1,536 px, of 8,192 that browsers take


@dataclass(frozen=True)
class Showcase:
    """How much is shown; the same pictures in every run of a catalog, so that runs can be compared by eye."""

    per_class: int
    queries: int
    hits: int
    points: int

    def show(
        self,
        writer: SummaryWriter,
        module: StageModule,
        catalog: Catalog,
        store: PixelStore,
        *,
        epoch: int,
        step: int,
    ) -> None:
        """Write everything that fits the stage."""
        rows = store.keep_readable(catalog.splits[SPLIT])
        shown = Shown(catalog, store, rows, f"best checkpoint (epoch {epoch})")
        was_training = module.training
        module.eval()
        if isinstance(module, ClassifierModule):
            assert module.last_confusion is not None, "shown before it was evaluated"
            title = f"{SPLIT}, {shown.checkpoint}"
            show_confusion(writer, boards.BEST_CONFUSION, module.last_confusion, module.classes, title, step)
            self._predictions(writer, module.network, shown, step)
            encoder = SiameseEncoder(module.network.backbone).eval()  # type: ignore[arg-type]
            self._projector(writer, encoder, shown, step)
        if isinstance(module, SiameseModule):
            self._queries(writer, module.network.embedding_network, shown, step)
            self._projector(writer, module.network.embedding_network, shown, step)
        module.train(was_training)

    def _predictions(self, writer: SummaryWriter, network: nn.Module, shown: "Shown", step: int) -> None:
        classes = shown.catalog.classes
        picks = pick_per_class(shown.labels, len(classes), self.per_class)
        some = shown.only(np.concatenate(picks))
        sheet = prediction_sheet(
            some.pixels,
            some.labels,
            torch.from_numpy(embed(network, some.pixels)).softmax(1).numpy(),
            classes,
            title=f"predictions, {SPLIT}, {shown.checkpoint}",
            subtitle=f"a row for each true class, {self.per_class} pictures at random; below: the prediction",
        )
        add_picture(writer, boards.BEST_PREDICTIONS, sheet, step)

    def _queries(self, writer: SummaryWriter, network: nn.Module, shown: "Shown", step: int) -> None:
        some = shown.drawn(MOST_SEARCHED)
        vectors, labels = torch.from_numpy(embed(network, some.pixels)), torch.from_numpy(some.labels)
        others = f"{len(some.rows) - 1:,} other pictures of {SPLIT}"
        subtitle = f"each searched among {others}; AP@R 1: all of its class come first"
        for tag, worst in ((boards.WORST_QUERIES, True), (boards.RANDOM_QUERIES, False)):
            found = find_queries(vectors, labels, self.queries, self.hits, worst=worst)
            if len(found.queries):
                title = f"{'worst' if worst else 'random'} queries and what they find, {shown.checkpoint}"
                classes = shown.catalog.classes
                sheet = query_sheet(found, some.pixels, some.labels, classes, title=title, subtitle=subtitle)
                add_picture(writer, tag, sheet, step)

    def _projector(self, writer: SummaryWriter, encoder: nn.Module, shown: "Shown", step: int) -> None:
        some = shown.drawn(self.points)
        cut = "" if len(some.rows) == len(shown.rows) else f"_{len(some.rows)}_of_{len(shown.rows)}"
        header, lines = some.names()
        writer.add_embedding(
            torch.from_numpy(
                embed(encoder, some.pixels).astype(np.float64).round(5)
            ),  # it is written as text
            metadata=lines,
            metadata_header=header,
            label_img=thumbnails(some.pixels),
            global_step=step,
            tag=f"{SPLIT}{cut}",
        )


@dataclass(frozen=True)
class Shown:
    """Pictures of a catalog, by their positions in it, and the checkpoint that they are shown to."""

    catalog: Catalog
    store: PixelStore
    rows: Ints
    checkpoint: str

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """Give uint8 [N, 3, S, S]."""
        return self.store.pixels[self.rows]

    @property
    def labels(self) -> Ints:
        """Give classes [N]."""
        return self.catalog.labels[self.rows]

    def only(self, places: Ints) -> "Shown":
        """Keep the pictures at these places among the rows."""
        return Shown(self.catalog, self.store, self.rows[places], self.checkpoint)

    def drawn(self, most: int) -> "Shown":
        """Draw at most so many, always the same ones."""
        if len(self.rows) <= most:
            return self
        return self.only(np.sort(np.random.default_rng(0).permutation(len(self.rows))[:most]))

    def names(self) -> tuple[list[str], list[list[str]]]:
        """Give a header, and for each picture its class, item, and product and sender where known."""
        columns = {
            "class": [self.catalog.classes[label] for label in self.labels],
            "item": [
                " ".join(self.catalog.item(int(row)).split()) for row in self.rows
            ],  # a tab ends a column
        }
        for name, ids in (("product", self.catalog.products), ("sender", self.catalog.groups)):
            if ids is not None:
                columns[name] = [str(one) for one in ids[self.rows]]
        return list(columns), [list(line) for line in zip(*columns.values(), strict=True)]


def add_picture(writer: SummaryWriter, tag: str, image: Image.Image, step: int) -> None:
    """Write one picture."""
    writer.add_image(tag, np.asarray(image), step, dataformats="HWC")


def show_confusion(
    writer: SummaryWriter, tag: str, confusion_CC: Tensor, classes: list[str], title: str, step: int
) -> None:
    """Write a confusion matrix with its accuracy below the title."""
    right, total = int(confusion_CC.diagonal().sum()), int(confusion_CC.sum())
    title = f"{title}\n{right} of {total} right ({right / max(total, 1):.1%})"
    add_picture(writer, tag, confusion_figure(confusion_CC.numpy(), classes, title=title), step)


def thumbnails(pixels: NDArray[np.uint8]) -> Tensor:
    """Scale uint8 [N, 3, S, S] to float32 [N, 3, THUMBNAIL, THUMBNAIL] in 0 .. 1."""
    images = torch.from_numpy(pixels).float()
    size = (THUMBNAIL, THUMBNAIL)
    small = torch.nn.functional.interpolate(images, size=size, mode="bilinear", antialias=True)
    return (small / 255).clamp(0, 1)
