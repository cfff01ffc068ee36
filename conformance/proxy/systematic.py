"""What several responses show together: the rules that all violate, and a plain request with its stream."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from conformance.judge.verdict import FAIL, PASS
from conformance.proxy.rules import AREA
from conformance.results.records import CaseRecord

#: A plain request whose response the proxy cannot pass on, and a stream that it interrupts.
_SERVED, _AFTER_UPSTREAM = "proxy.request.served", "although the upstream served it"
_FORM, _CUT = "proxy.response.form", "did not end: cut"

#: Responses from which on it is no chance that all violate a rule.
_ENOUGH = 5


def with_plain_causes(cases: Sequence[CaseRecord]) -> list[CaseRecord]:
    """The cases, those of streams that are interrupted with the case of the same plain request as root cause, if that
    is not served either although the upstream served it: the proxy fails on what both responses contain."""
    roots = [one for one in cases if one.has_problem and not one.cause]
    plain = {one.scenario: one.id for one in roots if one.requirement == _SERVED and _AFTER_UPSTREAM in one.message}
    cut = [one for one in roots if one.requirement == _FORM and _CUT in one.message]
    causes = {one.id: plain[base] for one in cut if (base := one.scenario.removesuffix(".stream")) in plain}
    if len(causes) < len(cut):  # Others show that streams are interrupted for another reason.
        return list(cases)
    return [replace(one, cause=causes[one.id]) if one.id in causes else one for one in cases]


def always_violated(cases: Sequence[CaseRecord]) -> set[str]:
    """The rules of an endpoint that no response passes: which responses a proxy mixes is a matter of chance, and no
    cause of what all have."""
    verdicts: dict[str, list[str]] = defaultdict(list)
    for one in cases:
        if one.area != AREA and one.verdict in (PASS, FAIL):
            verdicts[one.requirement].append(one.verdict)
    return {rule for rule, found in verdicts.items() if len(found) >= _ENOUGH and PASS not in found}
