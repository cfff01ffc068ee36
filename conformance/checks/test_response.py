"""The Response object: plain, and inside the terminal event of a stream."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from email.utils import parsedate_to_datetime

from conformance.contract.schemas import ABSENT
from conformance.decode.events import mapping, objects, text
from conformance.decode.response import FINAL, Answer, CannotJudge, DoesNotApply
from conformance.judge.applicability import (
    BYTES,
    CLOCK,
    FINAL_RESPONSE,
    Where,
    names_a_model,
    no_replacement,
    unmangled,
)
from conformance.judge.common import HALF_A_PAIR, encoded_twice, no_output, refuses
from conformance.judge.selectors import ANSWERS, everything, together
from conformance.judge.verdict import EXAMINED, Case, Examined, Finding, Findings, breaks_schema, check

#: Seconds that created_at may be away from the clock.
_MINUTES = 600.0
_FAR = 10**15

#: Members that OpenAI echoes from the request; where they stand they must not lie.
_ECHOED = ("instructions", "max_output_tokens", "temperature", "top_p", "tool_choice", "tools")

_OF_ITEM = re.compile(r"/output/(\d+)/")

_ALL = everything("all-answers", where=lambda one: one.expect != "refusal")


@check("response.schema", over=ANSWERS, where=FINAL_RESPONSE)
def test_response_has_the_documented_shape(answer: Answer, case: Case) -> Findings:
    event = answer.terminal if answer.looks_like_stream else None
    if event and event.type in ("error", "response.failed"):
        raise CannotJudge(f"the stream ended in {event.type}")
    value = _response_or_other_json(answer)
    yield EXAMINED
    for problem in case.world.schemas.errors("response.json", value):
        if not _told_elsewhere(answer, problem.pointer, case):
            yield breaks_schema(problem, answer.pointer, event)


def _response_or_other_json(answer: Answer) -> object:
    """The Response, or what JSON stands in a plain answer in its place."""
    return answer.json if answer.exchange.ok and not answer.looks_like_stream else answer.response


def _told_elsewhere(answer: Answer, pointer: str, case: Case) -> bool:
    """The counters of usage, and the items of documented types, have rules of their own."""
    place = _OF_ITEM.match(pointer)
    output = mapping(_response_or_other_json(answer)).get("output")
    if place and isinstance(output, list) and int(place[1]) < len(output):
        return mapping(output[int(place[1])]).get("type") in case.world.schemas.item_types
    return pointer.startswith("/usage/")


@check("response.ends-final", over=ANSWERS, where=Where("answers", leans_on=("*",)))
def test_answer_ends_completed_or_incomplete(answer: Answer) -> Findings:
    if answer.looks_like_stream and answer.terminal.type in ("error", "response.failed"):
        event = answer.terminal
        yield EXAMINED
        error = mapping(event.response.get("error")) or mapping(event.data.get("error")) or event.data
        message = f"the stream ends in {event.type}: {text(error.get('message'))[:160]}"
        yield Finding(message, "/type", event.index, "response.completed or response.incomplete", event.type)
        return
    status = answer.response.get("status")
    yield Examined(isinstance(status, str))
    if isinstance(status, str) and status not in FINAL:
        message = f"the final status is {status!r}"
        yield Finding(message, answer.pointer + "/status", answer.event, "completed or incomplete", status)


@check("response.id-unique", over=_ALL, together=True, where=Where("all-answers"))
def test_no_id_is_used_twice(answers: list[Answer], case: Case) -> Findings:
    seen: dict[str, str] = {}
    for answer in {one.exchange.key: one for one in answers}.values():
        for pointer, name in _ids(answer, case.world.schemas.item_types):
            yield EXAMINED
            place = f"{answer.scenario} at {pointer}"
            first = seen.setdefault(name, place)
            if first != place:
                message = f"the id at {pointer} was given before, in {first}"
                yield Finding(message, answer.pointer + pointer, None, "an id of its own", name, answer.scenario)


def _ids(answer: Answer, item_types: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The ids of a Response and of its items of documented types; those that the request itself returned may be
    kept."""
    response = _response_or_none(answer) if answer.exchange.ok else {}
    returned = [item.get("id") for item in objects(answer.sent.get("input"))]
    named = {"/id": response.get("id")}
    named |= {
        f"/output/{place}/id": item.get("id")
        for place, item in enumerate(objects(response.get("output")))
        if item.get("type") in item_types
    }
    for pointer, name in named.items():
        if isinstance(name, str) and name and name not in returned:
            yield pointer, name


@check("response.id-prefix", over=together("all-answers", "core"))
def test_id_prefixes(answer: Answer) -> Findings:
    names = [answer.response.get("id"), *(item.get("id") for item in answer.output)]
    prefixes = sorted({match[0] if (match := re.match(r"[A-Za-z]+[_-]", text(name))) else "none" for name in names})
    yield Finding(f"prefixes: {', '.join(prefixes)}")


@check("response.created-at-is-now", over=ANSWERS, where=Where("finished", reads=CLOCK))
def test_created_at_is_now(answer: Answer) -> Findings:
    created = answer.response.get("created_at")
    if not isinstance(created, int | float) or isinstance(created, bool):
        return  # The schema's finding.
    yield EXAMINED
    created = max(-_FAR, min(created, _FAR))  # What no float can hold is far away all the same.
    clocks = [answer.exchange.sent_at, _date(answer)]
    away = min(abs(created - clock) for clock in clocks if clock is not None)
    if away > _MINUTES:
        hint = " (milliseconds?)" if abs(created / 1000 - answer.exchange.sent_at) < _MINUTES else ""
        message = f"created_at is {away:.0f} seconds away from the clock{hint}"
        want = f"about {int(answer.exchange.sent_at)}"
        yield Finding(message, answer.pointer + "/created_at", answer.event, want, created)


@check("response.model-echoed", over=ANSWERS, where=Where("finished", leans_on=("model",), when=names_a_model))
def test_model_is_the_one_asked_for(answer: Answer) -> Findings:
    asked, named = answer.sent.get("model"), answer.response.get("model")
    yield Examined(isinstance(named, str))
    if isinstance(named, str) and named != asked:
        yield Finding("another model answers", answer.pointer + "/model", answer.event, asked, named)


@check("response.completed-is-clean", over=ANSWERS, where=FINAL_RESPONSE)
def test_completed_response_has_no_error(answer: Answer) -> Findings:
    if answer.final_status == "completed":
        yield EXAMINED
        for member in ("error", "incomplete_details"):
            if (value := answer.response.get(member)) is not None:
                message = f"{member} is set though the status is completed"
                yield Finding(message, f"{answer.pointer}/{member}", answer.event, None, value)


@check("response.nullable-members-present", over=ANSWERS, where=FINAL_RESPONSE)
def test_members_that_may_be_null_are_there(answer: Answer) -> Findings:
    for member in ("error", "incomplete_details"):
        yield EXAMINED
        if member not in answer.response:
            message = f"the Response has no {member}; expected null or an object"
            yield Finding(message, f"{answer.pointer}/{member}", answer.event, None, ABSENT)


@check("response.items-finished", over=ANSWERS, where=FINAL_RESPONSE)
def test_items_of_a_completed_response_are_finished(answer: Answer, case: Case) -> Findings:
    if answer.final_status == "completed":
        for index, item in enumerate(answer.output):
            if item.get("type") not in case.world.schemas.item_types:
                continue  # The contract says nothing of the statuses of other types.
            yield EXAMINED
            if item.get("status") == "in_progress":
                pointer = f"{answer.pointer}/output/{index}/status"
                message = f"item {index} is {item['status']} in a completed response"
                yield Finding(message, pointer, answer.event, "completed", item["status"])


@check("response.output-text-matches", over=ANSWERS, where=FINAL_RESPONSE)
def test_output_text_is_the_text_of_the_parts(answer: Answer) -> Findings:
    said = answer.response.get("output_text")
    yield Examined(isinstance(said, str))
    if isinstance(said, str) and said != answer.words:
        message = "output_text is not the concatenation of the output_text parts"
        yield Finding(message, answer.pointer + "/output_text", answer.event, answer.words, said)


@check("response.output-text-present", over=ANSWERS, where=FINAL_RESPONSE)
def test_output_text_is_there(answer: Answer) -> Findings:
    said = answer.response.get("output_text", ABSENT)
    yield EXAMINED
    if said in (None, ABSENT):
        missing = "is missing" if said == ABSENT else "is null"
        yield Finding(f"output_text {missing}", answer.pointer + "/output_text", answer.event, answer.words, said)


@check("response.message-shape", over=ANSWERS, where=FINAL_RESPONSE)
def test_message_holds_output_text(answer: Answer) -> Findings:
    for place, item in answer.items("message"):
        pointer = f"{answer.pointer}/output/{place}"
        yield EXAMINED
        if item.get("role") != "assistant":
            message = "a message's role is not assistant"
            yield Finding(message, pointer + "/role", answer.event, "assistant", item.get("role", ABSENT))
        if not isinstance(item.get("content"), list):
            message = "a message's content is not an array of parts"
            yield Finding(message, pointer + "/content", answer.event, "an array", item.get("content", ABSENT))
        for index, part in enumerate(objects(item.get("content"))):
            if isinstance(part.get("type"), str) and part["type"] not in ("output_text", "refusal"):
                pointer = f"{answer.pointer}/output/{place}/content/{index}/type"
                message = f"a message's part has type {part['type']!r}"
                yield Finding(message, pointer, answer.event, "output_text", part["type"])


@check("response.text-intact", over=ANSWERS, where=Where("finished", reads=BYTES, when=unmangled))
def test_text_is_whole_and_not_encoded_twice(answer: Answer) -> Findings:
    yield Examined(bool(answer.words))
    if HALF_A_PAIR.search(answer.words):
        message = "the text holds half a surrogate pair"
        yield Finding(message, answer.pointer + "/output", answer.event, "whole characters", repr(answer.words[:160]))
    if (meant := encoded_twice(answer.words)) is not None:
        message = "the text was encoded twice: UTF-8 taken for Latin-1"
        yield Finding(message, answer.pointer + "/output", answer.event, meant[:160], answer.words[:160])


@check("response.no-lost-character", over=ANSWERS, where=Where("finished", reads=BYTES, when=no_replacement))
def test_no_character_was_lost(answer: Answer) -> Findings:
    if answer.final_status != "completed":
        raise DoesNotApply("what was cut may end inside a character")
    yield Examined(bool(answer.words))
    if "\ufffd" in answer.words and "\ufffd" not in answer.exchange.request.body.decode("utf-8", "replace"):
        message = "the text holds U+FFFD: a character was lost"
        yield Finding(message, answer.pointer + "/output", answer.event, "no U+FFFD", answer.words[:160])


@check("response.documented-items-only", over=ANSWERS, where=Where("finished", leans_on=("tools",)))
def test_items_are_of_documented_types(answer: Answer, case: Case) -> Findings:
    for place, item in enumerate(answer.output):
        kind = item.get("type")
        yield Examined(isinstance(kind, str))
        if isinstance(kind, str) and kind not in case.world.schemas.item_types:
            pointer = f"{answer.pointer}/output/{place}/type"
            known = ", ".join(case.world.schemas.item_types)
            yield Finding(f"an output item has the undocumented type {kind!r}", pointer, answer.event, known, kind)


@check("response.annotations-array", over=ANSWERS, where=FINAL_RESPONSE)
def test_output_text_has_annotations(answer: Answer) -> Findings:
    for place, item in answer.items("message"):
        for index, part in enumerate(objects(item.get("content"))):
            yield Examined(part.get("type") == "output_text")
            if part.get("type") == "output_text" and "annotations" not in part:
                pointer = f"{answer.pointer}/output/{place}/content/{index}/annotations"
                yield Finding("an output_text part has no annotations", pointer, answer.event, [])


@check("response.not-empty", over=ANSWERS, where=Where("finished", leans_on=("*",)))
def test_completed_response_says_something(answer: Answer) -> Findings:
    if answer.final_status != "completed":
        return
    yield EXAMINED
    kinds = {str(item.get("type")) for item in answer.output}
    if not answer.output:
        yield no_output(answer)
    elif not kinds - {"message", "reasoning"} and not answer.words and not refuses(answer):
        message = "a completed response has neither text nor call"
        yield Finding(message, answer.pointer + "/output", answer.event, "text or a call", sorted(kinds))


@check("response.echo-honest", over=ANSWERS, where=Where("finished", leans_on=("*",)))
def test_echoed_parameters_are_those_sent(answer: Answer) -> Findings:
    thinks = not answer.contract.turns_thinking_off(answer.sent)
    for member in (one for one in _ECHOED if one in answer.sent):
        sent, said = answer.sent[member], answer.response.get(member)
        compared = said is not None and not (thinks and member in ("temperature", "top_p"))
        yield Examined(compared)
        if compared and not _same(member, sent, said):
            message = f"{member} comes back as another value than was sent"
            yield Finding(message, f"{answer.pointer}/{member}", answer.event, sent, said)
    effort = mapping(answer.response.get("reasoning")).get("effort")
    asked = mapping(answer.sent.get("reasoning")).get("effort")
    yield Examined(asked is not None and effort is not None)
    if asked is not None and effort is not None and effort != asked:
        message = "reasoning.effort comes back as another value than was sent"
        yield Finding(message, answer.pointer + "/reasoning/effort", answer.event, asked, effort)


def _same(member: str, sent: object, said: object) -> bool:
    if member == "tools":  # Servers add defaults to a tool; its name must stay.
        return [one.get("name") for one in objects(sent)] == [one.get("name") for one in objects(said)]
    return sent == said


def _response_or_none(answer: Answer) -> dict[str, object]:
    try:
        return answer.response
    except CannotJudge:
        return {}


def _date(answer: Answer) -> float | None:
    try:
        return parsedate_to_datetime(answer.exchange.header("date") or "").timestamp()
    except (ValueError, TypeError):
        return None
