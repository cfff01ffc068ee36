"""A badge as JSON, in the format of shields.io's endpoint badge."""

from __future__ import annotations

import json

from conformance.judge.verdict import FAIL, PASS, WARNING
from conformance.results import score
from conformance.results.levels import passed_levels
from conformance.results.results_file import Results

_COLOURS = {PASS: "brightgreen", WARNING: "yellow", FAIL: "red", "error": "critical"}


def render(results: Results) -> str:
    """The JSON of the badge: the verdict, the levels passed, and the percentage of MUST cases that passed."""
    verdict = score.run_verdict(results.cases, results.end)
    share = next((one.percent for one in score.scores(results.cases) if one.level == "MUST"), "")
    level = passed_levels(results)
    badge = {
        "schemaVersion": 1,
        "label": results.head.label or f"Responses API {results.head.revision}",
        "message": ", ".join(
            [
                verdict.word,
                *([f"level {level}"] if level not in ("", "none", "unknown") else []),
                *([f"MUST {share}"] if share else []),
            ]
        ),
        "color": _COLOURS.get(verdict.verdict, "lightgrey"),
        "isError": verdict.verdict in (FAIL, "error"),
    }
    return json.dumps(badge) + "\n"
