"""A comparison of two runs as Markdown, for a terminal and for the summary of a CI job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from conformance.report.columns import counted
from conformance.report.markdown import code
from conformance.results.comparison import NOT_EVALUATED, Change, Comparison, Figure, group_changes

#: Maximum number of listed cases of one kind; the rest is counted. Regressions are all listed.
_MAX_LISTED = 20


def render(
    found: Comparison,
    flaky: Mapping[str, tuple[int, int]] | None = None,
    confirmed: Mapping[str, tuple[int, int]] | None = None,
) -> str:
    """The comparison as Markdown.

    ``flaky`` and ``confirmed`` map a retried case to its numbers of failures and of attempts; without them every new
    failure is a regression.
    """
    flaky, confirmed = flaky or {}, confirmed or {}
    # Grouped separately: a confirmed failure must not be grouped under a flaky one.
    regressions = group_changes([one for one in found.failing if one.id not in flaky])
    shaky = group_changes([one for one in found.failing if one.id in flaky])
    lines = [_headline(found, len(regressions), len(shaky)), ""]
    lines += _section("Regressions", regressions, confirmed, most=len(regressions))
    lines += _section("Missing", found.vanished, {}, most=len(found.vanished))
    lines += _section("Flaky", shaky, flaky)
    for title, changes in (
        ("New rules", found.new_rules),
        ("Newly passing", found.passing),
        ("Newly inconclusive", found.inconclusive),
        ("New warnings", found.warning),
        ("New expected failures", found.expected),
        ("No longer applicable", found.not_applicable),
        ("Same verdict, different message", found.reworded),
        ("Recorded outcomes that changed", found.changed_outcomes),
    ):
        lines += _section(title, changes, {})
    lines += _names("New events and members", found.first_seen)
    lines += _facts(found)
    lines += ["### Figures", "", *(f"- {_figure(one)}" for one in found.figures), ""]
    lines += [f"- note: {code(note)}" for note in found.notes]
    return "\n".join(lines).rstrip() + "\n"


def _headline(found: Comparison, regressions: int, flaky: int) -> str:
    parts = (
        (regressions, "regression"),
        (len(found.vanished), "missing case"),
        (flaky, "flaky case"),
        (len(found.new_rules), "case of new rules"),
        (len(found.passing), "newly passing"),
        (len(found.inconclusive), "newly inconclusive"),
    )
    counts = [f"{number} {_plural(number, name)}" for number, name in parts if number]
    return "**" + (", ".join(counts) or "no verdict changed") + "**"


def _plural(number: int, name: str) -> str:
    if number == 1 or name.startswith("newly"):
        return name
    noun, of, rest = name.partition(" of ")
    return f"{noun}s{of}{rest}"


def _section(
    title: str, changes: Sequence[Change], ratios: Mapping[str, tuple[int, int]], most: int = _MAX_LISTED
) -> Iterator[str]:
    if not changes:
        return
    yield f"### {title} ({len(changes)})"
    yield ""
    for one in changes[:most]:
        yield f"- {code(one.id)} {_what(one, ratios.get(one.id))}"
    if len(changes) > most:
        yield f"- and {len(changes) - most} more"
    yield ""


def _what(one: Change, ratio: tuple[int, int] | None) -> str:
    if one.now == NOT_EVALUATED:
        return f"was {one.before}"
    text = f"was {code(one.previous_message)}" if one.previous_message else f"was {one.before}, now {one.now}"
    if ratio:
        text += f", failed {ratio[0]} of {counted(ratio[1], 'attempt')}"
    if one.consequences:
        text += f", {counted(one.consequences, 'consequence')}"
    return text + (f": {code(one.message)}" if one.message else "")


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
    unit = f" {one.unit}" if one.unit else ""
    before, now = ("unknown" if value is None else f"{value:,.6g}{unit}" for value in (one.before, one.now))
    return f"{one.name}: {before}, now {now}"
