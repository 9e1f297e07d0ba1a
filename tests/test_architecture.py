"""Who may import whom: walks the imports of every file, those inside functions too."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "fashion_lab"
FILES = sorted(PACKAGE.rglob("*.py"))

VERBS = {"train", "evaluate", "index", "search", "report", "bench", "export", "serve", "audit"}
LAYERS = [
    {
        "allocator",
        "contracts",
        "pictures",
        "upright",
        "folders",
        "digest",
        "problems",
        "odds",
        "nearness",
        "extras",
        "run_files",
    },
    {"filters", "calibration", "pipes", "leaks"},
    {"backbones", "catalogs", "indexes", "metrics", "losses", "cards"},
    {"networks", "sheet", "figures"},
    {"data"},
    {"modules"},
    {"schema", "targets", "jobs", "commandline", "config", "results", "outcomes", "studies", "sweeps"},
    {"checkpoint"},
    {"encoders", "bundles"},
    {"callbacks", "galleries", "evaluation", "check", "resume", "summary"},
    {"folding", "hits", "calibrating", "comparison"},
    {"ranking"},
    {"visual_search"},
    {"teachers"},
    {"assembly", "device"},
    {"pretrained", "stage_1"},
    {"record_outcomes", "evaluations"},
    {"audits"},
    {"training", "evaluating", "auditing", "indexing", "searching", "web"},
    {"sweeping"},
    {"answer_sheet"},
    {"benchmarks"},
    VERBS,
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
APART = [{"backbones", "catalogs", "indexes", "metrics", "losses"}, {"data", "modules"}]
LIGHTNING = {"modules", "data", "callbacks", "training", "device", "benchmarks"}
HYDRA = {
    "config",
    "schema",
    "targets",
    "problems",
    "jobs",
    "check",
    "resume",
    "training",
    "assembly",
    "device",
    "indexing",
    "searching",
    "studies",
    "sweeps",
    "sweeping",
    "benchmarks",
} | VERBS
WITHOUT_TRAINING = {"visual_search", "searching", "search", "indexing", "index", "web", "serve"}


def part(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the layer"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_imports(path: Path) -> set[str]:
    names = {name.split(".")[1] for name in imports(path) if name.startswith("fashion_lab.")}
    return {name for name in names if (PACKAGE / name).exists() or (PACKAGE / f"{name}.py").exists()}


def outside_imports(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports(path)} - {"fashion_lab"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path):
    here = part(path)
    if here == "__init__":
        assert not own_imports(path)
        return
    assert here in LEVEL, f"{here} has no layer yet: say in LAYERS where it belongs"
    for name in own_imports(path) - {here}:
        assert LEVEL[name] <= LEVEL[here], f"{here} imports {name}, which is above it"
        assert name not in VERBS, f"{here} imports the verb {name}"
        assert not any({here, name} <= family for family in APART), f"{here} and {name} must not meet"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_frameworks_stay_in_their_rooms(path):
    here, outside = part(path), outside_imports(path)
    assert "lightning" not in outside, "pytorch_lightning and lightning are two class trees: only the first"
    if here not in LIGHTNING:
        assert "pytorch_lightning" not in outside
    if here not in HYDRA:
        assert not outside & {"hydra", "omegaconf"}


def test_search_needs_no_training_code():
    reached, todo = set(), set(WITHOUT_TRAINING)
    while todo:
        name = todo.pop()
        reached.add(name)
        files = [path for path in FILES if part(path) == name]
        todo |= {found for path in files for found in own_imports(path)} - reached
    assert not reached & {"modules", "callbacks", "training"}
    for path in FILES:
        if part(path) in reached - {"data"}:
            assert "pytorch_lightning" not in outside_imports(path), path


def test_the_walk_sees_something():
    assert len(FILES) > 20
    assert "contracts" in own_imports(PACKAGE / "networks.py")
    assert "torch" in outside_imports(PACKAGE / "networks.py")
