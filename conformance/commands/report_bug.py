"""``conformance report-bug``: a broken rule of a run as an issue, ready to be sent."""

from __future__ import annotations

import argparse
import difflib
import os
from collections.abc import Sequence
from pathlib import Path

from conformance.commands import CommandError
from conformance.commands.runs import load
from conformance.contract.revisions import CONTRACTS
from conformance.engine.redaction import redact_value
from conformance.exchange.run_directory import RESULTS, write_atomically
from conformance.judge.verdict import STALE
from conformance.report.bug import issue
from conformance.results.causes import Cause, causes, readability_key
from conformance.results.records import VERDICTS_WITHOUT_PROBLEM, CaseRecord
from conformance.results.results_file import Results

HELP = "a broken rule of a recorded run as a Markdown issue: what, evidence, reproduction, affected clients"

#: Rules that are offered in the place of one that does not fail.
_NEAREST = 3


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which rule of which run."""
    parser.add_argument("run", type=Path, metavar="RUN", help="run folder or results file")
    parser.add_argument("rule", metavar="RULE[@SCENARIO]", help="a rule that fails there, or one case of it")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write it there (default: standard output)")


def main(options: argparse.Namespace) -> int:
    """Write the issue."""
    if options.run.is_dir() and (options.run / "run.json").exists() and not (options.run / RESULTS).exists():
        raise CommandError(f"{options.run} holds no {RESULTS}: conformance judge or --replay judges what is recorded")
    run = load(options.run)
    line = _wanted(run, options.rule)
    try:
        text = issue(run, line, *_cause(run, line))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CommandError(f"the exchange of {line.id} cannot be read: {error}") from None
    # A recording of an older suite may hold it.
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


def _wanted(run: Results, name: str) -> CaseRecord:
    """The broken case that is read fastest, or the one that is named."""
    rule, _, scenario = name.partition("@")
    failing = [one for one in run.cases if one.has_problem and one.verdict != STALE and one.findings]
    found = [one for one in failing if one.requirement == rule and scenario in ("", one.scenario)]
    if not found:
        raise CommandError(_why_not(run, failing, rule, scenario))
    wanted = {one.id for one in found}
    told = [one for cause in causes(run.cases) for one in cause.cases if one.id in wanted]
    # The rule by its own case, where it is a cause; else by what is read fastest of what follows from others.
    return told[0] if told else min(found, key=readability_key)


def _why_not(run: Results, failing: Sequence[CaseRecord], rule: str, scenario: str) -> str:
    cases = [one for one in run.cases if one.requirement == rule]
    here = [one for one in cases if one.scenario == scenario]
    if scenario and cases and not here:
        says = f"{rule} has no case at {scenario!r} in this run"
        names = [one.scenario for one in failing if one.requirement == rule]
        return f"{says}{_offer('it fails at', scenario, names) if names else ', and fails nowhere'}"
    if cases:
        quiet = ", ".join(
            name for name in VERDICTS_WITHOUT_PROBLEM if any(one.verdict == name for one in here or cases)
        )
        says = f"{rule}{'@' * bool(scenario)}{scenario} does not fail in this run ({quiet or 'no finding'})"
    else:
        says = f"no rule {rule!r} in this run"
    names = list(dict.fromkeys(one.requirement for one in failing))
    return f"{says}{_offer('failing, nearest by name:', rule, names) if names else '; nothing fails there'}"


def _offer(words: str, wanted: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(wanted, names, n=_NEAREST, cutoff=0.0)
    return f"; {words} {', '.join(near)}"


def _cause(run: Results, line: CaseRecord) -> tuple[Cause, str]:
    """The cases of the rule with what follows from it, and the rule that it was put under, if there is one."""
    same = [one for one in run.cases if one.requirement == line.requirement and one.has_problem]
    for cause in causes(run.cases):
        if cause.rule == line.requirement and any(one.id == line.id for one in cause.cases):
            return cause, ""
        if any(one.id == line.id for one in cause.consequences):
            alone = Cause(line.requirement, line.level, line.verdict, tuple(same), ())
            return alone, cause.cases[0].id
    return Cause(line.requirement, line.level, line.verdict, tuple(same), ()), ""
