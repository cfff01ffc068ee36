"""Runs of the suite as a user starts them, each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support import forked

ROOT = forked.ROOT
KEY = "test-key-5b1f00d1c3"

#: What differs from run to run though the same bytes were judged.
_TIMES = ("ms", "seconds", "started_at", "mode")


def command(*arguments: str, checks: Sequence[str] = ("",)) -> list[str]:
    """The words of one run, of all checks or of these (such as ``sse``)."""
    paths = [f"conformance/checks/test_{name}.py" if name else "conformance" for name in checks]
    return [sys.executable, "-m", "pytest", *paths, "-q", "-p", "no:cacheprovider", *arguments]


def environment(key: str | None = KEY, **more: str) -> dict[str, str]:
    """The environment of a run, without what may be set around the tests."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("MIMO", "PYTEST", "CONF"))}
    return environ | ({"MIMO_API_KEY": key} if key else {}) | more


def run(
    *arguments: str, key: str | None = KEY, checks: Sequence[str] = ("",), **more: str
) -> subprocess.CompletedProcess[str]:
    """One run and what it said."""
    return forked.run(command(*arguments, checks=checks)[2:], environment(key, **more), timeout=120)


def lines_of(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run folder's results file."""
    return [json.loads(line) for line in (folder / "results.jsonl").read_text(encoding="utf-8").splitlines()]


def timeless(folder: Path) -> list[str]:
    """The results file line by line, byte for byte, without the times and the mode."""
    return [json.dumps({name: line[name] for name in line if name not in _TIMES}) for line in lines_of(folder)]
