"""What the README and the page about a run say is what the suite does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.config.settings import SETTINGS
from conformance.config.target import PROFILE_FEATURES, UNKNOWN_PARAMETERS, resolve
from conformance.contract.revisions import REVISIONS
from conformance.contract.rules import catalogue
from conformance.emulator.faults import FAULTS
from conformance.emulator.variants import VARIANTS
from conformance.exchange.exchange import DECODED_LIMIT
from conformance.results.results_file import ERROR, EXIT_BROKEN, EXIT_INCONCLUSIVE, EXIT_NOTHING, exit_code
from conformance.scenarios.plan import Plan
from docs.pictures import make as pictures
from tests.support import forked
from tools.in_process import context, record, verdicts

ROOT = Path(__file__).parent.parent
FIRST = (ROOT / "README.md").read_text(encoding="utf-8")
RUNNING = (ROOT / "docs" / "running.md").read_text(encoding="utf-8")
README = FIRST + RUNNING
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def conformance(*words: str) -> subprocess.CompletedProcess[str]:
    """The command as a user types it."""
    return forked.run(["conformance", *words])


def test_every_option_named_exists() -> None:
    listed = forked.run(["pytest", "conformance", "--help"]).stdout
    named = set(re.findall(r"`(--[a-z-]+)", README)) - {"--first-byte-ms", "--event-ms"}
    assert named >= {f"--{setting.name}" for setting in SETTINGS}
    assert [option for option in sorted(named) if option not in listed] == []


def test_the_limits_are_those_of_the_table() -> None:
    for name in ("connect", "first-byte", "read", "total"):
        row = next(line for line in README.splitlines() if line.startswith(f"| `--{name}-timeout S`"))
        for endpoint, pattern in (
            ("https://example.com/v1", r"default (\d+)"),
            ("http://127.0.0.1:1/v1", r"(\d+)\D*$"),
        ):
            limit = getattr(resolve({"endpoint": endpoint}, {}, "", None), f"{name.replace('-', '_')}_timeout")
            found = re.search(pattern, row)
            assert found is not None
            assert int(found[1]) == limit
    assert resolve({}, {}, "", None).max_body == DECODED_LIMIT == 16_000_000
    assert "default 16,000,000" in README


def test_the_benchmarks_can_be_run_and_are_told_of() -> None:
    command = [sys.executable, "-m", "benchmarks", "--help"]
    assert subprocess.run(command, capture_output=True, cwd=ROOT, timeout=60).returncode == 0
    assert "python -m benchmarks" in (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")


def test_the_options_of_serve_exist() -> None:
    said = conformance("serve", "--help").stdout
    for option in ("--port", "--fault", "--list-faults", "--first-byte-ms", "--event-ms", "--replay", "--speed"):
        assert option in said


def test_the_profile_of_the_readme_is_whole() -> None:
    line = next(line for line in README.splitlines() if line.startswith("lacks = "))
    assert all(name in line for name in PROFILE_FEATURES)
    assert all(name in README for name in UNKNOWN_PARAMETERS)


def test_the_exit_codes_are_those_of_the_table() -> None:
    assert exit_code(["pass", "warning"], strict=False) == 0
    assert exit_code(["pass", "warning"], strict=True) == 1
    assert exit_code(["fail", "inconclusive"], strict=False) == 1
    assert exit_code(["pass", "inconclusive"], strict=False) == EXIT_INCONCLUSIVE == 6
    assert exit_code(["pass", ERROR], strict=False) == EXIT_BROKEN == 3
    assert exit_code(["not-applicable"], strict=False) == exit_code([], strict=False) == EXIT_NOTHING == 5


def test_the_failure_shown_is_a_real_one(tmp_path: Path) -> None:
    from conformance.exchange.run_directory import RunDirectory
    from tests.support.runs import text_of

    behaviour = FAULTS["lifecycle.no-in-progress"]
    failed = next(one for one in verdicts(behaviour) if one.case.id == "lifecycle.in-progress-second@text.stream")
    text = text_of(failed, record(behaviour), RunDirectory(tmp_path))
    shown = re.search(r"```text\n(lifecycle\..*?)```", README, re.DOTALL)
    assert shown is not None
    assert text.startswith(shown[1].rstrip())


def test_rules_are_listed_and_explained() -> None:
    listed = conformance("list").stdout.splitlines()
    assert len(listed) == len(catalogue())
    said = conformance("explain", "sequence.contiguous").stdout
    assert "Each sequence_number is one greater than the previous one." in said
    assert "text.stream" in said


def test_an_unknown_rule_is_named_with_the_nearest() -> None:
    run = conformance("explain", "sequence.contigous")
    assert (run.returncode, "did you mean 'sequence.contiguous'" in run.stderr) == (2, True)


def test_hundreds_of_faults_and_a_hundred_variants() -> None:
    assert len(FAULTS) >= 200
    assert len(VARIANTS) >= 100


@pytest.mark.parametrize("path", re.findall(r"`((?:conformance|schemas|tests)/[\w./]*\w/?)`", README + CONTRIBUTING))
def test_every_path_named_exists(path: str) -> None:
    assert (ROOT / path).exists()


def test_the_readme_is_short_and_counts_what_is_there() -> None:
    assert len(FIRST.splitlines()) <= 100
    requests = Plan(context(), context().scenarios).expected
    named = re.search(r"some (\d+) requests", FIRST)
    assert named is not None
    assert abs(int(named[1]) - requests) <= 10
    assert all(f"revisions: {REVISIONS[0]}" in FIRST and one in FIRST for one in REVISIONS)


def test_the_pictures_show_the_current_program() -> None:
    """``python docs/pictures/make.py`` makes them again, with the digest of what they show."""
    assert pictures.DIGEST.read_text(encoding="utf-8").strip() == pictures.digest()
