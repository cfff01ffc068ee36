"""``conformance report-bug``: a violated rule of a run as a Markdown issue."""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from conformance.commands import CommandError
from conformance.commands.runs import load
from conformance.contract.revisions import CONTRACTS
from conformance.engine.redaction import redact_value
from conformance.exchange.run_directory import RESULTS, write_atomically
from conformance.judge.verdict import STALE
from conformance.report.bug import cause_of, issue
from conformance.results.causes import causes, readability_key
from conformance.results.records import VERDICTS_WITHOUT_PROBLEM, CaseRecord
from conformance.results.results_file import Results

HELP = "write a Markdown issue about a violated rule of a recorded run: evidence, reproduction, affected clients"

#: Number of failing rules suggested instead of one that does not fail.
_NEAREST = 3


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options: the run, the rule and the output file."""
    parser.add_argument("run", type=Path, metavar="RUN", help="run folder or results file")
    parser.add_argument(
        "rule",
        nargs="?",
        metavar="RULE[@SCENARIO]",
        help="a rule that failed in the run, or one case of it (default: list the rules that failed)",
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="file to write (default: standard output)")


def main(options: argparse.Namespace) -> int:
    """Write the issue."""
    if options.run.is_dir() and (options.run / "run.json").exists() and not (options.run / RESULTS).exists():
        raise CommandError(
            f"{options.run} contains no {RESULTS}; conformance judge or conformance run --replay writes it"
        )
    run = load(options.run)
    if options.rule is None:
        return _list(run)
    line = _wanted(run, options.rule)
    try:
        text = issue(run, line, *cause_of(run, line))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CommandError(f"the exchange of {line.id} cannot be read: {error}") from None
    # Older versions recorded it.
    text = redact_value([os.environ.get(one.api_key_env, "") for one in CONTRACTS.values()], text)
    if options.output is None:
        print(text, end="")
        return 0
    try:
        write_atomically(options.output, text)
    except OSError as error:
        raise CommandError(f"{options.output} cannot be written: {error.strerror}") from None
    print(options.output)
    return 0


def _list(run: Results) -> int:
    """Print the rules that an issue can be written about, one a line: root causes, then their consequences."""
    failing = [one.requirement for one in _failing(run)]
    found = [cause.rule for cause in causes(run.cases) if cause.rule in failing]
    rules = list(dict.fromkeys([*found, *failing]))
    widest = max(map(len, rules), default=0)
    causing = {line.requirement: one.rule for one in causes(run.cases) for line in one.consequences}
    for rule in rules:
        print(rule if rule in found else f"{rule:<{widest}}  consequence of {causing[rule]}")
    if rules:
        print("conformance report-bug RUN RULE writes the issue about one of them", file=sys.stderr)
    else:
        print("no rule failed in this run")
    return 0


def _failing(run: Results) -> list[CaseRecord]:
    return [one for one in run.cases if one.has_problem and one.verdict != STALE and one.findings]


def _wanted(run: Results, name: str) -> CaseRecord:
    """The failed case named by the argument, or the simplest failed case of the rule."""
    rule, _, scenario = name.partition("@")
    failing = _failing(run)
    found = [one for one in failing if one.requirement == rule and scenario in ("", one.scenario)]
    if not found:
        raise CommandError(_why_not(run, failing, rule, scenario))
    wanted = {one.id for one in found}
    reported = [one for cause in causes(run.cases) for one in cause.cases if one.id in wanted]
    # A root cause by its first case; a consequence by its simplest case.
    return reported[0] if reported else min(found, key=readability_key)


def _why_not(run: Results, failing: Sequence[CaseRecord], rule: str, scenario: str) -> str:
    cases = [one for one in run.cases if one.requirement == rule]
    here = [one for one in cases if one.scenario == scenario]
    if scenario and cases and not here:
        says = f"{rule} has no case with scenario {scenario!r} in this run"
        names = [one.scenario for one in failing if one.requirement == rule]
        return f"{says}{_suggest('it fails with', scenario, names) if names else ', and fails with no other'}"
    if cases:
        quiet = ", ".join(
            name for name in VERDICTS_WITHOUT_PROBLEM if any(one.verdict == name for one in here or cases)
        )
        says = f"{rule}{'@' * bool(scenario)}{scenario} does not fail in this run ({quiet or 'no finding'})"
    else:
        says = f"no rule {rule!r} in this run"
    names = list(dict.fromkeys(one.requirement for one in failing))
    return f"{says}{_suggest('failed rules with similar names:', rule, names) if names else '; no rule failed'}"


def _suggest(words: str, wanted: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(wanted, names, n=_NEAREST, cutoff=0.0)
    return f"; {words} {', '.join(near)}"
