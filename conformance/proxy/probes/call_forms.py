"""Forms of the chunks of a chat stream with tool calls and reasoning, which do not change the response."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.emulator.shapes import Dict
from conformance.proxy.script import Objects


def in_one_chunk(objects: Objects, dialect: str) -> Objects:
    """All calls in one chunk, each with its name and all of its arguments."""
    made: Objects = []
    for one in objects:
        found = one["choices"][0]["delta"].get("tool_calls") if one["choices"] else None
        before = made[-1]["choices"][0]["delta"].get("tool_calls") if made and made[-1]["choices"] else None
        if found and before and found[0]["index"] == before[-1]["index"]:
            before[-1]["function"]["arguments"] += found[0]["function"]["arguments"]
        elif found and before:
            before += found
        else:
            made.append(one)
    return made


def null_in_later_chunks(objects: Objects, dialect: str) -> Objects:
    """The chunks of a call after its first one with null as its id and name, in place of no such members."""
    known: set[int] = set()
    for call in _calls(objects):
        if call["index"] in known:
            call["id"] = None
            call["function"]["name"] = None
        known.add(call["index"])
    return objects


def indexes_with_gap(objects: Objects, dialect: str) -> Objects:
    """The calls with the indexes 1, 3 and so on: an index only states which chunks belong together."""
    for call in _calls(objects):
        call["index"] = 2 * call["index"] + 1
    return objects


def reasoning_after_text(objects: Objects, dialect: str) -> Objects:
    """The reasoning behind the text, as models send it that think between text and calls."""
    reasoning = [one for one in objects if one["choices"] and one["choices"][0]["delta"].get("reasoning_content")]
    rest = [one for one in objects if one not in reasoning]
    last = max(at for at, one in enumerate(rest) if one["choices"] and one["choices"][0]["delta"].get("content"))
    return [*rest[: last + 1], *reasoning, *rest[last + 1 :]]


def _calls(objects: Objects) -> Iterator[Dict]:
    for one in objects:
        for choice in one.get("choices") or ():
            yield from choice["delta"].get("tool_calls") or ()
