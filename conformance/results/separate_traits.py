"""Several defects of a server whose errors have the same general message, such as Internal Server Error.

Cases whose requests fail in the same words are one root cause (:mod:`conformance.results.same_message`). Words that
name nothing of the request do not show that the reason is one: there the requests decide it. If a few traits that no
served request has (or none together with a companion, as in a stream) explain all failures, and no single one does,
each is a cause of its own that has a request which differs from a served one in little else; the others stay where they
are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from conformance.judge.verdict import FAIL
from conformance.results.causes import readability_key
from conformance.results.records import CaseRecord

#: More traits than these are those of the requests, and not of what the server refuses.
_MOST = 6

#: Further traits in which a request may differ from a served one, so that its failure shows what is refused.
_FEW = 1

#: The rule about the status of any invalid request: another rule names the request.
_ANY_STATUS = "error.real-status"


@dataclass(frozen=True)
class Requests:
    """The requests of a run that fail with a status in the same words, by scenario, each with its traits; and the
    traits of each served request. ``shortest`` removes traits that are implied by others, ``mentions`` states whether
    the server's words are about a trait, ``paired`` gives those of a request's traits, each with its companion, that no
    served request has together."""

    failed: Mapping[str, frozenset[str]]
    served: Sequence[frozenset[str]]
    shortest: Callable[[Sequence[str]], list[str]]
    mentions: Callable[[str], bool]
    paired: Callable[[frozenset[str]], list[str]]


def separated(
    cases: Sequence[CaseRecord], root: CaseRecord, requests: Requests
) -> tuple[list[CaseRecord], dict[str, frozenset[str]]]:
    """The cases, those of a root cause that have another reason than its own with the simplest of them as theirs; and
    for each of these root causes the scenarios that it explains, none if there is one reason."""
    members = [one for one in cases if one.id == root.id or one.cause == root.id]
    found = _clusters(requests, set(_served_or_refused(members)) & requests.failed.keys())
    own = next((cluster for cluster in found if root.found_in & cluster), None)
    causes: dict[str, str] = {}
    explained: dict[str, frozenset[str]] = {}
    for cluster in found:
        if cluster is own or not _is_shown(requests, cluster):
            continue
        inside = [one for one in members if one.id != root.id and one.found_in and one.found_in <= cluster]
        named = [one for one in inside if any("HTTP" in each.message for each in one.findings)]
        if named:
            first = min(
                named, key=lambda one: (one.verdict != FAIL, one.requirement == _ANY_STATUS, readability_key(one))
            )
            causes |= {one.id: "" if one is first else first.id for one in inside}
            explained[first.id] = cluster
    if explained:
        explained[root.id] = own or frozenset(root.found_in)
    return [replace(one, cause=causes[one.id]) if one.id in causes else one for one in cases], explained


def _served_or_refused(members: Sequence[CaseRecord]) -> Iterator[str]:
    """The scenarios of requests that must or may be served: a server that breaks on invalid ones has one defect."""
    for one in members:
        for finding in one.findings:
            if "200" in str(finding.want):
                yield from finding.scenarios


def _clusters(requests: Requests, names: Collection[str]) -> list[frozenset[str]]:
    """The scenarios by the trait that explains their failure; none if one trait explains all of them, or some are not
    explained, or the server's words name a trait, or there are too many, or less than two are shown by
    one of their requests."""
    served = frozenset[str]().union(*requests.served)
    possible = {
        name: requests.shortest([*requests.failed[name] - served]) + requests.paired(requests.failed[name])
        for name in sorted(names)
    }
    left, found = set(possible), []
    if not all(possible.values()):
        return []  # The reason is none of the traits.
    while left:
        by_trait: dict[str, set[str]] = {}
        for name in sorted(left):
            for trait in possible[name]:
                by_trait.setdefault(trait, set()).add(name)
        trait = min(by_trait, key=lambda one: (-len(by_trait[one]), len(one), one))
        if requests.mentions(trait):
            return []
        found.append(frozenset(by_trait[trait]))
        left -= by_trait[trait]
    shown = [one for one in found if _is_shown(requests, one)]
    return found if len(shown) > 1 and len(found) <= _MOST else []


def _is_shown(requests: Requests, cluster: Collection[str]) -> bool:
    """Whether one of the requests has little else than a served one, beside what all of them have, and none served."""
    served = frozenset[str]().union(*requests.served)
    common = frozenset[str].intersection(*(requests.failed[name] for name in cluster)) - served
    own = [requests.failed[name] - common for name in cluster]
    return any(len(requests.shortest([*each - one])) <= _FEW for each in own for one in requests.served)
