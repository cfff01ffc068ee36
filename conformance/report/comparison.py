"""A comparison of two runs: Markdown for a terminal and for the summary of a CI job, JSON, and an HTML page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from conformance.judge.normalise import strip_generated_ids
from conformance.report.columns import counted
from conformance.report.html import simple
from conformance.report.markdown import code
from conformance.results.comparison import NOT_EVALUATED, Change, Comparison, Figure, group_by_rule, group_changes
from conformance.results.results_file import Results

#: Maximum number of listed cases of one kind; the rest is counted. Regressions are all listed.
_MAX_LISTED = 20

_REGRESSIONS = "Regressions"


def render(
    found: Comparison,
    flaky: Mapping[str, tuple[int, int]] | None = None,
    confirmed: Mapping[str, tuple[int, int]] | None = None,
    known_flaky: Mapping[str, int] | None = None,
) -> str:
    """The comparison as Markdown.

    ``flaky`` and ``confirmed`` map a retried case to its numbers of failures and of attempts; without them every new
    failure is a regression. ``known_flaky`` maps a case to the number of earlier nightly runs in which it was flaky.
    """
    flaky, confirmed, known_flaky = flaky or {}, confirmed or {}, known_flaky or {}
    # Grouped separately: a confirmed failure must not be grouped under a flaky one.
    regressions = group_changes([one for one in found.failing if one.id not in flaky])
    shaky = group_changes([one for one in found.failing if one.id in flaky])
    lines = [f"**{_headline(found, regressions, shaky)}**", ""]
    lines += _section(_REGRESSIONS, regressions, confirmed, most=len(regressions))
    lines += _section("Missing", found.vanished, {}, most=len(found.vanished))
    lines += _section("Flaky", [one for one in shaky if one.id not in known_flaky], flaky)
    lines += _section("Known flaky", [one for one in shaky if one.id in known_flaky], flaky)
    for title, changes in _kinds(found):
        lines += _section(title, group_by_rule(group_changes(changes)), {})
    lines += _names("New events and members", found.first_seen)
    lines += _facts(found)
    lines += ["### Figures", "", *(f"- {_figure(one)}" for one in found.figures), ""]
    lines += [f"- note: {code(note)}" for note in found.notes]
    return "\n".join(lines).rstrip() + "\n"


def _kinds(found: Comparison) -> tuple[tuple[str, Sequence[Change]], ...]:
    """The changes that are no regression, by title."""
    return (
        ("Newly evaluated: failing now, not evaluated before", found.newly_evaluated),
        ("New rules", found.new_rules),
        ("Newly passing", found.passing),
        ("Newly inconclusive", found.inconclusive),
        ("New warnings", found.warning),
        ("New expected failures", found.expected),
        ("No longer applicable", found.not_applicable),
        ("Same verdict, different message", found.reworded),
        ("Recorded outcomes that changed", found.changed_outcomes),
    )


def to_json(found: Comparison) -> dict[str, Any]:
    """The comparison as JSON: every change by kind, with its root cause; figures and notes."""
    changes = {
        field.name: [asdict(one) for one in getattr(found, field.name)]
        for field in fields(found)
        if field.name not in ("first_seen", "facts", "figures", "notes")
    }
    return {
        "format": 1,
        "regression": found.regression,
        "changes": changes,
        "first_seen": list(found.first_seen),
        "facts": [list(one) for one in found.facts],
        "figures": [asdict(one) for one in found.figures],
        "notes": list(found.notes),
    }


def page(found: Comparison, old: Results, new: Results, file: Path) -> str:
    """The comparison as one HTML file, with links from ``file`` to the reports of both runs."""
    regressions = group_changes(found.failing)
    headline = _headline(found, regressions, ())
    body = [simple.paragraph("regression" if found.regression else "no regression", headline, found.regression)]
    runs = [[age, *_described(run, file)] for age, run in (("old", old), ("new", new))]
    body.append(simple.table("Runs", ("run", "target", "run at", "suite", "report"), runs))
    for title, changes in ((_REGRESSIONS, regressions), ("Missing", found.vanished), *_grouped(found)):
        if changes:
            rows = [[simple.code(one.id), *map(simple.text, _cells(one))] for one in changes]
            body.append(simple.section(f"{title} ({_number(title, changes)})"))
            body.append(simple.table(title, ("case", "before", "now", "with it", "message"), rows))
    if found.first_seen:
        body.append(simple.section(f"New events and members ({len(found.first_seen)})"))
        body.append(
            simple.table("New events and members", ("name",), [[simple.code(name)] for name in found.first_seen])
        )
    if found.facts:
        body.append(simple.section(f"Facts that changed ({len(found.facts)})"))
        body.append(
            simple.table("Facts", ("fact", "before", "now"), [list(map(simple.code, one)) for one in found.facts])
        )
    body.append(simple.section("Figures"))
    body.append(
        simple.table(
            "Figures", ("figure", "before", "now"), [list(map(simple.text, _numbers(one))) for one in found.figures]
        )
    )
    body += [simple.note(note) for note in found.notes]
    return simple.page(f"Comparison: {new.head.target.name}", "".join(body))


def _grouped(found: Comparison) -> list[tuple[str, Sequence[Change]]]:
    return [(title, group_by_rule(group_changes(changes))) for title, changes in _kinds(found)]


def _described(run: Results, file: Path) -> list[str]:
    head = run.head
    shown = (head.target.name, head.started_at.replace("T", " ")[:16], head.suite)
    return [*map(simple.text, shown), simple.report_link(run.path, file)]


def _cells(one: Change) -> tuple[str, str, str, str]:
    message = strip_generated_ids(one.message)
    if one.previous_message:
        message = f"{message} (before: {strip_generated_ids(one.previous_message)})"
    counts = [counted(one.more, "more case")] * bool(one.more)
    counts += [counted(one.consequences, "consequence")] * bool(one.consequences)
    return one.before, one.now, ", ".join(counts), message


def _headline(found: Comparison, regressions: Sequence[Change], flaky: Sequence[Change]) -> str:
    """The numbers of the sections. Regressions are counted by cause, and all other changes by case."""
    grouped = sum(one.consequences for one in regressions)
    counts = [counted(len(regressions), "regression") + f" with {counted(grouped, 'consequence')}" * bool(grouped)]
    parts = (
        (len(found.vanished), "missing case"),
        (sum(one.cases for one in flaky), "flaky case"),
        (len(found.newly_evaluated), "newly evaluated"),
        (len(found.new_rules), "case of new rules"),
        (len(found.passing), "newly passing"),
        (len(found.inconclusive), "newly inconclusive"),
        (len(found.warning), "new warning"),
        (len(found.expected), "new expected failure"),
        (len(found.not_applicable), "no longer applicable"),
    )
    counts = counts * bool(regressions)
    counts += [f"{number:,} {_plural(number, name)}" for number, name in parts if number]
    return ", ".join(counts) or "no verdict changed"


def _plural(number: int, name: str) -> str:
    if number == 1 or name.startswith(("newly", "no longer")):
        return name
    noun, of, rest = name.partition(" of ")
    return f"{noun}s{of}{rest}"


def _number(title: str, changes: Sequence[Change]) -> str:
    """The number of a section, as the headline has it."""
    return f"{len(changes) if title == _REGRESSIONS else sum(one.cases for one in changes):,}"


def _section(
    title: str, changes: Sequence[Change], ratios: Mapping[str, tuple[int, int]], most: int = _MAX_LISTED
) -> Iterator[str]:
    if not changes:
        return
    yield f"### {title} ({_number(title, changes)})"
    yield ""
    for one in changes[:most]:
        more = f" and {counted(one.more, 'more case')}:" if one.more else ""
        yield f"- {code(one.id)}{more} {_what(one, ratios.get(one.id))}"
    if len(changes) > most:
        yield f"- and {len(changes) - most} more"
    yield ""


def _what(one: Change, ratio: tuple[int, int] | None) -> str:
    if one.now == NOT_EVALUATED:
        return f"was {one.before}"
    text = (
        f"was {code(strip_generated_ids(one.previous_message))}"
        if one.previous_message
        else f"was {one.before}, now {one.now}"
    )
    if ratio:
        text += f", failed {ratio[0]} of {counted(ratio[1], 'attempt')}"
    if one.consequences:
        text += f", {counted(one.consequences, 'consequence')}"
    return text + (f": {code(strip_generated_ids(one.message))}" if one.message else "")


def _names(title: str, names: Sequence[str]) -> Iterator[str]:
    if names:
        yield f"### {title} ({len(names)})"
        yield ""
        yield from (f"- {code(name)}" for name in names[:_MAX_LISTED])
        if len(names) > _MAX_LISTED:
            yield f"- and {len(names) - _MAX_LISTED} more"
        yield ""


def _facts(found: Comparison) -> Iterator[str]:
    """The facts that changed; no verdict depends on them."""
    if found.facts:
        yield f"### Facts that changed ({len(found.facts)})"
        yield ""
        for name, before, now in found.facts[:_MAX_LISTED]:
            yield f"- {code(name)}: was {code(before)}, now {code(now)}"
        if len(found.facts) > _MAX_LISTED:
            yield f"- and {len(found.facts) - _MAX_LISTED} more"
        yield ""


def _figure(one: Figure) -> str:
    name, before, now = _numbers(one)
    return f"{name}: {before}, now {now}"


def _numbers(one: Figure) -> tuple[str, str, str]:
    unit = f" {one.unit}" if one.unit else ""
    before, now = ("unknown" if value is None else f"{_rounded(value)}{unit}" for value in (one.before, one.now))
    return one.name, before, now


def _rounded(value: float) -> str:
    """An integer in full; of another number three digits, because a measured time has no more."""
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"
