"""Faults of state: what one request leaves behind for the next one, on its connection or on any."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..hooks import Context, Hook, fault
from ..request_hooks import inside
from ..shapes import Dict, Item, ParsedRequest, Plan, Refusal, to_json

REUSABLE = "http.connection-reusable"


def before(ctx: Context, name: str, own: Any) -> Any:
    """What the request before on this connection had, and this one's for the next; its own on a new connection."""
    found = ctx.connection.get(name, own)
    ctx.connection[name] = own
    return found


def keeps_stream(value: bool) -> Hook[Refusal | None]:
    """Streams (or not) if the request before did."""

    def hook(ctx: Context, refusal: Refusal | None) -> Refusal | None:
        if before(ctx, "stream", ctx.stream) is value:
            ctx.stream = value
        return refusal

    return hook


def keeps_tools(ctx: Context, items: list[Item]) -> list[Item]:
    """Calls the tool of the request before if there is none."""
    declared: list[Dict] = before(ctx, "tools", ctx.body.get("tools") or [])
    if ctx.body.get("tools") or not declared:
        return items
    call = Item("function_call", ctx.new_id("fc_"), ("{}",), name=declared[0]["name"], call_id=ctx.new_id("call_"))
    return [*(one for one in items if one.kind == "reasoning"), call]


def keeps_effort(ctx: Context, parsed: ParsedRequest) -> ParsedRequest:
    """Does not think if the request before had effort none."""
    off = before(ctx, "off", inside(ctx.body, "reasoning", "effort") == "none")
    return replace(parsed, thinking=parsed.thinking and not off)


def refused_model_stays(ctx: Context, refusal: Refusal | None) -> Refusal | None:
    """Refuses a request with the unknown model of the one before, whatever connection that was sent on."""
    unknown = bool(refusal) and str(ctx.body.get("model")).startswith("no-such-model")
    with ctx.lock:
        earlier = ctx.memory.pop("unknown", None)
        if unknown:
            ctx.memory["unknown"] = refusal
    return refusal or earlier


def cached_output(ctx: Context, plan: Plan) -> Plan:
    """The output of the first request with this input, whatever else is requested."""
    with ctx.lock:
        items = ctx.memory.setdefault(f"output {to_json(ctx.body.get('input'))} {ctx.stream}", plan.items)
    return replace(plan, items=items)


def noted_error(ctx: Context, refusal: Refusal | None) -> Refusal | None:
    if refusal:
        ctx.memory["error"] = {name: refusal.members.get(name) for name in ("code", "message")}
    return refusal


def error_stays(ctx: Context, one: Dict) -> Dict:
    last = ctx.stage in ("plain", "terminal")
    left = ctx.memory.pop("error", None) if last else ctx.memory.get("error")
    return {**one, "error": left} if left else one


def tail_after_closed(ctx: Context, stream: list[Dict]) -> list[Dict]:
    """Begins with two events of a stream that the client closed."""
    with ctx.lock:
        tail: list[Dict] = ctx.memory.pop("tail", []) if ctx.memory.pop("closed", False) else []
        ctx.memory["tail"] = stream[-4:-2]
    return [*tail, *stream]


FAULTS = [
    fault("http.stream-stays-on-connection", "Streams the response behind a stream on the same connection.", REUSABLE,
          validate=keeps_stream(True)),
    fault("http.plain-stays-on-connection", "Sends no stream behind a plain response on the same connection.", REUSABLE,
          validate=keeps_stream(False)),
    fault("http.tools-stay-on-connection", "Calls the tool of the request before on the same connection.", REUSABLE,
          draft=keeps_tools),
    fault("http.effort-stays-on-connection", "Does not think behind a request with effort none on the same connection.",
          REUSABLE, parsed=keeps_effort),
    fault("request.refused-model-stays", "Refuses the request behind one with an unknown model with the same error.",
          "request.combination-accepted", validate=refused_model_stays),
    fault("response.output-cached-by-input", "Sends the output of an earlier request with the same input.",
          "response.id-unique", plan=cached_output),
    fault("http.closed-stream-continues-in-the-next", "Sends the last events of a closed stream before the next one.",
          "lifecycle.created-first", numbered=tail_after_closed),
    fault("response.error-stays", "Sends the error of a refused request in the next Response.",
          "response.completed-is-clean", "lifecycle.snapshots", validate=noted_error, response=error_stays),
]  # fmt: skip
