"""What is wrong with the JSON envelope of an error response."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from conformance.decode.response import Received
from conformance.judge.common import envelope, excerpt
from conformance.judge.verdict import Case, Finding, finding_from_schema


def envelope_findings(received: Received, case: Case) -> Iterator[Finding]:
    """The findings of the schema about the body of a refusal. Of one without ``error`` the body itself is the received
    value, as an author has to know which handler wrote it."""
    for problem in case.context.schemas.errors("error.json", envelope(received)):
        found = finding_from_schema(problem)
        if found.message == "/error is missing":
            found = replace(found, message="the error response has no member error", got=excerpt(received))
        yield found
