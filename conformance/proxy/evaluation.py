"""The evaluation of recorded probes: the records of results, as for any run."""

from __future__ import annotations

import json
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from conformance.contract.rules import proxy_catalogue
from conformance.decode.cannot_evaluate import CannotEvaluate, DoesNotApply
from conformance.judge import reasons
from conformance.judge.findings import MISSING
from conformance.judge.reasons import NO_REASON, Reason
from conformance.judge.verdict import FAIL, INCONCLUSIVE, NOT_APPLICABLE, PASS, WARNING
from conformance.proxy import (
    checks_credentials,
    checks_failure,
    checks_forms,
    checks_media,
    checks_messages,
    checks_request,
    checks_response,
    checks_retries,
    checks_stream,
    response_facts,
)
from conformance.proxy.connections import leaves_streams
from conformance.proxy.endpoint import evaluate_endpoint
from conformance.proxy.records import Record, Recording
from conformance.proxy.root_causes import with_root_causes
from conformance.proxy.rules import AREA, RULES, Finding, Rule, View
from conformance.proxy.texts import first_difference, marked
from conformance.results.across_sides import with_causes_of
from conformance.results.records import LONGEST_VALUE, CaseRecord, FindingRecord
from conformance.results.results_file import ERROR

#: The modules whose import registers the rules, in the order of evaluation: later rules know the findings of earlier
#: ones.
_MODULES = (
    checks_request, checks_retries, checks_media, checks_credentials, checks_response, checks_forms, checks_stream,
    checks_failure, checks_messages,
)  # fmt: skip

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
    leaves, disconnects = leaves_streams(recording.records), response_facts.disconnects(recording.records)
    for rule in sorted(RULES, key=lambda one: order.index(one.check.__module__)):
        for record in recording.records:
            if not set(rule.kinds) & set(record.about.get("kinds", ())):
                continue
            view = View(record, recording.settings, failing, leaves, disconnects)
            case, finding, trace = _case(rule, record, view)
            cases.append(case)
            if trace:
                traces[case.id] = trace
            if finding is not None:
                places[case.id] = (record, finding)
                failing.setdefault(rule.id, []).append(record.probe)
    endpoint = with_causes_of(evaluate_endpoint(recording), [one for one in cases if one.has_problem])
    known = {record.probe: record for record in recording.records}
    for case in endpoint:
        if case.findings and case.scenario in known:
            places[case.id] = known[case.scenario], Finding(case.message)
    return Evaluated(with_root_causes([*cases, *endpoint], places, recording), places, traces)


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
