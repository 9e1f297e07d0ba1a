"""What stage 2 takes for similar: pictures of one class, or of one product."""

from typing import NamedTuple

import numpy as np

from fashion_lab.contracts.catalog import Catalog, Ints

CLASS, PRODUCT = "class", "product"


class Similarity(NamedTuple):
    """What is learnt: names, and the name's number of each picture [N], -1 for products of other splits."""

    labels: Ints
    names: tuple[str, ...]


def similarity(catalog: Catalog, similar_by: str, train: Ints) -> Similarity:
    """Number what training pictures have to share to be similar.

    Args:
        catalog: N pictures.
        similar_by: `class` or `product`.
        train: positions of the training pictures.

    Raises:
        ValueError: another word, or the catalog knows no products.
    """
    if similar_by == CLASS:
        return Similarity(catalog.labels, catalog.classes)
    if similar_by != PRODUCT:
        raise ValueError(f"similar_by is {similar_by!r}; allowed are {CLASS} and {PRODUCT}")
    if catalog.products is None:
        raise ValueError(
            f"similar_by={PRODUCT}, but catalog {catalog.name!r} does not know which product "
            f"is on a picture; take similar_by={CLASS}, or a catalog with `products`"
        )
    labels = np.full(len(catalog), -1, dtype=np.int64)
    products, labels[train] = np.unique(catalog.products[train], return_inverse=True)
    return Similarity(labels, tuple(f"product {number}" for number in products.tolist()))
