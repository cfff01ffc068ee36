"""What is told of judged traffic: at the terminal as at the end of any run, and as a results file."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from conformance.config.target import Target
from conformance.engine.session import head
from conformance.judge import case_selection
from conformance.report import terminal
from conformance.report.columns import labelled
from conformance.report.failure import printable, show
from conformance.report.summary import beside
from conformance.results import results_file
from conformance.results.causes import causes
from conformance.traffic.captured import Captured
from conformance.traffic.evaluation import Evaluation

#: Of a results file and a run folder: see ``schemas/results.json``.
MODE = "traffic"

_COLOURS = {"red": "31", "green": "32", "yellow": "33", "bold": "1"}

#: Exchanges of which it is told why nothing was judged.
_MOST = 10


class Screen:
    """Writes lines as pytest's own terminal does, with colours where a person watches."""

    def __init__(self, out: TextIO | None = None, width: int = 80) -> None:
        self._out = out or sys.stdout
        self._width = width

    def line(self, text: str, **markup: bool) -> None:
        """One line."""
        self._out.write(self._coloured(text, markup) + "\n")
        self._out.flush()

    def section(self, title: str, **markup: bool) -> None:
        """A rule over the whole width with a title in it."""
        self.line(f" {title} ".center(self._width, "="), **markup)

    def _coloured(self, text: str, markup: Mapping[str, bool]) -> str:
        codes = [_COLOURS[name] for name, chosen in markup.items() if chosen and name in _COLOURS]
        return f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if codes and self._out.isatty() else text


def tell(screen: Screen, evaluated: Evaluation, captured: Sequence[Captured], target: Target, *, source: str,
         again: str, others: int, end: Mapping[str, Any], written: Mapping[str, str],
         beside: Mapping[str, str] | None = None,
         ) -> None:  # fmt: skip
    """The end of an evaluation: the causes first, then the sums, and what was not evaluated. ``beside``: what else the
    capture holds and is not among the exchanges, by label, with the reason."""
    texts = {case: "\n".join([text, *_again(case, again, source, captured)]) for case, text in evaluated.texts.items()}
    for line in unjudged(evaluated, len(captured), others, beside or {}):
        screen.line(line)
    what = f"{source}, revision {target.revision}; rules that need no scenario (docs/traffic.md)"
    terminal.show(screen, what, evaluated.lines, texts, end, again, written)


def _again(case: str, again: str, source: str, captured: Sequence[Captured]) -> Iterator[str]:
    label = case.partition("@")[2]
    key = next((one.exchange.key for one in captured if one.label == label), "")
    yield f"  again   {again} --only '{printable(case)}'"
    if key and Path(source).is_dir():
        yield f"  bytes   {Path(source) / 'exchanges' / key}.json"
    elif key:
        yield f"  bytes   {source}, {label}"


def unjudged(evaluated: Evaluation, ours: int, others: int, beside: Mapping[str, str]) -> Iterator[str]:
    """How much was captured, and of what nothing or not all could be evaluated."""
    yield f"{ours} exchange{'' if ours == 1 else 's'} of POST .../responses, {others} of other requests left aside"
    not_for_captured = {**evaluated.unjudged, **beside}
    for why, number in Counter(not_for_captured.values()).most_common(_MOST):
        first = next(label for label, one in not_for_captured.items() if one == why)
        more = f" and {number - 1} more" if number > 1 else ""
        yield from labelled("aside", f"{first}{more}: {show(why, 200)}")


def brief(label: str, evaluated: Evaluation) -> Iterator[str]:
    """One exchange as it ended: that nothing was found, or its first cause whole and the others on a line each."""
    found = causes(evaluated.lines)
    if not found:
        why = show(evaluated.unjudged.get(label, ""), 200)
        count = sum(line["verdict"] == "pass" for line in evaluated.lines)
        if why:
            yield f"{label}: {f'evaluated in part, {count} rules passed' if count else 'not judged'}: {why}"
        else:
            yield f"{label}: ok, {count} rules"
        return
    counts = Counter(cause.verdict for cause in found)
    yield f"{label}: " + ", ".join(f"{number} {verdict}" for verdict, number in counts.items())
    first = found[0]
    yield from (printable(line) for line in evaluated.texts.get(first.cases[0]["id"], "").splitlines())
    yield from beside(first)
    for cause in found[1:]:
        line = cause.cases[0]
        says = line["findings"][0]["message"] if line["findings"] else line["reason"]
        yield f"  {cause.verdict:<7} {cause.rule}: {show(says, 120)}"


def selected(evaluated: Evaluation, selections: Sequence[str]) -> Evaluation:
    """The cases that these selections select; all without any.

    :class:`conformance.config.target.Misconfigured` for one that selects nothing.
    """
    if not selections:
        return evaluated
    case_selection.check(selections, [line["id"] for line in evaluated.lines], "this traffic")
    lines = [line for line in evaluated.lines if case_selection.selects(line["id"], selections)]
    return replace(evaluated, lines=lines)


def end_of(
    evaluated: Evaluation, captured: Sequence[Captured], seconds: float, strict: bool = False, websockets: int = 0
) -> dict[str, Any]:
    """The last line of the results. That exchanges stand aside changes no exit code: it is 0 where something was
    evaluated and nothing found, 5 where nothing was evaluated."""
    code = results_file.exit_code([line["verdict"] for line in evaluated.lines], strict)
    end = results_file.sums(evaluated.lines, [one.exchange for one in captured], seconds, code)
    in_part, not_for_captured = len(evaluated.in_part), len(evaluated.unjudged) - len(evaluated.in_part)
    if in_part or not_for_captured or websockets:
        end["partial"] = {
            "exchanges": len(captured),
            "in_part": in_part,
            "aside": not_for_captured,
            "websockets": websockets,
        }
    return end


def lines_of(target: Target, evaluated: Evaluation, end: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The lines of the results file."""
    return [head(target, MODE), *evaluated.lines, end]
