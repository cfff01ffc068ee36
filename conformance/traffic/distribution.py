"""The distribution of independent work over processes, in order and with reports of progress."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

#: Called with the number of finished pieces of work and of all.
Progress = Callable[[int, int], object]

Done = TypeVar("Done")

#: Pieces of work that a process takes at a time, which amortizes the cost of sending the results.
_AT_A_TIME = 25

#: The work of this process and of those that are forked from it; a function of the number of a piece.
_work: Callable[[int], Any] | None = None


def distributed(work: Callable[[int], Done], count: int, jobs: int, progress: Progress) -> Iterator[Done]:
    """The results of ``work`` for each number below ``count``, in order, made by ``jobs`` processes.

    The processes are forked, so that the work itself is not sent; where that is not possible there is only one.
    """
    global _work
    if jobs <= 1 or count <= _AT_A_TIME or "fork" not in multiprocessing.get_all_start_methods():
        for place in range(count):
            yield work(place)
            progress(place + 1, count)
        return
    _work = work
    try:
        with multiprocessing.get_context("fork").Pool(jobs) as pool:
            for place, done in enumerate(pool.imap(_piece, range(count), chunksize=_AT_A_TIME), 1):
                yield done
                progress(place, count)
    finally:
        _work = None


def _piece(place: int) -> Any:
    assert _work is not None  # Set before the processes were forked.
    return _work(place)
