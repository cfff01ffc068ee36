"""Several runs side by side, from their results files alone: targets by areas, and by the rules that any breaks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from conformance.baseline import own_verdict
from conformance.report.failure import printable
from conformance.report.markdown import cell
from conformance.report.results import ERROR, Results
from conformance.verdict import FAIL, INCONCLUSIVE, PASS, WARNING

#: One cell: the cases of one target in one area or rule, by verdict.
Counts = Mapping[str, int]

_STATES = (("bad", (FAIL, ERROR)), ("shaky", (WARNING, INCONCLUSIVE)), ("good", (PASS,)))


@dataclass(frozen=True)
class Matrix:
    """``heads`` are the columns, a run each; ``areas`` and ``rules`` the rows, each with a cell a run."""

    heads: tuple[str, ...]
    areas: Mapping[str, tuple[Counts, ...]]
    rules: Mapping[str, tuple[Counts, ...]]
    broken_off: tuple[str, ...]


def matrix(runs: Sequence[Results]) -> Matrix:
    """The runs side by side. Expected failures are failures here too."""
    heads = _heads(runs)
    rules = _rows(runs, lambda line: str(line["requirement"]))
    return Matrix(
        heads,
        _rows(runs, lambda line: str(line["area"])),
        {rule: cells for rule, cells in rules.items() if any(one.get(FAIL) or one.get(ERROR) for one in cells)},
        tuple(head for head, run in zip(heads, runs, strict=True) if _partial(run)),
    )


def _partial(run: Results) -> bool:
    return run.end is None or bool(run.end.get("interrupted"))


def _heads(runs: Sequence[Results]) -> tuple[str, ...]:
    """The targets' names, with the time or the file where one stands there twice."""
    names = [str(run.head["target"]["name"]) for run in runs]
    times = [f"{name}, {run.head['started_at']}" for name, run in zip(names, runs, strict=True)]
    files = [f"{name}, {run.path}" for name, run in zip(names, runs, strict=True)]
    return tuple(
        name if names.count(name) == 1 else time if times.count(time) == 1 else file
        for name, time, file in zip(names, times, files, strict=True)
    )


def _rows(runs: Sequence[Results], key: Callable[[Mapping[str, Any]], str]) -> dict[str, tuple[Counts, ...]]:
    columns: list[dict[str, Counter[str]]] = []
    for run in runs:
        column: dict[str, Counter[str]] = {}
        for line in run.cases:
            column.setdefault(key(line), Counter())[own_verdict(line)] += 1
        columns.append(column)
    return {name: tuple(column.get(name, Counter()) for column in columns) for name in sorted({*_all(columns)})}


def _all(columns: Sequence[Mapping[str, Counts]]) -> Iterator[str]:
    for column in columns:
        yield from column


def _state(counts: Counts) -> str:
    return next((name for name, verdicts in _STATES if any(counts.get(one) for one in verdicts)), "none")


def _words(counts: Counts) -> str:
    """A cell: how many of how many failed, or what else came of them."""
    judged = sum(counts.get(name, 0) for name in (PASS, FAIL, WARNING, ERROR))
    parts = [f"{counts[name]} {word}" for name, word in _WORDS if counts.get(name)]
    if not judged:
        return parts[0] if parts else ("not applicable" if counts else "not judged")
    return ", ".join(parts) + f" of {judged}" if parts else f"all {judged} pass"


_WORDS = ((FAIL, "fail"), (ERROR, "error"), (WARNING, "warn"), (INCONCLUSIVE, "inconclusive"))


def markdown(found: Matrix) -> str:
    """Two tables: areas, and the rules that any target breaks."""
    lines = [*_table("area", found.heads, found.areas), ""]
    if found.rules:
        lines += ["Rules that any of them breaks:", "", *_table("rule", found.heads, found.rules), ""]
    lines += [f"**{cell(head)} broke off: its column is not whole.**\n" for head in found.broken_off]
    return "\n".join(lines).rstrip() + "\n"


_SIGNS = {"bad": "❌ ", "shaky": "⚠️ ", "good": "✅ ", "none": ""}


def _table(corner: str, heads: Sequence[str], rows: Mapping[str, Sequence[Counts]]) -> Iterator[str]:
    yield f"| {corner} | {' | '.join(map(cell, heads))} |"
    yield "| --- " * (len(heads) + 1) + "|"
    for name, cells in rows.items():
        yield f"| {cell(name)} | {' | '.join(_SIGNS[_state(one)] + _words(one) for one in cells)} |"


_STYLE = """
body { font: 14px/1.5 system-ui, sans-serif; margin: 1.5rem; color-scheme: light dark }
table { border-collapse: collapse; margin-bottom: 2rem } .wide { overflow-x: auto }
td, th { text-align: left; padding: .15rem .7rem; border-bottom: 1px solid #8885 }
.bad { background: #d03a3a33 } .shaky { background: #d99a1c33 } .good { background: #2e9e5b33 }
"""


def page(found: Matrix) -> str:
    """The same as one HTML file with nothing from outside."""
    rules = f"<h2>Rules that any of them breaks</h2>{_grid('rule', found.heads, found.rules)}" if found.rules else ""
    broken = "".join(f"<p><strong>{_safe(head)} broke off, it is not whole.</strong></p>" for head in found.broken_off)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Conformance by target</title>'
        '<meta name="viewport" content="width=device-width">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<style>{_STYLE}</style></head><body><h1>Conformance by target</h1>\n{broken}"
        f"{_grid('area', found.heads, found.areas)}{rules}</body></html>\n"
    )


def _grid(corner: str, heads: Sequence[str], rows: Mapping[str, Sequence[Counts]]) -> str:
    top = "".join(f'<th scope="col">{_safe(head)}</th>' for head in heads)
    body = "".join(
        f'<tr><th scope="row">{_safe(name)}</th>'
        + "".join(f'<td class="{_state(one)}">{_words(one)}</td>' for one in cells)
        + "</tr>\n"
        for name, cells in rows.items()
    )
    head = f'<thead><tr><th scope="col">{corner}</th>{top}</tr></thead>'
    return f'<div class="wide"><table>{head}<tbody>\n{body}</tbody></table></div>\n'


def _safe(text: str) -> str:
    return escape(printable(text))
