"""The C library's memory: kept when a tensor is freed, since the next step asks for as much again."""

import ctypes
import os
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""Of glibc's mallopt(3)."""

OWN = ("MALLOC_", "GLIBC_TUNABLES")
"""Variables with which a user chooses glibc's settings."""


def keep_freed_memory() -> bool:
    """Have glibc keep what is freed, for the rest of the process, instead of returning it to the system.

    Large tensors otherwise come from the system at every step, which clears them page by page. The process
    stays as large as it was at its largest. Does nothing with another C library, or where the environment has
    settings of its own.

    Returns:
        Whether it is so now.

    Source: mallopt(3).
    """
    if sys.platform != "linux" or any(name.startswith(OWN) for name in os.environ):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, -1))
