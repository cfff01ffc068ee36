"""Pages without scripts in the design of the HTML report: comparison, matrix and trend."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from conformance.exchange.run_directory import REPORT
from conformance.report.failure import printable

_PARTS = Path(__file__).parent


def page(title: str, body: str) -> str:
    """A page with a heading. ``body`` is HTML from the functions of this module."""
    style = _style()
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"/>'
        f"<title>{text(title)}</title>"
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>'
        '<meta name="color-scheme" content="light dark"/>'
        f"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{digest}'\"/>"
        f'<style>{style}</style></head>\n<body class="plain"><main>\n<h1>{text(title)}</h1>\n'
        f"{body}</main></body></html>\n"
    )


def _style() -> str:
    """The colours and basic rules of the report, and the rules of tables."""
    report = (_PARTS / "style.css").read_text(encoding="utf-8")
    return report.partition("/* filters */")[0] + (_PARTS / "tables.css").read_text(encoding="utf-8")


def text(value: str) -> str:
    """The text as HTML, with control characters escaped."""
    return escape(printable(value))


def code(value: str) -> str:
    """The text as code, in which a long id may break after ``.``, ``@`` and ``-``."""
    return "<code>" + re.sub("([.@-])", r"\1<wbr/>", text(value)) + "</code>"


def paragraph(word: str, says: str, is_bad: bool) -> str:
    """The verdict of a page: one word and a sentence."""
    return f'<p><span class="pill {"fail" if is_bad else "pass"}">{text(word)}</span> {text(says)}</p>\n'


def section(title: str) -> str:
    """The heading of a section."""
    return f"<h2>{text(title)}</h2>\n"


def note(says: str) -> str:
    """A paragraph in a quiet colour."""
    return f'<p class="aside">{text(says)}</p>\n'


def table(label: str, heads: Sequence[str], rows: Iterable[Sequence[str]], states: Iterable[Sequence[str]] = ()) -> str:
    """A table that scrolls where it is wider than the window. ``label`` is its name for screen readers, different for
    each table of a page. The first cell of a row is its heading; cells are HTML. ``states`` are the classes of the
    other cells, row by row; without them cells have none."""
    top = "".join(f'<th scope="col">{text(head)}</th>' for head in heads)
    of_rows = list(states)
    body = []
    for number, (first, *others) in enumerate(rows):
        classes = of_rows[number] if of_rows else [""] * len(others)
        marked = (f' class="{one}"' if one else "" for one in classes)
        cells = "".join(f"<td{mark}>{cell}</td>" for mark, cell in zip(marked, others, strict=True))
        body.append(f'<tr><th scope="row">{first}</th>{cells}</tr>\n')
    return scrolling(label, f"<table><thead><tr>{top}</tr></thead><tbody>\n{''.join(body)}</tbody></table>")


def scrolling(label: str, content: str) -> str:
    """A box that scrolls sideways, also by keyboard, where its content is wider than the window."""
    return f'<div class="wide" tabindex="0" role="region" aria-label="{text(label)}">{content}</div>\n'


def report_link(results: Path, page_file: Path) -> str:
    """A link from a page to the HTML report beside a results file; empty if there is none."""
    report = results.parent / REPORT
    if not report.is_file():
        return ""
    try:
        target = quote(os.path.relpath(report.absolute(), page_file.absolute().parent).replace(os.sep, "/"))
    except ValueError:  # Another drive, on Windows.
        target = report.absolute().as_uri()
    return f'<a href="{escape(target)}">report</a>'
