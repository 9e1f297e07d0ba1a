"""What looks like this picture: a gallery, the encoder it was made with, and an index over its vectors.

    from fashion_lab.visual_search import VisualSearch

    search = VisualSearch.load("outputs/index/clothing-validation")
    for hit in search.search("photo.jpg", k=5, where={"class": "skirt"}):
        print(hit.rank, hit.class_name, hit.distance, hit.similarity, hit.path)

Q queries, N items, D embedding, S side in pixels.
"""

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fashion_lab import encoders
from fashion_lab.calibration import Calibration
from fashion_lab.contracts.encoder import Encoder
from fashion_lab.contracts.index import Index
from fashion_lab.filters import Where
from fashion_lab.galleries import Gallery
from fashion_lab.galleries.recorded import remade
from fashion_lab.hits import Hit, filters_of
from fashion_lab.pictures import open_picture
from fashion_lab.ranking import Ask, Found, Ranking

__all__ = ["Encoder", "Hit", "Picture", "VisualSearch"]

Picture: TypeAlias = str | Path | Image.Image


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
        self.index = remade(gallery.engine) if index is None else index
        folder = gallery.engine_folder or gallery.folder
        if folder is None:
            self.index.build(gallery.vectors_ND, gallery.keys_N)
        else:
            self.index.load(folder, gallery.vectors_ND, gallery.keys_N)
        known = encoder.calibration or gallery.calibration
        self.calibration = None if known is None else Calibration.from_record(dict(known))
        self.filters = filters_of(gallery.items)
        self._ranking = Ranking(gallery, self.index)
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
            index: an empty engine; None takes the one that the index was made with, and measured.
            runtime: `torch`, `onnx` or `auto`, as for `encoders.load`.
            trusted: packages outside this project whose classes the run's config and the index may name.

        Raises:
            ValueError: no index, a damaged one, no such run, another encoder, or an engine at an address.
        """
        gallery = Gallery.load(folder)
        index = remade(gallery.engine, trusted) if index is None else index
        named = gallery.source.run
        run = encoders.found_again(named, Path(folder)) if ckpt is None else Path(ckpt)
        if run is None or not run.exists():
            where = f"the run {named} that made the index {folder}" if ckpt is None else f"ckpt={run}"
            raise ValueError(f"{where} does not exist: say with ckpt= where it is, or make the index again")
        return cls(gallery, encoders.load(run, runtime=runtime, trusted=trusted), index)

    def search(
        self, picture: Picture, k: int = 5, *, where: Where | None = None, fold: bool = True, expand: int = 0
    ) -> list[Hit]:
        """Find the k items nearest to a picture, nearest first; fewer only where there are no more.

        Args:
            picture: a file or an opened picture.
            k: number of hits.
            where: conditions that hits meet, as `fashion_lab.filters` writes them.
            fold: show near-duplicates as one hit.
            expand: average the query with so many of its nearest items and order by that: finds more of what
                is alike (experiments/search/reranking.md). Distances stay those to the picture.

        Raises:
            PictureError: the picture cannot be read.
            ValueError: k < 1, or a condition that no item can meet.
        """
        return self.search_all([picture], k, where=where, fold=fold, expand=expand)[0]

    def search_all(
        self,
        pictures: Iterable[Picture],
        k: int = 5,
        *,
        where: Where | None = None,
        fold: bool = True,
        expand: int = 0,
    ) -> list[list[Hit]]:
        """Find the k items nearest to each of several pictures, embedded together."""
        vectors_QD = self.encode([self.prepare(picture) for picture in pictures])
        return self.nearest(vectors_QD, k, where=where, fold=fold, expand=expand)

    def more_like(
        self, item_id: str, k: int = 5, *, where: Where | None = None, fold: bool = True, expand: int = 0
    ) -> list[Hit]:
        """Find the k items nearest to one of the gallery, itself left out.

        Raises:
            ValueError: no such item, k < 1, or a condition that no item can meet.
        """
        own = self.position(item_id)
        return self._find(self.gallery.vectors_ND[[own]], k, where, fold, expand, own)[0]

    def nearest(
        self,
        vectors_QD: NDArray[np.float32],
        k: int,
        *,
        where: Where | None = None,
        fold: bool = True,
        expand: int = 0,
    ) -> list[list[Hit]]:
        """Find the k nearest items of each vector."""
        return self._find(vectors_QD, k, where, fold, expand)

    def prepare(self, picture: Picture) -> NDArray[np.uint8]:
        """Decode a picture as in training: uint8 [3, S, S]. A PIL image stays as it is."""
        image = picture.copy() if isinstance(picture, Image.Image) else open_picture(Path(picture))
        return self.encoder.pixels.pixels(image)

    def encode(self, pixels: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Embed prepared pictures: float32 [Q, D]."""
        if not pixels:
            return np.zeros((0, self.gallery.vectors_ND.shape[1]), dtype=np.float32)
        return self.encoder.embed(np.stack(pixels))

    def classify(self, pixels: Sequence[NDArray[np.uint8]]) -> list[list[tuple[str, float]]] | None:
        """Give each prepared picture's classes with probabilities, likeliest first; None without a head."""
        if not self.encoder.has_head:
            return None
        chances = self.encoder.classify(np.stack(pixels)).tolist() if pixels else []
        return [
            sorted(zip(self.encoder.classes, row, strict=True), key=lambda one: -one[1]) for row in chances
        ]

    def is_strange(self, hits: Sequence[Hit], where: Where | None = None) -> bool | None:
        """Say whether even the nearest of a query's hits is too far off to be like it; None: nobody knows.

        Give the conditions that the hits were searched with: then it is about what meets them.
        """
        if self.calibration is None or not hits:
            return None
        items = len(self.filters.rows(where)) if where else len(self.gallery)
        nearest = min(hit.distance for hit in hits)  # an expanded query's hits have another order
        return self.calibration.is_strange(nearest, items)

    def __contains__(self, item_id: object) -> bool:
        return item_id in self._positions

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

    def _find(
        self,
        vectors_QD: NDArray[np.float32],
        k: int,
        where: Where | None,
        fold: bool,
        expand: int,
        own: int | None = None,
    ) -> list[list[Hit]]:
        keys_M = self.gallery.keys_N[self.filters.rows(where)] if where else None
        found = self._ranking.find(vectors_QD, Ask(k, keys_M, own, fold, expand))
        return [[self._hit(rank, one) for rank, one in enumerate(answer, 1)] for answer in found]

    def _hit(self, rank: int, found: Found) -> Hit:
        items, means = self.gallery.items, self.calibration
        return Hit.of(
            items[found.position],
            rank=rank,
            distance=found.distance,
            similarity=None if means is None else means.similarity(found.distance),
            position=found.position,
            folded=tuple(items[row].id for row in found.folded),
        )
