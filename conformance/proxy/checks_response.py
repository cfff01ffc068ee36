"""Checks of what reaches the client: its content and its form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from conformance.decode.cannot_evaluate import CannotEvaluate, DoesNotApply
from conformance.decode.events import objects
from conformance.proxy.differences import Difference, of_calls
from conformance.proxy.endings import without_end
from conformance.proxy.outcomes import FAILED, UNFINISHED, Outcome, deltas, lacks_item, outcome, received, streams
from conformance.proxy.patience import HUNG
from conformance.proxy.records import Leg, Pair
from conformance.proxy.rules import Finding, Findings, View, rule, status_of
from conformance.proxy.texts import first_difference, marked, text_differs
from conformance.proxy.wrong_types import of_content, of_count, of_deltas

#: The two sides in a message about texts.
SENT, TAKEN = "the upstream sent", "the client received"

_CONTENT = ("response", "request", "round-trip")


def both(view: View, pair: Pair | None = None) -> tuple[Outcome, Outcome]:
    """What the upstream sent, and what the client received."""
    leg = view.served(pair)
    return outcome(view.upstream(pair), view.dialect), outcome(leg, "responses")


def _complete(view: View) -> tuple[Outcome, Outcome]:
    """The same. :class:`CannotEvaluate` if the client's response failed or has no end, which another rule reports."""
    sent, taken = both(view)
    if taken.finish in (FAILED, UNFINISHED) or abandoned(view, sent):
        raise CannotEvaluate(f"the response to the client is {taken.finish}")
    return sent, taken


def abandoned(view: View, sent: Outcome) -> bool:
    """Whether the proxy closed the upstream connection before the end of the response."""
    return view.upstream().ended == "left" and sent.finish == UNFINISHED


#: The groups of findings: deltas that differ while the complete text does not, reasoning that arrives as text, a final
#: Response without what was streamed, and streams without an end.
DELTAS, _AS_TEXT, _FINAL, NO_END = "deltas", "reasoning as text", "final Response", "no end"

#: The events of OpenAI for the summary of a reasoning item.
_SUMMARY = "reasoning_summary_text"

#: The tags in which some models and proxies enclose reasoning in a text.
_TAGS = re.compile("</?think(?:ing)?>")


def _texts(view: View, kind: str, member: str) -> Findings:
    sent, taken = _complete(view)
    want, got = getattr(sent, member), getattr(taken, member)
    if not want and not got:
        raise DoesNotApply(f"the upstream sent no {member}")
    if want != got and sent.reasoning and sent.reasoning in _TAGS.sub("", taken.text):
        yield Finding("the client received the reasoning in the text", want, got, group=_AS_TEXT)
    elif want and not received(view.client).output:
        yield Finding(f"the output of the Response is empty, the upstream sent {len(want)} characters of {member}",
                      want, got, group=_FINAL)  # fmt: skip
    elif want and not got and streams(view.client) and deltas(view.client, kind) == want:
        other = next((part.get("type") for part in _parts(view.client) if part.get("text") == want), None)
        says = f"the final Response does not contain the {member} of the deltas"
        if other is not None:
            says = f"the {member} of the final Response is in a part of type {other!r}, expected {kind!r}"
        yield Finding(says, want, got, group=_FINAL)
    elif want and not got and member == "reasoning" and deltas(view.client, _SUMMARY):
        says = f"the client received the {member} only in events response.{_SUMMARY}.delta, without an item"
        yield Finding(says, want, got)
    elif want != got:
        wrong = "" if got else of_content(view.client, "message" if member == "text" else member)
        yield Finding(wrong or text_differs(member, want, got, SENT, TAKEN), want, got)
    elif want and streams(view.client):
        parts, wrong = deltas(view.client, kind), of_deltas(view.client, kind)
        if parts != want and (parts or wrong or kind == "output_text"):
            says = text_differs(f"deltas of the {member}", want, parts, SENT, TAKEN)
            yield Finding(f"deltas of the {member}: {wrong}" if wrong else says, want, parts, group=DELTAS)


def _parts(leg: Leg) -> Iterator[dict[str, Any]]:
    """The content parts of the final Response's items."""
    for item in received(leg).output:
        yield from objects(item.get("content"))


def _findings(differences: Iterator[Difference]) -> Findings:
    for one in differences:
        yield Finding(one.message, one.want, one.got, group=one.group)


@rule("response.text", "response", "request", "streaming", "silence")
def text(view: View) -> Findings:
    """The text is that of the upstream."""
    yield from _texts(view, "output_text", "text")


@rule("response.reasoning", "response")
def reasoning(view: View) -> Findings:
    """The reasoning is that of the upstream, and precedes what it led to."""
    found = list(_texts(view, "reasoning_text", "reasoning"))
    yield from found
    if not found and lacks_item(view.client, "reasoning"):
        found = [Finding("the final Response contains the reasoning, and the stream before it does not", group=DELTAS)]
        yield from found
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
    if sent.calls and not taken.calls and deltas(view.client, "function_call_arguments"):
        says = "the final Response does not contain the calls of the stream"
        yield Finding(says, [one.name for one in sent.calls], [], group=_FINAL)
        return
    if sent.calls and not received(view.client).output:
        says = f"the output of the Response is empty, the upstream sent {len(sent.calls)} calls"
        yield Finding(says, [one.name for one in sent.calls], [], group=_FINAL)
        return
    found = list(of_calls(sent.calls, taken.calls))
    yield from _findings(iter(found))
    if found or not streams(view.client):
        return
    parts = deltas(view.client, "function_call_arguments")
    joined = sorted("".join(call.arguments for call in taken.calls))
    if parts and sorted(parts) != joined:
        says = "the deltas of the arguments have other characters than the arguments"
        yield Finding(f"{says}: {len(parts)} and {len(joined)} characters", "".join(joined)[:200], parts[:200],
                      group=DELTAS)  # fmt: skip


@rule("response.finish", "response", "request")
def finish(view: View) -> Findings:
    """The status and its reason are those of the upstream."""
    sent, taken = both(view)
    if abandoned(view, sent):
        says = "the proxy closed the upstream connection before the end of the response"
        says += f", and the client's is {taken.finish}{_failed_at(view, sent, taken)}"
        yield Finding(says, "the complete response", taken.finish)
    elif taken.finish == UNFINISHED and streams(view.client):
        raise CannotEvaluate("the stream to the client has no end")  # The rule about the form reports it.
    elif taken.finish == FAILED and view.record.probe.removesuffix(".stream") in view.failing.get("request.served", ()):
        raise CannotEvaluate("the same request without a stream is not served")
    elif sent.finish != taken.finish:
        yield Finding(ends_differ(sent, taken) + _failed_at(view, sent, taken), sent.finish, taken.finish)


def _failed_at(view: View, sent: Outcome, taken: Outcome) -> str:
    """Where in the text a stream failed, for a message; empty unless it did, and had a text."""
    if taken.finish != FAILED or not streams(view.client):
        return ""
    for member, kind in (("reasoning", "reasoning_text"), ("text", "output_text")):
        want, got = getattr(sent, member), deltas(view.client, kind)
        if want != got:
            return f": the last of the {member} that it received is before {marked(want, first_difference(want, got))}"
    if not sent.text or sent.finish == UNFINISHED:
        return ""
    # Another finish reason can be that of the failure itself.
    usage = view.dialect == "chat" and sent.finish == "completed" and b'"choices":[]' in view.upstream().reply
    return ", after the complete text" + ": a chunk with the usage and without choices followed" * usage


def ends_differ(sent: Outcome, taken: Outcome) -> str:
    return f"the upstream's response is {sent.finish}, the client's is {taken.finish}"


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
            kind = "a usage of 0 tokens" if 0 in (got.get("input"), got.get("output")) else "a usage without counts"
            yield Finding(
                f"{says}, and the client received {kind if taken.usage else 'none'}",
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
            yield Finding(counts_differ(label, value, of_count(view.client, name) or actual), want, taken.usage)
            return


def counts_differ(label: str, sent: int | None, received: int | str | None) -> str:
    """How two counts differ; ``received`` is in words where it is no integer."""
    first, second = ("none" if one is None else one for one in (sent, received))
    return f"{label}: the upstream sent {first}, the client received {second}"


@rule("response.form", "response", "request", "round-trip", "streaming")
def form(view: View) -> Findings:
    """A stream or a JSON body as requested, complete by the framing of HTTP."""
    leg = view.served()
    if leg.ended == "closed":
        raise CannotEvaluate("the suite did not read all of a very large body")
    if leg.ended == "time-out" and leg.detail != HUNG and _in_progress(leg, view.settings["wait"]):
        raise CannotEvaluate(f"the response was in progress for {(leg.ended_at - leg.began) / 1000:.0f} s")
    wants = leg.requests_stream
    kind = (leg.header("content-type", True) or "").partition(";")[0].strip().lower()
    want = "text/event-stream" if wants else "application/json"
    if streams(leg) != wants or kind != want:
        yield Finding(f"the client requested {want}, and received {kind or 'no content type'}", want, kind)
    elif leg.header("transfer-encoding", True) and leg.header("content-length", True):
        # RFC 9112 6.2 forbids both: a server behind which another one reads it can take the rest for a response.
        says = "the response to the client has Transfer-Encoding and Content-Length"
        yield Finding(says, "one of the two headers", leg.header("content-length", True))
    elif coding := _unaccepted_coding(leg):
        says = f"the response has the Content-Encoding {coding}, and the request accepts none"
        yield Finding(says, "a body that is not compressed", coding)
    elif leg.ended in ("cut", "reset", "time-out", "invalid"):
        says = f"the response to the client did not end: {leg.ended} ({leg.detail})"
        yield Finding(says, "clean", leg.ended, group=NO_END * (leg.ended == "time-out"))
    elif wants and outcome(leg, "responses").finish == UNFINISHED:
        yield Finding(without_end(leg), "a terminal event", None, group=NO_END)


#: The content codings in use (RFC 9110 8.4.1); clients ignore other words, such as ``none``.
_CODINGS = ("gzip", "x-gzip", "deflate", "br", "zstd")


def _unaccepted_coding(leg: Leg) -> str:
    """The content coding of a response whose request accepts identity alone; empty without one."""
    coding = (leg.header("content-encoding", True) or "").strip().lower()
    accepts = (leg.header("accept-encoding") or "").strip().lower()
    return coding if accepts == "identity" and coding in _CODINGS and not leg.wrong_coding else ""


def _in_progress(leg: Leg, seconds: float) -> bool:
    """Whether events were received in the last seconds: such a response is slow, and does not hang."""
    return any(b"data:" in chunk.data for chunk in leg.chunks if chunk.at > leg.ended_at - 1000 * seconds)


@rule("request.undocumented", "undocumented")
def undocumented(view: View) -> Findings:
    """Parameters that real clients send, and the contract does not document, cause no failure."""
    leg = view.client
    if "request.string" in view.failing.get("request.served", ()):
        raise CannotEvaluate("ordinary requests are not served")
    if leg.status is None or leg.status >= 500:
        names = ", ".join(view.record.about["names"])
        yield Finding(
            f"the client sent the parameters {names}, and received {status_of(leg)}", "200 or 4xx", leg.status
        )
