"""Faults that only requests of real clients show: by their size, and by undocumented members."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..hooks import Context, Hook, fault
from ..refusals import of
from ..request_hooks import SPOILED, crash, hung_up, input_items, inside
from ..shapes import Dict, Refusal, Reply

RULE = "http.client-request-answered"

#: The header of the lite mode of Codex.
LITE = "x-openai-internal-codex-responses-lite"

#: More bytes than any request except those of an agent with all its instructions and tools.
LONG = 20_000

PAGE = "<!DOCTYPE html><html><head><title>Request too long</title></head><body>Request too long</body></html>"


def has_item(test: Callable[[Dict], Any]) -> Callable[[Dict], bool]:
    return lambda body: any(test(one) for one in input_items(body))


def namespaced(body: Dict) -> bool:
    tools = body.get("tools")
    return isinstance(tools, list) and any(isinstance(one, dict) and one.get("type") == "namespace" for one in tools)


def null_in_call(item: Dict) -> bool:
    return item.get("type") == "function_call" and None in item.values()


def not_acceptable(ctx: Context, refusal: Refusal | None) -> Refusal | None:
    wrong = ctx.stream and ctx.sent("accept") == "application/json"
    return of(406, "Not Acceptable", "", "") if wrong and not refusal else refusal


def unhinged(_: Context, refusal: Refusal | None) -> Refusal | None:
    return SPOILED


def long(hook: Hook[Any]) -> Hook[Any]:
    """The hook, for long bodies only."""
    return lambda ctx, value: hook(ctx, value) if len(ctx.raw) > LONG else value


def down(_: Context, refusal: Refusal | None) -> Refusal | None:
    return replace(SPOILED, status=503)


def page(_: Context, reply: Reply) -> Reply:
    return replace(reply, framing="length").coded(200).having("Content-Type", "text/html").saying(PAGE)


def silent(_: Context, reply: Reply) -> Reply:
    return hung_up(reply)


def in_detail(ctx: Context, reply: Reply) -> Reply:
    """Refuses a namespace of tools in the error format of a web framework."""
    if ctx.served or reply.status == 401 or not namespaced(ctx.body):
        return reply
    detail = [{"loc": ["body", "tools", 0, "type"], "msg": "Input should be 'function'", "type": "literal_error"}]
    return reply.coded(422).saying({"detail": detail})


def lite(ctx: Context) -> bool:
    """Whether the request is of the lite mode of Codex."""
    return ctx.sent(LITE) is not None


def in_lite(hook: Hook[Any]) -> Hook[Any]:
    """The hook, for requests of the lite mode only."""
    return lambda ctx, value: hook(ctx, value) if lite(ctx) else value


def served_error(_: Context, reply: Reply) -> Reply:
    """An error with the status of success."""
    error = {"error": {"code": "400", "message": "lite mode is not available"}}
    return replace(reply, framing="length").coded(200).having("Content-Type", "application/json").saying(error)


def half(ctx: Context, reply: Reply) -> Reply:
    """The first half of the stream."""
    return reply if not ctx.served else replace(reply, chunks=reply.chunks[: len(reply.chunks) // 2], ending="cut")


def reviewed(body: Dict) -> bool:
    """Whether Codex requests a review of a command: a JSON Schema, and tools in the input."""
    return inside(body, "text", "format", "type") == "json_schema" and bool(has_item(declares_tools)(body))


def declares_tools(item: Dict) -> bool:
    return item.get("type") == "additional_tools"


FAULTS = (
    fault("clients.lite-mode-is-500", "Responds with HTTP 500 to the header of the lite mode of Codex.", RULE,
          validate=in_lite(unhinged)),
    fault("clients.lite-mode-refused-with-200", "Refuses the lite mode of Codex with HTTP 200.", RULE,
          reply=in_lite(served_error)),
    fault("clients.lite-mode-cut-off", "Closes the connection in the middle of streams in the lite mode of Codex.",
          "sse.not-cut", reply=in_lite(half)),
    fault("clients.lite-mode-unanswered", "Closes the connection on the header of the lite mode of Codex.", RULE,
          reply=in_lite(silent)),
    fault("clients.approval-is-500", "Responds with HTTP 500 to the approval request of Codex.", RULE,
          validate=crash(reviewed)),
    fault("clients.long-body-is-500",
          "Responds with HTTP 500 to a body of more than 20 kB.", RULE, validate=long(unhinged)),
    fault("clients.long-body-is-503", "Responds with HTTP 503 to every body of more than 20 kB.", RULE,
          validate=long(down)),
    fault("clients.long-body-is-a-page", "Responds to a body of more than 20 kB with an HTML page and HTTP 200.", RULE,
          reply=long(page)),
    fault("clients.long-body-cut-off", "Closes the connection on a body of more than 20 kB.", RULE,
          reply=long(silent)),
    fault("clients.namespace-refused-in-detail",
          "Refuses a namespace of tools in the error format of a web framework.", RULE,
          reply=in_detail),
    fault("clients.client-metadata-is-500", "Responds with HTTP 500 to client_metadata.", RULE,
          validate=crash(lambda body: "client_metadata" in body)),
    fault("clients.item-reference-is-500", "Responds with HTTP 500 to a reference to an unknown item.", RULE,
          validate=crash(has_item(lambda item: item.get("type") == "item_reference"))),
    fault("clients.parsed-arguments-are-500",
          "Responds with HTTP 500 to a returned call with additional members.", RULE,
          validate=crash(has_item(lambda item: "parsed_arguments" in item))),
    fault("clients.null-in-call-is-500", "Responds with HTTP 500 to null members of a returned call.", RULE,
          validate=crash(has_item(null_in_call))),
    fault("clients.empty-include-is-500", "Responds with HTTP 500 to an empty include.", RULE,
          validate=crash(lambda body: body.get("include") == [])),
    fault("clients.json-not-acceptable-for-streams",
          "Refuses Accept: application/json with HTTP 406 where it streams.", "http.client-headers-served",
          validate=not_acceptable),
)  # fmt: skip
