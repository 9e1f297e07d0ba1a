"""Configs of runs: the quick reader reads what Hydra's reads."""

import pytest
from omegaconf import OmegaConf

from fashion_lab.config import CONF
from fashion_lab.studies import reading
from fashion_lab.studies.reading import read_config, read_yaml

VALUES = """
numbers: [1, -1, 0.5, 1.0, 1e-3, 1E5, -2.5e+3, 1.e2, .5, 007, 0x10, 1_000, .inf, -.inf]
words: [yes, off, true, null, ~, '1e-3', "a: b", 2026-01-01, 12:30:00, 1-2, e5, 1e, --1, ünï]
nested: {a: {b: [1, {c: ~}]}, empty: {}, list: []}
long: >-
  two
  lines
"""


@pytest.mark.parametrize("text", ["", "# nothing\n", VALUES, "a: ${b}\nb: 1\n", "a:\n  b: |\n    x\n"])
def test_quick_is_the_same(text, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    assert read_yaml(path) == OmegaConf.to_container(OmegaConf.load(path))


@pytest.mark.parametrize("path", sorted(CONF.rglob("*.yaml")), ids=lambda path: path.stem)
def test_quick_is_the_same_for_every_config(path):
    assert read_yaml(path) == OmegaConf.to_container(OmegaConf.load(path))


def test_without_libyaml_it_is_hydras(tmp_path, monkeypatch):
    path = tmp_path / "config.yaml"
    path.write_text("a: {b: 1e-3}\n")
    quick = read_config(path)
    monkeypatch.setattr(reading, "_quick_loader", lambda: None)
    assert read_config(path) == quick == {"a.b": 0.001}
    assert read_config(tmp_path / "nowhere.yaml") == {}


def test_no_objects_are_made(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("a: !!python/object/apply:os.system [true]\n")
    with pytest.raises(Exception, match="could not determine a constructor"):
        read_config(path)
