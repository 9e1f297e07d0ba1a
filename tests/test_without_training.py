"""Searching needs no training, neither its packages nor its configs, and installs what it needs."""

import ast
import json
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from fashion_lab.catalogs.synthetic import SyntheticCatalog

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "fashion_lab"
TRAINING = (
    "pytorch_lightning",
    "lightning",
    "torchmetrics",
    "pytorch_metric_learning",
    "torchvision",
    "tensorboard",
    "matplotlib",
    "scipy",
    "onnx",
    "onnxscript",
)
CONFIGS = ("index.yaml", "search.yaml", "serve.yaml", "engine", "data")  # what a search may read

# Modules that a search does without unless runtime=torch, the extra export or an engine asks for them.
DOORS = {
    "fashion_lab.bundles.golden",
    "fashion_lab.bundles.writing",
    "fashion_lab.encoders.bundled",
    "fashion_lab.encoders.runs",
    "fashion_lab.indexes.faiss",
    "fashion_lab.indexes.milvus",
}
SEARCHING = {"fashion_lab.index", "fashion_lab.search", "fashion_lab.serve", "fashion_lab.visual_search"}
SEARCHING |= {
    "fashion_lab.encoders.onnx_encoder",
    "fashion_lab.catalogs.synthetic",
    "fashion_lab.indexes.exact",
}

HOOK = """
import sys
import importlib.metadata

class Absent:
    names = frozenset({absent!r})

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

def version(name, known=importlib.metadata.version):
    if name.replace("-", "_") in Absent.names:
        raise importlib.metadata.PackageNotFoundError(name)
    return known(name)

sys.meta_path.insert(0, Absent())
importlib.metadata.version = version
"""
VERB = (
    "import runpy; sys.argv = {words!r}; runpy.run_module('fashion_lab.' + sys.argv[0], run_name='__main__')"
)
DATA = ["data=synthetic", "data.products=21", "data.views=2", "data.size=64"]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The package with the configs of searching alone, as if the others did not exist."""
    site = tmp_path_factory.mktemp("site")
    shutil.copytree(PACKAGE, site / "fashion_lab", ignore=shutil.ignore_patterns("__pycache__", "conf"))
    for name in CONFIGS:
        source, target = ROOT / "conf" / name, site / "fashion_lab" / "conf" / name
        if source.is_dir():
            shutil.copytree(source, target)
        elif source.exists():
            target.parent.mkdir(exist_ok=True)
            shutil.copy(source, target)
    return site


@pytest.fixture
def python(site, tmp_path, monkeypatch):
    """Runs code in a process of its own, where some modules are not installed."""
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.setenv("FASHION_LAB_CACHE", str(tmp_path / "cache"))
    SyntheticCatalog(products=21, views=2, size=64).open(20).save(tmp_path / "query.png")

    def python(code, *absent):
        command = [sys.executable, "-c", HOOK.format(absent=absent) + code]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return python


def verb(name, *words):
    return VERB.format(words=[name, *words])


@pytest.mark.parametrize(
    ("runtime", "absent"),
    [("onnx", (*TRAINING, "torch")), ("auto", (*TRAINING, "torch")), ("torch", (*TRAINING, "onnxruntime"))],
    ids=["onnx", "auto", "torch"],
)
def test_a_bundle_indexes_and_searches(python, toy_home, runtime, absent):
    words = [f"ckpt={toy_home / 'siamese-bundle'}", f"runtime={runtime}"]
    python(verb("index", "out=index", *DATA, *words), *absent)
    said = python(verb("search", "index=index", "image=query.png", "format=json", *words), *absent)
    (query,) = json.loads(said)["queries"]
    assert query["hits"][0]["distance"] == pytest.approx(0, abs=1e-5)
    from_python = f"""
from fashion_lab.visual_search import VisualSearch
search = VisualSearch.load("index", runtime={runtime!r})
hits = search.search("query.png", k=3)
shares = search.encoder.classify(search.prepare("query.png")[None])
print([hit.id for hit in hits], shares.shape)
"""
    ids = [hit["id"] for hit in query["hits"][:3]]
    assert python(from_python, *absent) == f"{ids} (1, 3)\n"


def test_a_run_is_searched_with_torch_alone(python, toy_home):
    words = [f"ckpt={toy_home / 'siamese'}"]
    python(verb("index", "out=index", *DATA, *words), *TRAINING, "onnxruntime")
    said = python(verb("search", "index=index", "image=query.png", "format=json"), *TRAINING, "onnxruntime")
    assert json.loads(said)["queries"][0]["hits"]


def test_the_hook_keeps_modules_away(python):
    code = "\ntry: import torch.nn\nexcept ModuleNotFoundError as error: print(error.name)"
    assert python(code, "torch") == "torch\n"
    assert python("import torch.nn", "scipy") == ""


def test_up_to_the_first_hit_little_is_imported(python, toy_home, tmp_path):
    """What takes time is importing: a search with onnxruntime takes a third of a second, torch alone four."""
    python(verb("index", "out=index", *DATA, f"ckpt={toy_home / 'siamese-bundle'}"), *TRAINING, "torch")
    code = """
from fashion_lab.visual_search import VisualSearch
assert VisualSearch.load("index").search("query.png")
import sys
print(*sorted({name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)))
"""
    imported = set(python(code).split())
    heavy = {"torch", "onnx", "hydra", "omegaconf", "rich", "scipy", "pandas", "sympy", "faiss", "pymilvus"}
    assert not imported & heavy
    assert {"numpy", "PIL", "onnxruntime", "safetensors", "fashion_lab"} <= imported


def file_of(module):
    path = ROOT / module.replace(".", "/")
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.exists()), None)


def imports(path):
    """Every module that a file may import, also inside functions; not for the type checker alone."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def reached(roots):
    """Own modules that the roots lead to without a door, and the packages of others that they import."""
    own, outside, todo = set(), set(), set(roots)
    while todo:
        module = todo.pop()
        file = file_of(module)
        if module in own or module in DOORS or file is None:
            continue
        own.add(module)
        found = set(imports(file))
        todo |= {name for name in found if name.partition(".")[0] == "fashion_lab"}
        outside |= {name.partition(".")[0] for name in found} - {"fashion_lab"}
    return own, outside - set(sys.stdlib_module_names)


def test_what_searching_imports_is_what_it_installs():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    required = [*project["dependencies"]]
    for extra in ("onnx", "web"):
        required += project["optional-dependencies"][extra]
    installed = {re.split(r"[\[<>=!~; ]", line)[0].lower().replace("_", "-") for line in required}
    web = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in PACKAGE.glob("web/**/*.py")}
    own, outside = reached(SEARCHING | web)
    assert {"fashion_lab.galleries", "fashion_lab.gallery"} & own, "the walk goes somewhere"
    distributions = packages_distributions()
    for module in outside:
        names = {name.lower().replace("_", "-") for name in distributions.get(module, [module])}
        assert names & installed, f"{module} is imported, and no dependency of searching brings it"
    base = {re.split(r"[<>=]", line)[0].lower() for line in project["dependencies"]}
    brought = {name.lower() for module in outside for name in distributions.get(module, [])}
    assert base <= brought, "every base dependency is one of searching"


def test_the_doors_hide_torch():
    assert "torch" in reached({"fashion_lab.networks"})[1]
    assert "torch" not in reached(SEARCHING)[1]
