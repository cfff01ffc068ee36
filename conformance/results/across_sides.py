"""One defect of a proxy that both sides show, and the run against the endpoint behind it once more.

What a proxy does to a request or a response is stated by the rules of the area ``proxy``, which see both sides. A rule
of an endpoint sees the same from the client alone: it follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from conformance.judge.verdict import FAIL
from conformance.results.records import CaseRecord

#: A rule about a proxy and what its finding states, behind its probe, then a rule of an endpoint that follows and what
#: it states.
_FOLLOWS = (
    ("proxy.response.finish", "is incomplete: max_output_tokens", "truncation.incomplete", "reached max_output_tokens"),
    ("proxy.response.finish", "(with the status incomplete)", "lifecycle.terminal-agrees-with-status", "incomplete"),
    ("proxy.response.form", "without a terminal event", "lifecycle.one-terminal-last", "without a terminal event"),
    ("proxy.response.reasoning", "received none", "effort.plain-equals-stream", "streamed response: no reasoning"),
    ("proxy.request.parameters", "effort: the client sent", "effort.none-does-not-think", ""),
    ("proxy.request.parameters", "format: the client sent", "format.json-*", ""),
    ("proxy.request.served", "@request.reasoning-item:", "request.reasoning-returned", "received HTTP 4"),
    ("proxy.request.served", "@request.tool-result-parts:", "tools.output-parts-accepted", "HTTP 4"),
    ("proxy.failure.client-error-kept", "received HTTP 5", "error.real-status", "invalid request: received HTTP 5"),
)


def with_causes_across(sides: Sequence[CaseRecord], endpoint: Sequence[CaseRecord]) -> list[CaseRecord]:
    """The cases of both sides, then those of the endpoint, whose root causes have the one of both sides from which they
    follow."""
    roots = [one for one in sides if one.has_problem and not one.cause]
    found = {one.id: _cause(one, roots) for one in endpoint if one.has_problem and not one.cause}
    return [*sides, *(replace(one, cause=found[one.id]) if found.get(one.id) else one for one in endpoint)]


def _cause(one: CaseRecord, roots: Sequence[CaseRecord]) -> str:
    """The id of a root cause of both sides from which a case follows; empty without one."""
    for rule, says, follows, word in _FOLLOWS:
        if fnmatchcase(one.requirement, follows) and all(word in each.message for each in one.findings):
            for root in roots:
                is_cause = root.requirement == rule and (root.verdict == FAIL or one.verdict != FAIL)
                if is_cause and any(says in f"@{root.scenario}: {each.message}" for each in root.findings):
                    return root.id
    return ""
