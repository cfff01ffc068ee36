"""Calls: well formed, of declared tools, with arguments that fit the schema; requests with their output are served."""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.validators import extend

from conformance.contract.schemas import ABSENT
from conformance.contract.schemas import pointer as json_pointer
from conformance.decode.events import mapping, objects, text
from conformance.decode.response import CannotEvaluate, DoesNotApply, Received
from conformance.judge.applicability import (
    COMPARES,
    FINAL_RESPONSE,
    TOOL_SOURCES,
    UNKNOWN_SENDER,
    WORDING,
    Where,
    functions_only,
    no_tools,
)
from conformance.judge.common import must_be_served, needs, parsed
from conformance.judge.samples import response_of
from conformance.judge.selectors import each, responses, together
from conformance.judge.verdict import EXAMINED, Case, Examined, Finding, Findings, check

_CALLS = each("call")

#: The two kinds of request, and their value of ``stream``.
_WAYS = {"plain": False, "streamed": True}

#: The least number of responses that must all contain a call; if twice as many of the other kind contain none, the
#: difference is not a choice of the model.
_SURE = 3
_MARKUP = ("<tool_call>", "</tool_call>", "<function=", "<|tool_call", "[TOOL_CALLS]")


def _declared(received: Received, case: Case) -> dict[str, dict[str, Any]]:
    """The parameters of each function that the request declares, by name: in ``tools``, in an additional_tools item of
    the input, and in a namespace. :class:`DoesNotApply` if the input contains an item of an undocumented type, which
    may declare tools."""
    items = objects(received.sent.get("input"))
    kinds = [text(item.get("type")) or "message" for item in items]
    if unknown := [kind for kind in kinds if kind not in case.context.schemas.input_types]:
        raise DoesNotApply(f"the undocumented input item {unknown[0]} may declare tools")
    tools = [*objects(received.sent.get("tools"))]
    tools += [tool for item in items if item.get("type") == "additional_tools" for tool in objects(item.get("tools"))]
    inner = [one for tool in tools if tool.get("type") == "namespace" for one in objects(tool.get("tools"))]
    return {
        tool["name"]: mapping(tool.get("parameters")) for tool in (*tools, *inner) if isinstance(tool.get("name"), str)
    }


def _calls(received: Received, case: Case) -> list[tuple[str, dict[str, Any]]]:
    """The calls with their pointers; :class:`CannotEvaluate` if the scenario needs a call and there is none."""
    if not received.items("function_call"):
        needs(received, case)
    return [(f"{received.pointer}/output/{place}", item) for place, item in received.items("function_call")]


#: To JSON Schema 2.0 is an integer; to many languages it is none.
_VALIDATOR = extend(  # type: ignore[no-untyped-call]  # It has no types.
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int),
)


@check("tools.call-shape", over=_CALLS, where=Where("finished", depends_on=TOOL_SOURCES, when=functions_only))
def test_call_names_a_declared_tool(received: Received, case: Case) -> Findings:
    declared = _declared(received, case)
    if not declared:
        raise DoesNotApply("the request declares no tool, for which another rule checks that none is called")
    for pointer, call in _calls(received, case):
        yield EXAMINED
        if isinstance(call.get("name"), str) and call["name"] not in declared:
            message = "the name of a call is not that of a declared tool"
            yield Finding(message, pointer + "/name", received.event, " or ".join(declared), call["name"])
        for member in ("id", "call_id", "name", "arguments"):
            if not isinstance(call.get(member), str) or (member != "arguments" and not call[member]):
                message = f"{member} of the call is not a {'' if member == 'arguments' else 'non-empty '}string"
                yield Finding(message, f"{pointer}/{member}", received.event, "a string", call.get(member, ABSENT))


@check("tools.arguments-are-json", over=_CALLS, where=FINAL_RESPONSE)
def test_arguments_are_a_json_object(received: Received, case: Case) -> Findings:
    for pointer, call in _finished(received, case):
        yield EXAMINED
        try:
            value = parsed(call.get("arguments"))
        except ValueError as error:
            message = f"the arguments of a completed call are not JSON: {error}"
            yield Finding(message, pointer + "/arguments", received.event, "JSON text", call.get("arguments", ABSENT))
            continue
        if not isinstance(value, dict):
            message = "the arguments of a completed call are not a JSON object"
            yield Finding(
                message, pointer + "/arguments", received.event, "a JSON object", call.get("arguments", ABSENT)
            )


@check("tools.arguments-fit-schema", over=_CALLS, where=Where("finished", depends_on=TOOL_SOURCES, when=functions_only))
def test_arguments_fit_the_tool(received: Received, case: Case) -> Findings:
    schemas = _declared(received, case)
    for pointer, call in _finished(received, case):
        try:
            value = parsed(call.get("arguments"))
        except ValueError:
            continue  # tools.arguments-are-json reports it.
        yield EXAMINED
        for error in _VALIDATOR(schemas.get(text(call.get("name")), {})).iter_errors(value):
            place = f"at {to}, " if (to := json_pointer(*error.absolute_path)) else ""
            message = f"the arguments do not fit the tool's parameters: {place}{error.message}"
            yield Finding(message, pointer + "/arguments", received.event, error.validator_value, call["arguments"])


def _finished(received: Received, case: Case) -> list[tuple[str, dict[str, Any]]]:
    cut = received.response.get("status") != "completed"
    return [] if cut else [(pointer, call) for pointer, call in _calls(received, case)]


@check("tools.call-ids-distinct", over=_CALLS, where=FINAL_RESPONSE)
def test_call_ids_are_distinct(received: Received, case: Case) -> Findings:
    needs(received, case)
    items = [item.get("id") for item in received.output]
    seen: dict[Any, str] = {}
    for pointer, call in _calls(received, case):
        name = text(call.get("call_id"))
        yield Examined(bool(name))
        if name and name in seen:
            yield Finding(
                "two calls have the same call_id", pointer + "/call_id", received.event, "a unique call_id", name
            )
        elif name in items:
            message = "the call_id of a call equals the id of an item"
            yield Finding(message, pointer + "/call_id", received.event, "a unique call_id", name)
        seen[name] = pointer


@check(
    "tools.call-ids-unique-in-run",
    over=together("calls", "call", "follow-up"),
    together=True,
    where=Where("all-answers"),
)
def test_call_ids_differ_between_responses(responses: list[Received]) -> Findings:
    seen: dict[str, str] = {}
    for received in responses:
        for place, call in received.items("function_call") if received.exchange.ok else ():
            name, pointer = text(call.get("call_id")), f"{received.pointer}/output/{place}/call_id"
            first = seen.setdefault(name, received.scenario)
            yield EXAMINED
            if name and first != received.scenario:
                message = f"the call_id was used before, in {first}"
                yield Finding(message, pointer, received.event, "a unique call_id", name, received.scenario)


@check("tools.called-either-way", over=together("calls", "call"), together=True, not_for_captured=COMPARES)
def test_tools_are_called_plain_and_streaming(responses: list[Received]) -> Findings:
    """The model may call a tool or not; if it always does for plain and never for streamed requests, or the other way
    round, the server causes it."""
    ways = _by_way(responses)
    called = {way: [_contains_call(one) for each in given for one in _tries(each)] for way, given in ways.items()}
    for way, other in (("plain", "streamed"), ("streamed", "plain")):
        there, missing = called[way], called[other]
        if len(there) >= _SURE and all(there) and len(missing) >= 2 * _SURE and not any(missing):
            counts = f"all {len(there)} {way} responses contain a call, and none of {len(missing)} {other} ones"
            yield _not_called(counts, ways[other])
            return
    if not all(map(any, called.values())):
        raise CannotEvaluate("the plain or the streamed responses contain no call")
    yield EXAMINED


def _not_called(message: str, responses: list[Received]) -> Finding:
    """The finding with the types of items that may be calls under another name."""
    types = {text(item.get("type")) for each in responses for one in _tries(each) for item in one.output}
    if others := sorted(types - {"message", "reasoning"}):
        message += f", which contain items of type {' and '.join(map(repr, others))}"
    texts = "".join(one.words for each in responses for one in _tries(each))
    if mark := next((mark for mark in _MARKUP if mark in texts), ""):
        message += f"; the output text contains {mark}"
    silent = responses[0]
    return Finding(message, f"{silent.pointer}/output", want="a call", got="none", scenario=silent.scenario)


def _by_way(responses: list[Received]) -> dict[str, list[Received]]:
    """The plain and the streamed responses; :class:`DoesNotApply` if there are none of one kind."""
    ways = {way: [one for one in responses if one.streaming == stream] for way, stream in _WAYS.items()}
    if not all(ways.values()):
        raise DoesNotApply("calls were requested only plain or only streamed")
    return ways


def _tries(received: Received) -> list[Received]:
    """The completed responses of a scenario, earlier samples included."""
    earlier = [response_of(each, received) for each in received.samples[:-1]]
    return [one for one in (*earlier, received) if _is_completed(one)]


def _is_completed(received: Received) -> bool:
    try:
        return received.exchange.ok and received.final_status == "completed"
    except CannotEvaluate:
        return False


def _contains_call(received: Received) -> bool:
    items = [event.item for event in received.events] if received.looks_like_stream else []
    return any(one.get("type") == "function_call" for one in (*received.output, *items) if one)


@check(
    "tools.no-markup-leak",
    over=each("core", where=lambda one: "tools" in one.body),
    where=FINAL_RESPONSE,
    not_for_captured=WORDING,
)
def test_no_call_markup_in_the_text(received: Received) -> Findings:
    yield Examined(bool(received.words))
    for mark in _MARKUP:
        if mark in received.words:
            message = f"the output text contains {mark} instead of a call item"
            yield Finding(message, received.pointer + "/output", received.event, "a function_call item", mark)


@check(
    "tools.output-accepted",
    over=each("follow-up", where=lambda one: one.name != "tools.output-parts"),
    not_for_captured=UNKNOWN_SENDER,
)
def test_output_of_a_call_is_accepted(received: Received) -> Findings:
    yield from must_be_served(received)


@check(
    "tools.output-parts-accepted",
    over=each("follow-up", where=lambda one: one.name == "tools.output-parts"),
    not_for_captured=UNKNOWN_SENDER,
)
def test_output_in_parts_is_accepted(received: Received) -> Findings:
    yield from must_be_served(received)


@check(
    "tools.none-declared-none-called",
    over=responses(where=lambda one: "tools" not in one.body),
    where=Where("finished", depends_on=("*",), when=no_tools),
)
def test_without_tools_nothing_is_called(received: Received, case: Case) -> Findings:
    if _declared(received, case):
        raise DoesNotApply("an input item declares tools")
    yield from _calls_nothing(received)


def _calls_nothing(received: Received) -> Findings:
    if received.response:
        yield EXAMINED
    for kind in ("function_call", "custom_tool_call"):
        for place, item in received.items(kind):
            message = "the output contains a call although the request declares no tool"
            yield Finding(
                message, f"{received.pointer}/output/{place}", received.event, "no call", item.get("name", ABSENT)
            )


@check(
    "tools.none-declared-none-called",
    over=each("tool-choice", where=lambda one: "tools" not in one.body),
    not_for_captured=UNKNOWN_SENDER,
)
def test_a_call_that_is_required_needs_a_tool(received: Received) -> Findings:
    """Without tools, tool_choice acts as auto or the request is refused; a call is not allowed."""
    if received.exchange.refused:
        raise DoesNotApply("the request was refused")
    yield from _calls_nothing(received)
