"""Redaction of credentials in case records: a credential split over several events of a response can be complete in a
finding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from conformance.exchange.redaction import Secret
from conformance.exchange.scrubbing import scrubbed
from conformance.results.records import CaseRecord, FindingRecord


def redact_value(secrets: Sequence[Secret], value: Any) -> Any:
    """The value with the credentials redacted in all its strings; the same object if it contains none."""
    if not secrets:
        return value
    # Most values contain none: one search in the joined strings is faster than one search in each.
    text = "\n".join(_strings(value))
    return value if text == scrubbed(text, secrets) else _redact(secrets, value)


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


def _redact(secrets: Sequence[Secret], value: Any) -> Any:
    if isinstance(value, str):
        return scrubbed(value, secrets)
    if isinstance(value, dict):
        return {_redact(secrets, name): _redact(secrets, inner) for name, inner in value.items()}
    return [_redact(secrets, inner) for inner in value] if isinstance(value, list | tuple) else value


def redacted_case(secrets: Sequence[Secret], case: CaseRecord) -> CaseRecord:
    """The case with the credentials redacted in its findings, observations and reason."""
    if not secrets or not (case.findings or case.observed or case.reason):
        return case
    text = [[one.to_json() for one in case.findings], case.observed, case.reason.text]
    kept = redact_value(secrets, text)
    if kept is text:
        return case
    findings, observed, reason = kept
    return replace(
        case,
        findings=tuple(map(FindingRecord.from_json, findings)),
        observed=tuple(observed),
        reason=replace(case.reason, text=reason),
    )
