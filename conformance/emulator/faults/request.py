"""Faults in taking requests: right ones refused, wrong ones served or answered with a crash."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from ..hooks import Behaviour, Context, fault
from ..request_hooks import SPOILED, error, forgive, input_items, input_parts, inside, refuse, refused, worsen
from ..shapes import Refusal, Reply
from ..validate import FLAGS, NUMBERS, STRINGS

TYPE = re.compile(r"must be an? (string|object|array|boolean|integer|number)")
RANGE = re.compile(r"must be between")
# Parameter in the rule's name, path in the body, and the values that are its ends or its words.
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
    """Answers a badly typed request with 200 and something that is no answer."""
    wrong = reply.status == 400 and TYPE.search(reply.body.decode("utf-8", "replace"))
    return reply.coded(200).saying({"object": "response", "output": None}) if wrong else reply


def html_for(*reasons: str) -> Callable[[Context, Reply], Reply]:
    page = "<html><body><h1>400 Bad Request</h1></body></html>"

    def rewrite(reply: Reply) -> Reply:
        hit = any(reason.encode() in reply.body for reason in reasons)
        return reply.having("Content-Type", "text/html").saying(page) if hit else reply

    return refused(rewrite)


def trio(name: str, rule: str, what: str, *starts: str) -> list[Behaviour]:
    """Served, crashed on, and refused without the envelope."""
    return [
        fault(f"request.{name}-served", f"Serves {what} as if nothing were wrong.", rule,
              validate=forgive(about(*starts))),
        fault(f"request.{name}-is-500", f"Fails inside on {what}.", rule, "error.real-status",
              validate=worsen(about(*starts))),
        fault(f"request.{name}-refused-in-html", f"Refuses {what} with a page instead of the envelope.", rule,
              "error.envelope", reply=html_for(*starts)),
    ]  # fmt: skip


FAULTS = [
    *(parameter(name) for name in PLAIN_PARAMETERS),
    *(edge(*row) for row in EDGES),
    fault("request.temperature-whole-number-refused", "Wants a decimal point in temperature.",
          "request.temperature-accepted",
          validate=refuse(lambda body: isinstance(body.get("temperature"), int), "temperature")),
    fault("request.model-refused", "Does not know its own models.", "request.model-accepted",
          validate=refuse(lambda body: isinstance(body.get("model"), str), "model")),
    fault("request.input-string-refused", "Wants a list in input.", "request.input-string",
          "request.input-accepted",
          validate=refuse(lambda body: isinstance(body.get("input"), str), "input")),
    fault("request.input-list-refused", "Wants a string in input.", "request.input-messages",
          "request.input-accepted",
          validate=refuse(lambda body: isinstance(body.get("input"), list), "input")),
    fault("request.input-parts-refused", "Takes messages only with a string as content.",
          "request.input-parts", validate=refuse(lambda body: any(
              part.get("type") == "input_text" for part in input_parts(body)), "input[0].content")),
    fault("request.system-role-refused", "Refuses messages of role system.", "request.input-roles",
          validate=refuse(role("system"), "input[0].role")),
    fault("request.developer-role-refused", "Refuses messages of role developer.", "request.input-roles",
          validate=refuse(role("developer"), "input[0].role")),
    fault("request.assistant-role-refused", "Refuses messages of role assistant.", "request.input-roles",
          "turns.history-accepted", validate=refuse(role("assistant"), "input[0].role")),
    fault("request.untyped-message-refused", "Wants a type on every message.", "request.untyped-message",
          validate=refuse(lambda body: any("type" not in one for one in input_items(body)), "input[0].type")),
    fault("request.typed-message-refused", "Does not know the type message.", "request.input-messages",
          validate=refuse(lambda body: any(
              one.get("type") == "message" for one in input_items(body)), "input[0].type")),
    fault("request.reasoning-item-refused", "Refuses reasoning items in input.", "request.reasoning-returned",
          validate=refuse(lambda body: any(
              one.get("type") == "reasoning" for one in input_items(body)), "input[0].type")),
    fault("request.reasoning-content-refused", "Refuses reasoning items that carry their text.",
          "request.reasoning-returned", validate=refuse(lambda body: any(
              part.get("type") == "reasoning_text" for part in input_parts(body)), "input[0].content")),
    *trio("missing-model", "request.missing-model", "a request without a model", "model is required"),
    *trio("missing-input", "request.missing-input", "a request without input", "input is required"),
    *trio("malformed-json", "request.malformed-json", "broken JSON", "request body is not valid"),
    *trio("empty-body", "request.empty-body", "an empty body", "request body is empty"),
    *trio("body-not-an-object", "request.body-not-an-object", "a body that is no object",
          "request body must be"),
    fault("request.unknown-model-served", "Serves any name of a model.", "request.unknown-model",
          validate=lambda ctx, no: None if no and "Unsupported model" in no.members["message"] else no),
    fault("request.unknown-model-is-500", "Fails inside on an unknown model.", "request.unknown-model",
          validate=lambda ctx, no: (
              SPOILED if no and "Unsupported model" in no.members["message"] else no)),
    fault("request.wrong-type-is-500", "Fails inside on a value of the wrong type.", "request.wrong-type",
          validate=worsen(any_type)),
    fault("request.wrong-type-is-422", "Answers a value of the wrong type with 422.", "request.wrong-type",
          validate=worsen(any_type, 422)),
    fault("request.wrong-type-ignored", "Serves values of the wrong type as if they were absent.",
          "request.wrong-type", validate=forgive(any_type)),
    fault("request.wrong-type-answered-with-garbage", "Answers wrong types with 200 and no answer.",
          "request.wrong-type", reply=garbage),
    fault("request.wrong-type-of-tools-is-500", "Fails inside when tools is no list.", "request.wrong-type",
          validate=worsen(about("tools must be"))),
    fault("request.wrong-type-of-input-is-500", "Fails inside when input is neither text nor list.",
          "request.wrong-type", validate=worsen(about("input must be"))),
    fault("request.wrong-type-of-reasoning-is-500", "Fails inside when reasoning is no object.",
          "request.wrong-type", validate=worsen(about("reasoning must be"))),
    fault("request.numbers-as-text-taken", "Takes numbers written as text.", "request.wrong-type",
          validate=lambda ctx, no: None if no and any_type(no.members["param"]) and isinstance(
              ctx.body.get(no.members["param"].split()[0]), str) else no),
    fault("request.booleans-as-integers-taken", "Takes true for the number 1.", "request.wrong-type",
          validate=lambda ctx, no: None if no and any_type(no.members["param"]) and isinstance(
              ctx.body.get(no.members["param"].split()[0]), bool) else no),
    fault("request.out-of-range-served", "Serves numbers out of range.", "request.out-of-range",
          validate=forgive(any_range)),
    fault("request.out-of-range-is-500", "Fails inside on numbers out of range.", "request.out-of-range",
          validate=worsen(any_range)),
    fault("request.temperature-too-high-served", "Serves a temperature above 1.5.", "request.out-of-range",
          validate=forgive(about("temperature must be between"))),
    fault("request.top-p-too-low-served", "Serves a top_p below 0.01.", "request.out-of-range",
          validate=forgive(about("top_p must be between"))),
    fault("request.cap-out-of-range-served", "Serves a cap out of range.", "request.out-of-range",
          validate=forgive(about("max_output_tokens must be between"))),
    fault("request.null-is-500", "Fails inside on null for an optional parameter.", "request.null-optional",
          validate=null_crash),
    fault("request.error-names-nothing", "Refuses without saying what was wrong.",
          "request.error-names-parameter",
          reply=error(lambda one: one.update(message="Param Incorrect", param=""))),
    fault("request.error-names-the-wrong-one", "Blames another parameter.", "request.error-names-parameter",
          reply=error(lambda one: one.update(message="Param Incorrect", param="request is invalid"))),
]  # fmt: skip
