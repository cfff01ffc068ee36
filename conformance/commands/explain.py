"""``conformance explain``: everything known about one rule."""

from __future__ import annotations

import argparse

from conformance.commands import CommandError
from conformance.contract.schemas import REVISIONS
from conformance.report import catalogue

HELP = "explain one rule: requirement, source, affected clients, cases"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments: the rule and the revision."""
    parser.add_argument("rule", metavar="RULE[@SCENARIO]", help="rule id or case id")
    parser.add_argument(
        "--revision", choices=REVISIONS, default=REVISIONS[0], help="revision of the contract (default: %(default)s)"
    )


def main(options: argparse.Namespace) -> int:
    """Print the rule."""
    rule = options.rule.partition("@")[0]  # Accepts a case id, as copied from a report.
    text = catalogue.explain(rule, options.revision)
    if text is None and rule in catalogue.areas():
        raise CommandError(f"{rule!r} is an area, not a rule; conformance list {rule} prints its rules")
    if text is None:
        raise CommandError(f"no rule {rule!r}{catalogue.nearest(rule) or '; conformance list prints all rules'}")
    if options.rule != rule and options.rule not in catalogue.case_ids(options.revision):
        raise CommandError(
            f"no case {options.rule!r} in revision {options.revision}; conformance explain {rule} lists its scenarios"
        )
    print(text)
    return 0
