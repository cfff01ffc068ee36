"""HAR files in the shapes of Chrome, Firefox and mitmproxy: what is read, what is lost, and what is never shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conformance.cli import main
from conformance.config.target import Misconfigured
from conformance.emulator.faults import FAULTS
from conformance.exchange.credential_forms import filler
from conformance.traffic.captured import UNFINISHED
from conformance.traffic.har import read_har
from tests.support.traffic import KEY, broken, entry, evaluated, har, received, responses

WRITERS = ("chrome", "firefox", "mitmproxy")


@pytest.mark.parametrize("writer", WRITERS)
def test_right_answers_are_read_whole_and_stay_green(writer: str, tmp_path: Path) -> None:
    whole = responses("text", "text.stream", "tools.call.stream", "unicode.stream", "cut.stream")
    read = read_har(har(tmp_path / "a.har", *(entry(one, writer) for one in whole)))
    assert read.others == 2
    assert [one.label for one in read.captured] == [f"entry {place}" for place in range(2, 7)]
    assert [one.exchange.body for one in read.captured] == [one.body for one in whole]
    assert [one.sent for one in read.captured] == [json.loads(one.request.body) for one in whole]
    found = evaluated(list(read.captured))
    assert (broken(found), found.unjudged) == (set(), {})
    rules = {line.requirement for line in found.cases if line.verdict == "pass"}
    assert rules >= {"lifecycle.created-first", "usage.total-is-sum", "sum.final-output", "http.stream-content-type"}
    assert not rules & {"sse.not-cut", "sse.last-frame-complete", "http.body-complete"}
    assert ("sse.utf8" in rules) == (writer == "mitmproxy")


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize(
    ("fault", "scenario"),
    [
        ("lifecycle.no-in-progress", "text.stream"),
        ("usage.total-off-by-one", "text"),
        ("sequence.one-gap", "text.stream"),
    ],
)
def test_wrong_answers_are_told(writer: str, fault: str, scenario: str, tmp_path: Path) -> None:
    wrong = received(scenario, FAULTS[fault])
    assert broken(evaluated(list(read_har(har(tmp_path / "a.har", entry(wrong, writer))).captured)))


@pytest.mark.parametrize("writer", WRITERS)
def test_a_capture_that_breaks_off_is_held_against_nobody(writer: str, tmp_path: Path) -> None:
    whole = received("text.stream")
    half = whole.body[:1500].decode("utf-8", "ignore")
    cut = entry(whole, writer, text=half, size=len(half), encoding=None, compression=None)
    if writer == "chrome":
        cut["response"]["_error"] = "net::ERR_ABORTED"
    (one,) = read_har(har(tmp_path / "a.har", cut)).captured
    assert one.unfinished.startswith(UNFINISHED)
    assert broken(evaluated([one])) == set()


def test_a_stream_that_is_shown_to_be_whole_must_have_its_end(tmp_path: Path) -> None:
    whole = received("text.stream")
    half = whole.body[: whole.body.index(b"event: response.completed")].decode()
    cut = entry(whole, "chrome", text=half, size=len(half))
    assert "lifecycle.one-terminal-last" in broken(evaluated(list(read_har(har(tmp_path / "a.har", cut)).captured)))


def without(*path: str) -> Callable[[dict[str, Any]], None]:
    def change(made: dict[str, Any]) -> None:
        *first, last = path
        for name in first:
            made = made[name]
        made.pop(last)

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (without("response", "content", "text"), "does not contain the body"),
        (lambda made: made["response"]["content"].update(text=""), "does not contain the body"),
        (lambda made: made["response"]["content"].update(text="{" * 100), "contains 100 of"),
        (lambda made: made["response"]["content"].update(encoding="base64", text="a"), "base64"),
        (lambda made: made["response"].update(status=0, _error="net::ERR_X"), "no response: reset (net::ERR_X)"),
        (lambda made: made["response"].pop("status"), "no response"),
    ],
)  # fmt: skip
def test_what_is_missing_is_named(change: Callable[[dict[str, Any]], None], says: str, tmp_path: Path) -> None:
    made = entry(received("text"), "chrome")
    change(made)
    found = evaluated(list(read_har(har(tmp_path / "a.har", made)).captured))
    assert found.cases == []
    assert says in found.unjudged["entry 2"]


def test_without_its_request_only_the_answer_is_judged(tmp_path: Path) -> None:
    made = entry(received("text.stream"), "firefox")
    without("request", "postData")(made)
    without("startedDateTime")(made)
    made["response"]["headers"] = []
    found = evaluated(list(read_har(har(tmp_path / "a.har", made)).captured))
    rules = {line.requirement for line in found.cases}
    assert broken(found) == set()
    assert "lifecycle.created-first" in rules
    assert not rules & {"response.model-echoed", "sse.plain-stays-plain"}
    assert [line.verdict for line in found.cases if line.requirement == "response.created-at-is-now"] == [
        "not-applicable"
    ]
    assert "http.stream-content-type" not in rules


def test_a_browsers_own_events_take_the_place_of_the_body(tmp_path: Path) -> None:
    whole = received("text.stream")
    datas = [line[6:].decode() for line in whole.body.splitlines() if line.startswith(b"data: ")]
    messages = [{"time": 1.0, "eventName": "message", "eventId": "", "data": data} for data in datas]
    made = entry(whole, "chrome", text=None, _eventSourceMessages=messages)
    (one,) = read_har(har(tmp_path / "a.har", made)).captured
    found = evaluated([one])
    assert [event.type for event in one.received.events][-1] == "response.completed"
    assert broken(found) == set()
    assert not any(line.requirement.startswith("sse.event-line") for line in found.cases)


def test_no_credential_is_kept_or_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = received("text.stream", FAULTS["lifecycle.no-in-progress"])
    text = wrong.body.decode().replace("response.output_item.added", f"response.{KEY}")
    made = entry(wrong, "chrome", text=text, size=len(text))
    made["request"]["url"] += "?api_key=query-secret-77aa12"
    assert main(["judge", str(har(tmp_path / "a.har", made)), "--results", str(tmp_path / "r.jsonl")]) == 1
    said = capsys.readouterr().out
    (one,) = read_har(tmp_path / "a.har").captured
    held = repr(
        (one.label, one.missing, one.unavailable, one.exchange.headers, one.exchange.detail, one.exchange.request)
    )
    for shown in (said, (tmp_path / "r.jsonl").read_text(encoding="utf-8"), held):
        assert not any(secret in shown for secret in (KEY, "c00kie-1234567", "query-secret-77aa12"))
    assert filler(KEY.encode()).decode() in said
    assert "auth.key-never-echoed" in said


@pytest.mark.parametrize("key", ["response.completed", "assistant", "response", "1790000000"])
def test_a_key_that_is_a_word_changes_nothing(key: str, tmp_path: Path) -> None:
    made = entry(received("text.stream"), "chrome")
    plain = evaluated(list(read_har(har(tmp_path / "a.har", made)).captured))
    for header in made["request"]["headers"]:
        header["value"] = header["value"].replace(KEY, key)
    found = evaluated(list(read_har(har(tmp_path / "a.har", made)).captured))
    assert {line.id: line.verdict for line in found.cases} == {line.id: line.verdict for line in plain.cases}
    assert (broken(found), found.unjudged) == (set(), {})


@pytest.mark.parametrize("text", ["", "{", "[]", '{"log": {}}', '{"log": {"entries": 3}}', "[" * 100_000])
def test_what_is_no_har_is_one_line(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.har").write_text(text, encoding="utf-8")
    with pytest.raises(Misconfigured):
        read_har(tmp_path / "a.har")
    assert main(["judge", str(tmp_path / "a.har")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_entries_of_any_shape_are_survived(tmp_path: Path) -> None:
    bad: list[Any] = [3, [], {}, {"request": 1, "response": []}]
    url = "https://h/v1/responses"
    bad += [{"request": {"method": "POST", "url": url, "headers": 7, "postData": []}, "response": {"content": 5}}]
    bad += [{"request": {"method": "POST", "url": url}, "response": {"status": 200, "content": {"text": "\ud800"}}}]
    bad += [{"request": {"method": "POST", "url": "https://[/responses"}, "response": {}}]
    read = read_har(har(tmp_path / "a.har", *bad))
    assert (len(read.captured), read.others) == (3, 6)
    evaluated(list(read.captured))


def test_the_command_tells_and_its_exit_code_is_that_of_the_verdicts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    right, wrong = received("text"), received("text.stream", FAULTS["lifecycle.no-in-progress"])
    path = har(tmp_path / "a.har", entry(right, "firefox"), entry(wrong, "firefox"))
    assert main(["judge", str(path)]) == 1
    said = capsys.readouterr().out
    assert "2 exchanges with POST .../responses; 2 with other requests, not evaluated" in said
    assert "in entry 3, event 1, at /type" in said
    assert f"conformance judge {path} --only 'lifecycle.in-progress-second@entry 3'" in said
    assert main(["judge", str(path), "--only", "*@entry 2"]) == 0
    assert main(["judge", str(har(tmp_path / "b.har"))]) == 5
    capsys.readouterr()
    assert main(["judge", str(path), "--json"]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [lines[0]["kind"], lines[0]["mode"], lines[-1]["kind"]] == ["run", "traffic", "end"]


def test_results_of_traffic_fit_their_schema(tmp_path: Path) -> None:
    from jsonschema import Draft202012Validator

    schema = json.loads((Path(__file__).parents[2] / "schemas" / "results.json").read_text(encoding="utf-8"))
    path = har(tmp_path / "a.har", entry(received("text"), "chrome"))
    assert main(["judge", str(path), "--results", str(tmp_path / "r.jsonl")]) == 0
    for line in (tmp_path / "r.jsonl").read_text(encoding="utf-8").splitlines():
        Draft202012Validator(schema).validate(json.loads(line))
