"""Legal variants of what clients send: the mode of Codex, items and members that the page does not document."""

from __future__ import annotations

from ..event_edits import everywhere, put
from ..faults.clients import LITE
from ..faults.custom_tools import declares, of_item
from ..faults.gateways import phased
from ..hooks import Context, variant
from ..refusals import bad_parameter, of
from ..request import declared_tools
from ..request_hooks import refuse
from ..shapes import Dict, Refusal

CODEX = "Observed: custom tools are served in the mode of Codex only (doc 2026-10, Request body: tools)."
ITEMS = "The documentation does not list such items (doc 2026-10, Request body: input)."
MEMBERS = "Undocumented parameters are filtered and may cause an error (doc 2026-06-24)."

#: The message of the service without the header of the mode.
NOT_LITE = "custom tools require MiMo freeform Responses lite mode"

FIELDS = ("async", "allowed_callers", "defer_loading", "output_schema")


def unsupported(message: str) -> Refusal:
    return Refusal(400, {"code": "responses_feature_not_supported", "message": message, "param": "",
                         "type": "unsupported_feature"})  # fmt: skip


def has_custom(tools: object) -> bool:
    listed = tools if isinstance(tools, list) else []
    return any(
        isinstance(tool, dict) and (tool.get("type") == "custom" or has_custom(tool.get("tools"))) for tool in listed
    )


def only_lite(ctx: Context, refusal: Refusal | None) -> Refusal | None:
    """Refuses custom tools without the header."""
    lite = (ctx.sent(LITE) or "").lower() == "true"
    return unsupported(NOT_LITE) if not refusal and not lite and has_custom(declared_tools(ctx.body)) else refusal


def no_tools_in_lite(ctx: Context, refusal: Refusal | None) -> Refusal | None:
    """Refuses top-level tools with the header."""
    lite = ctx.sent(LITE) is not None and ctx.body.get("tools")
    return bad_parameter("tools", "must be in additional_tools").refusal if lite and not refusal else refusal


def no_lite(ctx: Context, refusal: Refusal | None) -> Refusal | None:
    """Refuses every request with the header."""
    return (
        of(400, "Param Incorrect", f"{LITE} is not supported", "invalid_request_error") if ctx.sent(LITE) else refusal
    )


def null_content(body: Dict) -> bool:
    return of_item("reasoning", lambda one: one.get("content", "") is None)(body)


def undocumented_field(body: Dict) -> bool:
    tools = body.get("tools")
    return any(isinstance(tool, dict) and set(FIELDS) & tool.keys() for tool in tools or ())


VARIANTS = [
    variant("members.phase", "Members that the documentation does not list are allowed (openai, OutputMessage: phase).",
            **everywhere(put(phase="final_answer"), "message")),
    variant("members.end-turn", "Members that the documentation does not list are allowed.",
            response=lambda _, response: {**response, "end_turn": True}),
    variant("outside.custom-tools-in-lite-mode-only", CODEX, validate=only_lite),
    variant("outside.tools-refused-in-lite-mode", CODEX, validate=no_tools_in_lite),
    variant("outside.lite-mode-refused", "The documentation defines no such header.", validate=no_lite),
    variant("outside.namespaces-refused", CODEX, validate=refuse(declares("namespace"), "tools[0].type")),
    variant("outside.reasoning-null-content-refused", "The documented type of content does not include null.",
            validate=refuse(null_content, "input[0].content")),
    variant("outside.phase-refused", MEMBERS, validate=refuse(phased, "input[0].phase")),
    variant("outside.output-without-call-id-refused", "call_id is documented as required (doc 2026-10).",
            validate=refuse(of_item("function_call_output", lambda one: "call_id" not in one), "input[0].call_id")),
    variant("outside.configuration-update-refused", ITEMS,
            validate=refuse(of_item("configuration_update"), "input[0].type")),
    variant("outside.compaction-trigger-refused", ITEMS,
            validate=refuse(of_item("compaction_trigger"), "input[0].type")),
    variant("outside.tool-fields-refused", MEMBERS, validate=refuse(undocumented_field, "tools[0]")),
]  # fmt: skip
