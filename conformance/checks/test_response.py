"""The Response object: as the body, and in the terminal event of a stream."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime

from conformance.contract.openai_names import undocumented_item
from conformance.contract.schemas import ABSENT
from conformance.decode.events import mapping, objects, text
from conformance.decode.response import FINAL, CannotEvaluate, Received
from conformance.judge.applicability import (
    FINAL_RESPONSE,
    Where,
    has_model,
)
from conformance.judge.common import no_output, refuses
from conformance.judge.error_words import failure_detail
from conformance.judge.model_names import is_the_model
from conformance.judge.selectors import RESPONSES
from conformance.judge.verdict import EXAMINED, Case, Examined, Finding, Findings, check, finding_from_schema

#: Seconds by which created_at may differ from the clock. Values are limited to _FAR before they become floats.
_MINUTES = 600.0
_FAR = 10**15

#: What is larger is no time in seconds (it is the year 5138): milliseconds are recognised without a clock.
_TOO_LATE = 10**11

_OF_ITEM = re.compile(r"/output/(\d+)/")


@check("response.schema", over=RESPONSES, where=FINAL_RESPONSE)
def test_response_has_the_documented_shape(received: Received, case: Case) -> Findings:
    event = received.terminal if received.looks_like_stream else None
    if event and event.type in ("error", "response.failed"):
        raise CannotEvaluate(f"the stream ended in {event.type}")
    value = _response_or_other_json(received)
    yield EXAMINED
    for problem in case.context.schemas.errors("response.json", value):
        if not _checked_by_another_rule(received, problem.pointer, case):
            yield finding_from_schema(problem, received.pointer, event)


def _response_or_other_json(received: Received) -> object:
    """The Response; in a plain response any JSON value."""
    return received.json if received.exchange.ok and not received.looks_like_stream else received.response


def _checked_by_another_rule(received: Received, pointer: str, case: Case) -> bool:
    """Whether another rule checks the member: those of usage and of items of documented types."""
    place = _OF_ITEM.match(pointer)
    output = mapping(_response_or_other_json(received)).get("output")
    if place and isinstance(output, list) and int(place[1]) < len(output):
        return mapping(output[int(place[1])]).get("type") in case.context.schemas.item_types
    return pointer.startswith("/usage/")


@check("response.ends-final", over=RESPONSES, where=Where("answers", depends_on=("*",)))
def test_response_ends_completed_or_incomplete(received: Received) -> Findings:
    if received.looks_like_stream and received.terminal.type in ("error", "response.failed"):
        event = received.terminal
        yield EXAMINED
        error = mapping(event.response.get("error")) or mapping(event.data.get("error")) or event.data
        message = f"the stream ends in {event.type}: {text(error.get('message'))[:160]}"
        yield Finding(message, "/type", event.index, "response.completed or response.incomplete", event.type)
        return
    status = received.response.get("status")
    yield Examined(isinstance(status, str))
    if isinstance(status, str) and status not in FINAL:
        message = f"the final status is {status!r}{failure_detail(received.response)}"
        yield Finding(message, received.pointer + "/status", received.event, "completed or incomplete", status)


@check("response.created-at-is-now", over=RESPONSES, where=Where("finished"))
def test_created_at_is_now(received: Received) -> Findings:
    created = received.response.get("created_at")
    if not isinstance(created, int | float) or isinstance(created, bool):
        return  # response.schema reports it.
    clocks = [clock for clock in (received.exchange.sent_at, _date(received)) if clock]  # 0: a capture without a time.
    yield Examined(bool(clocks) or created > _TOO_LATE)
    created = max(-_FAR, min(created, _FAR))  # An integer may be too large for a float.
    away = min((abs(created - clock) for clock in clocks), default=0)
    if away > _MINUTES or created > _TOO_LATE:
        milliseconds = created > _TOO_LATE if not clocks else abs(created / 1000 - clocks[0]) < _MINUTES
        where = f"differs from the clock by {away:.0f} seconds" if clocks else "is no time in seconds"
        message = f"created_at {where}{' (milliseconds?)' if milliseconds else ''}"
        yield Finding(message, received.pointer + "/created_at", received.event, _expected_time(clocks), created)


def _expected_time(clocks: Sequence[float]) -> str:
    return f"about {int(clocks[0])}" if clocks else "Unix seconds"


@check("response.model-echoed", over=RESPONSES, where=Where("finished", depends_on=("model",), when=has_model))
def test_model_is_the_requested_one(received: Received, case: Case) -> Findings:
    requested, named = text(received.sent.get("model")), received.response.get("model")
    yield Examined(isinstance(named, str))
    if isinstance(named, str) and not is_the_model(requested, named, case.context.contract):
        message = "model differs from the model of the request"
        yield Finding(message, received.pointer + "/model", received.event, requested, named)


@check("response.completed-is-clean", over=RESPONSES, where=FINAL_RESPONSE)
def test_completed_response_has_no_error(received: Received) -> Findings:
    if received.final_status == "completed":
        yield EXAMINED
        for member in ("error", "incomplete_details"):
            if (value := received.response.get(member)) is not None:
                message = f"{member} is not null although the status is completed"
                yield Finding(message, f"{received.pointer}/{member}", received.event, None, value)


@check("response.nullable-members-present", over=RESPONSES, where=FINAL_RESPONSE)
def test_members_that_may_be_null_are_there(received: Received) -> Findings:
    for member in ("error", "incomplete_details"):
        yield EXAMINED
        if member not in received.response:
            message = f"the Response has no {member}; expected null or an object"
            yield Finding(message, f"{received.pointer}/{member}", received.event, None, ABSENT)


@check("response.items-finished", over=RESPONSES, where=FINAL_RESPONSE)
def test_items_of_a_completed_response_are_finished(received: Received, case: Case) -> Findings:
    if received.final_status == "completed":
        for index, item in enumerate(received.output):
            if item.get("type") not in case.context.schemas.item_types:
                continue  # The contract does not define the statuses of other types.
            if mapping(item.get("caller")).get("type") == "program":
                continue  # OpenAI's programs call functions and go on in a later response.
            yield EXAMINED
            if item.get("status") == "in_progress":
                pointer = f"{received.pointer}/output/{index}/status"
                message = f"item {index} has status {item['status']} in a completed response"
                yield Finding(message, pointer, received.event, "completed", item["status"])


@check("response.output-text-matches", over=RESPONSES, where=FINAL_RESPONSE)
def test_output_text_is_the_text_of_the_parts(received: Received) -> Findings:
    actual = received.response.get("output_text")
    yield Examined(isinstance(actual, str))
    if not isinstance(actual, str) or actual == received.words:
        return
    message, got = "output_text is not the concatenation of all output_text parts", actual
    if kind := _type_of_the_item_with(actual, received.output):
        message, got = "output_text is the text of an item that is no message", f"an item of type {kind}"
    yield Finding(message, received.pointer + "/output_text", received.event, received.words, got)


def _type_of_the_item_with(words: str, output: Sequence[Mapping[str, object]]) -> str:
    """The type of an item that is no message and contains this text; empty without one."""
    others = (item for item in output if item.get("type") != "message")
    return next((text(item.get("type")) for item in others if words and _joined(item) == words), "")


def _joined(item: Mapping[str, object]) -> str:
    return "".join(text(part.get("text")) for part in objects(item.get("content")))


@check("response.output-text-present", over=RESPONSES, where=FINAL_RESPONSE)
def test_output_text_is_there(received: Received) -> Findings:
    actual = received.response.get("output_text", ABSENT)
    yield EXAMINED
    if actual in (None, ABSENT):
        missing = "is missing" if actual == ABSENT else "is null"
        yield Finding(
            f"output_text {missing}", received.pointer + "/output_text", received.event, received.words, actual
        )


@check("response.message-shape", over=RESPONSES, where=FINAL_RESPONSE)
def test_message_contains_output_text(received: Received) -> Findings:
    for place, item in received.items("message"):
        pointer = f"{received.pointer}/output/{place}"
        yield EXAMINED
        if item.get("role") != "assistant":
            message = "the role of a message is not assistant"
            yield Finding(message, pointer + "/role", received.event, "assistant", item.get("role", ABSENT))
        if not isinstance(item.get("content"), list):
            message = "the content of a message is not an array of parts"
            yield Finding(message, pointer + "/content", received.event, "an array", item.get("content", ABSENT))
        for index, part in enumerate(objects(item.get("content"))):
            if isinstance(part.get("type"), str) and part["type"] not in ("output_text", "refusal"):
                pointer = f"{received.pointer}/output/{place}/content/{index}/type"
                message = f"a part of a message has type {part['type']!r}"
                yield Finding(message, pointer, received.event, "output_text", part["type"])


@check("response.documented-items-only", over=RESPONSES, where=Where("finished", depends_on=("tools",)))
def test_items_are_of_documented_types(received: Received, case: Case) -> Findings:
    for place, item in enumerate(received.output):
        kind = item.get("type")
        yield Examined(isinstance(kind, str))
        if isinstance(kind, str) and kind not in case.context.schemas.output_types:
            known, pointer = ", ".join(case.context.schemas.output_types), f"{received.pointer}/output/{place}/type"
            yield Finding(undocumented_item(kind), pointer, received.event, known, kind)


@check("response.annotations-array", over=RESPONSES, where=FINAL_RESPONSE)
def test_output_text_has_annotations(received: Received) -> Findings:
    for place, item in received.items("message"):
        for index, part in enumerate(objects(item.get("content"))):
            yield Examined(part.get("type") == "output_text")
            if part.get("type") == "output_text" and "annotations" not in part:
                pointer = f"{received.pointer}/output/{place}/content/{index}/annotations"
                yield Finding("an output_text part has no annotations", pointer, received.event, [])


@check("response.not-empty", over=RESPONSES, where=Where("finished", depends_on=("*",)))
def test_completed_response_has_content(received: Received) -> Findings:
    if received.final_status != "completed":
        return
    yield EXAMINED
    kinds = {str(item.get("type")) for item in received.output}
    if not received.output:
        yield no_output(received)
    elif not kinds - {"message", "reasoning"} and not received.words and not refuses(received):
        message = "a completed response contains neither text nor a call"
        yield Finding(message, received.pointer + "/output", received.event, "text or a call", sorted(kinds))


def _date(received: Received) -> float | None:
    try:
        return parsedate_to_datetime(received.exchange.header("date") or "").timestamp()
    except (ValueError, TypeError):
        return None
