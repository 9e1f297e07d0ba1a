"""A catalog embedded as `python -m fashion_lab.index` does it, beside a plain loop over a DataLoader."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from copy import deepcopy
from functools import partial
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from fashion_lab.allocator import keep_freed_memory
from fashion_lab.benchmarks.apart import Apart
from fashion_lab.benchmarks.decoding import empty_cache
from fashion_lab.benchmarks.jpegs import Jpegs, jpegs
from fashion_lab.benchmarks.recipes import recipe
from fashion_lab.benchmarks.rows import Part, Row
from fashion_lab.benchmarks.timing import in_turns
from fashion_lab.config import build
from fashion_lab.data.pixels import PixelStore
from fashion_lab.encoders.batches import EMBED_BATCH
from fashion_lab.encoders.torch_encoder import TorchEncoder, at_rest
from fashion_lab.galleries.embedding import in_this_process
from fashion_lab.galleries.engines import EngineChoice
from fashion_lab.galleries.listing import ALL
from fashion_lab.galleries.update import Job
from fashion_lab.indexes.exact import ExactIndex
from fashion_lab.indexing import Embedder
from fashion_lab.indexing import build as build_index
from fashion_lab.pictures import PixelSpec

FRESH = "fresh"  # the encoder's run and fingerprint: nobody trained it, which its speed does not notice
WORKERS = (0, 2)  # processes of the DataLoader; the faster counts


class Embedding(Part):
    """Embedding a catalog: an index built from its JPEG files, and vectors alone from its pixel store.

    The default encoder of stage 2 on the CPU, with fresh weights. Theirs is what most people write: PIL,
    torchvision's Resize, ToTensor and Normalize, a DataLoader with 0 or 2 workers (whichever is faster) and
    the same network, all in batches of the same size, in processes of their own.

    Args:
        rounds: how often each way runs; the median counts.
        data: words of a training's command line that choose the catalog.
        pictures: so many of its JPEG files.
    """

    def __init__(self, *, rounds: int, data: list[str], pictures: int) -> None:
        if pictures < 1:
            raise ValueError(f"embed.pictures={pictures}: give 1 or more")
        self.rounds, self.data, self.pictures = rounds, data, pictures

    def rows(self) -> Iterator[Row]:
        """Measure, and give each row as soon as it is known.

        Raises:
            Unavailable: the catalog is not here.
        """
        cfg = recipe([*self.data, "stage=siamese", "ckpt=null"])
        catalog = jpegs(cfg, self.pictures)
        spec = PixelSpec(size=cfg.pixels.size, fit=cfg.pixels.fit)
        network = build(cfg.encoder).eval()
        encoder = TorchEncoder(
            at_rest(deepcopy(network)), spec, catalog.classes, fingerprint=FRESH, run=FRESH
        )
        keep_freed_memory()  # as `index` does
        with empty_cache() as name, ExitStack() as processes:
            stored = Path(name)
            ways: dict[str, Callable[[], object]] = {
                "files": lambda: _from_files(catalog, encoder),
                "store": lambda: encoder.embed(PixelStore.open(catalog, spec, cache=stored).pixels),
            }
            for workers in WORKERS:
                theirs = Apart(partial(partial, loop, catalog, network, spec.size, workers))
                ways[str(workers)] = processes.enter_context(theirs)
            times = in_turns(ways, rounds=self.rounds)
        rates = {way: len(catalog) / time for way, time in times.items()}
        best = max(map(str, WORKERS), key=rates.__getitem__)
        than = f"PIL, torchvision and a DataLoader with {best} workers, from files"
        for way, what in (
            ("files", "from JPEG files to vectors"),
            ("store", "from stored pixels to vectors"),
        ):
            what = f"embed {len(catalog):,} pictures, {what}"
            yield Row(what=what, ours=rates[way], unit="pictures/s", theirs=rates[best], than=than)


def _from_files(catalog: Jpegs, encoder: TorchEncoder) -> None:
    with empty_cache() as folder:
        job = Job(folder=Path(folder), embed=in_this_process(), engine=EngineChoice(index=ExactIndex()))
        build_index(job, catalog, ALL, Embedder(run=FRESH, load=lambda run: encoder))


class Files(Dataset[Tensor]):
    """The pictures as float32 [3, S, S] in -1 .. 1, each decoded and resized when it is asked for."""

    def __init__(self, catalog: Jpegs, size: int) -> None:
        self.paths = [catalog.path(position) for position in range(len(catalog))]
        steps = [
            transforms.Resize((size, size)),
            transforms.ToTensor(),
            transforms.Normalize([0.5] * 3, [0.5] * 3),
        ]
        self.transform = transforms.Compose(steps)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: int) -> Tensor:
        with Image.open(self.paths[row]) as image:
            pixels: Tensor = self.transform(image.convert("RGB"))
        return pixels


@torch.inference_mode()
def loop(catalog: Jpegs, network: nn.Module, size: int, workers: int) -> Tensor:
    """Embed the pictures in the plain way: float32 [N, D]."""
    loader = DataLoader(Files(catalog, size), batch_size=EMBED_BATCH, num_workers=workers)
    return torch.cat([network(images) for images in loader])
