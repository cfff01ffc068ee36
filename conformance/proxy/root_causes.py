"""The root cause of each violation of a proxy, so that one defect is reported once.

Of several violations the root cause is the one nearest to the request, or to the byte where the defect began. A rule
follows from another one by :data:`_FOLLOWS`, by the same difference of texts, by the same group, or by a fact about the
bytes (:mod:`conformance.proxy.symptoms`): then all its violations must be in probes that show the fact, as else it has
another cause too.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from conformance.judge.verdict import FAIL, PASS
from conformance.proxy import checks_response
from conformance.proxy.differences import LOST, LOST_CALLS, LOST_PARTS
from conformance.proxy.grouped import Places, grouped
from conformance.proxy.probes.streams import LAST
from conformance.proxy.records import Recording
from conformance.proxy.rules import AREA, without_form
from conformance.proxy.symptoms import symptoms
from conformance.proxy.systematic import always_violated, with_plain_causes
from conformance.proxy.unfinished import with_unfinished
from conformance.results.records import CaseRecord

#: A role none of whose turns reached the upstream, in the finding about a long conversation.
_NO_TURN = re.compile(r"\b0 of \d+ of the (\w+)")

#: Rules whose violations follow from that of another one, by that rule.
_FOLLOWS = {
    "proxy.credentials.upstream-key-hidden": ("proxy.failure.no-address",),
    "proxy.request.served": ("http.body-is-utf8-json",),
    "proxy.request.sent-once": ("proxy.request.no-useless-retry",),
    "proxy.request.model": ("response.model-echoed",),
    "proxy.response.form": ("http.stream-content-type", "http.json-content-type", "sse.plain-stays-plain"),
    "proxy.streaming.text": ("proxy.streaming.reasoning", "proxy.streaming.arguments", "proxy.streaming.first-event"),
    "proxy.cancel.upstream-closed": ("proxy.cancel.closed-in-silence",),
    "proxy.response.call-ids": ("identity.call-id", "sum.final-output"),
}

#: Rules that follow from another one in the same exchange, by that rule: if each violation of them is in a probe that
#: violates it.
_FOLLOWS_IN_PROBE: dict[str, tuple[str, ...]] = {
    "proxy.request.sent-once": (
        "proxy.failure.honest",
        "proxy.cancel.closed-in-silence",
        "proxy.response.text",
        "proxy.response.reasoning",
    ),
    "proxy.request.calls": ("proxy.request.dialect",),
    "proxy.response.form": ("proxy.request.served", "proxy.streaming.text"),
    "proxy.request.dialect": ("proxy.request.served",),
    "proxy.cancel.upstream-closed": ("proxy.cancel.next-served",),
    "lifecycle.indexes-dense": ("identity.event-fits-item",),
}

#: A turn of a role that arrives without its text, in a message.
_WITHOUT_TEXT = re.compile(r"(\w+) turn \d+: the client sent \d+ characters, the upstream received none")

_NO_CALLS = re.compile(
    r"calls: the client sent \d+, the upstream received 0; results: the client sent \d+, the upstream "
)

#: Areas whose violations in a stream show that events are missing.
_EVENTS = ("lifecycle", "sum", "event", "item", "proxy")

#: Streams without an end from which on all other violations of streams are consequences, if no stream has one.
_NO_STREAM_ENDS = 5

#: For each fact, the rules that can be its root cause, the nearest first.
_BROKEN = ("proxy.response.form", "proxy.forms.same-response", "sse.not-cut")
_DAMAGED = ("proxy.response.text", "proxy.response.reasoning", "proxy.response.calls", "proxy.forms.same-response")
_SUFFIX = ("proxy.request.roles-and-order", "proxy.request.texts", "proxy.request.calls")
_STOPPED = ("proxy.failure.survives",)
_UNREAD = ("proxy.cancel.upstream-closed",)
_LEAVES = ("proxy.request.served", "proxy.forms.same-response", "proxy.streaming.silence")
_TRAILERS = ("proxy.request.served", "proxy.forms.same-response", "proxy.streaming.silence")
_LOOPED = ("proxy.request.sent-once",)
_PARSED = ("proxy.response.calls", "proxy.request.served")

#: The rules that a proxy violates that refuses all requests after cancelled ones or failures, the probes after the
#: first cancelled ones, and those at the end, after the failures.
_LOCKED = ("proxy.cancel.next-served", "proxy.failure.survives", "proxy.request.served")
_LATER, _LAST = ("cancel", "connection", "failure"), tuple(one.name for one in LAST)

#: The rules that a proxy violates that mixes responses, or sends the request of another client again, also in other
#: probes that are sent together; the rules of an endpoint are others.
_MIXED = (
    "proxy.response.not-mixed", "proxy.response.text", "proxy.response.reasoning", "proxy.response.calls",
    "proxy.response.finish", "proxy.request.sent-once",
)  # fmt: skip

#: The rules that a proxy violates that keeps a text or calls for the next response.
_KEPT = _MIXED[1:4]

#: The rules that a proxy violates that serves so many requests at a time, and loses their places.
_STUCK = ("proxy.failure.survives", "proxy.streaming.concurrent")
_CHOICELESS = ("proxy.response.finish", "proxy.request.served", "proxy.forms.same-response")
_DONELESS = ("proxy.forms.same-response", "proxy.failure.honest")
_REORDERED = ("proxy.response.reasoning", "proxy.response.calls", "proxy.response.text")
_ONE_STATUS = ("proxy.failure.server-error-kept", "proxy.failure.client-error-kept")


def with_root_causes(cases: Sequence[CaseRecord], places: Places, recording: Recording) -> list[CaseRecord]:
    """The cases, each that is a consequence with its root cause; ``places`` are those of the findings."""
    made = with_plain_causes(with_unfinished(_with_lost_turns(_with_consequences(grouped(cases, places)))))
    made = _with_streams(_with_gaps(made), places, recording)
    facts = symptoms(recording)
    of_endpoint = {one.requirement for one in made if one.area != AREA}
    made = _of_fact(made, facts.kept, _KEPT, {_MIXED[0], *_KEPT, *of_endpoint})
    made = _of_fact(made, facts.together, _MIXED[:1], {*_MIXED, *of_endpoint} - always_violated(made))
    for probes, order in (
        (facts.stopped, _STOPPED),
        (facts.framed_twice, _BROKEN[:1]),
        (facts.broken, _BROKEN),
        (facts.damaged, _DAMAGED),
        (facts.suffix, _SUFFIX),
        (facts.one_status, _ONE_STATUS),
        (facts.leaves, _LEAVES),
        (facts.unread, _UNREAD),
        (facts.trailers, _TRAILERS),
        (facts.parsed, _PARSED),
        (facts.looped, _LOOPED),
        (facts.choiceless, _CHOICELESS),
        (facts.doneless, _DONELESS),
        (facts.reordered, _REORDERED),
    ):
        made = _of_fact(made, probes, order)
    made = _of_fact(made, facts.stuck, _STOPPED, _STUCK)
    made = _of_divided_events(made)
    for root, rules in _FOLLOWS_IN_PROBE.items():
        made = _of_rule(made, root, rules)
    if any(places[one.id][1].group == LOST_CALLS for one in _roots(made) if one.id in places):
        made = _of_rule(made, "proxy.request.dialect", ("proxy.request.calls",))  # They became other messages.
    return _of_rare_forms(_of_one_failure(_of_one_lock(_of_parts(made, places))), places)


def _of_divided_events(cases: list[CaseRecord]) -> list[CaseRecord]:
    """The cases, those of streams without a terminal event with that of an event in the same stream that is not JSON
    as root cause, if each of these streams has one: the terminal event is written in the same way."""
    divided = {one.scenario: one for one in cases if one.has_problem and one.requirement == "sse.data-is-json-object"}
    forms = [one for one in _roots(cases) if one.requirement == "proxy.response.form"]
    endless = [one for one in forms if one.scenario in divided and _lacks_an_end(one)]
    if not endless or endless != forms:
        return cases
    root = divided[endless[0].scenario]
    return _caused(cases, {one.id: root.cause or root.id for one in endless}, root)


def _lacks_an_end(case: CaseRecord) -> bool:
    return any(one.want == "a terminal event" for one in case.findings[:1])


def _of_one_lock(cases: list[CaseRecord]) -> list[CaseRecord]:
    """The cases, those of ordinary requests that are refused after cancelled ones and after failures with the first of
    them as root cause, if they have the same status: then the proxy refuses all of them."""
    refused = [one for one in _roots(cases) if one.requirement in _LOCKED and one.scenario.startswith(_LATER)]
    cancelled = [one for one in refused if one.requirement == _LOCKED[0] and one.scenario not in _LAST]
    failed = [one for one in refused if one.requirement == _LOCKED[1]]
    if not cancelled + failed:
        return cases
    locked = (cancelled + failed)[0]
    equal = [one for one in refused if one.findings[0].got and one.findings[0].got == locked.findings[0].got]
    equal = [one for one in equal if cancelled or one.requirement != _LOCKED[2]]
    return _caused(cases, {one.id: locked.id for one in equal if one.id != locked.id}, locked)


def _of_one_failure(cases: list[CaseRecord]) -> list[CaseRecord]:
    """The cases, that of a stream after one 503 that did not complete with that of a 503 that is no failure for the
    client as root cause: the proxy did not retry it, and passes it on like others."""
    honest = (one for one in _roots(cases) if one.requirement == "proxy.failure.honest")
    root = next((one for one in honest if one.message.startswith("the upstream responded with 503")), None)
    if root is None:
        return cases
    once = [one for one in _roots(cases) if one.id == "proxy.failure.survives@failure.once-503"]
    return _caused(cases, {one.id: root.id for one in once if one.message.endswith("did not complete")}, root)


def _of_fact(
    cases: list[CaseRecord], probes: Collection[str], order: Sequence[str], rules: Collection[str] = ()
) -> list[CaseRecord]:
    """The cases, those of rules (all if none is given) that are violated only in these probes with the first of the
    order as root cause."""
    found = [one for one in _roots(cases) if one.scenario in probes and (not rules or one.requirement in rules)]
    if not (named := [one for one in found if one.requirement in order]):
        return cases
    root = min(named, key=lambda one: (one.verdict != FAIL, order.index(one.requirement)))
    follows = {one.requirement for one in found} - {root.requirement} - _outside(cases, probes)
    return _caused(cases, {one.id: root.id for one in found if one.requirement in follows}, root)


def _of_rule(cases: list[CaseRecord], root: str, rules: Sequence[str]) -> list[CaseRecord]:
    """The cases, those of some rules with the case of another rule as root cause, if that is violated in each of their
    probes."""
    roots = {one.scenario: one for one in reversed(_roots(cases)) if one.requirement == root}
    for rule in set(rules) - _outside(cases, roots):
        first = next((roots[one.scenario] for one in _roots(cases) if one.requirement == rule), None)
        if first is not None:
            cases = _caused(cases, {one.id: first.id for one in cases if one.requirement == rule}, first)
    return cases


def _roots(cases: Sequence[CaseRecord]) -> list[CaseRecord]:
    return [one for one in cases if one.has_problem and not one.cause]


def _outside(cases: Sequence[CaseRecord], probes: Collection[str]) -> set[str]:
    """The rules that are violated in other probes too."""
    return {one.requirement for one in _roots(cases) if one.scenario not in probes}


def _caused(cases: Sequence[CaseRecord], causes: Mapping[str, str], root: CaseRecord) -> list[CaseRecord]:
    """The cases, those without a cause with that of ``causes``; a failure is never the consequence of a warning."""
    return [
        replace(one, cause=causes[one.id])
        if one.id in causes and one.has_problem and not one.cause and (root.verdict == FAIL or one.verdict != FAIL)
        else one
        for one in cases
    ]


def _of_parts(cases: list[CaseRecord], places: Places) -> list[CaseRecord]:
    """The cases, those of lost parts of tool results with that of lost parts of a message as root cause."""
    groups = {one.id: places[one.id][1].group for one in _roots(cases) if one.id in places}
    texts = next((one for one in cases if one.scenario == "request.parts" and groups.get(one.id) == LOST), None)
    lost = [one for one, group in groups.items() if group == LOST_PARTS]
    return _caused(cases, dict.fromkeys(lost, texts.id), texts) if texts else cases


def _of_rare_forms(cases: list[CaseRecord], places: Places) -> list[CaseRecord]:
    """The cases, those of rare forms with that of an ordinary form with the same difference as root cause."""
    known = {
        without_form(*places[one.id]): one
        for one in reversed(_roots(cases))
        if one.requirement == "proxy.forms.same-response" and one.id in places
    }
    causes = {
        one.id: known[key]
        for one in _roots(cases)
        if one.requirement == "proxy.forms.rare-same-response" and (key := without_form(*places[one.id])) in known
    }
    return [replace(one, cause=causes[one.id].id) if one.id in causes else one for one in cases]


def _with_gaps(cases: list[CaseRecord]) -> list[CaseRecord]:
    """The cases, those of a gap or a repetition in the numbers of events with their root cause, if there is one: an
    event was left out, or sent twice, with its number."""
    roots = [one for one in cases if one.has_problem and not one.cause and one.area in _EVENTS]
    causes = {one.scenario: one.id for one in reversed(roots)}
    return [replace(one, cause=causes.get(one.scenario, roots[0].id)) if roots and _is_gap(one) else one
            for one in cases]  # fmt: skip


def _with_lost_turns(cases: list[CaseRecord]) -> list[CaseRecord]:
    """The cases, those of turns that arrive without their text, or calls that do not arrive, with that of missing turns
    of the roles as root cause: a turn that has calls too is not missing, and a conversation of calls has no others."""
    orders = [one for one in _roots(cases) if one.requirement == "proxy.request.roles-and-order"]
    for one in [one for one in _roots(cases) if one.requirement in ("proxy.request.texts", "proxy.request.calls")]:
        roles = set[str]().union(*(_roles_without_content(each.message) for each in one.findings))
        lost = (order for order in orders if "" not in roles and roles <= _lost_roles(order))
        if root := next(lost, None):
            cases = _caused(cases, {one.id: root.id}, root)
    return cases


def _roles_without_content(message: str) -> set[str]:
    """The roles whose turns arrive without their text or calls, by a finding; an empty string for another finding."""
    if _NO_CALLS.match(message):
        return {"tool"}  # The turn of the call can be there without it.
    return {match[1] if (match := _WITHOUT_TEXT.match(message)) else ""}


def _lost_roles(order: CaseRecord) -> set[str]:
    """The roles of which a conversation has no turn where some were expected: of one that has fewer, a part is lost."""
    actual, _, expected = order.message.partition(", expected ")
    found = [set(re.findall(r"\w+", each.removeprefix("the turns are in the order "))) for each in (expected, actual)]
    return found[0] - found[1] if expected else set(_NO_TURN.findall(order.message))


def _is_gap(case: CaseRecord) -> bool:
    counts = [one for one in case.findings if isinstance(one.want, int) and isinstance(one.got, int)]
    return case.requirement == "sequence.contiguous" and case.has_problem and not case.cause and bool(counts) and all(
        one.got > one.want or one.got == one.want - 1 for one in counts
    )  # fmt: skip


def _with_streams(cases: list[CaseRecord], places: Places, recording: Recording) -> list[CaseRecord]:
    """The cases, those of streams with their root cause if no stream has an end: the client can read none."""
    streams = {one.probe for one in recording.records if one.pairs and one.pairs[0].client.requests_stream}
    forms = [one for one in cases if one.requirement == "proxy.response.form" and one.scenario in streams]
    endless = [one.id for one in forms if one.id in places and places[one.id][1].group == checks_response.NO_END]
    if len(endless) < max(_NO_STREAM_ENDS, sum(one.verdict in (PASS, FAIL) for one in forms)):
        return cases
    return [replace(one, cause=endless[0]) if one.has_problem and one.scenario in streams and one.id not in endless
            and not one.cause else one for one in cases]  # fmt: skip


def _with_consequences(cases: list[CaseRecord]) -> list[CaseRecord]:
    """The cases, those of a rule of :data:`_FOLLOWS` with their root cause."""
    roots = {case.requirement: case.id for case in reversed(cases) if case.has_problem and not case.cause}
    causes = {rule: roots[root] for root, rules in _FOLLOWS.items() if root in roots for rule in rules}
    return [replace(case, cause=causes[case.requirement]) if case.has_problem and case.requirement in causes else case
            for case in cases]  # fmt: skip
