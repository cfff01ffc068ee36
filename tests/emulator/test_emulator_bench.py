"""The endpoint for daily use: models, faults in turn, scripted responses, and what it prints."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest

from conformance.commands.serve import of_other_revision
from conformance.emulator import Endpoint, Reply
from conformance.emulator.__main__ import main
from conformance.emulator.bench import Bench, snippets
from conformance.emulator.faults import FAULTS
from conformance.emulator.hooks import Behaviour

KEY = "bench-key-0c2f"
HEADERS = [("api-key", KEY), ("Content-Type", "application/json")]


def made(behaviour: Behaviour) -> Endpoint:
    return Endpoint(key=KEY, behaviour=behaviour, seed="bench", clock=lambda: 1_790_000_000.0)


def bench(**options: Any) -> Bench:
    return Bench(made, KEY, **options)


def ask(one: Bench, said: str, **more: Any) -> Reply:
    body = json.dumps({"model": "mimo-v2.5-pro", "input": said, **more}).encode()
    return one.respond("POST", "/v1/responses", HEADERS, body)


def text_of(reply: Reply) -> str:
    items = json.loads(reply.body)["output"]
    return str(next(one for one in items if one["type"] == "message")["content"][0]["text"])


def test_models_are_listed_for_who_has_the_key() -> None:
    listed = bench().respond("GET", "/v1/models", HEADERS, b"")
    assert "mimo-v2.5-pro" in [one["id"] for one in json.loads(listed.body)["data"]]
    assert bench().respond("GET", "/v1/models", [], b"").status == 401


def test_each_request_has_the_next_fault_and_one_line() -> None:
    log = io.StringIO()
    one = bench(in_turn=[FAULTS["usage.null"], FAULTS["usage.total-off-by-one"]], log=log)
    usages = [json.loads(ask(one, "Say hello.").body)["usage"] for _ in range(4)]
    assert [usage is None for usage in usages] == [True, False, True, False]
    lines = log.getvalue().splitlines()
    assert [line.split("  ")[1] for line in lines] == ["usage.null", "usage.total-off-by-one"] * 2
    assert all(line.startswith("POST /v1/responses 200 ") and " ms" in line for line in lines)


SCRIPT = """
[[response]]
input = "weather"
times = 1
status = 429
headers = { Retry-After = "1" }
body = { error = { message = "slow down" } }

[[response]]
input = "weather"
call = { name = "get_weather", arguments = '{"city":"Rome"}' }

[[response]]
stream = false
text = "As the script says."
fault = "usage.null"
delay_ms = 40
"""


def test_responses_follow_the_script_and_it_is_read_again(tmp_path: Path) -> None:
    file, log = tmp_path / "script.toml", io.StringIO()
    file.write_text(SCRIPT, encoding="utf-8")
    one = bench(script=file, faults=FAULTS, log=log)
    first, second = ask(one, "The weather?"), ask(one, "The weather?")
    assert (first.status, first.header("retry-after"), json.loads(first.body)["error"]["message"]) == (
        429, "1", "slow down",
    )  # fmt: skip
    call = json.loads(second.body)["output"][-1]
    assert (call["type"], call["name"], call["arguments"]) == ("function_call", "get_weather", '{"city":"Rome"}')
    third = ask(one, "Hello")
    assert (text_of(third), json.loads(third.body)["usage"], third.chunks[0][0]) == ("As the script says.", None, 40)
    assert b"As the script says." not in ask(one, "Hello", stream=True).body
    for text in ("changed", "changed again"):
        file.write_text(f'[[response]]\ntext = "{text}"\n', encoding="utf-8")
        os.utime(file, ns=(1, hash(text) % 10**9))
        assert text_of(ask(one, "Hello")) == text
    file.write_text("[[response]]\ntxt = 1\n", encoding="utf-8")
    os.utime(file, ns=(1, 5))
    assert text_of(ask(one, "Hello")) == "changed again"
    assert "the earlier responses stay" in log.getvalue()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = 1", "expected [[response]] tables"),
        ('[[response]]\ntxt = "a"', "'txt' is not known; expected one of input, stream,"),
        ("[[response]]\ntimes = true", "times is True, which has the wrong type"),
        ('[[response]]\nfault = "no.such"', "no fault 'no.such'"),
        ("[[response]]\nstatus = 1000", "status is 1000, expected 100 to 599"),
        ('[[response]]\ncall = { name = "f" }', "expected call ="),
        ("[[response", "cannot be read"),
    ],
)
def test_a_wrong_script_is_one_line(text: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "script.toml"
    file.write_text(text, encoding="utf-8")
    assert main(["--script", str(file)]) == 2
    said = capsys.readouterr().err
    assert (says in said, said.count("\n")) == (True, 1)


def test_a_glob_that_matches_nothing_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--fault", "nothing.*"]) == 2
    assert "no fault matches 'nothing.*'" in capsys.readouterr().err


def test_the_snippets_hold_url_and_model_and_no_key() -> None:
    said = "\n".join(snippets("http://127.0.0.1:1/v1", "mimo"))
    assert said.count("http://127.0.0.1:1/v1") == 2
    assert '"model": "mimo"' in said
    assert "$MIMO_API_KEY" in said


def test_a_fault_that_shows_in_another_revision_only_is_reported() -> None:
    """A user who plants such a fault and runs against the served revision would find nothing."""
    fault = "event.custom-tool-call-input-done-without-item-id"
    assert list(of_other_revision(["--fault", fault])) == [(fault, "2026-10")]
    assert list(of_other_revision(["--fault", fault, "--revision", "2026-10"])) == []
    assert list(of_other_revision(["--fault", "lifecycle.no-created", "--fault=auth.*", "--port"])) == []
