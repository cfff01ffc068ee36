"""Faults in handling requests: valid ones refused, invalid ones served or failing with HTTP 500."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..hooks import Behaviour, Context, Hook, fault
from ..request_hooks import SPOILED, crash, error, forgive, input_items, input_parts, inside, refuse, refused, worsen
from ..shapes import Dict, ParsedRequest, Refusal, Reply
from ..validate import FLAGS, NUMBERS, STRINGS

TYPE = re.compile(r"must be an? (string|object|array|boolean|integer|number)")
RANGE = re.compile(r"must be between")
# A member at the start of a body, or behind another one, with a string or a number.
MEMBER = re.compile(r'"(\w+)": ("[^"\\]*"|\d+)')
# Parameter in the rule's name, path in the body, name of the value, and its boundary or enumerated value.
EDGES: list[tuple[str, tuple[str, ...], str, Any]] = [
    *(
        (name, (name,), {0.0: "zero", 1.0: "one"}.get(end, f"{end:g}"), int(end) if end == int(end) else end)
        for name, (low, high, _) in NUMBERS.items()
        for end in (low, high)
    ),
    ("max_output_tokens", ("max_output_tokens",), "one", 1),
    ("max_output_tokens", ("max_output_tokens",), "131072", 131072),
    *((name, (name,), json.dumps(value), value) for name in FLAGS for value in (False, True)),
    ("text.format", ("text", "format", "type"), "text", "text"),
    ("text.format", ("text", "format", "type"), "json-object", "json_object"),
    ("tool_choice", ("tool_choice",), "auto", "auto"),
]
PLAIN_PARAMETERS = (*STRINGS, *NUMBERS, "max_output_tokens", "reasoning", "text", "tools")
RULE_NAMES = {"text": "text.format"}


def is_value(value: object, wanted: object) -> bool:
    """Equal as JSON: true is not 1."""
    return value == wanted and isinstance(value, bool) == isinstance(wanted, bool)


def edge(rule: str, path: tuple[str, ...], word: str, wanted: Any) -> Behaviour:
    return fault(
        f"request.{rule.replace('_', '-').replace('.', '-')}-{word}-refused",
        f"Refuses {rule} {json.dumps(wanted)}.",
        f"request.{rule}-accepted",
        validate=refuse(lambda body: is_value(inside(body, *path), wanted), rule),
    )


def parameter(name: str) -> Behaviour:
    return fault(
        f"request.{name.replace('_', '-')}-refused",
        f"Refuses every request with {name}.",
        f"request.{RULE_NAMES.get(name, name)}-accepted",
        validate=refuse(lambda body: body.get(name) is not None, name),
    )


def role(name: str) -> Callable[[dict[str, Any]], bool]:
    return lambda body: any(one.get("role") == name for one in input_items(body))


def about(*starts: str) -> Callable[[str], bool]:
    return lambda param: param.startswith(starts)


def any_type(param: str) -> bool:
    return bool(TYPE.search(param)) and not param.startswith("request body")


def any_range(param: str) -> bool:
    return bool(RANGE.search(param))


def null_crash(ctx: Context, refusal: Refusal | None) -> Refusal | None:
    return SPOILED if any(value is None for value in ctx.body.values()) else refusal


def garbage(ctx: Context, reply: Reply) -> Reply:
    """Sends HTTP 200 without a Response for a value of the wrong type."""
    wrong = reply.status == 400 and TYPE.search(reply.body.decode("utf-8", "replace"))
    return reply.coded(200).saying({"object": "response", "output": None}) if wrong else reply


def html_for(*reasons: str) -> Callable[[Context, Reply], Reply]:
    page = "<html><body><h1>400 Bad Request</h1></body></html>"

    def rewrite(reply: Reply) -> Reply:
        hit = any(reason.encode() in reply.body for reason in reasons)
        return reply.having("Content-Type", "text/html").saying(page) if hit else reply

    return refused(rewrite)


def guessed(ctx: Context, refusal: Refusal | None) -> Refusal | None:
    """Reads the members that a lenient reader finds in a body that is not JSON."""
    if refusal is None or "request body is not valid" not in str(refusal.members.get("param")):
        return refusal
    found = MEMBER.findall(ctx.raw.decode("latin-1"))
    ctx.body = {name: json.loads(value) for name, value in found}
    return None if found else refusal


def with_a_model(ctx: Context, request: ParsedRequest) -> ParsedRequest:
    """Responds in the name of whatever the model of the request is."""
    return request if request.model else replace(request, model=str(ctx.body.get("model")))


def trio(name: str, rule: str, what: str, *starts: str, serve: Hook[Refusal | None] | None = None) -> list[Behaviour]:
    """Three faults: served, HTTP 500, and refused without the envelope."""
    return [
        fault(f"request.{name}-served", f"Serves {what} with HTTP 200.", rule,
              validate=serve or forgive(about(*starts))),
        fault(f"request.{name}-is-500", f"Responds with HTTP 500 to {what}.", rule, "error.real-status",
              validate=worsen(about(*starts))),
        fault(f"request.{name}-refused-in-html", f"Refuses {what} with an HTML page instead of the envelope.", rule,
              "error.envelope", reply=html_for(*starts)),
    ]  # fmt: skip


def decimals(body: Dict) -> bool:
    """Whether temperature has more than one decimal."""
    value = body.get("temperature")
    return isinstance(value, float) and round(value, 1) != value


FAULTS = [
    *(parameter(name) for name in PLAIN_PARAMETERS),
    *(edge(*row) for row in EDGES),
    fault("request.temperature-whole-number-refused", "Refuses a temperature without a decimal point.",
          "request.temperature-accepted",
          validate=refuse(lambda body: isinstance(body.get("temperature"), int), "temperature")),
    fault("request.model-refused", "Refuses the documented models.", "request.model-accepted",
          validate=refuse(lambda body: isinstance(body.get("model"), str), "model")),
    fault("request.plain-refused", "Refuses requests without stream: true.", "request.model-accepted",
          validate=refuse(lambda body: body.get("stream") is not True, "stream")),
    fault("request.plain-is-500", "Responds with HTTP 500 to requests without stream: true.", "request.model-accepted",
          validate=crash(lambda body: bool(body) and body.get("stream") is not True)),
    fault("request.input-string-refused", "Refuses a string as input.", "request.input-string",
          "request.input-accepted",
          validate=refuse(lambda body: isinstance(body.get("input"), str), "input")),
    fault("request.input-list-refused", "Refuses an array as input.", "request.input-messages",
          "request.input-accepted",
          validate=refuse(lambda body: isinstance(body.get("input"), list), "input")),
    fault("request.input-parts-refused", "Refuses messages whose content is an array.",
          "request.input-parts", validate=refuse(lambda body: any(
              part.get("type") == "input_text" for part in input_parts(body)), "input[0].content")),
    fault("request.system-role-refused", "Refuses messages of role system.", "request.input-roles",
          validate=refuse(role("system"), "input[0].role")),
    fault("request.developer-role-refused", "Refuses messages of role developer.", "request.input-roles",
          validate=refuse(role("developer"), "input[0].role")),
    fault("request.assistant-role-refused", "Refuses messages of role assistant.", "request.input-roles",
          "turns.history-accepted", validate=refuse(role("assistant"), "input[0].role")),
    fault("request.untyped-message-refused", "Refuses messages without type.", "request.untyped-message",
          validate=refuse(lambda body: any("type" not in one for one in input_items(body)), "input[0].type")),
    fault("request.untyped-messages-dropped", "Ignores messages without type; without other input the status is 500.",
          "request.untyped-message", validate=crash(lambda body: bool(input_items(body)) and not any(
              "type" in one for one in input_items(body)) and not body.get("instructions"))),
    fault("request.typed-message-refused", "Refuses items of type message.", "request.input-messages",
          validate=refuse(lambda body: any(
              one.get("type") == "message" for one in input_items(body)), "input[0].type")),
    fault("request.reasoning-item-refused", "Refuses reasoning items in input.", "request.reasoning-returned",
          validate=refuse(lambda body: any(
              one.get("type") == "reasoning" for one in input_items(body)), "input[0].type")),
    fault("request.reasoning-content-refused", "Refuses reasoning items with content.",
          "request.reasoning-returned", validate=refuse(lambda body: any(
              part.get("type") == "reasoning_text" for part in input_parts(body)), "input[0].content")),
    *trio("missing-model", "request.missing-model", "a request without a model", "model is required"),
    *trio("missing-input", "request.missing-input", "a request without input", "input is required"),
    *trio("malformed-json", "request.malformed-json", "invalid JSON", "request body is not valid",
          serve=guessed),
    *trio("empty-body", "request.empty-body", "an empty body", "request body is empty"),
    *trio("body-not-an-object", "request.body-not-an-object", "a body that is not an object",
          "request body must be"),
    fault("request.unknown-model-served", "Serves any model name.", "request.unknown-model",
          validate=lambda ctx, no: None if no and "Unsupported model" in no.members["message"] else no),
    fault("request.unknown-model-is-500", "Responds with HTTP 500 to an unknown model.", "request.unknown-model",
          validate=lambda ctx, no: (
              SPOILED if no and "Unsupported model" in no.members["message"] else no)),
    fault("request.wrong-type-is-500", "Responds with HTTP 500 to a value of the wrong type.", "request.wrong-type",
          validate=worsen(any_type)),
    fault("request.wrong-type-is-422", "Refuses a value of the wrong type with HTTP 422.", "request.wrong-type",
          validate=worsen(any_type, 422)),
    fault("request.wrong-type-ignored", "Ignores values of the wrong type.",
          "request.wrong-type", validate=forgive(any_type), parsed=with_a_model),
    fault("request.wrong-type-answered-with-garbage",
          "Sends HTTP 200 without a Response for a value of the wrong type.",
          "request.wrong-type", reply=garbage),
    fault("request.wrong-type-of-tools-is-500",
          "Responds with HTTP 500 if tools is not an array.", "request.wrong-type",
          validate=worsen(about("tools must be"))),
    fault("request.wrong-type-of-input-is-500", "Responds with HTTP 500 if input is neither a string nor an array.",
          "request.wrong-type", validate=worsen(about("input must be"))),
    fault("request.wrong-type-of-reasoning-is-500", "Responds with HTTP 500 if reasoning is not an object.",
          "request.wrong-type", validate=worsen(about("reasoning must be"))),
    fault("request.numbers-as-text-taken", "Accepts numbers as strings.", "request.wrong-type",
          validate=lambda ctx, no: None if no and any_type(no.members["param"]) and isinstance(
              ctx.body.get(no.members["param"].split()[0]), str) else no),
    fault("request.booleans-as-integers-taken", "Accepts true as the number 1.", "request.wrong-type",
          validate=lambda ctx, no: None if no and any_type(no.members["param"]) and isinstance(
              ctx.body.get(no.members["param"].split()[0]), bool) else no),
    fault("request.out-of-range-served", "Serves numbers out of range.", "request.out-of-range",
          validate=forgive(any_range)),
    fault("request.out-of-range-is-500", "Responds with HTTP 500 to numbers out of range.", "request.out-of-range",
          validate=worsen(any_range)),
    fault("request.temperature-too-high-served", "Serves a temperature above 1.5.", "request.out-of-range",
          validate=forgive(about("temperature must be between"))),
    fault("request.top-p-too-low-served", "Serves a top_p below 0.01.", "request.out-of-range",
          validate=forgive(about("top_p must be between"))),
    fault("request.cap-out-of-range-served", "Serves max_output_tokens out of range.", "request.out-of-range",
          validate=forgive(about("max_output_tokens must be between"))),
    fault("request.temperature-decimals-refused", "Refuses a temperature with two decimals.",
          "request.combination-accepted", validate=refuse(decimals, "temperature")),
    fault("request.null-is-500", "Responds with HTTP 500 to null as an optional parameter.", "request.null-optional",
          validate=null_crash),
    fault("request.error-names-nothing", "Refuses without the name of the invalid parameter.",
          "request.error-names-parameter",
          reply=error(lambda one: one.update(message="Param Incorrect", param=""))),
    fault("request.error-names-the-wrong-one",
          "Reports another parameter than the invalid one.", "request.error-names-parameter",
          reply=error(lambda one: one.update(message="Param Incorrect", param="request is invalid"))),
]  # fmt: skip
