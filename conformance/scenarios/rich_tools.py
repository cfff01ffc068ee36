"""Tools whose parameters use most of JSON Schema: each type, nesting, references; and tools with similar names."""

from __future__ import annotations

from typing import Any

from conformance.scenarios.ordinary import CORE, both
from conformance.scenarios.scenario import Scenario
from conformance.scenarios.tools import CALLS, WEATHER, similar, with_tools

Schema = dict[str, Any]


def _object(properties: dict[str, Schema], *optional: str) -> Schema:
    """A closed object in which all members are required except the optional ones."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


#: One member of each type, an object as the last one, and values that careless code changes: false, 0, a fraction,
#: a string of digits.
RICH: dict[str, Any] = {
    "type": "function",
    "name": "book_trip",
    "description": "Book a trip by train.",
    "parameters": _object(
        {
            "direct": {"type": "boolean", "default": False, "description": "Whether only direct trains will do"},
            "travellers": {"type": "integer", "minimum": 2, "maximum": 9},
            "children": {"type": "integer", "minimum": 0, "maximum": 9},
            "discount": {"type": "number", "minimum": 0.1, "maximum": 0.9, "description": "A share, such as 0.25"},
            "remark": {"type": "string"},
            "class": {"type": "string", "enum": ["2", "1"]},
            "stops": {"type": "array", "items": {"type": "string"}, "minItems": 2},
            "luggage": {
                "type": "array",
                "items": _object({"kind": {"type": "string", "enum": ["bag", "ski"]}, "kilos": {"type": "integer"}}),
                "minItems": 2,
            },
            "contact": _object(
                {
                    "name": {"type": "string"},
                    "address": _object({"city": {"type": "string"}, "country": {"type": "string"}}),
                }
            ),
        },
        "remark",
    ),
}

#: References, lists of types, a member without a type, alternatives, a definition that refers to another.
REFERENCES: dict[str, Any] = {
    "type": "function",
    "name": "Find_Route-2b",
    "description": "Find a route.",
    "parameters": {
        "$defs": {
            "place": _object({"city": {"type": "string"}, "zone_3b": {"type": ["integer", "null"]}}, "zone_3b"),
            "leg": _object({"to": {"$ref": "#/$defs/place"}, "by": {"enum": ["train", "bus"]}}),
        },
        **_object(
            {
                "start": {"$ref": "#/$defs/place"},
                "legs": {"type": "array", "items": {"$ref": "#/$defs/leg"}, "minItems": 1},
                "maxStops": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]},
                "via": {"type": ["array", "null"], "items": _object({"at": _object({"stop": {"type": "string"}})})},
                "note": {"description": "Whatever else matters"},
            },
            "note",
        ),
    },
}


def _unused(name: str, *properties: tuple[str, Any], **more: Any) -> dict[str, Any]:
    """A tool that no question calls for."""
    parameters = {"type": "object", "properties": dict(properties), **more}
    return {
        "type": "function",
        "name": name,
        "description": f"Not for this question: {name}.",
        "parameters": parameters,
    }


def _deep(levels: int) -> Schema:
    """Objects within objects."""
    return _object({"inner": _deep(levels - 1)}) if levels else {"type": "string"}


#: What JSON Schema has besides, in tools that are declared and not called: constants, alternatives, patterns, formats,
#: null, definitions under their old name, deep nesting, and names of members and tools that careless code trips over.
TOOLBOX: tuple[dict[str, Any], ...] = (
    {"type": "function", "name": "_", "description": "-", "parameters": {}},
    {
        "type": "function",
        "name": "no_type",
        "description": "-",
        "parameters": {"properties": {"query": {}}},
        "strict": False,
    },
    _unused("1st_choice", ("0", {"type": "integer", "enum": [1, 2, 3]}), ("größe", {"type": "number"})),
    _unused(
        "const_and_enum", ("kind", {"const": "exact"}), ("unit", {"type": ["string", "null"], "enum": ["c", None]})
    ),
    _unused("patterns", ("code", {"type": "string", "pattern": "^[A-Z]{2}\\d+$"}), ("day", {"format": "date"})),
    _unused("one_of", ("who", {"oneOf": [{"type": "string"}, {"type": "integer"}]})),
    _unused("all_of", ("what", {"allOf": [{"type": "string"}, {"minLength": 1}]}), ("not", {"not": {"type": "null"}})),
    _unused("defaults", ("note", {"type": ["string", "null"], "default": None}), additionalProperties=True),
    _unused("Old-Definitions", ("at", {"$ref": "#/definitions/at"}), definitions={"at": {"type": "string"}}),
    _unused("maps", ("tags", {"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 1})),
    _unused("tuples", ("pair", {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}]})),
    _unused("deep", ("path", _deep(12)), required=["path"]),
    {**_unused("described", ("text", {"type": "string"})), "description": "Not for this question. 与问题无关。" * 60},
    *(_unused(f"spare_{number}", ("value", {"type": "boolean"})) for number in range(4)),
)


def scenarios() -> list[Scenario]:
    """One rich tool, references among tools with similar names, and two tools with one name."""
    rich = Scenario(
        "tools.rich",
        "a tool with parameters of each type",
        with_tools(
            "Use book_trip once: 2 travellers and no children from Zürich to Milano with stops in Arth and Lugano, not "
            "direct, class 2, discount 0.1, luggage a bag of 9 kilos and a ski of 7 kilos, contact Anna Keller in "
            "Bern, Switzerland.",
            RICH,
        ),
        need=CALLS,
        tries=3,
        tags=CORE | {"call", "tools-accepted"},
        claims=frozenset({"tools"}),
    )
    references = Scenario(
        "tools.references",
        "a tool whose parameters use $ref, $defs and lists of types, among tools with similar names",
        with_tools(
            "Use Find_Route-2b once: start in Bern, one leg to Genf by train, maxStops 1, via the stop Fribourg.",
            *(similar(name) for name in ("find_route-2b", "Find-Route_2b")),
            REFERENCES,
            similar("Find_Route-2bb"),
        ),
        need=CALLS,
        tries=3,
        tags=CORE | {"call", "tools-accepted"},
        claims=frozenset({"tools"}),
    )
    same = Scenario(
        "tools.same-name",
        "two tools with the same name",
        with_tools(
            "Use get_weather to find out the weather in Bern for 1 day in celsius.",
            WEATHER,
            {**WEATHER, "description": "Get the weather of a city from another source."},
        ),
        expect="either",
        about={"rule": "same-tool-name"},
        tags=frozenset({"harmless"}),
        claims=frozenset({"tools"}),
    )
    return [*both(rich), references.streamed(), same]
