"""The HTML page as data and text: what is embedded, laid out, cut, and how hostile text is kept from being markup."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conformance.decode import events, sse
from conformance.exchange.exchange import Chunk
from conformance.report import html
from conformance.report.html.evidence import exchange
from conformance.report.html.pretty import pretty
from conformance.report.html.stream import drawn
from conformance.results.records import TargetRecord
from conformance.results.results_file import Results
from tests.support import runs
from tests.support.runs import line

MARKUP = "<script>window.pwned = 1</script></script><!-- <img src=x onerror=window.pwned=1> &amp; {{data}}"
HOSTILE = f"{MARKUP} \u2028 \u202e \ud800"


def page(results: Results) -> str:
    return html.render(results, results.folder, "pytest conformance")


def data(text: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    document: dict[str, Any] = json.loads(found[1])
    return document


# -- JSON laid out ----------------------------------------------------------------------------------------------------


def test_json_is_laid_out_as_it_was_sent() -> None:
    laid = pretty(
        '{"a": 1.00, "a": 1e400, "big": 9007199254740993, "n": NaN, "t": true, "e": {}, "l": [1, {"x": null}]}'
    )
    assert laid is not None
    assert laid.text.splitlines() == [
        "{", '  "a": 1.00,', '  "a": 1e400,', '  "big": 9007199254740993,', '  "n": NaN,', '  "t": true,', '  "e": {},',
        '  "l": [', "    1,", "    {", '      "x": null', "    }", "  ]", "}",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("pointer", "marked", "exact"),
    [
        ("/a/b~1c", '"b/c": 2', True),
        ("/l/1", '"two"', True),
        ("/a", '"a": {', True),
        ("/a/missing", '"a": {', False),
        ("/nothing/at/all", "{", False),
        ("", "{", True),
    ],
)
def test_a_pointer_is_found_or_what_is_nearest_above(pointer: str, marked: str, exact: bool) -> None:
    laid = pretty('{"a": {"b/c": 2}, "l": ["one", "two"]}', [pointer])
    assert laid is not None
    start, end, found = laid.spans[pointer]
    assert (laid.text[start:end], found) == (marked, exact)


def test_long_json_is_cut_where_no_pointer_leads() -> None:
    deep = {"pad": [{"x": ["y" * 50] * 20} for _ in range(40)], "here": {"it": {"is": {"at": {"last": [7]}}}}}
    laid = pretty(json.dumps(deep), ["/here/it/is/at/last/0"])
    assert laid is not None
    assert laid.cut
    assert len(laid.text) <= 12_000
    start, end, exact = laid.spans["/here/it/is/at/last/0"]
    assert (laid.text[start:end], exact) == ("7", True)
    assert "1 element" in laid.text


@pytest.mark.parametrize("raw", ["", "no json", "[" * 100_000, '"\\ud800', "[" + "1," * 400_000 + "1]"])
def test_what_is_no_readable_json_is_left_alone(raw: str) -> None:
    assert pretty(raw) is None


def test_letters_that_do_not_show_are_written_out() -> None:
    laid = pretty('{"a": "\u202eabc\u2028\\ud800"}')
    assert laid is not None
    assert laid.text.isprintable() is False  # Line feeds of the layout, and nothing else.
    assert laid.text.replace("\n", "") == '{  "a": "\\u202eabc\\u2028\\ud800"}'


# -- the drawing ------------------------------------------------------------------------------------------------------


def decoded(types: list[dict[str, Any]]) -> tuple[events.Event, ...]:
    return events.decode(sse.parse([Chunk(5.0, runs.stream(types))]).frames)[0]


def long_stream(deltas: int, items: int = 1) -> tuple[events.Event, ...]:
    found: list[dict[str, Any]] = [{"type": "response.created"}]
    for item in range(items):
        place = {"output_index": item, "content_index": 0}
        found.append({"type": "response.output_item.added", "output_index": item, "item": {"type": "message"}})
        found += [{"type": "response.output_text.delta", "delta": f"{n} ", **place} for n in range(deltas)]
        found.append({"type": "response.output_text.done", **place})
    return decoded([*found, {"type": "response.completed"}])


def test_deltas_in_a_row_are_one_step() -> None:
    made = drawn(long_stream(100), [])
    assert made["rows"] == [["response", 0], ["item 0 message", 1], ["part 0.0", 2]]
    assert [step[:2] for step in made["steps"]] == [[0, 0], [1, 1], [2, 101], [102, 102], [103, 103]]
    assert made["steps"][2][7].startswith("0 1 2 3 ")
    assert (made["events"], made["left_out"]) == (104, 0)


def test_the_marked_event_and_its_neighbours_stand_alone() -> None:
    steps = drawn(long_stream(100), [50])["steps"]
    assert [49, 49] in [step[:2] for step in steps]
    assert [50, 50] in [step[:2] for step in steps]
    assert [51, 51] in [step[:2] for step in steps]


def test_a_stream_of_any_size_is_drawn_in_few_steps_and_rows() -> None:
    made = drawn(long_stream(2, 2_000), [4_000])
    assert len(made["steps"]) <= 200
    assert len(made["rows"]) <= 24
    assert any(step[0] == 4_000 for step in made["steps"])
    assert made["left_out"] == made["events"] - sum(step[1] - step[0] + 1 for step in made["steps"]) > 0
    assert all(0 <= step[5] < len(made["rows"]) for step in made["steps"])


def test_events_of_no_known_shape_are_drawn_too() -> None:
    strange = [{"type": 7}, {"output_index": "x", "type": "a.b"}, {"type": "c", "output_index": 10**30, "item": []}, {}]
    made = drawn(decoded(strange), [0, 99])
    assert sum(step[1] - step[0] + 1 for step in made["steps"]) == 4


# -- evidence ---------------------------------------------------------------------------------------------------------


def test_an_exchange_is_shown_with_its_pointers() -> None:
    shown = exchange(runs.exchange("one", b'{"status": "done"}'), [(None, "/status")])
    start, end, _ = shown["body"]["spans"]["/status"]
    assert shown["body"]["text"][start:end] == '"status": "done"'
    assert shown["curl"].startswith("curl -isN http://127.0.0.1:9/v1/responses")
    assert '"api-key: ${MIMO_API_KEY}"' in shown["curl"]


@pytest.mark.parametrize("ended", ["unreachable", "time-out", "not-sent", "invalid"])
def test_an_exchange_without_an_answer_is_shown(ended: str) -> None:
    one = replace(runs.exchange("one", b"", ended=ended, detail="x" * 9000), status=None, chunks=(), headers=())
    shown = exchange(one, [(3, "/a"), (None, "/b")])
    assert (shown["status"], shown["ended"], shown["body"]["text"]) == (None, ended, "")
    assert len(shown["detail"]) < 500


def test_bodies_of_any_bytes_are_shown() -> None:
    shown = exchange(runs.exchange("one", b"\xff\xfe<html>\r\n" * 2000, "text/html"), [])
    assert shown["body"]["cut"]
    assert len(shown["body"]["text"]) < 20_000


# -- the page ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def hostile(tmp_path: Path) -> Results:
    """A run whose server put markup wherever it could."""
    folder = runs.folder_at(tmp_path)
    sent = [{"type": f"response.{HOSTILE}.delta", "output_index": 0, "delta": HOSTILE} for _ in range(9)]
    folder.write(runs.exchange("one", runs.stream(sent), "text/event-stream", detail=MARKUP))
    folder.write(runs.exchange("two", json.dumps({HOSTILE: HOSTILE}).encode(), status=400))
    finding = line("a.a@x", message=HOSTILE).findings[0].to_json()
    first = {**finding, "pointer": f"/{HOSTILE}", "event": 3, "want": HOSTILE, "got": {HOSTILE: HOSTILE}}
    second = {**finding, "pointer": f"/{HOSTILE}", "exchange": "two"}
    lines = [
        line("sum.part@text.stream", findings=[first, second], breaks=["codex"]),
        line("error.shape@text", message=HOSTILE, observed=[HOSTILE]),
        line("usage.shape@text", "inconclusive", reason=HOSTILE),
    ]
    head = replace(runs.HEAD, target=TargetRecord(HOSTILE, "http://127.0.0.1:9/v1", HOSTILE))
    return runs.written(folder, lines, head)


def test_hostile_text_is_never_markup(hostile: Results) -> None:
    text = page(hostile)
    assert text.count("<script") == text.count("</script") == 2
    assert "<!--" not in text
    assert "<img" not in text
    assert not re.search("[\u2028\u2029\u202e\ud800]", text)
    assert data(text)["reasons"][1].startswith(MARKUP)
    text.encode("utf-8")


def test_the_page_loads_and_runs_nothing_else(hostile: Results) -> None:
    text = page(hostile)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)
    assert policy is not None
    assert (
        policy[1].startswith("default-src &#x27;none&#x27;; script-src &#x27;sha256-")
        or "default-src 'none'" in policy[1]
    )
    assert "unsafe" not in policy[1]
    assert not re.search(r"<(?:link|script|img|iframe)[^>]+(?:src|href)=\"(?!data:)", text)
    assert not re.search(r"(?:innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\()", text)


def test_numbers_that_are_no_json_do_not_break_the_page(tmp_path: Path) -> None:
    one = line("a.a@x", message="m")
    lines = [replace(one, findings=(replace(one.findings[0], got=float("nan")),))]
    assert data(page(runs.written(runs.folder_at(tmp_path), lines)))["findings"]["0"][0][0]["got"] == "NaN"


def test_evidence_is_of_what_did_not_pass_and_within_a_budget(tmp_path: Path) -> None:
    folder = runs.folder_at(tmp_path)
    body = json.dumps({f"member{n}": "x" * 90 for n in range(90)}).encode()
    for n in range(400):
        folder.write(runs.exchange(f"e{n}", body))
    lines = [line(f"a.a@s{n}", message="m", exchange=f"e{n}") for n in range(400)]
    lines += [line("c.c@x", message="m", exchange="gone", breaks=["codex"])]
    lines = [replace(one, findings=(replace(one.findings[0], exchange=one.exchange),)) for one in lines]
    lines.insert(-1, line("b.b@x", "pass", exchange="e1"))
    text = page(runs.written(folder, lines))
    assert len(text) < 3_000_000
    shown = data(text)["exchanges"]
    assert shown["gone"] == "missing"
    assert {"missing", "left out"} >= {one for one in shown.values() if isinstance(one, str)}
    assert isinstance(shown["e0"], dict)
    assert shown["e399"] == "left out"


def test_a_run_that_broke_off_says_so(tmp_path: Path) -> None:
    results = runs.written(runs.folder_at(tmp_path), [line("a.a@x", "pass")])
    assert "The run was interrupted" in page(replace(results, end=None))


def test_a_rule_of_another_version_is_shown_without_its_words(tmp_path: Path) -> None:
    assert (
        data(page(runs.written(runs.folder_at(tmp_path), [line("no.such@x", message="m")])))["rules"][0][0] == "no.such"
    )
