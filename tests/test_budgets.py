"""Latency budgets and prices: a late byte is a warning where a run limits it, and tokens have a price."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from conformance.config.prices import money
from conformance.config.target import Misconfigured, resolve
from conformance.emulator import Endpoint, serve
from conformance.exchange.exchange import Chunk
from conformance.exchange.latency import Spread
from conformance.report import job_summary
from conformance.report.html import data as html
from conformance.results.records import RunEnd
from tests.support import runs
from tests.test_plugin import KEY, lines_of, pytest_run


def test_a_late_byte_and_a_gap_are_warnings_where_a_budget_is_set(tmp_path: Path) -> None:
    """In a process of its own: the rules of budgets would stay in the catalogue of this one."""
    file = tmp_path / "t.toml"
    file.write_text('[profile]\nprices = { input = 1, output = 2, currency = "EUR" }\n', encoding="utf-8")
    budgets = ("--max-first-byte-ms", "10", "--max-event-gap-ms", "0.001", "--target", str(file))
    with serve(Endpoint(key=KEY, first_byte_ms=20)) as server:
        run = pytest_run("--endpoint", server.url, *budgets, "--only", "latency",
                         "--run-dir", str(tmp_path / "run"))  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    *cases, end = lines_of(tmp_path / "run" / "results.jsonl")[1:]
    found = {case["id"]: case for case in cases}
    assert set(found) == {"latency.first-byte@all", "latency.event-gap@all"}
    for case, what in (
        ("latency.first-byte@all", "at most 10 ms (median "),
        ("latency.event-gap@all", "at most 0 ms ("),
    ):
        assert (found[case]["verdict"], found[case]["level"]) == ("warning", "SHOULD")
        assert what in found[case]["findings"][0]["message"]
        assert "95th percentile" in found[case]["findings"][0]["message"]
    assert 20 <= end["first_byte_ms"]["median"] <= end["first_byte_ms"]["p95"] <= end["first_byte_ms"]["max"]
    assert end["event_gap_ms"]["responses"] <= end["first_byte_ms"]["responses"]
    assert end["cost"].endswith(" EUR")
    assert f"({end['cost']})" in run.stdout


def test_a_price_needs_both_numbers_and_a_currency(tmp_path: Path) -> None:
    file = tmp_path / "t.toml"
    file.write_text('[profile]\nprices = { input = 0.5, output = 2, currency = "USD" }\n', encoding="utf-8")
    target = resolve({}, {}, "", file)
    assert money(target.prices, 100_000, 50_000) == "0.15 USD"
    assert money(resolve({}, {}, "", None).prices, 1, 1) == ""
    pair = "{ input = %s, output = 1, currency = %s }"
    for wrong in ("1", "{ input = 1 }", pair % ("true", '"USD"'), pair % ("1", '""'), pair % ("-1", '"USD"')):
        file.write_text(f"[profile]\nprices = {wrong}\n", encoding="utf-8")
        with pytest.raises(Misconfigured, match=r"profile\.prices is .*; expected"):
            resolve({}, {}, "", file)


def test_the_reports_have_the_percentiles_without_a_budget(tmp_path: Path) -> None:
    folder = runs.folder_at(tmp_path)
    at = (Chunk(5.0, b"{"), Chunk(9.5, b"}"))
    for number in range(3):
        folder.write(
            replace(runs.exchange(f"text{number}", b"{}"), chunks=tuple(replace(one, at=one.at + number) for one in at))
        )
    results = runs.written(folder, [runs.line("sse.media-type@text.stream", "pass")])
    assert results.end
    assert results.end.first_byte == Spread(3, 6.0, 7.0, 7.0)
    assert results.end.event_gap == Spread(3, 4.5, 4.5, 4.5)
    assert RunEnd.from_json(results.end.to_json()) == results.end
    said = "first byte: median 6 ms, 95th percentile 7 ms, longest 7 ms"
    assert said in job_summary.render(results, "conformance run")
    assert said in html.document(results, folder, "conformance run")["latency"]


def test_no_budget_adds_no_rule() -> None:
    target = resolve({}, {}, "", None)
    assert not target.has_budgets
    assert resolve({"max-event-gap-ms": 5}, {}, "", None).has_budgets
    with pytest.raises(Misconfigured, match="max-first-byte-ms is 0; it must be more than 0"):
        resolve({"max-first-byte-ms": 0}, {}, "", None)
