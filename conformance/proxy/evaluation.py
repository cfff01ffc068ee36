"""The evaluation of recorded probes: the records of results, as for any run."""

from __future__ import annotations

import json
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from conformance.contract.rules import proxy_catalogue
from conformance.decode.cannot_evaluate import CannotEvaluate, DoesNotApply
from conformance.judge import reasons
from conformance.judge.findings import MISSING
from conformance.judge.reasons import NO_REASON, Reason
from conformance.judge.verdict import FAIL, INCONCLUSIVE, NOT_APPLICABLE, PASS, WARNING
from conformance.proxy import checks_failure, checks_request, checks_response, checks_stream
from conformance.proxy.endpoint import evaluate_endpoint
from conformance.proxy.records import Record, Recording
from conformance.proxy.rules import AREA, RULES, Finding, Rule, View
from conformance.proxy.texts import first_difference, marked
from conformance.results.records import LONGEST_VALUE, CaseRecord, FindingRecord
from conformance.results.results_file import ERROR

#: The modules whose import registers the rules, in the order of evaluation: later rules know the findings of earlier
#: ones.
_MODULES = (checks_request, checks_response, checks_stream, checks_failure)

#: Characters from which on a text is shown around its first difference alone.
_LONG = 60

#: Rules that need no readable request of the upstream.
_WITHOUT_BODY = (
    "request.dialect", "request.sent-once", "credentials.client-key-kept", "credentials.upstream-key-sent",
    "credentials.upstream-key-hidden", "failure.no-address",
)  # fmt: skip

_VERDICTS = {"MUST": FAIL, "SHOULD": WARNING, "MAY": PASS}


@dataclass(frozen=True)
class Evaluated:
    """The cases, and for each case with findings the place of its first one: the record, the number of its pair, and
    of its upstream request. ``traces`` are the tracebacks of internal errors by case id."""

    cases: list[CaseRecord]
    places: Mapping[str, tuple[Record, Finding]] = field(default_factory=dict)
    traces: Mapping[str, str] = field(default_factory=dict)


def evaluate(recording: Recording) -> Evaluated:
    """Apply each rule to each record that it is about, and then the rules of an endpoint."""
    cases: list[CaseRecord] = []
    places: dict[str, tuple[Record, Finding]] = {}
    traces: dict[str, str] = {}
    failing: dict[str, list[str]] = {}
    order = [module.__name__ for module in _MODULES]
    for rule in sorted(RULES, key=lambda one: order.index(one.check.__module__)):
        for record in recording.records:
            if not set(rule.kinds) & set(record.about.get("kinds", ())):
                continue
            view = View(record, recording.settings, failing)
            case, finding, trace = _case(rule, record, view)
            cases.append(case)
            if trace:
                traces[case.id] = trace
            if finding is not None:
                places[case.id] = (record, finding)
                failing.setdefault(rule.id, []).append(record.probe)
    explained = {record.probe for record, _ in places.values()}
    endpoint = evaluate_endpoint(recording, explained)
    known = {record.probe: record for record in recording.records}
    for case in endpoint:
        if case.findings and case.scenario in known:
            places[case.id] = known[case.scenario], Finding(case.message)
    made = _with_gaps(_with_consequences([*_grouped(cases, places), *endpoint]))
    return Evaluated(_with_streams(made, places, recording), places, traces)


#: Areas whose violations in a stream show that events are missing.
_EVENTS = ("lifecycle", "sum", "event", "item", "proxy")


def _with_gaps(cases: list[CaseRecord]) -> list[CaseRecord]:
    """The cases, those of a gap or a repetition in the numbers of events with their root cause, if there is one: an
    event was left out, or sent twice, with its number."""
    roots = [one for one in cases if one.has_problem and not one.cause and one.area in _EVENTS]
    causes = {one.scenario: one.id for one in reversed(roots)}
    return [replace(one, cause=causes.get(one.scenario, roots[0].id)) if roots and _is_gap(one) else one
            for one in cases]  # fmt: skip


def _is_gap(case: CaseRecord) -> bool:
    counts = [one for one in case.findings if isinstance(one.want, int) and isinstance(one.got, int)]
    return case.requirement == "sequence.contiguous" and case.has_problem and not case.cause and bool(counts) and all(
        one.got > one.want or one.got == one.want - 1 for one in counts
    )  # fmt: skip


#: Streams without an end from which on all other violations of streams are consequences, if no stream has one.
_NO_STREAM_ENDS = 5


def _with_streams(
    cases: list[CaseRecord], places: Mapping[str, tuple[Record, Finding]], recording: Recording
) -> list[CaseRecord]:
    """The cases, those of streams with their root cause if no stream has an end: the client can read none."""
    streams = {one.probe for one in recording.records if one.pairs and one.pairs[0].client.requests_stream}
    forms = [one for one in cases if one.requirement == "proxy.response.form" and one.scenario in streams]
    endless = [one.id for one in forms if one.id in places and places[one.id][1].group == checks_response.NO_END]
    if len(endless) < max(_NO_STREAM_ENDS, sum(one.verdict in (PASS, FAIL) for one in forms)):
        return cases
    return [replace(one, cause=endless[0]) if one.has_problem and one.scenario in streams and one.id not in endless
            and not one.cause else one for one in cases]  # fmt: skip


#: Rules whose findings are differences of texts: of two with the same difference, the first is the root cause.
_TEXTS = (
    "request.texts", "request.system-texts", "request.calls", "request.tools", "response.text", "response.reasoning",
    "response.calls",
)  # fmt: skip


#: Rules whose violations follow from that of another one, by that rule.
_FOLLOWS = {
    "proxy.credentials.upstream-key-hidden": ("proxy.failure.no-address",),
    "proxy.request.sent-once": ("proxy.request.no-useless-retry",),
    "proxy.request.model": ("response.model-echoed",),
    "proxy.request.calls": ("proxy.response.call-ids",),
    "proxy.request.dialect": ("proxy.response.call-ids",),
    "proxy.response.form": ("http.stream-content-type", "http.json-content-type"),
    "proxy.streaming.text": ("proxy.streaming.reasoning", "proxy.streaming.arguments"),
    "proxy.cancel.upstream-closed": ("proxy.cancel.closed-in-silence",),
    "proxy.response.call-ids": ("identity.call-id", "sum.final-output"),
}


def _with_consequences(cases: list[CaseRecord]) -> list[CaseRecord]:
    """The cases, those of a rule of :data:`_FOLLOWS` with their root cause."""
    roots = {case.requirement: case.id for case in reversed(cases) if case.has_problem and not case.cause}
    causes = {rule: roots[root] for root, rules in _FOLLOWS.items() if root in roots for rule in rules}
    return [replace(case, cause=causes[case.requirement]) if case.has_problem and case.requirement in causes else case
            for case in cases]  # fmt: skip


def _grouped(cases: list[CaseRecord], places: Mapping[str, tuple[Record, Finding]]) -> list[CaseRecord]:
    """The cases, each with its root cause, if it is the case of another rule with the same difference of texts."""
    first: dict[tuple[str, str, str], CaseRecord] = {}
    for rule in _TEXTS:
        for case in cases:
            if case.requirement == f"{AREA}.{rule}" and case.id in places and (key := _difference(places[case.id][1])):
                first.setdefault((rule.partition(".")[0], *key), case)
    made = []
    for case in cases:
        key = _difference(places[case.id][1]) if case.id in places else None
        name = case.requirement.removeprefix(f"{AREA}.")
        root = first.get((name.partition(".")[0], *key)) if key and name in _TEXTS else None
        is_other = root is not None and root.requirement != case.requirement and root.verdict == case.verdict
        made.append(replace(case, cause=root.id) if root and is_other else case)
    return made


def _difference(finding: Finding) -> tuple[str, str] | None:
    """The group of a finding, or what was expected and received at the first difference of two texts: a character
    each."""
    if finding.group:
        return finding.group, ""
    want, got = finding.want, finding.got
    if not isinstance(want, str) or not isinstance(got, str) or not got:
        return None
    at = first_difference(want, got)
    return want[at : at + 1], got[at : at + 1]


def _case(rule: Rule, record: Record, view: View) -> tuple[CaseRecord, Finding | None, str]:
    row = proxy_catalogue()[rule.name]
    findings: list[Finding] = []
    verdict, reason, trace = PASS, NO_REASON, ""
    try:
        if rule.id not in _WITHOUT_BODY and any(leg.json is None for pair in record.pairs for leg in pair.upstream):
            raise CannotEvaluate("the upstream request is not JSON")
        findings = list(rule.check(view))
    except DoesNotApply as why:
        verdict, reason = NOT_APPLICABLE, Reason(reasons.DOES_NOT_APPLY, str(why))
    except CannotEvaluate as why:
        verdict, reason = INCONCLUSIVE, Reason(reasons.NO_EVIDENCE, str(why))
    except Exception as error:  # An internal error must not end the evaluation.
        verdict, reason, trace = (
            ERROR,
            Reason(reasons.INTERNAL_ERROR, f"internal error: {error}"),
            traceback.format_exc(),
        )
    if findings:
        verdict = _VERDICTS[row.level]
    case = CaseRecord(
        id=f"{rule.name}@{record.probe}",
        requirement=rule.name,
        scenario=record.probe,
        area=AREA,
        level=row.level,
        verdict=verdict,
        findings=tuple(_finding(one, record) for one in findings),
        reason=reason,
        examined=len(record.pairs) if verdict not in (NOT_APPLICABLE, INCONCLUSIVE) else 0,
    )
    return case, findings[0] if findings else None, trace


def _finding(one: Finding, record: Record) -> FindingRecord:
    size = len(record.pairs[one.pair].client.body) if record.pairs else 0
    want, got = one.want, one.got
    if isinstance(want, str) and isinstance(got, str) and len(want) > _LONG and got:
        at = first_difference(want, got)
        want, got = marked(want, at), marked(got, at)
    return FindingRecord(
        message=one.message[:LONGEST_VALUE], want=_shown(want), got=_shown(got), scenario=record.probe,
        request_bytes=size,
    )  # fmt: skip


def _shown(value: Any) -> Any:
    """The value for the results; a long one as its beginning."""
    if value is MISSING:
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text[:LONGEST_VALUE] + "..." if len(text) > LONGEST_VALUE else value
