"""Helps tests to run programs to their end: the imports that they all need are made once."""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from subprocess import CompletedProcess
from tempfile import TemporaryDirectory


@cache
def _zygote():
    command = [sys.executable, str(Path(__file__).with_name("zygote.py"))]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def run(name, *words, cwd, **env):
    """Run `python -m name words`, or a file of that name; it ends with its zygote, that is with the tests."""
    zygote, command = _zygote(), [str(name), *map(str, words)]
    with TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        request = {"command": command, "cwd": str(cwd), "env": {**os.environ, **env}}
        print(json.dumps(request | {"out": str(out), "err": str(err)}), file=zygote.stdin, flush=True)
        code = int(zygote.stdout.readline())
        return CompletedProcess(command, code, out.read_text(), err.read_text())
