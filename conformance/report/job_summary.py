"""The summary of a run as Markdown, for the page of a CI job or a comment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby

from conformance.contract.rules import CLIENTS, requirement
from conformance.judge.verdict import FAIL, PASS, WARNING
from conformance.report import markdown
from conformance.report.columns import VALUES, counted, listed
from conformance.report.failure import clipped, show
from conformance.report.summary import affected_clients, latency, quoted
from conformance.results import score
from conformance.results.causes import Cause, causes
from conformance.results.levels import FAILS, PASSES, UNKNOWN, LevelResult, level_results
from conformance.results.results_file import Results
from conformance.results.unsupported import unsupported_features

#: Inline code, wide enough for complete commands and messages.
code = partial(markdown.code, width=1_000)

#: Maximum number of root causes in full, and of case ids listed below each.
_CAUSES, _CASES = 20, 5

_SIGNS = {FAIL: "❌", "error": "💥", WARNING: "⚠️", PASS: "✅"}


def render(results: Results, again: str) -> str:
    """The Markdown. ``again`` is the command of the run."""
    return "\n".join(_lines(results, again)) + "\n"


def _lines(results: Results, again: str) -> Iterator[str]:
    verdict = score.run_verdict(results.cases, results.end)
    found = causes(results.cases)
    head = results.head
    yield f"## {_SIGNS.get(verdict.verdict, '❔')} {verdict.word.capitalize()}: {code(head.title)}"
    yield ""
    yield f"{verdict.says} Revision {head.revision}, model {code(head.target.model)}."
    yield ""
    yield "| level | cases passed | | rules passed |"
    yield "| --- | --- | --- | --- |"
    for one in score.scores(results.cases):
        undecided = f", {one.inconclusive_cases} inconclusive" if one.inconclusive_cases else ""
        share = "mostly unknown" if one.mostly_inconclusive else one.percent
        rules = f"{one.rules_passed} of {one.rules}"
        yield f"| {one.level} | {one.passed:,} of {one.evaluated:,}{undecided} | {share} | {rules} |"
    yield ""
    if levels := level_results(head, results.cases, results.end):
        yield f"Levels: {markdown.cell('; '.join(_equal(levels)))}."
        yield ""
    yield f"Affects {affected_clients(results.cases)}."
    yield from (f"- {markdown.cell(one)}" for one in score.allowed_deviations(results.cases))
    for cause in found[:_CAUSES]:
        yield from _cause(cause, again)
    if len(found) > _CAUSES:
        yield ""
        yield f"... and {counted(len(found) - _CAUSES, 'more root cause')}; the results file has all of them."
        for cause in found[_CAUSES:]:
            if cause.clients:
                yield f"- {code(cause.rule)} affects {', '.join(CLIENTS[name] for name in cause.clients)}"
    undecided_cases = list(score.reasons(results.cases))
    if undecided_cases:
        yield ""
        yield "### Inconclusive"
        yield ""
        for why, cases in undecided_cases[:_CAUSES]:
            such = "" if len(cases) == 1 else "such as "
            yield f"- {counted(len(cases), 'case')}: {code(show(why, 200))}, {such}{code(cases[0])}"
    if left := unsupported_features(results.cases):
        yield ""
        yield "### Excluded by the profile"
        yield ""
        yield from (f"- {markdown.cell(one.says)}" for one in left)
    if results.end:
        end, tokens = results.end, results.end.tokens
        yield ""
        yield (
            f"{counted(end.requests, 'request')}, {tokens.input:,} input tokens, "
            f"{tokens.output:,} output tokens, {end.seconds:.1f} s, exit {end.exit}."
        )
        yield from ((f"- {one}") for one in latency(end))


def _equal(levels: Sequence[LevelResult]) -> Iterator[str]:
    """The results of the levels, those with the same one in a single phrase."""
    for (state, why), equal in groupby(levels, lambda one: (one.state, one.why)):
        names = [one.name for one in equal]
        state = state if len(names) == 1 or state == UNKNOWN else {PASSES: "pass", FAILS: "fail"}[state]
        yield f"{', '.join(names)} {state}" + (f" ({why})" if why else "")


def _cause(cause: Cause, again: str) -> Iterator[str]:
    first = cause.cases[0]
    yield ""
    yield f"### {_SIGNS.get(cause.verdict, '❔')} {code(cause.rule)} {cause.level}"
    yield ""
    try:
        row = requirement(cause.rule)
        yield f"{row.says} Source: {row.source}."
        yield ""
    except KeyError:
        pass  # A rule of another version of the suite.
    for one in first.findings[:1]:
        place = f"event {one.event}" if one.event is not None else ""
        pointer = f"at {code(show(one.pointer, 200))}" if one.pointer else ""
        where = ", ".join(part for part in (code(one.scenario) if one.scenario else "", place, pointer) if part)
        yield f"- found {code(show(one.message, 300))}{f' in {where}' if where else ''}"
        for name, value in one.compared.items():
            yield f"- {VALUES[name]} {code(clipped(value, 200))}"
    if why := first.why:
        yield f"- {code(show(why, 300))}"
    if cause.clients:
        yield f"- affects {', '.join(CLIENTS[name] for name in cause.clients)}"
    yield f"- in {listed([code(line.scenario) for line in cause.cases], _CASES)}"
    if cause.consequences:
        rules = list(dict.fromkeys(line.requirement for line in cause.consequences))
        shown = ", ".join(map(code, rules[:_CASES])) + (" and others" if len(rules) > _CASES else "")
        yield f"- {counted(len(cause.consequences), 'consequence')}: {shown}"
    yield f"- rerun {code(again + ' --only ' + quoted(first.id))}"
