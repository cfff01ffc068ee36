"""Checks of what reaches the upstream."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from conformance.decode.cannot_evaluate import CannotEvaluate, DoesNotApply
from conformance.decode.events import mapping
from conformance.proxy import conversation
from conformance.proxy.differences import EQUAL_IDS, LOST, Difference, of_requests
from conformance.proxy.outcomes import has_failed, outcome
from conformance.proxy.records import Leg, Pair
from conformance.proxy.rules import Finding, Findings, View, must_not_be_limited, on_connection, rule, status_of
from conformance.proxy.script import FAILURE_TEXT
from conformance.proxy.texts import marked
from conformance.proxy.upstream import CANARY, OF_NO_PROBE

#: The kinds of probes whose requests are compared member by member.
COMPARED = ("request",)

#: The kinds of probes in which the upstream serves each request.
SERVED = ("request", "repeated", "round-trip", "response", "media")


@rule("request.served", *SERVED, "cancel-before")
def served(view: View) -> Findings:
    """The client receives a 2xx for a request that the upstream would serve."""
    for at, pair in enumerate(view.record.pairs):
        must_not_be_limited(pair)
        leg = pair.client
        refused = leg.status is not None and 400 <= leg.status < 500
        if leg.ok and (why := _unreadable(leg)):
            message = f"the client received {status_of(leg)} with {why}: {_excerpt(leg)}"
            yield Finding(message, "a Response", _excerpt(leg), at)
        failed = has_failed(leg) and not pair.upstream
        if (leg.ok and not failed) or (view.record.about.get("may_refuse") and refused and not pair.upstream):
            continue
        good = [one for one in pair.upstream if one.ok]
        where = "although the upstream served it" if good else "before the upstream"
        where += on_connection(view, good) + ", on the connection of an earlier request" * bool(leg.notes.get("reused"))
        if not pair.upstream and OF_NO_PROBE.encode() in leg.reply:
            where = where.replace("before the upstream", "and the upstream received an earlier request in its place")
        elif not pair.upstream and FAILURE_TEXT.encode() in leg.reply:
            where += ", with the error of the upstream for another request"
        where = " with stream: true" * leg.requests_stream + f", {where}"
        what = f"received {status_of(leg)}{' and a failure' * failed} for a documented request{where}"
        yield Finding(f"the client {what}: {_excerpt(leg)}", 200, leg.status, at)


def _unreadable(leg: Leg) -> str:
    """What the body is instead of a Response, in words; empty if it is one."""
    try:
        outcome(leg, "responses")
    except CannotEvaluate as error:
        kind = leg.header("content-type", True)
        if leg.wrong_coding:
            return str(error).removeprefix("received ")
        return f"{_wrong_json(leg.reply) or 'a body that is no Response'} ({kind})"
    return ""


def _wrong_json(body: bytes) -> str:
    """What is wrong with a body that begins as a JSON object, in words; empty if it is JSON, or begins otherwise."""
    given = body.decode("utf-8", "replace").strip()
    try:
        end = json.JSONDecoder().raw_decode(given)[1]
    except ValueError:
        return f"JSON that ends early, after {len(body)} bytes" * given.startswith("{")
    return f"JSON and {len(given) - end} more characters behind it" * (end < len(given))


def _excerpt(leg: Leg) -> str:
    text = " ".join(leg.reply.decode("utf-8", "replace").split())
    return text[:160] or "no body"


@rule("request.reaches-upstream", "request", "repeated", "response", "round-trip")
def reaches(view: View) -> Findings:
    """Each served request causes an upstream request, which contains the canary of the input."""
    for at, pair in enumerate(view.record.pairs):
        if not pair.client.ok or _unreadable(pair.client) or has_failed(pair.client):
            raise CannotEvaluate(f"the client received {status_of(pair.client)} and no Response that was served")
        if not pair.upstream:
            again = ": it is that of the same request before, from a cache" * (at > 0)
            message = f"the client received a response without a request to the upstream{again}"
            if other := _other_canary(pair):
                message = f"the client received the response to an earlier request with {other}, not to its own with"
                message += f" {pair.canary}, of which the upstream received nothing"
            yield Finding(message, "a request to the upstream", "none", at)
        elif not any(leg.notes.get("matched") for leg in pair.upstream):
            form = conversation.form_of_input(pair.client.json)
            message = f"the upstream received a request without the user's input, sent as {form}"
            message += f": it contains no {pair.canary}{_user_text(view, pair.upstream[-1])}"
            yield Finding(message, pair.canary, None, at, len(pair.upstream) - 1, LOST * _has_other_text(pair))


def _user_text(view: View, leg: Leg) -> str:
    """The last text of the user in an upstream request, for messages; empty without one."""
    received = conversation.of(mapping(leg.json), view.dialect)
    texts = [text for turn in received.turns if turn.role == "user" for text in turn.texts if text.strip()]
    return f", the user's text is {marked(texts[-1], 0)}" if texts else ""


def _other_canary(pair: Pair) -> str:
    """The canary of another request in what the client received; empty without one, and beside its own."""
    found = CANARY.findall(pair.client.reply)
    return found[0].decode() if found and pair.canary.encode() not in found else ""


def _has_other_text(pair: Pair) -> bool:
    """Whether another text of the input reached the upstream."""
    sent = conversation.of_responses(mapping(pair.client.json))
    others = [text for turn in sent.turns for text in turn.texts if text.strip() and pair.canary not in text]
    received = json.dumps(pair.upstream[-1].json, ensure_ascii=False)
    return any(json.dumps(text, ensure_ascii=False)[1:-1] in received for text in others)


@rule("request.dialect", *COMPARED)
def dialect(view: View) -> Findings:
    """The upstream request is valid JSON of its dialect, with its content type."""
    leg = view.upstream()
    if not isinstance(leg.json, dict):
        yield Finding(
            "the body of the upstream request is not a JSON object",
            "a JSON object",
            leg.body[:80].decode("utf-8", "replace"),
            0,
            0,
        )
        return
    kind = (leg.header("content-type") or "").partition(";")[0].strip().lower()
    if kind != "application/json":
        yield Finding(f"the upstream request has the Content-Type {kind!r}", "application/json", kind, 0, 0)
    yield from _of(view, "request.dialect")


@rule("request.host", *COMPARED)
def host(view: View) -> Findings:
    """The Host header is that of the upstream."""
    leg = view.upstream()
    sent, own = leg.header("host") or "", str(view.settings["upstream"])
    port = own.rpartition(":")[2]
    if sent.rpartition(":")[2] != port:
        yield Finding(f"the upstream request has Host: {sent}, expected that of the upstream", own, sent, 0, 0)


@rule("request.hop-by-hop", "hop-by-hop")
def hop_by_hop(view: View) -> Findings:
    """No header that the client's Connection names is in the upstream request."""
    leg = view.upstream()
    named = [one.strip().lower() for one in (view.client.header("connection") or "").split(",")]
    for name, value in leg.headers:
        if name.lower() in named and value == view.client.header(name):
            says = f"the upstream request has the header {name}, which the client's Connection names for its connection"
            yield Finding(says, "no such header", value, 0, 0)


@rule("request.model", *COMPARED)
def model(view: View) -> Findings:
    """The model is that of the client, or its mapping."""
    got, want = _compared(view)[1].model, view.settings["upstream_model"]
    if got != want:
        yield Finding(f"the upstream received the model {got!r}, expected {want!r}", want, got, 0, 0)


def _compared(view: View) -> tuple[conversation.Conversation, conversation.Conversation]:
    """The client's request and the upstream's. :class:`CannotEvaluate` without them, or if the input did not reach the
    upstream, which another rule reports."""
    return compared(view, view.pair)


def compared(view: View, pair: Pair) -> tuple[conversation.Conversation, conversation.Conversation]:
    """The same for one pair of several."""
    leg = view.upstream(pair)
    if not isinstance(leg.json, dict):
        raise CannotEvaluate("the body of the upstream request is not a JSON object")
    if not leg.notes.get("matched"):
        raise CannotEvaluate("the upstream request does not contain the user's input")
    sent, received = conversation.of_responses(pair.client.json or {}), conversation.of(leg.json, view.dialect)
    if added := view.settings.get("system_text"):
        received.system = [one.replace(added, "") for one in received.system]
    if "effort" in sent.parameters:
        effort = sent.parameters["effort"]
        sent.parameters["effort"] = view.settings.get("effort", {}).get(effort, effort)
    return sent, received


def _of(view: View, name: str) -> Iterator[Finding]:
    sent, received = _compared(view)
    differences: list[Difference] = list(of_requests(sent, received, view.dialect == "responses"))
    # A request in the wrong form differs in many places: the form is the finding.
    if name != "request.dialect" and any(one.rule == "request.dialect" for one in differences):
        differences = [one for one in differences if one.rule not in ("request.texts", "request.roles-and-order")]
    for one in differences:
        if one.rule == name:
            yield Finding(one.message, one.want, one.got, 0, len(view.pair.upstream) - 1, one.group)


def _needs(name: str, has: Any) -> None:
    """Register the check of a rule about differences; ``has``: whether the client's request contains what it is
    about."""

    def check(view: View) -> Findings:
        sent, _ = _compared(view)
        if not has(sent):
            raise DoesNotApply("the request contains nothing that this rule is about")
        yield from _of(view, name)

    check.__doc__ = f"The differences of the rule {name}."
    rule(name, *COMPARED)(check)


_needs("request.system-texts", lambda sent: any(sent.system))
_needs("request.texts", lambda sent: any(turn.texts for turn in sent.turns))
_needs("request.roles-and-order", lambda sent: len(sent.turns) > 0)
_needs("request.reasoning", lambda sent: any(turn.reasoning for turn in sent.turns))
_needs("request.media", lambda sent: any(turn.media for turn in sent.turns))
_needs("request.tools", lambda sent: bool(sent.tools))
_needs("request.strict", lambda sent: any(tool["strict"] for tool in sent.tools.values()))
_needs("request.parameters", lambda sent: bool(sent.parameters))
_needs("request.nothing-added", lambda sent: True)


@rule("request.calls", *COMPARED)
def calls(view: View) -> Findings:
    """Calls and results arrive, each result with the id of its call."""
    sent, received = _compared(view)
    if not any(turn.calls or turn.results for turn in sent.turns):
        raise DoesNotApply("the request contains no call and no tool result")
    found = list(_of(view, "request.calls"))
    yield from found
    names = [[call[1] for turn in one.turns for call in turn.calls] for one in (sent, received)]
    want, got = conversation.pairing(sent), conversation.pairing(received)
    if found or names[0] != names[1] or len(want) != len(got) or received.problems:
        return  # Without the same calls in the same order their numbers are others.
    for at, (text, call, name) in enumerate(want):
        same = [(other, its) for received_text, other, its in got if received_text == text]
        if same and call not in (other for other, _ in same):
            other_name = same[0][1]
            ids = [one[0] for turn in received.turns for one in turn.calls]
            of_call = ids[call] if 0 <= call < len(ids) else ""
            its_call = f"its call with the id {of_call}" if of_call else "not with that of its call"
            its_call = f"which {ids.count(of_call)} calls have" if of_call == other_name else its_call
            says = f"tool result {at + 1} reached the upstream with the id {other_name}, {its_call}"
            yield Finding(f"{says}; the client sent {name} in both", name, other_name, 0, 0)
            return


def _loses_calls(view: View) -> bool:
    """Whether requests with tool results violate another rule."""
    rules = ("request.calls", "request.dialect", "request.roles-and-order")
    return any(probe.startswith("request.tool-results") for name in rules for probe in view.failing.get(name, ()))


@rule("response.call-ids", "round-trip")
def call_ids(view: View) -> Findings:
    """A tool result carries the id of the upstream's call."""
    if len(view.record.pairs) < 2:
        raise CannotEvaluate("the client received no call in the first response")
    first, second = view.record.pairs[:2]
    made = outcome(view.upstream(first), view.dialect).calls
    taken = outcome(view.served(first), "responses").calls
    if len(taken) != len(made):
        raise CannotEvaluate("the client did not receive every call of the first response")
    if [one.call_id for one in taken] == [one.call_id for one in made] and _loses_calls(view):
        raise CannotEvaluate("calls and tool results of the input do not reach the upstream as they are")
    _, received = compared(view, second)
    ids = [one.call_id for one in made]
    results = [one for turn in received.turns for one, _ in turn.results]
    again = [call[0] for turn in received.turns for call in turn.calls]
    if sorted(results) != sorted(ids) or sorted(again) != sorted(ids):
        got = results if sorted(results) != sorted(ids) else again
        made_ids, received_ids = ", ".join(ids), ", ".join(got) or "none"
        message = f"the upstream made the calls {made_ids}, and received the ids {received_ids} in the next request"
        yield Finding(message, ids, got, 1, 0, EQUAL_IDS * (len(set(got)) < len(got)))
