"""``conformance profile``: write the unsupported features of an endpoint to a target file for later runs."""

from __future__ import annotations

import argparse
import contextlib
import io
import tempfile
from pathlib import Path

import pytest

from conformance.commands import CommandError
from conformance.results import results_file
from conformance.results.proposals import as_toml, proposals

HELP = "write a target file with the features that an endpoint does not support, each with the reason"

_CHECKS = Path(__file__).parent.parent / "checks"

#: The rules that detect unsupported features: they need a tenth of the requests of a run.
_RULES = (
    "auth.api-key-header-accepted", "auth.bearer-accepted", "auth.missing-key-refused", "auth.wrong-bearer-refused",
    "request.stream-accepted", "request.reasoning.effort-accepted", "request.tools-accepted",
    "request.text.format-accepted", "request.input-messages", "request.untyped-message", "effort.*-thinks",
)  # fmt: skip

#: Exit codes of a run that wrote results.
_READABLE = (results_file.EXIT_OK, results_file.EXIT_FAILED, results_file.EXIT_INCONCLUSIVE)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options: the endpoint and the output file."""
    parser.add_argument("url", help="base URL ending in /v1")
    parser.add_argument("--model", help="model to request (default: that of the revision)")
    parser.add_argument("--api-key-env", metavar="NAME", help="environment variable that contains the key")
    parser.add_argument("--name", help="name of the target (default: the URL)")
    parser.add_argument("--output", type=Path, metavar="FILE", help="file to write (default: standard output)")


def main(options: argparse.Namespace) -> int:
    """Send the requests and write the profile. Raises :class:`CommandError` if the endpoint cannot be evaluated."""
    if options.output and options.output.exists():
        raise CommandError(f"{options.output} already exists; name another file")
    with tempfile.TemporaryDirectory() as folder:
        output = io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            code = int(pytest.main(_words(options, Path(folder) / "run")))
        if code not in _READABLE:
            last = [line for line in output.getvalue().splitlines() if line.startswith("conformance: ")]
            raise CommandError(
                last[-1].removeprefix("conformance: ") if last else f"the run ended with exit code {code}"
            )
        found = results_file.read(Path(folder) / "run")
    model = found.head.target.model
    text = as_toml(options.name or options.url, options.url, model, proposals(found.cases))
    if options.output:
        try:
            options.output.write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{options.output} cannot be written: {error.strerror}") from None
    else:
        print(text, end="")
    return 0


def _words(options: argparse.Namespace, folder: Path) -> list[str]:
    words = ["-p", "conformance.plugin", "-p", "no:cacheprovider", "-q", str(_CHECKS)]
    words += ["--endpoint", options.url, "--run-dir", str(folder)]
    for rule in _RULES:
        words += ["--only", rule]
    for name in ("model", "api_key_env"):
        if value := getattr(options, name):
            words += [f"--{name.replace('_', '-')}", value]
    return words
