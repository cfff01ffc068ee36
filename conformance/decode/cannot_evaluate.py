"""The exceptions of checks without a verdict, and the placeholder for invalid JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from conformance.decode.json_text import LimitExceeded, load


class CannotEvaluate(Exception):
    """The recording does not contain what the check needs; the message names it."""


class DoesNotApply(Exception):
    """What the rule is about did not occur and need not occur; the message names it."""


@dataclass(frozen=True)
class InvalidJson:
    """Placeholder for the value of invalid JSON, so that not every check parses it again."""

    why: str


def load_or_invalid(text: str | bytes) -> Any:
    try:
        return load(text)
    except LimitExceeded as error:
        return InvalidJson(f"the body holds {error}")
    except ValueError as error:
        return InvalidJson(f"the body is not JSON: {error}")


def need_valid(value: Any) -> Any:
    if isinstance(value, InvalidJson):
        raise CannotEvaluate(value.why)
    return value
