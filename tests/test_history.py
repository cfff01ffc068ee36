"""The nights' file and its trend: small, refused where it is of another kind, drawn as text and as a page."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from xml.etree import ElementTree

import pytest

from conformance.report.trend import Trend, page, text
from conformance.results.history import FLAKY, FORMAT, HistoryError, NightlyRun, opened
from conformance.results.measures import Measures
from tests.support.lines import case, command, head, run

RULES = ("a.b", "a.c", "x.y")


def fill(file: Path, *nights: dict[str, str], target: str = "proxy") -> None:
    """A history with a night a dictionary, of verdicts by rule."""
    for number, verdicts in enumerate(nights, 1):
        lines = [case(f"{rule}@text", "fail" if verdict == FLAKY else verdict) for rule, verdict in verdicts.items()]
        flaky = [f"{rule}@text" for rule, verdict in verdicts.items() if verdict == FLAKY]
        with opened(file, create=True) as kept:
            kept.add(run(*lines, first=head(target, started_at=f"2026-06-{number:02}T02:00:00+00:00")), 0, flaky, None)


NIGHTS = (
    {"a.b": "pass", "a.c": "pass", "x.y": "pass"},
    {"a.b": "fail", "a.c": "pass", "x.y": "pass"},
    {"a.b": "pass", "a.c": "pass", "x.y": FLAKY},
    {"a.b": "fail", "a.c": "pass"},
)


def test_the_trend_is_told_by_target_and_rule(tmp_path: Path) -> None:
    fill(tmp_path / "history.sqlite", *NIGHTS)
    told, _, legend = command("history", "--history", str(tmp_path)).stdout.partition("\n\n")
    assert "passed cases (█ 100 %)" in legend
    told = told.splitlines()
    assert told[0] == "proxy: 4 nightly runs, 2026-06-01 to 2026-06-04"
    assert told[1].endswith("50.0 % passed, 1 failed, exit 0")
    assert len(told) == 4, told
    assert told[2].startswith("  ·█·█  a.b")
    assert told[3].startswith("  ··~   x.y")
    assert len(told) == 4
    assert command("history", "--history", str(tmp_path), "--rule", "a.*").stdout.splitlines()[3].startswith("  ····")
    last = command("history", "--history", str(tmp_path), "--nights", "1").stdout
    assert "1 nightly run, 2026-06-04" in last


def test_the_dates_below_the_chart_do_not_overlap() -> None:
    for number, dates in ((3, 1), (20, 2)):
        nights = tuple(NightlyRun(at, "proxy", f"2026-06-{at + 1:02}", 0, {"pass": 1}) for at in range(number))
        assert page([Trend("proxy", nights, {})]).count(">2026-06-") == dates


def test_the_bars_are_not_scaled_to_the_lowest_run() -> None:
    """With the scale of these runs, 99.6 % was drawn like 0 %."""
    nights = [
        NightlyRun(at, "proxy", f"2026-06-0{at + 1}", 0, {"pass": good, "fail": 1000 - good})
        for at, good in enumerate((1000, 996, 500, 0))
    ] + [NightlyRun(4, "proxy", "2026-06-05", 2, {})]
    assert list(text(Trend("proxy", tuple(nights), {})))[1].startswith("  █▇▄▁   no case evaluated")


def test_a_night_kept_twice_is_kept_once(tmp_path: Path) -> None:
    for _ in range(2):
        fill(tmp_path / "h", *NIGHTS)
    with opened(tmp_path / "h") as kept:
        assert len(kept.last_runs("proxy", 99)) == 4
        assert kept.last_runs("proxy", 1)[0].counts == {"fail": 1, "pass": 1}


def test_members_are_first_seen_once_for_each_target(tmp_path: Path) -> None:
    with opened(tmp_path / "h", create=True) as kept:
        kept.add(run(case("a.b@text")), 0, [], Measures(1.0, 2.0, None, frozenset({"event x"})))
        assert kept.seen("proxy", ["event x", "event y"]) == {"event x"}
        assert kept.seen("other", ["event x"]) == set()


def test_two_processes_may_keep_nights_at_once(tmp_path: Path) -> None:
    threads = [
        threading.Thread(target=fill, args=(tmp_path / "h", *NIGHTS), kwargs={"target": name}) for name in "abcd"
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    with opened(tmp_path / "h") as kept:
        assert {name: len(kept.last_runs(name, 9)) for name in kept.targets()} == dict.fromkeys("abcd", 4)


def test_years_of_nights_fit(tmp_path: Path) -> None:
    lines = [case(f"a.r{number % 300}@scenario.number.{number}") for number in range(3000)]
    for number in range(5):
        with opened(tmp_path / "h", create=True) as kept:
            kept.add(run(*lines, first=head(started_at=f"2026-06-{number + 1:02}")), 0, [], None)
        if number == 0:
            first = (tmp_path / "h").stat().st_size
    a_night = ((tmp_path / "h").stat().st_size - first) / 4
    assert a_night < 60_000  # Ten years of nights of 3,000 cases: some 200 MB.


@pytest.mark.parametrize(
    ("made", "says"),
    [
        ("pragma user_version = 99", f"has format 99, expected {FORMAT}"),
        ("create table other (x)", "but not a history of nightly runs"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, made: str, says: str) -> None:
    connection = sqlite3.connect(tmp_path / "history.sqlite")
    connection.execute(made)
    connection.commit()
    connection.close()
    for create in (True, False):
        with pytest.raises(HistoryError, match=says), opened(tmp_path / "history.sqlite", create):
            pass
    told = command("history", "--history", str(tmp_path))
    assert (told.returncode, told.stdout, len(told.stderr.splitlines())) == (2, "", 1)


def test_no_history_is_one_line(tmp_path: Path) -> None:
    told = command("history", "--history", str(tmp_path))
    assert (told.returncode, "does not exist" in told.stderr) == (2, True)
    assert not (tmp_path / "history.sqlite").exists()
    fill(tmp_path / "history.sqlite", *NIGHTS)
    told = command("history", "--history", str(tmp_path), "--target", "prxy")
    assert (told.returncode, "its targets: 'proxy'" in told.stderr) == (2, True)


def html_free(text: str) -> str:
    """A text as a reader sees it."""
    return text.replace("\x1b", "\\x1b")


HOSTILE = '<script>alert(1)</script>\x1b[2J & "quoted" \''


def test_the_page_holds_its_drawings_and_lets_no_text_become_more(tmp_path: Path) -> None:
    nights = (NightlyRun(1, HOSTILE, "2026-06-01", 1, {"fail": 2, "pass": 1}), NightlyRun(2, HOSTILE, HOSTILE, 6, {}))
    found = Trend(HOSTILE, nights, {HOSTILE: ({"fail": 2}, {})})
    html = page([found])
    assert page([found], {(HOSTILE, HOSTILE): '<a href="x">report</a>'}).count('<a href="x">') == 1
    assert "<script" not in html
    assert "\x1b" not in html
    tree = ElementTree.fromstring(html.replace("<!doctype html>", ""))
    legend, squares = ["good", "flaky", "bad", "none"], ["bad", "none"]
    assert [one.get("class") for one in tree.iter("rect")] == [*legend, "gap", *squares]
    assert len(list(tree.iter("polyline"))) == 1
    assert [one.text for one in tree.iter("text")] == [
        "100.0%",
        "66.7%",
        "33.3%",
        "2026-06-01",
    ]
    assert not [one for one in tree.iter() if {"src", "href"} & set(one.attrib)]
    assert "\x1b" not in "".join(text(found))


def test_the_page_is_written(tmp_path: Path) -> None:
    fill(tmp_path / "history.sqlite", *NIGHTS)
    html = tmp_path / "trend.html"
    assert command("history", "--history", str(tmp_path), "--html", str(html)).returncode == 0
    assert html.read_text(encoding="utf-8").count("<rect") == 4 + 8
    told = command("history", "--history", str(tmp_path), "--html", str(tmp_path / "no" / "trend.html"))
    assert (told.returncode, "cannot be written" in told.stderr) == (2, True)
