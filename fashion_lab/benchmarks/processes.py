"""Commands in processes of their own, as a user starts them, with their memory."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
TRAIN = (sys.executable, "-m", "fashion_lab.train")
PIXELS, BYTECODE = "pixels", "bytecode"  # folders
LOOK_EVERY = 0.05  # seconds between two looks at a process; one takes 0.1 ms
KB = 1024
SHOWN = 2000  # last characters of what a failed command said


class Memory(NamedTuple):
    """Peaks of a process, in bytes.

    Attributes:
        own: anonymous memory: what the process allocated, and nothing else can take from it.
        resident: all of its memory, mapped files included; the kernel drops their pages where it needs room.
    """

    own: int
    resident: int


def run(folder: Path, command: Sequence[str], *, limit: int | None = None) -> Memory:
    """Run a command from the root of the project to its end, with its pixel stores in the folder.

    Where bytecode must not be written it is kept there too, since every start but a user's first finds some.

    Args:
        folder: takes what the command would keep elsewhere.
        command: program and words.
        limit: bytes of memory of its own that it may ask for (RLIMIT_DATA, Linux).

    Returns:
        Its peaks, zeros where there is no /proc (Linux).

    Raises:
        RuntimeError: it failed; with the end of what it said.
    """
    environment = {**os.environ, "FASHION_LAB_CACHE": str(folder / PIXELS)}
    if environment.pop("PYTHONDONTWRITEBYTECODE", None):
        environment["PYTHONPYCACHEPREFIX"] = str(folder / BYTECODE)
    with TemporaryFile() as said:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
        try:
            if limit is not None:
                _limit(process.pid, limit)
            peaks = _watched(process)
        finally:
            process.kill()
            process.wait()
        if process.returncode:
            said.seek(0)
            text = said.read().decode(errors="replace")[-SHOWN:]
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{text}")
    return peaks


def _limit(pid: int, limit: int) -> None:
    import resource

    resource.prlimit(pid, resource.RLIMIT_DATA, (limit, limit))


def _watched(process: "subprocess.Popen[bytes]") -> Memory:
    own = resident = 0
    while process.poll() is None:
        now = _now(process.pid)
        own, resident = max(own, now.own), max(resident, now.resident)
        time.sleep(LOOK_EVERY)
    return Memory(own, resident)


def _now(pid: int) -> Memory:
    """Anonymous memory now, and the peak of all of it so far."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:  # ended just now, or no Linux
        return Memory(0, 0)
    values = {name: int(amount) * KB for name, amount in re.findall(r"(RssAnon|VmHWM):\s+(\d+) kB", text)}
    return Memory(values.get("RssAnon", 0), values.get("VmHWM", 0))
