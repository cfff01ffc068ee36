"""``conformance new-rule``: the stubs are well formed. tests/test_trials.py makes a rule of them."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

from conformance.cli import main
from conformance.commands import new_rule
from conformance.commands.new_rule import stubs
from conformance.contract.rules import catalogue, requirement
from tests.test_readme import ROOT

RULE = "response.id-is-short"

#: What the author of the rule writes in place of the stubs, by file.
EDITS = {
    "conformance/contract/rules/response.toml": [
        ("TODO: what must be true, in one sentence.", "The id has at most 128 characters."),
        ("TODO: doc 2026-06-24, the section", "doc 2026-06-24, Chat response object: id"),
    ],
    "conformance/checks/test_response.py": [
        ('    """TODO: yield a Finding for each violation, with what was expected and received and where."""\n', ""),
        (
            "    yield EXAMINED  # TODO: only for what was evaluated\n",
            '    size = len(str(received.response.get("id", "")))\n'
            "    yield EXAMINED\n"
            "    if size > 128:\n"
            '        yield Finding(f"id has {size} characters", received.pointer + "/id", received.event, 128, size)\n',
        ),
    ],
    "conformance/emulator/faults/response.py": [
        ("TODO: what the server does, in one sentence.", "Makes ids of 1,000 characters."),
        ("lambda _, value: value", 'lambda _, value: value | {"id": value["id"].ljust(1000, "0")}'),
    ],
}


def copy_of_the_checkout(copy: Path) -> Path:
    """What is edited by hand or generated, and what evaluates it."""
    for name in ("conformance", "docs", "schemas", "tests", "tools"):
        # With the bytecode, so that it need not be compiled again.
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("recordings", "tls"))
    for name in ("CHANGELOG.md", "CONTRIBUTING.md", "conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, copy)
    return copy


def run(checkout: Path, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """``python -m`` in the copy."""
    return subprocess.run([sys.executable, "-m", *words], cwd=checkout, capture_output=True, text=True, timeout=300)


def generated(checkout: Path, faults: Sequence[str]) -> dict[str, dict[str, str]]:
    """What ``make generate`` writes, of these faults; the rules that they violate."""
    for words in (
        ["tools.fault_matrix", "--write", *(word for name in faults for word in ("--fault", name))],
        ["tools.pages"],
        ["ruff", "check", "conformance"],
        ["ruff", "format", "--check", "conformance"],
    ):
        done = run(checkout, words)
        assert done.returncode == 0, done.stdout + done.stderr
    noted = json.loads((checkout / "conformance" / "contract" / "fault_matrix.json").read_text(encoding="utf-8"))
    return {name: noted[name]["causes"] for name in faults}


def write_rule(checkout: Path) -> None:
    """Write the stubs of the rule, and replace what its author replaces."""
    made = run(checkout, ["conformance", "new-rule", RULE])
    assert made.returncode == 0, made.stderr
    assert "make generate" in made.stdout
    assert "clause: 5.id " in made.stdout
    assert len(EDITS) <= 3
    for name, edits in EDITS.items():
        assert f"wrote {name}" in made.stdout
        text = (checkout / name).read_text(encoding="utf-8")
        for stub, written in edits:
            assert text.count(stub) == 1
            text = text.replace(stub, written)
        (checkout / name).write_text(text, encoding="utf-8")
    left = [path for path in (checkout / "conformance").rglob("*.[pt]*") if "TODO" in path.read_text("utf-8", "ignore")]
    assert [path.name for path in left if path.suffix in (".py", ".toml")] == ["new_rule.py"]


def test_every_area_gets_stubs_that_are_well_formed() -> None:
    for area in dict.fromkeys(row.area for row in catalogue().values() if row.area != "client"):
        texts, _ = stubs(f"{area}.brand-new", "SHOULD")
        for path, text in texts.items():
            if path.suffix == ".py":
                ast.parse(text)
            else:
                tomllib.loads(text)
        rows = [
            row
            for path, text in texts.items()
            if path.parent.name == "rules"
            for row in tomllib.loads(text)["requirement"]
        ]
        assert {"id": f"{area}.brand-new", "level": "SHOULD"}.items() <= next(
            row.items() for row in rows if row["id"] == f"{area}.brand-new"
        )
        before = [row.id for row in catalogue().values()]
        assert [row["id"] for row in rows if row["id"] in before] == [
            one for one in before if one in {row["id"] for row in rows}
        ]


def test_what_is_only_recorded_gets_no_fault() -> None:
    texts, clause = stubs("usage.brand-new", "MAY")
    assert ([path.parent.name for path in texts], clause) == (["rules", "checks"], "5.usage")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["usage.total-is-sum"], "rule 'usage.total-is-sum' already exists"),
        (["item.message.schema"], "rule 'item.message.schema' already exists: it is covered by item.{type}.schema"),
        (["usag.new"], "unknown area 'usag'; did you mean 'usage'?"),
        (["zzz.new"], "unknown area 'zzz'; areas: auth, "),
        (["usage"], "'usage' is not a rule id"),
        (["Usage.New"], "'Usage.New' is not a rule id"),
        (["usage.new rule"], "'usage.new rule' is not a rule id"),
        (["usage.../../x"], "'usage.../../x' is not a rule id"),
        (["usage.new", "--clause", "5.usag"], "unknown clause '5.usag'; did you mean '5.usage'?"),
    ],
)
def test_what_cannot_be_made_is_one_line(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new-rule", *words]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert printed.err.startswith(f"conformance: {said}")


def test_an_installed_package_is_no_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(new_rule, "PACKAGE", tmp_path / "conformance")
    assert main(["new-rule", "usage.new"]) == 2
    assert "needs a source checkout" in capsys.readouterr().err


def test_no_stub_is_left_in_the_catalogue() -> None:
    assert [row.id for row in catalogue().values() if "TODO" in row.says + row.source] == []
    assert requirement("usage.present").source
