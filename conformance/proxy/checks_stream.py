"""Checks of the flow of a stream: concurrent requests, deltas, silence, and cancelled requests."""

from __future__ import annotations

from dataclasses import replace

from conformance.decode.cannot_evaluate import CannotEvaluate, DoesNotApply
from conformance.decode.events import mapping
from conformance.proxy.checks_response import SENT, TAKEN, abandoned, both
from conformance.proxy.differences import of_calls
from conformance.proxy.outcomes import FAILED, Outcome, deltas, has_failed, lacks_item, outcome, streams
from conformance.proxy.probes.deltas import MARKS
from conformance.proxy.records import Leg, Pair
from conformance.proxy.rules import Finding, Findings, View, at_client, must_not_be_limited, rule, status_of
from conformance.proxy.texts import text_differs

#: Milliseconds between the end of the upstream's stream and of the client's, if the proxy sends the text at its end.
_AT_ONCE = 500.0


def _needs_matched(view: View) -> None:
    if any(not leg.notes.get("matched") for pair in view.record.pairs for leg in pair.upstream):
        raise CannotEvaluate("the upstream requests do not contain the user's input")


@rule("response.not-mixed", "concurrent", "concurrent-calls")
def not_mixed(view: View) -> Findings:
    """Each client receives its own response, as it does alone."""
    _needs_matched(view)
    checked = 0
    for at, pair in enumerate(view.record.pairs):
        checked += pair.client.ok
        if found := _foreign(view, pair) or _disturbed(view, pair):
            yield replace(found, pair=at)
            return
    if not checked:
        raise CannotEvaluate(f"no concurrent request was served: {status_of(view.client)}")


def _foreign(view: View, pair: Pair) -> Finding | None:
    """The text of another request in a response."""
    if not pair.client.ok:
        return None
    body = pair.client.reply.decode("utf-8", "replace")
    others = [one.canary for one in view.record.pairs if one.canary != pair.canary and one.canary in body]
    says = f"the response to the request with {pair.canary} contains the text of the one with {', '.join(others[:1])}"
    return Finding(says, pair.canary, others) if others else None


#: Rules whose violation by a stream alone leaves nothing to conclude from concurrent ones.
_ALONE = ("request.served", "response.text", "response.finish", "response.form", "streaming.text")

#: The probes with such a response alone: of streams with the same deltas, and divided within lines.
_ALONE_PROBES = {"streaming.text", "streaming.arguments", "form.split-lines"}
_ALONE_PLAIN = {"response.text"}

_BESIDE = "beside other streams, "


def _disturbed(view: View, pair: Pair) -> Finding | None:
    """What differs from the upstream's response beside other streams alone."""
    alone = {probe for name in (*_ALONE, "forms.same-response") for probe in view.failing.get(name, ())}
    leg, content = pair.client, "response.calls" if view.record.probe == "concurrent.calls" else "response.text"
    probes = _ALONE_PROBES if leg.requests_stream else _ALONE_PLAIN
    if alone & probes or content in view.failing or not pair.upstream or leg.ended == "time-out":
        return None
    if leg.status is not None and leg.status >= 500 and view.upstream(pair).ok:
        says = f"{_BESIDE}the client received {status_of(leg)}, and the upstream served the request"
        return Finding(says, 200, leg.status)
    try:
        return _damaged(leg, *both(view, pair))
    except CannotEvaluate:
        return None


def _damaged(leg: Leg, sent: Outcome, taken: Outcome) -> Finding | None:
    """The first difference between what the upstream sent and what the client received."""
    if taken.finish != sent.finish or leg.ended in ("cut", "reset", "invalid"):
        says = f"{_BESIDE}the client's response is {taken.finish} ({leg.ended}), expected completed"
        return Finding(says, "completed", taken.finish)
    parts = deltas(leg, "output_text") if streams(leg) else taken.text
    for name, want, got in (("text", sent.text, taken.text), ("deltas of the text", sent.text, parts)):
        if want != got:
            return Finding(_BESIDE + text_differs(name, want, got, SENT, TAKEN), want, got)
    found = next(of_calls(sent.calls, taken.calls), None)
    return Finding(_BESIDE + found.message, found.want, found.got) if found else None


@rule("streaming.concurrent", "concurrent", "concurrent-plain")
def concurrent(view: View) -> Findings:
    """All requests reach the upstream before the first response ends."""
    _needs_matched(view)
    legs = [pair.upstream[0] for pair in view.record.pairs if pair.upstream]
    if not legs:
        must_not_be_limited(view.pair)
    if len(legs) < len(view.record.pairs):
        refused = [pair.client for pair in view.record.pairs if not pair.upstream and not pair.client.ok]
        if not refused:
            raise CannotEvaluate("concurrent requests were served without a request to the upstream")
        yield Finding(
            f"{len(refused)} of {len(view.record.pairs)} concurrent requests did not reach the upstream: "
            f"{status_of(refused[0])}"
        )
        return
    # A stream that the proxy aborts ends before the others begin, without waiting for them.
    first_end = min((leg.ended_at for leg in legs if leg.ended == "clean"), default=float("inf"))
    late = [leg for leg in legs if leg.began > first_end]
    if late and not all(pair.client.ok and not has_failed(pair.client) for pair in view.record.pairs):
        raise CannotEvaluate("some of the concurrent streams failed, for which the upstream does not wait")
    if late:
        yield Finding(
            f"{len(late)} of {len(legs)} concurrent requests reached the upstream only after another had ended",
            0,
            len(late),
        )


#: The types of the deltas that wait in a probe; some translators send reasoning as a summary.
_DELTAS = {
    "text": ("output_text",), "reasoning": ("reasoning_text", "reasoning_summary_text"),
    "arguments": ("function_call_arguments",),
}  # fmt: skip


def _held(view: View, kind: str) -> Findings:
    if view.record.about.get("held") != kind:
        raise DoesNotApply("the probe is about other deltas")
    view.served()
    leg = view.upstream()
    if not leg.requests_stream:
        if kind != "text":
            raise CannotEvaluate("the upstream request does not stream")
        says = "the client requested a stream, and the upstream request does not stream: no delta can be passed on"
        yield Finding(says, "stream: true", leg.json.get("stream") if isinstance(leg.json, dict) else None, 0, 0)
    held = leg.notes.get("held")
    if held and kind in _DELTAS and not any(held["text"] in deltas(view.client, one) for one in _DELTAS[kind]):
        raise CannotEvaluate(f"no delta of the {kind} contains {held['text']!r}")  # It is lost, which others report.
    if held and kind not in _DELTAS and held["text"].encode() not in view.client.reply:
        raise CannotEvaluate(f"the client received no {held['text']}")
    if held:
        wait = view.settings["wait"]
        packed = " in a compressed stream" * bool(view.client.header("content-encoding", True))
        message = (
            f"the upstream sent the {kind} {held['text']!r} in part {held['step']} of the stream, and the client had "
            f"not received it after {wait:g} s: the proxy buffers the {kind}{packed}{_from_marks(view, held['text'])}"
        )
        yield Finding(message, f"received within {wait:g} s", "not received before the next event", 0, 0)


def _from_marks(view: View, word: str) -> str:
    """The marks in the delta with this word, or in the one before, for messages; empty if they have none."""
    before, _, after = outcome(view.upstream(), view.dialect).text.partition(word)
    return f" from the delta with {MARKS.strip()!r} on" * (before.endswith(MARKS) or after[1:].startswith(MARKS))


@rule("streaming.text", "streaming")
def streaming_text(view: View) -> Findings:
    """Each delta of the text is received before the next is sent."""
    yield from _held(view, "text")


@rule("streaming.reasoning", "streaming")
def streaming_reasoning(view: View) -> Findings:
    """Each delta of the reasoning is received before the next is sent."""
    if view.record.about.get("held") == "reasoning" and not outcome(view.served(), "responses").reasoning:
        raise CannotEvaluate("the client received no reasoning")
    if view.record.about.get("held") == "reasoning" and lacks_item(view.client, "reasoning"):
        raise CannotEvaluate("the stream contains no reasoning")  # response.reasoning reports it.
    yield from _held(view, "reasoning")


@rule("streaming.arguments", "streaming")
def streaming_arguments(view: View) -> Findings:
    """Each delta of the arguments is received before the next is sent."""
    if view.record.about.get("held") == "arguments" and not outcome(view.served(), "responses").calls:
        raise CannotEvaluate("the client received no call")
    yield from _held(view, "arguments")


@rule("streaming.first-event", "streaming")
def streaming_first_event(view: View) -> Findings:
    """The first event is received before the second is sent."""
    yield from _held(view, "first event")


@rule("streaming.events", "streaming")
def streaming_events(view: View) -> Findings:
    """Each event of an item is received before the next event is sent."""
    if "streaming.text" in view.failing:
        raise CannotEvaluate("deltas of the text are not received one by one either")
    yield from _held(view, "event")


#: Milliseconds within which a proxy ends other responses after a client has disconnected.
_WITH_OTHERS = 300.0


def _ended_with_other(view: View) -> float:
    """The seconds until the client's response ended early, if another client disconnected at that moment, and the
    upstream's silence had not lasted half its time; else 0."""
    leg = view.client
    lasted = (leg.ended_at - leg.began) / 1000
    late = [leg.ended_at - at for at in view.disconnects]
    ended = any(0 <= one < _WITH_OTHERS for one in late) and lasted < view.settings["silence"] / 2
    return lasted if ended else 0.0


@rule("response.not-mixed", "silence")
def undisturbed(view: View) -> Findings:
    """A response does not end when the client of another request disconnects."""
    leg = view.client
    if (seconds := _ended_with_other(view)) and view.pair.upstream and view.upstream().ended == "left":
        says = f"another client disconnected, and {seconds:.1f} s after its begin the response to this client ended"
        yield Finding(f"{says} early ({leg.ended}): the proxy closed both upstream connections", "completed", leg.ended)


@rule("streaming.silence", "silence")
def silence(view: View) -> Findings:
    """The response is complete after silence of the upstream."""
    leg, seconds = view.client, view.settings["silence"]
    if not view.pair.upstream:
        raise CannotEvaluate("no request reached the upstream")
    _needs_matched(view)
    if view.record.probe == "silence.comments" and "form.comments" in view.failing.get("forms.same-response", ()):
        raise CannotEvaluate("the proxy cannot read a stream with comments")
    if f"request.string{'.stream' * leg.requests_stream}" in view.failing.get("request.served", ()):
        raise CannotEvaluate("ordinary requests are not served")
    if _ended_with_other(view):
        raise CannotEvaluate("the response ended when another client disconnected")  # response.not-mixed reports it.
    lasted = (leg.ended_at - leg.began) / 1000  # A proxy can end the stream before the silence does.
    says = f"the upstream was silent for {seconds:g} s" if lasted >= seconds else f"after {lasted:.1f} s of silence"
    try:
        taken = outcome(leg, "responses")
    except CannotEvaluate as error:
        yield Finding(f"{says}, and {at_client(error)}", "the response of the upstream", status_of(leg))
        return
    if abandoned(view, outcome(view.upstream(), view.dialect)):
        says = f"{says}, the proxy closed the upstream connection, and the response to the client is {taken.finish}"
        yield Finding(says, "the response of the upstream", taken.finish)
    elif taken.finish != "completed" and "response.finish" not in view.failing:
        how = "a failure event" if taken.finish == FAILED else taken.finish
        yield Finding(f"{says}, and the response to the client ended as {how} ({leg.ended})", "completed", taken.finish)


@rule("cancel.upstream-closed", "cancel", "cancel-many")
def upstream_closed(view: View) -> Findings:
    """The upstream connection is closed after the client has disconnected."""
    pair = view.pair
    if pair.client.ended != "closed":
        if pair.upstream and not pair.upstream[-1].requests_stream:
            raise DoesNotApply("the upstream request does not stream")
        raise CannotEvaluate("the client did not receive the first events of the stream")
    leg = view.upstream()
    if "request.sent-once" in view.failing and any(len(one.upstream) > 1 for one in view.record.pairs):
        raise CannotEvaluate("the upstream received the request more than once")
    if _ended_by_itself(leg, pair.client):
        raise CannotEvaluate("the client received the first events only after the upstream's stream had ended")
    cancelled = [one for one in view.record.pairs if one.client.ended == "closed" and one.upstream]
    read_on = [
        one
        for one in cancelled
        if one.upstream[-1].ended != "left" and not _ended_by_itself(one.upstream[-1], one.client)
    ]
    if read_on:
        seconds = (read_on[0].upstream[-1].ended_at - read_on[0].client.ended_at) / 1000
        many = f" of {len(read_on)} of {len(cancelled)} cancelled requests" * (len(cancelled) > 1)
        with_tools = [one for one in cancelled if "tools" in mapping(one.client.json)]
        many += ", those with tools," * (read_on == with_tools and len(read_on) < len(cancelled))
        message = f"the client disconnected, and the proxy still read the upstream's stream{many} {seconds:.1f} s later"
        yield Finding(message, "the connection closed", "open", view.record.pairs.index(read_on[0]), 0)


def _ended_by_itself(leg: Leg, client: Leg) -> bool:
    """Whether the upstream's stream was complete when the client disconnected, or soon after."""
    return leg.ended == "clean" and leg.ended_at <= client.ended_at + _AT_ONCE


@rule("cancel.closed-in-silence", "cancel-silent")
def closed_in_silence(view: View) -> Findings:
    """The upstream connection is closed while the upstream is silent."""
    pair, wait = view.pair, view.settings["wait"]
    leg = view.upstream()
    if pair.client.ended != "closed":
        raise CannotEvaluate("the client did not receive the first events of the stream")
    if len(pair.upstream) > 1 and "request.sent-once" in view.failing:
        raise CannotEvaluate("the upstream received the request more than once")
    if leg.ended != "left" and leg.ended_at < pair.client.ended_at:
        raise CannotEvaluate("the upstream request had ended before the client disconnected")
    if leg.ended != "left" or leg.ended_at - pair.client.ended_at > 1000 * wait:
        when = "after the first events" if pair.client.chunks else "before the response"
        when += " to a request with tools" * ("tools" in mapping(pair.client.json))
        message = (
            f"the client disconnected {when}, while the upstream sent nothing, and {wait:g} s later the proxy "
            "had not closed the upstream connection"
        )
        yield Finding(message, "the connection closed", "open", 0, 0)


@rule("cancel.next-served", "cancel", "cancel-many", "after-cancel")
def next_served(view: View) -> Findings:
    """The request after cancelled ones is served."""
    cancelled = [pair for pair in view.record.pairs if pair.client.requests_stream]
    after = [pair for pair in view.record.pairs if pair not in cancelled]
    if not after:
        raise CannotEvaluate("the proxy went on reading cancelled streams, and no request was sent after them")
    must_not_be_limited(after[-1])
    if "request.string" in view.failing.get("request.served", ()):
        raise CannotEvaluate("such requests were not served before either")
    leg, at = after[-1].client, view.record.pairs.index(after[-1])
    closed = sum(pair.client.ended == "closed" for pair in cancelled)
    words = "the cancelled one" if closed == 1 else f"{closed or 'the'} cancelled ones"
    if not leg.ok:
        yield Finding(f"the request after {words} received {status_of(leg)}", 200, leg.status, at)
        return
    body = leg.reply.decode("utf-8", "replace")
    others = [pair.canary for pair in cancelled if pair.canary in body]
    if others:
        says = f"the request after {words} received the text of {'the' if closed < 2 else 'a'} cancelled one"
        yield Finding(says, after[-1].canary, others[0], at)
