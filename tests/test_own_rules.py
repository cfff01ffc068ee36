"""Rules of a project itself, from a folder: the example is evaluated, and a mistake is one line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from conformance.config.target import Misconfigured
from conformance.judge import own_rules
from tests.support import forked
from tests.test_plugin import lines_of
from tests.test_readme import ROOT

EXAMPLE = ROOT / "examples" / "own_rules"


@pytest.mark.parametrize("workers", ["0", "2"])
def test_the_example_is_evaluated(tmp_path: Path, workers: str) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("MIMO", "PYTEST", "CONF"))}
    words = ["conformance", "run", "--rules", str(EXAMPLE), "--only", "own", "-n", workers]
    done = forked.run([*words, "--run-dir", str(tmp_path / "run")], environ, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = lines_of(tmp_path / "run" / "results.jsonl")[1:-1]
    verdicts = {one["id"]: one["verdict"] for one in lines}
    assert verdicts["own.greets-in-one-message@own.greeting"] == "pass"
    assert verdicts["own.names-the-cluster@text"] == "warning"
    assert len(verdicts) == len(lines) > 20
    assert "the response has no header X-Cluster" in done.stdout


def test_a_recording_without_the_own_scenarios_gives_the_suites_verdicts(tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("MIMO", "PYTEST", "CONF"))}
    first = ["conformance", "run", "--run-dir", str(tmp_path / "first")]
    again = ["conformance", "run", "--replay", str(tmp_path / "first"), "--rules", str(EXAMPLE)]
    assert forked.run(first, environ, cwd=tmp_path).returncode == 0
    forked.run([*again, "--run-dir", str(tmp_path / "again")], environ, cwd=tmp_path)
    before, after = (
        {one["id"]: one["verdict"] for one in lines_of(tmp_path / name / "results.jsonl")[1:-1]}
        for name in ("first", "again")
    )
    assert {name: after[name] for name in before} == before
    undecided = {name for name, verdict in after.items() if verdict == "inconclusive"}
    assert "own.greets-in-one-message@own.greeting" in undecided
    assert {name.split("@")[1] for name in undecided} == {"own.greeting"}


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ('[[requirement]]\nid = "own.x"\nlevel = "MUST"', "'says' is missing"),
        ('[[requirement]]\nid = "own.x"\nlevel = "BAD"\nsays = "x"', "unknown level"),
        ('[[requirement]]\nid = "usage.total-is-sum"\nlevel = "MUST"\nsays = "x"', "has two rows"),
        ("[[requirement]]\nid = 1", "id is 1, which has the wrong type"),
        ("[[rule]]", "'rule' is not known; expected [[requirement]] and [[scenario]]"),
        ('[[scenario]]\nname = "x"\nbody = {}\nexpect = "maybe"', "expected one of answer, refusal, either"),
        ("[[", "cannot be read"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, toml: str, says: str) -> None:
    (tmp_path / "rules.toml").write_text(toml, encoding="utf-8")
    (tmp_path / "test_nothing_of_ours.py").write_text("", encoding="utf-8")
    with pytest.raises(Misconfigured) as error:
        own_rules.load(tmp_path)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_a_folder_without_checks_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="no module test_"):
        own_rules.load(tmp_path)
