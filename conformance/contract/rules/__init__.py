"""The catalogue of rules: one row a rule, in one TOML file an area, in this directory.

A row has ``id`` (``area.rule``; a placeholder ``{name}`` is filled in from the schemas or scenarios), ``level``,
``says`` (the requirement in one sentence), ``source`` and, where it applies, ``breaks`` (clients that some finding of
the rule affects), ``revision`` (of the contract, that introduced it), ``since`` (the version of the suite that
introduced it, by default the first release) or ``excluded`` (the reason why it is not evaluated).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

LEVELS = ("MUST", "SHOULD", "MAY")

#: The version of the suite that introduced the rules without ``since``.
FIRST_RELEASE = "0.1.0"

#: Clients by the short name used in ``breaks``.
CLIENTS = {
    "codex": "Codex CLI",
    "openai-python": "openai-python",
    "openai-node": "openai-node",
    "ai-sdk": "Vercel AI SDK",
    "rust": "strict Rust clients",
    "agents": "agents SDK and pydantic clients",
    "langchain": "langchain-openai",
    "litellm": "LiteLLM",
    "open-responses": "AI SDK open-responses",
    "langchain-js": "LangChain JS",
    "pydantic-ai": "pydantic-ai",
    "opencode": "OpenCode",
}

#: The area of the rules about the results of real clients.
CLIENT = "client"

#: The area of the rules about both sides of a proxy, which ``conformance proxy`` alone evaluates.
PROXY = "proxy"

_RELEASE = re.compile(r"\d+(\.\d+)*")

_PLACEHOLDER = re.compile(r"\\\{(\w+)\\\}")


@dataclass(frozen=True)
class Requirement:
    """One rule of the catalogue."""

    id: str
    level: str
    says: str
    source: str
    breaks: tuple[str, ...] = ()
    revision: str = ""
    since: str = FIRST_RELEASE
    excluded: str = ""

    @property
    def area(self) -> str:
        """The part of the id before the first dot."""
        return self.id.partition(".")[0]

    def is_newer_than(self, suite: str) -> bool:
        """Whether the rule was introduced after that version of the suite."""
        return _version(self.since) > _version(suite)

    def matches(self, rule: str) -> bool:
        """Whether that rule id is this row's id, with its placeholders filled in."""
        return re.fullmatch(_PLACEHOLDER.sub(r".+", re.escape(self.id)), rule) is not None


def _version(text: str) -> tuple[int, ...]:
    """A version to compare: its numbers; what follows them (``.dev1``, ``rc1``) is left out."""
    release = _RELEASE.match(text)
    return tuple(map(int, release[0].split("."))) if release else ()


@cache
def catalogue() -> dict[str, Requirement]:
    """Every row about an endpoint by id, in the order of the files; without the area :data:`PROXY`. Raises ValueError
    for a duplicate id or an invalid row."""
    return _checked(row for row in _rows() if row.area != PROXY)


@cache
def proxy_catalogue() -> dict[str, Requirement]:
    """The rows of the area :data:`PROXY`, as :func:`catalogue`."""
    return _checked(row for row in _rows() if row.area == PROXY)


def _checked(found: Iterable[Requirement]) -> dict[str, Requirement]:
    rows: dict[str, Requirement] = {}
    for row in found:
        if row.id in rows:
            raise ValueError(f"rule {row.id} has two rows, expected one")
        if row.level not in LEVELS or not row.says or not row.source or not set(row.breaks) <= set(CLIENTS):
            raise ValueError(f"rule {row.id}: missing ``says`` or ``source``, or unknown level or client in breaks")
        rows[row.id] = row
    return rows


@cache
def requirement(rule: str) -> Requirement:
    """The row for a rule id; a row without placeholders takes precedence. Raises KeyError if there is none."""
    rows = catalogue()
    if rule in rows:
        return rows[rule]
    if rule in proxy_catalogue():
        return proxy_catalogue()[rule]
    for row in _with_placeholders():
        if row.matches(rule):
            return row
    raise KeyError(f"no rule {rule!r} in the catalogue")


@cache
def _with_placeholders() -> tuple[Requirement, ...]:
    """The rows of the catalogue whose id has placeholders."""
    return tuple(row for row in catalogue().values() if "{" in row.id)


#: The rules of a project itself (``--rules``).
_ADDED: list[Requirement] = []


def add(row: Requirement) -> None:
    """Add a rule to the catalogue of this process. Raises ValueError if the row is invalid or its id is taken."""
    _ADDED.append(row)
    catalogue.cache_clear()
    requirement.cache_clear()
    _with_placeholders.cache_clear()
    try:
        catalogue()
    except ValueError:
        _ADDED.remove(row)
        catalogue.cache_clear()
        raise


def _rows() -> Iterator[Requirement]:
    for file in sorted(Path(__file__).parent.glob("*.toml")):
        for row in tomllib.loads(file.read_text(encoding="utf-8"))["requirement"]:
            yield Requirement(**{**row, "breaks": tuple(row.get("breaks", ()))})
    yield from _ADDED
