"""The clients of the lane: which driver runs each, in which mode, over which answers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Client:
    """One client in one mode; ``name`` is the last part of its rule's id.

    ``runs``: the interpreter of its driver, ``python`` (that of the clients' environment), ``node``, or ``self`` (a
    program of the standard library, run by ours). ``streams``: which answers it is fed (None: both kinds).
    ``breaks``: its name in the catalogue's ``breaks``. ``waived``: what it complains of though MiMo's page does not
    have it, as the driver tells it (``member: kind``); that alone is no failure.
    """

    name: str
    client: str
    mode: str
    driver: str
    runs: str
    streams: bool | None
    breaks: str
    waived: frozenset[str] = frozenset()

    @property
    def turns(self) -> bool:
        """Whether it is fed two answers, one that calls and one to what its calls gave."""
        return self.mode == "turns"


#: Members of OpenAI's Response that it marks required and MiMo's page does not have, or not always.
_NOT_ON_THE_PAGE = frozenset(
    f"{name}: missing"
    for name in (
        "parallel_tool_calls", "tool_choice", "tools", "usage.input_tokens_details.cache_write_tokens",
        "usage.input_tokens_details.cached_tokens",
    )
)  # fmt: skip


#: Plain, the AI SDK takes a reasoning item only with OpenAI's ``summary``.
_SUMMARY = frozenset({"output.*.summary: expected array"})


def _both(client: str, driver: str, runs: str, breaks: str, waived: frozenset[str] = frozenset()) -> list[Client]:
    modes = (("plain", False), ("stream", True))
    return [Client(f"{client}-{mode}", client, mode, driver, runs, streams, breaks, waived) for mode, streams in modes]


CLIENTS = (
    *_both("openai-python", "openai_python.py", "python", "openai-python"),
    Client(
        "openai-python-strict", "openai-python", "strict", "openai_python.py", "python", False, "openai-python",
        _NOT_ON_THE_PAGE,
    ),
    *_both("openai-agents", "agents_runner.py", "python", "agents"),
    *_both("langchain-openai", "langchain_chat.py", "python", "langchain"),
    *_both("litellm", "litellm_responses.py", "python", "litellm"),
    *_both("openai-node", "openai-node.mjs", "node", "openai-node"),
    *_both("ai-sdk", "ai-sdk.mjs", "node", "ai-sdk", _SUMMARY),
    Client("codex", "codex", "stream", "codex.py", "self", True, "codex"),
    Client("codex-turns", "codex", "turns", "codex.py", "self", True, "codex"),
)  # fmt: skip

NAMES = tuple(one.name for one in CLIENTS)


@cache
def client(name: str) -> Client:
    """The client of that name; ``KeyError`` if there is none."""
    return {one.name: one for one in CLIENTS}[name]
