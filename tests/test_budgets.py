"""Latency budgets and prices: a late byte is a warning where a run limits it, and tokens have a price."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.config.prices import money
from conformance.config.target import Misconfigured, resolve
from conformance.emulator import Endpoint, serve
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


def test_no_budget_adds_no_rule() -> None:
    target = resolve({}, {}, "", None)
    assert not target.has_budgets
    assert resolve({"max-event-gap-ms": 5}, {}, "", None).has_budgets
    with pytest.raises(Misconfigured, match="max-first-byte-ms is 0; it must be more than 0"):
        resolve({"max-first-byte-ms": 0}, {}, "", None)
