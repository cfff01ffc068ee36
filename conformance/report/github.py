"""Annotations for GitHub Actions: workflow commands that its runner shows as errors and warnings of a job."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from conformance.contract.rules import CLIENTS
from conformance.judge.verdict import WARNING
from conformance.report.columns import counted
from conformance.report.failure import show
from conformance.results.causes import Cause

#: The maximum number of annotations that GitHub shows for one step.
MOST = 10


def render(found: Sequence[Cause]) -> Iterator[str]:
    """One annotation a root cause, the most severe ones first."""
    for cause in found[:MOST]:
        first = cause.cases[0]
        parts = [show(one.message, 300) for one in first.findings[:1]]
        parts += [f"affects {', '.join(CLIENTS[name] for name in cause.clients)}"] * bool(cause.clients)
        parts += [f"in {first.id}" if len(cause.cases) == 1 else f"in {len(cause.cases):,} cases, such as {first.id}"]
        parts += [counted(len(cause.consequences), "consequence")] * bool(cause.consequences)
        kind = "warning" if cause.verdict in (WARNING, "expected") else "error"
        yield f"::{kind} title={_property(f'{cause.rule} ({cause.level})')}::{_message('; '.join(parts))}"


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
