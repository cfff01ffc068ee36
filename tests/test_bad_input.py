"""What a person may get wrong: one line that names it, exit code 2, within seconds; nothing is sent."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from conformance.target import Misconfigured, resolve
from conformance.wire.reach import reach
from tests.test_plugin import KEY, pytest_run

DEAD = ("--endpoint", "http://127.0.0.1:9/v1")

TARGETS = {
    "endpont = 'http://127.0.0.1:9/v1'": "'endpont' is not known; did you mean 'endpoint'?",
    "[profil]": "'profil' is not known; did you mean 'profile'?",
    "[profile]\nlack = []": "'lack' is not known; did you mean 'lacks'?",
    "[profile]\nlacks = ['tool']": "'tool' is not known; did you mean 'tools'?",
    "[profile]\nunknown_parameters = 'refuse'": "profile.unknown_parameters: 'refuse' is not known",
    "total_timeout = 'long'": "total_timeout is 'long', not a number",
    "first_byte = 3": "'first_byte' is not known; did you mean 'first_byte_timeout'?",
    "endpoint = ": "is not TOML",
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


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--first-byte-timeout", "soon"), "--first-byte-timeout is 'soon', not a number"),
        (("--endpoint", "ftp://127.0.0.1/v1"), "is not a URL such as"),
        (("--api-key-env", KEY), "api-key-env is not the name of a variable"),
        (DEAD, "nothing answers at http://127.0.0.1:9/v1: Connection refused"),
        ((*DEAD, "-n", "2"), "nothing answers at http://127.0.0.1:9/v1: Connection refused"),
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
        ("max-body", "1.5", "max-body is 1.5; it must be a whole number"),
        ("concurrency", "0", "concurrency is 0; it must be more than 0"),
        ("endpoint", "http://127.0.0.1:99999/v1", "is not a URL"),
        ("endpoint", "http://127.0.0.1:0/v1", "nothing answers at http://127.0.0.1:0/v1"),
        ("endpoint", "http://a..b/v1", "nothing answers at http://a..b/v1"),
        ("endpoint", "http://no-such-host.invalid/v1", "nothing answers at http://no-such-host.invalid/v1"),
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
