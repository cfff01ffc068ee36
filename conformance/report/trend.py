"""The trend of nights, as text for a terminal and as one HTML file with drawings in it and nothing from outside."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from conformance.judge.verdict import FAIL, PASS, WARNING
from conformance.report.failure import printable
from conformance.results.history import FLAKY, History, NightlyRun

_BARS = "▁▂▃▄▅▆▇█"

#: One night of one rule.
_NONE, _GOOD, _SHAKY, _BAD = "none", "good", "flaky", "bad"

_LETTERS = {_NONE: " ", _GOOD: "·", _SHAKY: "~"}


@dataclass(frozen=True)
class Trend:
    """A target's nights, the oldest first, and of each rule its cases by verdict in each of them."""

    target: str
    nights: tuple[NightlyRun, ...]
    rules: Mapping[str, tuple[Mapping[str, int], ...]]


def trend(kept: History, target: str, most: int, wanted: Callable[[str], bool] | None) -> Trend:
    """The last nights of a target, with the rules that are wanted, or else those that failed in any of the nights."""
    nights = tuple(kept.last_runs(target, most))
    rules = {}
    for rule, by_night in kept.by_rule(nights).items():
        told = tuple(by_night.get(night.id, {}) for night in nights)
        broke = any(counts.get(name) for counts in told for name in (FAIL, FLAKY))
        if wanted(rule) if wanted else broke:
            rules[rule] = told
    return Trend(target, nights, rules)


def text(found: Trend) -> Iterator[str]:
    """The trend in lines: one for the share of cases that passed, one a rule."""
    yield printable(f"{found.target}: {len(found.nights)} nights, {_span(found.nights)}")
    yield f"  {_bars(night.pass_rate for night in found.nights)}  {_outcome(found.nights[-1])}"
    widest = max(map(len, found.rules), default=0)
    for rule, told in found.rules.items():
        marks = "".join(_LETTERS.get(_state(counts), _BARS[_height(counts)]) for counts in told)
        yield f"  {marks}  {printable(rule):{widest}}  {_words(told[-1])}"


def _outcome(night: NightlyRun) -> str:
    share = "nothing judged" if night.pass_rate is None else f"{night.pass_rate:.1%} passed"
    return f"{share}, {night.counts.get(FAIL, 0)} failed, exit {night.exit}"


def _span(nights: Sequence[NightlyRun]) -> str:
    first, last = nights[0].started_at[:10], nights[-1].started_at[:10]
    return first if first == last else f"{first} to {last}"


def _bars(shares: Iterable[float | None]) -> str:
    """A bar a night: the whole range is what the nights themselves span, full where nothing ever failed."""
    told = list(shares)
    known = [share for share in told if share is not None]
    low = min(known, default=0.0)
    span = 1.0 - low
    return "".join(
        " " if share is None else _BARS[-1] if not span else _BARS[round((share - low) / span * (len(_BARS) - 1))]
        for share in told
    )


def _state(counts: Mapping[str, int]) -> str:
    if counts.get(FAIL):
        return _BAD
    if counts.get(FLAKY):
        return _SHAKY
    return _GOOD if counts.get(PASS) or counts.get(WARNING) else _NONE


def _height(counts: Mapping[str, int]) -> int:
    """How large a part of a rule's cases failed, from 0 to 7."""
    evaluated = sum(counts.get(name, 0) for name in (PASS, FAIL, WARNING, FLAKY))
    return round(counts.get(FAIL, 0) / evaluated * (len(_BARS) - 1)) if evaluated else 0


def _words(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {verdict}" for verdict, number in counts.items() if number) or "not judged"


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
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Conformance by night</title>'
        '<meta name="viewport" content="width=device-width">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<style>{_STYLE}</style></head><body><h1>Conformance by night</h1>\n{body}"
        "<p>A square a night, the oldest first: green, all cases passed; amber, one was flaky; red, one failed; "
        "grey, not judged.</p></body></html>\n"
    )


def _target(found: Trend) -> str:
    rows = "".join(
        f"<tr><th><code>{_safe(rule)}</code></th><td>{_strip(found.nights, told)}</td>"
        f"<td>{_words(told[-1])}</td></tr>\n"
        for rule, told in found.rules.items()
    )
    return (
        f"<h2>{_safe(found.target)}</h2><p>{len(found.nights)} nights, {_safe(_span(found.nights))}; "
        f"last night {_outcome(found.nights[-1])}</p>\n"
        f'<div class="wide">{_line(found.nights)}<table>\n{rows}</table></div>\n'
    )


def _safe(text: str) -> str:
    return escape(printable(text))


def _line(nights: Sequence[NightlyRun]) -> str:
    """The share of cases that passed, as a line from the worst night to all."""
    told = [(place, night.pass_rate) for place, night in enumerate(nights) if night.pass_rate is not None]
    low = min((share for _, share in told), default=0.0)
    span = (1.0 - low) or 1.0
    points = " ".join(
        f"{place * (_CELL + _GAP) + _CELL / 2:g},{2 + (1 - share) / span * 36:.1f}" for place, share in told
    )
    width = len(nights) * (_CELL + _GAP)
    return (
        f'<svg role="img" width="{width}" height="40" viewBox="0 0 {width} 40">'
        f"<title>share of cases that passed, {low:.1%} at worst</title>"
        f'<polyline points="{points}"/></svg>'
    )


def _strip(nights: Sequence[NightlyRun], told: Sequence[Mapping[str, int]]) -> str:
    squares = "".join(
        f'<rect class="{_state(counts)}" x="{place * (_CELL + _GAP)}" width="{_CELL}" height="{_TALL}">'
        f"<title>{_safe(night.started_at[:10])}: {_words(counts)}</title></rect>"
        for place, (night, counts) in enumerate(zip(nights, told, strict=True))
    )
    width = len(nights) * (_CELL + _GAP)
    return f'<svg role="img" width="{width}" height="{_TALL}" viewBox="0 0 {width} {_TALL}">{squares}</svg>'
