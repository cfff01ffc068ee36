"""Responses that a proxy ends too early: they have no content and no token counts, which is one defect."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from conformance.results.records import CaseRecord

#: A response that the client does not receive as complete, in the finding of the rule about its end.
_FINISH, _UNFINISHED = (
    "proxy.response.finish",
    re.compile("the upstream's response is completed, the client's is (?!completed)"),
)

#: What such a response does not contain, in the findings of the rules about it.
_ABSENT = {
    "proxy.response.text": re.compile("the output of the Response is empty"),
    "proxy.response.reasoning": re.compile("the output of the Response is empty"),
    "proxy.response.calls": re.compile("the output of the Response is empty"),
    "proxy.response.usage": re.compile(r".*the client received (?:0|none)$"),
}


def with_unfinished(cases: Sequence[CaseRecord]) -> list[CaseRecord]:
    """The cases, those about the contents of a response without output with the case about its end as root cause."""
    roots = [one for one in cases if one.has_problem and not one.cause]
    ends = {one.scenario: one.id for one in roots if one.requirement == _FINISH and _UNFINISHED.match(one.message)}
    lacking = [one for one in roots if one.scenario in ends and _lacks(one)]
    empty = {one.scenario for one in lacking if one.requirement != "proxy.response.usage"}
    causes = {one.id: ends[one.scenario] for one in lacking if one.scenario in empty}
    return [replace(one, cause=causes.get(one.id, one.cause)) for one in cases]


def _lacks(line: CaseRecord) -> bool:
    pattern = _ABSENT.get(line.requirement)
    return bool(pattern and all(pattern.match(one.message) for one in line.findings))
