"""Rules of an endpoint that every response of a proxy violates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from conformance.judge.verdict import FAIL, PASS
from conformance.proxy.rules import AREA
from conformance.results.records import CaseRecord

#: Responses from which on it is no chance that all violate a rule.
_ENOUGH = 5


def always_violated(cases: Sequence[CaseRecord]) -> set[str]:
    """The rules of an endpoint that no response passes: which responses a proxy mixes is a matter of chance, and no
    cause of what all have."""
    verdicts: dict[str, list[str]] = defaultdict(list)
    for one in cases:
        if one.area != AREA and one.verdict in (PASS, FAIL):
            verdicts[one.requirement].append(one.verdict)
    return {rule for rule, found in verdicts.items() if len(found) >= _ENOUGH and PASS not in found}
