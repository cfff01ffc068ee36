"""``conformance explain``: one rule, whole."""

from __future__ import annotations

import argparse

from conformance.commands import CommandError
from conformance.contract.schemas import REVISIONS
from conformance.report import catalogue

HELP = "one rule: what, why, affected clients, where it is judged"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which rule."""
    parser.add_argument("rule")
    parser.add_argument("--revision", choices=REVISIONS, default=REVISIONS[0])


def main(options: argparse.Namespace) -> int:
    """Print the rule."""
    rule = options.rule.partition("@")[0]  # Reports name cases, which are copied from there.
    text = catalogue.explain(rule, options.revision)
    if text is None:
        raise CommandError(f"no rule {rule!r}{catalogue.nearest(rule) or '; conformance list names them all'}")
    print(text)
    return 0
