"""The end of a run in lines of 80 columns: areas, what belongs to a cause, score, affected clients, what is next."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence

from conformance.contract.rules import CLIENTS
from conformance.judge.normalise import without_numbers
from conformance.judge.verdict import FAIL, INCONCLUSIVE, NOT_APPLICABLE, PASS, WARNING
from conformance.report.columns import fit, labelled, wrapped
from conformance.report.failure import printable, show
from conformance.results import score
from conformance.results.causes import Cause
from conformance.results.records import CaseRecord, RunEnd

#: A column of the table of areas: the verdict and its heading. The last ones are there only if a case has them.
_COLUMNS = ((PASS, "passed"), (FAIL, "failed"), (WARNING, "warned"), (INCONCLUSIVE, "inconclusive"))
_LAST = ((NOT_APPLICABLE, "not applicable"),)

#: Further messages and scenarios told of one cause.
_ALSO, _NAMES = 3, 5

Lines = Sequence[CaseRecord]


def areas(lines: Lines) -> Iterator[str]:
    """A table: one row an area, one column a verdict."""
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
    """What belongs to a cause beyond its first case: the others, folded by what they say, and what follows."""
    told = {without_numbers(one.message) for one in cause.cases[0].findings}
    same: list[str] = []
    others = 0
    for line in cause.cases[1:]:
        new = next((one for one in line.findings if without_numbers(one.message) not in told), None)
        if new is None or others >= _ALSO:
            same.append(line.scenario)
            continue
        others += 1
        told |= {without_numbers(one.message) for one in line.findings}
        yield from labelled("also", f"@{line.scenario}: {show(new.message, 160)}")
    if same:
        yield from labelled("same", f"in {len(same)} more: {_some(same, 'more')}")
    if cause.consequences:
        rules = list(dict.fromkeys(line.requirement for line in cause.consequences))
        follow = "follows" if len(cause.consequences) == 1 else "follow"
        yield from labelled(
            "follow", f"{len(cause.consequences)} more {follow} from this: {_some(rules, 'rules more')}"
        )
    if others_too := [CLIENTS[name] for name in cause.clients if name not in cause.cases[0].breaks]:
        yield from labelled("affects", f"also, by further cases: {', '.join(others_too)}")


def _some(names: Sequence[str], what: str) -> str:
    more = f" and {len(names) - _NAMES} {what}" if len(names) > _NAMES else ""
    return ", ".join(names[:_NAMES]) + more


def brief(cause: Cause) -> Iterator[str]:
    """A cause on one line, and the clients that it affects."""
    first = cause.cases[0]
    yield fit(f"  {first.id}  {show(first.message)}")
    if cause.clients:
        yield from labelled("affects", ", ".join(CLIENTS[name] for name in cause.clients))


def reasons(lines: Lines) -> Iterator[str]:
    """Why cases are inconclusive, the commonest reason first."""
    for why, names in score.reasons(lines):
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        for number, line in enumerate(wrapped(f"{names[0]}{more}: {show(why, 200)}", 76)):
            yield ("  " if number == 0 else "    ") + line


def affected_clients(found: Sequence[Cause]) -> str:
    """How many causes affect each client."""
    counts = score.affected_clients(found)
    said = (f"{CLIENTS[name]}: {number} cause{'' if number == 1 else 's'}" for name, number in counts.items())
    return " · ".join(said) or "no client, as far as trials show"


def scores(lines: Lines) -> Iterator[str]:
    """A line a level: cases passed of those judged, and rules that hold."""
    for one in score.scores(lines):
        share = "unknown" if one.mostly_inconclusive else one.percent
        line = f"  {one.level:<7} {one.passed:>6,} of {one.evaluated:>6,} cases {share:>7}"
        line += f"   {one.rules_passed:>3} of {one.rules:>3} rules hold"
        yield line + (f", {one.inconclusive_cases} inconclusive" if one.inconclusive_cases else "")


def totals(end: RunEnd) -> str:
    """What the run took."""
    requests, tokens = end.requests, end.tokens
    sent = f" ({end.attempts:,} sent)" if end.attempts > requests else ""
    return (
        f"{requests:,} request{'' if requests == 1 else 's'}{sent}, {tokens.input:,} tokens in, "
        f"{tokens.output:,} out, {end.seconds:.1f} s"
    )


def following(found: Sequence[Cause], again: str, written: Mapping[str, str]) -> Iterator[str]:
    """What to do next: the commands, each whole on its line so that it can be copied."""
    if found:
        yield f"  see the first again    {again} --only {quoted(found[0].cases[0].id)}"
    if written.get("html"):
        yield f"  read it in a browser   {'open' if sys.platform == 'darwin' else 'xdg-open'} {quoted(written['html'])}"
    for kind, path in written.items():
        if kind != "html":
            yield f"  {kind:<21}  {printable(path)}"


def quoted(text: str) -> str:
    """A text as one word of a shell."""
    if text and all(letter.isalnum() or letter in "/._-+:=" for letter in text) and text.isascii():
        return text
    return "'" + printable(text).replace("'", "'\\''") + "'"
