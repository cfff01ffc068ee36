"""The records of a results file, one class for each kind of line: the head of a run, its cases, and its end.

Records are frozen; ``from_json`` is the inverse of ``to_json``. ``schemas/results.json`` describes the members.
``from_json`` also reads files of earlier versions, without the members added later. It raises :class:`BadRecord` if a
required member is missing or a member has another type.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from conformance.judge.findings import MISSING
from conformance.judge.reasons import NO_REASON, NOTHING_EXAMINED, UNSUPPORTED, Reason
from conformance.judge.verdict import EXPECTED, INCONCLUSIVE, NOT_APPLICABLE, PASS
from conformance.results.ends import FORMAT, Partial, ProblemRecord, RunEnd, RunHead, TargetRecord, Tokens
from conformance.results.members import BadRecord, Members

__all__ = [
    "FORMAT", "VERDICTS_WITHOUT_PROBLEM", "BadRecord", "BaselineMark", "CaseRecord", "FindingRecord", "Obstacle",
    "Partial", "ProblemRecord",
    "Reason", "RunEnd", "RunHead", "TargetRecord", "Tokens",
]  # fmt: skip

#: Verdicts of cases without a violation.
VERDICTS_WITHOUT_PROBLEM = (PASS, NOT_APPLICABLE, INCONCLUSIVE)

#: Maximum characters of a value, message or reason; the recorded exchange contains the complete value.
LONGEST_VALUE = 2000

#: Texts of reasons in files of versions without reason codes: the prefix for a case excluded by the profile, and the
#: reason of a case for which no response contained anything to check.
_UNSUPPORTED_TEXT = "the target's profile lacks "
_NOTHING_EXAMINED_TEXT = "the responses hold nothing that this rule is about"


@dataclass(frozen=True)
class FindingRecord:
    """One finding of a case.

    ``event`` is the index of an event in the stream, None for a body; ``pointer`` is a JSON pointer into that event or
    body. ``want`` and ``got`` are the expected and the actual value, any JSON value; ``MISSING`` if there is nothing to
    compare. ``scenario`` is the first scenario with the finding, ``also`` are the others, ``count`` is the total number
    of occurrences. ``exchange`` is the key of the exchange in the run folder, ``request_bytes`` the length of its
    request body. ``clients`` are the effects on clients, by short name. ``request_bytes`` and ``clients`` are None in
    results of earlier versions. ``trait`` is what all requests that are refused in these words have, and no served one
    (:mod:`conformance.results.shared_traits`); empty where that is not known.
    """

    message: str
    pointer: str = ""
    event: int | None = None
    want: Any = MISSING
    got: Any = MISSING
    scenario: str = ""
    also: tuple[str, ...] = ()
    exchange: str = ""
    request_bytes: int | None = None
    count: int = 1
    clients: Mapping[str, str] | None = None
    trait: str = ""

    @property
    def scenarios(self) -> tuple[str, ...]:
        """All scenarios with the finding."""
        return (self.scenario, *self.also)

    @property
    def compared(self) -> dict[str, Any]:
        """``want`` and ``got`` by name, without those that are ``MISSING``."""
        both = (("want", self.want), ("got", self.got))
        return {name: value for name, value in both if value is not MISSING}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> FindingRecord:
        """The record of a JSON object."""
        read = Members(value, "case")
        return cls(
            message=read.string("message"),
            pointer=read.string("pointer", ""),
            event=read.integer("event"),
            want=value.get("want", MISSING),
            got=value.get("got", MISSING),
            scenario=read.string("scenario", ""),
            also=read.strings("also"),
            exchange=read.string("exchange", ""),
            request_bytes=read.integer("request_bytes"),
            count=read.integer("count") or 1,
            clients=read.mapping("clients"),
            trait=read.string("trait", ""),
        )

    def to_json(self) -> dict[str, Any]:
        """The record as a JSON object."""
        size = {} if self.request_bytes is None else {"request_bytes": self.request_bytes}
        return {
            "message": self.message,
            "pointer": self.pointer,
            "event": self.event,
            **self.compared,
            "scenario": self.scenario,
            "also": list(self.also),
            "exchange": self.exchange,
            **size,
            "count": self.count,
            **({} if self.clients is None else {"clients": dict(self.clients)}),
            **({"trait": self.trait} if self.trait else {}),
        }


@dataclass(frozen=True)
class Obstacle:
    """Why an inconclusive case could not be evaluated with the responses to ``scenarios``.

    ``by`` is the kind (see :mod:`conformance.results.obstacles`). ``any``: at least one of these responses was the
    reason, but not necessarily all.
    """

    by: str
    scenarios: tuple[str, ...]
    any: bool = False

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Obstacle:
        """The record of a JSON object."""
        read = Members(value, "case")
        return cls(read.string("by"), read.strings("scenarios"), bool(value.get("any")))

    def to_json(self) -> dict[str, Any]:
        """The record as a JSON object."""
        return {"by": self.by, "scenarios": list(self.scenarios), **({"any": True} if self.any else {})}


@dataclass(frozen=True)
class BaselineMark:
    """The effect of a baseline on a case: ``was`` is the verdict without it, ``entry`` the location of the entry
    (``file:line``), ``reason`` and ``link`` are the entry's."""

    was: str
    entry: str
    reason: str
    link: str = ""

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> BaselineMark:
        """The record of a JSON object."""
        read = Members(value, "case")
        return cls(read.string("was"), read.string("entry", ""), read.string("reason", ""), read.string("link", ""))

    def to_json(self) -> dict[str, Any]:
        """The record as a JSON object."""
        return {"was": self.was, "entry": self.entry, "reason": self.reason, "link": self.link}


@dataclass(frozen=True, slots=True)  # A capture has some hundred thousand.
class CaseRecord:
    """One evaluated case.

    ``id`` is ``requirement@scenario``. ``breaks`` are the clients that its findings affect; without findings, those
    that the rule can affect. ``observed`` are the outcomes that a MAY rule recorded. ``examined`` is the number of
    values that the rule checked, None in results of earlier versions. ``blocked`` are the obstacles of an inconclusive
    case. ``exchange`` is the key of the case's first exchange. ``cause`` is the id of the root cause, empty if the case
    is one itself. ``ms`` is the duration of the evaluation in milliseconds.
    """

    id: str
    requirement: str
    scenario: str
    area: str
    level: str
    verdict: str
    breaks: tuple[str, ...] = ()
    findings: tuple[FindingRecord, ...] = ()
    observed: tuple[str, ...] = ()
    reason: Reason = NO_REASON
    examined: int | None = None
    blocked: tuple[Obstacle, ...] = ()
    exchange: str = ""
    cause: str = ""
    baseline: BaselineMark | None = None
    ms: float = 0

    @property
    def own_verdict(self) -> str:
        """The verdict without the baseline, which the score counts."""
        return self.baseline.was if self.baseline else self.verdict

    @property
    def counted(self) -> str:
        """The verdict that decides the exit code: a case that a baseline expects to be inconclusive counts as
        not applicable."""
        expected_inconclusive = self.verdict == EXPECTED and self.own_verdict == INCONCLUSIVE
        return NOT_APPLICABLE if expected_inconclusive else self.verdict

    @property
    def has_problem(self) -> bool:
        """Whether the case is reported as a problem: all verdicts except pass, not-applicable, inconclusive, and
        inconclusive as expected."""
        return self.verdict not in VERDICTS_WITHOUT_PROBLEM and self.counted not in VERDICTS_WITHOUT_PROBLEM

    @property
    def why(self) -> str:
        """The reason of an inconclusive or not-applicable case, or of the baseline entry; else empty."""
        return self.reason.text or (self.baseline.reason if self.baseline else "")

    @property
    def message(self) -> str:
        """The message of the first finding, or :attr:`why`; may be empty."""
        return self.findings[0].message if self.findings else self.why

    @property
    def messages(self) -> list[str]:
        """The texts that a baseline entry must match: the messages of the findings, or the reason."""
        return [one.message for one in self.findings] or [self.reason.text] * bool(self.reason)

    @property
    def found_in(self) -> set[str]:
        """The scenarios with findings."""
        return {name for one in self.findings for name in one.scenarios}

    @property
    def is_consequence(self) -> bool:
        """Whether its root cause is a case of another rule; a case of the same rule is the same violation."""
        return self.cause.partition("@")[0] not in ("", self.requirement)

    def without_baseline(self) -> CaseRecord:
        """The record without the effect of a baseline."""
        return replace(self, verdict=self.own_verdict, baseline=None) if self.baseline else self

    @classmethod
    def from_json(cls, line: Mapping[str, Any]) -> CaseRecord:
        """The record of a line."""
        read = Members(line, "case")
        case = read.string("id")
        return cls(
            id=case,
            requirement=read.string("requirement"),
            scenario=read.string("scenario", case.partition("@")[2]),
            area=read.string("area"),
            level=read.string("level"),
            verdict=read.string("verdict"),
            breaks=read.strings("breaks"),
            findings=tuple(map(FindingRecord.from_json, read.objects("findings"))),
            observed=read.strings("observed"),
            reason=_reason(read),
            examined=read.integer("examined"),
            blocked=tuple(map(Obstacle.from_json, read.objects("blocked"))),
            exchange=read.string("exchange", ""),
            cause=read.string("cause", ""),
            baseline=BaselineMark.from_json(mark) if (mark := read.mapping("baseline")) else None,
            ms=read.number("ms"),
        )

    def to_json(self) -> dict[str, Any]:
        """The record as a line."""
        return {
            "kind": "case",
            "id": self.id,
            "requirement": self.requirement,
            "scenario": self.scenario,
            "area": self.area,
            "level": self.level,
            "verdict": self.verdict,
            "breaks": list(self.breaks),
            "findings": [one.to_json() for one in self.findings],
            "observed": list(self.observed),
            "reason": self.reason.text,
            **({"reason_code": self.reason.code} if self.reason.code else {}),
            **({"unsupported": list(self.reason.features)} if self.reason.features else {}),
            **({} if self.examined is None else {"examined": self.examined}),
            **({"blocked": [one.to_json() for one in self.blocked]} if self.blocked else {}),
            "exchange": self.exchange,
            "cause": self.cause,
            "ms": self.ms,
            **({"baseline": self.baseline.to_json()} if self.baseline else {}),
        }


def _reason(read: Members) -> Reason:
    text, code = read.string("reason", ""), read.string("reason_code", "")
    if code or not text:
        return Reason(code, text, read.strings("unsupported"))
    # A file of a version without reason codes: two codes can be derived from the text.
    if text.startswith(_UNSUPPORTED_TEXT):
        return Reason(UNSUPPORTED, text, tuple(text.removeprefix(_UNSUPPORTED_TEXT).split(", ")))
    return Reason(NOTHING_EXAMINED if text == _NOTHING_EXAMINED_TEXT else "", text)
