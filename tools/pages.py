"""The pages made from what the suite knows of itself; ``python -m tools.pages`` writes them, a test compares."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from conformance.contract.needs import need_for
from conformance.contract.revisions import CONTRACTS, REVISIONS
from conformance.contract.rules import CLIENTS, FIRST_RELEASE, Requirement, catalogue, proxy_catalogue
from conformance.decode.lifecycle import ARGUMENTS, PART
from conformance.emulator.proxy import FAULTS, VARIANTS

RULES = Path(__file__).parent.parent / "docs" / "rules.md"
LIFECYCLE = RULES.with_name("lifecycle.md")
PROXY_FAULTS = RULES.with_name("proxy-faults.md")


def rules() -> str:
    """The catalogue as a page: a section an area, and why clients are affected."""
    rows = list(catalogue().values())
    return "\n".join(_rules(rows)) + "\n"


def _rules(rows: list[Requirement]) -> Iterator[str]:
    yield "# The rules"
    yield ""
    yield f"Made by `python -m tools.pages` from the catalogue: {len(rows)} rows. A placeholder in braces is one of"
    yield "several values. A violated MUST fails, a violated SHOULD warns, a MAY is only recorded."
    area = ""
    for row in rows:
        if row.area != area:
            area = row.area
            yield f"\n## {area}\n"
            yield "| rule | level | requirement | source | affected clients |"
            yield "| --- | --- | --- | --- | --- |"
        says = f"{row.says} *Not evaluated: {row.excluded}.*" if row.excluded else row.says
        says += f" *Since version {row.since}.*" if row.since != FIRST_RELEASE else ""
        breaks = ", ".join(CLIENTS[name] for name in row.breaks)
        yield f"| {row.id} | {row.level} | {says} | {row.source} | {breaks} |"
    yield from _proxy()
    yield "\n## Why clients are affected\n"
    for name, client in CLIENTS.items():
        yield f"### {client}\n"
        for need in dict.fromkeys(need_for(name, row.id) for row in rows if name in row.breaks):
            if need:
                yield f"- {need.version}: {need.says}."
        yield ""


def _proxy() -> Iterator[str]:
    yield "\n## proxy\n"
    yield "These rules are evaluated by `conformance proxy`, and by a run through a proxy: [proxies.md](proxies.md).\n"
    yield "| rule | level | requirement | source |"
    yield "| --- | --- | --- | --- |"
    for row in proxy_catalogue().values():
        yield f"| {row.id} | {row.level} | {row.says} | {row.source} |"


#: What a step is called in the diagram.
_STEP_NAMES = {
    "add": "content_part.added",
    "use": "delta",
    "text": "done of the text",
    "close": "content_part.done",
    "mark": "mark of the text",
}


def lifecycle() -> str:
    """The state machines of the lifecycle as diagrams, and the table of event types, from the tables of the checks."""
    return "\n".join(_lifecycle()) + "\n"


def _lifecycle() -> Iterator[str]:
    yield "# The lifecycle of a stream"
    yield ""
    yield "Made by `python -m tools.pages` from the tables in `schemas/*/contract.toml` and"
    yield "`conformance/decode/lifecycle.py`. An arrow with a rule is a violation: it is reported, and the machine"
    yield "goes on in the state that the arrow leads to."
    for title, table in (("A content part", PART), ("The arguments or the input of a call", ARGUMENTS)):
        yield f"\n## {title}\n"
        yield "```mermaid"
        yield "stateDiagram-v2"
        yield "    [*] --> absent"
        for (state, step), (after, rule) in table.items():
            yield f"    {state.replace('-', '_')} --> {after.replace('-', '_')}: {_STEP_NAMES[step]}{_violated(rule)}"
        yield "```"
    yield "\n## Event types\n"
    yield "| type | step | item | text | in member | caused by scenario |"
    yield "| --- | --- | --- | --- | --- | --- |"
    types = CONTRACTS[REVISIONS[-1]].table
    for one in types.events:
        text = types.text_of(one.type)
        item = text.item if text else ""
        yield f"| {one.type} | {one.step} | {item} | {one.text} | {one.member} | {one.caused_by} |"


def _violated(rule: str | None) -> str:
    return f" (violates {rule})" if rule else ""


def proxy_faults() -> str:
    """The faults and legal variants of the reference proxy, each with the rules that report it."""
    return "\n".join(_proxy_faults()) + "\n"


def _proxy_faults() -> Iterator[str]:
    yield "# Faults of a proxy and the rules that report them"
    yield ""
    yield f"Made by `python -m tools.pages`: {len(FAULTS)} faults of the reference proxy. In each dialect a fault is"
    yield "reported under these rules and no other, in bold those that are warnings (SHOULD):"
    yield "`tests/proxy/test_proxy_faults.py` runs them all."
    yield "\n| fault | behavior | dialects | reported by |"
    yield "| --- | --- | --- | --- |"
    rows = proxy_catalogue()
    for one in FAULTS.values():
        names = [f"proxy.{rule}" for rule in one.rules]
        reported = ", ".join(name if rows[name].level == "MUST" else f"**{name}**" for name in names)
        yield f"| {one.name} | {_cell(one.says)} | {', '.join(one.dialects)} | {reported} |"
    yield f"\n## Legal variants\n\n{len(VARIANTS)} ways to differ that no rule may fail.\n"
    yield "| variant | why it is legal | dialects |"
    yield "| --- | --- | --- |"
    for one in VARIANTS.values():
        yield f"| {one.name} | {_cell(one.says)} | {', '.join(one.dialects)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


#: Each page with what makes it.
PAGES = {RULES: rules, LIFECYCLE: lifecycle, PROXY_FAULTS: proxy_faults}

if __name__ == "__main__":
    for page, made in PAGES.items():
        page.write_text(made(), encoding="utf-8")
