"""Several runs side by side, from their results files alone: targets by areas, why each red one is red, what the
profiles leave out, and the rules that any breaks."""

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
from conformance.results.records import CaseRecord, RunHead
from conformance.results.results_file import ERROR, Results
from conformance.results.unsupported import unsupported_features

#: One cell: the cases of one target in one area or rule, by verdict.
Counts = Mapping[str, int]

_STATES = (("bad", (FAIL, ERROR)), ("shaky", (WARNING, INCONCLUSIVE)), ("good", (PASS,)))


@dataclass(frozen=True)
class Matrix:
    """``heads`` are the columns, a run each; ``areas`` and ``rules`` the rows, each with a cell a run.

    ``runs`` says of each when and by what it was judged; ``why`` maps the red areas of each to their first cause in
    words; ``left`` what each profile leaves out.
    """

    heads: tuple[str, ...]
    runs: tuple[tuple[str, ...], ...]
    areas: Mapping[str, tuple[Counts, ...]]
    rules: Mapping[str, tuple[Counts, ...]]
    why: tuple[Mapping[str, str], ...]
    left: tuple[tuple[str, ...], ...]
    broken_off: tuple[str, ...]


def matrix(runs: Sequence[Results]) -> Matrix:
    """The runs side by side. Expected failures are failures here too."""
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
    "target", "judged at", "contract", "suite", "requests", "MUST rules that hold", "SHOULD rules that hold",
    "affected clients, by causes",
)  # fmt: skip


def _facts(run: Results) -> tuple[str, ...]:
    held = {one.level: f"{one.rules_passed} of {one.rules}" for one in score.scores(run.cases)}
    requests = str(run.end.requests) if run.end else "broke off"
    head = run.head
    return (
        _time(head), head.revision, head.suite, requests,
        held.get("MUST", ""), held.get("SHOULD", ""), _clients(run),
    )  # fmt: skip


def _clients(run: Results) -> str:
    counts = score.affected_clients(causes(run.cases))
    return ", ".join(f"{CLIENTS[name]} {number}" for name, number in counts.items())


def _time(head: RunHead) -> str:
    """When a run began, to the minute."""
    return head.started_at.replace("T", " ")[:16] + " UTC"


def _why(run: Results) -> dict[str, str]:
    """The red areas with the first cause of each: its own, or one that its failures only follow from."""
    found = [one for one in causes(run.cases) if one.verdict in (FAIL, EXPECTED, ERROR)]
    own: dict[str, str] = {}
    other: dict[str, str] = {}
    for cause in found:
        first = cause.cases[0]
        told = f"{cause.rule}: {show(first.message, 200)}"
        own.setdefault(first.area, told)
        for line in cause.consequences:
            if line.own_verdict in (FAIL, ERROR):
                other.setdefault(line.area, f"follows from {told}")
    return dict(sorted({**other, **own}.items()))


def _partial(run: Results) -> bool:
    return run.end is None or run.end.interrupted


def _heads(runs: Sequence[Results]) -> tuple[str, ...]:
    """The targets' names, with the time or the file where one stands there twice."""
    names = [run.head.target.name for run in runs]
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
    """A cell: how many of how many failed, or what else came of them."""
    evaluated = sum(counts.get(name, 0) for name in (PASS, FAIL, WARNING, ERROR))
    parts = [f"{counts[name]} {word}" for name, word in _WORDS if counts.get(name)]
    if not evaluated:
        return parts[0] if parts else ("not applicable" if counts else "not judged")
    return ", ".join(parts) + f" of {evaluated}" if parts else f"all {evaluated} pass"


_WORDS = ((FAIL, "fail"), (ERROR, "error"), (WARNING, "warn"), (INCONCLUSIVE, "inconclusive"))


def markdown(found: Matrix, notes: Sequence[str] = ()) -> str:
    """The runs, areas, first causes, what is left out, and the rules that any target breaks; ``notes`` come first."""
    lines = [line for note in notes for line in (cell(note), "")]
    lines += [*_grid_lines(_FACTS, found.runs), "", *_table("area", found.heads, found.areas), ""]
    for title, told in _lists(found):
        lines += [f"{title}:", ""]
        lines += [f"- **{cell(head)}**: {cell(says)}" for head, says in told]
        lines += [""]
    if found.rules:
        lines += ["Rules that any of them breaks:", "", *_table("rule", found.heads, found.rules), ""]
    lines += [f"**{cell(head)} broke off: its column is not whole.**\n" for head in found.broken_off]
    return "\n".join(lines).rstrip() + "\n"


def _lists(found: Matrix) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """What is told a line a target and thing: why an area is red, and what is not claimed."""
    pairs = list(zip(found.heads, found.why, strict=True))
    if why := [(f"{head}, {area}", says) for head, areas in pairs for area, says in areas.items()]:
        yield "The first cause in each red area", why
    if left := [(head, says) for head, told in zip(found.heads, found.left, strict=True) for says in told]:
        yield "Not claimed by a profile, and so not judged", left


_SIGNS = {"bad": "❌ ", "shaky": "⚠️ ", "good": "✅ ", "none": ""}


def _table(corner: str, heads: Sequence[str], rows: Mapping[str, Sequence[Counts]]) -> Iterator[str]:
    told = ([name, *(_SIGNS[_state(one)] + _words(one) for one in cells)] for name, cells in rows.items())
    yield from _grid_lines([corner, *heads], told)


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
    """The same as one HTML file with nothing from outside."""
    said = "".join(f"<p>{_safe(note)}</p>\n" for note in notes)
    lists = "".join(
        f"<h2>{_safe(title)}</h2>\n<ul>\n"
        + "".join(f"<li><strong>{_safe(head)}</strong>: {_safe(says)}</li>\n" for head, says in told)
        + "</ul>\n"
        for title, told in _lists(found)
    )
    rules = f"<h2>Rules that any of them breaks</h2>{_grid('rule', found.heads, found.rules)}" if found.rules else ""
    broken = "".join(f"<p><strong>{_safe(head)} broke off, it is not whole.</strong></p>" for head in found.broken_off)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Conformance by target</title>'
        '<meta name="viewport" content="width=device-width">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<style>{_STYLE}</style></head><body><h1>Conformance by target</h1>\n{said}{broken}"
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
