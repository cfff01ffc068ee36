"""Violations with the same difference of texts, or of the same group: the first of them is the root cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from conformance.judge.verdict import FAIL
from conformance.proxy.records import Record
from conformance.proxy.rules import AREA, Finding
from conformance.proxy.texts import first_difference, lost_separator
from conformance.results.records import CaseRecord

#: The record and the first finding of each case that has one.
Places = Mapping[str, tuple[Record, Finding]]

#: Rules whose findings are differences of texts: of two with the same difference, the first is the root cause.
_TEXTS = (
    "request.reaches-upstream", "request.texts", "request.system-texts", "request.media", "request.calls",
    "request.tools", "request.nothing-added", "request.parameters", "response.text", "response.reasoning",
    "response.call-ids", "response.calls",
)  # fmt: skip

#: Rules that compare the same texts again, by the area of those rules.
_COMPARED_AS = {"forms.same-response": "response", "forms.rare-same-response": "response"}

#: A text that is cut: the fewest characters that are kept, and the most in place of the rest.
_CUT, _SUFFIX = 256, 64


def grouped(cases: Sequence[CaseRecord], places: Places) -> list[CaseRecord]:
    """The cases, each with its root cause, if it is the case of another rule with the same difference of texts."""
    first: dict[tuple[str, str, str], CaseRecord] = {}
    for rule in _TEXTS:
        for case in cases:
            for key in (
                _differences(places[case.id][1]) if case.requirement == f"{AREA}.{rule}" and case.id in places else ()
            ):
                first.setdefault((rule.partition(".")[0], *key), case)
    made = []
    for case in cases:
        keys = _differences(places[case.id][1]) if case.id in places else []
        name = case.requirement.removeprefix(f"{AREA}.")
        area = _COMPARED_AS.get(name, name.partition(".")[0] if name in _TEXTS else "")
        root = next((first[area, *key] for key in keys if (area, *key) in first), None) if area else None
        is_other = root is not None and root.requirement != case.requirement and root.verdict in (FAIL, case.verdict)
        made.append(replace(case, cause=root.id) if root and is_other else case)
    return made


def _differences(finding: Finding) -> list[tuple[str, str]]:
    """The group of a finding, and what was expected and received at the first difference of two texts: a character
    each; for a text with other white space, or without a part with a separator of lines, that alone."""
    known = [(finding.group, "")] * bool(finding.group)
    want, got = finding.want, finding.got
    if not isinstance(want, str) or not isinstance(got, str) or not got:
        return known
    if lost_separator(want, got):
        return [*known, ("separators of lines", "")]
    if (parts := want.split()) and parts == got.split()[: len(parts)]:
        return [*known, ("white space", "")]
    at = first_difference(want, got)
    if at >= _CUT and len(got) - at <= _SUFFIX < len(want) - at:
        return [*known, (f"cut at {at}", got[at:])]
    return [*known, (want[at : at + 1], got[at : at + 1])]
