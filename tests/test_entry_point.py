"""The plugin in another project: inert, until the checks or the fixture are asked for."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from conformance.engine.setup import collects_all_checks, collects_checks
from conformance.results.results_file import Results
from tests.test_readme import ROOT

EXAMPLE = """
def test_the_endpoint_conforms(conformance_run, pytestconfig):
    assert not pytestconfig.pluginmanager.has_plugin("conformance.plugin")
"""


def pytest_in(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("MIMO", "PYTEST", "CONF"))}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words]
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=120)


def test_another_project_runs_the_checks_and_its_own_tests(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(EXAMPLE, encoding="utf-8")
    own = pytest_in(tmp_path, "-q")
    assert (own.returncode, "1 passed" in own.stdout) == (0, True), own.stdout
    checks = pytest_in(tmp_path, "--pyargs", "conformance.checks", "-m", "smoke", "--plan")
    assert "nothing was sent" in checks.stdout, checks.stdout + checks.stderr


def test_a_run_without_plugins_of_pytest_writes_its_results(tmp_path: Path) -> None:
    """Without its cache a run has no warning, and without its terminal the options of the terminal do not exist."""
    words = [sys.executable, "-m", "conformance", "run", "--only", "usage.total-is-sum@text", "--run-dir"]
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("MIMO", "PYTEST", "CONF"))}
    for plugin in ("cacheprovider", "terminal"):
        command = [*words, plugin, "-p", f"no:{plugin}"]
        done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=120)
        assert (done.returncode, "warning" in done.stdout) == (0, False), done.stdout + done.stderr
        assert (tmp_path / plugin / "results.jsonl").exists()


def test_modules_are_checks_too(tmp_path: Path) -> None:
    assert collects_all_checks(["conformance.checks"], tmp_path)
    assert collects_checks(["conformance.checks.test_usage"], tmp_path)
    assert not collects_all_checks(["conformance.checks.test_usage"], tmp_path)
    assert not collects_checks(["tests"], tmp_path)


def test_the_fixture_checks_an_endpoint(conformance_run: Callable[..., Results]) -> None:
    results = conformance_run(only=["usage.total-is-sum@text"])
    assert (results.exit_code, results.counts) == (0, {"pass": 1})


def test_the_example_of_the_page_uses_arguments_that_exist() -> None:
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    assert re.search(r"conformance_run\(proxy\.url, model=", page)


def test_a_bare_pytest_states_what_to_call() -> None:
    said = pytest_in(ROOT, "--collect-only", "-k", "no_such_test_anywhere", "--ignore-glob=*/test_*").stdout
    assert "to check an endpoint: pytest conformance --endpoint" in said
