"""Validation of a request body: the documented parameters, their types and their bounds."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any, NoReturn

from .items import check_input, check_tools
from .refusals import Refused, bad_body, bad_parameter, of, unsupported
from .service import Service
from .shapes import Dict, Refusal

# Deep enough for any real schema, far from the limits of the JSON reader.
DEEPEST = 100

# The plain strings and booleans.
STRINGS = ("instructions",)
FLAGS = ("stream",)

# The plain numbers: minimum, maximum, and whether they are integers.
NUMBERS: dict[str, tuple[float, float, bool]] = {
    "temperature": (0, 1.5, False),
    "top_p": (0.01, 1.0, False),
}

JSON_NAMES = {dict: "an object", list: "an array", str: "a string", bool: "a boolean"}


def parse(raw: bytes) -> tuple[Dict, Refusal | None]:
    """The body as an object, or an empty object and the refusal."""
    if not raw.strip():
        return {}, bad_body("is empty").refusal
    try:
        value = json.loads(raw.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return {}, bad_body("is not valid JSON").refusal
    # Each level has a bracket of its own: most bodies have too few, and need not be walked through.
    if raw.count(b"[") + raw.count(b"{") >= DEEPEST and _deeper(value, DEEPEST):
        return {}, bad_body("is nested too deeply").refusal
    if not isinstance(value, dict):
        return {}, bad_body("must be a JSON object").refusal
    return value, None


def validate(body: Dict, service: Service, models: Collection[str]) -> Refusal | None:
    """The first thing wrong with the body, or None.

    `null` is equivalent to absent for optional parameters. Undocumented parameters are ignored, except
    `previous_response_id`, which the service refuses instead of silently ignoring the conversation.
    """
    try:
        _check(body, service, models)
    except Refused as refused:
        return refused.refusal
    return None


def _check(body: Dict, service: Service, models: Collection[str]) -> None:
    _check_model(body.get("model"), models)
    if body.get("input") is None:
        raise bad_parameter("input", "is required")
    check_input(body["input"], service.revision, str(body["model"]))
    for name in STRINGS:
        _typed(body, name, str)
    for name in FLAGS:
        _typed(body, name, bool)
    _bounded(body, "max_output_tokens", 1, service.most_tokens, integral=True)
    for name, (low, high, integral) in NUMBERS.items():
        _bounded(body, name, low, high, integral)
    _check_reasoning(_typed(body, "reasoning", dict), service.efforts)
    _check_format(_typed(body, "text", dict))
    if not isinstance(body.get("tool_choice"), (str, dict, type(None))):
        raise bad_parameter("tool_choice", "must be a string")
    check_tools(_typed(body, "tools", list), service.revision)
    if body.get("previous_response_id") is not None:
        message = "previous_response_id requires stored response history, which is not available yet"
        raise Refused(of(400, message, "previous_response_id", "invalid_request_error"))


def _check_model(model: Any, models: Collection[str]) -> None:
    if model is None:
        raise bad_parameter("model", "is required")
    if not isinstance(model, str):
        raise bad_parameter("model", "must be a string")
    if model not in models:
        raise Refused(of(400, f"Unsupported model {model}", "model", "invalid_request_error"))


def _check_reasoning(reasoning: Any, efforts: Collection[str]) -> None:
    if reasoning is None:
        return
    effort = reasoning.get("effort")
    if effort is None:
        raise bad_parameter("reasoning.effort", "is required")
    if not isinstance(effort, str) or effort not in efforts:
        raise bad_parameter("reasoning.effort", f"must be one of {', '.join(efforts)}")


def _check_format(text: Any) -> None:
    wanted = _typed(text or {}, "format", dict, "text.")
    if wanted is None:
        return
    kind = wanted.get("type")
    if kind == "json_schema":
        raise unsupported("text.format", "text.format json_schema")
    if kind not in ("text", "json_object"):
        raise bad_parameter("text.format.type", "must be text or json_object")


def _typed(body: Dict, name: str, kind: type, above: str = "") -> Any:
    value = body.get(name)
    if value is not None and not isinstance(value, kind):
        raise bad_parameter(above + name, f"must be {JSON_NAMES[kind]}")
    return value


def _bounded(body: Dict, name: str, low: float, high: float, integral: bool = False) -> None:
    value = body.get(name)
    if value is None:
        return
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    # JSON has one type of number: 16.0 is an integer.
    if not number or (integral and isinstance(value, float) and not value.is_integer()):
        raise bad_parameter(name, "must be an integer" if integral else "must be a number")
    if not low <= value <= high:
        raise bad_parameter(name, f"must be between {low} and {high}")


def _deeper(value: Any, levels: int) -> bool:
    layer = [value]
    for _ in range(levels):
        if not layer:
            break
        layer = [child for one in layer for child in _children(one)]
    return bool(layer)


def _children(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
