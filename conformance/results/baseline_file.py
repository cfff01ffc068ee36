"""Baseline files: reading the entries with their locations, and updating a file without losing comments."""

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
from conformance.judge.verdict import EXPECTED, FAIL, INCONCLUSIVE
from conformance.results.baseline import EXPECTABLE, Entry, Problem, apply
from conformance.results.baseline_format import format_record, quoted
from conformance.results.records import CaseRecord

_TABLE = "expected"

#: The first lines of a new file.
HEADER = (
    "# Expected failures; docs/nightly.md describes the members.\n"
    '# "case or glob" = { message = "...", reason = "...", link = "...", until = 2026-12-31 }\n'
    f"[{_TABLE}]\n"
)

_MEMBERS = ("verdict", "message", "reason", "link", "until", "also", "not_evaluated")

#: The reason of an entry for an inconclusive case: the user's reason is about the failures.
INCONCLUSIVE_REASON = "could not be evaluated when this entry was written"


def read(paths: Iterable[Path]) -> tuple[Entry, ...]:
    """The entries of these files, in order. Raises :class:`Misconfigured` with the first error and its line."""
    return tuple(entry for path in paths for entry in parse(_text(path), str(path)))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"baseline {path} cannot be read: {getattr(error, 'strerror', '') or error}") from None


def parse(text: str, file: str, needs_reason: bool = True) -> list[Entry]:
    """The entries of a file's text; ``file`` is its name in messages. Raises :class:`Misconfigured`."""
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise Misconfigured(f"baseline {file} is not TOML: {error}") from None
    table = document.pop(_TABLE, {})
    if document or not isinstance(table, dict):
        unknown = next(iter(document), _TABLE)
        raise Misconfigured(f"baseline {file}: unknown key {unknown!r}; expected one table [{_TABLE}] of entries")
    lines = text.splitlines()
    return [_entry(case, given, file, _line_of(lines, case), needs_reason) for case, given in table.items()]


def _entry(case: str, given: Any, file: str, line: int, needs_reason: bool) -> Entry:
    where = f"baseline {file}:{line}: {case}"
    if not isinstance(given, dict):
        raise Misconfigured(f"{where}: expected an inline table with message and reason")
    if unknown := sorted(set(given) - set(_MEMBERS)):
        raise Misconfigured(f"{where}: unknown key {unknown[0]!r}; expected one of {', '.join(_MEMBERS)}")
    messages = given.get("message")
    messages = [messages] if isinstance(messages, str) else messages
    if not isinstance(messages, list) or not messages or not all(isinstance(one, str) and one for one in messages):
        raise Misconfigured(f"{where} needs a message: a string, or an array of strings, one of them in each finding")
    for name in ("verdict", "reason", "link"):
        if not isinstance(given.get(name, ""), str):
            raise Misconfigured(f"{where}: {name} is not a string")
    if given.get("verdict", FAIL) not in EXPECTABLE:
        raise Misconfigured(f"{where}: verdict is {given['verdict']!r}, expected one of {', '.join(EXPECTABLE)}")
    reason = given.get("reason", "").strip()
    if needs_reason and not reason:
        raise Misconfigured(f"{where} needs a reason: why this failure is accepted")
    until = given.get("until")
    if until is not None and type(until) is not date:
        raise Misconfigured(f"{where}: until is {until!r}, expected a date without quotes, such as 2026-12-31")
    return Entry(
        case, given.get("verdict", FAIL), tuple(messages), reason, given.get("link", ""), until, file, line,
        also=_also(given.get("also", {}), where), not_evaluated=tuple(_texts(given.get("not_evaluated", []), where)),
    )  # fmt: skip


def _also(given: Any, where: str) -> tuple[tuple[str, str], ...]:
    """The rules of ``also``, each with its messages."""
    if not isinstance(given, dict):
        raise Misconfigured(f"{where}: also is not a table of rules with their messages")
    return tuple((rule, text) for rule, texts in given.items() for text in _texts(texts, where))


def _texts(given: Any, where: str) -> list[str]:
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not all(isinstance(one, str) and one for one in texts):
        raise Misconfigured(f"{where}: also and not_evaluated have texts that are not empty")
    return texts


def _line_of(lines: Sequence[str], case: str) -> int:
    """The number of the line with an entry's key, from 1; 0 if it is not found, because TOML can write a key in other
    ways."""
    keys = (quoted(case), f'"{case}"', f"'{case}'")
    for number, line in enumerate(lines, 1):
        if line.strip().removeprefix(f"[{_TABLE}.").startswith(keys):
            return number
    return 0


# -- update ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rewritten:
    """An updated baseline file: its text, and how many entries were added, changed, removed or kept. ``notes`` are the
    problems that need a decision by the user. ``filled`` is the number of existing entries that received the reason."""

    text: str
    added: int
    changed: int
    removed: int
    kept: int
    notes: tuple[str, ...]
    filled: int = 0


def rewrite(
    text: str,
    file: str,
    cases: Sequence[CaseRecord],
    known: Sequence[str],
    verdicts: Sequence[str],
    reason: str,
    inconclusive_reason: str = INCONCLUSIVE_REASON,
) -> Rewritten:
    """Update a baseline from a run: entries that apply are kept, stale ones are removed, and cases with one of
    ``verdicts`` are added unless they are consequences of listed ones. Entries without a reason get ``reason``;
    those of inconclusive cases are written with ``inconclusive_reason``.

    ``cases`` are the records of the run, ``known`` the ids of all cases of the revision. Entries whose cases were not
    evaluated are kept. Raises :class:`Misconfigured` if an entry that must change is not on one line.
    """
    text = text or HEADER
    entries = parse(text, file, needs_reason=False)
    # By any date: an entry past its day is a person's to prolong or to delete.
    marked, problems = apply(
        [one.without_baseline() for one in cases], entries, known, date.min, check_inconclusive=True
    )
    lines: list[str | None] = list(text.splitlines())
    counts = {"removed": 0, "changed": 0}
    notes = []
    for problem in problems:
        done = _apply_problem(lines, problem)
        if done:
            counts[done] += 1
        else:
            notes.append(f"{problem.entry.place}: {problem.entry.case}: {problem.message}")
    listed = {entry.case for entry in entries}
    covered = {one.id for one in marked if one.verdict == EXPECTED}
    covered |= {one.id for one in marked if one.verdict in verdicts and not one.cause}
    caused: dict[str, list[CaseRecord]] = {}
    for line in marked:
        caused.setdefault(line.cause, []).append(line)
    new = [
        format_record(line, inconclusive_reason if line.verdict == INCONCLUSIVE else reason, caused.get(line.id, ()))
        for line in marked
        if line.verdict in verdicts and line.id not in listed and line.cause not in covered
    ]
    if not any(line is not None and line.strip() == f"[{_TABLE}]" for line in lines):
        lines.append(f"[{_TABLE}]")
    after = "\n".join([*(line for line in lines if line is not None), *new]) + "\n"
    remaining = parse(after, file, needs_reason=False)
    if len(remaining) != len(entries) - counts["removed"] + len(new):
        raise Misconfigured(f"baseline {file} cannot be updated line by line; write each entry on one line")
    kept = len(entries) - sum(counts.values())
    after, filled = _with_reasons(after, remaining, reason.strip())
    return Rewritten(after, len(new), counts["changed"], counts["removed"], kept, tuple(notes), filled)


def _with_reasons(text: str, entries: Sequence[Entry], reason: str) -> tuple[str, int]:
    """The text with the reason added to each one-line entry without one, and the number of these entries."""
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
    """The entry's line with the reason added; empty if the entry is not on one line."""
    end = _end_of_entry(line)
    if not end:
        return ""
    member = f"reason = {quoted(reason)}"
    places = [(one.start(), one.end(), member) for one in re.finditer(r"""reason\s*=\s*(""|'')""", line[:end])]
    last = len(line[:end].rstrip("}").rstrip())
    for start, stop, new in [*places, (last, end - 1, f", {member} ")]:
        marked = line[:start] + new + line[stop:]
        with suppress(Misconfigured):
            # A message can contain the same characters, so that the result is parsed and compared.
            if [replace(one, line=entry.line) for one in parse(f"[{_TABLE}]\n{marked}", entry.file)] == [
                replace(entry, reason=reason)
            ]:
                return marked
    return ""


def _apply_problem(lines: list[str | None], problem: Problem) -> str:
    """Remove or change the entry's line. Returns "removed" or "changed", empty if the user must decide."""
    entry = problem.entry
    if problem.kind not in ("stale", "changed") or (not entry.exact and problem.kind == "changed"):
        return ""
    line = lines[entry.line - 1] if entry.line else None
    end = _end_of_entry(line) if line else 0
    if not line or not end:
        raise Misconfigured(f"baseline {entry.place}: the entry {entry.case} is not on one line; {problem.message}")
    if problem.kind == "stale":
        lines[entry.line - 1] = None
        return "removed"
    lines[entry.line - 1] = problem.message.rpartition("\n")[2] + line[end:]
    return "changed"


def _end_of_entry(line: str) -> int:
    """The length of the entry on a line, without a comment after it; 0 if the line is not a complete entry."""
    for place, letter in enumerate(line, 1):
        if letter == "}":
            try:
                tomllib.loads(line[:place])
            except tomllib.TOMLDecodeError:
                continue
            return place
    return 0
