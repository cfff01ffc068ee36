"""The contract as data: one directory a revision, with ``contract.toml`` and the schemas.

A revision that names a ``parent`` inherits from it: tables are merged, lists replaced, ``[[event]]`` and ``[[text]]``
rows added. The revisions of one folder are a family. Everything that the suite takes from the contract (models, base
body, efforts, sizes, limits, ways to authenticate, the form of an error, event types) is read from here, and handed to
the target, the scenarios, the run and the checks.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from conformance.contract.events import EventTable, EventType, TextKind, table_of

FILE = "contract.toml"

#: Lists whose rows a child adds to those of its parent; any other list replaces the parent's.
_ADDED = ("event", "text")

Body = Mapping[str, Any]


@dataclass(frozen=True)
class Way:
    """An authentication method: the key in ``header``, after the ``scheme`` if there is one."""

    name: str
    header: str
    scheme: str = ""

    @property
    def shown(self) -> str:
        """The name in messages: ``api-key``, ``Authorization: Bearer``."""
        return f"{self.header}: {self.scheme}" if self.scheme else self.header


@dataclass(frozen=True)
class Efforts:
    """The effort values by use; ``off`` is empty if no value disables reasoning."""

    light: str
    usual: str
    off: str = ""


@dataclass(frozen=True)
class Caps:
    """``max_output_tokens`` of the suite's requests, by the purpose of the request."""

    cut_call: int
    cut: int
    word: int
    line: int
    text: int
    call: int
    thinking: int
    long: int


@dataclass(frozen=True)
class ErrorForm:
    """The members of an error body: ``member`` contains the error (empty: the body is the error), ``message`` its text.
    ``reason`` may contain details, ``names`` the invalid parameter."""

    member: str
    message: str
    reason: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def pointer(self) -> str:
        """The JSON pointer of the error."""
        return f"/{self.member}" if self.member else ""

    def of(self, body: Any) -> Any:
        """The error in a body; None if there is none."""
        return body if not self.member else body.get(self.member) if isinstance(body, dict) else None

    def is_error(self, body: Any) -> bool:
        """Whether a body is an error, not a Response object."""
        if not isinstance(body, dict) or "output" in body:
            return False
        return isinstance(self.of(body), dict | str) if self.member else self.message in body


@dataclass(frozen=True, eq=False)
class Contract:
    """One revision of a contract.

    ``folder`` contains its file and schemas. ``parent`` is the revision that it inherits from, None for the first.
    ``family`` lists all revisions; streams are decoded by the table of the newest one, as servers may be newer than
    the revision of the run.
    """

    revision: str
    folder: Path
    parent: Contract | None
    family: tuple[str, ...]
    name: str
    base_path: str
    path: str
    api_key_env: str
    models: tuple[str, ...]
    default_model: str
    near_miss: str
    requests_per_minute: float
    base_body: Body
    effort: Efforts
    caps: Caps
    authentication: tuple[Way, ...]
    error: ErrorForm
    table: EventTable

    def __repr__(self) -> str:
        return f"<Contract {self.name} {self.revision}>"

    @property
    def root(self) -> Contract:
        """The first revision of the family."""
        return self.parent.root if self.parent else self

    @property
    def lineage(self) -> tuple[Contract, ...]:
        """This revision and those it inherits from, the first one first."""
        return (*(self.parent.lineage if self.parent else ()), self)

    @cached_property
    def decoding(self) -> EventTable:
        """The table by which streams are decoded: that of the newest revision of the family."""
        return contracts(self.folder.parent)[self.family[-1]].table

    @property
    def way(self) -> Way:
        """The default authentication method."""
        return self.authentication[0]

    @property
    def key_way(self) -> Way | None:
        """The method that sends the key alone in a header; None if there is none."""
        return next((one for one in self.authentication if not one.scheme), None)

    @property
    def scheme_way(self) -> Way | None:
        """The method that sends the key after a scheme; None if there is none."""
        return next((one for one in self.authentication if one.scheme), None)

    def turns_thinking_off(self, sent: Body) -> bool:
        """Whether the request disables reasoning by its effort."""
        reasoning = sent.get("reasoning")
        return bool(self.effort.off) and isinstance(reasoning, dict) and reasoning.get("effort") == self.effort.off


def schema_dir() -> Path:
    """The directory of the revisions: inside the installed package, or next to it in a source checkout."""
    package = Path(__file__).parent.parent
    installed = package / "_schemas"
    return installed if installed.is_dir() else package.parent / "schemas"


@cache
def contracts(folder: Path) -> Mapping[str, Contract]:
    """The revisions in a directory, parents first. Raises ValueError that names a malformed file."""
    files = sorted(folder.glob(f"*/{FILE}"))
    read = {file.parent.name: tomllib.loads(file.read_text(encoding="utf-8")) for file in files}
    order = list(_parents_first(read))
    found: dict[str, Contract] = {}
    merged: dict[str, dict[str, Any]] = {}
    for revision in order:
        parent = read[revision].get("parent")
        merged[revision] = _over(merged[parent], read[revision]) if parent else read[revision]
        try:
            found[revision] = _contract(
                revision, folder / revision, found.get(parent or ""), tuple(order), merged[revision]
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{folder / revision / FILE} is not well formed: {error}") from None
    if not found:
        raise ValueError(f"{folder} contains no revision: expected at least one */{FILE}")
    return found


def _parents_first(read: Mapping[str, Body]) -> Iterator[str]:
    left = dict(read)
    done: set[str] = set()
    while left:
        ready = [name for name, one in left.items() if one.get("parent") is None or one["parent"] in done]
        if not ready:
            raise ValueError(f"{', '.join(left)}: no such parent, or revisions that inherit from each other")
        for name in ready:
            done.add(name)
            del left[name]
            yield name


def _over(parent: Body, child: Body) -> dict[str, Any]:
    """The members of a parent, overridden by those of its child."""
    merged = dict(parent)
    for name, value in child.items():
        if name in _ADDED:
            merged[name] = [*parent.get(name, ()), *value]
        elif isinstance(value, dict) and name != "base_body":
            merged[name] = {**parent.get(name, {}), **value}
        else:
            merged[name] = value
    return merged


def _contract(
    revision: str, folder: Path, parent: Contract | None, family: tuple[str, ...], given: Mapping[str, Any]
) -> Contract:
    ways = tuple(Way(**one) for one in given["authentication"])
    if not ways or len(ways) > len({bool(one.scheme) for one in ways}):
        raise ValueError("authentication has no way, or two of one kind")
    error: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in given["error"].items()
    }
    plain = {one.name for one in fields(Contract)} & {
        name for name, value in given.items() if isinstance(value, str) and name != "parent"
    }
    return Contract(
        revision=revision,
        folder=folder,
        parent=parent,
        family=family,
        models=tuple(given["models"]),
        requests_per_minute=given["limits"]["requests_per_minute"],
        base_body=given["base_body"],
        effort=Efforts(**given["effort"]),
        caps=Caps(**given["caps"]),
        authentication=ways,
        error=ErrorForm(**error),
        table=table_of([EventType(**one) for one in given["event"]], [TextKind(**one) for one in given["text"]]),
        **{name: given[name] for name in plain},
    )


#: The revisions that the suite ships, by their dates, oldest first.
CONTRACTS: Mapping[str, Contract] = contracts(schema_dir())

REVISIONS: tuple[str, ...] = tuple(CONTRACTS)  #: The dates of the page, oldest first.

#: The default contract.
DEFAULT: Contract = CONTRACTS[REVISIONS[0]]
