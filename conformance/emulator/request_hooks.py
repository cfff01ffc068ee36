"""Functions that make hooks for requests (authentication, validation) and for replies."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from .event_edits import Edit, Test
from .hooks import Context, Hook
from .refusals import bad_parameter, of
from .shapes import Dict, Refusal, Reply, phrase, to_json

SPOILED = of(500, phrase(500), "", "server_error")


# --- requests -------------------------------------------------------------------------------------


def input_items(body: Dict) -> list[Dict]:
    """The input items that are objects; none when `input` is a string."""
    given = body.get("input")
    return [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []


def input_parts(body: Dict) -> Iterator[Dict]:
    """The content parts of all input items."""
    for one in input_items(body):
        for name in ("content", "output"):
            if isinstance(one.get(name), list):
                yield from (part for part in one[name] if isinstance(part, dict))


def inside(body: Dict, *path: str) -> Any:
    """A nested member of the body; None if any step is missing."""
    value: Any = body
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def lacks_strict(body: Dict) -> bool:
    """Whether a tool has no ``strict``."""
    tools = body.get("tools")
    return any(isinstance(one, dict) and "strict" not in one for one in tools) if isinstance(tools, list) else False


def names_twice(body: Dict) -> bool:
    """Whether two tools have the same name."""
    tools = body.get("tools")
    names = [one.get("name") for one in tools if isinstance(one, dict)] if isinstance(tools, list) else []
    return len(names) > len({str(name) for name in names})


def refuse(test: Test, where: str) -> Hook[Refusal | None]:
    """Refuses valid bodies that pass the test."""
    return _judge(test, bad_parameter(where, "is not supported").refusal)


def crash(test: Test) -> Hook[Refusal | None]:
    """Responds with HTTP 500 to bodies that pass the test, valid or not."""
    return _judge(test, SPOILED, always=True)


def crash_streaming(test: Test) -> Hook[Refusal | None]:
    """Responds with HTTP 500 to bodies that pass the test and have stream: true."""
    return crash(lambda body: body.get("stream") is True and test(body))


def forgive(test: Callable[[str], bool]) -> Hook[Refusal | None]:
    """Accepts refused requests if the `param` of the refusal passes the test."""
    return lambda _, refusal: None if refusal and test(str(refusal.members.get("param"))) else refusal


def worsen(test: Callable[[str], bool], status: int = 500) -> Hook[Refusal | None]:
    """Changes the status of refusals whose `param` passes the test."""

    def hook(_: Context, refusal: Refusal | None) -> Refusal | None:
        if refusal is None or not test(str(refusal.members.get("param"))):
            return refusal
        return replace(refusal, status=status, members={**refusal.members, "code": str(status)})

    return hook


def _judge(test: Test, verdict: Refusal, always: bool = False) -> Hook[Refusal | None]:
    return lambda ctx, refusal: verdict if (always or not refusal) and test(ctx.body) else refusal


# --- replies --------------------------------------------------------------------------------------

Rewrite = Callable[[Reply], Reply]


def hung_up(reply: Reply) -> Reply:
    """No response: the connection is reset."""
    return Reply(reply.status, reply.reason, [], [], "length", "reset")


def served(how: Rewrite, stream: bool | None = None) -> Hook[Reply]:
    """Rewrites successful replies: all, or only streams, or only plain ones."""
    return lambda ctx, reply: how(reply) if ctx.served and stream in (None, ctx.stream) else reply


def refused(how: Rewrite, but: tuple[int, ...] = (401,)) -> Hook[Reply]:
    """Rewrites refusals; those of a missing or invalid key stay unchanged unless `but` is set."""
    return lambda ctx, reply: reply if ctx.served or reply.status in but else how(reply)


def envelope(how: Callable[[Dict], Any], but: tuple[int, ...] = (401,)) -> Hook[Reply]:
    """Rewrites the JSON value of refusals and keeps a `data:` prefix."""

    def rewrite(reply: Reply) -> Reply:
        text = reply.body.decode()
        prefix = "data:" if text.startswith("data:") else ""
        return reply.saying(prefix + to_json(how(json.loads(text.removeprefix("data:")))))

    return refused(rewrite, but)


def error(edit: Edit, but: tuple[int, ...] = (401,)) -> Hook[Reply]:
    """Edits the `error` object of refusals."""

    def how(document: Dict) -> Dict:
        edit(document["error"])
        return document

    return envelope(how, but)


def bytes_of(how: Callable[[bytes], bytes]) -> Rewrite:
    """Lifts a function of a body to one of a reply, chunk by chunk."""
    return lambda reply: replace(reply, chunks=[(wait, how(data)) for wait, data in reply.chunks])
