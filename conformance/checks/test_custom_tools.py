"""What revision 2026-10 adds: custom tools, namespaces, and the items that declare tools or are sent by agents."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from conformance.decode.events import objects, text
from conformance.decode.response import Received
from conformance.judge.applicability import TOOL_SOURCES, UNKNOWN_SENDER, Where
from conformance.judge.common import must_be_served, must_be_served_or_refused, needs
from conformance.judge.selectors import each
from conformance.judge.verdict import EXAMINED, Case, Finding, Findings, Group, check
from conformance.scenarios.context import Context

Sent = Mapping[str, Any]


def _tools(sent: Sent) -> Iterator[tuple[str | None, dict[str, Any]]]:
    """Each declared function and custom tool with its namespace (None: in none): of ``tools`` and of the
    additional_tools items of the input."""
    items = [item for item in objects(sent.get("input")) if item.get("type") == "additional_tools"]
    for tool in (*objects(sent.get("tools")), *(tool for item in items for tool in objects(item.get("tools")))):
        if tool.get("type") == "namespace":
            yield from ((text(tool.get("name")), inner) for inner in objects(tool.get("tools")))
        else:
            yield None, tool


def _names(sent: Sent, kind: str) -> set[str]:
    """The names of the declared tools of a type."""
    return {text(tool.get("name")) for _, tool in _tools(sent) if tool.get("type") == kind}


def _declares_custom_tools(sent: Sent) -> bool:
    return bool(_names(sent, "custom"))


def _declares_namespaces(sent: Sent) -> bool:
    return any(namespace is not None for namespace, _ in _tools(sent))


def _namespaced(context: Context) -> list[Group]:
    """The scenarios that declare namespaces. A model that calls one tool a turn calls the namespaced one in the turn
    after the custom tool's output."""
    first = each("custom", where=lambda one: _declares_namespaces(one.body))
    return [*first(context), *each("custom-follow-up")(context)]


def _calls(received: Received, case: Case, *kinds: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The calls of these types with their pointers; ``CannotEvaluate`` if the scenario needs one and the response
    contains none."""
    found = [(place, item) for kind in kinds for place, item in received.items(kind)]
    if not found:
        needs(received, case)
    return ((f"{received.pointer}/output/{place}", item) for place, item in found)


@check("tools.custom-accepted", over=each("custom"))
def test_custom_and_namespace_tools(received: Received) -> Findings:
    yield _outcome(received)


@check("tools.lite-outcome", over=each("lite"))
def test_lite_mode_of_codex(received: Received) -> Findings:
    yield _outcome(received)


def _outcome(received: Received) -> Finding:
    calls = ", ".join(str(item.get("type")) for item in received.output) if received.exchange.ok else "refused"
    return Finding(f"{received.scenario}: HTTP {received.arrived}, {calls}")


@check("tools.custom-answered", over=each("custom"), without_response=True, not_for_captured=UNKNOWN_SENDER)
def test_custom_tools_are_served_or_refused(received: Received) -> Findings:
    yield from must_be_served_or_refused(received)


@check(
    "tools.custom-call-shape",
    over=each("custom", where=lambda one: _declares_custom_tools(one.body)),
    where=Where("finished", depends_on=TOOL_SOURCES, when=_declares_custom_tools),
)
def test_custom_call_names_a_declared_tool(received: Received, case: Case) -> Findings:
    declared, functions = (_names(received.sent, kind) for kind in ("custom", "function"))
    for pointer, call in _calls(received, case, "custom_tool_call", "function_call"):
        yield EXAMINED
        name, custom = text(call.get("name")), call["type"] == "custom_tool_call"
        if custom and name and name not in declared:
            message = "the name of a custom tool call is not that of a declared custom tool"
            yield Finding(message, pointer + "/name", received.event, " or ".join(sorted(declared)), name)
        elif not custom and name in declared - functions:
            message = "a function_call calls a custom tool"
            yield Finding(message, pointer + "/type", received.event, "custom_tool_call", call["type"])


@check(
    "tools.call-namespace",
    over=_namespaced,
    where=Where("finished", depends_on=TOOL_SOURCES, when=_declares_namespaces),
)
def test_namespace_of_a_call_is_declared(received: Received, case: Case) -> Findings:
    declared: dict[str, set[str | None]] = {}
    for namespace, tool in _tools(received.sent):
        declared.setdefault(text(tool.get("name")), set()).add(namespace)
    for pointer, call in _calls(received, case, "function_call", "custom_tool_call"):
        name = text(call.get("name"))
        if name not in declared:  # Another rule reports other names.
            yield from _flattened(call, pointer, received)
            continue
        namespaces = sorted(one for one in declared[name] if one)
        yield EXAMINED
        if isinstance(call.get("namespace"), str) and call["namespace"] not in namespaces:
            message = "the namespace of a call does not declare a tool of that name"
            expected = " or ".join(namespaces) or "no namespace"
            yield Finding(message, pointer + "/namespace", received.event, expected, call["namespace"])


def _flattened(call: Mapping[str, Any], pointer: str, received: Received) -> Findings:
    """A finding for a function call whose name is of the form ``namespace.tool``, with any separator."""
    name = text(call.get("name")) if call.get("type") == "function_call" else ""
    tools = ((text(space), text(tool.get("name"))) for space, tool in _tools(received.sent))
    for space, tool in tools:
        if space and re.fullmatch(rf"{re.escape(space)}\W?_*{re.escape(tool)}", name):
            yield EXAMINED
            message = "the name of a call is the tool's name behind its namespace"
            yield Finding(message, pointer + "/name", received.event, tool, name)
            return


@check("tools.added-items-accepted", over=each("added-item"), not_for_captured=UNKNOWN_SENDER)
def test_added_items_are_accepted(received: Received) -> Findings:
    yield from must_be_served(received)


@check("tools.custom-output-accepted", over=each("custom-follow-up"), not_for_captured=UNKNOWN_SENDER)
def test_output_of_a_custom_call_is_accepted(received: Received) -> Findings:
    yield from must_be_served(received)
