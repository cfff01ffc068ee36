"""``conformance run``: run pytest with the plugin, and print the equivalent pytest command."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

import pytest

from conformance.config.endpoint_url import without_secrets
from conformance.pytest_plugin.invocation import Invocation
from conformance.pytest_plugin.options import OF_PYTEST, options
from conformance.results.results_file import EXIT_SETUP
from conformance.version import __version__

HELP = "check an endpoint; accepts every option of the pytest plugin"
PASSES_ON = True

#: pytest warns that it cannot rewrite asserts of this package, which is imported already and has none.
QUIET = ("-W", "ignore:Module already imported so cannot be rewritten")

_CHECKS = Path(__file__).parent.parent / "checks"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the endpoint and the options of the plugin, for ``--help``: pytest parses them."""
    parser.add_argument("url", nargs="?", metavar="URL", help="base URL ending in /v1 (default: the built-in endpoint)")
    groups: dict[str, argparse._ArgumentGroup] = {}
    for option in (*options(), *OF_PYTEST):
        group = groups.get(option.group) or parser.add_argument_group(option.group)
        groups[option.group] = group
        group.add_argument(option.name, help=option.help.replace("%", "%%"), **option.arguments)
    parser.usage = "conformance run [URL] [OPTION ...]"
    parser.epilog = (
        "Each setting of the groups target and limits can also be set in the target file, or as the environment "
        "variable CONFORMANCE_<SETTING>. Exit codes: 0 no MUST violated, 1 failed, 2 configuration or interrupted, "
        "3 internal error, 5 nothing evaluated, 6 inconclusive."
    )


def main(words: list[str]) -> int:
    """Run pytest. A first argument that is not an option is the endpoint; all others are passed to pytest."""
    if {"--version", "-V"} & set(words):
        print(f"conformance {__version__}")
        return 0
    # The cache of --lf and --sw is in the current folder: pytest would choose that of the installed package.
    has_cache = not any(word.endswith("no:cacheprovider") for word in words)  # Without it the setting is a warning.
    cache = ["-o", f"cache_dir={Path.cwd() / '.pytest_cache'}"] if has_cache else []
    passed = ["-p", "conformance.plugin", *cache, *QUIET, str(_CHECKS)]
    given = Invocation(("conformance", "run", *words))
    if words and not words[0].startswith("-"):
        passed += ["--endpoint", words.pop(0)]
    passed += words
    # Credentials in a URL are refused, but only after this line.
    shown = [without_secrets(word) if "://" in word else word for word in passed]
    print(f"+ {shlex.join([sys.executable, '-m', 'pytest', *shown])}", flush=True)
    code = int(pytest.main(passed, plugins=[given]))
    if code == pytest.ExitCode.USAGE_ERROR:  # pytest reported the option, in its own name.
        print("conformance: a wrong option; conformance run --help lists the options", file=sys.stderr)
        return EXIT_SETUP
    return code
