"""Credentials taken out of what is kept and shown: what stood in pieces in a response may stand whole in a finding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from conformance.exchange.redaction import Secret
from conformance.exchange.scrubbing import scrubbed
from conformance.results.records import CaseRecord, FindingRecord


def without(secrets: Sequence[Secret], value: Any) -> Any:
    """The value with the credentials redacted in every string of it; the same object where it contains none."""
    if not secrets:
        return value
    # Most values contain none, which one look at the whole of it shows.
    said = "\n".join(_strings(value))
    return value if said == scrubbed(said, secrets) else _without(secrets, value)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from _strings(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _strings(inner)


def _without(secrets: Sequence[Secret], value: Any) -> Any:
    if isinstance(value, str):
        return scrubbed(value, secrets)
    if isinstance(value, dict):
        return {_without(secrets, name): _without(secrets, inner) for name, inner in value.items()}
    return [_without(secrets, inner) for inner in value] if isinstance(value, list | tuple) else value


def redacted_case(secrets: Sequence[Secret], case: CaseRecord) -> CaseRecord:
    """A case with the credentials redacted in what comes from the endpoint."""
    if not secrets or not (case.findings or case.observed or case.reason):
        return case
    said = [[one.to_json() for one in case.findings], case.observed, case.reason.text]
    kept = without(secrets, said)
    if kept is said:
        return case
    findings, observed, reason = kept
    return replace(
        case,
        findings=tuple(map(FindingRecord.from_json, findings)),
        observed=tuple(observed),
        reason=replace(case.reason, text=reason),
    )
