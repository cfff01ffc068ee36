"""What the bodies of scenarios leave to the contract, and how it is filled in.

A scenario's body is written once for every contract: a placeholder is used where the contract decides. :data:`BASE` is
a member that represents those of the contract's base body, and keeps their place in the JSON; a member behind it with
the same name replaces one of them. :class:`Cap` and :class:`Effort` are values.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from conformance.contract.revisions import Contract

Body = Mapping[str, Any]

#: The member that represents the base body: a request that is to be served without reasoning.
BASE = "${base}"

#: Represents the target's model in raw bytes, as a JSON string.
MODEL = b"${model}"


class Cap(StrEnum):
    """``max_output_tokens`` by what the response needs: the members of :class:`conformance.contract.revisions.Caps`."""

    CUT_CALL = "${cap.cut_call}"
    CUT = "${cap.cut}"
    WORD = "${cap.word}"
    LINE = "${cap.line}"
    TEXT = "${cap.text}"
    CALL = "${cap.call}"
    THINKING = "${cap.thinking}"
    LONG = "${cap.long}"


class Effort(StrEnum):
    """An effort value by its use; ``OFF`` is the light one where no value turns reasoning off."""

    OFF = "${effort.off}"
    LIGHT = "${effort.light}"
    USUAL = "${effort.usual}"


def fill(value: Any, contract: Contract) -> Any:
    """The value, a body or a part of one, with the contract's values in place of the placeholders."""
    if isinstance(value, Mapping):
        filled: dict[str, Any] = {}
        for name, inner in value.items():
            if name == BASE:
                filled.update(contract.base_body)
            else:
                filled[name] = fill(inner, contract)
        return filled
    if isinstance(value, bytes):
        for cap in Cap:
            value = value.replace(cap.encode(), str(fill(cap, contract)).encode())
        return value
    if isinstance(value, list | tuple):
        return [fill(one, contract) for one in value]
    if isinstance(value, Cap):
        return getattr(contract.caps, value.name.lower())
    if isinstance(value, Effort):
        return getattr(contract.effort, value.name.lower()) or contract.effort.light
    return value
