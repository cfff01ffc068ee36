"""Faults that only requests of real clients show: by their size, and by undocumented members."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..hooks import Context, Hook, fault
from ..request_hooks import SPOILED, crash, hung_up, input_items
from ..shapes import Dict, Refusal, Reply

RULE = "http.client-request-answered"

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


FAULTS = (
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
)  # fmt: skip
