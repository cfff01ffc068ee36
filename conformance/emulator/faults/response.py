"""Faults in the Response object, plain and inside the terminal event."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..event_edits import change, cut, everywhere, final, first, items_in, parts_in, put, response
from ..hooks import Behaviour, Context, fault
from ..shapes import Dict, Item, ParsedRequest

SCHEMA = "response.schema"
CLEAN = "response.completed-is-clean"
SHAPE = "response.message-shape"
NOW = "response.created-at-is-now"
EMPTY = "response.not-empty"
TEXT = "response.output-text-matches"


def missing(name: str) -> Behaviour:
    return fault(f"response.{name.replace('_', '-')}-missing", f"Leaves {name} out of the finished response.",
                 SCHEMA, response=final(cut(name)))  # fmt: skip


def value(name: str, member: str, wrong: Any, says: str, *rules: str) -> Behaviour:
    return fault(f"response.{name}", says, *rules, response=final(put(**{member: wrong})))


def clock(name: str, says: str, how: Callable[[int], Any], *rules: str) -> Behaviour:
    """Wrong in every snapshot alike, so that only the time is wrong and not its constancy."""
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
    """An id that is a digest of what was asked: unique until somebody asks twice."""
    stable = sum(place * byte for place, byte in enumerate(ctx.raw, 1))
    return {**one, "id": f"resp_{stable:032x}"}


def echo(name: str, wrong: Any) -> Callable[[Context, Dict], Dict]:
    """Repeats a setting the request made, but with another value."""
    return lambda ctx, one: {**one, name: wrong} if ctx.body.get(name) is not None else one


def text_item(text: str) -> Callable[[Context, list[Item]], list[Item]]:
    return lambda _, items: [replace(one, texts=(text,)) if one.kind == "message" else one for one in items]


def no_parts(_: Context, items: list[Item]) -> list[Item]:
    return [replace(one, texts=()) if one.kind == "message" else one for one in items]


def thoughts_only(_: Context, items: list[Item]) -> list[Item]:
    return [one for one in items if one.kind == "reasoning"]


def all_text(one: Dict) -> str:
    return "".join(part["text"] for item in one["output"] for part in item.get("content") or ())


def other_model(ctx: Context, parsed: ParsedRequest) -> ParsedRequest:
    return replace(parsed, model="mimo-v2-flash")


FAULTS = [
    *(missing(name) for name in ("id", "object", "created_at", "status", "model", "output")),
    value("id-is-a-number", "id", 17, "Gives the finished response a number for an id.", SCHEMA),
    value("id-is-null", "id", None, "Gives the finished response no id but null.", SCHEMA),
    value("object-is-chat", "object", "chat.completion", "Calls the response a chat completion.", SCHEMA),
    value("status-unknown", "status", "done", "Ends with a status nobody knows.", SCHEMA),
    value("output-is-null", "output", None, "Gives null for output.", SCHEMA),
    value("output-is-an-object", "output", {}, "Gives an object for output.", SCHEMA),
    *(fault(f"response.{name.replace('_', '-')}-missing", f"Leaves {name} out.", "response.nullable-members-present",
            response=response(cut(name))) for name in ("error", "incomplete_details")),
    value("error-is-a-string", "error", "none", "Gives a word for error.", SCHEMA),
    value("error-without-message", "error", {"code": None}, "Gives an error with nothing in it.", SCHEMA,
          CLEAN),
    value("details-are-a-string", "incomplete_details", "none", "Gives a word for the details.", SCHEMA),
    value("output-text-is-an-array", "output_text", [], "Gives a list for output_text.", SCHEMA),
    fault("response.unknown-item-type", "Calls a message by the type text.", SCHEMA,
          **everywhere(put(type="text"), "message")),
    fault("response.item-without-type", "Leaves the type out of messages.", SCHEMA,
          **everywhere(cut("type"), "message")),
    fault("response.item-without-id", "Leaves the id out of messages.", SCHEMA,
          **everywhere(cut("id"), "message")),
    fault("response.part-without-text", "Leaves the text out of a finished part.", SCHEMA,
          response=final(items_in(parts_in(cut("text")), "message"))),
    fault("response.annotations-are-strings", "Fills annotations with words.", SCHEMA,
          **everywhere(parts_in(put(annotations=["none"])), "message")),
    fault("response.id-always-the-same", "Gives every response the same id.", "response.id-unique",
          response=response(put(id="resp_" + "0" * 32))),
    fault("response.id-from-the-request", "Gives equal requests the same id.", "response.id-unique",
          response=from_the_request),
    fault("response.item-ids-reused", "Numbers items anew in each response.", "response.id-unique",
          draft=constant_id("msg_")),
    clock("created-at-in-milliseconds", "Counts milliseconds in created_at.", lambda at: at * 1000, NOW),
    clock("created-at-zero", "Leaves created_at at zero.", lambda _: 0, NOW),
    clock("created-at-in-local-time", "Adds its time zone to created_at.", lambda at: at + 8 * 3600, NOW),
    clock("created-at-stands-still", "Gives the time the server was started.", lambda at: at - 604800, NOW),
    clock("created-at-negative", "Gives a time before 1970.", lambda at: -at, NOW),
    clock("created-at-is-a-string", "Writes created_at as text.", str, SCHEMA),
    clock("created-at-is-a-date", "Writes created_at as a date.", lambda _: "2026-06-24T00:00:00Z", SCHEMA),
    clock("created-at-is-null", "Gives null for created_at.", lambda _: None, SCHEMA),
    model("model-rewritten", "Answers with the name of another model.", lambda _: "mimo-v2-flash"),
    model("model-with-date", "Answers with a dated name of the model.", lambda name: f"{name}-2026-06-24"),
    model("model-with-vendor", "Puts the vendor before the model's name.", lambda name: f"xiaomi/{name}"),
    model("model-in-capitals", "Changes the case of the model's name.", lambda name: name.upper()),
    model("model-as-a-path", "Answers with the file the model was loaded from.", lambda n: f"/models/{n}"),
    fault("response.error-when-completed", "Completes with an error set.", CLEAN,
          response=final(completed(put(error={"code": "server_error", "message": "late"})))),
    fault("response.details-when-completed", "Completes with a reason for being incomplete.", CLEAN,
          response=final(completed(put(incomplete_details={"reason": "max_output_tokens"})))),
    fault("response.item-in-progress-plain", "Leaves items of a plain answer in progress.",
          "response.items-finished",
          response=response(completed(items_in(put(status="in_progress"))), "plain")),
    fault("response.item-in-progress-at-end", "Leaves items in progress in response.completed.",
          "response.items-finished",
          response=response(completed(items_in(put(status="in_progress"))), "terminal")),
    fault("response.output-text-trimmed", "Loses the last character in output_text.", TEXT,
          response=final(change("output_text", lambda text: text[:-1]))),
    fault("response.output-text-empty", "Leaves output_text empty though there is text.", TEXT,
          response=final(put(output_text=""))),
    fault("response.output-text-with-reasoning", "Puts the thoughts into output_text too.", TEXT,
          response=final(lambda one: one.update(output_text=all_text(one)))),
    fault("response.output-text-escaped", "Escapes output_text for a web page.", TEXT,
          response=final(change("output_text", lambda text: text.replace(" ", "&nbsp;")))),
    fault("response.output-text-missing", "Leaves output_text out.", "response.output-text-present",
          response=response(cut("output_text"))),
    message("role-is-user", "Gives its messages the role user.", SHAPE, how=put(role="user")),
    message("role-missing", "Gives its messages no role.", SHAPE, how=cut("role")),
    message("content-is-a-string", "Gives messages their text instead of parts.", SHAPE,
            how=change("content", lambda parts: "".join(part["text"] for part in parts))),
    message("content-is-one-part", "Gives messages one part instead of a list.", SHAPE,
            how=change("content", lambda parts: parts[0] if parts else {})),
    message("part-type-is-text", "Gives parts the type of chat completions.", SHAPE,
            how=parts_in(put(type="text"))),
    message("part-type-is-input-text", "Gives parts the type of input.", SHAPE,
            how=parts_in(put(type="input_text"))),
    message("annotations-are-missing", "Leaves annotations out.", "response.annotations-array",
            how=parts_in(lambda part: part.pop("annotations", None))),
    message("annotations-are-null", "Gives null for annotations.", "response.annotations-array",
            how=parts_in(put(annotations=None))),
    message("annotations-are-an-object", "Gives an object for annotations.", "response.annotations-array",
            how=parts_in(put(annotations={}))),
    fault("response.no-output", "Completes with no item at all.", EMPTY, draft=lambda _, items: []),
    fault("response.thoughts-only", "Completes with thoughts and no answer.", EMPTY, draft=thoughts_only),
    fault("response.message-without-text", "Completes with an empty text.", EMPTY, draft=text_item("")),
    fault("response.message-without-parts", "Completes with a message of no parts.", EMPTY, draft=no_parts),
    fault("response.temperature-echo-differs", "Repeats another temperature than the one sent.",
          "response.echo-agrees", response=echo("temperature", 0.123)),
    fault("response.instructions-echo-differs", "Repeats other instructions than those sent.",
          "response.echo-agrees", response=echo("instructions", "You are a helpful assistant.")),
    fault("response.effort-echo-differs", "Repeats another effort than the one sent.",
          "response.echo-agrees", response=echo("reasoning", {"effort": "xhigh", "summary": None})),
    fault("response.first-item-without-status", "Leaves the status out of the first item.", SCHEMA,
          response=final(first("output", cut("status")))),
]  # fmt: skip
