"""Annotations for GitHub Actions: lines that its runner turns into errors and warnings on the page of a job."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from conformance.contract.rules import CLIENTS
from conformance.judge.verdict import WARNING
from conformance.report.failure import show
from conformance.results.causes import Cause

#: GitHub shows no more of one step.
MOST = 10


def render(found: Sequence[Cause]) -> Iterator[str]:
    """A line a cause, the worst ones."""
    for cause in found[:MOST]:
        first = cause.cases[0]
        says = [show(one.message, 300) for one in first.findings[:1]]
        says += [f"affects {', '.join(CLIENTS[name] for name in cause.clients)}"] * bool(cause.clients)
        says += [f"in {len(cause.cases)} cases, such as {first.id}"]
        says += [f"{len(cause.consequences)} more follow from this"] * bool(cause.consequences)
        kind = "warning" if cause.verdict in (WARNING, "expected") else "error"
        yield f"::{kind} title={_property(f'{cause.rule} ({cause.level})')}::{_message('; '.join(says))}"


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
