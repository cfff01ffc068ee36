"""The root causes as SARIF 2.1.0, for code scanning: a result for each cause, at the exchange that shows it."""

from __future__ import annotations

import json
from typing import Any

from conformance.contract.rules import requirement
from conformance.judge.verdict import EXPECTED, FAIL, WARNING
from conformance.report.failure import printable
from conformance.report.sources import link
from conformance.results.causes import Cause, causes
from conformance.results.plain_words import in_scenario
from conformance.results.results_file import ERROR, Results

_LEVELS = {FAIL: "error", ERROR: "error", WARNING: "warning", EXPECTED: "note"}


def render(results: Results, again: str) -> str:
    """The SARIF log of these results; ``again`` is the command that repeats the run."""
    found = causes(results.cases)
    rules = list(dict.fromkeys(one.rule for one in found))
    driver = {
        "name": "conformance",
        "semanticVersion": results.head.suite,
        "rules": [_rule(one) for one in rules],
    }
    end = results.end
    run = {
        "tool": {"driver": driver},
        "invocations": [{
            "commandLine": printable(again),
            "executionSuccessful": bool(end and not end.interrupted and not end.stopped),
            **({"exitCode": end.exit} if end else {}),
        }],
        "results": [_result(one, rules.index(one.rule), again) for one in found],
        "properties": {"target": printable(results.head.target.endpoint), "revision": results.head.revision},
    }  # fmt: skip
    log = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=1) + "\n"


def _rule(rule: str) -> dict[str, Any]:
    try:
        row = requirement(rule)
    except KeyError:  # A rule of another version of the suite.
        return {"id": rule}
    address = link(row.source)
    return {
        "id": rule,
        "shortDescription": {"text": row.says},
        "help": {"text": f"Source: {row.source}. More: conformance explain {rule}"},
        **({"helpUri": address} if address else {}),
        "properties": {"level": row.level},
    }


def _result(cause: Cause, index: int, again: str) -> dict[str, Any]:
    first = cause.cases[0]
    finding = first.findings[0] if first.findings else None
    place = (
        f" ({in_scenario(finding.scenario)}{f', at {finding.pointer}' if finding.pointer else ''})" if finding else ""
    )
    repeat = f"{again} --only '{first.id}'"
    exchange = finding.exchange if finding and finding.exchange else ""
    location = {"physicalLocation": {"artifactLocation": {"uri": f"exchanges/{exchange}.json"}}}
    return {
        "ruleId": cause.rule,
        "ruleIndex": index,
        "level": _LEVELS.get(cause.verdict, "none"),
        "message": {"text": printable(f"{first.message or first.why}{place}. Repeat: {repeat}")},
        "locations": [location] if exchange else [],
        "partialFingerprints": {"case/v1": first.id},
        "properties": {
            "cases": len(cause.cases),
            "consequences": len(cause.consequences),
            "clients": list(cause.clients),
        },
    }
