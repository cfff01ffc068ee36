"""Faults that only long and unusual inputs show: refused, crashed on, or dropped in silence."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..hooks import Behaviour, Context, Hook, fault
from ..request import read
from ..request_hooks import SPOILED, crash, input_items, refuse
from ..shapes import Dict, Item, ParsedRequest, Refusal, Reply, to_json

MORE, ALIKE = "usage.more-input-more-tokens", "usage.same-input-same-tokens"
HISTORY, UNUSUAL, LONG = "turns.history-accepted", "turns.unusual-history", "request.long-input"
SERVED = "http.documented-request-served"
TYPE, RETURNED, TOOLS = "request.wrong-type", "request.reasoning-returned", "request.tools-accepted"


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


def thought_then_user(one: Dict, following: Dict) -> bool:
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
    """Reads the request as if part of it were not there."""

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
    """Forgets the instructions where the conversation has a system message of its own."""
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
    """Keeps the end of each text that is too long."""

    def edit(body: Dict) -> None:
        for one in input_items(body):
            if isinstance(one.get("content"), str):
                one["content"] = one["content"][-characters:]

    return edit


def uncached(ctx: Context, one: Dict) -> Dict:
    """Leaves out of input_tokens what an equal request has put into the cache before."""
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
    """Fails inside on what should be refused."""
    return lambda ctx, refusal: SPOILED if refusal and test(ctx.body) else refusal


def begins(body: Dict) -> bool:
    model = str(body.get("model") or "-")
    return "mimo-v2.5-pro".startswith(model) and model != "mimo-v2.5-pro"


FAULTS: list[Behaviour] = [
    fault("turns.several-developers-refused", "Refuses a second developer message.", HISTORY,
          validate=refuse(developers, "input[2].role")),
    fault("turns.text-before-call-is-500", "Fails inside where text and a call follow each other.", SERVED,
          validate=crash(neighbours(text_then_call))),
    fault("turns.user-after-output-refused", "Wants the model to speak after the output of a tool.", HISTORY,
          validate=refuse(neighbours(output_then_user), "input[2].role")),
    fault("turns.incomplete-message-refused", "Refuses earlier answers that were cut.", HISTORY,
          validate=refuse(some_item(lambda one: kind(one) == "message" and one.get("status") == "incomplete"),
                          "input[1].status")),
    fault("turns.long-list-refused", "Refuses conversations of more than twenty items.", HISTORY,
          validate=refuse(lambda body: len(input_items(body)) > 20, "input")),
    fault("turns.reasoning-null-content-is-500", "Fails inside on a reasoning item whose content is null.", SERVED,
          validate=crash(reasoning(lambda one: one.get("content", "") is None))),
    fault("turns.reasoning-without-content-refused", "Wants content in returned reasoning.", RETURNED,
          validate=refuse(reasoning(lambda one: "content" not in one), "input[1].content")),
    fault("turns.reasoning-without-summary-refused", "Wants a summary in reasoning that a client wrote.", RETURNED,
          validate=refuse(reasoning(lambda one: "summary" not in one), "input[1].summary")),
    fault("turns.cut-call-is-500", "Fails inside on a returned call whose arguments were cut.", UNUSUAL,
          validate=crash(some_item(cut_call))),
    fault("turns.reasoning-alone-is-500", "Fails inside on reasoning before a user message.", UNUSUAL,
          validate=crash(neighbours(thought_then_user))),
    fault("turns.reasoning-without-id-is-500", "Fails inside on reasoning without an id.", UNUSUAL,
          validate=crash(reasoning(lambda one: "id" not in one))),
    fault("turns.empty-text-is-500", "Fails inside on a message that says nothing.", UNUSUAL,
          validate=crash(some_item(empty))),
    fault("turns.foreign-id-is-500", "Fails inside on ids with a slash.", UNUSUAL, validate=crash(some_item(foreign))),
    fault("turns.system-messages-dropped", "Does not pass system messages on.", MORE,
          parsed=dropped(without(lambda one: one.get("role") == "system"))),
    fault("turns.developer-messages-dropped", "Does not pass developer messages on.", MORE,
          parsed=dropped(without(lambda one: one.get("role") == "developer"))),
    fault("turns.earlier-answers-dropped", "Does not pass on earlier answers that have an id.", MORE,
          parsed=dropped(without(lambda one: one.get("role") == "assistant" and "id" in one))),
    fault("turns.output-parts-dropped", "Does not pass on tool results that are given in parts.", MORE,
          parsed=dropped(no_parts_in_outputs)),
    fault("turns.instructions-dropped", "Forgets the instructions where there is a system message.", MORE,
          parsed=dropped(without_instructions)),
    fault("turns.tools-not-counted", "Does not count the tools.", MORE,
          parsed=lambda ctx, parsed: replace(parsed, input_tokens=read({**ctx.body, "tools": []}).input_tokens)),
    fault("request.parts-dropped", "Reads only the first part of each message.", "usage.same-text-same-tokens", MORE,
          parsed=dropped(first_parts)),
    fault("request.long-text-shortened", "Keeps the last 100,000 characters of a message.", MORE,
          parsed=dropped(latest(100_000))),
    fault("usage.input-without-cached", "Counts only the input that is not cached.", ALIKE, response=uncached),
    fault("usage.input-more-in-streams", "Counts more input in streams.", ALIKE,
          parsed=lambda ctx, parsed: replace(parsed, input_tokens=parsed.input_tokens + 12 * ctx.stream)),
    fault("request.long-input-is-500", "Fails inside on an input of 150,000 characters.", LONG,
          validate=too_long(500, 100_000)),
    fault("request.long-input-hangs", "Never answers an input of 150,000 characters.", LONG, reply=stalled),
    fault("request.long-string-is-413", "Refuses bodies of more than 32 kB.", "request.long-input-served",
          validate=too_long(413, 32_768)),
    fault("request.long-input-streams-nothing", "Streams nothing in answer to a long input.",
          "response.not-empty", draft=nothing_streamed),
    fault("truncation.hidden-cap", "Cuts after 128 tokens where the request sets no cap.",
          "truncation.cap-not-needed", parsed=default_cap),
    fault("request.temperature-in-quotes-is-500", "Fails inside on a temperature in quotes.", TYPE,
          validate=broken(lambda body: body.get("temperature") == "1")),
    fault("request.temperature-in-quotes-taken", "Takes a temperature in quotes.", "request.wrong-type-refused",
          validate=forgiven(lambda body: body.get("temperature") == "1")),
    fault("request.stream-as-a-number-taken", "Takes 1 for the stream parameter.", "request.wrong-type-refused",
          validate=forgiven(lambda body: type(body.get("stream")) is int)),
    fault("request.reasoning-as-a-word-is-500", "Fails inside on an effort in place of its object.", TYPE,
          validate=broken(lambda body: body.get("reasoning") == "high")),
    fault("request.cap-beyond-64-bits-is-500", "Fails inside on an integer beyond 64 bits.", "request.out-of-range",
          validate=broken(lambda body: body.get("max_output_tokens") == 2**63)),
    fault("request.empty-model-served", "Takes an empty model for its own.", "request.unknown-model",
          validate=forgiven(lambda body: body.get("model") == "")),
    fault("request.model-prefix-served", "Takes the beginning of a model's id for the model.",
          "request.unknown-model", validate=forgiven(begins)),
    fault("request.empty-tools-refused", "Refuses an empty list of tools.", TOOLS,
          validate=refuse(lambda body: body.get("tools") == [], "tools")),
    fault("request.empty-text-refused", "Refuses text without a format.", "request.text-accepted",
          validate=refuse(lambda body: body.get("text") == {}, "text")),
]  # fmt: skip
