"""The lines of a baseline file, written from the cases of a run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from conformance.judge.normalise import message_pattern
from conformance.judge.verdict import FAIL, INCONCLUSIVE
from conformance.results.records import CaseRecord

#: Longest part of a message that a ready entry quotes.
_MAX_EXCERPT = 120


def format_entry(
    case: str,
    verdict: str,
    messages: Iterable[str],
    reason: str = "",
    link: str = "",
    until: date | None = None,
    also: Iterable[tuple[str, str]] = (),
    not_evaluated: Sequence[str] = (),
) -> str:
    """The line of a baseline file for an expected failure. The reason is empty until the user writes it. ``also`` are
    rules that fail as a consequence, each with a message; ``not_evaluated`` the reasons of cases that are inconclusive
    because of it."""
    members = [] if verdict == FAIL else [f'verdict = "{verdict}"']
    members.append(f"message = {_messages(messages)}")
    members.append(f"reason = {quoted(reason)}")
    members += [f"link = {quoted(link)}"] if link else []
    members += [f"until = {until.isoformat()}"] if until else []
    by_rule: dict[str, list[str]] = {}
    for rule, message in also:
        by_rule.setdefault(rule, []).append(message)
    if by_rule:
        rules = (f"{quoted(rule)} = {_messages(found)}" for rule, found in by_rule.items())
        members.append(f"also = {{ {', '.join(rules)} }}")
    members += [f"not_evaluated = [{', '.join(map(quoted, not_evaluated))}]"] if not_evaluated else []
    return f"{quoted(case)} = {{ {', '.join(members)} }}"


def _messages(messages: Iterable[str]) -> str:
    """One of messages that differ in numbers only, as a string; several as an array."""
    parts = list({message_pattern(part): quoted(part) for part in map(excerpt, messages)}.values()) or [quoted("")]
    return parts[0] if len(parts) == 1 else f"[{', '.join(parts)}]"


def format_record(line: CaseRecord, reason: str = "", caused: Iterable[CaseRecord] = ()) -> str:
    """The baseline line for a case record; ``caused`` are its consequences."""
    also, not_evaluated = [], {}
    for one in caused:
        if one.own_verdict == FAIL and one.requirement != line.requirement:
            also += [(one.id.partition("@")[0], message) for message in one.messages]
        elif one.own_verdict == INCONCLUSIVE:
            not_evaluated[one.reason.text] = True
    return format_entry(line.id, line.own_verdict, line.messages, reason, also=also, not_evaluated=list(not_evaluated))


def quoted(text: str) -> str:
    """The text as a TOML basic string; lone surrogates are replaced by question marks."""
    escaped = "".join(
        f"\\{letter}" if letter in '"\\' else letter if letter.isprintable() else f"\\U{ord(letter):08x}"
        for letter in text.encode("utf-8", "replace").decode("utf-8")
    )
    return f'"{escaped}"'


def excerpt(message: str) -> str:
    """The beginning of a message: up to the first lone surrogate, and without a quoted value that is cut off, because
    a part of a value could not be compared with another run."""
    text = message[:_MAX_EXCERPT]
    for place, letter in enumerate(text):
        if "\ud800" <= letter <= "\udfff":
            return text[:place]
    if len(message) > _MAX_EXCERPT and text.count("'") % 2:
        return text[: text.rindex("'")]
    return text
