"""The trend of nightly runs, as text for a terminal and as one self-contained HTML file with SVG charts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from conformance.judge.verdict import FAIL, PASS, WARNING
from conformance.report.columns import counted
from conformance.report.failure import printable
from conformance.results.history import FLAKY, History, NightlyRun

_BARS = "▁▂▃▄▅▆▇█"

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
    share = "no case evaluated" if night.pass_rate is None else f"{night.pass_rate:.1%} passed"
    return f"{share}, {night.counts.get(FAIL, 0)} failed, exit {night.exit}"


def _span(nights: Sequence[NightlyRun]) -> str:
    first, last = nights[0].started_at[:10], nights[-1].started_at[:10]
    return first if first == last else f"{first} to {last}"


def _bars(shares: Iterable[float | None]) -> str:
    """One bar a run, scaled from the lowest percentage of these runs to 100 %; full height if all are 100 %."""
    values = list(shares)
    known = [share for share in values if share is not None]
    low = min(known, default=0.0)
    span = 1.0 - low
    return "".join(
        " " if share is None else _BARS[-1] if not span else _BARS[round((share - low) / span * (len(_BARS) - 1))]
        for share in values
    )


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

_STYLE = """
body { font: 14px/1.5 system-ui, sans-serif; margin: 1.5rem; max-width: 75rem; color-scheme: light dark }
table { border-collapse: collapse } td, th { text-align: left; padding: .1rem .8rem .1rem 0; vertical-align: middle }
code { font-size: 13px } .wide { overflow-x: auto }
.none { fill: #8883 } .good { fill: #2e9e5b } .flaky { fill: #d99a1c } .bad { fill: #d03a3a }
polyline { fill: none; stroke: #2e7fd0; stroke-width: 1.5 }
"""

_CELL, _GAP, _TALL = 8, 2, 14


def page(trends: Sequence[Trend]) -> str:
    """The trends as one HTML file."""
    body = "".join(_target(one) for one in trends)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Conformance by nightly run</title>'
        '<meta name="viewport" content="width=device-width">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<style>{_STYLE}</style></head><body><h1>Conformance by nightly run</h1>\n{body}"
        "<p>One square a nightly run, oldest first: green, all cases passed; amber, a case was flaky; "
        "red, a case failed; grey, not evaluated.</p></body></html>\n"
    )


def _target(found: Trend) -> str:
    rows = "".join(
        f"<tr><th><code>{_safe(rule)}</code></th><td>{_strip(found.nights, by_run)}</td>"
        f"<td>{_words(by_run[-1])}</td></tr>\n"
        for rule, by_run in found.rules.items()
    )
    return (
        f"<h2>{_safe(found.target)}</h2><p>{counted(len(found.nights), 'nightly run')}, {_safe(_span(found.nights))}; "
        f"last run: {_outcome(found.nights[-1])}</p>\n"
        f'<div class="wide">{_line(found.nights)}<table>\n{rows}</table></div>\n'
    )


def _safe(text: str) -> str:
    return escape(printable(text))


def _line(nights: Sequence[NightlyRun]) -> str:
    """The percentage of passed cases as a line chart, scaled from the lowest value to 100 %."""
    values = [(place, night.pass_rate) for place, night in enumerate(nights) if night.pass_rate is not None]
    low = min((share for _, share in values), default=0.0)
    span = (1.0 - low) or 1.0
    points = " ".join(
        f"{place * (_CELL + _GAP) + _CELL / 2:g},{2 + (1 - share) / span * 36:.1f}" for place, share in values
    )
    width = len(nights) * (_CELL + _GAP)
    return (
        f'<svg role="img" width="{width}" height="40" viewBox="0 0 {width} 40">'
        f"<title>percentage of passed cases, lowest {low:.1%}</title>"
        f'<polyline points="{points}"/></svg>'
    )


def _strip(nights: Sequence[NightlyRun], by_run: Sequence[Mapping[str, int]]) -> str:
    squares = "".join(
        f'<rect class="{_state(counts)}" x="{place * (_CELL + _GAP)}" width="{_CELL}" height="{_TALL}">'
        f"<title>{_safe(night.started_at[:10])}: {_words(counts)}</title></rect>"
        for place, (night, counts) in enumerate(zip(nights, by_run, strict=True))
    )
    width = len(nights) * (_CELL + _GAP)
    return f'<svg role="img" width="{width}" height="{_TALL}" viewBox="0 0 {width} {_TALL}">{squares}</svg>'
