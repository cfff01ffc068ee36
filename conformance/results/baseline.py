"""Expected failures: a TOML file of cases that are known to fail, each with its message and a reason.

One line an entry, under one table::

    [expected]
    "case or glob" = { message = "what it must contain", reason = "why it is accepted", link = "", until = 2026-12-31 }

Applying a baseline is a pure function of the cases. A case that fails as listed becomes ``expected``; an entry that
does not hold is a :class:`Problem`, and fails the run. An expected failure still counts against a score.

An entry may expect that a case is inconclusive. It holds for that reason only, and it hides no failure; but whether a
case can be judged may differ from run to run (a model calls a tool or does not), so that it is no problem if the case
passes, or is inconclusive for another reason: such a case just keeps its own verdict.
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
from conformance.results.records import BaselineMark, CaseRecord, ProblemRecord

#: Verdicts that an entry may expect.
EXPECTABLE = (FAIL, WARNING, INCONCLUSIVE)

#: Longest part of a message that a ready entry quotes.
_QUOTED = 120


@dataclass(frozen=True)
class Entry:
    """One expected failure. ``case`` is an id or a glob; each message found must contain one of ``messages``;
    ``until`` is the last day it holds; ``file`` and ``line`` (from 1; 0 if not found) say where it stands. ``literal``:
    it is the id of a case, whose brackets are no glob's (see :func:`literal`)."""

    case: str
    verdict: str
    messages: tuple[str, ...]
    reason: str
    link: str = ""
    until: date | None = None
    file: str = ""
    line: int = 0
    literal: bool = False

    @property
    def place(self) -> str:
        """``file:line``."""
        return f"{self.file}:{self.line}" if self.line else self.file

    @cached_property
    def exact(self) -> bool:
        """Whether it names one case and is no glob."""
        return self.literal or not set("*?[") & set(self.case)

    def names(self, case_id: str) -> bool:
        """Whether it is about this case."""
        return case_id == self.case if self.exact else named(case_id, (self.case,))


@dataclass(frozen=True)
class Problem:
    """An entry that does not hold: ``unmatched``, ``stale``, ``changed``, ``duplicate`` or ``expired``."""

    kind: str
    entry: Entry
    says: str

    @property
    def record(self) -> ProblemRecord:
        """As the end of a results file has it."""
        return ProblemRecord(self.kind, self.entry.place, self.entry.case, self.says)


def named(case_id: str, globs: Iterable[str]) -> bool:
    """Whether a case is named by any of the globs, or exactly: ids may hold brackets."""
    return any(case_id == glob or fnmatchcase(case_id, glob) for glob in globs)


def literal(entries: Iterable[Entry], known: Iterable[str]) -> list[Entry]:
    """The entries, each that is the id of a case known to name that case only: ids may hold brackets."""
    ids = frozenset(known)
    return [replace(entry, literal=True) if entry.case in ids else entry for entry in entries]


def _apply_one(line: CaseRecord, entries: Sequence[Entry], today: date) -> CaseRecord:
    """A case as the baseline makes it, seen alone."""
    for entry in entries:
        if not entry.names(line.id) or _expired(entry, today):
            continue
        if _holds(line, entry):
            return _marked(line, entry, EXPECTED)
        settled = line.verdict in (PASS, NOT_APPLICABLE)
        if settled and entry.case == line.id and entry.verdict != INCONCLUSIVE:
            return _marked(line, entry, STALE)
    return line


def apply(
    lines: Iterable[CaseRecord], entries: Sequence[Entry], known: Sequence[str], today: date, tidy: bool = False
) -> tuple[list[CaseRecord], list[Problem]]:
    """The cases as the baseline makes them, and the entries that do not hold.

    ``known`` are the ids of all cases there are: an entry is only called stale if all the cases it names were judged.
    A case that follows from an expected one is expected too. With ``tidy`` an entry for an inconclusive case is a
    problem too where the case passes or has another reason.
    """
    plain = list(lines)
    if not entries:
        return plain, []
    known = list(dict.fromkeys([*known, *(line.id for line in plain)]))
    entries = literal(entries, known)
    ids = frozenset(known)
    reach = {entry: ids & {entry.case} if entry.exact else frozenset(filter(entry.names, known)) for entry in entries}
    about: dict[str, list[Entry]] = {}
    for entry in entries:
        for case in reach[entry]:
            about.setdefault(case, []).append(entry)
    evaluated: dict[Entry, list[CaseRecord]] = {}
    for line in plain:
        for entry in about.get(line.id, ()):
            evaluated.setdefault(entry, []).append(line)
    made = [_apply_one(line, about.get(line.id, ()), today) for line in plain]
    problems = [
        found
        for entry in entries
        if (found := _problem(entry, evaluated.get(entry, []), reach[entry], known, today, tidy))
    ]
    return _followers(made), [*problems, *_duplicates(entries, reach)]


def _followers(made: list[CaseRecord]) -> list[CaseRecord]:
    """A case that only follows from an expected failure needs no entry of its own."""
    marks = {line.id: line.baseline for line in made if line.verdict == EXPECTED and line.baseline}
    return [
        replace(line, verdict=EXPECTED, baseline=replace(marks[line.cause], was=line.verdict))
        if line.verdict in EXPECTABLE and line.cause in marks
        else line
        for line in made
    ]


def _problem(
    entry: Entry, evaluated: Sequence[CaseRecord], reach: frozenset[str], known: Sequence[str], today: date, tidy: bool
) -> Problem | None:
    """What is wrong with an entry that reaches these cases, of which ``judged`` were judged; None if nothing is."""
    if _expired(entry, today):
        return Problem("expired", entry, f"it held until {entry.until}: delete the line, or give a later date")
    if not reach:
        near = difflib.get_close_matches(entry.case, known, n=1) if entry.exact else []
        meant = f"; did you mean {near[0]!r}?" if near else ""
        return Problem("unmatched", entry, f"no case has this name: delete the line{meant}")
    if any(_holds(line, entry) for line in evaluated):
        return None
    lenient = entry.verdict == INCONCLUSIVE and not tidy
    wrong = (FAIL,) if lenient else EXPECTABLE
    others = [line for line in evaluated if line.verdict in wrong and not _unsettled(line, entry)]
    if others:
        return _changed(entry, others[0])
    if lenient:
        return None
    gone = [line for line in evaluated if line.verdict in (PASS, NOT_APPLICABLE)]
    if len(gone) < len(reach):
        return None  # Some were not asked, or could not be judged: nobody can tell.
    now = "is not-applicable" if all(line.verdict == NOT_APPLICABLE for line in gone) else "passes"
    return Problem("stale", entry, f"it {now} now: delete the line")


def _changed(entry: Entry, line: CaseRecord) -> Problem:
    if line.verdict != entry.verdict:
        what = f"its verdict is {line.verdict}, not {entry.verdict}"
    else:
        what = f"it is {line.verdict} with another message: {_described(line.messages[0])}"
    if not entry.exact:
        return Problem("changed", entry, f"{line.id}: {what}; delete or change the line")
    new = ready(line.id, line.verdict, line.messages, entry.reason, entry.link, entry.until)
    return Problem("changed", entry, f"{what}; change the line to\n{new}")


def _duplicates(entries: Sequence[Entry], reach: Mapping[Entry, frozenset[str]]) -> list[Problem]:
    found = []
    first: dict[str, int] = {}
    for number, entry in enumerate(entries):
        if earlier := [first[case] for case in reach[entry] if case in first]:
            other = entries[min(earlier)]
            says = f"{min(reach[entry] & reach[other])} is listed at {other.place} too: delete one of the two lines"
            found.append(Problem("duplicate", entry, says))
        for case in reach[entry]:
            first.setdefault(case, number)
    return found


def _expired(entry: Entry, today: date) -> bool:
    return entry.until is not None and entry.until < today


def _unsettled(line: CaseRecord, entry: Entry) -> bool:
    """A case that could not be judged says nothing about an entry that expects a failure."""
    return line.verdict == INCONCLUSIVE and entry.verdict != INCONCLUSIVE


def _holds(line: CaseRecord, entry: Entry) -> bool:
    """Whether the case fails as listed: each thing found, or another defect could hide behind the entry."""
    found = line.messages
    return line.verdict == entry.verdict and bool(found) and all(_contains(one, entry) for one in found)


def _contains(message: str, entry: Entry) -> bool:
    told = message_pattern(message)
    return any(part in message or message_pattern(part) in told for part in entry.messages)


def _marked(line: CaseRecord, entry: Entry, verdict: str) -> CaseRecord:
    return replace(line, verdict=verdict, baseline=BaselineMark(line.verdict, entry.place, entry.reason, entry.link))


# -- ready entries -----------------------------------------------------------------------------------------------------


def ready(
    case: str, verdict: str, messages: Iterable[str], reason: str = "", link: str = "", until: date | None = None
) -> str:
    """The line of a baseline file that expects this; the reason is for a person to give."""
    told = {message_pattern(part): quoted(part) for part in map(_described, messages)}
    parts = list(told.values()) or [quoted("")]
    members = [] if verdict == FAIL else [f'verdict = "{verdict}"']
    members.append(f"message = {parts[0] if len(parts) == 1 else '[' + ', '.join(parts) + ']'}")
    members.append(f"reason = {quoted(reason)}")
    members += [f"link = {quoted(link)}"] if link else []
    members += [f"until = {until.isoformat()}"] if until else []
    return f"{quoted(case)} = {{ {', '.join(members)} }}"


def ready_for(line: CaseRecord, reason: str = "") -> str:
    """The ready entry of a case line."""
    return ready(line.id, line.own_verdict, line.messages, reason)


def quoted(text: str) -> str:
    """A TOML string of one line; what UTF-8 cannot hold becomes a question mark."""
    escaped = "".join(
        f"\\{letter}" if letter in '"\\' else letter if letter.isprintable() else f"\\U{ord(letter):08x}"
        for letter in text.encode("utf-8", "replace").decode("utf-8")
    )
    return f'"{escaped}"'


def _described(message: str) -> str:
    """The beginning of a message, without what differs from run to run where it is cut, and what a file cannot hold."""
    told = message[:_QUOTED]
    for place, letter in enumerate(told):
        if "\ud800" <= letter <= "\udfff":
            return told[:place]
    if len(message) > _QUOTED and told.count("'") % 2:
        return told[: told.rindex("'")]
    return told
