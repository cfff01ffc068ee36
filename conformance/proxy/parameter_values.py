"""Which values of a parameter mean the same on both sides of a proxy."""

from __future__ import annotations

import math
from typing import Any

from conformance.contract.revisions import DEFAULT
from conformance.contract.schemas import Schemas
from conformance.judge.findings import MISSING

#: Values of effort that only enable reasoning: all values except none are equivalent in the contract.
_ON = ("on", "minimal", "low", "medium", "high", "xhigh", "max", "ultra")

#: Parameters with the values by which a proxy can state the documented default.
_DEFAULTS: dict[str, tuple[Any, ...]] = {
    "temperature": (1,), "top_p": (0.95, 1), "max_output_tokens": (Schemas(DEFAULT).most_output_tokens, 32768),
    "tool_choice": ("auto",), "effort": _ON,
}  # fmt: skip


def is_default(name: str, value: Any) -> bool:
    """Whether the value states the default of the parameter."""
    return any(_equal(value, one) for one in _DEFAULTS.get(name, ()))


def is_same(name: str, value: Any, actual: Any) -> bool:
    """Whether the client's value reached the upstream; ``actual`` is MISSING where the upstream received none."""
    if name == "tool_choice" and value == "auto":
        return actual in (MISSING, "auto")  # The default, which can be left out.
    if name == "effort":
        return actual in ("none", "off", "disabled") if value == "none" else actual in (value, "on")
    return _equal(value, actual)


def _equal(value: Any, actual: Any) -> bool:
    numbers = [one for one in (value, actual) if isinstance(one, int | float) and not isinstance(one, bool)]
    if len(numbers) == 2:
        return math.isclose(numbers[0], numbers[1], rel_tol=1e-9)
    return bool(value == actual) and len(numbers) == 0
