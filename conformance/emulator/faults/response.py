"""Faults in the Response object, plain and in the terminal event."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..event_edits import change, cut, everywhere, final, first, items_in, parts_in, put, response
from ..hooks import Behaviour, Context, fault
from ..request_hooks import input_items
from ..shapes import Dict, Item, ParsedRequest

SCHEMA = "response.schema"
CLEAN = "response.completed-is-clean"
SHAPE = "response.message-shape"
NOW = "response.created-at-is-now"
EMPTY = "response.not-empty"
TEXT = "response.output-text-matches"


def missing(name: str) -> Behaviour:
    return fault(f"response.{name.replace('_', '-')}-missing", f"Omits {name} in the final Response.",
                 SCHEMA, response=final(cut(name)))  # fmt: skip


def value(name: str, member: str, wrong: Any, says: str, *rules: str) -> Behaviour:
    return fault(f"response.{name}", says, *rules, response=final(put(**{member: wrong})))


def clock(name: str, says: str, how: Callable[[int], Any], *rules: str) -> Behaviour:
    """Equally wrong in every snapshot, so that only the time is wrong and not its constancy."""
    return fault(f"response.{name}", says, *rules, response=response(change("created_at", how)))


def model(name: str, says: str, how: Callable[[str], Any]) -> Behaviour:
    return fault(f"response.{name}", says, "response.model-echoed", response=response(change("model", how)))


def message(name: str, says: str, *rules: str, how: Callable[[Dict], object]) -> Behaviour:
    return fault(f"response.{name}", says, *rules, **everywhere(how, "message"))


def completed(edit: Callable[[Dict], object]) -> Callable[[Dict], object]:
    return lambda one: edit(one) if one["status"] == "completed" else None


def constant_id(prefix: str) -> Callable[[Context, list[Item]], list[Item]]:
    return lambda _, items: [
        replace(one, id=f"{prefix}{place:032x}") for place, one in enumerate(items)
    ]  # fmt: skip


def from_the_request(ctx: Context, one: Dict) -> Dict:
    """An id that is a digest of the request: unique until the same request is sent again."""
    stable = sum(place * byte for place, byte in enumerate(ctx.raw, 1))
    return {**one, "id": f"resp_{stable:032x}"}


def echo(name: str, wrong: Any) -> Callable[[Context, Dict], Dict]:
    """Echoes a parameter of the request with another value."""
    return lambda ctx, one: {**one, name: wrong} if ctx.body.get(name) is not None else one


def text_item(text: str) -> Callable[[Context, list[Item]], list[Item]]:
    return lambda _, items: [replace(one, texts=(text,)) if one.kind == "message" else one for one in items]


def no_parts(_: Context, items: list[Item]) -> list[Item]:
    return [replace(one, texts=()) if one.kind == "message" else one for one in items]


def reasoning_only(_: Context, items: list[Item]) -> list[Item]:
    return [one for one in items if one.kind == "reasoning"]


def all_text(one: Dict) -> str:
    return "".join(part["text"] for item in one["output"] for part in item.get("content") or ())


def other_model(ctx: Context, parsed: ParsedRequest) -> ParsedRequest:
    return replace(parsed, model="mimo-v2-flash")


def sent_calls(ctx: Context, document: Dict) -> Dict:
    """Puts the calls of the input, as the client sent them, before the output of a plain response."""
    calls = [dict(one) for one in input_items(ctx.body) if one.get("type") == "function_call"]
    return {**document, "output": [*calls, *document["output"]]} if ctx.stage == "plain" else document


FAULTS = [
    *(missing(name) for name in ("id", "object", "created_at", "status", "model", "output")),
    value("id-is-a-number", "id", 17, "Sends a number as the id of the final Response.", SCHEMA),
    value("id-is-null", "id", None, "Sends null as the id of the final Response.", SCHEMA),
    value("object-is-chat",
          "object", "chat.completion", "Sends chat.completion as the object of the Response.", SCHEMA),
    value("status-unknown", "status", "done", "Sends an unknown status in the final Response.", SCHEMA),
    value("output-is-null", "output", None, "Sends null as output.", SCHEMA),
    value("output-is-an-object", "output", {}, "Sends an object as output.", SCHEMA),
    *(fault(f"response.{name.replace('_', '-')}-missing", f"Omits {name}.", "response.nullable-members-present",
            response=response(cut(name))) for name in ("error", "incomplete_details")),
    value("error-is-a-string", "error", "none", "Sends a string as error.", SCHEMA),
    value("error-without-message", "error", {"code": None}, "Sends an empty object as error.", SCHEMA,
          CLEAN),
    value("details-are-a-string", "incomplete_details", "none", "Sends a string as incomplete_details.", SCHEMA),
    value("output-text-is-an-array", "output_text", [], "Sends an array as output_text.", SCHEMA),
    fault("response.unknown-item-type", "Sends messages with type text.", SCHEMA,
          **everywhere(put(type="text"), "message")),
    fault("response.item-without-type", "Omits the type of messages.", SCHEMA,
          **everywhere(cut("type"), "message")),
    fault("response.item-without-id", "Omits the id of messages.", SCHEMA,
          **everywhere(cut("id"), "message")),
    fault("response.part-without-text", "Omits the text of a finished part.", SCHEMA,
          response=final(items_in(parts_in(cut("text")), "message"))),
    fault("response.annotations-are-strings", "Sends strings as annotations.", SCHEMA,
          **everywhere(parts_in(put(annotations=["none"])), "message")),
    fault("response.id-always-the-same", "Sends the same id in every response.", "response.id-unique",
          response=response(put(id="resp_" + "0" * 32))),
    fault("response.id-from-the-request", "Sends the same id for equal requests.", "response.id-unique",
          response=from_the_request),
    fault("response.item-ids-reused", "Sends item ids that restart in each response.", "response.id-unique",
          draft=constant_id("msg_")),
    clock("created-at-in-milliseconds", "Sends created_at in milliseconds.", lambda at: at * 1000, NOW),
    clock("created-at-zero", "Sends 0 as created_at.", lambda _: 0, NOW),
    clock("created-at-in-local-time", "Sends created_at in local time.", lambda at: at + 8 * 3600, NOW),
    clock("created-at-stands-still", "Sends the start time of the server as created_at.", lambda at: at - 604800, NOW),
    clock("created-at-negative", "Sends a time before 1970 as created_at.", lambda at: -at, NOW),
    clock("created-at-is-a-string", "Sends created_at as a string.", str, SCHEMA),
    clock("created-at-is-a-date", "Sends created_at as a date.", lambda _: "2026-06-24T00:00:00Z", SCHEMA),
    clock("created-at-is-null", "Sends null as created_at.", lambda _: None, SCHEMA),
    model("model-rewritten", "Sends another model.", lambda _: "mimo-v2-flash"),
    model("model-with-date", "Sends the model with a suffix that is no complete date.", lambda name: f"{name}-0624"),
    model("model-with-vendor", "Sends the model with a vendor prefix.", lambda name: f"xiaomi/{name}"),
    model("model-in-capitals", "Sends the model in another case.", lambda name: name.upper()),
    model("model-as-a-path", "Sends the file path of the model as model.", lambda n: f"/models/{n}"),
    fault("response.error-when-completed", "Sends a completed response with an error.", CLEAN,
          response=final(completed(put(error={"code": "server_error", "message": "late"})))),
    fault("response.details-when-completed", "Sends a completed response with incomplete_details.", CLEAN,
          response=final(completed(put(incomplete_details={"reason": "max_output_tokens"})))),
    fault("response.item-in-progress-plain", "Sends items with status in_progress in completed plain responses.",
          "response.items-finished",
          response=response(completed(items_in(put(status="in_progress"))), "plain")),
    fault("response.item-in-progress-at-end", "Sends items with status in_progress in response.completed.",
          "response.items-finished",
          response=response(completed(items_in(put(status="in_progress"))), "terminal")),
    fault("response.output-text-trimmed", "Omits the last character of output_text.", TEXT,
          response=final(change("output_text", lambda text: text[:-1]))),
    fault("response.output-text-empty", "Sends an empty output_text although there is text.", TEXT,
          response=final(put(output_text=""))),
    fault("response.output-text-with-reasoning", "Includes the reasoning in output_text.", TEXT,
          response=final(lambda one: one.update(output_text=all_text(one)))),
    fault("response.output-text-escaped", "Sends output_text with HTML escapes.", TEXT,
          response=final(change("output_text", lambda text: text.replace(" ", "&nbsp;")))),
    fault("response.output-text-missing", "Omits output_text.", "response.output-text-present",
          response=response(cut("output_text"))),
    message("role-is-user", "Sends messages with role user.", SHAPE, how=put(role="user")),
    message("role-missing", "Omits the role of messages.", SHAPE, how=cut("role")),
    message("content-is-a-string", "Sends the content of messages as a string.", SHAPE,
            how=change("content", lambda parts: "".join(part["text"] for part in parts))),
    message("content-is-one-part", "Sends one part instead of an array as the content of messages.", SHAPE,
            how=change("content", lambda parts: parts[0] if parts else {})),
    message("part-type-is-text", "Sends parts with type text, as in chat completions.", SHAPE,
            how=parts_in(put(type="text"))),
    message("part-type-is-input-text", "Sends parts with type input_text.", SHAPE,
            how=parts_in(put(type="input_text"))),
    message("annotations-are-missing", "Omits annotations.", "response.annotations-array",
            how=parts_in(lambda part: part.pop("annotations", None))),
    message("annotations-are-null", "Sends null as annotations.", "response.annotations-array",
            how=parts_in(put(annotations=None))),
    message("annotations-are-an-object", "Sends an object as annotations.", "response.annotations-array",
            how=parts_in(put(annotations={}))),
    fault("response.no-output", "Sends a completed response without output items.", EMPTY, draft=lambda _, items: []),
    fault("response.thoughts-only",
          "Sends a completed response with only a reasoning item.", EMPTY, draft=reasoning_only),
    fault("response.message-without-text",
          "Sends a completed response with an empty text.", EMPTY, draft=text_item("")),
    fault("response.message-without-parts",
          "Sends a completed response with a message without parts.", EMPTY, draft=no_parts),
    fault("response.temperature-echo-differs", "Echoes another temperature than the one sent.",
          "response.echo-agrees", response=echo("temperature", 0.123)),
    fault("response.instructions-echo-differs", "Echoes other instructions than those sent.",
          "response.echo-agrees", response=echo("instructions", "You are a helpful assistant.")),
    fault("response.effort-echo-differs", "Echoes another effort than the one sent.",
          "response.echo-agrees", response=echo("reasoning", {"effort": "xhigh", "summary": None})),
    fault("response.repeats-sent-calls", "Puts the calls of the input, as sent, before the output of plain responses.",
          "response.output-is-new", "item.function_call.schema", response=sent_calls),
    fault("response.first-item-without-status", "Omits the status of the first item.", SCHEMA,
          response=final(first("output", cut("status")))),
]  # fmt: skip
