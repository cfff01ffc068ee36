"""The HTML report in a real browser: it renders, filters, opens, copes with size, and hostile text stays text."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from conformance.emulator.faults import FAULTS
from conformance.emulator.hooks import combine
from conformance.report import comparison, html, matrix, trend
from conformance.results.comparison import compare
from conformance.results.history import NightlyRun
from conformance.results.results_file import Results
from tests.support import runs
from tests.support.browser import MISSING, Browser, browser
from tests.support.runs import line
from tests.test_report_html import HOSTILE, MARKUP, hostile

__all__ = ["hostile"]  # A fixture is found by its name.

# In CI a browser that is missing is a failure, elsewhere a test that is left out with the reason.
pytestmark = pytest.mark.skipif(bool(MISSING) and os.environ.get("CI") != "true", reason=MISSING)

#: The file of axe-core, which checks accessibility and is not installed with the suite.
_AXE_FILE = "AXE_FILE"
AXE = os.environ.get(_AXE_FILE, "")

CLOSED = "lifecycle.part-closed-once@text.stream"


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    assert not MISSING, MISSING
    with browser() as one:
        yield one


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a whole run against an endpoint with three faults."""
    behaviour = combine(
        FAULTS[name] for name in ("lifecycle.part-closed-twice", "error.with-markup", "auth.refusal-is-400")
    )
    return save(runs.evaluated(tmp_path_factory.mktemp("failing"), behaviour))


def save(results: Results) -> Path:
    path = results.path.with_name("report.html")
    path.write_text(html.render(results, results.folder, "pytest conformance"), encoding="utf-8")
    return path


@pytest.fixture
def opened(window: Browser, failing: Path) -> Browser:
    window.look(1200)
    window.open(failing)
    return window


def until(found: Callable[[], Any]) -> Any:
    """What is found in the end; two seconds are enough for a page without a network."""
    for _ in range(40):
        if value := found():
            return value
        time.sleep(0.05)
    return found()


def count(window: Browser) -> str:
    return str(window.run("return document.getElementById('count').textContent"))


def choose(window: Browser, name: str, value: str) -> None:
    window.run(
        "const field = document.forms.filters.elements[arguments[0]]; field.value = arguments[1];"
        "field.dispatchEvent(new Event('input', {bubbles: true}))",
        name, value,
    )  # fmt: skip


def shown_rules(window: Browser) -> list[str]:
    return list(window.run("return [...document.querySelectorAll('.group .meta code')].map(one => one.textContent)"))


def test_it_renders_and_asks_for_nothing(opened: Browser, failing: Path) -> None:
    said = opened.run("return [document.title, document.querySelector('h1').textContent, document.body.innerText]")
    assert said[0] == "fails: my proxy"
    assert "MUST rules fail because of" in said[1]
    assert "NaN" not in said[2]
    assert "undefined" not in said[2]
    assert shown_rules(opened)[0] in said[2]
    assert opened.logged() == []
    assert {one for one in opened.fetched() if not one.startswith("data:")} <= {failing.as_uri(), "about:blank"}


def test_each_filter_filters(opened: Browser) -> None:
    whole = count(opened)
    choose(opened, "area", "lifecycle")
    assert until(lambda: shown_rules(opened) == ["lifecycle.part-closed-once"])
    choose(opened, "level", "SHOULD")
    assert until(lambda: count(opened).startswith("None of "))
    opened.run("document.querySelector('.reset').click()")
    assert until(lambda: count(opened) == whole)
    choose(opened, "client", "codex")
    assert until(lambda: count(opened) != whole)
    opened.run("document.querySelector('.reset').click()")
    choose(opened, "text", "Part-Closed  text.stream")
    assert until(lambda: count(opened).startswith("1 of "))
    opened.run("document.querySelector('.reset').click()")
    opened.run("document.querySelector('[name=verdict][value=fail]').click()")
    assert until(lambda: "lifecycle.part-closed-once" not in shown_rules(opened))
    opened.run("document.querySelector('[name=verdict][value=pass]').click()")
    assert until(lambda: "sequence.contiguous" in shown_rules(opened))
    opened.run("document.querySelector('.reset').click(); document.querySelector('.area').click()")
    assert until(lambda: {one.partition(".")[0] for one in shown_rules(opened)} == {"auth"})


def test_a_case_shows_its_evidence(window: Browser, failing: Path) -> None:
    window.look(1200)
    window.open(failing, f"#case={quote(CLOSED)}")
    case = f"document.querySelector('details.case[data-case=\"{CLOSED}\"]')"
    assert until(lambda: window.run(f"return {case}?.open"))
    text = window.run(f"return {case}.innerText")
    for part in (
        "Each part has one content_part.done.",
        "doc 2026-06-24, response.content_part.done",
        "closes a part that is already closed",
        f"pytest conformance --only '{CLOSED}'",
        "curl -isN http://in-process/v1/responses",
        "exchanges/text.stream-",
    ):
        assert part in text
    rows = window.run(f"return [...{case}.querySelectorAll('.tl-label')].map(one => one.textContent)")
    assert rows == ["response", "item 0 message", "part 0.0 output_text"]
    event = window.run(f"return {case}.querySelector('.flag').textContent")
    assert window.run(f"return {case}.querySelectorAll('.mark.wrong').length") == 1
    assert f"event {event}" in text
    assert f"Event {event}" in text
    assert len(window.run(f"return [...{case}.querySelectorAll('.time')].map(one => one.textContent)")) >= 3
    assert window.logged() == []


def test_the_pointer_is_marked_in_event_and_body(window: Browser, tmp_path: Path) -> None:
    folder = runs.folder_at(tmp_path)
    folder.write(
        runs.exchange("one", runs.stream([{"type": "response.created", "sequence_number": 7}]), "text/event-stream")
    )
    folder.write(runs.exchange("two", b'{"usage": {"total_tokens": 1.0}}'))
    finding = line("a.a@x", message="m").findings[0].to_json()
    in_event = {**finding, "event": 0, "pointer": "/sequence_number"}
    in_body = {**finding, "exchange": "two", "pointer": "/usage/total_tokens"}
    missing = {**finding, "exchange": "two", "pointer": "/usage/input_tokens", "message": "n"}
    window.look(1200)
    window.open(save(runs.written(folder, [line("a.a@x", findings=[in_event, in_body, missing])])))
    window.run("document.querySelector('details.group').open = true")
    marks = "return [...document.querySelectorAll('mark')].map(one => [one.className, one.textContent])"
    assert until(lambda: window.run(marks)) == [["here", '"sequence_number": 7']]
    window.run("document.querySelectorAll('.body > details.fold').forEach(one => { one.open = true; })")
    two = [["here", '"sequence_number": 7'], ["near", '"usage": {'], ["here", '"total_tokens": 1.0']]
    assert until(lambda: window.run(marks) == two)
    assert "/usage/input_tokens is missing" in window.run("return document.body.innerText")


def test_hostile_text_stays_text(window: Browser, hostile: Results) -> None:
    window.look(1200)
    window.open(save(hostile))
    # Everything that can be opened is, several layers deep.
    for _ in range(4):
        window.run("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        time.sleep(0.2)
    said = window.run("return document.body.innerText")
    assert said.count(MARKUP) >= 8
    assert window.run("return [window.pwned, document.images.length, document.scripts.length]") == [None, 0, 2]
    assert not any(letter in said for letter in HOSTILE.removeprefix(MARKUP) if letter != " ")
    assert window.logged() == []


def test_the_page_lets_no_other_script_run(opened: Browser) -> None:
    tried = opened.run(
        "const found = [];"
        "try { document.body.innerHTML = '<img src=x onerror=pwned=1>'; found.push('markup'); } catch {}"
        "try { const one = document.createElement('script'); one.textContent = 'window.pwned = 1';"
        " document.body.append(one); } catch {}"
        "return [found, window.pwned]"
    )
    assert tried == [[], None]
    opened.logged()


@pytest.mark.parametrize(("width", "dark"), [(400, False), (400, True), (1200, True)])
def test_it_fits_narrow_windows_and_dark_rooms(window: Browser, failing: Path, width: int, dark: bool) -> None:
    window.look(width, dark)
    window.open(failing, f"#case={quote(CLOSED)}")
    assert until(lambda: window.run("return document.querySelectorAll('.mark.wrong').length"))
    assert window.run("return document.documentElement.scrollWidth") <= width
    paper, ink = window.run("const is = getComputedStyle(document.body); return [is.backgroundColor, is.color]")
    assert (light(paper) < light(ink)) == dark


def light(colour: str) -> float:
    return sum(float(part) for part in colour.removeprefix("rgb(").rstrip(")").split(",")) / 3


def test_it_can_be_used_by_keyboard(opened: Browser) -> None:
    opened.run("document.activeElement.blur()")
    opened.keys("/part-closed")
    assert until(lambda: shown_rules(opened) == ["lifecycle.part-closed-once"])
    opened.run("document.querySelector('.group > summary').focus()")
    opened.keys("\ue007")
    assert until(lambda: opened.run("return document.querySelector('details.case')?.open"))
    opened.keys("\ue004")
    assert opened.run("return document.activeElement.closest('details.case') !== null")


def test_it_can_be_used_by_ear(opened: Browser) -> None:
    opened.run("document.querySelectorAll('details.group').forEach(one => { one.open = true; })")
    time.sleep(0.2)
    nameless = opened.run(
        "return [...document.querySelectorAll('input, select, button, [tabindex=\"0\"], [role=img], summary')].filter("
        "one => !(one.labels?.[0]?.textContent || one.getAttribute('aria-label') || one.textContent).trim())"
        ".map(one => one.outerHTML.slice(0, 80))"
    )
    assert nameless == []
    assert opened.run("return document.querySelectorAll('header, main, footer, form[role=search]').length") == 4
    assert opened.run("return document.getElementById('count').getAttribute('aria-live')") == "polite"
    levels = opened.run("return [...document.querySelectorAll('h1, h2')].map(one => one.tagName)")
    assert levels.count("H1") == 1


def test_thousands_of_cases_do_not_lag(window: Browser, tmp_path: Path) -> None:
    verdicts = ("pass", "pass", "pass", "fail", "warning", "not-applicable")
    lines = [
        line(f"area{n % 20}.rule{n % 400}@scenario.{n}", verdicts[n % 6], "m" * (n % 6 in (3, 4))) for n in range(4_000)
    ]
    window.look(1200)
    window.open(save(runs.written(runs.folder_at(tmp_path), lines)))
    window.run("document.querySelectorAll('[name=verdict]').forEach(one => { if (!one.checked) one.click(); })")
    assert until(lambda: count(window).startswith("4,000 of 4,000 cases shown"))
    took = window.run(
        "const times = [];"
        "for (let n = 0; n < 5; n++) { const from = performance.now(); document.querySelector('.reset').click();"
        " document.body.offsetHeight; times.push(performance.now() - from); }"
        "return Math.min(...times)"  # The best: what else the machine does is not the page's.
    )
    assert took < 1_000


def test_causes_are_first_and_open_their_case(window: Browser, failing: Path) -> None:
    for width, most in ((1280, 250), (400, 300)):
        window.look(width)
        window.open(failing)
        top = "document.querySelector(one).getBoundingClientRect().top + scrollY"
        causes, cases, areas = window.run(f"return ['.causes', '#list', '#overview'].map(one => {top})")
        assert causes < most
        assert causes < cases < areas
    window.run("document.querySelector('.causes a').click()")
    opened = "return document.querySelector('details.case[open]')?.getBoundingClientRect().top"
    assert until(lambda: (top := window.run(opened)) is not None and -1 < top < 40)


def other_pages(folder: Path) -> list[str]:
    """The names of the pages with tables and charts, written to a folder with the report that they link to."""
    results = runs.evaluated(folder, FAULTS["lifecycle.no-in-progress"], "@text.stream")
    save(results)
    counts = [{"pass": at} if at % 5 else {} for at in range(28)]
    nights = tuple(NightlyRun(at, "proxy", f"2026-11-{at + 1:02}", 1, one) for at, one in enumerate(counts))
    pages = {
        "compare.html": comparison.page(compare(results, results), results, results, folder / "compare.html"),
        "matrix.html": matrix.page(matrix.matrix([results]), (), folder / "matrix.html"),
        "trend.html": trend.page([trend.Trend("proxy", nights, {"a.b": tuple({"pass": 1} for _ in nights)})]),
    }
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")
    return list(pages)


@pytest.mark.skipif(not AXE, reason=f"{_AXE_FILE} does not name axe-core's axe.min.js (npm install axe-core)")
@pytest.mark.parametrize("width", [1280, 768, 400])
def test_axe_finds_nothing_in_both_modes(window: Browser, failing: Path, tmp_path: Path, width: int) -> None:
    pages = [
        (failing, ""),
        (failing, f"#case={quote(CLOSED)}"),
        *((tmp_path / name, "") for name in other_pages(tmp_path)),
    ]
    for page, fragment in pages:
        for dark in (False, True):
            window.look(width, dark)
            window.open(page, fragment)
            assert not fragment or until(lambda: window.run("return document.querySelectorAll('.mark.wrong').length"))
            window.evaluated(Path(AXE).read_text(encoding="utf-8"))
            found = "one => [one.id, one.nodes.map(node => [node.html.slice(0, 160), node.failureSummary])]"
            said = window.evaluated(f"axe.run(document).then(all => JSON.stringify(all.violations.map({found})))")
            assert json.loads(said) == [], (page.name, dark)


@pytest.mark.parametrize("width", [1280, 768, 400])
def test_tables_and_charts_fit_the_window_in_both_modes(window: Browser, tmp_path: Path, width: int) -> None:
    for name in other_pages(tmp_path):
        for dark in (False, True):
            window.look(width, dark)
            window.open(tmp_path / name)
            assert window.run("return document.documentElement.scrollWidth") <= width, name
            paper, ink = window.run("const is = getComputedStyle(document.body); return [is.backgroundColor, is.color]")
            assert (light(paper) < light(ink)) == dark, name
        links = window.run("return [...document.querySelectorAll('a')].map(one => one.getAttribute('href'))")
        assert set(links) == (set() if name == "trend.html" else {"report.html"})
    assert window.logged() == []
