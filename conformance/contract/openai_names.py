"""Names of OpenAI's Responses API, and how the suite treats each: ``openai_names.toml``.

``python -m tools.openai_names`` compares the file with the openai package.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_suffix(".toml")

#: Parameters of a request, members and types of tools, types of input items, output items and events.
GROUPS = ("parameters", "tool_fields", "tool_types", "input_items", "output_items", "events")


@dataclass(frozen=True)
class Names:
    """The version of the openai package, and by group the treatment of each name."""

    version: str
    groups: Mapping[str, Mapping[str, str]]


@cache
def read() -> Names:
    """The content of the file; groups that it does not have are empty."""
    content = tomllib.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    return Names(content.get("version", ""), {group: content.get(group, {}) for group in GROUPS})


def is_openai(group: str, name: str) -> bool:
    """Whether OpenAI's API has this name in a group."""
    return name in read().groups[group]


def undocumented_event(kind: str) -> str:
    """The message about an event whose type the contract does not document."""
    if is_openai("events", kind):
        return f"{kind} is an OpenAI event type that MiMo does not document"
    return f"undocumented event type {kind}"


def undocumented_item(kind: str) -> str:
    """The message about an output item whose type the contract does not document."""
    if is_openai("output_items", kind):
        return f"an output item has the type {kind!r}, an OpenAI item type that MiMo does not document"
    return f"an output item has the undocumented type {kind!r}"
