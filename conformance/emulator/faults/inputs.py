"""Faults that only long and unusual inputs show: they are refused, cause an error, or are silently dropped."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..hooks import Behaviour, Context, Hook, fault
from ..refusals import LIMITED
from ..request import read
from ..request_hooks import SPOILED, crash, input_items, inside, refuse
from ..shapes import Dict, Item, ParsedRequest, Refusal, Reply, to_json

MORE, EQUAL = "usage.more-input-more-tokens", "usage.same-input-same-tokens"
HISTORY, UNUSUAL, LONG = "turns.history-accepted", "turns.unusual-history", "request.long-input"
SERVED = "http.documented-request-served"
TYPE, RETURNED, TOOLS = "request.wrong-type", "request.reasoning-returned", "request.tools-accepted"


def wants_json(body: Dict) -> bool:
    return bool(inside(body, "text", "format", "type") == "json_object")


def undescribed(body: Dict) -> bool:
    tools = body.get("tools")
    return isinstance(tools, list) and any(isinstance(one, dict) and "description" not in one for one in tools)


def limited(test: Callable[[Dict], bool]) -> Hook[Refusal | None]:
    """Refuses valid requests of one kind with HTTP 429."""
    return lambda ctx, refusal: LIMITED if refusal is None and test(ctx.body) else refusal


# --- conversations --------------------------------------------------------------------------------


def some_item(test: Callable[[Dict], Any]) -> Callable[[Dict], bool]:
    return lambda body: any(test(one) for one in input_items(body))


def neighbours(test: Callable[[Dict, Dict], Any]) -> Callable[[Dict], bool]:
    """Whether two items in a row pass the test."""

    def hit(body: Dict) -> bool:
        items = input_items(body)
        return any(test(one, following) for one, following in itertools.pairwise(items))

    return hit


def kind(item: Dict) -> str:
    return str(item.get("type", "message"))


def text_then_call(one: Dict, following: Dict) -> bool:
    return one.get("role") == "assistant" and kind(following) == "function_call"


def output_then_user(one: Dict, following: Dict) -> bool:
    return kind(one) == "function_call_output" and following.get("role") == "user"


def reasoning_then_user(one: Dict, following: Dict) -> bool:
    return kind(one) == "reasoning" and following.get("role") == "user"


def cut_call(item: Dict) -> bool:
    try:
        json.loads(item.get("arguments", "{}"))
    except ValueError:
        return True
    return False


def empty(item: Dict) -> bool:
    return kind(item) == "message" and item.get("content") in ("", [])


def foreign(item: Dict) -> bool:
    return "/" in str(item.get("call_id"))


def developers(body: Dict) -> bool:
    return [one.get("role") for one in input_items(body)].count("developer") > 1


def reasoning(test: Callable[[Dict], Any]) -> Callable[[Dict], bool]:
    return some_item(lambda one: kind(one) == "reasoning" and test(one))


# --- input that is dropped ------------------------------------------------------------------------


def dropped(edit: Callable[[Dict], object]) -> Hook[ParsedRequest]:
    """Ignores part of the request."""

    def hook(ctx: Context, _: ParsedRequest) -> ParsedRequest:
        body = json.loads(ctx.raw)
        edit(body)
        return read(body)

    return hook


def without(test: Callable[[Dict], Any]) -> Callable[[Dict], object]:
    def edit(body: Dict) -> None:
        if isinstance(body.get("input"), list):
            body["input"] = [one for one in body["input"] if not test(one)]

    return edit


def without_instructions(body: Dict) -> None:
    """Drops the instructions if the conversation has a system message."""
    if any(one.get("role") == "system" for one in input_items(body)):
        body.pop("instructions", None)


def first_parts(body: Dict) -> None:
    for one in input_items(body):
        for name in ("content", "output"):
            if isinstance(one.get(name), list):
                one[name] = one[name][:1]


def no_parts_in_outputs(body: Dict) -> None:
    for one in input_items(body):
        if isinstance(one.get("output"), list):
            one["output"] = ""


def latest(characters: int) -> Callable[[Dict], object]:
    """Drops the start of each text that is too long."""

    def edit(body: Dict) -> None:
        for one in input_items(body):
            if isinstance(one.get("content"), str):
                one["content"] = one["content"][-characters:]

    return edit


def uncached(ctx: Context, one: Dict) -> Dict:
    """Omits cached tokens in input_tokens."""
    if ctx.stage not in ("plain", "terminal"):
        return one
    if ctx.count(f"input {to_json(ctx.body.get('input'))}") and (usage := one["usage"])["input_tokens"] > 64:
        usage.update(input_tokens=16, total_tokens=16 + usage["output_tokens"])
    return one


def longer_than(size: int) -> Callable[[Context], bool]:
    return lambda ctx: len(ctx.raw) > size


def too_long(status: int, size: int) -> Hook[Refusal | None]:
    return lambda ctx, refusal: replace(SPOILED, status=status) if len(ctx.raw) > size and not refusal else refusal


def nothing_streamed(ctx: Context, items: list[Item]) -> list[Item]:
    return [] if ctx.stream and len(ctx.raw) > 30_000 else items


def stalled(ctx: Context, reply: Reply) -> Reply:
    return replace(reply, chunks=[], ending="stall") if len(ctx.raw) > 100_000 else reply


def default_cap(ctx: Context, parsed: ParsedRequest) -> ParsedRequest:
    return replace(parsed, cap=128) if parsed.cap is None else parsed


def forgiven(test: Callable[[Dict], Any]) -> Hook[Refusal | None]:
    return lambda ctx, refusal: None if refusal and test(ctx.body) else refusal


def broken(test: Callable[[Dict], Any]) -> Hook[Refusal | None]:
    """Responds with HTTP 500 to what should be refused."""
    return lambda ctx, refusal: SPOILED if refusal and test(ctx.body) else refusal


def begins(body: Dict) -> bool:
    model = str(body.get("model") or "-")
    return "mimo-v2.5-pro".startswith(model) and model != "mimo-v2.5-pro"


FAULTS: list[Behaviour] = [
    fault("turns.several-developers-refused", "Refuses a second developer message.", HISTORY,
          validate=refuse(developers, "input[2].role")),
    fault("turns.text-before-call-is-500", "Responds with HTTP 500 to a message followed by a call.", SERVED,
          validate=crash(neighbours(text_then_call))),
    fault("turns.user-after-output-refused",
          "Refuses a tool output that is not followed by an assistant message.", HISTORY,
          validate=refuse(neighbours(output_then_user), "input[2].role")),
    fault("turns.incomplete-message-refused", "Refuses incomplete messages in the history.", HISTORY,
          validate=refuse(some_item(lambda one: kind(one) == "message" and one.get("status") == "incomplete"),
                          "input[1].status")),
    fault("turns.long-list-refused", "Refuses conversations of more than twenty items.", HISTORY,
          validate=refuse(lambda body: len(input_items(body)) > 20, "input")),
    fault("turns.reasoning-null-content-is-500",
          "Responds with HTTP 500 to a reasoning item whose content is null.", UNUSUAL,
          validate=crash(reasoning(lambda one: one.get("content", "") is None))),
    fault("turns.reasoning-without-content-refused", "Refuses reasoning items without content.", RETURNED,
          validate=refuse(reasoning(lambda one: "content" not in one), "input[1].content")),
    fault("turns.reasoning-without-summary-refused", "Refuses reasoning items without summary.", RETURNED,
          validate=refuse(reasoning(lambda one: "summary" not in one), "input[1].summary")),
    fault("turns.cut-call-is-500", "Responds with HTTP 500 to a returned call with incomplete arguments.", UNUSUAL,
          validate=crash(some_item(cut_call))),
    fault("turns.reasoning-alone-is-500", "Responds with HTTP 500 to a reasoning item before a user message.", UNUSUAL,
          validate=crash(neighbours(reasoning_then_user))),
    fault("turns.reasoning-without-id-is-500", "Responds with HTTP 500 to a reasoning item without an id.", UNUSUAL,
          validate=crash(reasoning(lambda one: "id" not in one))),
    fault("turns.empty-text-is-500", "Responds with HTTP 500 to an empty message.", UNUSUAL,
          validate=crash(some_item(empty))),
    fault("turns.foreign-id-is-500",
          "Responds with HTTP 500 to ids with a slash.", UNUSUAL, validate=crash(some_item(foreign))),
    fault("turns.system-messages-dropped", "Drops system messages.", MORE,
          parsed=dropped(without(lambda one: one.get("role") == "system"))),
    fault("turns.developer-messages-dropped", "Drops developer messages.", MORE,
          parsed=dropped(without(lambda one: one.get("role") == "developer"))),
    fault("turns.earlier-answers-dropped", "Drops earlier assistant messages with an id.", MORE,
          parsed=dropped(without(lambda one: one.get("role") == "assistant" and "id" in one))),
    fault("turns.output-parts-dropped", "Drops tool outputs in parts.", MORE,
          parsed=dropped(no_parts_in_outputs)),
    fault("turns.instructions-dropped", "Drops the instructions if there is a system message.", MORE,
          parsed=dropped(without_instructions)),
    fault("turns.tools-not-counted", "Does not count tools in input_tokens.", MORE,
          parsed=lambda ctx, parsed: replace(parsed, input_tokens=read({**ctx.body, "tools": []}).input_tokens)),
    fault("request.parts-dropped", "Reads only the first part of each message.", "usage.same-text-same-tokens", MORE,
          parsed=dropped(first_parts)),
    fault("request.long-text-shortened", "Drops all but the last 100,000 characters of a message.", MORE,
          parsed=dropped(latest(100_000))),
    fault("usage.input-without-cached", "Counts only uncached input in input_tokens.", EQUAL, response=uncached),
    fault("usage.input-more-in-streams", "Counts more input_tokens in streams.", EQUAL,
          parsed=lambda ctx, parsed: replace(parsed, input_tokens=parsed.input_tokens + 12 * ctx.stream)),
    fault("request.long-input-is-500", "Responds with HTTP 500 to an input of 150,000 characters.", LONG,
          validate=too_long(500, 100_000)),
    fault("request.long-input-hangs", "Never responds to an input of 150,000 characters.", LONG, reply=stalled),
    fault("request.long-string-is-413", "Refuses bodies of more than 32 kB.", "request.long-input-served",
          validate=too_long(413, 32_768)),
    fault("request.long-input-streams-nothing", "Sends an empty stream for a long input.",
          "response.not-empty", draft=nothing_streamed),
    fault("truncation.hidden-cap", "Truncates the output after 128 tokens without max_output_tokens.",
          "truncation.cap-not-needed", parsed=default_cap),
    fault("request.temperature-in-quotes-is-500", "Responds with HTTP 500 to a temperature as a string.", TYPE,
          validate=broken(lambda body: body.get("temperature") == "1")),
    fault("request.temperature-in-quotes-taken", "Accepts a temperature as a string.", "request.wrong-type-refused",
          validate=forgiven(lambda body: body.get("temperature") == "1")),
    fault("request.stream-as-a-number-taken", "Accepts 1 as the value of stream.", "request.wrong-type-refused",
          validate=forgiven(lambda body: type(body.get("stream")) is int)),
    fault("request.reasoning-as-a-word-is-500", "Responds with HTTP 500 to a string as reasoning.", TYPE,
          validate=broken(lambda body: body.get("reasoning") == "high")),
    fault("request.cap-beyond-64-bits-is-500",
          "Responds with HTTP 500 to an integer beyond 64 bits.", "request.out-of-range",
          validate=broken(lambda body: body.get("max_output_tokens") == 2**63)),
    fault("request.empty-model-served", "Accepts an empty string as model.", "request.unknown-model",
          validate=forgiven(lambda body: body.get("model") == "")),
    fault("request.model-prefix-served", "Accepts a prefix of a model id.",
          "request.unknown-model", validate=forgiven(begins)),
    fault("request.empty-tools-refused", "Refuses an empty array of tools.", TOOLS,
          validate=refuse(lambda body: body.get("tools") == [], "tools")),
    fault("request.json-object-is-429", "Responds with HTTP 429 to every request for a JSON object.",
          "request.text.format-accepted", validate=limited(wants_json)),
    fault("request.empty-text-refused", "Refuses text without a format.", "request.text-accepted",
          validate=refuse(lambda body: body.get("text") == {}, "text")),
    fault("request.integer-temperature-refused", "Refuses a temperature without a decimal point.",
          "request.temperature-accepted",
          validate=refuse(lambda body: type(body.get("temperature")) is int, "temperature")),
    fault("tools.description-required", "Refuses a tool without description.", TOOLS,
          validate=refuse(undescribed, "tools[0].description")),
    fault("request.empty-string-input-is-500", "Responds with HTTP 500 to an empty string as input.",
          "request.wrong-input", validate=crash(lambda body: body.get("input") == "")),
]  # fmt: skip
