"""Requests derived from ``request.json``: each boundary (accepted) and one violation of each keyword (refused).

A parameter added to the schema adds its cases. A name contains parameter and value: ``temperature=1.5``.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from conformance.contract.schemas import Schema, Schemas
from conformance.scenarios.ordinary import SHORT
from conformance.scenarios.scenario import Body, Scenario
from conformance.scenarios.templates import Effort
from conformance.scenarios.tools import WEATHER

#: A request that is cheap even where a lenient server serves it: the members of the base request and no other, so that
#: a probe built on it differs from a served request in one thing.
CHEAP: Body = {**SHORT, "input": "Say hello."}

#: The other members of the object around a nested member, so that only the member under test is unusual.
_SIBLINGS: dict[str, Any] = {
    "tools": [WEATHER],
    "text": {"format": {"type": "text"}},
    "reasoning": {"effort": Effort.OFF},
}

#: For each type, a value of another type.
_WRONG_TYPE = {
    "string": 5,
    "integer": "many",
    "number": "warm",
    "boolean": "yes",
    "object": "plain",
    "array": "all",
}

#: The request that has every optional parameter as null.
NULLS = "optional=null"

#: By how much a number out of range exceeds its limit.
_BEYOND = {"integer": 1, "number": 0.1}

#: Values that careless code converts to the right type: a number as a string, 1 as true, a member as its object.
_COERCED: dict[str, Any] = {"temperature": "1", "stream": 1}

#: Values of a wrong type that a client may send by mistake, in place of the general one.
_PLAUSIBLE: dict[str, Any] = {"reasoning": "high"}

#: The first integer beyond a signed 64-bit integer.
_HUGE = 2**63

#: Parameters whose valid values other scenarios send.
_SENT_BY_OTHERS = ("reasoning", "tools", "input")


@dataclass(frozen=True)
class Parameter:
    """A parameter by its path, such as ``("reasoning", "effort")``; a step ``0`` goes into the array's first item."""

    path: tuple[str | int, ...]
    schema: Schema
    required: bool

    @property
    def name(self) -> str:
        """The dotted name, array items as ``[]``."""
        return "".join("[]" if step == 0 else f".{step}" for step in self.path).removeprefix(".")

    @property
    def types(self) -> list[str]:
        """The JSON types it may have."""
        kind = self.schema.get("type", [])
        return [kind] if isinstance(kind, str) else list(kind)


def parameters(schemas: Schemas) -> list[Parameter]:
    """Every documented parameter, nested ones after the one that contains them."""
    return list(_walk(schemas, schemas.document("request.json"), ()))


def _walk(schemas: Schemas, schema: Schema, path: tuple[str | int, ...]) -> Iterator[Parameter]:
    for name, part in schema.get("properties", {}).items():
        part = schemas.resolve(part)
        yield Parameter((*path, name), part, name in schema.get("required", []))
        if name == "tools":
            items = schemas.resolve(part["items"])
            # If the schema distinguishes types of tools, use the function tool, which every revision has.
            items = items if "properties" in items and "name" in items["properties"] else _function(schemas, items)
            yield from _walk(schemas, items, (*path, name, 0))
        elif name != "parameters":
            yield from _walk(schemas, part, (*path, name))


def _function(schemas: Schemas, items: Schema) -> Schema:
    branch = next(one for one in items["allOf"] if one["if"]["properties"]["type"]["const"] == "function")
    return schemas.resolve(branch["then"])


def accepted(schemas: Schemas) -> list[Scenario]:
    """Each boundary, enum value, constant and typical value of each parameter."""
    found: list[Scenario] = []
    for parameter in parameters(schemas):
        if parameter.path[0] in _SENT_BY_OTHERS:
            continue
        for value in _ordinary(parameter):
            body = with_value(parameter, value)
            found.append(
                Scenario(
                    f"{parameter.name}={_show(value)}",
                    f"{parameter.name} as {_show(value)}",
                    body,
                    about={"parameter": parameter.name.removesuffix(".type")},
                    tags=frozenset({"accepted"}),
                )
            )
    return found


def _ordinary(parameter: Parameter) -> Iterator[Any]:
    schema = parameter.schema
    if "enum" in schema:
        yield from schema["enum"]
    elif "const" in schema:
        yield schema["const"]
    elif "minimum" in schema:
        yield schema["minimum"]
        yield schema["maximum"]
    elif parameter.types == ["boolean"]:
        yield False
        if parameter.name != "stream":  # Half of the scenarios send stream: true.
            yield True
    elif parameter.types == ["string"] and parameter.name != "model":
        yield "Be brief."


#: Violations that are also sent with ``stream: true``, which must be refused with the same status.
_STREAMED = ("model=missing", "input=missing", "max_output_tokens=many", "temperature=1.6")


def violations(schemas: Schemas) -> list[Scenario]:
    """One violation of each keyword of each parameter."""
    plain = _plain_violations(schemas)
    return [_together(plain), *plain, *(one.streamed() for one in plain if one.name in _STREAMED)]


def _together(plain: list[Scenario]) -> Scenario:
    """All nulls in one request; each is sent alone only if that is not served."""
    body = {name: value for one in plain if one.within for name, value in one.body.items() if value is None}
    return Scenario(
        NULLS,
        "every optional parameter except max_output_tokens as null",
        {**CHEAP, **body},
        expect="either",
        about={"parameter": "every optional parameter"},
        tags=frozenset({"null"}),
        wrong=True,
    )


def _plain_violations(schemas: Schemas) -> list[Scenario]:
    return [
        Scenario(
            f"{parameter.name}={_show(value)}" if keyword != "required" else f"{parameter.name}=missing",
            f"{parameter.name} {'left out' if keyword == 'required' else 'as ' + _show(value)}",
            body,
            expect="refusal" if keyword == "required" and len(parameter.path) == 1 else "either",
            about={"parameter": parameter.name, "keyword": keyword, "value": _show(value)},
            tags=frozenset({"violation", keyword}),
            claims=frozenset({"reasoning"} if parameter.path[0] == "reasoning" else ()),
            wrong=True,
            # Without max_output_tokens a served request would be expensive.
            within=NULLS if keyword == "null" and parameter.name != "max_output_tokens" else None,
        )
        for parameter in parameters(schemas)
        for keyword, value, body in _violations(parameter)
    ]


def _violations(parameter: Parameter) -> Iterator[tuple[str, Any, Body]]:
    schema, types = parameter.schema, parameter.types
    if parameter.path[-1] == "type" and "const" in schema:
        return  # Other types of tools are sent as undocumented ones.
    if parameter.path[0] == "tools" and len(parameter.path) > 1 and not parameter.required:
        return  # Optional members of a tool are for the model, not for the endpoint.
    general = next(value for kind, value in _WRONG_TYPE.items() if kind in types)
    wrong = _PLAUSIBLE.get(parameter.name, general)
    yield "type", wrong, with_value(parameter, wrong)
    if parameter.name != "tool_choice":  # By the documentation other values are ignored.
        if types == ["integer"]:  # Values that lenient parsers accept as integers.
            yield "type", "16", with_value(parameter, "16")
            yield "type", 10.5, with_value(parameter, 10.5)
            yield "type", True, with_value(parameter, True)
        if parameter.name in _COERCED:
            yield "type", _COERCED[parameter.name], with_value(parameter, _COERCED[parameter.name])
        if "array" in types:
            yield "type", [5], with_value(parameter, [5])
        if parameter.required:
            yield "required", None, _without(parameter)
    if len(parameter.path) == 1 and not parameter.required:
        yield "null", None, with_value(parameter, None)
    if "enum" in schema:
        yield "enum", "unlisted", with_value(parameter, "unlisted")
    if "pattern" in schema:
        yield "pattern", "not a name!", with_value(parameter, "not a name!")
    step = _BEYOND.get(types[0] if types else "", 0)
    if "minimum" in schema:
        below = 0 if schema["minimum"] > 0 else round(schema["minimum"] - step, 6)
        yield "minimum", below, with_value(parameter, below)
    if "maximum" in schema:
        above = round(schema["maximum"] + step, 6)
        yield "maximum", above, with_value(parameter, above)
        if types == ["integer"]:
            yield "maximum", _HUGE, with_value(parameter, _HUGE)


def with_value(parameter: Parameter, value: Any) -> Body:
    """A cheap request in which a parameter has a value, and all else is documented."""
    body = _frame(parameter)
    _parent(body, parameter)[parameter.path[-1]] = value
    return body


def _without(parameter: Parameter) -> Body:
    body = _frame(parameter)
    if parameter.name == "model":
        return {**body, "model": None}  # encode() omits a model of None.
    _parent(body, parameter).pop(parameter.path[-1], None)
    return body


def _frame(parameter: Parameter) -> dict[str, Any]:
    body: dict[str, Any] = copy.deepcopy(dict(CHEAP))
    top = str(parameter.path[0])
    if len(parameter.path) > 1 and top in _SIBLINGS:
        body[top] = copy.deepcopy(_SIBLINGS[top])
    if top == "text":
        body["input"] = "Say hello as a JSON object."  # OpenAI requires the word JSON in the input for this format.
    return body


def _parent(body: dict[str, Any], parameter: Parameter) -> Any:
    at: Any = body
    for step in parameter.path[:-1]:
        at = at[step]
    return at


def _show(value: Any) -> str:
    """The value as part of a name; a string of digits keeps its quotes."""
    if isinstance(value, str):
        return json.dumps(value) if value.isdecimal() else value.replace(" ", "-")
    return json.dumps(value)
