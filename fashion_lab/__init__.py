"""From a folder of product photos to a classifier, an embedding and a visual search."""

__version__ = "0.1.0"
