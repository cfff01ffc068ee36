"""Reports of a run: the text of a failure with both sides, and the Markdown and HTML files."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from conformance.contract.rules import requirement
from conformance.proxy.evaluation import Evaluated
from conformance.proxy.records import Leg, Pair, Record
from conformance.proxy.rules import Finding, status_of
from conformance.proxy.texts import first_difference
from conformance.report.columns import labelled
from conformance.report.failure import case_lines, printable
from conformance.report.html import simple
from conformance.report.markdown import cell, code
from conformance.results.causes import Cause, causes
from conformance.results.records import CaseRecord
from conformance.results.results_file import Results

#: Characters of a body that a report shows, and those before the first difference.
_SHOWN, _BEFORE = 160, 60

#: The titles of the four views, in the order of the flow.
TITLES = ("client sent", "upstream received", "upstream sent", "client received")


@dataclass(frozen=True)
class Sides:
    """The four views of a failure by title: each a line with the facts, and an excerpt of the body around the first
    difference."""

    pair: Pair
    leg: Leg | None
    views: tuple[tuple[str, str, str], ...]


def sides(record: Record, finding: Finding) -> Sides | None:
    """The two sides of a finding; None if nothing was recorded."""
    if not record.pairs:
        return None
    pair = record.pairs[finding.pair]
    leg = pair.upstream[finding.leg if finding.leg is not None else -1] if pair.upstream else None
    want = finding.want if isinstance(finding.want, str) else ""
    got = finding.got if isinstance(finding.got, str) else ""
    at = first_difference(want, got) if want and got else 0
    client = pair.client
    received = f"{leg.method} {leg.target}, {len(leg.body):,} bytes" if leg else "no request"
    sent = _reply(leg, _UPSTREAM_ENDS) if leg else "nothing"
    views = (
        (f"{client.method} {client.target}, {len(client.body):,} bytes", _excerpt(client.body, want, at)),
        (received, _excerpt(leg.body, got, at) if leg else ""),
        (sent, _excerpt(leg.reply, want, at) if leg else ""),
        (_reply(client, _CLIENT_ENDS), _excerpt(client.reply, got, at)),
    )
    return Sides(pair, leg, tuple((title, *view) for title, view in zip(TITLES, views, strict=True)))


#: How a response ended, in words, by side; the others are words already.
_CLIENT_ENDS = {"closed": "the client disconnected", "cut": "the proxy closed the connection before the end",
                "reset": "the proxy reset the connection", "time-out": "not complete in time"}  # fmt: skip
_UPSTREAM_ENDS = {"left": "the proxy disconnected", "closed": "nothing more was sent",
                  "cut": "the upstream closed the connection before the end",
                  "reset": "the upstream reset the connection"}  # fmt: skip


def _reply(leg: Leg, ends: Mapping[str, str]) -> str:
    kind = leg.header("content-type", True) or "no content type"
    seconds = (leg.ended_at - leg.began) / 1000
    ended = "" if leg.ended == "clean" else f", ended: {ends.get(leg.ended, leg.ended)}"
    return f"{status_of(leg)}, {kind}, {len(leg.reply):,} bytes in {seconds:.2f} s{ended}"


def _excerpt(body: bytes, text: str, at: int) -> str:
    """The body around the difference: where the text begins that has it, and ``at`` characters later."""
    decoded = body.decode("utf-8", "replace")
    start = 0
    if text:
        # A longer text is searched by its beginning: escapes and deltas differ from the value.
        near = json.dumps(text[max(0, at - 12) : at + 1], ensure_ascii=False)[1:-1]
        found = decoded.find(near) if near else -1
        start = max(0, found - _BEFORE) if found >= 0 else 0
    shown = decoded[start : start + _SHOWN]
    return ("..." if start else "") + shown + ("..." if start + _SHOWN < len(decoded) else "")


def text_of(case: CaseRecord, evaluated: Evaluated) -> str:
    """The text of a case for the terminal, with the four views."""
    if case.id in evaluated.traces:
        return f"{case.id}\n{evaluated.traces[case.id]}"
    lines = list(case_lines(case))
    if case.id in evaluated.places and (found := sides(*evaluated.places[case.id])):
        lines.append("  both sides")
        for title, facts, excerpt in found.views:
            lines += labelled("", f"{title}: {printable(facts)}")
            if excerpt:
                lines += labelled("", f"  {printable(excerpt)}")
    return "\n".join(lines)


def markdown(run: Results, evaluated: Evaluated) -> str:
    """The report as Markdown."""
    return "\n".join(_markdown(run, evaluated)) + "\n"


def _markdown(run: Results, evaluated: Evaluated) -> Iterator[str]:
    found = causes(run.cases)
    yield f"# Both sides of {run.head.target.name}"
    yield ""
    yield f"{_counts(run.counts)}; {len(found)} rules violated."
    for cause in found:
        case = cause.cases[0]
        yield f"\n## {cause.verdict}: {cause.rule}\n"
        yield f"{requirement(cause.rule).says} ({requirement(cause.rule).source})\n"
        yield f"{cell(case.message)}"
        yield f"\nIn {len(cause.cases)} probes: {', '.join(one.scenario for one in cause.cases[:8])}.\n"
        if case.id in evaluated.places and (both := sides(*evaluated.places[case.id])):
            yield "| side | exchange | body |"
            yield "| --- | --- | --- |"
            for title, facts, excerpt in both.views:
                yield f"| {title} | {cell(facts)} | {code(excerpt)} |"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {verdict}" for verdict, number in counts.items())


def page(run: Results, evaluated: Evaluated) -> str:
    """The report as an HTML page of its own, without scripts."""
    body = simple.note(_counts(run.counts)) + "".join(_sections(causes(run.cases), evaluated))
    return simple.page(f"Both sides of {run.head.target.name}", body)


def _sections(found: Sequence[Cause], evaluated: Evaluated) -> Iterator[str]:
    if not found:
        yield simple.paragraph("conforms", "No violation found.", False)
    for cause in found:
        case = cause.cases[0]
        names = ", ".join(one.scenario for one in cause.cases)
        yield f'<section class="score"><h2 class="{cause.verdict}">{cause.verdict}: {simple.code(cause.rule)}</h2>'
        row = requirement(cause.rule)
        yield f"<p><i>{html.escape(row.says)}</i> {html.escape(row.source)}</p>"
        yield f"<p>{html.escape(printable(case.message))}</p><p>Probes: {html.escape(names)}</p>"
        if case.id in evaluated.places and (both := sides(*evaluated.places[case.id])):
            yield simple.scrolling(f"Timelines of {case.id}", _timelines(both))
            yield '<div class="sides">'
            finding = evaluated.places[case.id][1]
            for title, facts, excerpt in both.views:
                shown = _highlighted(excerpt, finding)
                yield f"<div><b>{title}</b>: {html.escape(printable(facts))}<pre>{shown}</pre></div>"
            yield "</div>"
        yield "</section>"


def _highlighted(excerpt: str, finding: Finding) -> str:
    """The excerpt as HTML, from the first difference on marked."""
    want, got = finding.want, finding.got
    if isinstance(want, str) and isinstance(got, str) and want and got:
        at = first_difference(want, got)
        before = json.dumps(want[max(0, at - 12) : at], ensure_ascii=False)[1:-1]
        # In a text that repeats, the place is not known: no mark is better than a wrong one.
        place = excerpt.find(before) + len(before) if before and excerpt.count(before) == 1 else -1
        if 0 <= place < len(excerpt):
            head, here, rest = excerpt[:place], excerpt[place], excerpt[place + 1 :]
            return f"{_text(head)}<mark>{_text(here)}</mark>{_text(rest)}"
    return _text(excerpt)


def _text(value: str) -> str:
    return html.escape(printable(value))


def _timelines(both: Sides) -> str:
    """Both sides on one axis of time: a bar from the request to the end, and a tick for each chunk."""
    legs = [
        ("client", both.pair.client),
        *((f"upstream {at + 1}", leg) for at, leg in enumerate(both.pair.upstream[:3])),
    ]
    start = min(leg.began for _, leg in legs)
    end = max(max(leg.ended_at for _, leg in legs), start + 1)
    scale = 860 / (end - start)
    height = 22 * len(legs) + 24
    parts = [f'<svg viewBox="0 0 1000 {height}" width="1000" height="{height}" role="img" aria-label="both timelines">']
    for row, (name, leg) in enumerate(legs):
        y = 22 * row + 4
        x, width = 120 + (leg.began - start) * scale, max(1.0, (leg.ended_at - leg.began) * scale)
        parts.append(f'<text x="12" y="{y + 12}">{name}</text>')
        parts.append(f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="14" class="leg"/>')
        for chunk in leg.chunks[:400]:
            at = 120 + (chunk.at - start) * scale
            parts.append(f'<rect x="{at:.1f}" y="{y}" width="1.5" height="14" class="point"/>')
    parts.append(f'<text x="120" y="{height - 6}">0 ms</text>')
    parts.append(f'<text x="940" y="{height - 6}">{end - start:.0f} ms</text></svg>')
    return "".join(parts)
