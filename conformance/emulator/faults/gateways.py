"""Faults that items, members and objects of OpenAI's APIs cause which the page does not document."""

from __future__ import annotations

from dataclasses import replace

from ..chat import chunks, completion
from ..hooks import Behaviour, Context, fault
from ..request_hooks import crash, input_items
from ..shapes import Dict, Plan, Reply, to_json
from .custom_tools import of_item

UNUSUAL, FIELDS = "turns.unusual-history", "undocumented.tool-fields"


def phased(body: Dict) -> bool:
    return any("phase" in item for item in input_items(body))


def field(name: str) -> Behaviour:
    """Responds with HTTP 500 to a member of a function tool."""

    def test(body: Dict) -> bool:
        tools = body.get("tools")
        return any(isinstance(tool, dict) and tool.get("type") == "function" and name in tool for tool in tools or ())

    slug = name.replace("_", "-")
    return fault(
        f"undocumented.tool-{slug}-is-500", f"Responds with HTTP 500 to {name} of a tool.", FIELDS, validate=crash(test)
    )


def hangs(ctx: Context, reply: Reply) -> Reply:
    """Never responds to a conversation with a compaction_trigger item."""
    waits = of_item("compaction_trigger")(ctx.body)
    return Reply(reply.status, reply.reason, [], [], "length", "stall") if waits else reply


def kept(ctx: Context, plan: Plan) -> Plan:
    ctx.memory[f"plan {ctx.number}"] = plan
    return plan


def as_completion(ctx: Context, reply: Reply) -> Reply:
    """Sends the plan as a chat completion, to an SDK."""
    plan = ctx.memory.pop(f"plan {ctx.number}", None)
    if plan is None or ctx.sent("x-stainless-lang") is None:
        return reply
    base: Dict = {"id": ctx.new_id("chatcmpl-"), "created": int(ctx.now), "model": ctx.body["model"]}
    if not ctx.stream:
        return reply.without("content-length").saying(completion(base, plan)).complete()
    lines = [*map(to_json, chunks(base, plan, False)), "[DONE]"]
    return replace(reply, chunks=[(0.0, f"data: {line}\n\n".encode()) for line in lines])


FAULTS = [
    fault("response.completions-for-an-sdk", "Sends chat completions to an SDK.", "response.schema", plan=kept,
          reply=as_completion),
    fault("turns.phase-is-500", "Responds with HTTP 500 to the phase of a returned message.", UNUSUAL,
          validate=crash(phased)),
    fault("turns.output-without-call-id-is-500", "Responds with HTTP 500 to the output of a call without call_id.",
          UNUSUAL, validate=crash(of_item("function_call_output", lambda one: "call_id" not in one))),
    fault("turns.configuration-update-is-500", "Responds with HTTP 500 to a configuration_update item.", UNUSUAL,
          validate=crash(of_item("configuration_update"))),
    fault("turns.compaction-trigger-is-500", "Responds with HTTP 500 to a compaction_trigger item.", UNUSUAL,
          validate=crash(of_item("compaction_trigger"))),
    fault("turns.compaction-trigger-hangs", "Never responds to a compaction_trigger item.", "http.no-stall",
          reply=hangs),
    *(field(name) for name in ("async", "allowed_callers", "defer_loading", "output_schema")),
]  # fmt: skip
