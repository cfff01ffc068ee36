"""The ``conformance`` command, which needs no knowledge of pytest; the checks themselves run in pytest."""

from __future__ import annotations

import argparse
import gc
import os
import sys
import traceback
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


#: The commands that only print: a reader that closes the pipe has seen enough. Of the others it has no verdict.
_PRINT = ("list", "explain", "coverage", "facts", "history", "matrix", "share", "completion", "serve")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit code is the run's. Python's own code for an exception is 1, as if a MUST were
    violated: it is never used."""
    words = list(sys.argv[1:] if argv is None else argv)
    _open_streams()
    try:
        return _main(words)
    except CommandError as error:
        print(f"conformance: {error}", file=sys.stderr)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0 if not words or words[0] in _PRINT or words[0].startswith("-") else 2
    except KeyboardInterrupt:
        print("conformance: interrupted", file=sys.stderr)
    except OSError as error:  # A full disk, an output file that cannot be written.
        print(f"conformance: {error.filename or 'the output'}: {error.strerror or error}", file=sys.stderr)
    except Exception:
        traceback.print_exc()
        return 3
    return 2


def _open_streams() -> None:
    """Open standard streams that the caller closed (``>&-``) to the null device: pytest needs them, and the first file
    that a run opens would take their place."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, number)
            setattr(sys, name, open(number, "r+" if number else "r", closefd=False))  # noqa: SIM115


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
