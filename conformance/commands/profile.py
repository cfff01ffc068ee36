"""``conformance profile``: what an endpoint does not offer, as a target file for later runs."""

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

HELP = "write the profile of an endpoint: what it refuses of the contract, each with the reason"

_CHECKS = Path(__file__).parent.parent / "checks"

#: The rules that tell what a profile may list: their requests are a tenth of a run.
_RULES = (
    "auth.api-key-header-accepted", "auth.bearer-accepted", "auth.missing-key-refused", "auth.wrong-bearer-refused",
    "request.stream-accepted", "request.reasoning.effort-accepted", "request.tools-accepted",
    "request.text.format-accepted", "request.input-messages", "request.untyped-message", "effort.*-thinks",
)  # fmt: skip

#: Exit codes of a run after which there is something to read.
_READABLE = (results_file.EXIT_OK, results_file.EXIT_FAILED, results_file.EXIT_INCONCLUSIVE)


def arguments(parser: argparse.ArgumentParser) -> None:
    """The endpoint, and where the profile goes."""
    parser.add_argument("url", help="base URL ending in /v1")
    parser.add_argument("--model", help="model id to ask for (default: the revision's usual one)")
    parser.add_argument("--api-key-env", metavar="NAME", help="environment variable that holds the key")
    parser.add_argument("--name", help="name of the target (default: the URL)")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write it there (default: standard output)")


def main(options: argparse.Namespace) -> int:
    """Send the requests, print or write the profile; :class:`CommandError` where the endpoint cannot be evaluated."""
    if options.output and options.output.exists():
        raise CommandError(f"{options.output} exists; name another file")
    with tempfile.TemporaryDirectory() as folder:
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = int(pytest.main(_words(options, Path(folder) / "run")))
        if code not in _READABLE:
            last = [line for line in said.getvalue().splitlines() if line.startswith("conformance: ")]
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
