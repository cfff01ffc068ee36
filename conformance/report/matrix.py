"""Several runs in one table, from their results files: targets by areas, the first root cause in each failed area, what
the profiles exclude, and the rules that any target violates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from conformance.contract.rules import CLIENTS
from conformance.judge.verdict import EXPECTED, FAIL, INCONCLUSIVE, PASS, WARNING
from conformance.report.failure import show
from conformance.report.html import simple
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
    ``left`` lists what each profile excludes. ``interrupted`` names the interrupted runs. ``files`` are the results
    files.
    """

    heads: tuple[str, ...]
    runs: tuple[tuple[str, ...], ...]
    areas: Mapping[str, tuple[Counts, ...]]
    rules: Mapping[str, tuple[Counts, ...]]
    why: tuple[Mapping[str, str], ...]
    left: tuple[tuple[str, ...], ...]
    interrupted: tuple[str, ...]
    files: tuple[Path, ...] = ()


def matrix(runs: Sequence[Results], names: Sequence[str] = ()) -> Matrix:
    """The tables of these runs. Expected failures count as failures. ``names`` are the titles of the columns; without
    one (an empty string) it is the target's name."""
    heads = tuple(name or head for name, head in zip(names or [""] * len(runs), _heads(runs), strict=True))
    rules = _rows(runs, lambda line: line.requirement)
    return Matrix(
        heads,
        tuple((head, *_facts(run)) for head, run in zip(heads, runs, strict=True)),
        _rows(runs, lambda line: line.area),
        {rule: cells for rule, cells in rules.items() if any(one.get(FAIL) or one.get(ERROR) for one in cells)},
        tuple(map(_why, runs)),
        tuple(tuple(one.says for one in unsupported_features(run.cases)) for run in runs),
        tuple(head for head, run in zip(heads, runs, strict=True) if _partial(run)),
        tuple(run.path for run in runs),
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
    """A cell: numbers of cases by verdict and of how many evaluated ones, then the number of inconclusive ones."""
    evaluated = sum(counts.get(name, 0) for name in (PASS, FAIL, WARNING, ERROR))
    parts = [f"{counts[name]} {word}" for name, word in _WORDS if counts.get(name)]
    parts_shown = [f"{', '.join(parts)} of {evaluated}" if parts else f"all {evaluated} pass"] * bool(evaluated)
    parts_shown += [f"{counts[INCONCLUSIVE]} inconclusive"] * bool(counts.get(INCONCLUSIVE))
    return ", ".join(parts_shown) or ("not applicable" if counts else "not evaluated")


_WORDS = ((FAIL, "fail"), (ERROR, "error"), (WARNING, "warn"))


def markdown(found: Matrix, notes: Sequence[str] = ()) -> str:
    """The Markdown: ``notes``, runs, areas, first root causes, excluded features, and rules that a target violates."""
    lines = [line for note in notes for line in (cell(note), "")]
    lines += [*_grid_lines(*_known_facts(found)), "", *_table("area", found.heads, found.areas), ""]
    for title, entries in _lists(found):
        lines += [f"{title}:", ""]
        for head, of_target in groupby(entries, lambda one: one[0]):
            lines += [f"- **{cell(head)}**"]
            lines += [f"  - {f'{area}: ' if area else ''}{cell(text)}" for _, area, text in of_target]
        lines += [""]
    if found.rules:
        lines += ["Rules that a target violates:", "", *_table("rule", found.heads, found.rules), ""]
    lines += [f"**{cell(head)} was interrupted: its column is incomplete.**\n" for head in found.interrupted]
    return "\n".join(lines).rstrip() + "\n"


def _lists(found: Matrix) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """The lists, each with a title and entries (target, area or nothing, text): the failed areas, and the excluded
    features."""
    pairs = list(zip(found.heads, found.why, strict=True))
    if why := [(head, area, text) for head, areas in pairs for area, text in areas.items()]:
        yield "The first root cause in each failed area", why
    if left := [(head, "", text) for head, excluded in zip(found.heads, found.left, strict=True) for text in excluded]:
        yield "Excluded by a profile", left


def _known_facts(found: Matrix) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The heads and rows of the first table. Runs over captured traffic, or over a proxy, have no column of levels."""
    known = [at for at, head in enumerate(_FACTS) if head != "levels passed" or any(row[at] for row in found.runs)]
    return tuple(_FACTS[at] for at in known), [tuple(row[at] for at in known) for row in found.runs]


_SIGNS = {"bad": "❌ ", "shaky": "⚠️ ", "good": "✅ ", "none": ""}


def _table(corner: str, heads: Sequence[str], rows: Mapping[str, Sequence[Counts]]) -> Iterator[str]:
    table = ([name, *(_SIGNS[_state(one)] + _words(one) for one in cells)] for name, cells in rows.items())
    yield from _grid_lines([corner, *heads], table)


def _grid_lines(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(map(cell, heads))} |"
    yield "| --- " * len(heads) + "|"
    for row in rows:
        yield f"| {' | '.join(map(cell, row))} |"


def page(found: Matrix, notes: Sequence[str] = (), file: Path | None = None) -> str:
    """The same as one self-contained HTML file, with links from ``file`` to the reports of the runs."""
    body = [*(simple.note(note) for note in notes)]
    body += [
        simple.paragraph("interrupted", f"{head} was interrupted: its column is incomplete.", True)
        for head in found.interrupted
    ]
    links = [simple.report_link(path, file) if file else "" for path in found.files]
    names, runs = _known_facts(found)
    heads = (*names, "report") if any(links) else names
    facts = [[*map(simple.text, row), *([link] if any(links) else [])] for row, link in zip(runs, links, strict=True)]
    short = [["" if head == _FACTS[-1] else "short" for head in heads[1:]]] * len(facts)
    body += [simple.table("Runs", heads, facts, short)]
    body += [simple.section("By area"), _grid("area", found.heads, found.areas)]
    for title, entries in _lists(found):
        body += [simple.section(title)]
        for head, of_target in groupby(entries, lambda one: one[0]):
            items = (f"<li>{_item(area, text)}</li>\n" for _, area, text in of_target)
            body += [f"<h3>{simple.text(head)}</h3>\n<ul>\n{''.join(items)}</ul>\n"]
    if found.rules:
        body += [simple.section("Rules that a target violates"), _grid("rule", found.heads, found.rules)]
    return simple.page("Conformance by target", "".join(body))


def _item(area: str, text: str) -> str:
    return f"<strong>{simple.text(area)}</strong>: {simple.text(text)}" if area else simple.text(text)


def _grid(corner: str, heads: Sequence[str], rows: Mapping[str, Sequence[Counts]]) -> str:
    cells = ([simple.code(name), *map(_words, counts)] for name, counts in rows.items())
    return simple.table(
        f"By {corner}", [corner, *heads], cells, [[_state(one) for one in counts] for counts in rows.values()]
    )
