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


def run(*command, cwd):
    """Run `python -m` with these words, as `subprocess.run` would: its code, output and complaints."""
    zygote, command = _zygote(), [str(word) for word in command]
    with TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        request = {"command": command, "cwd": str(cwd), "env": dict(os.environ)}
        print(json.dumps(request | {"out": str(out), "err": str(err)}), file=zygote.stdin, flush=True)
        code = int(zygote.stdout.readline())
        return CompletedProcess(command, code, out.read_text(), err.read_text())
