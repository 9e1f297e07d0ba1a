"""The table of extras is that of pyproject.toml; what is missing is one line, for every verb."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from fashion_lab import extras

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def names(requirements):
    """Distributions, without versions; those of this project are other extras."""
    found = {re.split(r"[\[<>=!~; ]", line)[0].lower().replace("_", "-") for line in requirements}
    return found - {"fashion-lab"}


def test_every_requirement_of_an_extra_is_in_the_table():
    brings = {module: {name.lower() for name in given} for module, given in packages_distributions().items()}
    for extra, requirements in PROJECT["optional-dependencies"].items():
        modules = extras.MODULES[extra]
        brought = {name.replace("_", "-") for module in modules for name in brings.get(module, ())}
        missing = names(requirements) - brought
        installed = {name for given in brings.values() for name in given}
        assert not missing & installed, extra
    assert extras.MODULES.keys() == PROJECT["optional-dependencies"].keys()


def test_a_module_is_found_without_importing_it(monkeypatch):
    assert extras.is_installed("json")
    assert not extras.is_installed("no_such_module")
    monkeypatch.setitem(sys.modules, "json", None)
    assert not extras.is_installed("json")


def test_a_missing_module_is_told_with_its_extra():
    with pytest.raises(extras.MissingExtraError) as caught:
        extras.require(["json", "no_such_module"], "runtime=onnx", "onnx", "take runtime=torch")
    assert str(caught.value) == (
        "runtime=onnx needs no_such_module of the extra onnx: pip install 'fashion_lab[onnx]', or take "
        "runtime=torch"
    )
    extras.require(["json"], "x", "onnx")


def test_only_missing_modules_of_an_extra_are_told():
    torch = ModuleNotFoundError("No module named 'torch'", name="torch")
    assert extras.told(torch, "fashion_lab.train") == (
        "fashion_lab.train needs torch of the extra train: pip install 'fashion_lab[train]'"
    )
    wrapped = RuntimeError("no")
    wrapped.__cause__ = torch
    assert "extra train" in extras.told(wrapped, "x")
    for other in (
        ModuleNotFoundError("No module named 'mine'", name="mine"),
        ModuleNotFoundError("No module named 'torch.gone'", name="torch.gone"),
        ImportError("cannot import name 'gone' from 'torch'", name="torch"),
        ValueError("torch"),
        None,
    ):
        assert extras.told(other, "x") is None


RUN = "import sys, runpy\nfor name in {absent}: sys.modules[name] = None\n" + (
    "sys.argv = [{verb!r}, *{words}]\nrunpy.run_module('fashion_lab.{verb}', run_name='__main__')"
)
CASES = [
    ("train", [], ["torch"], "train"),
    ("train", [], ["pytorch_lightning"], "train"),
    ("report", ["runs=[.]"], ["scipy"], None),
    ("bench", ["parts=[decode]"], ["torch"], "train"),
    ("export", ["ckpt=a.ckpt"], ["torch"], "export"),
    ("export", ["ckpt=a.ckpt"], ["onnx"], "export"),
    ("export", ["ckpt=a.ckpt"], ["onnxruntime"], "export"),
    ("audit", [], ["imagehash"], "audit"),
    ("audit", [], ["cleanlab"], "audit"),
    ("index", ["ckpt=a.ckpt"], ["torch"], "train"),
    ("index", ["ckpt=a.ckpt", "runtime=onnx"], ["onnxscript"], "export"),
]


@pytest.mark.parametrize(("verb", "words", "absent", "extra"), CASES, ids=str)
def test_every_verb_names_the_extra_that_it_lacks(verb, words, absent, extra, tmp_path):
    (tmp_path / "a.ckpt").write_bytes(b"not read")
    code = RUN.format(verb=verb, words=words, absent=absent)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("error: ")
    if extra is not None:
        assert f"{absent[0]} of the extra {extra}: pip install 'fashion_lab[{extra}]'" in line
