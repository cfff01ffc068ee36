"""What several areas ask of an answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from conformance.contract.schemas import pointer
from conformance.decode.events import mapping, objects, text
from conformance.decode.json_text import load
from conformance.decode.response import FINAL, CannotEvaluate, DoesNotApply, Received
from conformance.exchange.codings import ends_within
from conformance.exchange.exchange import CODINGS, DECODED_LIMIT, Exchange, codings_in, content_coding
from conformance.exchange.planned import PASSING
from conformance.judge.verdict import EXAMINED, Case, Finding, Findings
from conformance.scenarios.scenario import Scenario

#: What no text holds: half a character of UTF-16.
HALF_A_PAIR = re.compile("[\ud800-\udfff]")

#: Statuses of a trouble that has nothing to do with the request.
BUSY = (429, 503, 529)


def scenario_of(received: Received, case: Case) -> Scenario:
    """The scenario of an answer."""
    return case.context.scenarios[received.scenario]


def refused(received: Received) -> bool:
    """Whether a request with the right key got a 4xx."""
    return 400 <= judged_past_the_key(received) < 500


def settled(received: Received) -> int:
    """The status, a 500 included: for requests that must not cause one. Busy statuses judge nothing."""
    status = received.arrived
    if status in BUSY:
        raise CannotEvaluate(f"HTTP {status} after {len(received.exchange.attempts) + 1} tries")
    return status


def breaks_every_time(exchange: Exchange) -> bool:
    """Whether each try, and there were several, ended in the same 5xx."""
    status = exchange.status or 0
    return status >= 500 and bool(exchange.attempts) and all(one.status == status for one in exchange.attempts)


def busy_elsewhere(received: Received, responses: Sequence[Received]) -> bool:
    """Whether the same status came to other requests too: then it may be the server's trouble and not the request's.
    A 500 is never a passing trouble."""
    status, name = received.exchange.status, received.scenario.removesuffix(".stream")
    others = [one.exchange for one in responses if one.scenario.removesuffix(".stream") != name]
    return status != 500 and any(status in (one.status, *(each.status for each in one.attempts)) for one in others)


def all_busy(responses: Sequence[Received]) -> None:
    """:class:`CannotEvaluate` if every response has a busy status: then nobody knows what the requests cause."""
    statuses = {one.exchange.status for one in responses if one.exchange.status is not None}
    if statuses and statuses <= set(BUSY):
        raise CannotEvaluate(f"every response is HTTP {' or '.join(map(str, sorted(statuses)))}")


def judged_past_the_key(received: Received) -> int:
    """The settled status of a request with the right key: a 401 says nothing about what else was sent."""
    status = settled(received)
    if status == 401:
        raise CannotEvaluate("HTTP 401: the right key was refused")
    return status


def must_be_served(received: Received) -> Findings:
    """A documented request gets 200."""
    status = received.status
    yield EXAMINED
    if status != 200:
        yield Finding(f"answered with HTTP {received.status}{said(received)}", want=200, got=received.status)


def no_answer(received: Received) -> Findings:
    """A finding if the connection was closed or reset, or carried no HTTP, each time the request was sent."""
    exchange = received.exchange
    if exchange.status is None and exchange.ended in ("reset", "invalid"):
        tries = len(exchange.attempts) + 1
        how = "is closed without a response" if exchange.ended == "reset" else "carries no HTTP response"
        message = f"the connection {how} in {tries} {'try' if tries == 1 else 'tries'} ({exchange.detail})"
        yield Finding(message, want="an HTTP response", got=exchange.ended)


def retried(received: Received) -> list[Received]:
    """The responses after which the request was retried, and a last one with such a status; :class:`DoesNotApply`
    where there is none, or a recording did not keep it."""
    found = list(received.exchange.retried)
    if received.exchange.status in PASSING:
        found.append(received.exchange)
    if not found:
        raise DoesNotApply("no request was retried after a response")
    return [Received(one, received.scenario, contract=received.contract) for one in found]


def received_whole(received: Received) -> None:
    """:class:`CannotEvaluate` where a limit of ours ended the response: what is missing then says nothing."""
    if received.exchange.ended_by_us:
        raise CannotEvaluate(f"the response was not received whole: {received.exchange.detail}")


def must_be_refused(received: Received) -> Findings:
    """A request that cannot be served gets a 4xx."""
    status = judged_past_the_key(received)
    yield EXAMINED
    if not 400 <= status < 500:
        failure = ends_in_failure(received)
        words = said(received) if failure is None else f", and {failure}"
        yield Finding(f"answered with HTTP {status}{words}", want="a 4xx status", got=status)


def must_be_served_or_refused(received: Received) -> Findings:
    """A request outside the contract gets a 4xx, or is answered as if the strange part were not there."""
    status = judged_past_the_key(received)
    yield EXAMINED
    if 400 <= status < 500:
        return
    if status != 200:
        yield Finding(f"answered with HTTP {status}{said(received)}", want="200 or a 4xx status", got=status)
    else:
        yield from must_be_an_answer(received)


def must_be_an_answer(received: Received) -> Findings:
    """The body under a 200 is a finished Response, plain or streaming; its shape has a rule of its own."""
    yield EXAMINED
    if (failure := ends_in_failure(received)) is not None:
        yield Finding(f"HTTP 200, and {failure}", "/type", received.event, "a Response or a 4xx status", "a failure")
        return
    try:
        response = received.response
    except CannotEvaluate as error:
        received_whole(received)
        yield Finding(f"HTTP 200, but {error}", want="a Response", got=excerpt(received))
        return
    if not isinstance(response.get("output"), list) and not received.output:
        yield Finding("HTTP 200, but the body is no Response", want="a Response", got=excerpt(received))
    elif response.get("status") == "completed" and not received.output:
        yield no_output(received)
    elif "status" in response and response["status"] not in FINAL:
        status = response["status"]
        message = f"the answer ends with status {status!r}"
        yield Finding(message, received.pointer + "/status", received.event, "completed or incomplete", status)


def no_output(received: Received) -> Finding:
    """The finding of a completed response that holds nothing."""
    return Finding("a completed response has no output item", received.pointer + "/output", received.event)


def refuses(received: Received) -> bool:
    """Whether a message of the response holds a refusal, which OpenAI has as a part of its own."""
    parts = [part for _, item in received.items("message") for part in objects(item.get("content"))]
    return any(part.get("type") == "refusal" and part.get("refusal") for part in parts)


def ends_in_failure(received: Received) -> str | None:
    """How a stream ends that ends in a failure, with the server's words; None for any other answer."""
    last = next((event for event in received.events if event.terminal), None) if _is_stream(received) else None
    if last is None or last.type not in ("error", "response.failed"):
        return None
    error = mapping(last.response.get("error")) or mapping(last.data.get("error")) or last.data
    return f"the stream ends in {last.type}: {text(error.get('message'))[:160]}"


def _is_stream(received: Received) -> bool:
    return received.exchange.ok and received.looks_like_stream


def body_has_its_end(received: Received) -> Findings:
    """A finding if a compressed body ends as announced, and before its coding does."""
    if name := _coding_without_end(received.exchange):
        message = f"the body is in {name} and ends before that does: its end, with the checksum, is missing"
        yield Finding(message, want=f"a whole {name} body", got="a part of one")


def _coding_without_end(exchange: Exchange) -> str:
    """The content coding that is not at its end where the body ended as announced; empty otherwise."""
    name = next(iter(reversed(codings_in(content_coding(exchange.headers)))), "")
    if exchange.ended != "clean" or name not in CODINGS:
        return ""
    return name if ends_within(name, (chunk.data for chunk in exchange.chunks), DECODED_LIMIT) else ""


def excerpt(received: Received, size: int = 96) -> str:
    """The beginning of the body, for a message."""
    body = received.exchange.body
    text = body[: size * 4].decode("utf-8", "replace").strip()
    return text[:size] + ("..." if len(text) > size else "")


def envelope(received: Received) -> object:
    """The error body as JSON, or its text where it is none."""
    try:
        return received.envelope
    except CannotEvaluate:
        received_whole(received)
        return received.exchange.body.decode("utf-8", "replace")


def is_error_body(received: Received) -> bool:
    """Whether the body is an error envelope and no Response."""
    try:
        body = mapping(received.envelope)
    except CannotEvaluate:
        return False
    return received.contract.error.is_error(body)


def needs(received: Received, case: Case) -> None:
    """The model must have done what the scenario needs; else nothing can be judged."""
    need = scenario_of(received, case).need
    if need and not need.met(received):
        tries = len(received.samples)
        raise CannotEvaluate(
            f"this needs that {need.says}, and in {tries} {'try' if tries == 1 else 'tries'} it did not"
        )


def not_seen(what: str, responses: Sequence[Received]) -> CannotEvaluate | DoesNotApply:
    """Why a thing that no answer held cannot be judged; where a server refused all that would hold it, it need not."""
    if all(received.exchange.refused for received in responses):
        return DoesNotApply(f"every request that could bring {what} was refused")
    return CannotEvaluate(f"no answer held {what}")


def between(plain: Received, stream: Received, message: str, pointer: str, want: Any, got: Any) -> Finding:
    """A finding that two answers to the same request differ: told of the streamed one, and about both."""
    event = stream.event if pointer else None
    return Finding(message, pointer, event, want, got, stream.scenario, also=(plain.scenario,))


def encoded_twice(text: str) -> str | None:
    """What a text was before its UTF-8 was taken for Latin-1 or Windows-1252; None for any other text."""
    for wrong in ("latin-1", "cp1252"):
        try:
            meant = text.encode(wrong).decode("utf-8")
        except UnicodeError:
            continue
        return meant if meant != text else None
    return None


def holder(value: Any, sought: str, place: str = "") -> str:
    """The JSON pointer of the first text (or name of a member) that holds a text; empty if none does."""
    if isinstance(value, str):
        return place if sought in value else ""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in pairs:
        here = place + pointer(name)
        if found := here if sought in str(name) else holder(inner, sought, here):
            return found
    return ""


def parsed(text: Any) -> Any:
    """The JSON value of a text; ``ValueError`` if it is none."""
    if not isinstance(text, str):
        raise ValueError("not a text")
    return load(text)


def said(received: Received) -> str:
    """What the server said about it, as the end of a sentence."""
    form = received.contract.error
    try:
        error = mapping(form.of(received.envelope))
    except CannotEvaluate:
        error = {}
    words = [str(error[name]) for name in (form.message, *form.reason) if error.get(name)]
    if not words and not received.exchange.ok:
        words = [" ".join(excerpt(received, 80).split())]
    return f": {' / '.join(words)[:200]}" if any(words) else ""


#: Words by which servers say that a request is longer than the model can take.
_TOO_LONG = re.compile(r"context|too (?:long|large|many)|exceed|length|limit|maximum", re.IGNORECASE)


def refused_for_its_size(received: Received, case: Case) -> bool:
    """Whether a long request was refused because it is long, as far as status and message tell."""
    if "sizable" not in scenario_of(received, case).tags or not refused(received):
        return False
    return received.exchange.status == 413 or _TOO_LONG.search(said(received)) is not None


def unless_for_its_size(received: Received, case: Case) -> None:
    """:class:`DoesNotApply` where a long request was refused for its size: that says nothing of its form."""
    if refused_for_its_size(received, case):
        raise DoesNotApply(f"refused with HTTP {received.exchange.status} for its size: a rule of its own reports that")
