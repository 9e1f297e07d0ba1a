"""Fashion-MNIST: 70,000 grey pictures of 28 x 28 pixels, ten classes (Xiao et al. 2017, arXiv 1708.07747)."""

import hashlib
from pathlib import Path
from typing import NamedTuple
from urllib.error import URLError

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fashion_lab.catalogs.download import DownloadError, sha256_of
from fashion_lab.catalogs.files import find_data, ways_on
from fashion_lab.catalogs.splits import carve
from fashion_lab.contracts.catalog import Catalog, Ints
from fashion_lab.folders import cache_folder, locked, whole

FOLDER = "FashionMNIST"  # torchvision's name for it
CLASSES = (
    "t-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
# torchvision fetches over plain http and checks md5: these are checked on top.
PINS = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}


class FashionMnistCatalog(Catalog):
    """Its test set is `test`; `validation` pictures of its training set are held back, class by class.

    Nobody knows who took what or which garment it is: `groups` and `products` are None.

    Args:
        root: folder that holds `FashionMNIST/raw/`; None: `$FASHION_LAB_DATA`, or the cache.
        validation: pictures held back from training.
        limit: at most so many pictures a split, the same share of every class; None: all.
        seed: of both.
        download: whether it may be fetched.
        name: for tables and folders.
    """

    classes = CLASSES

    def __init__(
        self,
        *,
        root: str | Path | None = None,
        validation: int = 5000,
        limit: int | None = None,
        seed: int = 0,
        download: bool = True,
        name: str = "fashion_mnist",
    ) -> None:
        if limit is not None and limit < 2 * len(CLASSES):
            raise ValueError(
                f"data.limit={limit}: give {2 * len(CLASSES)} or more, two of each class, or null"
            )
        if seed < 0:
            raise ValueError(f"data.seed={seed}: give 0 or more")
        self.name = name
        parts = _divided(_locate(root, download=download), validation, limit, seed)
        self._pixels = np.concatenate([part.pixels for part in parts.values()])
        self.labels = np.concatenate([part.labels for part in parts.values()])
        self._items = [item for part in parts.values() for item in part.items]
        ends = np.cumsum([len(part.labels) for part in parts.values()])
        self.splits = dict(zip(parts, np.split(np.arange(ends[-1]), ends[:-1]), strict=True))

    def open(self, position: int) -> Image.Image:
        """Unpack one picture: grey, 28 x 28."""
        return Image.fromarray(self._pixels[position])

    def item(self, position: int) -> str:
        """Name a picture by its file and its row there."""
        return self._items[position]

    def stamp(self, position: int) -> str:
        """Hash the pixels: there are few of them."""
        return hashlib.sha256(self._pixels[position].tobytes()).hexdigest()[:16]


class _Part(NamedTuple):
    """A split, or a file of the data set: pixels [n, 28, 28], labels [n], and a name for each picture."""

    pixels: NDArray[np.uint8]
    labels: Ints
    items: list[str]

    def take(self, rows: Ints) -> "_Part":
        return _Part(self.pixels[rows], self.labels[rows], [self.items[row] for row in rows])


def _divided(folder: Path, validation: int, limit: int | None, seed: int) -> dict[str, _Part]:
    """Read the data set and give its three splits, each cut down to `limit`."""
    both, test = _read(folder, train=True), _read(folder, train=False)
    if not 1 <= validation < len(both.labels):
        raise ValueError(f"data.validation={validation}: give 1 .. {len(both.labels) - 1} pictures")
    train, held_back = carve(both.labels, share=validation / len(both.labels), seed=seed)
    parts = {"train": both.take(train), "validation": both.take(held_back), "test": test}
    return {split: _limited(part, limit, seed) for split, part in parts.items()}


def _limited(part: _Part, limit: int | None, seed: int) -> _Part:
    if limit is None or limit >= len(part.labels):
        return part
    return part.take(carve(part.labels, share=limit / len(part.labels), seed=seed)[1])


def _read(folder: Path, *, train: bool) -> _Part:
    """Read one of the two files."""
    from torchvision.datasets import FashionMNIST

    try:
        data = FashionMNIST(folder.parent, train=train)
        pixels, labels = data.data.numpy(), data.targets.numpy().astype(np.int64)
    except (RuntimeError, ValueError, AssertionError, IndexError, TypeError, OSError) as error:
        raise ValueError(f"{folder}/raw cannot be read ({error}): remove {folder} and start again") from error
    if pixels.shape[1:] != (28, 28) or len(pixels) != len(labels):
        raise ValueError(
            f"{folder}/raw has pictures {pixels.shape} and {len(labels)} labels: remove {folder}"
        )
    prefix = "train" if train else "test"
    return _Part(pixels, labels, [f"{prefix}/{row:05d}" for row in range(len(labels))])


def _locate(root: str | Path | None, *, download: bool) -> Path:
    """Find the data set, or fetch it into the cache, whole or not at all."""
    found = find_data(FOLDER, root)
    if found is not None:
        return found
    target = cache_folder() / "fashion_mnist"
    if not target.is_dir():
        if not download:
            raise ValueError(f"{FOLDER} is not on this machine and data.download=false. {ways_on(FOLDER)}")
        with locked(target):
            if not target.is_dir():
                with whole(target) as folder:
                    _fetch(folder)
    return target / FOLDER


def _fetch(folder: Path) -> None:
    from torchvision.datasets import FashionMNIST

    try:
        FashionMNIST(folder, download=True)
    except (RuntimeError, URLError, ConnectionError, TimeoutError) as error:
        raise DownloadError(f"cannot fetch {FOLDER}: {error}. {ways_on(FOLDER)}") from error
    for name, pin in PINS.items():
        found = sha256_of(folder / FOLDER / "raw" / name)
        if found != pin:
            raise DownloadError(f"{name} of {FOLDER} has sha256 {found}, not {pin}: nothing was kept")
