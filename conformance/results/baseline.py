"""Expected failures: a TOML file of cases that are known to fail, each with its message and a reason.

One line an entry, under one table::

    [expected]
    "case or glob" = { message = "what it must contain", reason = "why it is accepted", link = "", until = 2026-12-31 }

Applying a baseline is a pure function of case lines. A case that fails as listed becomes ``expected``; an entry that
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
from typing import Any

from conformance.judge.verdict import EXPECTED, FAIL, INCONCLUSIVE, NOT_APPLICABLE, PASS, STALE, WARNING
from conformance.results.normalise import message_pattern

#: Verdicts that an entry may expect.
EXPECTABLE = (FAIL, WARNING, INCONCLUSIVE)

#: Longest part of a message that a ready entry quotes.
_QUOTED = 120

Line = Mapping[str, Any]


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

    def as_json(self) -> dict[str, str]:
        """As the end line of a results file has it."""
        return {"kind": self.kind, "entry": self.entry.place, "case": self.entry.case, "says": self.says}


def named(case_id: str, globs: Iterable[str]) -> bool:
    """Whether a case is named by any of the globs, or exactly: ids may hold brackets."""
    return any(case_id == glob or fnmatchcase(case_id, glob) for glob in globs)


def literal(entries: Iterable[Entry], known: Iterable[str]) -> list[Entry]:
    """The entries, each that is the id of a case known to name that case only: ids may hold brackets."""
    ids = frozenset(known)
    return [replace(entry, literal=True) if entry.case in ids else entry for entry in entries]


def own_verdict(line: Line) -> str:
    """The verdict of a case line before any baseline: what a score counts."""
    return str(line.get("baseline", {}).get("was", line["verdict"]))


def counted(line: Line) -> str:
    """The verdict of a case line as it counts for the exit code: one that is inconclusive as expected is set aside."""
    not_for_captured = line["verdict"] == EXPECTED and own_verdict(line) == INCONCLUSIVE
    return NOT_APPLICABLE if not_for_captured else str(line["verdict"])


def apply_one(line: Line, entries: Sequence[Entry], today: date) -> dict[str, Any]:
    """A case line as the baseline makes it, seen alone."""
    line = bare(line)
    for entry in entries:
        if not entry.names(line["id"]) or _expired(entry, today):
            continue
        if _holds(line, entry):
            return _marked(line, entry, EXPECTED)
        settled = line["verdict"] in (PASS, NOT_APPLICABLE)
        if settled and entry.case == line["id"] and entry.verdict != INCONCLUSIVE:
            return _marked(line, entry, STALE)
    return line


def apply(
    lines: Iterable[Line], entries: Sequence[Entry], known: Sequence[str], today: date, tidy: bool = False
) -> tuple[list[dict[str, Any]], list[Problem]]:
    """The case lines as the baseline makes them, and the entries that do not hold.

    ``known`` are the ids of all cases there are: an entry is only called stale if all the cases it names were judged.
    A case that follows from an expected one is expected too. Lines that have been applied before may be given. With
    ``tidy`` an entry for an inconclusive case is a problem too where the case passes or has another reason.
    """
    plain = [bare(line) for line in lines]
    if not entries:
        return plain, []
    known = list(dict.fromkeys([*known, *(line["id"] for line in plain)]))
    entries = literal(entries, known)
    ids = frozenset(known)
    reach = {entry: ids & {entry.case} if entry.exact else frozenset(filter(entry.names, known)) for entry in entries}
    about: dict[str, list[Entry]] = {}
    for entry in entries:
        for case in reach[entry]:
            about.setdefault(case, []).append(entry)
    evaluated: dict[Entry, list[Line]] = {}
    for line in plain:
        for entry in about.get(line["id"], ()):
            evaluated.setdefault(entry, []).append(line)
    made = [apply_one(line, about.get(line["id"], ()), today) for line in plain]
    problems = [
        found
        for entry in entries
        if (found := _problem(entry, evaluated.get(entry, []), reach[entry], known, today, tidy))
    ]
    return _followers(made), [*problems, *_duplicates(entries, reach)]


def _followers(made: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A case that only follows from an expected failure needs no entry of its own."""
    marks = {line["id"]: line["baseline"] for line in made if line["verdict"] == EXPECTED}
    return [
        {**line, "verdict": EXPECTED, "baseline": {**marks[line["cause"]], "was": line["verdict"]}}
        if line["verdict"] in EXPECTABLE and line.get("cause") in marks
        else line
        for line in made
    ]


def _problem(
    entry: Entry, evaluated: Sequence[Line], reach: frozenset[str], known: Sequence[str], today: date, tidy: bool
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
    others = [line for line in evaluated if line["verdict"] in wrong and not _unsettled(line, entry)]
    if others:
        return _changed(entry, others[0])
    if lenient:
        return None
    gone = [line for line in evaluated if line["verdict"] in (PASS, NOT_APPLICABLE)]
    if len(gone) < len(reach):
        return None  # Some were not asked, or could not be judged: nobody can tell.
    now = "is not-applicable" if all(line["verdict"] == NOT_APPLICABLE for line in gone) else "passes"
    return Problem("stale", entry, f"it {now} now: delete the line")


def _changed(entry: Entry, line: Line) -> Problem:
    if line["verdict"] != entry.verdict:
        what = f"its verdict is {line['verdict']}, not {entry.verdict}"
    else:
        what = f"it is {line['verdict']} with another message: {_described(_messages(line)[0])}"
    if not entry.exact:
        return Problem("changed", entry, f"{line['id']}: {what}; delete or change the line")
    new = ready(line["id"], line["verdict"], _messages(line), entry.reason, entry.link, entry.until)
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


def _unsettled(line: Line, entry: Entry) -> bool:
    """A case that could not be judged says nothing about an entry that expects a failure."""
    return line["verdict"] == INCONCLUSIVE and entry.verdict != INCONCLUSIVE


def _holds(line: Line, entry: Entry) -> bool:
    """Whether the case fails as listed: each thing found, or another defect could hide behind the entry."""
    found = _messages(line)
    return line["verdict"] == entry.verdict and bool(found) and all(_contains(one, entry) for one in found)


def _contains(message: str, entry: Entry) -> bool:
    told = message_pattern(message)
    return any(part in message or message_pattern(part) in told for part in entry.messages)


def _messages(line: Line) -> list[str]:
    return [one["message"] for one in line["findings"]] or ([line["reason"]] if line["reason"] else [])


def _marked(line: dict[str, Any], entry: Entry, verdict: str) -> dict[str, Any]:
    mark = {"was": line["verdict"], "entry": entry.place, "reason": entry.reason, "link": entry.link}
    return {**line, "verdict": verdict, "baseline": mark}


def bare(line: Line) -> dict[str, Any]:
    """The line before any baseline."""
    return {name: value for name, value in line.items() if name != "baseline"} | {"verdict": own_verdict(line)}


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


def ready_for(line: Line, reason: str = "") -> str:
    """The ready entry of a case line."""
    return ready(line["id"], own_verdict(line), _messages(line), reason)


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
