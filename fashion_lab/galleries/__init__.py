"""Galleries: embedded items that a query is compared with, and the index folders that they live in.

    <folder>/manifest.json      written last, in one step: names what is in force, vouches for each file
    <folder>/shard-<12 hex>/    vectors.safetensors, items.jsonl, pictures.npy, shard.json; never changed
    <folder>/engine-<12 hex>/   what the engine keeps beside the vectors, if it keeps anything
    <folder>/plan.json          while something is embedded: when it was begun, so that it can be continued

N items, D embedding, S side in pixels.
"""

from fashion_lab.galleries.gallery import Gallery
from fashion_lab.galleries.item import Item, Source
from fashion_lab.galleries.manifest import IndexFolderError, state

__all__ = ["Gallery", "IndexFolderError", "Item", "Source", "state"]
