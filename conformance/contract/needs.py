"""What each client needs of an endpoint: the reasons for ``breaks``, the rows of ``needs.toml``."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from conformance.contract.client_evidence import COPES, evidence
from conformance.contract.clients import CLIENTS
from conformance.contract.rules import requirement


@dataclass(frozen=True)
class Need:
    """One property of a client that depends on rules.

    ``says`` is a predicate whose subject is the client's name. ``rules`` are globs over the rules that the client
    depends on. ``finding`` is a regular expression over the messages of findings that stop the client, by its source;
    ``unshown`` is the reason why no trial can reproduce that. Both are empty otherwise.
    """

    client: str
    says: str
    rules: tuple[str, ...]
    finding: str = ""
    unshown: str = ""

    @property
    def version(self) -> str:
        """The version of the client in the trials; empty if there are none."""
        return version_of(self.client)

    def trials(self) -> Iterator[tuple[str, str, str]]:
        """The trials that show the need: the catalogue row, the fault, and how the client ended."""
        modes = [one.name for one in CLIENTS if one.breaks == self.client]
        for row, faults in evidence()["rules"].items():
            if any(fnmatchcase(row, glob) for glob in self.rules):
                for fault, by_client in faults.items():
                    ended = [by_client[mode] for mode in modes if by_client.get(mode, "") not in COPES]
                    if ended:
                        yield row, fault, ended[0]


@cache
def version_of(client: str) -> str:
    """The version of a client, by its name in ``breaks``, in the recorded trials; empty if there are none."""
    versions = evidence()["versions"]
    return next((versions[one.name] for one in CLIENTS if one.breaks == client and one.name in versions), "")


@cache
def needs() -> tuple[Need, ...]:
    """Every need, in the order of the file."""
    rows = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))["need"]
    return tuple(Need(**{**row, "rules": tuple(row["rules"])}) for row in rows)


@cache
def need_for(client: str, rule: str) -> Need | None:
    """Why a violation of a rule affects a client: the need with the longest glob that matches the rule id or the id of
    its catalogue row; None if there is none."""
    found = [
        (len(glob), need)
        for need in needs()
        if need.client == client
        for glob in need.rules
        if any(fnmatchcase(name, glob) for name in (rule, _row(rule)))
    ]
    return max(found, key=lambda pair: pair[0])[1] if found else None


@cache
def certain(rule: str, message: str) -> tuple[Need, ...]:
    """The needs by which a finding with this message stops a client, without evidence from a trial."""
    found = (need for need in needs() if need.finding and re.search(need.finding, message))
    return tuple(need for need in found if any(fnmatchcase(rule, glob) for glob in need.rules))


def _row(rule: str) -> str:
    try:
        return requirement(rule).id
    except KeyError:  # A rule of another version of the suite, in its results.
        return rule
