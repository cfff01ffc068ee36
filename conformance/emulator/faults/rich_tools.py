"""Faults that only rich tools and a demanded call show: nested arguments, references, similar names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..hooks import Behaviour, Context, Hook, fault
from ..request_hooks import crash, inside, refuse
from ..shapes import Dict, Item, to_json
from .outside import CHOICE, silent
from .tools import FIT, JSON, SHAPE, arguments, object_of, renamed

TOOLS, SERVED = "request.tools-accepted", "http.documented-request-served"


def each_value(how: Callable[[Any], Any]) -> Callable[[str], str]:
    """Changes the arguments at every depth, the innermost values first; lists and objects are passed too."""

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            value = {name: walk(inner) for name, inner in value.items()}
        elif isinstance(value, list):
            value = [walk(inner) for inner in value]
        return how(value)

    return object_of(lambda values: {name: walk(value) for name, value in values.items()})


def digits(value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def falsy(values: Dict) -> Dict:
    return {name: value for name, value in values.items() if value}


def flattened(values: Dict) -> Dict:
    inner = {name: each for value in values.values() if isinstance(value, dict) for name, each in value.items()}
    return {**{name: value for name, value in values.items() if not isinstance(value, dict)}, **inner}


def emptied(value: Any) -> Any:
    return {} if isinstance(value, dict) else value


def one_of_list(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else value


def unclosed(ctx: Context, items: list[Item]) -> list[Item]:
    """In streams, loses one of the two braces that end arguments whose last member is an object."""
    return [
        replace(one, texts=(one.texts[0][:-1],)) if ctx.stream and one.is_call and one.texts[0].endswith("}}") else one
        for one in items
    ]


def forced(test: Callable[[Dict], Any], text: str) -> Hook[list[Item]]:
    """Calls the first tool with these arguments where the choice passes the test."""

    def hook(ctx: Context, items: list[Item]) -> list[Item]:
        tools = ctx.body.get("tools")
        if not tools or not test(ctx.body):
            return items
        call = Item("function_call", ctx.new_id("fc_"), (text,), "completed", tools[0]["name"], ctx.new_id("call_"))
        return [call]

    return hook


def called_from_nowhere(ctx: Context, items: list[Item]) -> list[Item]:
    if ctx.body.get("tool_choice") != "required" or ctx.body.get("tools"):
        return items
    return [Item("function_call", ctx.new_id("fc_"), ("{}",), "completed", "default_tool", ctx.new_id("call_"))]


def choice(kind: str) -> Callable[[Dict], bool]:
    return lambda body: inside(body, "tool_choice", "type") == kind


def parameters_hold(text: str) -> Callable[[Dict], bool]:
    return lambda body: text in to_json(body.get("tools"))


FAULTS: list[Behaviour] = [
    arguments("booleans-as-text", "Writes booleans in arguments as text.", FIT,
              each_value(lambda value: str(value).lower() if isinstance(value, bool) else value)),
    arguments("fractions-rounded", "Rounds fractions in arguments.", FIT,
              each_value(lambda value: round(value) if isinstance(value, float) else value)),
    arguments("fractions-as-text", "Writes fractions in arguments as text.", FIT,
              each_value(lambda value: str(value) if isinstance(value, float) else value)),
    arguments("false-and-zero-left-out", "Leaves false and 0 out of arguments.", FIT, object_of(falsy)),
    arguments("digits-become-numbers", "Makes numbers of digits in the strings of arguments.", FIT,
              each_value(digits)),
    arguments("inner-objects-as-text", "Encodes the objects in arguments as text.", FIT,
              each_value(lambda value: to_json(value) if isinstance(value, dict) else value)),
    arguments("inner-objects-emptied", "Empties the objects in arguments.", FIT, each_value(emptied)),
    arguments("inner-objects-flattened", "Moves the members of the objects in arguments to the top.", FIT,
              object_of(flattened)),
    arguments("lists-as-text", "Encodes the lists in arguments as text.", FIT,
              each_value(lambda value: to_json(value) if isinstance(value, list) else value)),
    arguments("lists-lose-all-but-one", "Gives the first element in place of a list.", FIT,
              each_value(one_of_list)),
    fault("tools.brace-lost-streaming", "Loses a brace in streams where an object ends the arguments.", JSON,
          draft=unclosed),
    fault("tools.name-in-lower-case", "Changes the capitals in the name of the tool.", FIT,
          draft=renamed(str.lower)),
    fault("tools.name-without-hyphens", "Writes underscores for hyphens in the name of the tool.", SHAPE,
          draft=renamed(lambda name: name.replace("-", "_") if len(name) < 64 else name)),
    fault("tools.references-refused", "Refuses tools whose parameters hold $ref.", TOOLS,
          validate=refuse(parameters_hold('"$ref"'), "tools[0].parameters")),
    fault("tools.type-lists-are-500", "Fails inside on a list of types in the parameters of a tool.",
          SERVED, validate=crash(parameters_hold('"type":["'))),
    fault("tools.inner-objects-refused", "Refuses parameters with objects inside.", TOOLS,
          validate=refuse(parameters_hold('"contact"'), "tools[0].parameters")),
    fault("tools.named-choice-calls-with-nothing", "Calls the named tool with empty text for arguments.", JSON,
          draft=forced(choice("function"), "")),
    fault("tools.required-calls-with-null", "Calls with null for arguments where a call is required.", JSON,
          draft=forced(lambda body: body.get("tool_choice") == "required", "null")),
    fault("tools.allowed-tools-call-with-text", "Calls with a bare string where only some tools are allowed.", JSON,
          draft=forced(choice("allowed_tools"), '"Bern"')),
    fault("tools.required-calls-a-tool-of-its-own", "Calls a tool of its own where a call is required of none.",
          "tools.none-declared-none-called", draft=called_from_nowhere),
    fault("undocumented.tool-choice-allowed-tools-is-500", "Fails inside on a choice of allowed tools.", CHOICE,
          validate=crash(choice("allowed_tools"))),
    fault("undocumented.tool-choice-word-is-500", "Fails inside on a tool_choice nobody knows.", CHOICE,
          validate=crash(lambda body: isinstance(body.get("tool_choice"), str) and "-" in body["tool_choice"])),
    fault("undocumented.tool-choice-cut-is-500", "Fails inside where the cap cuts a required call.", CHOICE,
          validate=crash(lambda body: body.get("tool_choice") == "required" and body.get("max_output_tokens") == 8)),
    fault("undocumented.tool-choice-without-tools-hangs", "Never answers where a call is required of no tool.",
          CHOICE, reply=silent(lambda body: body.get("tool_choice") == "required" and not body.get("tools"))),
]  # fmt: skip
