"""The lines of a profile that a run proposes: what the target does not offer, each with the reason."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from conformance.judge.verdict import FAIL, PASS
from conformance.results.plain_words import refused_in_words
from conformance.results.records import CaseRecord

#: Statuses by which a server refuses a credential; 400 for one that it does not find in the header it reads. Any other
#: is no evidence about the header: an endpoint that is gone responds with 404.
_DENIALS = (400, 401, 403)


@dataclass(frozen=True)
class Proposal:
    """A feature that a profile may exclude for the target, and why."""

    lacks: str
    reason: str

    @property
    def line(self) -> str:
        """The line of the profile that excludes it."""
        return f'lacks = ["{self.lacks}"]'


def proposals(lines: Sequence[CaseRecord]) -> list[Proposal]:
    """What a profile may exclude, by the case lines of a run."""
    seen = _RuleVerdicts(lines)
    return [Proposal(lacks, reason) for lacks, reason in _proposed(seen)]


def _proposed(seen: _RuleVerdicts) -> Iterator[tuple[str, str]]:
    key, bearer = "auth.api-key-header-accepted", "auth.bearer-accepted"
    for refused, works, lacks in ((key, bearer, "api-key"), (bearer, key, "bearer")):
        if seen.denied(refused) and works in seen.passed - seen.failed.keys():
            yield lacks, seen.reason(refused)
    if all(seen.got(rule, 200) for rule in ("auth.missing-key-refused", "auth.wrong-bearer-refused")):
        yield "auth", "no key is checked at all"
    for case, lacks in _REFUSED.items():
        if (line := seen.cases.get(case)) and _not_served(line):
            yield lacks, refused_in_words(line)
    thinks = [rule for rule in seen.failed if rule.startswith("effort.") and rule.endswith("-thinks")]
    if thinks and not any(rule.endswith("-thinks") for rule in seen.passed):
        yield "reasoning", "no response of the run shows or counts reasoning"
    forms = ("request.input-messages", "request.untyped-message")
    if all(rule in seen.failed and all(map(_not_served, seen.failed[rule])) for rule in forms):
        yield "input-array", seen.reason("request.untyped-message")


def _not_served(line: CaseRecord) -> bool:
    """Whether the requests were refused or failed: a malformed response with HTTP 200 shows no missing feature."""
    return all(isinstance(one.got, int) and one.got >= 400 for one in line.findings)


#: What is lacked where a case fails.
_REFUSED = {
    "request.stream-accepted@streams": "streaming",
    "request.reasoning.effort-accepted@efforts": "reasoning",
    "request.tools-accepted@tools.unused": "tools",
    "request.text.format-accepted@text.format.type=json_object": "json-object",
}


class _RuleVerdicts:
    """The rules of a run by verdict."""

    def __init__(self, lines: Sequence[CaseRecord]) -> None:
        self.failed: dict[str, list[CaseRecord]] = {}
        for line in lines:
            if line.verdict == FAIL:
                self.failed.setdefault(line.requirement, []).append(line)
        self.cases = {line.id: line for line in lines if line.verdict == FAIL}
        self.passed = {line.requirement for line in lines if line.verdict == PASS}

    def denied(self, rule: str) -> bool:
        """Whether it fails as a credential was refused."""
        return any(self.got(rule, status) for status in _DENIALS)

    def got(self, rule: str, status: int) -> bool:
        """Whether it fails and this status was received."""
        return any(one.got == status for line in self.failed.get(rule, []) for one in line.findings)

    def reason(self, rule: str) -> str:
        """Why it fails, in plain words."""
        return refused_in_words(self.failed[rule][0])


def as_toml(name: str, endpoint: str, model: str, found: Sequence[Proposal]) -> str:
    """A target file with these proposals, each reason as a comment."""
    words: Callable[[str], str] = json.dumps  # A JSON string of printable letters is one of TOML.
    head = [f"name = {words(name)}", f"endpoint = {words(endpoint)}", f"model = {words(model)}", "", "[profile]"]
    if not found:
        return "\n".join([*head, "# Nothing that a profile could leave out was refused.", "lacks = []", ""])
    lacks = [f"    {words(one.lacks)},  # {_comment(one.reason)}" for one in _once(found)]
    return "\n".join([*head, "lacks = [", *lacks, "]", ""])


def _once(found: Sequence[Proposal]) -> list[Proposal]:
    return list({one.lacks: one for one in reversed(found)}.values())[::-1]


def _comment(reason: str) -> str:
    """A reason on one line: it may contain a server's words."""
    return "".join(letter if letter.isprintable() else " " for letter in reason)
