"""Faults that only complex tools and a required call show: nested arguments, references, similar names."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..hooks import Behaviour, Context, Hook, fault
from ..request_hooks import crash, inside, names_twice, refuse
from ..shapes import Dict, Item, to_json
from .outside import CHOICE, silent
from .tools import FIT, JSON, SHAPE, arguments, object_of, renamed

TOOLS, SERVED = "request.tools-accepted", "http.documented-request-served"


def each_value(how: Callable[[Any], Any]) -> Callable[[str], str]:
    """Changes the arguments at every depth, the innermost values first; arrays and objects are passed too."""

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            value = {name: walk(inner) for name, inner in value.items()}
        elif isinstance(value, list):
            value = [walk(inner) for inner in value]
        return how(value)

    return object_of(lambda values: {name: walk(value) for name, value in values.items()})


def digits(value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def fraction(value: Any) -> Any:
    return float(value) if type(value) is int else value


def escaped(value: Any) -> Any:
    """The string with escapes of JSON in place of characters beyond ASCII."""
    return json.dumps(value)[1:-1] if isinstance(value, str) else value


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
    """In streams, omits one of the two braces at the end of arguments whose last member is an object."""
    return [
        replace(one, texts=(one.texts[0][:-1],)) if ctx.stream and one.is_call and one.texts[0].endswith("}}") else one
        for one in items
    ]


def forced(test: Callable[[Dict], Any], text: str) -> Hook[list[Item]]:
    """Calls the first tool with these arguments if tool_choice passes the test."""

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


def numbered(ctx: Context, items: list[Item]) -> list[Item]:
    if not names_twice(ctx.body):
        return items
    return [replace(one, name=f"{one.name}_1") if one.is_call else one for one in items]


def choice(kind: str) -> Callable[[Dict], bool]:
    return lambda body: inside(body, "tool_choice", "type") == kind


def parameters_hold(text: str) -> Callable[[Dict], bool]:
    return lambda body: text in to_json(body.get("tools"))


def described_in_another_script(body: Dict) -> bool:
    tools = body.get("tools")
    described = [one.get("description") for one in tools if isinstance(one, dict)] if isinstance(tools, list) else []
    return not to_json(described).isascii()


FAULTS: list[Behaviour] = [
    arguments("integers-as-fractions", "Sends integers in arguments as decimal fractions.", FIT, each_value(fraction)),
    arguments("escaped-twice", "Leaves escapes of JSON in the strings of arguments.", "response.text-intact",
              each_value(escaped)),
    arguments("booleans-as-text", "Sends booleans in arguments as strings.", FIT,
              each_value(lambda value: str(value).lower() if isinstance(value, bool) else value)),
    arguments("fractions-rounded", "Rounds fractions in arguments.", FIT,
              each_value(lambda value: round(value) if isinstance(value, float) else value)),
    arguments("fractions-as-text", "Sends fractions in arguments as strings.", FIT,
              each_value(lambda value: str(value) if isinstance(value, float) else value)),
    arguments("false-and-zero-left-out",
              "Omits members with the value false or 0 in arguments.", FIT, object_of(falsy)),
    arguments("digits-become-numbers", "Sends strings of digits in arguments as numbers.", FIT,
              each_value(digits)),
    arguments("names-in-lower-case", "Changes the case of the names of members in arguments.", FIT,
              object_of(lambda values: {name.lower(): value for name, value in values.items()})),
    arguments("inner-objects-as-text", "Sends the objects in arguments as JSON strings.", FIT,
              each_value(lambda value: to_json(value) if isinstance(value, dict) else value)),
    arguments("inner-objects-emptied", "Empties the objects in arguments.", FIT, each_value(emptied)),
    arguments("inner-objects-flattened", "Moves members of nested objects in arguments to the top level.", FIT,
              object_of(flattened)),
    arguments("lists-as-text", "Sends the arrays in arguments as JSON strings.", FIT,
              each_value(lambda value: to_json(value) if isinstance(value, list) else value)),
    arguments("lists-lose-all-but-one", "Sends the first element instead of an array in arguments.", FIT,
              each_value(one_of_list)),
    fault("tools.brace-lost-streaming", "Omits a brace of arguments that end with an object, in streams.", JSON,
          draft=unclosed),
    fault("tools.name-in-lower-case", "Changes the case of the name of the tool.", FIT,
          draft=renamed(str.lower)),
    fault("tools.name-without-hyphens", "Replaces hyphens in the name of the tool by underscores.", SHAPE,
          draft=renamed(lambda name: name.replace("-", "_") if len(name) < 64 else name)),
    fault("tools.references-refused", "Refuses tools whose parameters contain $ref.", TOOLS,
          validate=refuse(parameters_hold('"$ref"'), "tools[0].parameters")),
    fault("tools.type-lists-are-500", "Responds with HTTP 500 to an array of types in the parameters of a tool.",
          SERVED, validate=crash(parameters_hold('"type":["'))),
    fault("tools.description-not-ascii-is-500", "Responds with HTTP 500 to a description of a tool outside ASCII.",
          "request.combination-accepted", validate=crash(described_in_another_script)),
    fault("tools.more-than-four-are-500", "Responds with HTTP 500 to more than four tools.", TOOLS,
          validate=crash(lambda body: isinstance(body.get("tools"), list) and len(body["tools"]) > 4)),
    fault("tools.inner-objects-refused", "Refuses tools whose parameters contain nested objects.", TOOLS,
          validate=refuse(parameters_hold('"contact"'), "tools[0].parameters")),
    fault("tools.named-choice-calls-with-nothing", "Sends an empty string as the arguments of a required tool.", JSON,
          draft=forced(choice("function"), "")),
    fault("tools.required-calls-with-null", "Sends null as the arguments of a required call.", JSON,
          draft=forced(lambda body: body.get("tool_choice") == "required", "null")),
    fault("tools.allowed-tools-call-with-text", "Sends a JSON string as the arguments with allowed_tools.", JSON,
          draft=forced(choice("allowed_tools"), '"Bern"')),
    fault("tools.required-calls-a-tool-of-its-own", "Calls an undeclared tool for tool_choice required without tools.",
          "tools.none-declared-none-called", draft=called_from_nowhere),
    fault("request.same-tool-name-is-500", "Responds with HTTP 500 to two tools with the same name.",
          "request.same-tool-name", validate=crash(names_twice)),
    fault("tools.same-name-numbered", "Calls one of two tools with the same name by a number.", SHAPE,
          draft=numbered),
    fault("undocumented.tool-choice-allowed-tools-is-500", "Responds with HTTP 500 to allowed_tools.", CHOICE,
          validate=crash(choice("allowed_tools"))),
    fault("undocumented.tool-choice-word-is-500", "Responds with HTTP 500 to an unknown tool_choice.", CHOICE,
          validate=crash(lambda body: isinstance(body.get("tool_choice"), str) and "-" in body["tool_choice"])),
    fault("undocumented.tool-choice-cut-is-500",
          "Responds with HTTP 500 if max_output_tokens truncates a required call.", CHOICE,
          validate=crash(lambda body: body.get("tool_choice") == "required" and body.get("max_output_tokens") == 8)),
    fault("undocumented.tool-choice-without-tools-hangs", "Never responds to tool_choice required without tools.",
          CHOICE, reply=silent(lambda body: body.get("tool_choice") == "required" and not body.get("tools"))),
]  # fmt: skip
