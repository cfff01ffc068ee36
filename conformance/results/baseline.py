"""A baseline: a TOML file of expected failures, each with its message and a reason.

One line for each entry, in one table::

    [expected]
    "case or glob" = { message = "text of the finding", reason = "why it is accepted", link = "", until = 2026-12-31 }

Applying a baseline is a pure function of the cases. A case that fails as an entry expects gets the verdict
``expected``. An entry that does not apply is a :class:`Problem` and makes the run fail. An expected failure still
counts as a failure in the score.

An entry can expect a case to be inconclusive; it never changes a failure. Whether a case can be evaluated can differ
between runs, for instance if the model does not call a tool. Therefore it is no problem if such a case passes or is
inconclusive for another reason: it keeps its own verdict.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase
from functools import cached_property

from conformance.judge.normalise import message_pattern
from conformance.judge.verdict import EXPECTED, FAIL, INCONCLUSIVE, NOT_APPLICABLE, PASS, STALE, WARNING
from conformance.results.baseline_format import excerpt, format_entry
from conformance.results.records import BaselineMark, CaseRecord, ProblemRecord

#: Verdicts that an entry can expect.
EXPECTABLE = (FAIL, WARNING, INCONCLUSIVE)


@dataclass(frozen=True)
class Entry:
    """One expected failure.

    ``case`` is a case id or a glob. Each message of the case must contain one of ``messages``. ``until`` is the last
    day on which the entry applies (None: no limit). ``file`` and ``line`` (from 1; 0 if unknown) are its location.
    ``literal``: ``case`` is an id, whose brackets are not part of a glob (see :func:`literal`). For a run of some cases
    (``--only``, ``-m``) that did not evaluate ``case``: ``also`` are the rules that failed as
    consequences, each with a message; ``not_evaluated`` are the reasons of cases that were inconclusive because of it.
    """

    case: str
    verdict: str
    messages: tuple[str, ...]
    reason: str
    link: str = ""
    until: date | None = None
    file: str = ""
    line: int = 0
    literal: bool = False
    also: tuple[tuple[str, str], ...] = ()
    not_evaluated: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """``file:line``."""
        return f"{self.file}:{self.line}" if self.line else self.file

    @cached_property
    def exact(self) -> bool:
        """Whether ``case`` is the id of one case, not a glob."""
        return self.literal or not set("*?[") & set(self.case)

    def matches(self, case_id: str) -> bool:
        """Whether the entry applies to this case."""
        return case_id == self.case if self.exact else matches_any(case_id, (self.case,))


@dataclass(frozen=True)
class Problem:
    """An entry that does not apply.

    ``kind`` is ``unmatched`` (no such case), ``stale`` (the case passes), ``changed`` (another verdict or message),
    ``duplicate`` or ``expired``. ``message`` states the reason and the correction; a second line is the new entry.
    """

    kind: str
    entry: Entry
    message: str

    @property
    def record(self) -> ProblemRecord:
        """The record of the problem in the end line of a results file."""
        return ProblemRecord(self.kind, self.entry.place, self.entry.case, self.message)


def matches_any(case_id: str, globs: Iterable[str]) -> bool:
    """Whether one of the globs matches a case id, or is equal to it: ids can contain brackets."""
    return any(case_id == glob or fnmatchcase(case_id, glob) for glob in globs)


def literal(entries: Iterable[Entry], known: Iterable[str]) -> list[Entry]:
    """The entries; those whose ``case`` is a known id are marked as literal, because ids can contain brackets."""
    ids = frozenset(known)
    return [replace(entry, literal=True) if entry.case in ids else entry for entry in entries]


def _apply_one(line: CaseRecord, entries: Sequence[Entry], absent: Sequence[Entry], today: date) -> CaseRecord:
    """The case after applying the entries to it, without regard to its root cause. ``absent`` are the entries of cases
    that the run did not evaluate."""
    for entry in entries:
        if not entry.matches(line.id) or _expired(entry, today):
            continue
        if _is_as_expected(line, entry):
            return _marked(line, entry, EXPECTED)
        is_no_failure = line.verdict in (PASS, NOT_APPLICABLE)
        if is_no_failure and entry.case == line.id and entry.verdict != INCONCLUSIVE:
            return _marked(line, entry, STALE)
    covering = (entry for entry in absent if _covers(entry, line)) if line.verdict in EXPECTABLE else iter(())
    found = next(covering, None)
    return _marked(line, found, EXPECTED) if found else line


def _covers(entry: Entry, line: CaseRecord) -> bool:
    """Whether an entry of a case that the run did not evaluate (``--only``, ``-m``) expects this case: it has the same
    rule and message, or is a consequence. A root cause is listed once, as one of its cases."""
    if line.verdict == INCONCLUSIVE and line.reason.text in entry.not_evaluated:
        return True
    rule = line.id.partition("@")[0]
    if rule == entry.case.partition("@")[0]:
        return _is_as_expected(line, entry)
    messages = tuple(message for name, message in entry.also if name == rule)
    return bool(messages) and _is_as_expected(line, replace(entry, verdict=FAIL, messages=messages))


def apply(
    lines: Iterable[CaseRecord],
    entries: Sequence[Entry],
    known: Sequence[str],
    today: date,
    check_inconclusive: bool = False,
) -> tuple[list[CaseRecord], list[Problem]]:
    """The cases after applying a baseline, and the entries that do not apply.

    ``known`` are the ids of all cases: an entry is stale only if all the cases that it names were evaluated. A
    consequence of an expected case is expected too. With ``check_inconclusive`` an entry for an inconclusive case is
    also a problem if the case passes or has another reason.
    """
    plain = list(lines)
    if not entries:
        return plain, []
    known = list(dict.fromkeys([*known, *(line.id for line in plain)]))
    entries = literal(entries, known)
    ids = frozenset(known)
    matched = {
        entry: ids & {entry.case} if entry.exact else frozenset(filter(entry.matches, known)) for entry in entries
    }
    entries_of: dict[str, list[Entry]] = {}
    for entry in entries:
        for case in matched[entry]:
            entries_of.setdefault(case, []).append(entry)
    evaluated: dict[Entry, list[CaseRecord]] = {}
    for line in plain:
        for entry in entries_of.get(line.id, ()):
            evaluated.setdefault(entry, []).append(line)
    absent_ids = ids - {line.id for line in plain}
    absent = [one for one in entries if one.exact and one.case in absent_ids and not _expired(one, today)]
    marked = [_apply_one(line, entries_of.get(line.id, ()), absent, today) for line in plain]
    problems = [
        found
        for entry in entries
        if (found := _problem(entry, evaluated.get(entry, []), matched[entry], known, today, check_inconclusive))
    ]
    return _mark_consequences(marked), [*problems, *_duplicates(entries, matched)]


def _mark_consequences(marked: list[CaseRecord]) -> list[CaseRecord]:
    """The cases; consequences of an expected failure are marked as expected, without an entry of their own."""
    marks = {line.id: line.baseline for line in marked if line.verdict == EXPECTED and line.baseline}
    return [
        replace(line, verdict=EXPECTED, baseline=replace(marks[line.cause], was=line.verdict))
        if line.verdict in EXPECTABLE and line.cause in marks
        else line
        for line in marked
    ]


def _problem(
    entry: Entry,
    evaluated: Sequence[CaseRecord],
    matched: frozenset[str],
    known: Sequence[str],
    today: date,
    check_inconclusive: bool,
) -> Problem | None:
    """The problem of an entry that matches the ids ``matched``, of which the run evaluated ``evaluated``; None if the
    entry applies, or if too few cases were evaluated to decide."""
    if _expired(entry, today):
        return Problem("expired", entry, f"it was valid until {entry.until}: delete the line, or give a later date")
    if not matched:
        near = difflib.get_close_matches(entry.case, known, n=1) if entry.exact else []
        meant = f"; did you mean {near[0]!r}?" if near else ""
        return Problem("unmatched", entry, f"no case has this name: delete the line{meant}")
    if any(_is_as_expected(line, entry) for line in evaluated):
        return None
    ignores_no_failure = entry.verdict == INCONCLUSIVE and not check_inconclusive
    wrong = (FAIL,) if ignores_no_failure else EXPECTABLE
    differing = [line for line in evaluated if line.verdict in wrong and not _is_undecided(line, entry)]
    if differing:
        return _changed(entry, differing[0])
    if ignores_no_failure:
        return None
    without_failure = [line for line in evaluated if line.verdict in (PASS, NOT_APPLICABLE)]
    if len(without_failure) < len(matched):
        return None  # Some were not sent, or could not be evaluated: the entry is undecided.
    now = "is not-applicable" if all(line.verdict == NOT_APPLICABLE for line in without_failure) else "passes"
    return Problem("stale", entry, f"it {now} now: delete the line")


def _changed(entry: Entry, line: CaseRecord) -> Problem:
    if line.verdict != entry.verdict:
        what = f"the verdict is {line.verdict}, expected {entry.verdict}"
    else:
        what = f"it is {line.verdict} with another message: {excerpt(line.messages[0])}"
    if not entry.exact:
        return Problem("changed", entry, f"{line.id}: {what}; delete or change the line")
    new = format_entry(
        line.id, line.verdict, line.messages, entry.reason, entry.link, entry.until, entry.also, entry.not_evaluated
    )
    return Problem("changed", entry, f"{what}; change the line to\n{new}")


def _duplicates(entries: Sequence[Entry], matched: Mapping[Entry, frozenset[str]]) -> list[Problem]:
    found = []
    first: dict[str, int] = {}
    for number, entry in enumerate(entries):
        if earlier := [first[case] for case in matched[entry] if case in first]:
            other = entries[min(earlier)]
            message = (
                f"{min(matched[entry] & matched[other])} is listed at {other.place} too: delete one of the two lines"
            )
            found.append(Problem("duplicate", entry, message))
        for case in matched[entry]:
            first.setdefault(case, number)
    return found


def _expired(entry: Entry, today: date) -> bool:
    return entry.until is not None and entry.until < today


def _is_undecided(line: CaseRecord, entry: Entry) -> bool:
    """Whether the case is inconclusive and the entry expects a failure: it is then no evidence about the entry."""
    return line.verdict == INCONCLUSIVE and entry.verdict != INCONCLUSIVE


def _is_as_expected(line: CaseRecord, entry: Entry) -> bool:
    """Whether the case fails as the entry expects. Every finding must match: otherwise the entry could hide another
    violation."""
    found = line.messages
    return line.verdict == entry.verdict and bool(found) and all(_contains(one, entry) for one in found)


def _contains(message: str, entry: Entry) -> bool:
    text = message_pattern(message)
    return any(part in message or message_pattern(part) in text for part in entry.messages)


def _marked(line: CaseRecord, entry: Entry, verdict: str) -> CaseRecord:
    return replace(line, verdict=verdict, baseline=BaselineMark(line.verdict, entry.place, entry.reason, entry.link))
