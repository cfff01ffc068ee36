"""The rules of an endpoint, applied to what the client received from the proxy.

They are those that need no scenario, as in ``conformance watch``. Only ordinary responses are evaluated. What a rule
about both sides states of the same content is its consequence (``across`` of ``consequences.toml``); all other
violations of the same response are root causes of their own. SHOULD and MAY are left to a run of the suite.
"""

from __future__ import annotations

from dataclasses import replace

from conformance.config.target import resolve
from conformance.contract.revisions import DEFAULT
from conformance.exchange.exchange import Exchange, Request
from conformance.judge import reasons
from conformance.judge.reasons import Reason
from conformance.judge.verdict import INCONCLUSIVE
from conformance.proxy.outcomes import exchange_of, has_failed
from conformance.proxy.records import Record, Recording
from conformance.proxy.rules import status_of
from conformance.results.records import CaseRecord
from conformance.traffic.captured import Captured
from conformance.traffic.evaluation import evaluate_captures

#: The kinds of probes with an ordinary response of the upstream.
_KINDS = ("response", "streaming", "silence")

#: The kind of a probe with a form of event lines, and the area of the rules about them: the other rules are about what
#: the ordinary response shows too.
_LINES, _OF_LINES = "lines", "sse"

#: The areas of what a proxy makes: the others are about the model and its counts, which are those of the upstream.
_AREAS = ("http", "sse", "response", "item", "event", "sequence", "lifecycle", "identity", "sum")


#: The rules of the one case of a probe in which none can be evaluated: of a stream, and of a plain response.
_OF_STREAM, _OF_BODY = "lifecycle.one-terminal-last", "response.schema"


def evaluate_endpoint(recording: Recording) -> list[CaseRecord]:
    """The cases of the rules of an endpoint, with their root causes."""
    records = [one for one in recording.records if set(one.about.get("kinds", ())) & {*_KINDS, _LINES} and one.pairs]
    captured = [_captured(one, recording) for one in records if _is_served(one)]
    left_out = [_left_out(one) for one in records if not _is_served(one)]
    if not captured:
        return left_out
    settings = recording.settings
    options = {"endpoint": settings["endpoint"], "model": settings["model"]}
    target = resolve(options, {}, "00000000", None)
    evaluated = evaluate_captures(captured, target, (), together=True)
    lines = {one.probe for one in recording.records if _LINES in one.about.get("kinds", ())}
    kept = [
        case
        for case in evaluated.cases
        if case.area in (_AREAS if case.scenario not in lines else (_OF_LINES,)) and case.level == "MUST"
    ]
    causes = {case.cause for case in kept}
    return [*(case for case in evaluated.cases if case in kept or case.id in causes), *left_out]


def _left_out(record: Record) -> CaseRecord:
    """The inconclusive case of a probe without a response that the rules can be applied to."""
    leg = record.pairs[0].client
    rule = _OF_STREAM if leg.requests_stream else _OF_BODY
    why = "the response failed" if leg.ok and has_failed(leg) else f"the client received {status_of(leg)}"
    if leg.ok and not record.pairs[0].upstream:
        why = "no request reached the upstream"
    reason = Reason(reasons.NO_EVIDENCE, f"{why}: no rule of an endpoint is evaluated in this probe")
    return CaseRecord(
        id=f"{rule}@{record.probe}", requirement=rule, scenario=record.probe, area=rule.partition(".")[0], level="MUST",
        verdict=INCONCLUSIVE, findings=(), reason=reason, examined=0,
    )  # fmt: skip


def _is_served(record: Record) -> bool:
    """Whether the client received a response that an upstream request caused, and that has not failed: the upstream
    sends no failure, so that it is reported as such."""
    pair = record.pairs[0]
    return pair.client.ok and bool(pair.upstream) and not has_failed(pair.client)


def _captured(record: Record, recording: Recording) -> Captured:
    leg = record.pairs[0].client
    exchange: Exchange = replace(
        exchange_of(leg),
        key=record.probe,
        scenario=record.probe,
        request=Request(leg.method, f"{recording.settings['endpoint']}{DEFAULT.path}", leg.headers, leg.body),
        sent_at=recording.settings["started_at"] + leg.began / 1000,
    )
    return Captured(record.probe, exchange)
