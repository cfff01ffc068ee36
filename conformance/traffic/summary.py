"""The report of evaluated traffic: at the terminal, as for any run, and as a results file."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from conformance.config.target import Target
from conformance.report import terminal
from conformance.report.columns import counted, labelled, with_label
from conformance.report.failure import printable, show
from conformance.report.summary import beside
from conformance.results.causes import causes
from conformance.results.records import CaseRecord
from conformance.results.results_file import Results
from conformance.traffic.captured import Captured
from conformance.traffic.evaluation import Evaluation

_COLOURS = {"red": "31", "green": "32", "yellow": "33", "bold": "1"}

#: Maximum number of reasons for exchanges and files that were not evaluated.
_MOST = 40


class Screen:
    """Writes lines like pytest's terminal reporter, with colours if the output is a terminal."""

    def __init__(self, out: TextIO | None = None, width: int = 80) -> None:
        self._out = out or sys.stdout
        self._width = width

    def line(self, text: str, **markup: bool) -> None:
        """Write a line."""
        self._out.write(self._coloured(text, markup) + "\n")
        self._out.flush()

    def section(self, title: str, **markup: bool) -> None:
        """Write a separator line with a title in it."""
        self.line(f" {title} ".center(self._width, "="), **markup)

    def _coloured(self, text: str, markup: Mapping[str, bool]) -> str:
        codes = [_COLOURS[name] for name, chosen in markup.items() if chosen and name in _COLOURS]
        return f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if codes and self._out.isatty() else text


def report(screen: Screen, evaluated: Evaluation, captured: Sequence[Captured], target: Target, *, source: str,
           again: str, others: int, run: Results, written: Mapping[str, str],
           beside: Mapping[str, str] | None = None,
           ) -> None:  # fmt: skip
    """Print the exchanges that were not evaluated, the root causes and the summary.

    ``beside``: further contents of the capture that are not exchanges, by label, with the reason.
    """

    def text(case: CaseRecord) -> str:
        rendered = evaluated.text(case)
        return "\n".join([rendered, *_again(case.id, again, source, captured)]) if rendered else case.id

    for line in unjudged(evaluated, len(captured), others, beside or {}):
        screen.line(line)
    what = f"{source}, revision {target.revision}; rules that need no scenario (docs/traffic.md)"
    terminal.show(screen, what, run, text, again, written, captured=True)


def _again(case: str, again: str, source: str, captured: Sequence[Captured]) -> Iterator[str]:
    label = case.partition("@")[2]
    one = next((one for one in captured if one.label == label), None)
    yield with_label("rerun", f"{again} --only '{printable(case)}'")
    if one and Path(source).is_dir() and not one.source:
        yield with_label("exchange", f"{Path(source) / 'exchanges' / one.exchange.key}.json")
    elif one:
        yield with_label("exchange", f"{source}, {label}")


def unjudged(evaluated: Evaluation, ours: int, others: int, beside: Mapping[str, str]) -> Iterator[str]:
    """The number of captured exchanges, and the reasons why some were not evaluated or only in part."""
    yield f"{counted(ours, 'exchange')} with POST .../responses; {others} with other requests, not evaluated"
    not_for_captured = {**evaluated.unjudged, **beside}
    for why, number in Counter(not_for_captured.values()).most_common(_MOST):
        first = next(label for label, one in not_for_captured.items() if one == why)
        more = f" and {number - 1} more" if number > 1 else ""
        yield from labelled("skipped", f"{first}{more}: {show(why, 200)}")


def brief(label: str, evaluated: Evaluation, known: set[tuple[str, str]] | None = None) -> Iterator[str]:
    """One exchange: without violations one line; else its first root cause in full and the others on a line each.

    ``known`` are the verdicts and rules of the causes that were shown before, to which those of this exchange are
    added: a known cause is only named.
    """
    known = set() if known is None else known
    found = causes(evaluated.cases)
    if not found:
        why = show(evaluated.unjudged.get(label, ""), 200)
        count = sum(line.verdict == "pass" for line in evaluated.cases)
        if why and count:
            yield f"{label}: evaluated in part, {counted(count, 'rule')} passed: {why}"
        elif why:
            yield f"{label}: not evaluated: {why}"
        else:
            yield f"{label}: ok, {counted(count, 'rule')} passed"
        return
    counts = Counter(cause.verdict for cause in found)
    again = [cause.rule for cause in found if (cause.verdict, cause.rule) in known]
    found = [cause for cause in found if (cause.verdict, cause.rule) not in known]
    known.update((cause.verdict, cause.rule) for cause in found)
    by_verdict = ", ".join(f"{number} {verdict}" for verdict, number in counts.items())
    yield f"{label}: {by_verdict}" + (f"; again: {', '.join(again)}" if again else "")
    if not found:
        return
    first = found[0]
    yield from (printable(line) for line in evaluated.text(first.cases[0]).splitlines())
    yield from beside(first)
    for cause in found[1:]:
        line = cause.cases[0]
        yield f"  {cause.verdict:<7} {cause.rule}: {show(line.message, 120)}"
