"""The HTML report: one self-contained file that loads nothing, in which server data is text, never markup."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from conformance.contract.rules import CLIENTS
from conformance.exchange.run_directory import RunDirectory
from conformance.judge.verdict import FAIL, WARNING
from conformance.report import job_summary
from conformance.report.columns import counted
from conformance.report.failure import printable
from conformance.report.html.data import document
from conformance.results.causes import Cause, causes
from conformance.results.plain_words import case_numbers, in_words
from conformance.results.results_file import Results
from conformance.results.score import allowed_deviations, run_verdict
from conformance.results.unsupported import unsupported_features

_PARTS = Path(__file__).parent
#: Maximum number of root causes in the list at the top.
_MAX_CAUSES = 10

_SCRIPTS = ("base.js", "timeline.js", "case.js", "page.js")

#: The favicon, and its colour by verdict.
_DOT = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9 9'><circle cx='4.5' cy='4.5' r='4' fill='%s'/></svg>"
_COLOURS = {"pass": "#22703f", "fail": "#b3261e", "error": "#b3261e", "warning": "#8a5300"}


def render(results: Results, folder: RunDirectory, again: str) -> str:
    """The report of these results. ``folder`` contains the exchanges, ``again`` is the command of the run."""
    overall = run_verdict(results.cases, results.end)
    target, head = results.head.target, results.head
    named = (target.name, target.endpoint, target.model, head.started_at)
    script = "\n".join(_part(name).replace('"use strict";\n', "") for name in _SCRIPTS)
    script = f'"use strict";\n{{\n{script}}}\n'
    style = _part("style.css")
    filled = {
        "policy": _policy(script, style),
        "icon": f"data:image/svg+xml,{quote(_DOT % _COLOURS.get(overall.verdict, '#5a4fb0'))}",
        "style": style,
        "script": script,
        "data": _embedded(document(results, folder, again)),
        "title": _text(f"{overall.word}: {printable(target.name)}"),
        "eyebrow": _text(f"Responses API conformance · revision {head.revision} · suite {head.suite}"),
        "verdict": _text(overall.verdict),
        "word": _text(overall.word),
        "says": _text(overall.says),
        "target": _text(" · ".join(dict.fromkeys(printable(str(one)) for one in named))),
        "causes": _causes(results),
        "lacks": "".join(
            f'<p class="target">{word} {_text(printable(text))}</p>\n'
            for word, text in (
                *(("allowed", one) for one in allowed_deviations(results.cases)),
                *(("excluded", one.says) for one in unsupported_features(results.cases)),
            )
        ),
        "plain": _text(job_summary.render(results, again)),
        "foot": _text("Rendered from results.jsonl and the recorded exchanges of one run. Neither contains the key."),
    }  # fmt: skip
    return re.sub(r"\{\{(\w+)\}\}", lambda found: filled[found[1]], _part("page.html"))


def _causes(results: Results) -> str:
    """The root causes as numbered links to their first cases; empty without a cause."""
    found = [one for one in causes(results.cases) if one.verdict in (FAIL, WARNING)]
    if not found:
        return ""
    shown = found[:_MAX_CAUSES]
    items = "".join(
        f'<li value="{number}"><a href="#case={quote(one.cases[0].id)}">{_text(printable(in_words(one)))}</a> '
        f'<span class="aside">{_text(_about(one, numbers))}</span></li>\n'
        for number, (one, numbers) in enumerate(zip(shown, case_numbers(shown, results.cases), strict=True), 1)
    )
    more = len(found) - _MAX_CAUSES
    rest = f'<p class="aside">{counted(more, "more cause")} below.</p>\n' if more > 0 else ""
    return f'<section class="causes" aria-label="Causes"><ol>\n{items}</ol>\n{rest}</section>\n'


def _about(cause: Cause, numbers: Sequence[str]) -> str:
    """Level, rule, numbers of cases and affected clients of a root cause."""
    words = [f"{cause.level} {cause.rule}", *numbers]
    words += ["affects " + ", ".join(CLIENTS[name] for name in cause.clients)] * bool(cause.clients)
    return " · ".join(words)


def _part(name: str) -> str:
    return (_PARTS / name).read_text(encoding="utf-8")


def _text(value: str) -> str:
    return html.escape(value.encode("utf-8", "replace").decode("utf-8"))


def _policy(script: str, style: str) -> str:
    """The Content-Security-Policy: only this script and this style, no requests, no conversion of text to markup."""
    return (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}'"


def _embedded(value: Any) -> str:
    """ASCII JSON, safe inside a script element: <, > and & are escaped, and lone surrogates are kept."""
    try:
        text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    except ValueError:  # A results file of another program may contain NaN, which is not JSON.
        text = json.dumps(json.loads(json.dumps(value), parse_constant=str), separators=(",", ":"))
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text
