"""Why a check comes to no verdict, and JSON that is none: what stands in the way of judging."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from conformance.decode.json_text import LimitExceeded, load


class CannotEvaluate(Exception):
    """The record does not hold what the check needs; the message says what is missing."""


class DoesNotApply(Exception):
    """The rule is about something that did not happen and need not happen; the message says what."""


@dataclass(frozen=True)
class InvalidJson:
    """Stands for the JSON of a text that is none, so that it is not tried again by every check."""

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
