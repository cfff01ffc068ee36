"""Baseline files: read with the place of each entry, and rewritten line by line so that comments stay."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from conformance.config.target import Misconfigured
from conformance.judge.verdict import EXPECTED, FAIL
from conformance.results.baseline import EXPECTABLE, Entry, Problem, apply, quoted, ready_for
from conformance.results.records import CaseRecord

_TABLE = "expected"

#: The beginning of a new file.
HEADER = (
    "# Failures that are known and accepted for now; docs/nightly.md says what each member means.\n"
    '# "case or glob" = { message = "...", reason = "...", link = "...", until = 2026-12-31 }\n'
    f"[{_TABLE}]\n"
)

_MEMBERS = ("verdict", "message", "reason", "link", "until")


def read(paths: Iterable[Path]) -> tuple[Entry, ...]:
    """The entries of these files in order; :class:`Misconfigured` names the first fault and its line."""
    return tuple(entry for path in paths for entry in parse(_text(path), str(path)))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"baseline {path} cannot be read: {error}") from None


def parse(text: str, file: str, needs_reason: bool = True) -> list[Entry]:
    """The entries in a file's text; ``file`` is its name in messages."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured(f"baseline {file} is not TOML: {error}") from None
    table = document.pop(_TABLE, {})
    if document or not isinstance(table, dict):
        strange = next(iter(document), _TABLE)
        raise Misconfigured(f"baseline {file}: {strange!r} is not known; entries stand in one table [{_TABLE}]")
    lines = text.splitlines()
    return [_entry(case, given, file, _line_of(lines, case), needs_reason) for case, given in table.items()]


def _entry(case: str, given: Any, file: str, line: int, needs_reason: bool) -> Entry:
    where = f"baseline {file}:{line}: {case}"
    if not isinstance(given, dict):
        raise Misconfigured(f"{where} is not a table with message and reason")
    if strange := sorted(set(given) - set(_MEMBERS)):
        raise Misconfigured(f"{where}: {strange[0]!r} is not known; known: {', '.join(_MEMBERS)}")
    messages = given.get("message")
    messages = [messages] if isinstance(messages, str) else messages
    if not isinstance(messages, list) or not messages or not all(isinstance(one, str) and one for one in messages):
        raise Misconfigured(f"{where} needs a message: a text, or a list of texts, that what is found must contain")
    for name in ("verdict", "reason", "link"):
        if not isinstance(given.get(name, ""), str):
            raise Misconfigured(f"{where}: {name} is not a text")
    if given.get("verdict", FAIL) not in EXPECTABLE:
        raise Misconfigured(f"{where}: verdict {given['verdict']!r} is none of {', '.join(EXPECTABLE)}")
    reason = given.get("reason", "").strip()
    if needs_reason and not reason:
        raise Misconfigured(f"{where} needs a reason: say why this failure is accepted")
    until = given.get("until")
    if until is not None and type(until) is not date:
        raise Misconfigured(f"{where}: until is not a date such as 2026-12-31 (without quotes)")
    return Entry(
        case, given.get("verdict", FAIL), tuple(messages), reason, given.get("link", ""), until, file, line
    )  # fmt: skip


def _line_of(lines: Sequence[str], case: str) -> int:
    """The number of the line that holds an entry's key, from 1; 0 if it is written in a way not foreseen."""
    keys = (quoted(case), f'"{case}"', f"'{case}'")
    for number, line in enumerate(lines, 1):
        if line.strip().removeprefix(f"[{_TABLE}.").startswith(keys):
            return number
    return 0


# -- rewriting ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rewritten:
    """A baseline brought up to date: its text, and what was done, as notes for a person; ``filled`` is how many entries
    that were there got the reason."""

    text: str
    added: int
    changed: int
    removed: int
    kept: int
    notes: tuple[str, ...]
    filled: int = 0


def rewrite(
    text: str, file: str, cases: Sequence[CaseRecord], known: Sequence[str], verdicts: Sequence[str], reason: str
) -> Rewritten:
    """The baseline of a run: entries that hold stay as they are, stale ones go, what else has ``verdicts`` is added,
    unless it follows from what is listed. Entries without a reason get this one, if it is one.

    ``cases`` are the run's case lines, ``known`` the ids of all there are. Entries whose cases were not judged stay.
    :class:`Misconfigured` if an entry that must change is not on a line of its own.
    """
    text = text or HEADER
    entries = parse(text, file, needs_reason=False)
    # By any date: an entry past its day is a person's to prolong or to delete.
    made, problems = apply([one.without_baseline() for one in cases], entries, known, date.min, tidy=True)
    lines: list[str | None] = list(text.splitlines())
    counts = {"removed": 0, "changed": 0}
    notes = []
    for problem in problems:
        done = _amend(lines, problem)
        if done:
            counts[done] += 1
        else:
            notes.append(f"{problem.entry.place}: {problem.entry.case}: {problem.says}")
    listed = {entry.case for entry in entries}
    covered = {one.id for one in made if one.verdict == EXPECTED}
    covered |= {one.id for one in made if one.verdict in verdicts and not one.cause}
    new = [
        ready_for(line, reason)
        for line in made
        if line.verdict in verdicts and line.id not in listed and line.cause not in covered
    ]
    if not any(line is not None and line.strip() == f"[{_TABLE}]" for line in lines):
        lines.append(f"[{_TABLE}]")
    after = "\n".join([*(line for line in lines if line is not None), *new]) + "\n"
    left = parse(after, file, needs_reason=False)
    if len(left) != len(entries) - counts["removed"] + len(new):
        raise Misconfigured(f"baseline {file} is written in a way that cannot be kept; put each entry on one line")
    kept = len(entries) - sum(counts.values())
    after, filled = _filled(after, left, reason.strip())
    return Rewritten(after, len(new), counts["changed"], counts["removed"], kept, tuple(notes), filled)


def _filled(text: str, entries: Sequence[Entry], reason: str) -> tuple[str, int]:
    """The text with the reason in each entry on a line of its own that has none, and how many there were."""
    lines = text.splitlines()
    number = 0
    for entry in entries:
        if not reason or entry.reason or not entry.line:
            continue
        if new := _with_reason(lines[entry.line - 1], entry, reason):
            lines[entry.line - 1] = new
            number += 1
    return "\n".join(lines) + "\n", number


def _with_reason(line: str, entry: Entry, reason: str) -> str:
    """The entry's line with the reason in it, and all else as it was; empty if the entry is not on one line."""
    end = _end_of_entry(line)
    if not end:
        return ""
    member = f"reason = {quoted(reason)}"
    places = [(one.start(), one.end(), member) for one in re.finditer(r"""reason\s*=\s*(""|'')""", line[:end])]
    last = len(line[:end].rstrip("}").rstrip())
    for start, stop, new in [*places, (last, end - 1, f", {member} ")]:
        made = line[:start] + new + line[stop:]
        with suppress(Misconfigured):
            # A message may hold the same words.
            if [replace(one, line=entry.line) for one in parse(f"[{_TABLE}]\n{made}", entry.file)] == [
                replace(entry, reason=reason)
            ]:
                return made
    return ""


def _amend(lines: list[str | None], problem: Problem) -> str:
    """Delete or change the entry's line; what was done, empty if that is left to a person."""
    entry = problem.entry
    if problem.kind not in ("stale", "changed") or (not entry.exact and problem.kind == "changed"):
        return ""
    line = lines[entry.line - 1] if entry.line else None
    end = _end_of_entry(line) if line else 0
    if not line or not end:
        raise Misconfigured(f"baseline {entry.place}: {entry.case} is not on a line of its own; {problem.says}")
    if problem.kind == "stale":
        lines[entry.line - 1] = None
        return "removed"
    lines[entry.line - 1] = problem.says.rpartition("\n")[2] + line[end:]
    return "changed"


def _end_of_entry(line: str) -> int:
    """Where the entry on a line ends and its comment may begin; 0 if the line is no whole entry."""
    for place, letter in enumerate(line, 1):
        if letter == "}":
            try:
                tomllib.loads(line[:place])
            except tomllib.TOMLDecodeError:
                continue
            return place
    return 0
