"""The ``conformance`` command, which needs no knowledge of pytest; the checks themselves run in pytest."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

from conformance import __version__
from conformance.commands import (
    CommandError,
    baseline,
    clients,
    compare,
    completion,
    coverage,
    explain,
    facts,
    history,
    judge,
    matrix,
    new_rule,
    nightly,
    profile,
    proxy,
    report,
    report_bug,
    run,
    serve,
    share,
    watch,
)
from conformance.commands import list as listing

COMMANDS: dict[str, Any] = {
    "run": run,
    "serve": serve,
    "list": listing,
    "explain": explain,
    "coverage": coverage,
    "report": report,
    "baseline": baseline,
    "report-bug": report_bug,
    "judge": judge,
    "watch": watch,
    "proxy": proxy,
    "compare": compare,
    "facts": facts,
    "share": share,
    "nightly": nightly,
    "profile": profile,
    "history": history,
    "matrix": matrix,
    "clients": clients,
    "new-rule": new_rule,
    "completion": completion,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit code is the run's."""
    try:
        return _main(list(sys.argv[1:] if argv is None else argv))
    except CommandError as error:
        print(f"conformance: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # The reader, such as head, has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _main(words: list[str]) -> int:
    command = COMMANDS.get(words[0]) if words else None
    if command and getattr(command, "PASSES_ON", False) and (command is serve or not {"-h", "--help"} & set(words)):
        return int(command.main(words[1:]))
    parser, commands = _parser()
    options = parser.parse_args(words)
    if options.command == "completion":
        known = {name: (COMMANDS[name].HELP, sorted(one._option_string_actions)) for name, one in commands.items()}
        print(completion.script(options.shell, known), end="")
        return 0
    return int(COMMANDS[options.command].main(options))


def _parser() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The parser, and those of the commands by name."""
    parser = argparse.ArgumentParser(prog="conformance", description="Check a Responses API endpoint.")
    parser.add_argument("--version", action="version", version=f"conformance {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    parsers = {name: commands.add_parser(name, help=one.HELP, description=one.HELP) for name, one in COMMANDS.items()}
    for name, command in COMMANDS.items():
        command.arguments(parsers[name])
    return parser, parsers


if __name__ == "__main__":
    sys.exit(main())
