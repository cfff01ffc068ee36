"""The real clients that read recorded responses: driver, mode and kind of response of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any


@dataclass(frozen=True)
class Client:
    """One client in one mode; ``name`` is the last part of its rule's id.

    ``runs``: the interpreter of its driver: ``python`` (that of the clients' environment), ``node``, or ``self`` (the
    interpreter of the suite; the driver needs only the standard library). ``streams``: whether it reads streams or
    plain responses (None: both). ``breaks``: its name in the catalogue's ``breaks``. ``waived``: complaints of the
    client, as the driver reports them (``member: kind``), about members that MiMo's page does not document; they alone
    are not a failure.
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
        """Whether it reads two responses: one with calls, and the response to their results."""
        return self.mode == "turns"

    @property
    def lite(self) -> bool:
        """Whether it runs in the lite mode of Codex, which declares its tools in the input."""
        return self.mode == "lite"

    def reads(self, request: Mapping[str, Any]) -> bool:
        """Whether it is given the response to a request with this body: streamed or plain, and in lite mode only if the
        input declares tools."""
        if self.streams is not None and self.streams != (request.get("stream") is True):
            return False
        items = request.get("input")
        kinds = [one.get("type") for one in items if isinstance(one, dict)] if isinstance(items, list) else []
        return not self.lite or "additional_tools" in kinds


#: Members that OpenAI's Response object requires and MiMo's page does not document, or not in every response.
_NOT_ON_THE_PAGE = frozenset(
    f"{name}: missing"
    for name in (
        "parallel_tool_calls", "tool_choice", "tools", "usage.input_tokens_details.cache_write_tokens",
        "usage.input_tokens_details.cached_tokens",
    )
)  # fmt: skip


#: The AI SDK accepts a reasoning item only with OpenAI's ``summary``: in plain responses, and its provider for Open
#: Responses in streams too.
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
    *_both("open-responses", "open-responses.mjs", "node", "open-responses", _SUMMARY),
    *_both("langchain-js", "langchain-js.mjs", "node", "langchain-js"),
    *_both("pydantic-ai", "pydantic_ai_model.py", "python", "pydantic-ai"),
    Client("codex", "codex", "stream", "codex.py", "self", True, "codex"),
    Client("codex-turns", "codex", "turns", "codex.py", "self", True, "codex"),
    Client("codex-lite", "codex", "lite", "codex.py", "self", True, "codex"),
)  # fmt: skip

NAMES = tuple(one.name for one in CLIENTS)


@cache
def client(name: str) -> Client:
    """The client of that name. Raises KeyError if there is none."""
    return {one.name: one for one in CLIENTS}[name]
