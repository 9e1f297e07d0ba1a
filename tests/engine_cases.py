"""Which engines the contract is tried with: every YAML in conf/engine, in the forms that change its ways."""

import importlib
import os
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from fashion_lab.contracts.index import Index

YAMLS = {path.stem: path for path in (Path(__file__).parents[1] / "conf" / "engine").glob("*.yaml")}
LISTS = {"smallest": 256}  # so that small galleries have lists
FILE, SERVER, CLUSTER = "a file", "a server on loopback", "a cluster"
FORMS = {
    "auto": {"small": {}, "large": {"most": 0, "faiss": LISTS}},
    "faiss": {"few": {}, "flat": {"kind": "flat", **LISTS}, "pq": {"kind": "pq", **LISTS}},
    "milvus": {
        "file": {"uri": FILE},
        "server": {"uri": SERVER},
        "hnsw": {"uri": SERVER, "index_type": "HNSW", "index_params": {"M": 16, "efConstruction": 100}},
        "cluster": {"uri": CLUSTER},
    },
}  # an engine that is not here is tried as its YAML has it
NEEDS = {"faiss": "faiss", "milvus": "pymilvus"}
CLUSTER_URI, CLUSTER_TOKEN = "FASHION_LAB_MILVUS_URI", "FASHION_LAB_MILVUS_TOKEN"


def cases():
    """Give the engine's name and options of each form."""
    for stem in sorted(YAMLS):
        for form, options in FORMS.get(stem, {"": {}}).items():
            marks = []
            if options.get("uri") == CLUSTER:
                missing = CLUSTER_URI not in os.environ
                why = f"set {CLUSTER_URI} to the address of a Milvus cluster to run this"
                marks = [pytest.mark.milvus_cluster, pytest.mark.skipif(missing, reason=why)]
            yield pytest.param((stem, options), id=f"{stem}-{form}".rstrip("-"), marks=marks)


def build(stem: str, options: dict) -> Index:
    """Build what a YAML says, with these options."""
    options = {**OmegaConf.to_container(OmegaConf.load(YAMLS[stem])), **options}
    module, name = options.pop("_target_").rsplit(".", 1)
    return getattr(importlib.import_module(module), name)(**options)
