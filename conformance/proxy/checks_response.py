"""Checks of what reaches the client: content, form, and the flow of the stream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from conformance.decode.cannot_evaluate import CannotEvaluate, DoesNotApply
from conformance.proxy.differences import Difference, of_calls, text_differs
from conformance.proxy.outcomes import FAILED, UNFINISHED, Outcome, deltas, outcome, received, streams
from conformance.proxy.records import Pair
from conformance.proxy.rules import Finding, Findings, View, rule, status_of

_SENT, _TAKEN = "the upstream sent", "the client received"

_CONTENT = ("response", "request", "round-trip")


def _both(view: View, pair: Pair | None = None) -> tuple[Outcome, Outcome]:
    """What the upstream sent, and what the client received."""
    leg = view.served(pair)
    return outcome(view.upstream(pair), view.dialect), outcome(leg, "responses")


def _complete(view: View) -> tuple[Outcome, Outcome]:
    """The same. :class:`CannotEvaluate` if the client's response failed or has no end, which another rule reports."""
    sent, taken = _both(view)
    if taken.finish in (FAILED, UNFINISHED) or _abandoned(view, sent):
        raise CannotEvaluate(f"the response to the client is {taken.finish}")
    return sent, taken


def _abandoned(view: View, sent: Outcome) -> bool:
    """Whether the proxy closed the upstream connection before the end of the response."""
    return view.upstream().ended == "left" and sent.finish == UNFINISHED


def _texts(view: View, kind: str, member: str) -> Iterator[Difference]:
    sent, taken = _complete(view)
    want, got = getattr(sent, member), getattr(taken, member)
    if not want and not got:
        raise DoesNotApply(f"the upstream sent no {member}")
    if want != got:
        yield Difference(f"response.{member}", text_differs(member, want, got, _SENT, _TAKEN), want, got)
    elif want and streams(view.client):
        parts = deltas(view.client, kind)
        if parts != want and (parts or kind == "output_text"):
            says = text_differs(f"deltas of the {member}", want, parts, _SENT, _TAKEN)
            yield Difference(f"response.{member}", says, want, parts)


def _findings(differences: Iterator[Difference]) -> Findings:
    for one in differences:
        yield Finding(one.message, one.want, one.got)


@rule("response.text", "response", "request", "streaming")
def text(view: View) -> Findings:
    """The text is that of the upstream."""
    yield from _findings(_texts(view, "output_text", "text"))


@rule("response.reasoning", "response")
def reasoning(view: View) -> Findings:
    """The reasoning is that of the upstream, and precedes what it led to."""
    found = list(_texts(view, "reasoning_text", "reasoning"))
    yield from _findings(iter(found))
    kinds = [item.get("type") for item in received(view.client).output]
    if not found and "reasoning" in kinds and kinds[0] != "reasoning":
        want = "the reasoning item first"
        yield Finding(f"the output has the items {', '.join(map(str, kinds))}: expected {want}", want, kinds)


@rule("response.calls", "response")
def calls(view: View) -> Findings:
    """The calls are those of the upstream."""
    sent, taken = _complete(view)
    if not sent.calls and not taken.calls:
        raise DoesNotApply("the upstream sent no call")
    found = list(of_calls(sent.calls, taken.calls))
    yield from _findings(iter(found))
    if found or not streams(view.client):
        return
    parts = deltas(view.client, "function_call_arguments")
    joined = sorted("".join(call.arguments for call in taken.calls))
    if parts and sorted(parts) != joined:
        says = "the deltas of the arguments have other characters than the arguments"
        yield Finding(f"{says}: {len(parts)} and {len(joined)} characters", "".join(joined)[:200], parts[:200])


@rule("response.finish", "response", "request")
def finish(view: View) -> Findings:
    """The status and its reason are those of the upstream."""
    sent, taken = _both(view)
    if _abandoned(view, sent):
        says = "the proxy closed the upstream connection before the end of the response"
        yield Finding(f"{says}, and the client's is {taken.finish}", "the complete response", taken.finish)
    elif sent.finish != taken.finish:
        yield Finding(
            f"the upstream's response is {sent.finish}, the client's is {taken.finish}", sent.finish, taken.finish
        )


@rule("response.usage", "response")
def usage(view: View) -> Findings:
    """The token counts are those of the upstream."""
    sent, taken = _complete(view)
    want, got = sent.usage, taken.usage or {}
    if want is None:
        if view.dialect == "responses" or not streams(view.upstream()):
            raise DoesNotApply("the upstream sent no usage")
        if not got.get("input") or not got.get("output"):
            says = "the upstream request has no stream_options.include_usage, so the upstream sent no usage"
            yield Finding(
                f"{says}, and the client received {'a usage of 0 tokens' if taken.usage else 'none'}",
                "the usage of the upstream",
                taken.usage,
            )
        return
    for name, value in want.items():
        actual = got.get(name)
        # The contract allows input_tokens_details without cached_tokens; a count of 0 can be left out.
        left_out = actual is None and bool(got) and (name == "cached" or (name == "reasoning" and value == 0))
        if value is not None and actual != value and not left_out:
            label = f"{name} tokens" if name != "total" else "total_tokens"
            yield Finding(f"{label}: the upstream sent {value}, the client received {actual}", want, taken.usage)
            return


@rule("response.form", "response", "request", "round-trip", "streaming")
def form(view: View) -> Findings:
    """A stream or a JSON body as requested, complete by the framing of HTTP."""
    leg = view.served()
    wants = isinstance(leg.json, dict) and leg.json.get("stream") is True
    kind = (leg.header("content-type", True) or "").partition(";")[0].strip().lower()
    want = "text/event-stream" if wants else "application/json"
    if streams(leg) != wants or kind != want:
        yield Finding(f"the client requested {want}, and received {kind or 'no content type'}", want, kind)
    elif leg.ended in ("cut", "reset", "time-out", "invalid"):
        yield Finding(f"the response to the client did not end: {leg.ended} ({leg.detail})", "clean", leg.ended)
    elif wants and outcome(leg, "responses").finish == UNFINISHED:
        yield Finding("the stream to the client ended without a terminal event", "a terminal event", None)


def _needs_matched(view: View) -> None:
    if any(not leg.notes.get("matched") for pair in view.record.pairs for leg in pair.upstream):
        raise CannotEvaluate("the upstream requests do not contain the user's input")


@rule("response.not-mixed", "concurrent")
def not_mixed(view: View) -> Findings:
    """Each client receives its own texts."""
    _needs_matched(view)
    canaries = [pair.canary for pair in view.record.pairs]
    checked = 0
    for at, pair in enumerate(view.record.pairs):
        if not pair.client.ok:
            continue
        checked += 1
        body = pair.client.reply.decode("utf-8", "replace")
        others = [one for one in canaries if one != pair.canary and one in body]
        if others:
            yield Finding(
                f"the response to the request with {pair.canary} contains the text of the one with {others[0]}",
                pair.canary,
                others,
                at,
            )
            return
        sent, taken = _both(view, pair)
        if sent.text != taken.text and "response.text" not in view.failing:
            yield Finding(
                text_differs("text of a concurrent response", sent.text, taken.text, _SENT, _TAKEN),
                sent.text,
                taken.text,
                at,
            )
            return
    if not checked:
        raise CannotEvaluate(f"no concurrent request was served: {status_of(view.client)}")


@rule("streaming.concurrent", "concurrent")
def concurrent(view: View) -> Findings:
    """All requests reach the upstream before the first response ends."""
    _needs_matched(view)
    legs = [pair.upstream[0] for pair in view.record.pairs if pair.upstream]
    if len(legs) < len(view.record.pairs):
        refused = [pair.client for pair in view.record.pairs if not pair.upstream]
        yield Finding(
            f"{len(refused)} of {len(view.record.pairs)} concurrent requests did not reach the upstream: "
            f"{status_of(refused[0])}"
        )
        return
    first_end = min(leg.ended_at for leg in legs)
    late = [leg for leg in legs if leg.began > first_end]
    if late:
        yield Finding(
            f"{len(late)} of {len(legs)} concurrent requests reached the upstream only after another had ended",
            0,
            len(late),
        )


def _held(view: View, kind: str) -> Findings:
    if view.record.about.get("held") != kind:
        raise DoesNotApply("the probe is about other deltas")
    view.served()
    held = view.upstream().notes.get("held")
    if held:
        wait = view.settings["wait"]
        message = (
            f"the upstream sent the {kind} {held['text']!r} in part {held['step']} of the stream, and the client had "
            f"not received it after {wait:g} s: the proxy buffers the {kind}"
        )
        yield Finding(message, f"received within {wait:g} s", "not received before the next event", 0, 0)


@rule("streaming.text", "streaming")
def streaming_text(view: View) -> Findings:
    """Each delta of the text is received before the next is sent."""
    yield from _held(view, "text")


@rule("streaming.reasoning", "streaming")
def streaming_reasoning(view: View) -> Findings:
    """Each delta of the reasoning is received before the next is sent."""
    if view.record.about.get("held") == "reasoning" and not outcome(view.served(), "responses").reasoning:
        raise CannotEvaluate("the client received no reasoning")
    yield from _held(view, "reasoning")


@rule("streaming.arguments", "streaming")
def streaming_arguments(view: View) -> Findings:
    """Each delta of the arguments is received before the next is sent."""
    if view.record.about.get("held") == "arguments" and not outcome(view.served(), "responses").calls:
        raise CannotEvaluate("the client received no call")
    yield from _held(view, "arguments")


@rule("streaming.silence", "silence")
def silence(view: View) -> Findings:
    """The response is complete after silence of the upstream."""
    leg, seconds = view.client, view.settings["silence"]
    if not view.pair.upstream:
        raise CannotEvaluate("no request reached the upstream")
    _needs_matched(view)
    says = f"the upstream was silent for {seconds:g} s"
    try:
        taken = outcome(leg, "responses")
    except CannotEvaluate as error:
        yield Finding(f"{says}, and the client {error}", "the response of the upstream", status_of(leg))
        return
    if taken.finish != "completed" and "response.finish" not in view.failing:
        how = "a failure event" if taken.finish == FAILED else taken.finish
        yield Finding(f"{says}, and the response to the client ended as {how} ({leg.ended})", "completed", taken.finish)


@rule("cancel.upstream-closed", "cancel")
def upstream_closed(view: View) -> Findings:
    """The upstream connection is closed after the client has disconnected."""
    pair = view.pair
    if pair.client.ended != "closed":
        raise CannotEvaluate("the client did not receive the first events of the stream")
    leg = view.upstream()
    if leg.ended == "clean" and leg.ended_at <= pair.client.ended_at:
        raise CannotEvaluate("the client received the first events only after the upstream's stream had ended")
    if leg.ended != "left":
        seconds = (leg.ended_at - pair.client.ended_at) / 1000
        message = f"the client disconnected, and the proxy still read the upstream's stream {seconds:.1f} s later"
        yield Finding(message, "the connection closed", "open", 0, 0)


@rule("cancel.next-served", "cancel")
def next_served(view: View) -> Findings:
    """The request after a cancelled one is served."""
    if len(view.record.pairs) < 2:
        raise CannotEvaluate("no request was sent after the cancelled one")
    leg = view.record.pairs[1].client
    if not leg.ok:
        yield Finding(f"the request after the cancelled one received {status_of(leg)}", 200, leg.status, 1)


#: What the rule about legal forms compares: the rule that reports it for the ordinary form, and its member.
_ASPECTS = {"text": "response.text", "reasoning": "response.reasoning", "finish": "response.finish"}


@rule("forms.rare-same-response", "rare-forms")
@rule("forms.same-response", "forms")
def same_response(view: View) -> Findings:
    """A legal form of the upstream's response changes nothing for the client."""
    leg = view.client
    if "request.served" in view.failing and len(view.failing["request.served"]) > 20:
        raise CannotEvaluate("ordinary requests are not served")
    upstream = view.upstream()
    name = view.record.probe.partition(".")[2]
    if "gzip" in name and upstream.header("content-encoding", True) is None:
        raise DoesNotApply("the proxy does not accept gzip")
    sent = outcome(upstream, view.dialect)
    try:
        taken = outcome(leg, "responses")
    except CannotEvaluate as error:
        yield Finding(
            f"the upstream sent the form {name!r}, and the client {error}", "the same response", status_of(leg)
        )
        return
    yield from _same(view, name, sent, taken)


def _same(view: View, name: str, sent: Outcome, taken: Outcome) -> Findings:
    start = f"with the form {name!r} of the upstream's response, "
    if _abandoned(view, sent):
        says = "the proxy closed the upstream connection before the end"
        yield Finding(f"{start}{says}, and the client's response is {taken.finish}", "completed", taken.finish)
        return
    for member, other in _ASPECTS.items():
        want, got = getattr(sent, member), getattr(taken, member)
        if want != got and not _fails(view, other):
            yield Finding(start + text_differs(member, want, got, _SENT, _TAKEN), want, got)
            return
    if not _fails(view, "response.calls"):
        for one in of_calls(sent.calls, taken.calls):
            yield Finding(start + one.message, one.want, one.got)
            return
    counted: Any = None if view.record.about.get("usage_absent") else sent.usage
    if counted and not _fails(view, "response.usage"):
        lost = [key for key in ("input", "output", "total") if counted[key] != (taken.usage or {}).get(key)]
        if lost:
            yield Finding(f"{start}the usage differs", counted, taken.usage)


def _fails(view: View, name: str) -> bool:
    """Whether the rule is violated with the ordinary form of the same content."""
    end = ".stream" if isinstance(view.client.json, dict) and view.client.json.get("stream") else ""
    plain = {f"response.reasoning{end}", f"response.text-and-call{end}"}
    return bool(plain & set(view.failing.get(name, ())))
