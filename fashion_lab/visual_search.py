"""What looks like this picture: a gallery, the encoder it was made with, and an index over its vectors.

    from fashion_lab.visual_search import VisualSearch

    search = VisualSearch.load("outputs/index/clothing-validation")
    for hit in search.search("photo.jpg", k=5):
        print(hit.rank, hit.class_name, hit.distance, hit.path)

Q queries, N items, D embedding, S side in pixels.
"""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fashion_lab import encoders
from fashion_lab.contracts.encoder import Encoder
from fashion_lab.contracts.index import Index
from fashion_lab.gallery import Gallery, Item
from fashion_lab.indexes.exact import ExactIndex
from fashion_lab.pictures import open_picture

Picture: TypeAlias = str | Path | Image.Image


@dataclass(frozen=True, kw_only=True)
class Hit(Item):
    """An item that was found.

    Attributes:
        rank: 1 is the nearest.
        distance: Euclidean, between embeddings; 0 is the same picture, smaller is more alike.
        position: its row in the gallery.
    """

    rank: int
    distance: float
    position: int


class VisualSearch:
    """Finds the items of a gallery that look like a picture.

    Raises ValueError where the encoder is not the one that the gallery was made with.
    """

    def __init__(self, gallery: Gallery, encoder: Encoder, index: Index | None = None) -> None:
        made_with = gallery.source.fingerprint
        if encoder.fingerprint != made_with:
            raise ValueError(
                f"the index was made by the encoder {made_with[:16]} ({gallery.source.run}), this one is "
                f"{encoder.fingerprint[:16]}: their distances mean nothing to each other; give ckpt= the run "
                "that made the index, or make the index again with this one"
            )
        self.gallery, self.encoder = gallery, encoder
        self.index = ExactIndex() if index is None else index
        self.index.build(gallery.vectors_ND)
        self._positions = {item.id: position for position, item in enumerate(gallery.items)}

    @classmethod
    def load(
        cls,
        folder: str | Path,
        ckpt: str | Path | None = None,
        *,
        index: Index | None = None,
        runtime: str = encoders.AUTO,
        trusted: Sequence[str] = (),
    ) -> Self:
        """Open an index folder, with the encoder of the run or bundle that it names.

        Args:
            folder: what `python -m fashion_lab.index` wrote.
            ckpt: where that run or checkpoint is now, if it has moved; or its bundle.
            index: an empty engine; exact where None.
            runtime: `torch`, `onnx` or `auto`, as for `encoders.load`.
            trusted: packages outside this project whose classes the run's config may name.

        Raises:
            ValueError: no index, a damaged one, no such run, or another encoder.
        """
        gallery = Gallery.load(folder)
        run = Path(gallery.source.run if ckpt is None else ckpt)
        if not run.exists():
            where = f"the run {run} that made the index {folder}" if ckpt is None else f"ckpt={run}"
            raise ValueError(f"{where} does not exist: say with ckpt= where it is, or make the index again")
        return cls(gallery, encoders.load(run, runtime=runtime, trusted=trusted), index)

    def search(self, picture: Picture, k: int = 5) -> list[Hit]:
        """Find the k items nearest to a picture (all items where there are fewer), nearest first.

        Raises:
            PictureError: the picture cannot be read.
            ValueError: k < 1.
        """
        return self.search_all([picture], k)[0]

    def search_all(self, pictures: Iterable[Picture], k: int = 5) -> list[list[Hit]]:
        """Find the k items nearest to each of several pictures, embedded together."""
        return self.nearest(self.encode([self.prepare(picture) for picture in pictures]), k)

    def more_like(self, item_id: str, k: int = 5) -> list[Hit]:
        """Find the k items nearest to one of the gallery, itself left out.

        Raises:
            ValueError: no such item, or k < 1.
        """
        own = self.position(item_id)
        found = self.nearest(self.gallery.vectors_ND[[own]], k + 1 if k > 0 else k)[0]
        others = [hit for hit in found if hit.position != own][:k]
        return [replace(hit, rank=rank) for rank, hit in enumerate(others, 1)]

    def prepare(self, picture: Picture) -> NDArray[np.uint8]:
        """Decode a picture as in training: uint8 [3, S, S]. A PIL image stays as it is."""
        image = picture.copy() if isinstance(picture, Image.Image) else open_picture(Path(picture))
        return self.encoder.pixels.pixels(image)

    def encode(self, pixels: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Embed prepared pictures: float32 [Q, D]."""
        if not pixels:
            return np.zeros((0, self.gallery.vectors_ND.shape[1]), dtype=np.float32)
        return self.encoder.embed(np.stack(pixels))

    def nearest(self, vectors_QD: NDArray[np.float32], k: int) -> list[list[Hit]]:
        """Find the k nearest items of each vector."""
        found = self.index.search(vectors_QD, k)
        return [
            [self._hit(*one) for one in enumerate(zip(positions, distances, strict=True), 1)]
            for positions, distances in zip(found.positions.tolist(), found.distances.tolist(), strict=True)
        ]

    def position(self, item_id: str) -> int:
        """Find an item's row. Raises ValueError with the nearest ids where there is none."""
        if item_id not in self._positions:
            close = (
                difflib.get_close_matches(item_id, list(self._positions), n=3) or list(self._positions)[:3]
            )
            raise ValueError(
                f"no item {item_id!r} among {len(self.gallery)} in the index; there is {', '.join(close)}"
            )
        return self._positions[item_id]

    def _hit(self, rank: int, found: tuple[int, float]) -> Hit:
        position, distance = found
        return Hit(**_values(self.gallery.items[position]), rank=rank, distance=distance, position=position)


def _values(item: Item) -> dict[str, Any]:
    return {field.name: getattr(item, field.name) for field in fields(item)}
