"""Faults with parameters outside the contract: unsupported and undocumented ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..hooks import Behaviour, Context, Hook, fault
from ..request_hooks import crash, crash_streaming, input_parts, inside
from ..shapes import Dict, ParsedRequest, Refusal, Reply, Turn

DOCUMENTED = (
    "model",
    "input",
    "instructions",
    "max_output_tokens",
    "stream",
    "reasoning",
    "temperature",
    "top_p",
    "text",
    "tool_choice",
    "tools",
)
UNSUPPORTED = ("background", "previous_response_id", "context_management")
OPENAI = (
    "access_programs",
    "background_options",
    "conversation",
    "image",
    "include",
    "max_tool_calls",
    "metadata",
    "moderation",
    "parallel_tool_calls",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "store",
    "stream_options",
    "top_logprobs",
    "truncation",
    "user",
)
NESTED = (("reasoning", "summary"), ("reasoning", "generate_summary"), ("text", "verbosity"))
KNOWN = (*DOCUMENTED, *UNSUPPORTED, *OPENAI)


def slug(name: str) -> str:
    return name.replace("_", "-").replace(".", "-")


def has(name: str) -> Callable[[Dict], bool]:
    return lambda body: name in body


def crashing(area: str, name: str, rule: str) -> list[Behaviour]:
    return [
        fault(f"{area}.{slug(name)}-is-500", f"Responds with HTTP 500 to {name}.", rule, validate=crash(has(name))),
        fault(f"{area}.{slug(name)}-is-500-streaming", f"Responds with HTTP 500 to {name} with stream: true.",
              rule, validate=crash_streaming(has(name))),
    ]  # fmt: skip


def nested(above: str, name: str) -> Behaviour:
    rule = f"undocumented.{above}.{name}"
    return fault(f"undocumented.{above}-{slug(name)}-is-500", f"Responds with HTTP 500 to {above}.{name}.", rule,
                 validate=crash(lambda body: inside(body, above, name) is not None))  # fmt: skip


def unknown(body: Dict) -> list[str]:
    return [name for name in body if name not in KNOWN]


def silent(test: Callable[[Dict], Any]) -> Hook[Reply]:
    """Reads the request and never responds."""
    return lambda ctx, reply: replace(reply, chunks=[], ending="stall") if test(ctx.body) else reply


def queued(ctx: Context, one: Dict) -> Dict:
    if ctx.body.get("background") is True and ctx.stage in ("plain", "terminal"):
        one.update(status="queued", output=[], output_text="", usage=None)
    return one


def remembered(ctx: Context, refusal: Refusal | None) -> Refusal | None:
    return None if refusal and refusal.members.get("param") == "previous_response_id" else refusal


def recall(ctx: Context, parsed: ParsedRequest) -> ParsedRequest:
    """Adds the turns of the response with that id before the new ones."""
    with ctx.lock:
        conversations: dict[Any, tuple[Turn, ...]] = ctx.memory.setdefault("conversations", {})
        turns = (*conversations.get(ctx.body.get("previous_response_id"), ()), *parsed.turns)
        ctx.memory.setdefault("turns", {})[ctx.number] = turns
    return replace(parsed, turns=turns)


def remember(ctx: Context, one: Dict) -> Dict:
    """Keeps the turns of a request under the id of its response."""
    with ctx.lock:
        ctx.memory.setdefault("conversations", {})[one["id"]] = ctx.memory["turns"].get(ctx.number, ())
    return one


def count_previous(ctx: Context, one: Dict) -> Dict:
    """Counts the tokens of the response with that id as input."""
    if usage := one.get("usage"):
        with ctx.lock:
            totals: dict[Any, int] = ctx.memory.setdefault("totals", {})
            earlier = totals.get(ctx.body.get("previous_response_id"), 0)
            totals[one["id"]] = usage["total_tokens"]
        usage["input_tokens"], usage["total_tokens"] = usage["input_tokens"] + earlier, usage["total_tokens"] + earlier
    return one


def echo_previous(ctx: Context, one: Dict) -> Dict:
    if ctx.body.get("previous_response_id"):
        one["previous_response_id"] = ctx.body["previous_response_id"]
    return one


def echo_unknown(ctx: Context, one: Dict) -> Dict:
    one.update({name: ctx.body[name] for name in unknown(ctx.body)})
    return one


def echo_unknown_in_metadata(ctx: Context, one: Dict) -> Dict:
    undocumented = {name: ctx.body[name] for name in unknown(ctx.body)}
    return {**one, "metadata": {"ignored": undocumented}} if undocumented else one


def tool_type(body: Dict) -> bool:
    tools = body.get("tools")
    return isinstance(tools, list) and any(inside(tool, "type") != "function" for tool in tools)


def part_type(kind: str) -> Callable[[Dict], bool]:
    return lambda body: any(part.get("type") == kind for part in input_parts(body))


CHOICE = "undocumented.tool-choice-other"

FAULTS = [
    *(fault for name in UNSUPPORTED for fault in crashing("unsupported", name, f"unsupported.{slug(name)}")),
    fault("unsupported.background-hangs", "Never responds to a background request.", "unsupported.background",
          reply=silent(has("background"))),
    fault("unsupported.previous-response-id-hangs", "Never responds to previous_response_id.",
          "unsupported.previous-response-id", reply=silent(has("previous_response_id"))),
    fault("unsupported.context-management-hangs", "Never responds to context_management.",
          "unsupported.context-management", reply=silent(has("context_management"))),
    fault("unsupported.background-honoured", "Sends status queued for background requests.",
          "unsupported.background-not-honoured", response=queued),
    fault("unsupported.background-left-in-progress", "Sends status in_progress for background requests.",
          "unsupported.background-not-honoured", response=lambda ctx, one: (
              {**one, "status": "in_progress"}
              if ctx.body.get("background") is True and ctx.stage == "plain" else one)),
    fault("unsupported.previous-response-id-honoured", "Uses the conversation of previous_response_id.",
          "unsupported.previous-response-id-not-honoured", validate=remembered, parsed=recall, response=remember),
    fault("unsupported.previous-response-id-counted", "Counts the conversation of previous_response_id as input.",
          "unsupported.previous-response-id-not-honoured", validate=remembered, response=count_previous),
    fault("unsupported.previous-response-id-echoed", "Ignores previous_response_id, but echoes it.",
          "unsupported.previous-response-id-not-honoured", validate=remembered, response=echo_previous),
    *(fault for name in OPENAI for fault in crashing("undocumented", name, f"undocumented.{slug(name)}")),
    *(nested(above, name) for above, name in NESTED),
    fault("undocumented.input-image-detail-is-500", "Responds with HTTP 500 to the detail of an image.",
          "undocumented.input_image.detail",
          validate=crash(lambda body: any("detail" in part for part in input_parts(body)))),
    fault("request.image-is-500", "Responds with HTTP 500 to an image.", "request.image",
          validate=crash(part_type("input_image"))),
    fault("undocumented.input-file-is-500", "Responds with HTTP 500 to a file as input.", "undocumented.input_file",
          validate=crash(part_type("input_file"))),
    fault("undocumented.unknown-name-is-500", "Responds with HTTP 500 to an unknown parameter.",
          "undocumented.unknown-name", validate=crash(unknown)),
    fault("undocumented.unknown-name-is-500-streaming",
          "Responds with HTTP 500 to an unknown parameter with stream: true.",
          "undocumented.unknown-name", validate=crash_streaming(unknown)),
    fault("undocumented.unknown-name-echoed", "Echoes unknown parameters in the response.",
          "undocumented.unknown-name", response=echo_unknown),
    fault("undocumented.unknown-name-in-metadata", "Echoes unknown parameters in metadata.",
          "undocumented.unknown-name", response=echo_unknown_in_metadata),
    fault("undocumented.unknown-name-hangs", "Never responds to an unknown parameter.",
          "undocumented.unknown-name", reply=silent(unknown)),
    fault("undocumented.tool-choice-required-is-500", "Responds with HTTP 500 to tool_choice required.", CHOICE,
          validate=crash(lambda body: body.get("tool_choice") == "required")),
    fault("undocumented.tool-choice-none-is-500", "Responds with HTTP 500 to tool_choice none.", CHOICE,
          validate=crash(lambda body: body.get("tool_choice") == "none")),
    fault("undocumented.tool-choice-object-is-500",
          "Responds with HTTP 500 to a tool_choice with the name of a tool.", CHOICE,
          validate=crash(lambda body: isinstance(body.get("tool_choice"), dict))),
    fault("undocumented.json-schema-is-500", "Responds with HTTP 500 to the format json_schema.",
          "undocumented.json-schema-format",
          validate=crash(lambda body: inside(body, "text", "format", "type") == "json_schema")),
    fault("undocumented.json-schema-hangs", "Never responds to the format json_schema.",
          "undocumented.json-schema-format",
          reply=silent(lambda body: inside(body, "text", "format", "type") == "json_schema")),
    fault("undocumented.tool-type-is-500", "Responds with HTTP 500 to tools other than functions.",
          "undocumented.tool-types", validate=crash(tool_type)),
    fault("undocumented.tool-type-hangs", "Never responds to tools other than functions.",
          "undocumented.tool-types", reply=silent(tool_type)),
]  # fmt: skip
