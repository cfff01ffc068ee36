"""The ``conformance`` command, which needs no knowledge of pytest; the checks themselves run in pytest."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any

from conformance import __version__
from conformance.commands import CommandError

#: The commands, in the order of the help text.
COMMANDS = (
    "run", "serve", "list", "explain", "coverage", "report", "baseline", "report-bug", "judge", "watch", "proxy",
    "compare", "facts", "share", "nightly", "profile", "history", "matrix", "clients", "new-rule", "completion",
)  # fmt: skip


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
    name = words[0] if words and words[0] in COMMANDS else ""
    command = _command(name) if name else None
    if command and getattr(command, "PASSES_ON", False) and (name == "serve" or not {"-h", "--help"} & set(words)):
        return int(command.main(words[1:]))
    # All commands are imported only for the help text and the completion: that takes longer than most commands.
    parser, commands = _parser([name] if name and name != "completion" else COMMANDS if words != ["--version"] else ())
    options = parser.parse_args(words)
    if options.command == "completion":
        known = {name: (_command(name).HELP, sorted(one._option_string_actions)) for name, one in commands.items()}
        print(_command("completion").script(options.shell, known), end="")
        return 0
    return int(_command(options.command).main(options))


def _command(name: str) -> Any:
    """The module of a command."""
    return import_module(f"conformance.commands.{name.replace('-', '_')}")


def _parser(names: Iterable[str]) -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The parser of these commands, and the parser of each by name."""
    parser = argparse.ArgumentParser(prog="conformance", description="Check a Responses API endpoint.")
    parser.add_argument("--version", action="version", version=f"conformance {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    parsers = {}
    for name in names:
        command = _command(name)
        parsers[name] = commands.add_parser(name, help=command.HELP, description=command.HELP)
        command.arguments(parsers[name])
    return parser, parsers


if __name__ == "__main__":
    sys.exit(main())
