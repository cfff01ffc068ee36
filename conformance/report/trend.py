"""The trend of nightly runs, as text for a terminal and as one self-contained HTML file with SVG charts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from conformance.judge.verdict import FAIL, PASS, WARNING
from conformance.report.columns import counted
from conformance.report.failure import printable
from conformance.report.html import simple
from conformance.results.history import FLAKY, History, NightlyRun

_BARS = "▁▂▃▄▅▆▇█"

#: What the characters of :func:`text` mean.
LEGEND = (
    f"One character a nightly run, oldest first. Of a target: passed cases ({_BARS[-1]} 100 %).\n"
    "Of a rule: a bar for the cases that failed, · all passed, ~ flaky. The numbers are those of the last run."
)

#: The state of one rule in one nightly run.
_NONE, _GOOD, _SHAKY, _BAD = "none", "good", "flaky", "bad"

_LETTERS = {_NONE: " ", _GOOD: "·", _SHAKY: "~"}


@dataclass(frozen=True)
class Trend:
    """The nightly runs of a target, oldest first; ``rules`` maps a rule to numbers of cases by verdict, a run each."""

    target: str
    nights: tuple[NightlyRun, ...]
    rules: Mapping[str, tuple[Mapping[str, int], ...]]


def trend(kept: History, target: str, most: int, wanted: Callable[[str], bool] | None) -> Trend:
    """The last nightly runs of a target, with the wanted rules, or those that failed or were flaky in one of them."""
    nights = tuple(kept.last_runs(target, most))
    rules = {}
    for rule, by_night in kept.by_rule(nights).items():
        by_run = tuple(by_night.get(night.id, {}) for night in nights)
        failed = any(counts.get(name) for counts in by_run for name in (FAIL, FLAKY))
        if wanted(rule) if wanted else failed:
            rules[rule] = by_run
    return Trend(target, nights, rules)


def text(found: Trend) -> Iterator[str]:
    """The trend in lines: one with the percentage of passed cases, and one a rule."""
    yield printable(f"{found.target}: {counted(len(found.nights), 'nightly run')}, {_span(found.nights)}")
    yield f"  {_bars(night.pass_rate for night in found.nights)}  {_outcome(found.nights[-1])}"
    widest = max(map(len, found.rules), default=0)
    for rule, by_run in found.rules.items():
        marks = "".join(_LETTERS.get(_state(counts), _BARS[_height(counts)]) for counts in by_run)
        yield f"  {marks}  {printable(rule):{widest}}  {_words(by_run[-1])}"


def _outcome(night: NightlyRun) -> str:
    share = "no case evaluated" if night.pass_rate is None else f"{night.pass_rate:.1%}".replace("%", " %") + " passed"
    return f"{share}, {night.counts.get(FAIL, 0)} failed, exit {night.exit}"


def _span(nights: Sequence[NightlyRun]) -> str:
    first, last = nights[0].started_at[:10], nights[-1].started_at[:10]
    return first if first == last else f"{first} to {last}"


def _bars(shares: Iterable[float | None]) -> str:
    """One bar a run, from 0 to 100 %: 99.6 % is nearly full, and only 100 % is full. A space if no case was
    evaluated."""
    return "".join(" " if share is None else _BARS[int(share * (len(_BARS) - 1))] for share in shares)


def _state(counts: Mapping[str, int]) -> str:
    if counts.get(FAIL):
        return _BAD
    if counts.get(FLAKY):
        return _SHAKY
    return _GOOD if counts.get(PASS) or counts.get(WARNING) else _NONE


def _height(counts: Mapping[str, int]) -> int:
    """The fraction of a rule's evaluated cases that failed, as an index into the bars (0 to 7)."""
    evaluated = sum(counts.get(name, 0) for name in (PASS, FAIL, WARNING, FLAKY))
    return round(counts.get(FAIL, 0) / evaluated * (len(_BARS) - 1)) if evaluated else 0


def _words(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {verdict}" for verdict, number in counts.items() if number) or "not evaluated"


# -- HTML --------------------------------------------------------------------------------------------------------------

#: The size of a square and of the gap between two, and the space of the chart: left of it, above, its height, below.
_CELL, _GAP, _TALL = 12, 3, 14
_LEFT, _ABOVE, _HIGH, _BELOW = 52, 8, 90, 22

#: The space between the first and the last date below the chart, in pixels: two dates of few runs would overlap.
_DATE = 110


def page(trends: Sequence[Trend], reports: Mapping[tuple[str, str], str] = MappingProxyType({})) -> str:
    """The trends as one HTML file. ``reports`` are links to the reports of runs, by target and time of the run."""
    key = (("good", "all cases passed"), ("flaky", "a case was flaky"), ("bad", "a case failed"),
           ("none", "not evaluated"))  # fmt: skip
    squares = "".join(
        f'<span><svg width="{_CELL}" height="{_CELL}" aria-hidden="true"><rect class="{state}" width="{_CELL}" '
        f'height="{_CELL}"/></svg> {says}</span>'
        for state, says in key
    )
    legend = f'<p class="key aside">One square a nightly run, oldest first: {squares}</p>\n'
    return simple.page("Conformance by nightly run", legend + "".join(_target(one, reports) for one in trends))


def _target(found: Trend, reports: Mapping[tuple[str, str], str]) -> str:
    rows = (
        [simple.code(rule), _strip(found.nights, by_run), _words(by_run[-1])] for rule, by_run in found.rules.items()
    )
    says = f"{counted(len(found.nights), 'nightly run')}, {_span(found.nights)}; last run: {_outcome(found.nights[-1])}"
    listed = simple.table(f"Rules of {found.target}", ("rule", "nightly runs", "last run"), rows) if found.rules else ""
    chart = simple.scrolling(f"Chart of {found.target}", _chart(found.nights))
    runs = [
        [simple.text(night.started_at.replace("T", " ")[:16]), simple.text(_outcome(night)), link]
        for night in reversed(found.nights)
        if (link := reports.get((found.target, night.started_at)))
    ]
    linked = simple.table(f"Reports of {found.target}", ("run at", "result", "report"), runs) if runs else ""
    return f"{simple.section(found.target)}{simple.note(says)}{chart}{listed}{linked}"


def _chart(nights: Sequence[NightlyRun]) -> str:
    """The percentage of passed cases as a line with axes; a nightly run without evaluated cases is a gap."""
    known = [night.pass_rate for night in nights if night.pass_rate is not None]
    low = min(known, default=0.0)
    low = low if low < 1 else 0.99
    width = _LEFT + max(len(nights) * (_CELL + _GAP), 160) + 40
    bottom = _ABOVE + _HIGH

    def across(place: int) -> float:
        return _LEFT + place * (_CELL + _GAP) + _CELL / 2

    def down(share: float) -> float:
        return _ABOVE + (1 - share) / (1 - low) * _HIGH

    parts = [f"<title>percentage of passed cases by nightly run, lowest {low:.1%}</title>"]
    for share in (1.0, (1 + low) / 2, low):
        parts.append(f'<line class="axis" x1="{_LEFT}" x2="{width}" y1="{down(share):.1f}" y2="{down(share):.1f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{down(share) + 4:.1f}" text-anchor="end">{share:.1%}</text>')
    last = len(nights) - 1
    for place in (0, last) if across(last) - across(0) > _DATE else (0,):  # Two dates side by side need the room.
        anchor = "start" if place == 0 else "middle"
        parts.append(f'<text x="{across(place):.1f}" y="{bottom + 16}" text-anchor="{anchor}">')
        parts.append(f"{simple.text(nights[place].started_at[:10])}</text>")
    for one in _connected(nights):
        points = " ".join(f"{across(place):.1f},{down(share):.1f}" for place, share in one)
        parts.append(f'<polyline class="share" points="{points}"/>')
        parts += [f'<circle class="point" cx="{across(at):.1f}" cy="{down(share):.1f}" r="2.5"/>' for at, share in one]
    for place, night in enumerate(nights):
        if night.pass_rate is None:
            says = f"<title>{simple.text(night.started_at[:10])}: {_outcome(night)}</title>"
            left = across(place) - _CELL / 2
            parts.append(
                f'<rect class="gap" x="{left:.1f}" y="{_ABOVE}" width="{_CELL}" height="{_HIGH}">{says}</rect>'
            )
    tall = bottom + _BELOW
    return f'<svg role="img" width="{width}" height="{tall}" viewBox="0 0 {width} {tall}">{"".join(parts)}</svg>'


def _connected(nights: Sequence[NightlyRun]) -> list[list[tuple[int, float]]]:
    """The places and percentages of neighbouring nightly runs with evaluated cases."""
    lines: list[list[tuple[int, float]]] = [[]]
    for place, night in enumerate(nights):
        if night.pass_rate is None:
            lines.append([])
        else:
            lines[-1].append((place, night.pass_rate))
    return [line for line in lines if line]


def _strip(nights: Sequence[NightlyRun], by_run: Sequence[Mapping[str, int]]) -> str:
    squares = "".join(
        f'<rect class="{_state(counts)}" x="{place * (_CELL + _GAP)}" width="{_CELL}" height="{_TALL}">'
        f"<title>{simple.text(night.started_at[:10])}: {_words(counts)}</title></rect>"
        for place, (night, counts) in enumerate(zip(nights, by_run, strict=True))
    )
    width = len(nights) * (_CELL + _GAP)
    last = f"last run {_words(by_run[-1])}"
    return (
        f'<svg role="img" aria-label="{last}" width="{width}" height="{_TALL}" viewBox="0 0 {width} {_TALL}">'
        f"{squares}</svg>"
    )
