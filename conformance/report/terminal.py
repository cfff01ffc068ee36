"""The terminal output of a run: the header, the plan, and the report at the end."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import groupby
from typing import Any

from conformance.config.prices import money
from conformance.config.settings import SETTINGS
from conformance.config.target import Target
from conformance.exchange.run_directory import RESULTS, RunDirectory
from conformance.judge.verdict import EXPECTED, FAIL, INCONCLUSIVE, PASS, WARNING, Case
from conformance.report import expected, summary
from conformance.report.columns import counted, label_of, labelled
from conformance.results import plain_words, score
from conformance.results.baseline import Problem
from conformance.results.causes import Cause, causes
from conformance.results.proposals import proposals
from conformance.results.records import CaseRecord
from conformance.results.results_file import ERROR, Results
from conformance.results.unsupported import unsupported_features as unsupported
from conformance.scenarios.context import Context
from conformance.scenarios.plan import Plan, most_output_tokens, uncapped
from conformance.wire.limits import MINUTE

#: Root causes of one verdict that are shown in full; the HTML report is easier to read for more.
_MAX_SHOWN = 12

_TITLES = {
    ERROR: "internal errors of the suite",
    FAIL: "failures",
    WARNING: "warnings",
}

_RED, _YELLOW, _GREEN = {"red": True}, {"yellow": True}, {"green": True}

_COLOURS: Mapping[str, Mapping[str, bool]] = {ERROR: _RED, FAIL: _RED, WARNING: _YELLOW, PASS: _GREEN}

#: The colour of a line of a failure, by its label.
_MARKUP: Mapping[str, Mapping[str, bool]] = {"found": {"bold": True}, "expected": _GREEN, "received": _RED}


def interactive(reporter: Any) -> bool:
    """Whether pytest's terminal reporter writes to an interactive terminal."""
    return bool(reporter and reporter.isatty) and not os.environ.get("CI")


def header(target: Target, folder: RunDirectory, all_settings: bool = False) -> list[str]:
    """The target, the model, the settings that are not the default with the source of each, and the run folder."""
    what = f"a recording of {target.name}" if target.recorded else target.name
    lines = [f"conformance: checking {what} ({target.model}) against revision {target.revision}"]
    for setting in SETTINGS:
        if target.sources[setting.name] == "default" and not all_settings:
            continue
        value = getattr(target, setting.name.replace("-", "_"))
        value = "no limit" if value is None else f"{value:g}" if isinstance(value, float) else value
        lines.append(f"  {setting.name:<17} {value}  ({target.sources[setting.name]})")
    if target.lacks:
        lines.append(f"  {'lacks':<17} {', '.join(sorted(target.lacks))}  (profile)")
    lines.append(f"  {'run folder':<17} {folder.path}")
    return lines


def show_plan(context: Context, cases: Sequence[Case], writer: Any) -> None:
    """Print the requests of a run in the order they are sent, their duration, and their maximum cost."""
    plan = Plan(context, [name for case in cases for name in case.scenarios])
    writer.line()
    for one in plan.scenarios:
        condition = f", up to {counted(one.tries, 'attempt')}" if one.tries > 1 else ""
        condition += f", only if {one.within} is not served" if one.within else ""
        writer.line(f"{one.name:<44} {one.description}{condition}")
    most = sum(one.tries for one in plan.scenarios)
    for line in _limits(context.target, plan.expected, most):
        writer.line(line)
    if free := sum(map(uncapped, plan.scenarios)):
        writer.line(
            f"{counted(free, 'request')} without a valid max_output_tokens: each may cost {plan.uncapped:,} more tokens"
        )
    tokens = most_output_tokens(plan.scenarios, plan.uncapped)
    if price := money(context.target.prices, 0, tokens):
        writer.line(f"these output tokens cost at most {price}; input tokens are not in it")
    writer.line(
        f"{counted(plan.expected, 'request')} (at most {most} with repeated attempts and requests with one parameter), "
        f"at most {tokens:,} output tokens; nothing was sent"
    )


def _limits(target: Target, requests: int, most: int) -> Iterator[str]:
    """The duration of the requests at the target's limits, and the limits that stop sending."""
    concurrency = f"{target.concurrency} concurrent"
    if target.rpm:
        least, longest = duration(requests, target.rpm), duration(most, target.rpm)
        yield f"at {target.rpm:g} requests a minute, {concurrency}: {least}, with all repeated attempts {longest}"
    else:
        yield f"{concurrency}, without a rate limit"
    if target.max_requests and target.max_requests < most:
        yield f"--max-requests {target.max_requests}: further requests are not sent, and their cases are inconclusive"
    if target.max_output_tokens:
        yield f"--max-output-tokens {target.max_output_tokens}: requests that might exceed it are not sent"


def duration(requests: int, rpm: float) -> str:
    """The time to send ``requests`` at ``rpm`` requests a minute, in minutes and seconds."""
    minutes, seconds = divmod(round(max(0, requests - 1) * MINUTE / rpm), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def hints(lines: summary.Lines) -> Iterator[str]:
    """Settings that the user may need, inferred from the results."""
    both = {"auth.api-key-header-accepted", "auth.bearer-accepted"}
    if both <= {line.requirement for line in lines for one in line.findings if one.got == 401}:
        yield "every request with the key is refused with 401: check the key"
    accepted = [one for one in lines if fnmatchcase(one.requirement, "request.*-accepted") and not _is_simplest(one)]
    failed = next((one for one in lines if _is_simplest(one) and one.findings and "HTTP 5" in one.message), None)
    if failed and not any(one.verdict == PASS for one in accepted):
        words = failed.message.removeprefix("received ")
        yield f"no valid request was served ({words}): see the log of the server, or of the one behind it"
    if busy := {name for line in lines for one in line.blocked if one.by == "HTTP 429" for name in one.scenarios}:
        many = "1 request" if len(busy) == 1 else f"{len(busy)} requests"
        yield (
            f"{many} received 429 in every attempt: --rpm N limits the requests a minute to what the endpoint serves "
            "(a limit of tokens or of a day remains: the recorded responses contain the server's message)"
        )
    for one in proposals(lines):
        yield f"{one.line} in the profile of a target file excludes the rules about it: {one.reason}"


def _is_simplest(line: CaseRecord) -> bool:
    """Whether it is a case of the request that has nothing special, whose model is that of all others."""
    return line.requirement == "request.model-accepted"


def show(
    reporter: Any,
    evaluated: str,
    run: Results,
    text: Callable[[CaseRecord], str],
    again: str,
    written: Mapping[str, str],
    problems: Sequence[Problem] = (),
    captured: bool = False,
) -> None:
    """Print the report of a run.

    ``evaluated`` describes what was evaluated, ``text`` renders the first case of a root cause, ``again`` is the
    command that repeats the run, ``written`` maps each kind of file to its path, or to the reason why it was not
    written. ``problems`` are the entries of a baseline that do not match. ``captured``: it is a run over
    captured traffic, for which there are no baselines.
    """
    lines, end = run.cases, run.end
    found = causes(lines)
    overall = score.run_verdict(lines, end)
    number = 0
    for verdict, grouped in groupby(found, lambda one: one.verdict):
        group = list(grouped)
        if verdict != EXPECTED:
            # The numbers are those of the list at the end, which has failures and warnings only.
            _causes(reporter, _TITLES.get(verdict, verdict), group, text, number if verdict in (FAIL, WARNING) else -1)
            number += len(group) * (verdict in (FAIL, WARNING))
    expected.show(reporter, lines, found, problems)
    undecided = list(summary.reasons(lines))
    if undecided:
        reporter.section(INCONCLUSIVE, yellow=True)
        for line in undecided:
            reporter.line(line)
        reporter.line("")
    reporter.section("by area")
    for line in summary.areas(lines):
        reporter.line(line)
    reporter.line("")
    reporter.section(overall.word, bold=True, **_COLOURS.get(overall.verdict, {"yellow": True}))
    reporter.line(overall.says, bold=True)
    for line in (*summary.scores(lines), *summary.levels(run)):
        reporter.line(line)
    reporter.line("")
    facts = {
        "affects": summary.affected_clients(lines),
        "evaluated": evaluated,
        "run": f"{summary.totals(end)}, exit {end.exit}" if end else "the run did not end",
        **({"latency": "; ".join(summary.latency(end))} if end and end.first_byte else {}),
    }
    for label, words in facts.items():
        for line in labelled(label, words):
            reporter.line(line)
    for tolerance in score.allowed_deviations(lines):
        for line in labelled("allowed", tolerance):
            reporter.line(line)
    for feature in unsupported(lines):
        for line in labelled("excluded", feature.says):
            reporter.line(line)
    for hint in hints(lines):
        for line in labelled("hint", hint):
            reporter.line(line)
    reporter.line("")
    folder = run.path.parent if run.path.name == RESULTS else run.path
    for line in summary.following(found, again, written, None if captured else folder):
        reporter.line(line)
    if listed := list(plain_words.listed(lines)):
        reporter.line("")
        for one in listed:
            for piece in summary.hanging(one):
                reporter.line(piece)


def _causes(reporter: Any, title: str, found: Sequence[Cause], text: Callable[[CaseRecord], str], before: int) -> None:
    """Print the root causes of one verdict: the first ones in full, the others on a line each. ``before`` is the number
    of causes in the sections before, or -1 if the causes have no number."""
    reporter.section(title, **_COLOURS.get(found[0].verdict, {"yellow": True}))
    for at, cause in enumerate(found[:_MAX_SHOWN], before + 1):
        markup: Mapping[str, bool] = {"bold": True}
        rendered = text(cause.cases[0])
        rendered = f"{at}. {rendered}" if at else rendered
        for number, line in enumerate([*rendered.splitlines(), *summary.beside(cause)]):
            if number and (label := label_of(line)):  # A continuation line keeps the colour.
                markup = _MARKUP.get(label, {})
            reporter.line(line, **markup)
        reporter.line("")
    for cause in found[_MAX_SHOWN:]:
        for line in summary.brief(cause):
            reporter.line(line)
    if found[_MAX_SHOWN:]:
        reporter.line("")
