"""A badge as JSON, in the format of shields.io's endpoint badge."""

from __future__ import annotations

import json

from conformance.judge.verdict import FAIL, PASS, WARNING
from conformance.results import score
from conformance.results.results_file import Results

_COLOURS = {PASS: "brightgreen", WARNING: "yellow", FAIL: "red", "error": "critical"}


def render(results: Results) -> str:
    """The JSON of the badge: the verdict and the percentage of MUST cases that passed."""
    verdict = score.run_verdict(results.cases, results.end)
    share = next((one.percent for one in score.scores(results.cases) if one.level == "MUST"), "")
    badge = {
        "schemaVersion": 1,
        "label": f"Responses API {results.head.revision}",
        "message": f"{verdict.word}, MUST {share}" if share else verdict.word,
        "color": _COLOURS.get(verdict.verdict, "lightgrey"),
        "isError": verdict.verdict in (FAIL, "error"),
    }
    return json.dumps(badge) + "\n"
