"""Servers that serve part of the documented base only: the built-in endpoint with a refusal in front of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from conformance.emulator import Behaviour, Context
from conformance.emulator.auth import REFUSED
from conformance.emulator.hooks import fault
from conformance.emulator.shapes import Refusal

Body = Mapping[str, Any]


def _error(status: int, message: str, param: str = "") -> Refusal:
    return Refusal(status, {"message": message, "param": param, "code": str(status), "type": "invalid_request"})


def _body(name: str, test: Callable[[Body], object], refusal: Refusal) -> Behaviour:
    def validate(ctx: Context, usual: Refusal | None) -> Refusal | None:
        return refusal if ctx.body and test(ctx.body) else usual

    return fault(f"dialect.{name}", f"A server that {name}.", validate=validate)


def _header(name: str, wanted: str) -> Behaviour:
    def auth(ctx: Context, usual: Refusal | None) -> Refusal | None:
        return usual if ctx.sent(wanted) else REFUSED

    return fault(f"dialect.{name}", f"A server that knows {wanted} only.", auth=auth)


def _effort(body: Body) -> Any:
    reasoning = body.get("reasoning")
    return reasoning.get("effort") if isinstance(reasoning, dict) else None


def _cap(body: Body) -> Any:
    return body.get("max_output_tokens")


NO_EFFORT_NONE = _body(
    "no-effort-none", lambda body: _effort(body) == "none",
    _error(422, "Input should be 'low', 'medium' or 'high'", "body.reasoning.effort"),
)  # fmt: skip

DIALECTS = {
    "bearer-only": _header("bearer-only", "authorization"),
    "api-key-only": _header("api-key-only", "api-key"),
    "no-effort-none": NO_EFFORT_NONE,
    "no-reasoning": _body(
        "no-reasoning", lambda body: "reasoning" in body, _error(400, "Unrecognized request argument: reasoning")
    ),
    "no-cap": _body(
        "no-cap", lambda body: "max_output_tokens" in body, _error(400, "Unsupported parameter: max_output_tokens")
    ),
    "messages-only": _body(
        "messages-only", lambda body: isinstance(body.get("input"), str), _error(400, "input must be a list")
    ),
    "no-streams": _body("no-streams", lambda body: body.get("stream"), _error(501, "Streaming is not implemented")),
    "no-plain": _body(
        "no-plain", lambda body: not body.get("stream"), _error(400, "Only stream: true is supported", "stream")
    ),
    "no-tools": _body("no-tools", lambda body: body.get("tools"), _error(400, "tools are not supported")),
    "breaks-at-low-caps": _body(
        "breaks-at-low-caps", lambda body: isinstance(_cap(body), int) and 0 < _cap(body) < 64,
        _error(500, "The model produced no text before the limit: Model token limit exceeded"),
    ),
}  # fmt: skip
