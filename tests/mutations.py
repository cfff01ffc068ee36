"""One member of one served response changed at random: which rules report it. ``python -m tests.mutations --trials N``
prints the mutations that no rule reports.

A mutation is drawn by a seed, so that the same seed gives the same ones: a served exchange with the conformant
endpoint, an event of it (or the body), a member anywhere in that, and what is done to the member.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from conformance.decode.response import Received
from conformance.exchange.exchange import Chunk, Exchange
from conformance.judge.verdict import FAIL, WARNING, Case, evaluate
from tools.in_process import Keeping, Modified, cases, clean, context

#: What is done to a member.
KINDS = ("delete", "null", "type", "value")

#: Values of each type, one of which takes the place of a value of another type.
_OTHERS: tuple[Any, ...] = ("text", 7, True, {}, [])


@dataclass(frozen=True)
class Mutation:
    """``event`` is the index of the changed event, None in a plain body; ``path`` leads to the member."""

    scenario: str
    event: int | None
    type: str
    path: tuple[str | int, ...]
    kind: str
    before: Any
    after: Any

    @property
    def pointer(self) -> str:
        """The path as a JSON pointer, places in arrays as ``*``."""
        return "".join("/*" if isinstance(step, int) else f"/{step}" for step in self.path)

    def __str__(self) -> str:
        where = self.type or "body"
        return f"{self.scenario} {where}{self.pointer} {self.kind}: {self.before!r:.60} -> {self.after!r:.60}"


def mutations(seed: int, trials: int, revision: str) -> Iterator[tuple[Mutation, Exchange]]:
    """So many mutations, each with the exchange that it makes."""
    drawn = random.Random(seed)
    served = _served(revision)
    while trials:
        name = drawn.choice(served)
        made = _mutated(drawn, clean(revision).received(name))
        if made:
            trials -= 1
            yield made


@cache
def _served(revision: str) -> tuple[str, ...]:
    """The scenarios whose response is a Response object or a stream, each exchange once."""
    found: dict[str, str] = {}
    for name in context(revision).scenarios:
        exchange = clean(revision).received(name).exchange
        if exchange.ok and exchange.body:
            found.setdefault(exchange.key, name)
    return tuple(found.values())


def _mutated(drawn: random.Random, received: Received) -> tuple[Mutation, Exchange] | None:
    if received.looks_like_stream:
        documents = [event.data for event in received.events]
        lines = [event.frame.event for event in received.events]
        at = drawn.randrange(len(documents))
    else:
        documents, lines, at = [received.json], [], 0
    document = copy.deepcopy(documents[at])
    paths = list(_paths(document, ()))
    path = drawn.choice(paths)
    holder = document
    for step in path[:-1]:
        holder = holder[step]
    before, kind = holder[path[-1]], drawn.choice(KINDS)
    after = _changed(drawn, before, kind)
    if kind == "delete":
        del holder[path[-1]]
    elif after == before and type(after) is type(before):
        return None
    else:
        holder[path[-1]] = after
    documents = [*documents[:at], document, *documents[at + 1 :]]
    event, named = (at, lines[at]) if lines else (None, "")
    made = Mutation(received.scenario, event, named, path, kind, before, after if kind != "delete" else "(absent)")
    return made, replace(received.exchange, chunks=_chunks(documents, lines, received.exchange))


def _chunks(documents: Sequence[Any], lines: Sequence[str], exchange: Exchange) -> tuple[Chunk, ...]:
    if not lines:
        return (Chunk(exchange.elapsed, json.dumps(documents[0]).encode()),)
    frames = [f"event: {line}\ndata: {json.dumps(one)}\n\n" for line, one in zip(lines, documents, strict=True)]
    return tuple(Chunk(float(place), frame.encode()) for place, frame in enumerate(frames))


def _paths(value: Any, here: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in pairs:
        yield (*here, name)
        yield from _paths(inner, (*here, name))


def _changed(drawn: random.Random, value: Any, kind: str) -> Any:
    if kind == "null":
        return None
    if kind == "type":
        return drawn.choice([one for one in _OTHERS if type(one) is not type(value)])
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + drawn.choice((-1, 1, 1000))
    if isinstance(value, str):
        return drawn.choice((value + "x", value[1:], value[:-1], "other", ""))
    if isinstance(value, list):
        return [*value, *value] if value else ["text"]
    return {} if value else {"member": 1}


@cache
def _cases_of(revision: str) -> dict[str, list[Case]]:
    found: dict[str, list[Case]] = defaultdict(list)
    for case in cases(revision):
        for name in case.scenarios:
            found[clean(revision).received(name).exchange.key].append(case)
    # The cases of the schemas report most changes, and so are evaluated first.
    return {
        key: sorted({one.id: one for one in of}.values(), key=lambda one: not one.rule.endswith("schema"))
        for key, of in found.items()
    }


def is_reported(exchange: Exchange, revision: str) -> bool:
    """Whether a case fails or warns where this exchange takes the place of the conformant one."""
    known = clean(revision)
    aliases = [name for name in context(revision).scenarios if known.received(name).exchange.key == exchange.key]
    changed, examine = Modified(known, dict.fromkeys(aliases, exchange)), Keeping(revision)
    results = (evaluate(case, changed, examine) for case in _cases_of(revision).get(exchange.key, ()))
    return any(one.verdict in (FAIL, WARNING) for one in results)


def main() -> None:
    """Print the mutations that no rule reports, the most frequent places first."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--trials", type=int, default=700)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--revision", default="2026-06-24")
    options = parser.parse_args()
    survivors: list[Mutation] = []
    for mutation, exchange in mutations(options.seed, options.trials, options.revision):
        if not is_reported(exchange, options.revision):
            survivors.append(mutation)
            print(mutation)
    print(Counter((one.type, one.pointer, one.kind) for one in survivors).most_common(40))
    print(f"{options.trials - len(survivors)} of {options.trials} reported")


if __name__ == "__main__":
    main()
