"""A night as a user spends it: one planted regression, one flaky case, one vanished case, and nothing else named."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conformance.config.target import resolve
from conformance.emulator import Behaviour, Endpoint, serve
from conformance.emulator.faults import FAULTS
from conformance.emulator.hooks import Context, combine
from conformance.emulator.shapes import Refusal
from conformance.engine import nightly as engine
from conformance.engine.nightly import _exit_code, _folder_name
from conformance.report.comparison import render
from conformance.report.trend import text, trend
from conformance.results.comparison import compare
from conformance.results.history import opened
from tests.support import forked
from tests.support.lines import case, run
from tests.test_plugin import KEY, lines_of

REGRESSION = "auth.key-without-scheme-refused@auth.refused.no-scheme"
FLAKY = "auth.other-scheme-refused@auth.refused.other-scheme"
VANISHED = "auth.of-an-older-suite@auth.refused.none"

SELECTED = ("--only", "auth.*", "--only", "sse.*@text.stream", "-q")


def once(fault: Behaviour) -> Behaviour:
    """The fault, but only the first time that it makes a difference."""

    def auth(ctx: Context, refusal: Refusal | None) -> Refusal | None:
        assert fault.auth is not None
        wrong = fault.auth(ctx, refusal)
        return refusal if wrong is refusal or ctx.count("once") else wrong

    return replace(fault, name="once", auth=auth)


BROKEN = combine([FAULTS["auth.bare-key-let-in"], once(FAULTS["auth.other-scheme-let-in"])])


def nightly(target: Path, history: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """One night."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("MIMO", "PYTEST", "CONF"))}
    words = ["conformance", "nightly", "--target", str(target), "--history", str(history), *SELECTED, *more]
    return forked.run(words, {**environ, "MIMO_API_KEY": KEY}, timeout=300)


def run_nightly(behaviour: Behaviour | None, tmp_path: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """One night with an endpoint of this twist."""
    target = tmp_path / "proxy.toml"
    with serve(Endpoint(key=KEY, behaviour=behaviour)) as server:
        target.write_text(f'name = "my proxy"\nendpoint = "{server.url}"\n')
        return nightly(target, tmp_path / "history", *more)


def folders(tmp_path: Path) -> Sequence[Path]:
    """The nights' folders, the oldest first."""
    return sorted((tmp_path / "history" / _folder_name("my proxy")).iterdir())


def section(text: str, title: str) -> list[str]:
    """The ids that a summary names under a title."""
    found = re.search(rf"^### {title} \(\d+\)\n\n((?:- .*\n)+)", text, re.MULTILINE)
    return re.findall(r"^- `([^`]+)`", found[1], re.MULTILINE) if found else []


def test_a_night_names_the_regression_the_flaky_and_the_vanished_case_and_no_other(tmp_path: Path) -> None:
    first = run_nightly(None, tmp_path)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "the first nightly run" in first.stdout
    results = folders(tmp_path)[0] / "results.jsonl"
    head, *rest = results.read_text(encoding="utf-8").splitlines()
    results.write_text("\n".join([head, json.dumps(case(VANISHED).to_json()), *rest, ""]), encoding="utf-8")

    second = run_nightly(BROKEN, tmp_path)
    assert second.returncode == 1
    assert f"rerun the first case   conformance run --target {tmp_path / 'proxy.toml'} --only " in second.stdout
    folder = folders(tmp_path)[1]
    summary = (folder / "night.md").read_text(encoding="utf-8")
    assert summary in second.stdout
    assert "**1 regression, 1 missing case, 1 flaky case**" in summary
    assert section(summary, "Regressions") == [REGRESSION]
    assert section(summary, "Missing") == [VANISHED]
    assert section(summary, "Flaky") == [FLAKY]
    assert "failed 3 of 3 attempts" in summary
    assert "failed 1 of 3 attempts" in summary
    named = set(re.findall(r"`([^`@]+@[^`]+)`", summary))
    assert named == {REGRESSION, FLAKY, VANISHED}
    record = json.loads((folder / "night.json").read_text(encoding="utf-8"))
    assert (record["regressions"], record["vanished"], record["flaky"]) == ([REGRESSION], [VANISHED], {FLAKY: [1, 3]})
    (issue,) = lines_of(folder / "issues.jsonl")
    assert issue["title"] == f"{REGRESSION} fails at my proxy"
    assert KEY not in "".join(one.read_text("utf-8", "replace") for one in tmp_path.rglob("*") if one.is_file())

    third = run_nightly(once(FAULTS["auth.other-scheme-let-in"]), tmp_path, "--keep", "2")
    assert third.returncode == 0, "a case that passes when it is asked again is no failure"
    assert "**1 flaky case, 3 newly passing**" in third.stdout
    assert (folders(tmp_path)[-1] / "issues.jsonl").read_text(encoding="utf-8") == ""
    assert len(folders(tmp_path)) == 2
    with opened(tmp_path / "history" / "history.sqlite") as kept:
        nights = kept.last_runs("my proxy", 10)
        assert [(night.exit, night.counts.get("fail", 0), night.counts.get("flaky", 0)) for night in nights] == [
            (0, 0, 0), (1, 1, 1), (0, 0, 1),
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "code", "flaky", "strict", "want"),
    [
        ([case("a.b@1", "fail")], 1, (), False, 1),
        ([case("a.b@1", "fail"), case("a.b@2")], 1, ("a.b@1",), False, 0),
        ([case("a.b@1", "fail"), case("a.b@2", "fail")], 1, ("a.b@1",), False, 1),
        ([case("a.b@1", "fail"), case("a.b@2", "inconclusive")], 1, ("a.b@1",), False, 6),
        ([case("a.b@1", "fail"), case("a.b@2", "warning")], 1, ("a.b@1",), True, 1),
        ([case("a.b@1", "inconclusive")], 6, (), False, 6),
        ([case("a.b@1", "not-applicable")], 5, (), False, 5),
        ([case("a.b@1", "error")], 3, (), False, 3),
    ],
)
def test_the_exit_code_is_the_run_s_without_what_was_flaky(
    lines: list[dict[str, Any]], code: int, flaky: tuple[str, ...], strict: bool, want: int
) -> None:
    same = run(*lines)
    found = compare(same, same)
    ratios = dict.fromkeys(flaky, (1, 3))
    assert _exit_code(same, found, ratios, code, strict) == _exit_code(same, None, ratios, code, strict) == want
    if code in (0, 1, 5, 6):
        assert _exit_code(same, compare(run(case("a.b@0"), *lines), same), ratios, code, strict) == 1


def test_a_baseline_that_does_not_hold_is_no_good_night() -> None:
    problem = {"kind": "stale", "entry": "b.toml:2", "case": "a.b@3", "says": "it passes now: delete the line"}
    bad = run(case("a.b@1", "fail"), case("a.b@2"), baseline=[problem])
    assert _exit_code(bad, None, {"a.b@1": (1, 3)}, 1, False) == 1


@pytest.mark.parametrize(
    ("target", "more", "says"),
    [
        ('name = "p"\nendpoint = "nonsense"', (), "is not a URL"),
        ('name = "p"\nendpoint = "http://127.0.0.1:9/v1"', (), "cannot connect to"),
        ('name = "p"', ("--keep", "0"), "expected 1 or more"),
        ('name = "p"', ("--baseline", "none.toml"), "cannot be read"),
    ],
)
def test_a_night_that_cannot_be_is_one_line_and_2(
    tmp_path: Path, target: str, more: tuple[str, ...], says: str
) -> None:
    (tmp_path / "t.toml").write_text(target)
    night = nightly(tmp_path / "t.toml", tmp_path / "history", *more)
    assert (night.returncode, says in night.stderr) == (2, True)
    assert len(night.stderr.splitlines()) == 1


def test_a_history_of_something_else_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "history").mkdir()
    (tmp_path / "history" / "history.sqlite").write_text("not a database, but long enough to be looked at" * 9)
    (tmp_path / "t.toml").write_text('name = "p"')
    night = nightly(tmp_path / "t.toml", tmp_path / "history")
    assert (night.returncode, "cannot be used" in night.stderr) == (2, True)


def test_names_of_targets_stay_inside_the_history() -> None:
    assert _folder_name("my-proxy") == "my-proxy"
    assert _folder_name("my proxy") != _folder_name("my/proxy")
    for name in ("../../etc", "..", "", "a\nb", "ü" * 300):
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,80}", _folder_name(name))


def test_a_night_whose_endpoint_is_dead_leaves_a_row_a_summary_and_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    says = "cannot connect to http://127.0.0.1:9/v1: connection refused"
    monkeypatch.setattr(engine, "_run", lambda *_: (2, says))
    target = resolve({"endpoint": "http://127.0.0.1:9/v1"}, {}, "", None)
    outcome = engine.run_nightly(target, [], tmp_path, 14)
    assert outcome.exit == 2
    assert f"**no result: `{says}`**" in outcome.summary
    assert (outcome.folder / "night.md").read_text(encoding="utf-8") == outcome.summary
    assert json.loads((outcome.folder / "night.json").read_text(encoding="utf-8"))["error"] == says
    assert (outcome.folder / "issues.jsonl").read_text(encoding="utf-8") == ""
    with opened(tmp_path / "history.sqlite") as kept:
        (night,) = kept.last_runs(target.name, 5)
        assert (night.exit, night.counts, night.pass_rate) == (2, {}, None)
        assert "no case evaluated" in "\n".join(text(trend(kept, target.name, 5, None)))


def test_known_flaky_cases_are_kept_apart() -> None:
    old = run(case("a.b@1"), case("a.b@2"), case("a.b@3", "fail"), case("a.b@4", "fail"))
    new = run(case("a.b@1", "fail"), case("a.b@2", "fail"), case("a.b@3", "fail"), case("a.b@4", "fail"))
    flaky = {"a.b@1": (1, 3), "a.b@2": (2, 3)}
    found = compare(old, new)
    said = render(found, flaky, {}, {"a.b@2": 3, "a.b@4": 1})
    assert "### Flaky (1)\n\n- `a.b@1`" in said
    assert "### Known flaky (1)\n\n- `a.b@2`" in said
    known = engine._known_failing(new, found, {"a.b@4": 1})
    assert "Known failing: 1, as in the previous nightly run" in known
    assert "flaky in earlier nightly runs: `a.b@4` (flaky in 1)" in known
