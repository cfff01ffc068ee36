"""The hook interface with which faults and variants change the endpoint.

A `Behaviour` is a name, one sentence and some functions, each at one layer of the flow. A hook receives the request's
`Context` and the value of its layer, and returns the value to use; it may change dictionaries and lists in place, as
they are created for every request. Behaviours are stateless: state between requests is stored in `Context.memory`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, TypeVar

from .shapes import Dict, Frame, Header, Item, ParsedRequest, Plan, Refusal, Reply, sent

T = TypeVar("T")
Stage = Literal["none", "plain", "created", "in_progress", "terminal"]


@dataclass
class Context:
    """One request, as the argument of hooks.

    `number` counts requests of the endpoint from 1, and `responses` the responses before this one; `body` is the parsed
    object (empty if the body is not one), `stream` whether `stream` is true; `served` is true once the request has
    passed validation; `stage` names the response being rendered while the `response` hook runs; `memory` is shared by
    all requests of the endpoint (acquire `lock` to use it), `connection` by those of one connection; `mint` generates a
    unique identifier with a prefix.
    """

    method: str
    path: str
    headers: tuple[Header, ...]
    raw: bytes
    key: str
    revision: str
    now: float
    number: int
    new_id: Callable[[str], str]
    memory: Dict
    lock: threading.RLock
    connection: Dict = field(default_factory=dict)
    body: Dict = field(default_factory=dict)
    stream: bool = False
    served: bool = False
    responses: int = 0
    stage: Stage = "none"

    def sent(self, name: str) -> str | None:
        """The first value of a request header, or None."""
        return next(iter(sent(self.headers, name)), None)

    def count(self, name: str) -> int:
        """How often this was called before with the same name, over all requests: 0, 1, 2, ..."""
        with self.lock:
            before: int = self.memory.get(name, 0)
            self.memory[name] = before + 1
            return before


Hook = Callable[[Context, T], T]


@dataclass(frozen=True)
class Behaviour:
    """A named difference from the conformant endpoint.

    `says` is one sentence: what a server with this fault does, or why a variant is legal. `rules` are the rules that a
    fault violates (none for a variant), `evidence` a public report of it. The hooks, in the order of the flow:

    * `auth` (None: accepted, or the `Refusal`), `validate` (likewise, for the body), `parsed` (the request);
    * `draft` (the items before max_output_tokens applies), `plan` (the complete response with its usage);
    * `response` (each rendered Response object; see `Context.stage`), `events` (the stream before it is
      numbered), `numbered` (the same with sequence numbers), `frame` (one event as lines),
      `chunks` (the stream as byte strings, one for each network chunk);
    * `reply` (every response, refusals included, before it is sent).
    """

    name: str
    area: str
    says: str
    rules: tuple[str, ...] = ()
    evidence: str = ""
    auth: Hook[Refusal | None] | None = None
    validate: Hook[Refusal | None] | None = None
    parsed: Hook[ParsedRequest] | None = None
    draft: Hook[list[Item]] | None = None
    plan: Hook[Plan] | None = None
    response: Hook[Dict] | None = None
    events: Hook[list[Dict]] | None = None
    numbered: Hook[list[Dict]] | None = None
    frame: Hook[Frame] | None = None
    chunks: Hook[list[bytes]] | None = None
    reply: Hook[Reply] | None = None


HOOKS = tuple(f.name for f in fields(Behaviour))[5:]
CLEAN = Behaviour("clean", "none", "Changes nothing.")


def through(hook: Hook[T] | None, ctx: Context, value: T) -> T:
    """The value returned by the hook, or unchanged without one."""
    return value if hook is None else hook(ctx, value)


def combine(behaviours: Iterable[Behaviour]) -> Behaviour:
    """One behaviour that combines all of them, in the given order, layer by layer."""
    combined = CLEAN
    for behaviour in behaviours:
        hooks: dict[str, Any] = {}
        for name in HOOKS:
            first, second = getattr(combined, name), getattr(behaviour, name)
            hooks[name] = _after(first, second) if first and second else first or second
        label = behaviour.name if combined is CLEAN else f"{combined.name}+{behaviour.name}"
        combined = replace(behaviour, name=label, **hooks)
    return combined


def _after(first: Hook[T], second: Hook[T]) -> Hook[T]:
    return lambda ctx, value: second(ctx, first(ctx, value))


def fault(name: str, says: str, *rules: str, evidence: str = "", **hooks: Any) -> Behaviour:
    """An illegal behaviour that violates ``rules``; its area is the part of its name before the first dot.

    Raises TypeError for a hook that does not exist.
    """
    return Behaviour(name, name.partition(".")[0], says, rules, evidence, **hooks)


def variant(name: str, says: str, **hooks: Any) -> Behaviour:
    """A legal variant, which violates no rule; ``says`` is the reason why it is legal."""
    return fault(name, says, **hooks)
