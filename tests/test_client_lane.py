"""The client lane without the clients: what is expected, what differs, bad drivers, and the cases of a run."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conformance.cli import main
from conformance.clients import install
from conformance.clients.differences import differences, expected, raised
from conformance.clients.drive import ClientInput, client_input, drive, feedable
from conformance.clients.lane import lane
from conformance.clients.server import Record, base
from conformance.config.target import Misconfigured
from conformance.contract.clients import CLIENTS, Client, client
from conformance.contract.rules import catalogue
from conformance.decode.response import CannotEvaluate, DoesNotApply, Received
from conformance.emulator.faults import FAULTS
from conformance.exchange import client_outcomes
from conformance.exchange.client_outcomes import Outcome, Outcomes, Ran
from conformance.exchange.run_directory import RunDirectory
from conformance.judge.recorded import Recorded
from conformance.judge.verdict import evaluate
from tests.support.running import lines_of, run
from tools.in_process import cases, client_cases, record

FAKE = Path(__file__).parent / "support" / "fakeclient.py"

CLEAN = record(None)
PLAIN, STREAM = CLEAN.received("tools.call"), CLEAN.received("effort.high.stream")
PLAIN_CLIENT = client("openai-python-plain")


def ended(received: Received, name: str = "openai-python-plain", **other: Any) -> Outcome:
    """What a client ends with that takes an answer as it is, but for these members."""
    want = expected(received)
    calls = [{"call_id": one, "name": name, "arguments": words} for one, name, words in want.calls]
    right = Outcome(name, received.exchange.key, want.text, calls, want.reasoning, want.usage)
    return replace(right, **other)


def told(received: Received, **other: Any) -> list[str]:
    return [one.message for one in differences(ended(received, **other), expected(received))]


# -- what is expected, and what differs


def test_what_the_record_says_is_expected() -> None:
    want = expected(PLAIN)
    assert [(name, json.loads(words)) for _, name, words in want.calls] == [
        ("get_weather", {"city": "Zürich", "days": 1, "unit": "celsius"})
    ]
    assert want.usage is not None
    assert want.usage["total_tokens"] == want.usage["input_tokens"] + want.usage["output_tokens"]
    assert expected(STREAM).text
    assert expected(STREAM).reasoning


def test_without_a_final_response_the_items_that_were_done_are_expected() -> None:
    cut = record(FAULTS["lifecycle.no-terminal"]).received("effort.high.stream")
    assert replace(expected(STREAM), usage=None) == expected(cut)


def test_where_no_answer_is_nothing_is_expected() -> None:
    with pytest.raises(CannotEvaluate, match="HTTP 401"):
        expected(CLEAN.received("auth.refused.bearer-wrong"))
    with pytest.raises(DoesNotApply, match="has status incomplete"):
        expected(CLEAN.received("cut.stream"))


def test_the_same_is_no_difference() -> None:
    assert told(PLAIN) == told(STREAM) == told(STREAM, shown=expected(STREAM).text) == []


def test_what_a_client_cannot_give_is_not_compared() -> None:
    assert told(STREAM, text=None, reasoning=None, calls=None, usage=None) == []


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"text": "other"}, "text differs from the recorded response"),
        ({"reasoning": ""}, "reasoning differs from the recorded response"),
        ({"calls": [{"call_id": "c", "name": "n", "arguments": "{}"}]}, "calls differs from the recorded response"),
        ({"calls": ["odd"]}, "calls differs from the recorded response"),
        ({"calls": "odd"}, "calls differs from the recorded response"),
        ({"shown": "half"}, "the streamed text differs from the recorded response"),
        ({"usage": {"input_tokens": 1}}, "usage differs from the recorded response"),
        ({"error": {"type": "KeyError", "message": "'id'"}}, "raised KeyError: 'id'"),
    ],
)
def test_a_difference_is_told(other: dict[str, Any], says: str) -> None:
    assert told(STREAM, **other) == [says]


def test_arguments_are_compared_as_json() -> None:
    right = ended(PLAIN).calls[0]
    spread = {**right, "arguments": json.dumps(json.loads(right["arguments"]), indent=2)}
    assert told(PLAIN, calls=[spread]) == []
    assert told(PLAIN, calls=[{**right, "arguments": '{"city": "Rome"}'}]) == [
        "calls differs from the recorded response"
    ]
    assert told(PLAIN, calls=[{**right, "arguments": "{"}]) == ["calls differs from the recorded response"]


def test_usage_that_is_not_recorded_is_not_compared() -> None:
    assert list(differences(ended(PLAIN), replace(expected(PLAIN), usage=None))) == []


def test_what_the_page_does_not_have_is_no_failure() -> None:
    strict = Outcome(
        "openai-python-strict", "k", error={"type": "E", "message": "tools: missing; tool_choice: missing"}
    )
    assert raised(strict) == ""
    assert raised(replace(strict, error={"type": "E", "message": "tools: missing; id: missing"})) == "E: id: missing"
    assert raised(replace(strict, client="openai-python-plain")) == "E: tools: missing; tool_choice: missing"


# -- the server


def test_a_job_gets_its_exchanges_in_turn_and_the_last_stays() -> None:
    record = Record({"a": PLAIN.exchange, "b/+,": STREAM.exchange})
    path = base("http://127.0.0.1:1/v1", ["a", "b/+,"], "job,1").removeprefix("http://127.0.0.1:1") + "/responses"
    bodies = [record.respond("POST", path, [], b"whatever").body for _ in range(3)]
    assert bodies == [PLAIN.exchange.body, STREAM.exchange.body, STREAM.exchange.body]
    assert (record.requests_for("job,1"), record.requests_for("other")) == (3, 0)


@pytest.mark.parametrize("path", ["/v1/responses", "/x/none,1/v1/responses", "/x/a,1/v1/models", "/", "", "/x"])
def test_what_no_job_was_told_to_ask_is_not_there(path: str) -> None:
    assert Record({"a": PLAIN.exchange}).respond("POST", path, [], b"{}").status == 404


# -- drivers


def fake(way: str) -> Callable[[Client, Path], list[str]]:
    return lambda one, where: [sys.executable, str(FAKE), way, one.driver]


def jobs(bad: bool = False) -> list[ClientInput]:
    """A plain answer, and before it one at which a fake driver misbehaves."""
    good = client_input("good", PLAIN.exchange)
    return [*([ClientInput("bad", PLAIN.exchange, {"instructions": "bad"})] if bad else []), good]


def driven(way: str, given: list[ClientInput], seconds: float = 5.0) -> Outcomes:
    return drive([PLAIN_CLIENT], given, Path("nowhere"), seconds, fake(way))


def test_a_client_is_fed_the_recorded_bytes(tmp_path: Path) -> None:
    clients = [PLAIN_CLIENT, client("openai-python-stream")]
    inputs = [client_input("p", PLAIN.exchange), client_input("s", STREAM.exchange)]
    got = drive(clients, inputs, tmp_path, 5.0, fake("right"))
    assert {one.version for one in got.clients.values()} == {"1.2.3"}
    assert [(one.client, one.key, one.asked) for one in got.all] == [
        ("openai-python-plain", "p", 1),
        ("openai-python-stream", "s", 1),
    ]
    for one, received in zip(got.all, (PLAIN, STREAM), strict=True):
        assert list(differences(one, expected(received))) == []


def test_how_often_a_client_asks_is_counted() -> None:
    assert driven("twice", jobs()).all[0].asked == 2


@pytest.mark.parametrize(
    ("way", "says"),
    [
        ("dies", "the driver ended: a last word"),
        ("babbles", "the driver ended"),
        ("hangs", "the driver sent no result for"),
    ],
)
def test_a_driver_that_misbehaves_ends_in_an_outcome(way: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conformance.clients.drive._GRACE", 0.5)
    bad, good = driven(way, jobs(bad=True), 1.0).all
    assert bad.error
    assert bad.error["type"] == "DriverError"
    assert says in bad.error["message"]
    assert good.error is None


def test_a_driver_that_dies_again_and_again_is_not_started_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conformance.clients.drive._STARTS", 2)
    given = [ClientInput(str(number), PLAIN.exchange, {"instructions": "bad"}) for number in range(4)]
    messages = [(one.error or {}).get("message", "") for one in driven("dies", given).all]
    assert messages[2:] == ["the driver ended 2 times"] * 2


def test_a_client_that_is_not_there_is_said() -> None:
    got = driven("absent", jobs())
    assert got.clients[PLAIN_CLIENT.name].reason == "not installed: the driver ended: fake is not installed"
    assert got.all == ()
    nowhere = drive(CLIENTS, jobs(), Path("nowhere"), 1.0)
    assert {one.reason[:17] for one in nowhere.clients.values()} == {"not installed: no"}


def test_only_answers_are_fed() -> None:
    given = {
        "a": PLAIN.exchange,
        "b": CLEAN.received("auth.refused.bearer-wrong").exchange,
        "c": replace(PLAIN.exchange, key="c", ended="time-out"),
        "d": replace(PLAIN.exchange, key="d", request=replace(PLAIN.exchange.request, body=b"[]")),
    }
    assert [one.key for one in feedable(given, {})] == [PLAIN.exchange.key]


# -- two turns

CALLS, THEN = CLEAN.received("tools.call.stream"), CLEAN.received("tools.output.stream")
TURNS = {CALLS.scenario: CALLS.exchange, THEN.scenario: THEN.exchange}


def test_the_turn_after_a_call_is_fed_once_it_was_asked_for(tmp_path: Path) -> None:
    given = feedable(TURNS, {CALLS.scenario: THEN.scenario})
    assert [(one.key, one.then) for one in given] == [(CALLS.exchange.key, THEN.exchange), (THEN.exchange.key, None)]
    got = drive([client("codex-turns")], given, tmp_path, 5.0, fake("right"))
    assert [(one.key, one.asked) for one in got.all] == [(CALLS.exchange.key, 2)]
    assert list(differences(got.all[0], expected(CALLS, THEN))) == []
    assert [one.what for one in differences(got.all[0], expected(CALLS))] == ["text", "usage"]


def test_a_call_that_nothing_follows_is_not_fed_to_who_takes_turns(tmp_path: Path) -> None:
    assert [one.then for one in feedable(TURNS, {})] == [None, None]
    assert drive([client("codex-turns")], feedable(TURNS, {}), tmp_path, 5.0, fake("right")).all == ()


def test_of_two_turns_the_last_text_and_all_else_of_both_is_expected() -> None:
    first, last, want = expected(CALLS), expected(THEN), expected(CALLS, THEN)
    assert (want.text, want.calls, want.reasoning) == (last.text, first.calls, first.reasoning + last.reasoning)
    assert first.usage
    assert last.usage
    assert want.usage == {name: first.usage[name] + last.usage[name] for name in first.usage}


@pytest.mark.parametrize(
    ("two", "says"),
    [((THEN, THEN), "first response calls no tool"), ((CALLS, CALLS), "second response calls a tool too")],
)
def test_what_are_no_two_turns_is_not_judged(two: tuple[Received, Received], says: str) -> None:
    with pytest.raises(DoesNotApply, match=says):
        expected(*two)


# -- what is kept


def test_what_clients_ended_with_is_read_as_it_was_written(tmp_path: Path) -> None:
    kept = Outcomes({"codex": Ran("codex", "1")}, (ended(PLAIN), ended(STREAM, error={"type": "E", "message": "m"})))
    client_outcomes.write(tmp_path / client_outcomes.FILE, kept, lambda line: line)
    assert client_outcomes.read(tmp_path / client_outcomes.FILE) == kept


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"kind": "clients", "format": 9}', '{"kind": "clients", "format": 1}\n{}']
)
def test_another_file_is_refused_in_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "f").write_text(text)
    with pytest.raises(ValueError, match=r"^\S+ cannot be read: .+$"):
        client_outcomes.read(tmp_path / "f")


# -- cases


def test_without_the_lane_no_client_is_judged() -> None:
    assert {case.requirement.area for case in cases()} & {"client"} == set()
    rows = {row.id.removeprefix("client."): row for row in catalogue().values() if row.area == "client"}
    assert set(rows) == {one.name for one in CLIENTS}
    assert [row.excluded for row in rows.values() if row.excluded] == []
    assert {name: row.breaks for name, row in rows.items()} == {one.name: (one.breaks,) for one in CLIENTS}
    assert {case.breaks for case in client_cases()} == {(one.breaks,) for one in CLIENTS}


def verdict(case_id: str, made: tuple[str, Outcome | None]) -> tuple[str, list[str], str]:
    case = next(one for one in client_cases() if one.id == case_id)
    responses = {name: Received(CLEAN.received(name).exchange, name, (), lambda *_: made) for name in case.scenarios}

    class Fake(Recorded):
        def __init__(self) -> None: ...

        def received(self, scenario: str) -> Received:
            return responses[scenario]

    got = evaluate(case, Fake())
    return got.verdict, [one.message for one in got.findings], got.reason.text


def test_a_client_that_ends_with_the_record_passes_and_another_warns() -> None:
    case = "client.openai-python-plain@tools.call"
    assert verdict(case, ("", ended(PLAIN))) == ("pass", [], "")
    broken = ended(PLAIN, error={"type": "KeyError", "message": "'id'"})
    assert verdict(case, ("", broken)) == ("warning", ["openai-python-plain raised KeyError: 'id'"], "")
    assert verdict(case, ("not installed: no node", None)) == ("not-applicable", [], "not installed: no node")
    assert verdict(case, ("", None)) == ("inconclusive", [], "the client did not receive this response")
    assert verdict("client.codex@cut.stream", ("", ended(STREAM)))[0] == "not-applicable"


def installed(folder: Path, way: str) -> Path:
    """A clients folder whose Python runs the fake driver in the place of every Python client's."""
    python = folder / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} {FAKE} {way} "$1"\n')
    python.chmod(0o755)
    return folder


def test_a_run_feeds_the_clients_and_a_replay_judges_what_they_ended_with(tmp_path: Path) -> None:
    folder, again = tmp_path / "run", tmp_path / "again"
    fakes = str(installed(tmp_path / "fakes", "right"))
    few = ("--only", "client.*@text*", "--only", "client.*@cut.stream")
    done = run("--clients", fakes, "--run-dir", str(folder), *few, checks=("clients",))
    assert done.returncode == 0, done.stdout
    counts = lines_of(folder)[-1]["counts"]
    assert counts == {"not-applicable": 6 + 13, "pass": 11}  # No Node's; one answer is cut.
    replayed = run("--replay", str(folder), "--run-dir", str(again), checks=("clients",))
    assert replayed.returncode == 0, replayed.stdout
    assert lines_of(again)[-1]["counts"] == counts
    assert (again / client_outcomes.FILE).read_text() == (folder / client_outcomes.FILE).read_text()


def test_the_command_tells_what_each_client_made_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recorded = _recording(tmp_path)
    fakes = installed(tmp_path / "fakes", "wrong")
    assert main(["clients", str(recorded), "--clients", str(fakes)]) == 1
    said = capsys.readouterr().out
    assert "openai-node-plain         not applicable (not installed: no " in said
    assert "litellm-plain at tools.call: text differs from the recorded response" in said
    assert main(["clients", str(recorded), "--clients", str(fakes), "--client", "litellm", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [(one["client"], one["exchanges"], one["differs"]) for one in told] == [
        ("litellm-plain", 1, 1),
        ("litellm-stream", 1, 1),
    ]


def test_the_command_feeds_what_a_client_might_ask(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recorded = _recording(tmp_path)
    (call,) = (recorded / "exchanges").glob("tools.call-*.json")
    call.write_text(call.read_text(encoding="utf-8").replace('"scenario": "tools.call"', '"scenario": "stream=yes"'))
    assert "stream=yes" in call.read_text(encoding="utf-8")
    main(
        [
            "clients",
            str(recorded),
            "--clients",
            str(installed(tmp_path / "fakes", "right")),
            "--client",
            "litellm",
            "--json",
        ]
    )
    told = json.loads(capsys.readouterr().out)
    assert [one["exchanges"] for one in told] == [0, 1]


def _recording(tmp_path: Path) -> Path:
    """The recording of the tests, to write beside."""
    kept = Path(__file__).parent / "recordings" / "format-1"
    (tmp_path / "recorded" / "exchanges").mkdir(parents=True)
    for file in kept.rglob("*.json"):
        (tmp_path / "recorded" / file.relative_to(kept)).write_bytes(file.read_bytes())
    return tmp_path / "recorded"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "nothing to do"),
        (["somewhere"], "nothing to do"),
        (["nowhere", "--clients", "."], "nowhere is not a recording"),
        (["nowhere", "--clients", "not-there"], "the clients directory not-there does not exist"),
        (["nowhere", "--clients", ".", "--client", "curl"], "unknown client 'curl'"),
    ],
)
def test_what_cannot_be_done_is_one_line(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["clients", *words]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert len(said.splitlines()) == 1


def test_a_clients_folder_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="none does not exist; conformance clients --install DIR creates it"):
        lane(RunDirectory(tmp_path), tmp_path / "none", None)
    (tmp_path / client_outcomes.FILE).write_text("{}")
    with pytest.raises(Misconfigured, match=r"clients\.jsonl cannot be read"):
        lane(RunDirectory(tmp_path), None, tmp_path)
    assert lane(RunDirectory(tmp_path), None, tmp_path / "other") is None


# -- installing


def test_versions_are_pinned() -> None:
    assert [one for one in install.pinned() if "==" not in one] == []
    assert {one.partition("==")[0] for one in install.pinned()} >= {
        "openai",
        "openai-agents",
        "langchain-openai",
        "litellm",
    }


def test_without_node_its_clients_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert install.without_node() == "node or npm is not installed"
    for name, says in (("node", "echo v18.1.0"), ("npm", "true")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{says}\n")
        (tmp_path / name).chmod(0o755)
    assert install.without_node() == "node v18.1.0 found, expected 20 or newer"


@pytest.mark.parametrize(
    ("node", "file"), [(20, "package.json"), (21, "package.json"), (22, "package-22.json"), (26, "package-22.json")]
)
def test_each_version_of_node_gets_the_newest_packages_that_run_on_it(node: int, file: str) -> None:
    assert install.package_for(node).name == file
    pinned = json.loads((install.HERE / file).read_text(encoding="utf-8"))
    assert all(version[0].isdigit() for version in pinned["dependencies"].values())


def test_what_cannot_be_installed_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["clients", "--install", str(tmp_path / "file" / "below")]) == 2
    assert "cannot be created" in capsys.readouterr().err
