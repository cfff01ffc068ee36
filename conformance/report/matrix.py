"""Several runs in one table, from their results files: targets by areas, the first root cause in each failed area, what
the profiles exclude, and the rules that any target violates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from conformance.contract.rules import CLIENTS
from conformance.judge.verdict import EXPECTED, FAIL, INCONCLUSIVE, PASS, WARNING
from conformance.report.failure import printable, show
from conformance.report.markdown import cell
from conformance.results import score
from conformance.results.causes import causes
from conformance.results.levels import passed_levels
from conformance.results.records import CaseRecord, RunHead
from conformance.results.results_file import ERROR, Results
from conformance.results.unsupported import unsupported_features

#: One cell: numbers of cases of one target in one area or of one rule, by verdict.
Counts = Mapping[str, int]

_STATES = (("bad", (FAIL, ERROR)), ("shaky", (WARNING, INCONCLUSIVE)), ("good", (PASS,)))


@dataclass(frozen=True)
class Matrix:
    """The runs as tables.

    ``heads`` are the column titles, one a run; ``areas`` and ``rules`` the rows, each with one cell a run. ``runs`` has
    the facts about each run (see ``_FACTS``). ``why`` maps the failed areas of each run to their first root cause.
    ``left`` lists what each profile excludes. ``interrupted`` names the interrupted runs.
    """

    heads: tuple[str, ...]
    runs: tuple[tuple[str, ...], ...]
    areas: Mapping[str, tuple[Counts, ...]]
    rules: Mapping[str, tuple[Counts, ...]]
    why: tuple[Mapping[str, str], ...]
    left: tuple[tuple[str, ...], ...]
    interrupted: tuple[str, ...]


def matrix(runs: Sequence[Results]) -> Matrix:
    """The tables of these runs. Expected failures count as failures."""
    heads = _heads(runs)
    rules = _rows(runs, lambda line: line.requirement)
    return Matrix(
        heads,
        tuple((head, *_facts(run)) for head, run in zip(heads, runs, strict=True)),
        _rows(runs, lambda line: line.area),
        {rule: cells for rule, cells in rules.items() if any(one.get(FAIL) or one.get(ERROR) for one in cells)},
        tuple(map(_why, runs)),
        tuple(tuple(one.says for one in unsupported_features(run.cases)) for run in runs),
        tuple(head for head, run in zip(heads, runs, strict=True) if _partial(run)),
    )


#: The columns of the first table.
_FACTS = (
    "target", "run at", "contract", "suite", "requests", "levels passed", "MUST rules passed", "SHOULD rules passed",
    "affected clients (root causes)",
)  # fmt: skip


def _facts(run: Results) -> tuple[str, ...]:
    passed = {one.level: f"{one.rules_passed} of {one.rules}" for one in score.scores(run.cases)}
    requests = str(run.end.requests) if run.end else "interrupted"
    head = run.head
    return (
        _time(head), head.revision, head.suite, requests, passed_levels(run),
        passed.get("MUST", ""), passed.get("SHOULD", ""), _clients(run),
    )  # fmt: skip


def _clients(run: Results) -> str:
    counts = score.affected_clients(causes(run.cases))
    return ", ".join(f"{CLIENTS[name]} {number}" for name, number in counts.items())


def _time(head: RunHead) -> str:
    """The start of a run in UTC, to the minute."""
    return head.started_at.replace("T", " ")[:16] + " UTC"


def _why(run: Results) -> dict[str, str]:
    """The failed areas with the first root cause of each, in the area or, if it has only consequences, elsewhere."""
    found = [one for one in causes(run.cases) if one.verdict in (FAIL, EXPECTED, ERROR)]
    own: dict[str, str] = {}
    other: dict[str, str] = {}
    for cause in found:
        first = cause.cases[0]
        text = f"{cause.rule}: {show(first.message, 200)}"
        own.setdefault(first.area, text)
        for line in cause.consequences:
            if line.own_verdict in (FAIL, ERROR):
                other.setdefault(line.area, f"consequence of {text}")
    return dict(sorted({**other, **own}.items()))


def _partial(run: Results) -> bool:
    return run.end is None or run.end.interrupted


def _heads(runs: Sequence[Results]) -> tuple[str, ...]:
    """The targets' names, with the time or the file where two runs have the same name."""
    names = [run.head.title for run in runs]
    times = [f"{name}, {run.head.started_at}" for name, run in zip(names, runs, strict=True)]
    files = [f"{name}, {run.path}" for name, run in zip(names, runs, strict=True)]
    return tuple(
        name if names.count(name) == 1 else time if times.count(time) == 1 else file
        for name, time, file in zip(names, times, files, strict=True)
    )


def _rows(runs: Sequence[Results], key: Callable[[CaseRecord], str]) -> dict[str, tuple[Counts, ...]]:
    columns: list[dict[str, Counter[str]]] = []
    for run in runs:
        column: dict[str, Counter[str]] = {}
        for line in run.cases:
            column.setdefault(key(line), Counter())[line.own_verdict] += 1
        columns.append(column)
    return {name: tuple(column.get(name, Counter()) for column in columns) for name in sorted({*_all(columns)})}


def _all(columns: Sequence[Mapping[str, Counts]]) -> Iterator[str]:
    for column in columns:
        yield from column


def _state(counts: Counts) -> str:
    return next((name for name, verdicts in _STATES if any(counts.get(one) for one in verdicts)), "none")


def _words(counts: Counts) -> str:
    """A cell: numbers of cases by verdict, and of how many evaluated ones."""
    evaluated = sum(counts.get(name, 0) for name in (PASS, FAIL, WARNING, ERROR))
    parts = [f"{counts[name]} {word}" for name, word in _WORDS if counts.get(name)]
    if not evaluated:
        return parts[0] if parts else ("not applicable" if counts else "not evaluated")
    return ", ".join(parts) + f" of {evaluated}" if parts else f"all {evaluated} pass"


_WORDS = ((FAIL, "fail"), (ERROR, "error"), (WARNING, "warn"), (INCONCLUSIVE, "inconclusive"))


def markdown(found: Matrix, notes: Sequence[str] = ()) -> str:
    """The Markdown: ``notes``, runs, areas, first root causes, excluded features, and rules that a target violates."""
    lines = [line for note in notes for line in (cell(note), "")]
    lines += [*_grid_lines(_FACTS, found.runs), "", *_table("area", found.heads, found.areas), ""]
    for title, entries in _lists(found):
        lines += [f"{title}:", ""]
        lines += [f"- **{cell(head)}**: {cell(text)}" for head, text in entries]
        lines += [""]
    if found.rules:
        lines += ["Rules that a target violates:", "", *_table("rule", found.heads, found.rules), ""]
    lines += [f"**{cell(head)} was interrupted: its column is incomplete.**\n" for head in found.interrupted]
    return "\n".join(lines).rstrip() + "\n"


def _lists(found: Matrix) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """The lists, each with a title and entries of a target: the failed areas, and the excluded features."""
    pairs = list(zip(found.heads, found.why, strict=True))
    if why := [(f"{head}, {area}", text) for head, areas in pairs for area, text in areas.items()]:
        yield "The first root cause in each failed area", why
    if left := [(head, text) for head, excluded in zip(found.heads, found.left, strict=True) for text in excluded]:
        yield "Excluded by a profile", left


_SIGNS = {"bad": "❌ ", "shaky": "⚠️ ", "good": "✅ ", "none": ""}


def _table(corner: str, heads: Sequence[str], rows: Mapping[str, Sequence[Counts]]) -> Iterator[str]:
    table = ([name, *(_SIGNS[_state(one)] + _words(one) for one in cells)] for name, cells in rows.items())
    yield from _grid_lines([corner, *heads], table)


def _grid_lines(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(map(cell, heads))} |"
    yield "| --- " * len(heads) + "|"
    for row in rows:
        yield f"| {' | '.join(map(cell, row))} |"


_STYLE = """
body { font: 14px/1.5 system-ui, sans-serif; margin: 1.5rem; color-scheme: light dark }
table { border-collapse: collapse; margin-bottom: 2rem } .wide { overflow-x: auto }
td, th { text-align: left; padding: .15rem .7rem; border-bottom: 1px solid #8885 }
.bad { background: #d03a3a33 } .shaky { background: #d99a1c33 } .good { background: #2e9e5b33 }
"""


def page(found: Matrix, notes: Sequence[str] = ()) -> str:
    """The same as one self-contained HTML file."""
    paragraphs = "".join(f"<p>{_safe(note)}</p>\n" for note in notes)
    lists = "".join(
        f"<h2>{_safe(title)}</h2>\n<ul>\n"
        + "".join(f"<li><strong>{_safe(head)}</strong>: {_safe(text)}</li>\n" for head, text in entries)
        + "</ul>\n"
        for title, entries in _lists(found)
    )
    rules = f"<h2>Rules that a target violates</h2>{_grid('rule', found.heads, found.rules)}" if found.rules else ""
    broken = "".join(
        f"<p><strong>{_safe(head)} was interrupted: its column is incomplete.</strong></p>"
        for head in found.interrupted
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Conformance by target</title>'
        '<meta name="viewport" content="width=device-width">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<style>{_STYLE}</style></head><body><h1>Conformance by target</h1>\n{paragraphs}{broken}"
        f"{_facts_grid(found.runs)}{_grid('area', found.heads, found.areas)}{lists}{rules}</body></html>\n"
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


def _facts_grid(rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f'<th scope="col">{_safe(one)}</th>' for one in _FACTS)
    body = "".join(f"<tr>{''.join(f'<td>{_safe(one)}</td>' for one in row)}</tr>\n" for row in rows)
    return f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>\n{body}</tbody></table></div>\n'


def _safe(text: str) -> str:
    return escape(printable(text))
