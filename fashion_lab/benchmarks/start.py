"""How long commands take to start, each in a process of its own."""

import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from fashion_lab import extras
from fashion_lab.benchmarks.processes import PIXELS, ROOT, TRAIN, run
from fashion_lab.benchmarks.rows import Part, Row, Unavailable
from fashion_lab.benchmarks.step_clock import read_steps
from fashion_lab.benchmarks.timing import in_turns, medians, seconds
from fashion_lab.catalogs.synthetic import SyntheticCatalog

PYTHON = (sys.executable, "-c")
IMPORTS = "import torch, torchvision, pytorch_lightning"  # what a training cannot do without
IMPORTED = f"{IMPORTS}, sys, time; open(sys.argv[1], 'w').write(repr(time.time()))"
HIT_SECONDS = 1.5  # of a process, with onnxruntime: torch alone takes 4 to import
DEMO_SECONDS = 180  # on two cores, as README.md says


class Start(Part):
    """From a command to its first answer.

    Compared with the imports that no such command can do without, or with a target in seconds.

    Args:
        rounds: of each comparison; one more comes first, builds the pixel store and does not count.
        overrides: of the training whose first step is awaited, and whose bundle is searched with.
        demo: whether to time the whole of `make demo` too, once; it takes two to three minutes.
    """

    def __init__(self, *, rounds: int, overrides: Sequence[str], demo: bool) -> None:
        self.rounds, self.overrides, self.demo = rounds, list(overrides), demo

    def rows(self) -> Iterator[Row]:
        """Time the answers of Hydra, the way to the first training step and to the first hit, the demo."""
        if missing := [name for name in extras.TO_EXPORT if not extras.is_installed(name)]:
            raise Unavailable(f"{', '.join(missing)} is not installed: the extra `export` brings it")
        if self.demo and not (ROOT / "Makefile").exists():
            raise Unavailable(f"there is no Makefile in {ROOT}; leave the demo out with start.demo=false")
        with TemporaryDirectory() as name:
            folder = Path(name)
            yield from self._answers(folder)
            yield self._first_step(folder)
            yield self._first_hit(folder)
            if self.demo:
                yield _demo(folder)

    def _answers(self, folder: Path) -> Iterator[Row]:
        ways: dict[str, Callable[[], object]] = {
            "bare": partial(run, folder, [*PYTHON, "import hydra"]),
            "--help": partial(run, folder, [*TRAIN, "--help"]),
            "--cfg job": partial(run, folder, [*TRAIN, "--cfg", "job"]),
        }
        took = in_turns(ways, rounds=self.rounds)
        # for --help Hydra lists every config group, and copies all that it knows for each: most of that time
        for what, target in (("--help", 0.15), ("--cfg job", 0.4)):
            yield Row(what=what, ours=took[what], theirs=took["bare"], than="import hydra", at_least=target)

    def _first_step(self, folder: Path) -> Row:
        stamp = folder / "stamp"
        run_folder = f"hydra.run.dir='{folder / 'run'}'"
        training = [*TRAIN, *self.overrides, run_folder, clock(stamp, steps=1)]
        ways: dict[str, Callable[[], float]] = {
            "imports": partial(until, stamp, folder, [*PYTHON, IMPORTED, str(stamp)]),
            "step": partial(until, stamp, folder, training),
        }
        took = medians(ways, rounds=self.rounds)
        return Row(
            what="first training step done",
            ours=took["step"],
            theirs=took["imports"],
            than=IMPORTS,
            at_least=0.4,
        )

    def _first_hit(self, folder: Path) -> Row:
        trained, bundle, index, query = (
            folder / name for name in ("trained", "bundle", "index", "query.png")
        )
        SyntheticCatalog(products=21, views=2).open(0).save(query)
        run(folder, [*TRAIN, *self.overrides, "trainer=smoke", f"hydra.run.dir='{trained}'"])
        run(
            folder,
            [*verb("export"), f"ckpt='{trained}'", f"out='{bundle}'", "golden=drawn", "calibrate=false"],
        )
        small = ["data=synthetic", "data.products=21", "data.views=2"]
        run(folder, [*verb("index"), f"ckpt='{bundle}'", f"out='{index}'", "runtime=onnx", *small])
        asked = [f"index='{index}'", f"image='{query}'", "runtime=onnx", "sheet=null"]
        took = in_turns({"hit": partial(run, folder, [*verb("search"), *asked])}, rounds=self.rounds)
        what = "search with a bundle, first hit"
        return Row(what=what, ours=took["hit"], theirs=HIT_SECONDS, than="the target", at_least=1)


def verb(name: str) -> tuple[str, ...]:
    """Command of a verb."""
    return sys.executable, "-m", f"fashion_lab.{name}"


def clock(stamps: Path, *, steps: int | None = None) -> str:
    """Override that has a training leave the times of its steps in a file, and end after so many."""
    target = "fashion_lab.benchmarks.step_clock.StepClock"
    number = "null" if steps is None else steps
    return f"++callbacks.clock={{_target_: {target}, path: '{stamps}', steps: {number}}}"


def until(stamp: Path, folder: Path, command: Sequence[str]) -> float:
    """Seconds from the start of a command to the first time that it leaves in a file."""
    started = time.time()
    run(folder, command)
    reached = read_steps(stamp)[0]
    stamp.unlink()
    return reached - started


def _demo(folder: Path) -> Row:
    """Run what the Makefile runs, with this Python instead of .venv's and without pixels of before."""
    shutil.rmtree(folder / PIXELS)
    own = ["READY=", f"BIN={Path(sys.executable).parent}", f"DEMO={folder / 'demo'}"]
    took = seconds(partial(run, folder, ["make", "--no-print-directory", "demo", *own]))
    return Row(what="make demo", ours=took, theirs=DEMO_SECONDS, than="the target", at_least=1)
