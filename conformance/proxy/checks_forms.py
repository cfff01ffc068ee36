"""Checks of the legal forms of the upstream's response: none of them changes what the client receives."""

from __future__ import annotations

from typing import Any

from conformance.decode.cannot_evaluate import CannotEvaluate, DoesNotApply
from conformance.proxy.checks_response import DELTAS, SENT, TAKEN, abandoned, counts_differ, ends_differ
from conformance.proxy.differences import of_calls
from conformance.proxy.endings import without_end
from conformance.proxy.outcomes import FAILED, UNFINISHED, Outcome, deltas, outcome, streams
from conformance.proxy.rules import Finding, Findings, View, at_client, on_connection, rule, status_of
from conformance.proxy.texts import text_differs

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
    may_fail = bool(view.record.about.get("may_fail"))
    if may_fail and leg.status is not None and leg.status >= 500:
        return
    sent = outcome(upstream, view.dialect)
    try:
        taken = outcome(leg, "responses")
        if may_fail and (taken.finish == FAILED or leg.ended in ("cut", "reset")):
            return
    except CannotEvaluate as error:
        if _fails(view, "request.served"):
            raise CannotEvaluate("the client cannot read the ordinary form of the response either") from None
        says = f"the upstream sent the form {name!r}{on_connection(view, [upstream])}, and {at_client(error)}"
        yield Finding(says, "the same response", status_of(leg))
        return
    yield from _same(view, name, sent, taken)


def _same(view: View, name: str, sent: Outcome, taken: Outcome) -> Findings:
    start = f"with the form {name!r} of the upstream's response, "
    if abandoned(view, sent):
        says = "the proxy closed the upstream connection before the end"
        yield Finding(f"{start}{says}, and the client's response is {taken.finish}", "completed", taken.finish)
        return
    if taken.finish == FAILED and _fails(view, "response.finish"):
        raise CannotEvaluate("the ordinary form of the response fails too")
    # The form has the items of this probe; a text of another one can be what the proxy fails on.
    same = "response.text-and-call" + ".stream" * view.client.requests_stream
    if taken.finish == UNFINISHED and streams(view.client) and same not in view.failing.get("response.form", ()):
        yield Finding(start + without_end(view.client), "a terminal event", None)
        return
    for member, other in _ASPECTS.items():
        want, got = getattr(sent, member), getattr(taken, member)
        if want != got and not _fails(view, other, member == "text" and bool(sent.calls)):
            text = ends_differ(sent, taken) if member == "finish" else text_differs(member, want, got, SENT, TAKEN)
            yield Finding(start + text, want, got)
            return
    parts = deltas(view.client, "output_text")
    if streams(view.client) and parts != sent.text and not _fails(view, "response.text", bool(sent.calls)):
        says = start + text_differs("deltas of the text", sent.text, parts, SENT, TAKEN)
        yield Finding(says, sent.text, parts, group=DELTAS)
        return
    if not _fails(view, "response.calls", len(sent.calls) > 1):
        for one in of_calls(sent.calls, taken.calls):
            yield Finding(start + one.message, one.want, one.got)
            return
    counted: Any = None if view.record.about.get("usage_absent") else sent.usage
    if counted and not _fails(view, "response.usage"):
        received = taken.usage or {}
        lost = next((key for key in ("input", "output", "total") if counted[key] != received.get(key)), "")
        if lost:
            text = counts_differ(f"{lost} tokens", counted[lost], received.get(lost))
            yield Finding(start + text, counted, taken.usage)


def _fails(view: View, name: str, several: bool = False) -> bool:
    """Whether the rule is violated with the ordinary form of the same content, which has ``several`` calls."""
    # Several calls are sent in one chunk, as in a plain response.
    ends = ["", ".stream"] if several else [".stream" * view.client.requests_stream]
    names = ("reasoning", "text-and-call", *["parallel-calls"] * several)
    plain = {f"response.{one}{end}" for one in names for end in ends}
    return bool(plain & set(view.failing.get(name, ())))
