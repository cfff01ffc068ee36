"""The hints at the end of a run: what a reader may want to set before looking further."""

from __future__ import annotations

import pytest

from conformance.report.terminal import hints
from conformance.results.records import CaseRecord, FindingRecord, Obstacle


def line(requirement: str, verdict: str, got: int) -> CaseRecord:
    findings = (FindingRecord(f"received HTTP {got}", got=got),) if verdict == "fail" else ()
    return CaseRecord(f"{requirement}@x", requirement, "x", "auth", "MUST", verdict, findings=findings)


@pytest.mark.parametrize(("status", "hinted"), [(401, True), (403, True), (400, True), (404, False), (302, False)])
def test_a_header_is_hinted_at_only_where_a_key_was_refused(status: int, hinted: bool) -> None:
    """An endpoint whose path was gone after 30 requests was said to take one of the two headers only."""
    lines = [line("auth.bearer-accepted", "fail", status), line("auth.api-key-header-accepted", "pass", 200)]
    assert any('lacks = ["bearer"]' in one for one in hints(lines)) is hinted


@pytest.mark.parametrize(("kind", "scenarios", "hinted"), [
    ("HTTP 429", ("a", "b"), "2 requests received 429"), ("HTTP 429", ("a",), "1 request received 429"),
    ("HTTP 503", ("a",), ""),
])  # fmt: skip
def test_a_limit_of_the_rate_is_hinted_at(kind: str, scenarios: tuple[str, ...], hinted: str) -> None:
    blocked = (Obstacle(kind, scenarios),)
    cases = [CaseRecord(f"{rule}@x", rule, "x", "auth", "MUST", "inconclusive", blocked=blocked) for rule in "rs"]
    assert [one.partition(" in every")[0] for one in hints(cases)] == [hinted] * bool(hinted)


@pytest.mark.parametrize(
    ("status", "others", "hinted"), [(502, "fail", True), (502, "pass", False), (400, "fail", False)]
)
def test_a_gateway_that_serves_nothing_is_hinted_at(status: int, others: str, hinted: bool) -> None:
    """A gateway whose upstream refused its key was said to fail for the model."""
    lines = [line("request.model-accepted", "fail", status), line("request.input-accepted", others, 400)]
    assert any(one.startswith(f"no valid request was served (HTTP {status})") for one in hints(lines)) is hinted
