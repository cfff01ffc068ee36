"""``conformance run``: run pytest with the plugin, and print the equivalent pytest command."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

import pytest

from conformance.pytest_plugin.invocation import Invocation

HELP = "check an endpoint; accepts every option of the pytest plugin"
PASSES_ON = True

_CHECKS = Path(__file__).parent.parent / "checks"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the argument: the endpoint. All other arguments belong to pytest."""
    parser.add_argument("url", nargs="?", help="base URL ending in /v1 (default: the built-in endpoint)")


def main(words: list[str]) -> int:
    """Run pytest. A first argument that is not an option is the endpoint; all others are passed to pytest."""
    # The cache of --lf and --sw is in the current folder: pytest would choose that of the installed package.
    passed = ["-p", "conformance.plugin", "-o", f"cache_dir={Path.cwd() / '.pytest_cache'}", str(_CHECKS)]
    given = Invocation(("conformance", "run", *words))
    if words and not words[0].startswith("-"):
        passed += ["--endpoint", words.pop(0)]
    passed += words
    print(f"+ {shlex.join([sys.executable, '-m', 'pytest', *passed])}", flush=True)
    return int(pytest.main(passed, plugins=[given]))
