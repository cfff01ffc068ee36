"""One HTML file that a person reads and mails: nothing is fetched, and what a server sent is text, never markup."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

from conformance.exchange.run_directory import RunDirectory
from conformance.report import job_summary
from conformance.report.failure import printable
from conformance.report.html.data import document
from conformance.results.results_file import Results
from conformance.results.score import allowed_deviations, run_verdict
from conformance.results.unsupported import unsupported_features

_PARTS = Path(__file__).parent
_SCRIPTS = ("base.js", "timeline.js", "case.js", "page.js")

#: The tab's picture, and its colour by verdict.
_DOT = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9 9'><circle cx='4.5' cy='4.5' r='4' fill='%s'/></svg>"
_COLOURS = {"pass": "#22703f", "fail": "#b3261e", "error": "#b3261e", "warning": "#8a5300"}


def render(results: Results, folder: RunDirectory, again: str) -> str:
    """The page of these results; ``folder`` holds the exchanges, ``again`` is the command that judges again."""
    whole = run_verdict(results.cases, results.end)
    target, head = results.head.target, results.head
    named = (target.name, target.endpoint, target.model, head.started_at)
    script = "\n".join(_part(name).replace('"use strict";\n', "") for name in _SCRIPTS)
    script = f'"use strict";\n{{\n{script}}}\n'
    style = _part("style.css")
    filled = {
        "policy": _policy(script, style),
        "icon": f"data:image/svg+xml,{quote(_DOT % _COLOURS.get(whole.verdict, '#5a4fb0'))}",
        "style": style,
        "script": script,
        "data": _embedded(document(results, folder, again)),
        "title": _text(f"{whole.word}: {printable(target.name)}"),
        "eyebrow": _text(f"Responses API conformance · revision {head.revision} · suite {head.suite}"),
        "verdict": _text(whole.verdict),
        "word": _text(whole.word),
        "says": _text(whole.says),
        "target": _text(" · ".join(dict.fromkeys(printable(str(one)) for one in named))),
        "lacks": "".join(
            f'<p class="target">{word} {_text(printable(said))}</p>\n'
            for word, said in (
                *(("allowed", said) for said in allowed_deviations(results.cases)),
                *(("lacks", one.says) for one in unsupported_features(results.cases)),
            )
        ),
        "plain": _text(job_summary.render(results, again)),
        "foot": _text("Made from results.jsonl and the recorded exchanges of one run. The key is in neither."),
    }  # fmt: skip
    return re.sub(r"\{\{(\w+)\}\}", lambda found: filled[found[1]], _part("page.html"))


def _part(name: str) -> str:
    return (_PARTS / name).read_text(encoding="utf-8")


def _text(value: str) -> str:
    return html.escape(value.encode("utf-8", "replace").decode("utf-8"))


def _policy(script: str, style: str) -> str:
    """Only this script and this style run, nothing is loaded, and no text is ever made markup."""
    return (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}'"


def _embedded(value: Any) -> str:
    """JSON that no HTML parser takes for anything else, in ASCII: lone surrogates survive and nothing ends a line."""
    try:
        text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    except ValueError:  # A results file from elsewhere may hold NaN, which is no JSON.
        text = json.dumps(json.loads(json.dumps(value), parse_constant=str), separators=(",", ":"))
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text
