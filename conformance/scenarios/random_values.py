"""Random values that the request schema does not allow, one a request: other types, other ranges, nulls inside.

What must come of them is the same as for the violations of :mod:`conformance.scenarios.derived`: the request is refused
with an error body, or served as if the value were not there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from conformance.contract.schemas import Schemas
from conformance.scenarios.derived import Parameter, parameters, with_value
from conformance.scenarios.explore import EXPLORED
from conformance.scenarios.scenario import Scenario
from conformance.scenarios.templates import MODEL, fill

#: Numbers that JSON can write and Python's writer does not: they are put in as they stand here.
NUMBERS = ("1e400", "-1e400", "-0", "1E2", "0.1e1", "16.000")

#: Values of other types, by the class that names them; lists and objects are also drawn.
VALUES: Mapping[str, tuple[Any, ...]] = {
    "boolean": (True, False),
    "number in a string": ("1", "16", "0.5", "-1", "1e3", " 8 ", "NaN"),
    "number": (1, 1.0, 0.5, -7),
    "large number": (2**63, -(2**63) - 1, 2**64, 10**40),
    "other spelling of a number": NUMBERS,
    "empty": ("", [], {}, [[]], [{}]),
    "list": (["a"], [1], [True, "b"], [["user", "hi"]]),
    "object": ({"a": 1}, {"type": "auto"}, {"role": "user", "content": "Hi."}, {"value": "text"}),
    "null inside": ([None], {"type": None}, {"effort": None}, {"format": None}, {"content": [None]}),
    "string": ("high", "auto", "json_object", "text", "true", "none", "get_weather", "user", "null"),
}

#: The tag by which a rule takes a request up: what is sent of a wrong type, out of range, or null.
TYPE, RANGE, NULL = "random-type", "random-range", "random-null"

_KINDS = {"large number": RANGE, "other spelling of a number": RANGE, "null inside": NULL}


def random_parameters(schemas: Schemas) -> list[Parameter]:
    """The parameters that get random values: all except the model, which then would be another one, and the members of
    tools beside the required ones."""
    return [
        one
        for one in parameters(schemas)
        if one.path[0] != "model" and (one.path[0] != "tools" or len(one.path) == 1 or one.required)
    ]


def scenario_of_value(number: int, parameter: Parameter, kind: str, value: Any, schemas: Schemas) -> Scenario | None:
    """The request that gives a parameter this value; None where that is a documented request."""
    body = dict(fill(with_value(parameter, value), schemas.contract))
    if kind not in _KINDS and not schemas.errors("request.json", {"model": schemas.contract.default_model, **body}):
        return None
    spelled = kind == "other spelling of a number"
    shown = value if spelled else json.dumps(value, ensure_ascii=False)
    return Scenario(
        f"explore.{number}.illegal",
        f"a random value: {parameter.name} as {shown[:60]} ({kind})",
        body,
        raw=_spelled(body, value) if spelled else None,
        expect="either",
        about={"parameter": parameter.name, "value": shown},
        tags=frozenset({EXPLORED, _KINDS.get(kind, TYPE)}),
        wrong=True,
    )


def _spelled(body: Mapping[str, Any], number: str) -> bytes:
    """The body's bytes with a number written as it stands in a string of the body."""
    written = json.dumps({"model": "", **body}, ensure_ascii=False, separators=(",", ":"))
    written = written.replace('"model":""', f'"model":{MODEL.decode()}', 1)
    return written.replace(json.dumps(number), number, 1).encode()
