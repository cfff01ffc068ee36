"""What a person may get wrong: one line that names it, exit code 2, within seconds; nothing is sent."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from conformance import cli
from conformance.cli import main
from conformance.config.target import Misconfigured, resolve
from conformance.judge import case_selection
from conformance.results import baseline_file
from conformance.wire.reach import reach
from tests.test_plugin import KEY, pytest_run
from tools.in_process import cases

DEAD = ("--endpoint", "http://127.0.0.1:9/v1")

TARGETS = {
    "endpont = 'http://127.0.0.1:9/v1'": "'endpont' is not known; did you mean 'endpoint'?",
    "[profil]": "'profil' is not known; did you mean 'profile'?",
    "[profile]\nlack = []": "'lack' is not known; did you mean 'lacks'?",
    "[profile]\nlacks = ['tool']": "'tool' is not known; did you mean 'tools'?",
    "[profile]\nunknown_parameters = 'refuse'": "profile.unknown_parameters: 'refuse' is not known",
    "total_timeout = 'long'": "total_timeout is 'long', not a number",
    "first_byte_timeou = 3": "'first_byte_timeou' is not known; did you mean 'first_byte_timeout'?",
    "endpoint = ": "is not TOML",
    f"name = {'[' * 2000}": "is not TOML",
    "\udcff": "cannot be read",
}


@pytest.mark.parametrize("text", TARGETS)
def test_a_target_file_that_is_wrong_says_what_is(text: str, tmp_path: Path) -> None:
    file = tmp_path / "target.toml"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(Misconfigured) as raised:
        resolve({}, {}, "nonce", file)
    assert TARGETS[text] in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_byte_order_mark_before_toml_is_no_error(tmp_path: Path) -> None:
    """Editors on Windows write one, with CRLF."""
    file = tmp_path / "target.toml"
    file.write_bytes(
        b"\xef\xbb\xbf" + DEAD[1].join(("endpoint = '", "'\r\n[profile]\r\nlacks = ['bearer']\r\n")).encode()
    )
    target = resolve({}, {}, "nonce", file)
    assert (target.endpoint, target.lacks) == (DEAD[1], frozenset({"bearer"}))
    baseline = tmp_path / "baseline.toml"
    baseline.write_bytes(b"\xef\xbb\xbf")
    assert baseline_file.read([baseline]) == ()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--first-byte-timeout", "soon"), "--first-byte-timeout is 'soon', not a number"),
        (("--endpoint", "ftp://127.0.0.1/v1"), "is not a URL such as"),
        (("--api-key-env", KEY), "api-key-env is not the name of an environment variable"),
        (DEAD, "cannot connect to http://127.0.0.1:9/v1: Connection refused"),
        ((*DEAD, "-n", "2"), "cannot connect to http://127.0.0.1:9/v1: Connection refused"),
    ],
)
def test_an_option_that_is_wrong_says_what_is(arguments: tuple[str, ...], says: str) -> None:
    started = time.monotonic()
    run = pytest_run(*arguments)
    assert (run.returncode, run.stderr.count("\n")) == (2, 1), run.stderr
    assert says in run.stderr
    assert KEY not in run.stdout + run.stderr
    assert time.monotonic() - started < 30


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("total-timeout", "-1", "total-timeout is -1; it must be more than 0"),
        ("total-timeout", "inf", "total-timeout is inf; it must be less than 1e+12"),
        ("model", " ", "--model is empty"),
        ("max-body", "1.5", "max-body is 1.5; it must be an integer"),
        ("concurrency", "0", "concurrency is 0; it must be more than 0"),
        ("endpoint", "http://127.0.0.1:99999/v1", "is not a URL"),
        ("endpoint", "http://127.0.0.1:0/v1", "cannot connect to http://127.0.0.1:0/v1"),
        ("endpoint", "http://a..b/v1", "cannot connect to http://a..b/v1"),
        ("endpoint", "http://no-such-host.invalid/v1", "cannot connect to http://no-such-host.invalid/v1"),
    ],
)
def test_a_value_that_is_wrong_is_one_line(option: str, value: str, says: str) -> None:
    with pytest.raises(Misconfigured) as raised:
        reach(resolve({option: value}, {}, "nonce", None))
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_unknown_option_is_told_by_pytest() -> None:
    run = pytest_run("--first-bite-timeout", "3")
    assert run.returncode == 4
    assert "unrecognized arguments: --first-bite-timeout" in run.stderr


def test_a_variable_that_is_wrong_is_named() -> None:
    run = pytest_run(CONFORMANCE_MAX_BODY="all")
    assert (run.returncode, "CONFORMANCE_MAX_BODY is 'all', not a number" in run.stderr) == (2, True)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (
            "CONFORMANCE_ENDPIONT",
            "environment variable CONFORMANCE_ENDPIONT is not a setting; did you mean CONFORMANCE_EN",
        ),
        ("CONFORMANCE_READTIMEOUT", "did you mean CONFORMANCE_READ_TIMEOUT?"),
        ("CONFORMANCE_RUN_DIR", "is not a setting; known: CONFORMANCE_ENDPOINT, CONFORMANCE_MODEL,"),
    ],
)
def test_a_variable_that_is_no_setting_is_named(name: str, says: str) -> None:
    with pytest.raises(Misconfigured) as raised:
        resolve({}, {name: "x"}, "nonce", None)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "name",
    [
        "CONFORMANCE_SERVICE_HOST", "CONFORMANCE_PORT", "CONFORMANCE_PORT_8080_TCP_ADDR",
        "CONFORMANCE_SERVICE_PORT_HTTP", "CONFORMANCE_STUB_PORT_80_TCP",
        "CONFORMANCE_STUB_SERVICE_PORT", "OTHER_ENDPIONT",
    ],
)  # fmt: skip
def test_variables_that_kubernetes_sets_are_none_of_ours(name: str) -> None:
    assert resolve({}, {name: "x", "CONFORMANCE_NOTHING": ""}, "nonce", None).built_in


SELECTIONS = {
    "nonsense": "--only 'nonsense' matches no case of revision 2026-06-24; areas: auth,",
    "lifecycel": "did you mean 'lifecycle'?",
    "lifecycel.*@text.stream": "did you mean 'lifecycle.*@text.stream'?",
    "lifecycle.in-progress-secnd": "did you mean 'lifecycle.in-progress-second'?",
    "lifecycle.in-progress-second@txt.stream": "did you mean 'lifecycle.in-progress-second@text.stream'?",
    "sse.zz*": "did you mean 'sse.*'?",
    "auth.*@foo": "an example is 'auth.",
    "client.openai-python-parses": "client rules need --clients",
    "effort.minimal-accepted": "matches no case of revision 2026-06-24",
    "": "--only '' matches no case",
}


@pytest.mark.parametrize("selection", SELECTIONS)
def test_a_selection_that_selects_nothing_says_so(selection: str) -> None:
    with pytest.raises(Misconfigured) as raised:
        case_selection.check([selection], [case.id for case in cases()], "revision 2026-06-24")
    assert SELECTIONS[selection] in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("selection", "selected"),
    [
        ("sequence.contiguous", "sequence.contiguous@text.stream"),
        ("sequence.*", "sequence.contiguous@text.stream"),
        ("sequence", "sequence.contiguous@text.stream"),
        ("sequence.contiguous@*", "sequence.contiguous@text.stream"),
        ("*@text.stream", "sequence.contiguous@text.stream"),
        ("*text.stream", "sequence.contiguous@text.stream"),
        ("event.seen.{type}", "event.seen.response.created@text.stream"),
        ("undocumented.tools[0].strict@a", "undocumented.tools[0].strict@a"),
        ("undocumented.tools[0].strict", "undocumented.tools[0].strict@a"),
    ],
)
def test_what_selects_what(selection: str, selected: str) -> None:
    assert case_selection.selects(selected, [selection])
    assert not case_selection.selects("sequence2.other@text", [selection])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--only", "lifecycle.*", "--only", "lifecycel.*"), "--only 'lifecycel.*' matches no case"),
        (("--only", "lifecycel.*", "-n", "2"), "did you mean 'lifecycle.*'?"),
        (("--only", "lifecycel.*", "--plan"), "did you mean 'lifecycle.*'?"),
        (("-m", "smok"), "-m: unknown mark 'smok'; did you mean 'smoke'?"),
    ],
)
def test_a_run_with_a_mistyped_selection_does_not_begin(arguments: tuple[str, ...], says: str) -> None:
    done = pytest_run(*arguments, key=None)
    assert (done.returncode, done.stderr.count("\n"), says in done.stderr) == (2, 1, True), done.stderr


RECORDING = str(Path(__file__).parent / "recordings" / "format-2")

COMMANDS = {
    ("list", "--area", "lifecyle"): "unknown area 'lifecyle'; did you mean 'lifecycle'?",
    ("list", "lifecyle"): "unknown area 'lifecyle'; did you mean 'lifecycle'?",
    ("explain", "lifecycle"): "'lifecycle' is an area, not a rule; conformance list lifecycle prints its rules",
    ("list", "--area", "zzz"): "unknown area 'zzz'; areas: auth,",
    ("explain", "lifecycle.in-progres-second"): "did you mean 'lifecycle.in-progress-second'?",
    ("explain", "zzz"): "no rule 'zzz'; conformance list prints all rules",
    ("judge", RECORDING, "--only", "lifecycel"): "--only 'lifecycel' matches no case of this traffic; did you mean",
    ("judge", RECORDING, "--only", "auth.wrong-bearer-refused"): "this traffic: the rule has no case there",
    ("clients", "--client", "codx", "--clients", ".", RECORDING): "unknown client 'codx'",
    ("report-bug", RECORDING, "lifecycel"): "contains no results.jsonl",
}


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words[:1] + words[-1:]))
def test_each_command_names_what_it_does_not_know(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(list(words)) == 2
    said = capsys.readouterr().err
    assert COMMANDS[words] in said
    assert said.count("\n") == 1


def test_a_fault_that_is_not_known_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--fault", "lifecycle.no-in-progres"]) == 2
    assert capsys.readouterr().err == (
        "conformance: no fault 'lifecycle.no-in-progres'; did you mean 'lifecycle.no-in-progress'?\n"
    )


def test_a_case_is_explained_as_its_rule(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "lifecycle.in-progress-second@text.stream"]) == 0
    assert capsys.readouterr().out.startswith("lifecycle.in-progress-second   MUST\n")


@pytest.mark.parametrize(
    ("raised", "words", "code"),
    [
        (BrokenPipeError(), ["list"], 0),
        (BrokenPipeError(), ["run"], 2),
        (BrokenPipeError(), ["judge", "x"], 2),
        (KeyboardInterrupt(), ["run"], 2),
        (OSError(28, "No space left on device"), ["run"], 2),
        (ZeroDivisionError(), ["run"], 3),
    ],
)
def test_no_exception_has_the_exit_code_of_a_violation_or_of_a_pass(
    raised: BaseException, words: list[str], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: list[str]) -> int:
        raise raised

    monkeypatch.setattr(cli, "_main", fails)
    monkeypatch.setattr(cli.os, "dup2", lambda *_: None)
    assert cli.main(words) == code


def test_closed_streams_are_opened_before_a_run() -> None:
    script = "from conformance import cli; cli._open_streams(); import sys; sys.exit(5 + sys.stdout.isatty())"
    closed = ["sh", "-c", 'exec "$0" -c "$1" <&- >&- 2>&-', sys.executable, script]
    assert subprocess.run(closed, timeout=30).returncode == 5
