"""The pages made from what the suite knows of itself; ``python -m tests.pages`` writes them, a test compares."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from conformance.needs import need_for
from conformance.requirements import CLIENTS, Requirement, catalogue

RULES = Path(__file__).parent.parent / "docs" / "rules.md"


def rules() -> str:
    """The catalogue as a page: a section an area, and why clients are affected."""
    rows = list(catalogue().values())
    return "\n".join(_rules(rows)) + "\n"


def _rules(rows: list[Requirement]) -> Iterator[str]:
    yield "# The rules"
    yield ""
    yield f"Made by `python -m tests.pages` from the catalogue: {len(rows)} rows. A part in braces stands for each"
    yield "value of that kind. MUST: broken, it fails. SHOULD: it warns. MAY: what was seen is recorded."
    area = ""
    for row in rows:
        if row.area != area:
            area = row.area
            yield f"\n## {area}\n"
            yield "| rule | level | what must hold | source | affected clients |"
            yield "| --- | --- | --- | --- | --- |"
        says = f"{row.says} *Not judged: {row.excluded}.*" if row.excluded else row.says
        breaks = ", ".join(CLIENTS[name] for name in row.breaks)
        yield f"| {row.id} | {row.level} | {says} | {row.source} | {breaks} |"
    yield "\n## Why clients are affected\n"
    for name, client in CLIENTS.items():
        yield f"### {client}\n"
        for need in dict.fromkeys(need_for(name, row.id) for row in rows if name in row.breaks):
            if need:
                yield f"- {need.version}: {need.says}."
        yield ""


if __name__ == "__main__":
    RULES.write_text(rules(), encoding="utf-8")
