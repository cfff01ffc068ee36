"""Faults in what revision 2026-10 adds: custom tools, namespaces, and new input items."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..event_edits import everywhere, put
from ..hooks import Context, fault
from ..request_hooks import crash, input_items, refuse
from ..shapes import Dict, Item, to_json

SHAPE, NAMESPACE = "tools.custom-call-shape", "tools.call-namespace"
RETURNED, ITEMS, OUTPUT = "tools.custom-answered", "tools.added-items-accepted", "tools.custom-output-accepted"


def declares(kind: str) -> Callable[[Dict], bool]:
    """Whether `tools` contains a tool of a type."""

    def test(body: Dict) -> bool:
        tools = body.get("tools")
        return any(isinstance(one, dict) and one.get("type") == kind for one in tools or ())

    return test


def of_item(kind: str, test: Callable[[Dict], Any] = bool) -> Callable[[Dict], bool]:
    """Whether an input item of a type passes the test."""
    return lambda body: any(one.get("type") == kind and test(one) for one in input_items(body))


def null_description(item: Dict) -> bool:
    return any(tool.get("description", "") is None for tool in item.get("tools", ()) if isinstance(tool, dict))


def encrypted(item: Dict) -> bool:
    return any(part.get("type") == "encrypted_content" for part in item.get("content", ()) if isinstance(part, dict))


def renamed(_: Context, items: list[Item]) -> list[Item]:
    return [replace(one, name=f"functions.{one.name}") if one.kind == "custom_tool_call" else one for one in items]


def namespaced(how: Callable[[Item], str | None]) -> Callable[[Context, list[Item]], list[Item]]:
    return lambda _, items: [replace(one, namespace=how(one)) if one.is_call else one for one in items]


def in_name(_: Context, items: list[Item]) -> list[Item]:
    return [
        replace(one, name=f"{one.namespace}.{one.name}", namespace=None)
        if one.namespace and one.kind == "function_call" else one for one in items
    ]  # fmt: skip


def as_function(_: Context, items: list[Item]) -> list[Item]:
    """Calls custom tools as functions with the parameter input."""
    return [
        replace(one, kind="function_call", texts=(to_json({"input": one.texts[0]}),))
        if one.kind == "custom_tool_call" else one for one in items
    ]  # fmt: skip


FAULTS = [
    fault("tools.custom-called-as-function", "Calls custom tools by a function_call with the parameter input.", SHAPE,
          draft=as_function),
    fault("tools.custom-is-500", "Responds with HTTP 500 to a custom tool.", RETURNED,
          validate=crash(declares("custom"))),
    fault("tools.namespace-is-500", "Responds with HTTP 500 to a namespace of tools.", RETURNED,
          validate=crash(declares("namespace"))),
    fault("tools.custom-name-with-prefix", "Sends the name of a custom tool with the prefix functions.", SHAPE,
          draft=renamed),
    fault("tools.custom-name-is-empty", "Sends an empty name of custom tool calls.", "item.custom_tool_call.schema",
          **everywhere(put(name=""), "custom_tool_call")),
    fault("tools.namespace-is-tool-name", "Sends the name of the tool as the namespace of a call.", NAMESPACE,
          draft=namespaced(lambda one: one.namespace and one.name)),
    fault("tools.namespace-in-name", "Sends the namespace and a dot before the name in function calls.", NAMESPACE,
          draft=in_name),
    fault("tools.namespace-undeclared", "Sends a namespace that the request does not declare.", NAMESPACE,
          draft=namespaced(lambda one: one.namespace and "functions")),
    fault("tools.additional-tools-refused", "Refuses additional_tools items.", ITEMS,
          validate=refuse(of_item("additional_tools"), "input[0].type")),
    fault("tools.additional-tools-is-500", "Responds with HTTP 500 to additional_tools items.", ITEMS,
          validate=crash(of_item("additional_tools"))),
    fault("tools.null-description-refused", "Refuses null as the description of an additional tool.", ITEMS,
          validate=refuse(of_item("additional_tools", null_description), "input[0].tools[0].description")),
    fault("tools.agent-message-refused", "Refuses agent_message items.", ITEMS,
          validate=refuse(of_item("agent_message"), "input[0].type")),
    fault("tools.encrypted-content-is-500", "Responds with HTTP 500 to encrypted parts of an agent message.", ITEMS,
          validate=crash(of_item("agent_message", encrypted))),
    fault("tools.namespaced-call-refused", "Refuses a returned call with a namespace.", ITEMS,
          validate=refuse(of_item("function_call", lambda one: one.get("namespace")), "input[0].namespace")),
    fault("tools.custom-output-refused", "Refuses the output of custom tools.", OUTPUT,
          validate=refuse(of_item("custom_tool_call_output"), "input[2].type")),
    fault("tools.custom-output-parts-is-500", "Responds with HTTP 500 to the output of custom tools as parts.", OUTPUT,
          validate=crash(of_item("custom_tool_call_output", lambda one: isinstance(one.get("output"), list)))),
]  # fmt: skip
