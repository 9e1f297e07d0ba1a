"""How copies and innocent pairs differ by hash and by pixels: `python experiments/audit/duplicates.py`.

Every pair of data=clothing10 and of its left-out picture is compared by pixels, with no hash before it; then
copies of a sample of pictures are made in six ways and looked for.
"""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from fashion_lab.audits.duplicates import NEARLY_THE_SAME, close_pairs, perceptual_hash, prints
from fashion_lab.audits.material import SMALL, read_pictures
from fashion_lab.catalogs.clothing import ClothingCatalog
from fashion_lab.catalogs.folder import FolderCatalog

HASHES = (4, 6, 8, 10, 12, 14)
SAMPLE = 500


def saved(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(io.BytesIO(file.getvalue()))


def cut(image: Image.Image, share: float) -> Image.Image:
    width, height = image.size
    return image.crop((width * share, height * share, width * (1 - share), height * (1 - share)))


COPIES = {
    "quality 60": lambda image: saved(image, 60),
    "quality 20": lambda image: saved(image, 20),
    "half the size": lambda image: saved(image.resize((image.width // 2, image.height // 2)), 85),
    "1% cut off each side": lambda image: saved(cut(image, 0.01), 85),
    "3% cut off each side": lambda image: saved(cut(image, 0.03), 85),
    "10% brighter": lambda image: saved(Image.eval(image, lambda value: min(255, round(1.1 * value))), 85),
}


def row(*cells) -> None:
    print("|", " | ".join(map(str, cells)), "|")


def innocent_pairs(pictures) -> None:
    """All pairs: what each hash distance proposes, and what pixels say about all of them."""
    prints_NP = prints(pictures.small_N3SS)
    hashes_NB = np.array([perceptual_hash(small) for small in pictures.small_N3SS])
    row("pairs", "proposed", "nearly the same pixels")
    row("---", "---:", "---:")
    for most in HASHES:
        apart = [
            np.abs(prints_NP[one] - prints_NP[other]).mean(axis=1)
            for one, other in close_pairs(hashes_NB, most)
        ]
        found = np.concatenate(apart)
        row(f"hash, {most} bits or less", f"{len(found):,}", int((found <= NEARLY_THE_SAME).sum()))
    alike, closest = 0, []
    for at in range(len(prints_NP) - 1):
        apart = np.abs(prints_NP[at + 1 :] - prints_NP[at]).mean(axis=1)
        alike += int((apart <= NEARLY_THE_SAME).sum())
        closest.append(apart[apart > NEARLY_THE_SAME].min(initial=255))
    count = len(prints_NP)
    row("all, without a hash", f"{count * (count - 1) // 2:,}", alike)
    print(f"\nThe two most alike of all others differ by {min(closest):.1f} of 255.\n")


def copies(catalog, positions) -> None:
    """Copies of a sample: how many bits and how much of 255 they are apart, and how many are found."""
    row(
        "copy",
        "bits: median",
        "95%",
        "most",
        "pixels: median",
        "95%",
        *(f"found, {most} bits" for most in HASHES),
    )
    row("---", *["---:"] * (5 + len(HASHES)))
    images = []
    for position in positions:
        with catalog.open(position) as image:
            images.append(image.convert("RGB"))
    small = np.stack([SMALL.pixels(saved(image, 95)) for image in images])
    hashes, prints_NP = [perceptual_hash(one) for one in small], prints(small)
    for name, copied in COPIES.items():
        others = np.stack([SMALL.pixels(copied(image)) for image in images])
        bits = np.array([(perceptual_hash(o) != h).sum() for o, h in zip(others, hashes, strict=True)])
        apart = np.abs(prints(others) - prints_NP).mean(axis=1)
        found = [f"{((bits <= most) & (apart <= NEARLY_THE_SAME)).mean():.1%}" for most in HASHES]
        quantiles = [f"{np.median(apart):.1f}", f"{np.quantile(apart, 0.95):.1f}"]
        row(name, int(np.median(bits)), int(np.quantile(bits, 0.95)), bits.max(), *quantiles, *found)


if __name__ == "__main__":
    known = ClothingCatalog()
    whole = FolderCatalog(root=Path(known.root))  # with the picture that data=clothing10 leaves out
    innocent_pairs(read_pictures(whole))
    copies(known, np.random.default_rng(0).choice(len(known), SAMPLE, replace=False))
