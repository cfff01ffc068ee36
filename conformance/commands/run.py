"""``conformance run``: hand over to pytest, and show the line that does the same."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

import pytest

HELP = "judge an endpoint; every option of the pytest plugin may follow"
PASSES_ON = True

_CHECKS = Path(__file__).parent.parent / "checks"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The endpoint; all else is pytest's."""
    parser.add_argument("url", nargs="?", help="base URL ending in /v1; without it the built-in endpoint is judged")


def main(words: list[str]) -> int:
    """A first word that is no option is the endpoint, all else is as pytest takes it."""
    passed = ["-p", "conformance.plugin", "-p", "no:cacheprovider", str(_CHECKS)]
    if words and not words[0].startswith("-"):
        passed += ["--endpoint", words.pop(0)]
    passed += words
    print(f"+ {shlex.join([sys.executable, '-m', 'pytest', *passed])}", flush=True)
    return int(pytest.main(passed))
