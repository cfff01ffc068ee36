"""The ``conformance`` command, which needs no knowledge of pytest; the checks themselves run in pytest."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from conformance.commands import CommandError, completion
from conformance.version import __version__

#: The commands, in the order of the help. The module of a command has its name, and is imported when it is used: most
#: commands need a small part of the suite.
COMMANDS = (
    "run",
    "serve",
    "list",
    "explain",
    "coverage",
    "report",
    "baseline",
    "report-bug",
    "judge",
    "watch",
    "proxy",
    "compare",
    "facts",
    "share",
    "nightly",
    "profile",
    "history",
    "matrix",
    "clients",
    "new-rule",
    "completion",
)


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
    name = words[0] if words else ""
    command = _module(name) if name in COMMANDS else None
    if command and getattr(command, "PASSES_ON", False) and (name == "serve" or not {"-h", "--help"} & set(words)):
        return int(command.main(words[1:]))
    one = (name,) if command and command is not completion else ()
    parser, commands = _parser(one if one or name == "--version" else COMMANDS)
    options = parser.parse_args(words)
    if options.command == "completion":
        known = {name: (_module(name).HELP, sorted(of._option_string_actions)) for name, of in commands.items()}
        print(completion.script(options.shell, known), end="")
        return 0
    return int(_module(options.command).main(options))


def _module(name: str) -> Any:
    """The module of a command."""
    gc.disable()  # Modules are not garbage: the collector would take a tenth of the time.
    try:
        return import_module(f"conformance.commands.{name.replace('-', '_')}")
    finally:
        gc.enable()


def _parser(names: Sequence[str]) -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The parser, and those of these commands by name."""
    parser = argparse.ArgumentParser(prog="conformance", description="Check a Responses API endpoint.")
    parser.add_argument("--version", action="version", version=f"conformance {__version__}")
    listed = None if names == COMMANDS else f"{{{','.join(COMMANDS)}}}"  # The usage lists them all.
    commands = parser.add_subparsers(dest="command", required=True, metavar=listed)
    parsers = {}
    for name in names:
        command = _module(name)
        parsers[name] = commands.add_parser(name, help=command.HELP, description=command.HELP)
        command.arguments(parsers[name])
    return parser, parsers


if __name__ == "__main__":
    sys.exit(main())
