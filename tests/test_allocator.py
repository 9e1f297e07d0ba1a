"""A training does not ask the system for the same memory at every step."""

import os
import subprocess
import sys

import pytest

from fashion_lab.allocator import OWN

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="glibc alone is asked")

FAULTS = """
import resource
import torch
from fashion_lab.allocator import keep_freed_memory

def step():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    tensors = [torch.zeros(16 << 20) for _ in range(2)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

kept = keep_freed_memory()
print(kept, [step() for _ in range(30)][-1])
"""


def faults(**settings):
    env = {name: value for name, value in os.environ.items() if not name.startswith(OWN)}
    done = subprocess.run(
        [sys.executable, "-c", FAULTS], env=env | settings, capture_output=True, text=True, check=True
    )
    kept, count = done.stdout.split()
    return kept == "True", int(count)


def test_freed_memory_serves_the_next_step():
    kept, count = faults()
    assert kept
    assert count < 100


def test_settings_of_the_user_stay():
    kept, count = faults(MALLOC_ARENA_MAX="4")
    assert not kept
    assert count > 1_000
