"""Memory allocation for large bodies."""

from __future__ import annotations

import contextlib
import ctypes
import sys

#: Of glibc's ``mallopt``: from this size on memory is taken from the system and given back when it is freed, and so
#: many separate heaps are kept. By itself glibc raises the first with every large block that is freed, and has a heap a
#: thread: bodies of 15 MB then leave 100 MB of holes.
_MMAP_THRESHOLD, _ARENA_MAX = -3, -8
_LARGE_BLOCK, _HEAPS = 1_000_000, 2


def return_large_blocks() -> None:
    """Configure glibc to return large blocks to the system at once; no effect with other C libraries."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            mallopt = ctypes.CDLL(None).mallopt
            mallopt(_MMAP_THRESHOLD, _LARGE_BLOCK)
            mallopt(_ARENA_MAX, _HEAPS)
