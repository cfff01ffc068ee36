"""The parts of the terminal summary of a run: areas, root causes, scores, affected clients, next commands."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from conformance.contract.rules import CLIENTS
from conformance.judge.normalise import without_numbers
from conformance.judge.verdict import FAIL, INCONCLUSIVE, NOT_APPLICABLE, PASS, WARNING
from conformance.report.columns import counted, fit, labelled, listed, wrapped
from conformance.report.failure import affects, printable, show
from conformance.results import plain_words, score
from conformance.results.causes import Cause, causes
from conformance.results.levels import PASSES, level_results
from conformance.results.records import CaseRecord, RunEnd
from conformance.results.results_file import Results

#: The columns of the table of areas: verdict and title. Verdicts of ``_LAST`` follow those that are not listed here.
_COLUMNS = ((PASS, "passed"), (FAIL, "failed"), (WARNING, "warned"), (INCONCLUSIVE, "inconclusive"))
_LAST = ((NOT_APPLICABLE, "not applicable"),)

#: Maximum number of further messages, and of listed names, of one root cause.
_MAX_MESSAGES, _MAX_NAMES = 3, 5

Lines = Sequence[CaseRecord]


def areas(lines: Lines) -> Iterator[str]:
    """A table with one row an area and one column a verdict."""
    counts = score.by_area(lines)
    usual = dict((*_COLUMNS, *_LAST))
    rare = sorted({verdict for count in counts.values() for verdict in count if verdict not in usual})
    columns = (*_COLUMNS, *((verdict, verdict) for verdict in rare), *_LAST)
    yield f"{'area':<14}" + "".join(f"  {title:>6}" for _, title in columns)
    for area, count in counts.items():
        yield f"{fit(area, 14):<14}" + "".join(
            f"  {count[verdict] or '.':>{max(6, len(title))}}" for verdict, title in columns
        )


def beside(cause: Cause) -> Iterator[str]:
    """The further cases of a root cause, grouped by message, its consequences and the affected clients."""
    known = {without_numbers(one.message) for one in cause.cases[0].findings}
    same: list[str] = []
    others = 0
    for line in cause.cases[1:]:
        new = next((one for one in line.findings if without_numbers(one.message) not in known), None)
        if new is None or others >= _MAX_MESSAGES:
            same.append(line.scenario)
            continue
        others += 1
        known |= {without_numbers(one.message) for one in line.findings}
        yield from labelled("also", f"@{line.scenario}: {show(new.message, 160)}")
    if same:
        noun = "further exchange" if " " in same[0] else "further scenario"  # As in plain_words.in_scenario.
        yield from labelled("also in", f"{counted(len(same), noun)}: {listed(same, _MAX_NAMES)}")
    if cause.consequences:
        rules = list(dict.fromkeys(line.requirement for line in cause.consequences))
        shown = listed(rules, _MAX_NAMES)
        yield from labelled("grouped", f"{counted(len(cause.consequences), 'consequence')}: {shown}")
    yield from affects(cause.rule, cause.clients)


def brief(cause: Cause) -> Iterator[str]:
    """A root cause on one line, and the clients that it affects."""
    first = cause.cases[0]
    yield fit(f"  {first.id}  {show(first.message)}")
    yield from affects(cause.rule, cause.clients)


def reasons(lines: Lines) -> Iterator[str]:
    """The number of inconclusive cases by cause, then the reasons of the others, the most frequent one first."""
    if lines_before := plain_words.not_evaluated(lines):
        yield f"  {lines_before}"
    for why, names in score.reasons([line for line in lines if not line.cause]):
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        for number, line in enumerate(wrapped(f"{names[0]}{more}: {show(why, 200)}", 76)):
            yield ("  " if number == 0 else "    ") + line


def hanging(line: str) -> Iterator[str]:
    """A numbered line, wrapped to 80 columns and aligned below its text."""
    for place, piece in enumerate(wrapped(printable(line), 75)):
        yield ("  " if place == 0 else "     ") + piece


def affected_clients(lines: Lines) -> str:
    """The number of root causes that affect each client, then the clients that stop at what the contract allows."""
    counts = score.affected_clients(causes(lines))
    clients = " · ".join(f"{CLIENTS[name]} {number}" for name, number in counts.items())
    allowed = ", ".join(score.clients_of_allowed(lines))
    if allowed:
        violations = f"{clients} (root causes)" if clients else "no client by a violation"
        return f"{violations}; {allowed} by what the contract allows"
    return f"{clients} (root causes)" if clients else "no client, by the recorded trials"


def scores(lines: Lines) -> Iterator[str]:
    """One line a level: passed of evaluated cases, and passed rules."""
    for one in score.scores(lines):
        share = "unknown" if one.mostly_inconclusive else one.percent
        line = f"  {one.level:<7} {one.passed:>5,} of {one.evaluated:>5,} cases {share:>7}"
        line += f"   {one.rules_passed:>3} of {one.rules:>3} rules passed"
        yield line + (f", {one.inconclusive_cases} inconclusive" if one.inconclusive_cases else "")


def levels(run: Results) -> Iterator[str]:
    """The levels that the run passes, and why it does not pass the first of the others."""
    found = level_results(run.head, run.cases, run.end)
    passed = [one.name for one in found if one.state == PASSES]
    others = [one for one in found if one.state != PASSES]
    if found:
        yield f"  levels  {', '.join(passed) or 'none'} passed"
    if others:
        yield from ("          " + line for line in wrapped(show(others[0].says, 200), 70))


def totals(end: RunEnd) -> str:
    """The requests, tokens and seconds of the run."""
    requests, tokens = end.requests, end.tokens
    sent = f" ({end.attempts:,} attempts)" if end.attempts > requests else ""
    used = f", {tokens.input:,} input tokens, {tokens.output:,} output tokens" if tokens.input or tokens.output else ""
    return f"{counted(requests, 'request')}{sent}{used}{f' ({end.cost})' if end.cost else ''}, {end.seconds:.1f} s"


def latency(end: RunEnd) -> Iterator[str]:
    """The percentiles of the time to the first byte and of the longest gap of the responses."""
    for what, times in (("first byte", end.first_byte), ("longest gap of a response", end.event_gap)):
        if times:
            yield f"{what}: {times}"


def following(found: Sequence[Cause], again: str, written: Mapping[str, str], run: Path | None) -> Iterator[str]:
    """The next commands, each on one line so that it can be copied, and the written files. ``run`` is the folder from
    which a baseline can be written; None for captured traffic, which has no baseline."""
    if found:
        yield f"  rerun the first case   {again} --only {quoted(found[0].cases[0].id)}"
    if found and run is None and not written:
        yield f"  write all findings     {again} --results results.jsonl"
    if run and any(cause.verdict == FAIL for cause in found):
        words = f"conformance baseline {quoted(str(run))} --output baseline.toml --reason TEXT"
        yield f"  expect these failures  {words}"
        yield f"{'':25}(then --baseline baseline.toml: only new ones fail)"
    if written.get("html"):
        yield f"  open the report        {'open' if sys.platform == 'darwin' else 'xdg-open'} {quoted(written['html'])}"
    for kind, path in written.items():
        if kind != "html":
            yield f"  {kind:<21}  {printable(path)}"


def quoted(text: str) -> str:
    """The text as one word of a POSIX shell."""
    if text and all(letter.isalnum() or letter in "/._-+:=" for letter in text) and text.isascii():
        return text
    return "'" + printable(text).replace("'", "'\\''") + "'"
