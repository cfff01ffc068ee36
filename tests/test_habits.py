"""The Makefile, the versions that are installed, and the workflows: what a contributor and CI rely on."""

from __future__ import annotations

import re
import subprocess
import tomllib

import pytest

import conformance
from conformance.cli import main
from conformance.pytest_plugin.invocation import lasting
from conformance.pytest_plugin.options import OF_PYTEST, options
from tests.test_readme import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def unit_tests() -> list[str]:
    """The files of ``make check``, as make reads them."""
    words = ["make", "--no-print-directory", "-n", "-o", ".venv/.ready", "check"]
    plan = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (line,) = [one for one in plan.splitlines() if " tests/" in one]
    return re.findall(r"tests/\S+\.py", line)


@pytest.mark.parametrize("words", [["make"], ["make", "help"]])
def test_help_lists_every_target(words: list[str]) -> None:
    said = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True, env={"PATH": "/usr/bin:/bin"})
    (phony,) = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert re.findall(r"^  (\w+) +\S", said.stdout, re.MULTILINE) == phony.split()


def test_the_fast_tests_start_no_server() -> None:
    files = unit_tests()
    assert len(files) > 20
    for name in files:
        text = (ROOT / name).read_text(encoding="utf-8")
        assert not re.search(r"\bserve\(|pytest_run\(|support\.(rawserver|stub|running)", text), name


def test_what_is_installed_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert [line for line in pins if not re.fullmatch(r"[A-Za-z0-9_.-]+==[\w.]+", line)] == []
    pinned = {re.sub(r"[_.-]+", "-", line.partition("==")[0]).lower() for line in pins}
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    names = {re.match(r"[\w-]+", one)[0].lower() for one in wanted}  # type: ignore[index]  # Every one has a name.
    assert names <= pinned
    assert MAKEFILE.count("-c constraints.txt") == 2


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert (ended.value.code, capsys.readouterr().out) == (0, f"conformance {conformance.__version__}\n")


#: Words of ours for which the field has its own (CONTRIBUTING and the pages for readers keep to the field's).
PRIVATE = (
    r"blanked|nights\b|last night\b|asked (again|for)|\bcame\b|\bcomes\b|broke off|\btold\b|tells|parted by"
    r"|right answers?|wrong answers?|broken rules?|folded|\bbut for\b|who breaks|got and want|varieties|shy model"
)


@pytest.mark.parametrize(
    "name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/guides.md", "docs/upgrading.md"]
)
def test_pages_use_the_words_of_the_field(name: str) -> None:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    found = [f"{name}:{at}: {one[0]}" for at, line in enumerate(lines, 1) for one in re.finditer(PRIVATE, line)]
    assert found == []


def test_every_option_with_a_value_states_its_default() -> None:
    taking = [one for one in (*options(), *OF_PYTEST) if one.arguments.get("action") != "store_true"]
    assert [one.name for one in taking if "default" not in one.help] == []


def test_the_help_of_run_lists_every_option_with_its_group(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    said = capsys.readouterr().out
    for option in options():
        assert re.search(rf"^  {option.name}\b", said, re.MULTILINE), option.name
        assert f"\n{option.group}:\n" in said
    assert "(default 100; no" in said
    assert "(default 16,000,000)" in " ".join(said.split())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands_and_options(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    said = capsys.readouterr().out
    assert ("-a compare" if shell == "fish" else " compare ") in said
    assert ("-l max-requests" if shell == "fish" else "--max-requests") in said


def test_bash_completes(capsys: pytest.CaptureFixture[str]) -> None:
    main(["completion", "bash"])
    words = (
        'COMP_WORDS=(conformance run --max-r); COMP_CWORD=2; _conformance conformance --max-r; echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", f"{capsys.readouterr().out}\n{words}"], capture_output=True, text=True)
    assert done.stdout.split() == ["--max-requests"]


@pytest.mark.parametrize(
    "words",
    [
        "conformance run http://h/v1 -x --lf -k text -m smoke -q -vv -n 2 --maxfail=3 --only a.b --junit-xml j",
        "conformance run http://h/v1 --skip a.b --sw -rA --run-dir d --overwrite -n4 --tb short --sarif s --ctrf c",
    ],
)
def test_the_command_to_repeat_a_case_has_no_option_of_one_run(words: str) -> None:
    assert lasting([*words.split(), "--rpm", "30", "-p", "no:allure"]) == [
        "conformance", "run", "http://h/v1", "--rpm", "30", "-p", "no:allure",
    ]  # fmt: skip
