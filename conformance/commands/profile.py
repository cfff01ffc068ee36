"""``conformance profile``: write the unsupported features of an endpoint to a target file for later runs."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from conformance import api
from conformance.commands import CommandError
from conformance.config.target import Misconfigured
from conformance.results import results_file
from conformance.results.proposals import as_toml, proposals
from conformance.wire.pool import CannotRecord

HELP = "write a target file with the features that an endpoint does not support, each with the reason"

#: The rules that detect unsupported features: they need a tenth of the requests of a run.
_RULES = (
    "auth.api-key-header-accepted", "auth.bearer-accepted", "auth.missing-key-refused", "auth.wrong-bearer-refused",
    "request.stream-accepted", "request.reasoning.effort-accepted", "request.tools-accepted",
    "request.text.format-accepted", "request.input-messages", "request.untyped-message", "effort.*-thinks",
)  # fmt: skip

#: Exit codes of a run that wrote results.
_READABLE = (results_file.EXIT_OK, results_file.EXIT_FAILED, results_file.EXIT_INCONCLUSIVE)

_ENDED = "the run ended with exit code {}"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options: the endpoint and the output file."""
    parser.add_argument("url", metavar="URL", help="base URL ending in /v1")
    parser.add_argument("--model", metavar="NAME", help="model to request (default: that of the revision)")
    parser.add_argument(
        "--api-key-env", metavar="NAME", help="environment variable that contains the key (default: MIMO_API_KEY)"
    )
    parser.add_argument("--name", help="name of the target (default: the URL)")
    parser.add_argument("--output", type=Path, metavar="FILE", help="file to write (default: standard output)")


def main(options: argparse.Namespace) -> int:
    """Send the requests and write the profile. Raises :class:`CommandError` if the endpoint cannot be evaluated."""
    if options.output and options.output.exists():
        raise CommandError(f"{options.output} already exists; name another file")
    settings = {name: value for name in ("model", "api_key_env") if (value := getattr(options, name))}
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = api.run(options.url, only=_RULES, run_dir=Path(folder) / "run", **settings)
        except (Misconfigured, CannotRecord, OSError) as error:
            raise CommandError(str(error)) from None
    if found.exit_code not in _READABLE:
        raise CommandError(found.end.stopped if found.end and found.end.stopped else _ENDED.format(found.exit_code))
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
