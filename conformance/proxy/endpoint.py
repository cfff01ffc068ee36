"""The rules of an endpoint, applied to what the client received from the proxy.

They are those that need no scenario, as in ``conformance watch``. Only ordinary responses are evaluated, and only those
that violate no rule about both sides that explains what the client received. SHOULD and MAY are left to a run of the
suite.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from conformance.config.target import resolve
from conformance.contract.revisions import DEFAULT
from conformance.exchange.exchange import Exchange, Request
from conformance.proxy.outcomes import exchange_of, has_failed
from conformance.proxy.records import Record, Recording
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


def evaluate_endpoint(recording: Recording, explained: Collection[str]) -> list[CaseRecord]:
    """The cases of the rules of an endpoint, with their root causes, without those of the probes in ``explained``."""
    captured = [
        _captured(one, recording)
        for one in recording.records
        if set(one.about.get("kinds", ())) & {*_KINDS, _LINES} and one.probe not in explained and _is_served(one)
    ]
    if not captured:
        return []
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
    return [case for case in evaluated.cases if case in kept or case.id in causes]


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
