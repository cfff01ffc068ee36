"""``conformance explain``: one rule, whole."""

from __future__ import annotations

import argparse

from conformance.commands import CommandError
from conformance.report import catalogue
from conformance.schemas import REVISIONS

HELP = "one rule: what, why, affected clients, where it is judged"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which rule."""
    parser.add_argument("rule")
    parser.add_argument("--revision", choices=REVISIONS, default=REVISIONS[0])


def main(options: argparse.Namespace) -> int:
    """Print the rule."""
    text = catalogue.explain(options.rule, options.revision)
    if text is None:
        raise CommandError(f"no rule {options.rule!r}{catalogue.nearest(options.rule)}")
    print(text)
    return 0
