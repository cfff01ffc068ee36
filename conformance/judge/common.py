"""Functions that the checks of several areas share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from conformance.contract.schemas import pointer
from conformance.decode.events import mapping, objects, text
from conformance.decode.json_text import load
from conformance.decode.response import FINAL, CannotEvaluate, DoesNotApply, Received
from conformance.exchange.codings import ends_within
from conformance.exchange.exchange import CODINGS, DECODED_LIMIT, OF_THE_ACCOUNT, Exchange, codings_in, content_coding
from conformance.exchange.planned import AFTER_CLOSED, CLOSED, ON_KEPT, TEMPORARY_STATUSES, attempts, on_new_connections
from conformance.judge.control import shortened
from conformance.judge.error_words import exception_of, failure_detail, without_repetition, words_of_error
from conformance.judge.findings import MAY_BE_REFUSED
from conformance.judge.samples import is_a_response, response_of
from conformance.judge.strict_tools import if_strict_is_required
from conformance.judge.verdict import EXAMINED, Case, Finding, Findings
from conformance.scenarios.context import Context
from conformance.scenarios.scenario import Scenario

#: A surrogate without its pair, which is not a Unicode scalar value.
LONE_SURROGATE = re.compile("[\ud800-\udfff]")

#: Statuses that report a temporary problem of the server, whatever the request.
BUSY = (429, 503, 529)


def scenario_of(received: Received, case: Case) -> Scenario:
    """The scenario of a response."""
    return case.context.scenarios[received.scenario]


def refused(received: Received) -> bool:
    """Whether a request with a valid key received a 4xx."""
    return 400 <= authenticated_status(received) < 500


def definite_status(received: Received) -> int:
    """The status code, including 500; :class:`CannotEvaluate` for 402, 421, 429, 503 and 529."""
    status = received.arrived
    if status in BUSY or status in OF_THE_ACCOUNT:
        raise CannotEvaluate(f"received HTTP {status} after {attempts(received.exchange)}")
    return status


def fails_every_attempt(exchange: Exchange) -> bool:
    """Whether each try ended in the same 5xx; one that is not retried (501) counts after one try."""
    status = exchange.status or 0
    earlier = on_new_connections(exchange)
    tried = status not in TEMPORARY_STATUSES or bool(earlier)
    return status >= 500 and tried and all(one.status == status for one in earlier)


def status_occurs_elsewhere(received: Received, responses: Sequence[Received]) -> bool:
    """Whether other requests received the same status, so that this request need not be the cause. Never for 500, which
    is not a temporary status."""
    status, name = received.exchange.status, received.scenario.removesuffix(".stream")
    others = [one.exchange for one in responses if one.scenario.removesuffix(".stream") != name]
    return status != 500 and any(status in (one.status, *(each.status for each in one.attempts)) for one in others)


def always_busy(refused: Sequence[Received], served: Sequence[Received]) -> int | None:
    """The busy status that requests of one kind receive in every attempt, if others, of which one at least receives a
    Response, never do: then it is no passing trouble of the server. None where that is not so."""
    statuses = {one.exchange.status for one in refused if one.exchange.status is not None}
    elsewhere = {one.exchange.status for one in served}
    elsewhere |= {attempt.status for one in served for attempt in one.exchange.attempts}
    if len(statuses) != 1 or not statuses <= set(BUSY) or statuses & elsewhere:
        return None
    if not all(fails_every_attempt(one.exchange) or one.exchange.status == 429 for one in refused):
        return None
    return statuses.pop() if any(map(is_a_response, served)) else None


def all_busy(responses: Sequence[Received]) -> None:
    """Raise :class:`CannotEvaluate` if every response has a status of :data:`BUSY`."""
    statuses = {one.exchange.status for one in responses if one.exchange.status is not None}
    if statuses and statuses <= set(BUSY):
        raise CannotEvaluate(f"every response has status {' or '.join(map(str, sorted(statuses)))}")


def authenticated_status(received: Received) -> int:
    """The status code of a request with a valid key; :class:`CannotEvaluate` also for 401."""
    status = definite_status(received)
    if status == 401:
        raise CannotEvaluate("received HTTP 401 for the valid key")
    return status


def must_be_served(received: Received) -> Findings:
    """A documented request is served (a 2xx other than 200 has its own rule). A 5xx is a finding only if each attempt
    gets it, and it is not that of a busy server."""
    status = definite_status(received) if fails_every_attempt(received.exchange) else received.status
    if_strict_is_required(received)
    yield EXAMINED
    if not received.exchange.ok:
        yield Finding(f"received HTTP {status}{error_detail(received)}", want=200, got=status)


def no_response(received: Received) -> Findings:
    """A finding if every attempt ended with a closed or reset connection or with bytes that are not HTTP."""
    exchange = received.exchange
    if exchange.status is None and exchange.ended in ("reset", "invalid"):
        how = "closed the connection without a response" if exchange.ended == "reset" else "sent no HTTP response"
        message = f"the server {how} in {attempts(exchange)} ({exchange.detail})"
        yield Finding(message, want="an HTTP response", got=exchange.ended)


def retried(received: Received) -> list[Received]:
    """The responses after which the request was retried, and the last response if it has such a status;
    :class:`DoesNotApply` if there is none or the recording does not contain it."""
    found = [one for one in received.exchange.retried if not one.detail.startswith((ON_KEPT, CLOSED, AFTER_CLOSED))]
    if received.exchange.status in TEMPORARY_STATUSES:
        found.append(received.exchange)
    if not found:
        raise DoesNotApply("no request was retried")
    return [response_of(one, received) for one in found]


def need_complete(received: Received) -> None:
    """Raise :class:`CannotEvaluate` if a limit of the suite ended the response before its end."""
    if received.exchange.ended_by_us:
        raise CannotEvaluate(f"the response was not received completely: {received.exchange.detail}")


def must_be_refused(received: Received) -> Findings:
    """A finding if the status is not 4xx."""
    status = authenticated_status(received)
    yield EXAMINED
    if not 400 <= status < 500:
        failure = ends_in_failure(received)
        words = error_detail(received) if failure is None else f", and {failure}"
        yield Finding(f"received HTTP {status}{words}", want="a 4xx status", got=status)


def must_be_served_or_refused(received: Received) -> Findings:
    """A finding if an undocumented request received neither a 4xx nor a valid Response with status 200."""
    status = authenticated_status(received)
    yield EXAMINED
    if 400 <= status < 500:
        return
    if status != 200:
        yield Finding(f"received HTTP {status}{error_detail(received)}", want="200 or a 4xx status", got=status)
    else:
        yield from must_be_a_response(received)


def must_be_a_response(received: Received) -> Findings:
    """A finding if the body of a 200 is not a final Response, plain or streamed; other rules check its schema."""
    yield EXAMINED
    if (failure := ends_in_failure(received)) is not None:
        yield Finding(f"HTTP 200, and {failure}", "/type", received.event, MAY_BE_REFUSED, "a failure")
        return
    try:
        response = received.response
    except CannotEvaluate as error:
        need_complete(received)
        yield Finding(f"HTTP 200, but {error}", want="a Response", got=excerpt(received))
        return
    if not isinstance(response.get("output"), list) and not received.output:
        yield Finding("HTTP 200, but the body is no Response", want="a Response", got=excerpt(received))
    elif response.get("status") == "completed" and not received.output:
        yield no_output(received)
    elif "status" in response and response["status"] not in FINAL:
        status = response["status"]
        message = f"the final status of the response is {status!r}{failure_detail(response)}"
        yield Finding(message, received.pointer + "/status", received.event, "completed or incomplete", status)


def no_output(received: Received) -> Finding:
    """The finding for a completed Response without output items."""
    return Finding("a completed response has no output item", received.pointer + "/output", received.event)


def refuses(received: Received) -> bool:
    """Whether a message of the response contains a part of type ``refusal``."""
    parts = [part for _, item in received.items("message") for part in objects(item.get("content"))]
    return any(part.get("type") == "refusal" and part.get("refusal") for part in parts)


def ends_in_failure(received: Received) -> str | None:
    """The failure event that ends the stream, with its error message; None for any other response."""
    last = next((event for event in received.events if event.terminal), None) if _is_stream(received) else None
    if last is None and _is_stream(received) and len(received.events) == 1:
        # Its type may be that of the error: invalid_request_error.
        last = received.events[0] if received.events[0].frame.event == "error" else None
    if last is None:
        return None
    end = last.type
    if end not in ("error", "response.failed") and last.frame.event != "error":
        if last.response.get("status") != "failed":
            return None
        end += " with status 'failed'"
    error = mapping(last.response.get("error")) or mapping(last.data.get("error")) or last.data
    return f"the stream ends in {end}: {text(error.get('message'))[:160]}"


def _is_stream(received: Received) -> bool:
    return received.exchange.ok and received.looks_like_stream


def body_has_its_end(received: Received) -> Findings:
    """A finding if a compressed body ends as announced, and before its coding does."""
    if name := _coding_without_end(received.exchange):
        message = f"the body is in {name} and ends before that does: its end, with the checksum, is missing"
        yield Finding(message, want=f"a complete {name} body", got="a part of one")


def _coding_without_end(exchange: Exchange) -> str:
    """The content coding that is not at its end where the body ended as announced; empty otherwise."""
    name = next(iter(reversed(codings_in(content_coding(exchange.headers)))), "")
    if exchange.ended != "clean" or name not in CODINGS:
        return ""
    return name if ends_within(name, (chunk.data for chunk in exchange.chunks), DECODED_LIMIT) else ""


def excerpt(received: Received, size: int = 96, at: int = 0) -> str:
    """The first ``size`` characters of the body, for a message; those around the byte ``at``, if it is further back."""
    start = max(0, at - size // 2)
    text = received.exchange.body[start : start + size * 4].decode("utf-8", "replace").strip()
    return ("..." if start else "") + text[:size] + ("..." if len(text) > size else "")


def envelope(received: Received) -> object:
    """The error body as JSON; as a string if it is not JSON."""
    try:
        return received.envelope
    except CannotEvaluate:
        need_complete(received)
        return received.exchange.body.decode("utf-8", "replace")


def is_error_body(received: Received) -> bool:
    """Whether the body is an error envelope and not a Response."""
    try:
        body = mapping(received.envelope)
    except CannotEvaluate:
        return False
    return received.contract.error.is_error(body)


def needs(received: Received, case: Case) -> None:
    """Raise :class:`CannotEvaluate` if the model did not do what the scenario needs."""
    need = scenario_of(received, case).need
    if need and not need.met(received):
        times = f"{len(received.samples)} request{'s' * (len(received.samples) > 1)}"
        raise CannotEvaluate(f"needs a response in which {need.says}; not received for {times}")


def did_not_occur(
    what: str, responses: Sequence[Received], event: str, context: Context
) -> CannotEvaluate | DoesNotApply:
    """The exception to raise if no response contains ``what``: :class:`DoesNotApply` if the server refused every
    request that can cause it, or if the profile excludes the scenario that causes events whose type begins so."""
    causes = {row.caused_by for name, row in context.contract.table.by_type.items() if name.startswith(event)}
    if lacking := {
        feature
        for name in causes & context.scenarios.keys()
        for feature in context.scenarios[name].claims & context.target.lacks
    }:
        return DoesNotApply(f"the profile excludes {', '.join(sorted(lacking))}")
    if all(received.exchange.refused for received in responses):
        return DoesNotApply(f"every request that can cause {what} was refused")
    return CannotEvaluate(f"no response contains {what}")


def between(plain: Received, stream: Received, message: str, pointer: str, want: Any, got: Any) -> Finding:
    """A finding that a plain and a streamed response differ; its place is in the streamed one."""
    event = stream.event if pointer else None
    return Finding(message, pointer, event, want, got, stream.scenario, also=(plain.scenario,))


def pointer_to(value: Any, sought: str, place: str = "") -> str:
    """The JSON pointer of the first string or member name that contains ``sought``; empty if none does."""
    if isinstance(value, str):
        return place if sought in value else ""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in pairs:
        here = place + pointer(name)
        if found := here if sought in str(name) else pointer_to(inner, sought, here):
            return found
    return ""


def parsed(text: Any) -> Any:
    """The value of a JSON text; ``ValueError`` if it is not JSON."""
    if not isinstance(text, str):
        raise ValueError("not a string")
    return load(text)


def error_detail(received: Received) -> str:
    """The message of the error body, or the start of the body, as ``": ..."``; empty without either."""
    words = words_of_error(received)
    if not words and not received.exchange.ok:
        words = [exception_of(received) or excerpt(received, 80)]
    quoted = " ".join(" / ".join(without_repetition(words)).split())
    return f": {shortened(quoted, 200)}" if quoted else ""


#: Words in error messages that report a request longer than the model's context.
_TOO_LONG = re.compile(r"context|too (?:long|large|many)|exceed|length|limit|maximum", re.IGNORECASE)


def refused_as_too_long(received: Received, case: Case) -> bool:
    """Whether status or error message show that a long request was refused for its length."""
    if "sizable" not in scenario_of(received, case).tags or not refused(received):
        return False
    return received.exchange.status == 413 or _TOO_LONG.search(error_detail(received)) is not None


def does_not_apply_if_too_long(received: Received, case: Case) -> None:
    """Raise :class:`DoesNotApply` if a long request was refused for its length, which another rule reports."""
    if refused_as_too_long(received, case):
        status = received.exchange.status
        raise DoesNotApply(f"refused with HTTP {status} for its length, which request.long-input-served reports")
