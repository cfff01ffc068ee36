"""Checks of failures of the upstream."""

from __future__ import annotations

import json

from conformance.decode.cannot_evaluate import CannotEvaluate, DoesNotApply
from conformance.decode.events import DONE_MARKER, mapping
from conformance.proxy.endings import without_end
from conformance.proxy.outcomes import FAILED, FINISHES, UNFINISHED, WITHOUT_STATUS, frames, outcome, received, streams
from conformance.proxy.patience import HUNG
from conformance.proxy.records import Leg
from conformance.proxy.rules import Finding, Findings, View, must_not_be_limited, rule, status_of
from conformance.proxy.texts import same_json

#: Statuses about the client's request, which stay 4xx for the client.
_CLIENT_ERRORS = (400, 413, 421)

#: Statuses that report a temporary problem, as which a 429 can reach the client.
_BUSY = (429, 503, 529)

#: Ends of a response that state a reason of the model, by which clients take a response for as complete as it can be.
_LIMITS = tuple(one for one in FINISHES.values() if one.startswith("incomplete"))

#: Ends of the client's side that show that the response is not complete.
_VISIBLE = ("cut", "reset", "invalid")


def _claim(leg: Leg) -> str:
    """What the client's side claims: ``error`` (a status, or an end that shows the failure), ``failed`` (a failing
    terminal event), ``limited`` (incomplete, for a reason that the upstream did not state), ``open`` (no end),
    ``dropped`` (no HTTP response), or the outcome: ``completed``, ``unfinished`` or ``unreadable``."""
    if leg.status is None:
        return "open" if leg.ended == "time-out" else "dropped"
    if not leg.ok:
        return "error"
    if leg.ended in _VISIBLE:
        return "error"
    try:
        taken = outcome(leg, "responses")
    except CannotEvaluate:
        return "open" if leg.ended == "time-out" else "unreadable"
    if taken.finish == WITHOUT_STATUS:
        return "completed"
    if taken.finish in _LIMITS:
        return "limited"
    if taken.finish == FAILED or taken.finish.startswith("incomplete"):
        return "failed"
    return "open" if leg.ended == "time-out" and taken.finish != "completed" else taken.finish.partition(" ")[0]


def needs_upstream(view: View) -> None:
    if not view.pair.upstream:
        raise CannotEvaluate("no request reached the upstream")


@rule("failure.honest", "failure")
def honest(view: View) -> Findings:
    """The client receives an error status or a failing end."""
    needs_upstream(view)
    if view.record.about.get("hangs") and view.client.ended == "time-out" and _claim(view.client) == "open":
        return
    leg, claim = view.client, _claim(view.client)
    what = what_failed(view)
    if claim == "completed" and not (_is_copy(view) or _shows_invalid_event(view)):
        yield Finding(f"{what}, and the client received a completed response", "an error", "completed")
    elif claim == "limited":
        finish = outcome(leg, "responses").finish
        yield Finding(f"{what}, and the client's response is {finish}", "an error", finish)
    elif claim == "failed" and "status" in view.record.about and not streams(leg):
        # A plain response has a status of its own, from which clients decide whether to retry.
        says = f"{what}, and the client received HTTP {leg.status} with a Response that has failed"
        yield Finding(says, "an error status", leg.status)
    elif claim == "dropped":
        message = f"{what}, and the proxy closed the client's connection without an HTTP response"
        yield Finding(message, "an error status", status_of(leg))
    elif claim == "unfinished" and not (_ends_equally(view) or _ends_with_connection(leg)):
        ended = without_end(leg).replace("ended without", "ended as if it were complete, without")
        if any(map(_is_untyped_error, frames(leg))):
            ended = "the client received an error in an event without a type, and no terminal event"
        yield Finding(f"{what}, and {ended}", "an error event, or a connection that ends early", "a clean end")
    elif claim == "unreadable" and not (_is_copy(view) or _same_error(view)):
        if f"request.string{'.stream' * leg.requests_stream}" in view.failing.get("request.served", ()):
            raise CannotEvaluate("ordinary responses cannot be read either")
        kind = leg.header("content-type", True)
        same = ", passed on as it was" * (leg.reply == view.upstream().reply and bool(leg.reply))
        yield Finding(
            f"{what}, and the client received HTTP {leg.status} with a body that is no response ({kind}{same})",
            "an error status",
            leg.status,
        )
    elif leg.status is not None and leg.status < 400 and not leg.ok:
        yield Finding(f"{what}, and the client received HTTP {leg.status}", "an error status", leg.status)


def what_failed(view: View) -> str:
    """The failure, in words."""
    about = view.record.about
    if "status" in about:
        return f"the upstream responded with {about['status']}"
    return _WORDS.get(str(about.get("broken")), "the upstream failed")


_WORDS = {
    "invalid-json": "the upstream sent JSON that is not complete",
    "html": "the upstream sent an HTML page",
    "empty": "the upstream sent an empty body",
    "close-before-head": "the upstream closed the connection without a response",
    "reset-before-head": "the upstream reset the connection without a response",
    "cut-in-text": "the upstream closed the connection in the middle of the text",
    "reset-in-text": "the upstream reset the connection in the middle of the text",
    "cut-in-character": "the upstream closed the connection in the middle of a character",
    "error-body": "the upstream sent an error object with HTTP 200",
    "no-choices": "the upstream sent a completion without choices",
    "reset-in-character": "the upstream reset the connection in the middle of a character",
    "cut-in-arguments": "the upstream closed the connection in the middle of a call's arguments",
    "reset-in-arguments": "the upstream reset the connection in the middle of a call's arguments",
    "early-end": "the upstream's stream ended without a finish reason",
    "error-object": "the upstream sent an error in the stream",
    "untyped-error": "the upstream sent an error in the stream, in an event without a type",
    "empty-stream": "the upstream sent a stream without an event",
    "done-alone": "the upstream sent [DONE] without an event before it",
    "invalid-event": "the upstream sent an event whose JSON is not complete",
    "cut-in-body": "the upstream closed the connection in the middle of the body",
    "hang": "the upstream sent nothing more",
}


def _is_copy(view: View) -> bool:
    """Whether a proxy of one dialect passed on the status, the body, also as equal JSON, the content type, and an end
    before the announced one: the client sees what the upstream sent."""
    upstream, leg = view.upstream(), view.client
    hides_cut = upstream.ended in ("cut", "reset") and leg.ended == "clean" and not _ends_with_connection(leg)
    if not _same_status(view) or hides_cut:
        return False
    kinds = [one.header("content-type", True) for one in (upstream, leg)]
    bodies = [one.reply.decode("utf-8", "replace") for one in (upstream, leg)]
    same_kind = kinds[0] == kinds[1] or "response.form" in view.failing
    return view.dialect == "responses" and same_json(*bodies) and same_kind


def _ends_with_connection(leg: Leg) -> bool:
    """Whether the connection delimits the body, so that an early end looks like a complete one (RFC 9112
    6.3)."""
    return not (leg.header("transfer-encoding", True) or leg.header("content-length", True))


def _same_error(view: View) -> bool:
    """Whether a proxy of one dialect passed on the status and the error object, with members of its own beside it."""
    upstream, leg = view.upstream(), view.client
    errors = [_error(one.reply) for one in (upstream, leg)]
    return view.dialect == "responses" and _same_status(view) and bool(errors[0]) and errors[0] == errors[1]


def _same_status(view: View) -> bool:
    """Whether the status was passed on; another 2xx is reported by the rule about it."""
    upstream, leg = view.upstream(), view.client
    return upstream.status == leg.status or (upstream.ok and leg.ok)


def _error(body: bytes) -> object:
    try:
        return mapping(json.loads(body)).get("error")
    except ValueError:
        return None


def _shows_invalid_event(view: View) -> bool:
    """Whether a proxy of one dialect passed on an event that is not JSON."""
    return view.dialect == "responses" and streams(view.client) and not all(map(_is_json, frames(view.client)))


def _is_untyped_error(data: str) -> bool:
    """Whether the data of an event is an error as a plain response contains it."""
    return bool(_error(data.encode())) and "type" not in mapping(json.loads(data))


def _is_json(data: str) -> bool:
    try:
        json.loads(data)
    except ValueError:
        return data.strip() == DONE_MARKER
    return True


def _ends_equally(view: View) -> bool:
    """Whether a proxy of one dialect ended a stream of the upstream as the upstream did, after the same text: it can
    write the events again, with ids and comments of its own."""
    upstream = view.upstream()
    if view.dialect != "responses" or not upstream.ok or upstream.ended != "clean" or not streams(upstream):
        return False
    sent, taken = outcome(upstream, "responses"), outcome(view.client, "responses")
    if sent.finish != UNFINISHED:
        return False
    # A proxy that buffers the text, which another rule reports, loses its end.
    loses_end = "streaming.text" in view.failing and sent.text.startswith(taken.text)
    return sent.text == taken.text or loses_end or _changes_texts(view)


def _changes_texts(view: View) -> bool:
    """Whether the proxy changes the text of ordinary streams too, which another rule reports."""
    return any(probe.endswith(".stream") for probe in view.failing.get("response.text", ()))


@rule("failure.no-hang", "failure")
def no_hang(view: View) -> Findings:
    """The response to the client ends."""
    needs_upstream(view)
    if view.record.about.get("hangs"):
        raise DoesNotApply("the upstream hangs: the time-out of the proxy decides")
    if _claim(view.client) == "open":
        seconds = (view.client.ended_at - view.client.began) / 1000
        if len(view.pair.upstream) > 1 and view.client.detail != HUNG:
            raise CannotEvaluate(f"the proxy still sent its request again after {seconds:.0f} s")
        yield Finding(
            f"{what_failed(view)}, and the response to the client had not ended after {seconds:.0f} s", "an end", "open"
        )


@rule("failure.client-error-kept", "failure")
def client_error_kept(view: View) -> Findings:
    """A 4xx about the request stays a 4xx."""
    needs_upstream(view)
    status, leg = view.record.about.get("status"), view.client
    if status not in (*_CLIENT_ERRORS, 429):
        raise DoesNotApply("the failure is not about the client's request")
    if leg.status is None or leg.ok:
        raise DoesNotApply("the client received no error status")
    good = leg.status in _BUSY if status == 429 else 400 <= leg.status < 500
    if not good:
        want = "429 or 503" if status == 429 else "a 4xx status"
        yield Finding(
            f"the upstream responded with {status}, and the client received HTTP {leg.status}", want, leg.status
        )


@rule("failure.server-error-kept", "failure")
def server_error_kept(view: View) -> Findings:
    """A failure that the client did not cause is no 4xx."""
    needs_upstream(view)
    status, leg = view.record.about.get("status", 500), view.client
    if status < 500 or view.record.about.get("hangs"):
        raise DoesNotApply("the failure is not one of the upstream alone")
    if leg.status is None or leg.ok:
        raise DoesNotApply("the client received no error status")
    if 400 <= leg.status < 500 and leg.status not in (408, 429):
        yield Finding(f"{what_failed(view)}, and the client received HTTP {leg.status}", "a 5xx status", leg.status)


@rule("failure.retry-after", "failure")
def retry_after(view: View) -> Findings:
    """Retry-After is passed on."""
    leg = view.client
    if view.record.about.get("status") != 429:
        raise DoesNotApply("the upstream sent no Retry-After")
    if leg.status not in _BUSY:
        raise DoesNotApply(f"the client received {status_of(leg)}")
    want, got = (one.header("retry-after", True) for one in (view.upstream(), leg))
    waited = max(0.0, leg.ended_at - view.pair.upstream[0].began) / 1000
    if got is None:
        yield Finding("the upstream sent Retry-After with the 429, and the client received none", want, None)
    elif want and want.isdecimal() and got.isdecimal() and (int(got) < int(want) - waited or got == f"{want}000"):
        unit = ", which is the same number of milliseconds" * (got == f"{want}000")
        yield Finding(f"the upstream sent Retry-After: {want}, the client received {got}{unit}", want, got)


@rule("failure.survives", "after", "once")
def survives(view: View) -> Findings:
    """An ordinary request is served after failures, at the last attempt."""
    legs = [pair.client for pair in view.record.pairs] or [view.client]
    leg, seconds = legs[-1], (legs[-1].ended_at - legs[0].ended_at) / 1000
    still = f", and {seconds:.0f} s later too" * (seconds >= 1)
    if view.record.about.get("status") and _claim(leg) in ("error", "failed") and leg.status is not None:
        return  # The failure was passed on instead of a retry, which is legal.
    if view.record.pairs:
        must_not_be_limited(view.record.pairs[-1])
    if f"request.string{'.stream' * leg.requests_stream}" in view.failing.get("request.served", ()):
        raise CannotEvaluate("such requests were not served before the failures either")
    if not leg.ok:
        says = f"an ordinary request after failures of the upstream received {status_of(leg)}{still}"
        yield Finding(says, 200, leg.status)
    elif streams(leg) and (finish := outcome(leg, "responses").finish) != "completed":
        if "request.string.stream" in view.failing.get("response.finish", ()):
            raise CannotEvaluate("streams did not complete before the failures either")
        yield Finding("the stream after failures of the upstream did not complete", "completed", finish)
    elif error := _kept_error(leg):
        yield Finding(f"the completed response after failures of the upstream has the error {error}", None, error)


def _kept_error(leg: Leg) -> str:
    """The error of a completed response, as JSON; empty without one."""
    try:
        final = received(leg).response
    except CannotEvaluate:
        return ""
    return json.dumps(final["error"]) if final.get("status") == "completed" and final.get("error") else ""


@rule("failure.survives", "stopped")
def serves(view: View) -> Findings:
    """Ordinary requests are served after one without a response."""
    about, pairs = view.record.about, view.record.pairs
    since = f" after {about['served']}" if about["served"] else ""
    first, *others = about["after"]
    more = f", {len(others)} other probes" if others else ""
    if all(pair.client.ended == "unreachable" for pair in pairs):
        last = f" (last response: {about['served']})" if about["served"] else ""
        says = f"the proxy no longer accepts connections since the request of {first}{more}{last}"
    else:
        says = f"the proxy stopped serving{since}: the request of {first}{more} and {len(pairs)} ordinary ones received"
        says += f" no response ({pairs[-1].client.ended})"
    says += f", and {about['left']} probes were not sent"
    yield Finding(says, 200, None, len(pairs) - 1)
