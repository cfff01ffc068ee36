"""Values that the writer of a capture has replaced: ids, texts and other members that were redacted or cut.

Recorders and their users remove what is private before they share a file: ``[REDACTED]``, ``***``, ``<API_KEY>``, the
same id everywhere, the beginning of a text and ``...``. Such a value is no evidence about the server, as it was not
sent. Redacted ids and texts are no longer distinct, and their sums differ, so that no rule about them is evaluated. Of
the other rules those findings are left out whose expected or actual value is a placeholder.

Only what is recognised as a placeholder counts: a member that is missing or null is a violation as in any response,
unless every delta of the stream is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from conformance.decode.events import mapping, objects, text
from conformance.decode.response import CannotEvaluate, Received
from conformance.decode.sums import item_texts
from conformance.engine.evaluation import EvaluatedCase
from conformance.judge.reasons import NO_EVIDENCE, Reason
from conformance.judge.verdict import FAIL, NOT_APPLICABLE, WARNING
from conformance.results.records import FindingRecord

_WORD = (
    r"(?:redacted|filtered|hidden|masked|removed|anonymi[sz]ed|scrubbed|censored|saniti[sz]ed|obfuscated|placeholder|"
    r"omitted|truncated|elided|snip(?:ped)?)"
)

#: A placeholder in brackets, also within a text: ``[REDACTED]``, ``<redacted:email>``, ``{{FILTERED}}``.
_BRACKETED = re.compile(rf"[\[<{{]+\s*(?:\w+[ _-])?{_WORD}\b[^\[\]<>{{}}\n]{{0,40}}[\]>}}]+", re.IGNORECASE)

#: A value that consists of a placeholder: ``REDACTED``, ``msg_XXXX``, ``***``, ``<API_KEY>``.
_ALONE = re.compile(
    rf"(?:[a-z]+[_-])?{_WORD}(?:[_-]\w+)*|(?:[a-z]+[_-])?([x*#•█])\1{{2,}}|[<{{]{{1,2}}[a-z]+(?:_[a-z]+)+[>}}]{{1,2}}",
    re.IGNORECASE,
)

#: An id without information (zeros, ``<id>``), or of which only the beginning was kept.
_ID = re.compile(r"(?:[a-z]+[_-])*[0-]{6,}|.*(?:\.{3}|…)|[\[<{]+[a-z][\w -]*[\]>}]+", re.IGNORECASE)

#: What a writer that shortens a body or a text puts at its end.
_NOTE = re.compile(
    r"(?:\s*(?:\.{3}|…)?\s*[\[<(]+[^\[\]<>()\n]{0,40}\b(?:truncated|omitted|cut|elided|snip(?:ped)?|more)\b"
    r"[^\[\]<>()\n]{0,40}[\]>)]+|\.{3}|…)\s*\Z",
    re.IGNORECASE,
)

#: The most characters at the end of a body in which such a note is searched.
_LONGEST_NOTE = 120

#: Bytes without which a body has no placeholder: most are not decoded a second time for it.
_POSSIBLE = re.compile(
    rb"(?i)" + _WORD.encode() + rb"|([x*#])\1\1|000000|\.\.\.\"|\xe2\x80\xa2|\xe2\x96\x88|\xe2\x80\xa6\"|\\u20|\\u25"
    rb"|<[a-z]+_|\{[a-z]+_|id\": ?\"[\[<{]|\"delta\": ?(?:\"\"|null)"
)

_TEXTS = ("delta", "text", "arguments")
_IDS = ("id", "item_id", "call_id", "response_id")

#: The rules about ids, which must be distinct and equal in all events.
_OF_IDS = frozenset({
    "identity.response-id", "identity.item-id", "identity.item-ids-distinct", "identity.index-belongs-to-item",
    "identity.call-id", "response.id-unique", "response.output-is-new", "tools.call-ids-distinct",
    "tools.call-ids-unique-in-run",
})  # fmt: skip

#: The rules about texts and arguments.
_OF_TEXTS = frozenset({
    "sum.text-deltas", "sum.reasoning-deltas", "sum.arguments-deltas", "sum.part", "sum.item", "sum.final-output",
    "sum.starts-empty", "response.output-text-matches", "response.output-text-present",
    "response.not-empty", "tools.arguments-are-json",
    "tools.arguments-fit-schema", "effort.tokens-agree", "effort.reasoning-item-shape", "usage.output-covers-text",
})  # fmt: skip


@dataclass(frozen=True)
class Placeholders:
    """The placeholders of one response: an ``id`` and a ``text`` that were replaced or cut, each empty without one.
    ``blank``: every delta is null or empty."""

    id: str = ""
    text: str = ""
    blank: bool = False

    def excludes(self, rule: str) -> bool:
        """Whether a rule is not evaluated because it reads what was replaced."""
        return bool((self.id and rule in _OF_IDS) or ((self.text or self.blank) and rule in _OF_TEXTS))

    @property
    def why(self) -> str:
        """Why the response is evaluated in part; empty if it is not."""
        if self.blank:
            return "the capture contains no text in any delta"
        return _because(self.id or self.text) if self.id or self.text else ""

    def cleared(self, one: EvaluatedCase) -> tuple[EvaluatedCase, str]:
        """The case without the findings about placeholders, and why some were left out; empty if none was. An echoed
        credential is reported in any case."""
        case = one.case
        if case.verdict not in (FAIL, WARNING) or case.area == "auth":
            return one, ""
        shown = [self._shown(finding) for finding in case.findings]
        if not any(shown):
            return one, ""
        why = self.why or _because(next(filter(None, shown)))
        kept = tuple(finding for finding, placeholder in zip(case.findings, shown, strict=True) if not placeholder)
        if kept:
            return replace(one, case=replace(case, findings=kept)), why
        changed = replace(case, verdict=NOT_APPLICABLE, findings=(), reason=Reason(NO_EVIDENCE, why))
        return replace(one, case=changed), why

    def _shown(self, finding: FindingRecord) -> str:
        """The placeholder that a finding compares; empty without one."""
        if self.blank and finding.got is None and finding.pointer.rpartition("/")[2] in _TEXTS:
            return "null"
        return next((value for value in _compared(finding) if is_placeholder(value)), "")


def placeholders_in(received: Received) -> Placeholders:
    """The placeholders of a response; none if it cannot be decoded."""
    if not _POSSIBLE.search(received.exchange.body):
        return Placeholders()
    try:
        values = [event.data for event in received.events] if received.looks_like_stream else [received.response]
        found = next((one for value in values for one in _ids(value) if is_placeholder(one) or _ID.fullmatch(one)), "")
        return Placeholders(found, _replaced_text(received), _is_blank(received))
    except CannotEvaluate:
        return Placeholders()


def is_placeholder(value: Any) -> bool:
    """Whether a value is a placeholder or a text that contains one."""
    return isinstance(value, str) and bool(_BRACKETED.search(value) or _ALONE.fullmatch(value.strip()))


def without_note(body: bytes) -> bytes:
    """A body without the note at its end that states that it was shortened; the same object without one."""
    end = body[-_LONGEST_NOTE:]
    found = _NOTE.search(end.decode("latin-1").replace("â\x80¦", "…  "))  # Three bytes are three characters.
    return body[: len(body) - len(end) + found.start()] if found else body


def _because(shown: str) -> str:
    return f"the capture contains {shown[:40]!r} in place of what was sent"


def _compared(finding: FindingRecord) -> list[Any]:
    both = [finding.want, finding.got]
    return [each for value in both for each in (value if isinstance(value, list) else [value])]


def _ids(value: Any) -> Iterator[str]:
    """The ids of an event or a Response object, its items included."""
    if not (held := mapping(value)):
        return
    yield from (held[name] for name in _IDS if isinstance(held.get(name), str))
    for name in ("response", "item"):
        yield from _ids(held.get(name))
    for item in objects(held.get("output")):
        yield from _ids(item)


def _replaced_text(received: Received) -> str:
    """A text of the response that was replaced or cut; empty without one."""
    values = list(dict.fromkeys(_texts(received)))
    for value in values:
        if is_placeholder(value):
            return value
        stem = value.removesuffix("...").removesuffix("…")
        longer = (other for other in values if other.startswith(stem) and not other.startswith(value))
        if stem and stem != value and next(longer, None) is not None:
            return value
    return ""


def _is_blank(received: Received) -> bool:
    """Whether all deltas of a stream are null or empty. A call without arguments has one such delta."""
    if not received.looks_like_stream:
        return False
    deltas = [event.data["delta"] for event in received.events if "delta" in event.data]
    return len(deltas) > 1 and not any(deltas)


def _texts(received: Received) -> Iterator[str]:
    """The complete texts of a response, those of its deltas included: a single delta may be ``***`` in Markdown."""
    if received.looks_like_stream:
        for one in received.texts:
            yield from (each for each in (one.deltas, one.done, one.part, one.item, one.final) if each)
    try:
        response = received.response
    except CannotEvaluate:
        return
    yield from filter(None, [text(response.get("output_text"))])
    for item in objects(response.get("output")):
        for _, _, value in item_texts(item, received.contract.decoding):
            yield from filter(None, [text(value)])
