"""The ``conformance`` command, for people who do not know pytest; judging itself is pytest's."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from conformance.report import catalogue
from conformance.requirements import LEVELS
from conformance.schemas import REVISIONS

_CHECKS = Path(__file__).parent / "checks"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit code is the run's."""
    try:
        return _main(argv)
    except BrokenPipeError:  # The reader, such as head, has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _main(argv: Sequence[str] | None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["serve"]:
        from conformance.emulator.__main__ import main as serve

        return serve(words[1:])
    if words[:1] == ["run"] and "-h" not in words and "--help" not in words:
        return _run(words[1:])
    options = _parser().parse_args(words)
    text = catalogue.explain(options.rule, options.revision) if options.command == "explain" else _listed(options)
    if text is None:
        print(f"conformance: no rule {options.rule!r}{catalogue.nearest(options.rule)}", file=sys.stderr)
        return 2
    print(text)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="conformance", description="Judge a Responses API endpoint.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="judge an endpoint; every option of the pytest plugin may follow")
    run.add_argument("url", nargs="?", help="base URL ending in /v1; without it the built-in endpoint is judged")
    commands.add_parser("serve", help="run the built-in endpoint alone (conformance serve --help)", add_help=False)
    listing = commands.add_parser("list", help="the rules, one a line")
    listing.add_argument("--area", help="only rules of this area, such as auth or lifecycle")
    listing.add_argument("--level", choices=LEVELS, help="only rules of this level")
    explain = commands.add_parser("explain", help="one rule: what, why, who breaks, where it is judged")
    explain.add_argument("rule")
    explain.add_argument("--revision", choices=REVISIONS, default=REVISIONS[0])
    return parser


def _run(words: list[str]) -> int:
    """Hand over to pytest: a first word that is no option is the endpoint, all else is as pytest takes it."""
    arguments = ["-p", "conformance.plugin", "-p", "no:cacheprovider", str(_CHECKS)]
    if words and not words[0].startswith("-"):
        arguments += ["--endpoint", words.pop(0)]
    arguments += words
    print(f"+ {shlex.join([sys.executable, '-m', 'pytest', *arguments])}", flush=True)
    return int(pytest.main(arguments))


def _listed(options: argparse.Namespace) -> str:
    return "\n".join(catalogue.listing(options.area, options.level))


if __name__ == "__main__":
    sys.exit(main())
