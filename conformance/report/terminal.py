"""What a run says at the terminal: the header, the plan, and the findings by rule at the end."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from conformance.config.settings import SETTINGS
from conformance.config.target import Target
from conformance.exchange.run_directory import RunDirectory
from conformance.judge.verdict import FAIL, INCONCLUSIVE, PASS, WARNING, Case
from conformance.report import summary
from conformance.report.columns import labelled
from conformance.results import score
from conformance.results.causes import Cause, causes
from conformance.results.records import CaseRecord
from conformance.results.results_file import ERROR, Results
from conformance.results.unsupported import unsupported_features as left_out
from conformance.scenarios.context import Context
from conformance.scenarios.plan import Plan, most_output_tokens, uncapped
from conformance.wire.limits import MINUTE

#: Causes of one verdict that are told whole; a wall of them is better read in the page.
_WHOLE = 12

_TITLES = {ERROR: "the suite itself broke", FAIL: "failures", WARNING: "warnings", "expected": "expected failures"}

_RED, _YELLOW, _GREEN = {"red": True}, {"yellow": True}, {"green": True}

_COLOURS: Mapping[str, Mapping[str, bool]] = {ERROR: _RED, FAIL: _RED, WARNING: _YELLOW, PASS: _GREEN}

#: How a line of a failure is coloured, by its first word.
_MARKUP: Mapping[str, Mapping[str, bool]] = {"found": {"bold": True}, "want": _GREEN, "got": _RED}


def interactive(reporter: Any) -> bool:
    """Whether a person watches what pytest's terminal reporter writes."""
    return bool(reporter and reporter.isatty) and not os.environ.get("CI")


def header(target: Target, folder: RunDirectory) -> list[str]:
    """What is judged, with what, and where each setting came from."""
    what = f"a recording of {target.name}" if target.recorded else target.name
    lines = [f"conformance: judging {what} against revision {target.revision}"]
    for setting in SETTINGS:
        value = getattr(target, setting.name.replace("-", "_"))
        value = "no limit" if value is None else f"{value:g}" if isinstance(value, float) else value
        lines.append(f"  {setting.name:<17} {value}  ({target.sources[setting.name]})")
    if target.lacks:
        lines.append(f"  {'lacks':<17} {', '.join(sorted(target.lacks))}  (profile)")
    lines.append(f"  {'run folder':<17} {folder.path}")
    return lines


def show_plan(context: Context, cases: Sequence[Case], writer: Any) -> None:
    """The requests of a run, in the order they are sent, the time they take, and the most they may cost."""
    plan = Plan(context, [name for case in cases for name in case.scenarios])
    writer.line()
    for one in plan.scenarios:
        not_for_captured = f", up to {one.tries} times" if one.tries > 1 else ""
        not_for_captured += f", if {one.within} is not served" if one.within else ""
        writer.line(f"{one.name:<44} {one.description}{not_for_captured}")
    most = sum(one.tries for one in plan.scenarios)
    for line in _limits(context.target, plan.expected, most):
        writer.line(line)
    if free := sum(map(uncapped, plan.scenarios)):
        writer.line(
            f"{free} of them set no usable max_output_tokens: each that is served may cost {plan.uncapped:,} more"
        )
    writer.line(
        f"{plan.expected} requests (at most {most}, where one must be tried again or parameters told apart), "
        f"at most {most_output_tokens(plan.scenarios, plan.uncapped):,} output tokens; nothing was sent"
    )


def _limits(target: Target, requests: int, most: int) -> Iterator[str]:
    """How long the requests take at the target's limits, and which limit stops them."""
    at_a_time = f"{target.concurrency} at a time"
    if target.rpm:
        least, longest = duration(requests, target.rpm), duration(most, target.rpm)
        yield f"at {target.rpm:g} requests a minute, {at_a_time}: {least}, with repeated tries {longest}"
    else:
        yield f"{at_a_time}, as fast as they are answered"
    if target.max_requests and target.max_requests < most:
        yield f"--max-requests {target.max_requests}: what comes after is not sent, and its cases are inconclusive"
    if target.max_output_tokens:
        yield f"--max-output-tokens {target.max_output_tokens}: what might exceed them is not sent"


def duration(requests: int, rpm: float) -> str:
    """The time that so many requests take at that rate: minutes and seconds."""
    minutes, seconds = divmod(round(max(0, requests - 1) * MINUTE / rpm), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


#: Statuses by which a server refuses a credential; 400 for one that it does not find in the header it reads.
_DENIALS = (400, 401, 403)


def hints(lines: summary.Lines) -> Iterator[str]:
    """What a reader may want to set before looking further."""
    failed = {line.requirement for line in lines if line.verdict == FAIL}
    passed = {line.requirement for line in lines if line.verdict == PASS}
    # Any other status says nothing of the header: an endpoint that is gone answers with 404.
    denied = {line.requirement for line in lines for one in line.findings if one.got in _DENIALS} & failed
    for refused, works, lacks in (
        ("auth.api-key-header-accepted", "auth.bearer-accepted", "api-key"),
        ("auth.bearer-accepted", "auth.api-key-header-accepted", "bearer"),
    ):
        if refused in denied and works in passed - failed:
            yield f'only one of the two headers works; lacks = ["{lacks}"] in a target file judges by the other'
    both = {"auth.api-key-header-accepted", "auth.bearer-accepted"}
    if both <= {line.requirement for line in lines for one in line.findings if one.got == 401}:
        yield "the key is refused everywhere: is it the right one?"
    let_in = {line.requirement for line in lines for one in line.findings if one.got == 200}
    if {"auth.missing-key-refused", "auth.wrong-bearer-refused"} <= failed & let_in:
        yield 'no key is checked at all; lacks = ["auth"] in a target file leaves the rules about refusal out'


def show(
    reporter: Any,
    judged: str,
    run: Results,
    text: Callable[[CaseRecord], str],
    again: str,
    written: Mapping[str, str],
) -> None:
    """The end of a run: ``judged`` says what was, ``again`` is the command that does it again, ``written`` where each
    rendering lies (or why it does not), by kind. ``text`` renders a case that stands for itself."""
    lines, end = run.cases, run.end
    found = causes(lines)
    whole = score.run_verdict(lines, end)
    for verdict, group in groupby(found, lambda one: one.verdict):
        _causes(reporter, _TITLES.get(verdict, verdict), list(group), text)
    unsettled = list(summary.reasons(lines))
    if unsettled:
        reporter.section(INCONCLUSIVE, yellow=True)
        for line in unsettled:
            reporter.line(line)
        reporter.line("")
    reporter.section("by area")
    for line in summary.areas(lines):
        reporter.line(line)
    reporter.line("")
    reporter.section(whole.word, bold=True, **_COLOURS.get(whole.verdict, {"yellow": True}))
    reporter.line(whole.says, bold=True)
    for line in summary.scores(lines):
        reporter.line(line)
    reporter.line("")
    told = {
        "affects": summary.affected_clients(found),
        "judged": judged,
        "took": f"{summary.totals(end)}, exit {end.exit}" if end else "the run did not end",
    }
    for label, words in told.items():
        for line in labelled(label, words):
            reporter.line(line)
    for said in score.allowed_deviations(lines):
        for line in labelled("allowed", said):
            reporter.line(line)
    for lack in left_out(lines):
        for line in labelled("lacks", lack.says):
            reporter.line(line)
    for hint in hints(lines):
        for line in labelled("hint", hint):
            reporter.line(line)
    reporter.line("")
    for line in summary.following(found, again, written):
        reporter.line(line)


def _causes(reporter: Any, title: str, found: Sequence[Cause], text: Callable[[CaseRecord], str]) -> None:
    """The causes of one verdict: the first ones on a screen each, the rest on a line each."""
    reporter.section(title, **_COLOURS.get(found[0].verdict, {"yellow": True}))
    for cause in found[:_WHOLE]:
        markup: Mapping[str, bool] = {"bold": True}
        for number, line in enumerate([*text(cause.cases[0]).splitlines(), *summary.beside(cause)]):
            if number and line[:10].strip():  # Else a line goes on.
                markup = _MARKUP.get(line[:8].strip(), {})
            reporter.line(line, **markup)
        reporter.line("")
    for cause in found[_WHOLE:]:
        for line in summary.brief(cause):
            reporter.line(line)
    if found[_WHOLE:]:
        reporter.line("")
