"""Programs as forks of one process that has imported what takes ten seconds: `python zygote.py`.

It reads a request as JSON a line (`programs.run` writes them), and answers with the exit code of each.
"""

import json
import os
import runpy
import sys
from pathlib import Path

import fashion_lab.assembly
import fashion_lab.training  # noqa: F401  what takes long


def become(request):
    """Be the program that was asked for, in its folder, with its environment and files for its output."""
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    for number, (path, mode) in enumerate([(os.devnull, "r"), (request["out"], "w"), (request["err"], "w")]):
        with Path(path).open(mode) as file:
            os.dup2(file.fileno(), number)
    sys.argv = request["command"]
    sys.path[0] = request["cwd"]  # as `python -m` has it
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def main():
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            return become(json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
