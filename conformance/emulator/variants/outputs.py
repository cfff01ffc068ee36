"""Legal variants of what the model writes, whatever the request is."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from ..hooks import Context, Hook, variant
from ..shapes import Item

WORDING = "What a model writes is up to it, whatever the request is."


def each(kind: str, how: Callable[[str], str]) -> Hook[list[Item]]:
    """Changes the texts of the items of one kind."""

    def hook(_: Context, items: list[Item]) -> list[Item]:
        return [replace(one, texts=tuple(map(how, one.texts))) if one.kind == kind else one for one in items]

    return hook


def of_one_city(arguments: str) -> str:
    """The arguments with the same city in each call."""
    given = json.loads(arguments)
    return json.dumps({**given, "city": "Paris"}, separators=(",", ":")) if "city" in given else arguments


VARIANTS = [
    variant("behaviour.one-text-for-all", WORDING, draft=each("message", lambda _: '{"word": "Hello"}')),
    variant("behaviour.one-city-for-all", WORDING, draft=each("function_call", of_one_city)),
]
