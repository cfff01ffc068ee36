"""The ids of Response objects and of their items: each is used once in a run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from conformance.decode.events import objects, text
from conformance.decode.response import CannotEvaluate, Received
from conformance.judge.applicability import Where
from conformance.judge.selectors import everything, together
from conformance.judge.verdict import EXAMINED, Case, Finding, Findings, check

_ALL = everything("all-answers", where=lambda one: one.expect != "refusal")

#: The messages about what a Response shares with that of an earlier request, in the order of :func:`_contents`.
_SAME = (
    "the Response is that of {}: id, output and usage are the same",
    "the output is that of {}: the items and their ids are the same",
)


@check("response.id-unique", over=_ALL, together=True, where=Where("all-answers"))
def test_no_id_is_used_twice(responses: list[Received], case: Case) -> Findings:
    seen: dict[str, str] = {}
    complete: dict[str, Received] = {}
    restart = _ids_restart(responses)
    for received in _each_sent(responses):
        if same := _that_of_another(received, complete, restart):
            yield same
            continue
        for pointer, name in _ids(received, case.context.schemas.item_types):
            yield EXAMINED
            first = seen.setdefault(name, place := f"{received.scenario} at {pointer}")
            if first != place:
                message = f"the id at {pointer} was used before, in {first}"
                yield Finding(message, received.pointer + pointer, None, "an id of its own", name, received.scenario)


def _each_sent(responses: Sequence[Received]) -> Iterator[Received]:
    """The responses, each once: of the scenarios that share a request, that which sent it is the first."""
    first: dict[str, Received] = {}
    yield from (one for one in responses if first.setdefault(one.exchange.key, one) is one)


def _that_of_another(received: Received, complete: dict[str, Received], restart: bool) -> Finding | None:
    """The finding for a response that is that of an earlier one; ``complete`` are the earlier ones by their content.
    Where ids ``restart``, the same output alone proves nothing."""
    found = None
    for message, content in zip(_SAME, _contents(received), strict=True):
        other = complete.setdefault(content, received)
        is_distinctive = message == _SAME[0]
        if found is None and other is not received and (is_distinctive or not restart):
            same, also = message.format(other.scenario), (other.scenario,)
            found = Finding(same, "", None, "one of its own", f"that of {other.scenario}", received.scenario, also=also)
    return found


def _ids_restart(responses: Sequence[Received]) -> bool:
    """Whether an id is that of different items: then two equal items need not be one."""
    seen: dict[str, dict[str, object]] = {}
    served = (one for one in _each_sent(responses) if one.exchange.ok)
    items = (item for one in served for item in objects(_response_or_none(one).get("output")))
    return any(seen.setdefault(name, item) != item for item in items if (name := text(item.get("id"))))


def _contents(received: Received) -> tuple[str, str]:
    """What a Response may share with an earlier one: its id, output and usage, or its output alone, each as text; the
    key of the exchange where a part is missing."""
    response = _response_or_none(received) if received.exchange.ok else {}
    members = [response.get(name) for name in ("id", "output", "usage")]
    key, output = received.exchange.key, objects(members[1])
    returned = [None, *(item.get("id") for item in objects(received.sent.get("input")))]
    is_named = output and all(item.get("id") not in returned for item in output)
    return json.dumps(members) if all(members) else key, json.dumps(output) if is_named else key


def _ids(received: Received, item_types: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The ids of a Response and of its items of documented types, with their pointers, except ids in the request's
    input, which may be reused."""
    response = _response_or_none(received) if received.exchange.ok else {}
    returned = [item.get("id") for item in objects(received.sent.get("input"))]
    named = {"/id": response.get("id")}
    named |= {
        f"/output/{place}/id": item.get("id")
        for place, item in enumerate(objects(response.get("output")))
        if item.get("type") in item_types
    }
    for pointer, name in named.items():
        if isinstance(name, str) and name and name not in returned:
            yield pointer, name


@check("response.id-prefix", over=together("all-answers", "core"))
def test_id_prefixes(received: Received) -> Findings:
    names = [received.response.get("id"), *(item.get("id") for item in received.output)]
    prefixes = sorted({match[0] if (match := re.match(r"[A-Za-z]+[_-]", text(name))) else "none" for name in names})
    yield Finding(f"prefixes: {', '.join(prefixes)}")


def _response_or_none(received: Received) -> dict[str, object]:
    try:
        return received.response
    except CannotEvaluate:
        return {}
