"""Captures in which ids, texts and other members were redacted or cut: what was not sent is no violation."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conformance.emulator.faults import FAULTS
from conformance.traffic.capture_files import read_capture
from conformance.traffic.evaluation import Evaluation
from conformance.traffic.har import read_har
from conformance.traffic.placeholders import is_placeholder, without_note
from tests.support.traffic import broken, entry, evaluated, har, received

TEXTS, IDS = {"text", "delta", "arguments", "output_text"}, {"id", "item_id", "call_id"}
STREAM, PLAIN = received("tools.call.stream"), received("tools.call")


def replaced(value: Any, names: set[str], change: Callable[[str], Any]) -> Any:
    """The value with each string of these members changed."""
    if isinstance(value, list):
        return [replaced(one, names, change) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: change(one) if name in names and isinstance(one, str) and one else replaced(one, names, change)
        for name, one in value.items()
    }


def stream_with(body: bytes, names: set[str], change: Callable[[str], Any]) -> bytes:
    """A stream with each string of these members changed."""
    lines = [
        f"data: {json.dumps(replaced(json.loads(line[6:]), names, change), ensure_ascii=False)}"
        if line.startswith("data: {")
        else line
        for line in body.decode().splitlines()
    ]
    return ("\n".join(lines) + "\n\n").encode()


def judged(path: Path, body: bytes) -> Evaluation:
    path.write_bytes(body)
    return evaluated(list(read_capture(path).captured))


@pytest.mark.parametrize("shown", ["[REDACTED]", "***", "<redacted>", "XXXXXXXX", "", None])
@pytest.mark.parametrize("name", ["text.stream", "tools.call.stream", "effort.high.stream"])
def test_replaced_texts_are_no_violation(name: str, shown: str | None, tmp_path: Path) -> None:
    found = judged(tmp_path / "a.sse", stream_with(received(name).body, TEXTS, lambda one: shown))
    assert not broken(found)
    assert found.in_part


@pytest.mark.parametrize("shown", ["[REDACTED]", "***", "msg_XXXX", "id_00000000", "FILTERED_ID", "<id>", "{{ID}}"])
def test_replaced_ids_are_no_violation(shown: str, tmp_path: Path) -> None:
    path = tmp_path / "a.har"
    body = stream_with(received("effort.high.stream").body, IDS, lambda one: shown).decode()
    two = har(path, *[entry(STREAM, "chrome", text=body, size=None) | {"time": time} for time in (5, 900)])
    found = evaluated(list(read_har(two).captured))
    assert not broken(found) & {"response.id-unique", "identity.item-ids-distinct", "identity.item-id"}
    assert not [rule for rule in broken(found) if rule.startswith(("identity.", "lifecycle.", "sum."))]


def test_ids_of_which_the_beginning_was_kept_are_no_violation(tmp_path: Path) -> None:
    assert not broken(judged(tmp_path / "a.sse", stream_with(STREAM.body, IDS, lambda one: f"{one[:5]}...")))


def test_a_text_that_was_cut_is_no_violation(tmp_path: Path) -> None:
    body = stream_with(received("text.stream").body, {"text", "output_text"}, lambda one: f"{one[:4]}...")
    found = judged(tmp_path / "a.sse", body)
    assert not broken(found)
    assert found.in_part


@pytest.mark.parametrize(
    ("names", "shown"),
    [({"model"}, "[REDACTED]"), ({"name"}, "***"), ({"arguments"}, "<hidden>"), ({"output_text"}, "x")],
)  # fmt: skip
def test_only_a_placeholder_is_left_out(names: set[str], shown: str, tmp_path: Path) -> None:
    body = json.dumps(replaced(json.loads(received("text").body), names, lambda one: shown))
    if names & {"name", "arguments"}:
        body = json.dumps(replaced(json.loads(PLAIN.body), names, lambda one: shown))
    sent = PLAIN if names & {"name", "arguments"} else received("text")
    found = evaluated(list(read_har(har(tmp_path / "a.har", entry(sent, "chrome", text=body, size=None))).captured))
    assert broken(found) == ({"response.output-text-matches"} if shown == "x" else set())


@pytest.mark.parametrize("member", ["usage", "created_at"])
def test_a_replaced_number_or_object_is_no_violation(member: str, tmp_path: Path) -> None:
    body = json.loads(received("text").body) | {member: "[REDACTED]"}
    assert not broken(judged(tmp_path / "a.json", json.dumps(body).encode()))
    body[member] = "twelve"
    assert "response.schema" in broken(judged(tmp_path / "a.json", json.dumps(body).encode()))


@pytest.mark.parametrize(
    ("fault", "rule"),
    [("sequence.one-gap", "sequence.contiguous"), ("lifecycle.no-in-progress", "lifecycle.in-progress-second")],
)
@pytest.mark.parametrize("names", [TEXTS, IDS, TEXTS | IDS])
def test_a_violation_beside_placeholders_is_reported(fault: str, rule: str, names: set[str], tmp_path: Path) -> None:
    body = received("text.stream", FAULTS[fault]).body
    assert rule in broken(judged(tmp_path / "a.sse", stream_with(body, names, lambda one: "[REDACTED]")))


@pytest.mark.parametrize("body", ["[REDACTED]", "***", "<redacted>"])
def test_a_replaced_body_is_not_evaluated(body: str, tmp_path: Path) -> None:
    path = har(tmp_path / "a.har", entry(PLAIN, "chrome", text=body, size=None))
    (one,) = read_har(path).captured
    assert one.unjudged == f"the capture contains {body!r} in place of the body"


@pytest.mark.parametrize("note", ["...", "… ", "\n[truncated]", "... [truncated 812 bytes]", " (12 more bytes)"])
@pytest.mark.parametrize("exchange", [STREAM, PLAIN], ids=["stream", "plain"])
def test_a_note_at_the_end_of_a_body_is_no_part_of_it(exchange: Any, note: str, tmp_path: Path) -> None:
    text = exchange.body.decode()
    for size in (len(text) // 2, text.index('"created_at": 1') + 16 if '"created_at": 1' in text else 200):
        path = har(tmp_path / "a.har", entry(exchange, "firefox", text=text[:size] + note, size=None))
        found = evaluated(list(read_har(path).captured))
        assert not broken(found)
        assert found.unjudged


def test_replaced_headers_are_not_evaluated(tmp_path: Path) -> None:
    one = entry(PLAIN, "chrome")
    for header in (*one["response"]["headers"], *one["request"]["headers"]):
        header["value"] = "[REDACTED]"
    (kept,) = read_har(har(tmp_path / "a.har", one)).captured
    assert "headers" in kept.unavailable
    assert not broken(evaluated([kept]))


def test_a_replaced_host_is_still_the_endpoint(tmp_path: Path) -> None:
    one = entry(PLAIN, "chrome")
    one["request"]["url"] = "https://[REDACTED]/v1/responses?key=1"
    assert len(read_har(har(tmp_path / "a.har", one)).captured) == 1


def test_304_is_no_redirect(tmp_path: Path) -> None:
    one = entry(PLAIN, "chrome", text="")
    one["response"]["status"] = 304
    assert "http.no-redirect" not in broken(evaluated(list(read_har(har(tmp_path / "a.har", one)).captured)))
    one["response"]["status"] = 307
    assert "http.no-redirect" in broken(evaluated(list(read_har(har(tmp_path / "a.har", one)).captured)))


def test_a_snapshot_with_output_is_reported_without_the_request(tmp_path: Path) -> None:
    body = received("text.stream", FAULTS["lifecycle.snapshot-with-output"]).body
    assert "lifecycle.snapshots" in broken(judged(tmp_path / "a.sse", body))
    queued = re.sub(rb'"status": ?"in_progress"', b'"status":"queued"', received("text.stream").body, count=1)
    assert "lifecycle.snapshots" not in broken(judged(tmp_path / "a.sse", queued))


@pytest.mark.parametrize(
    "value",
    ["[REDACTED]", "key [redacted] here", "<redacted:email>", "***", "sk-****", "REDACTED", "<API_KEY>", "id_xxxx"],
)  # fmt: skip
def test_a_placeholder_is_recognised(value: str) -> None:
    assert is_placeholder(value)


@pytest.mark.parametrize("value", ["**bold**", "Paris (removed in 2019)", "a[0]", "<think>", "x", "", None, 3, "..."])
def test_ordinary_text_is_no_placeholder(value: Any) -> None:
    assert not is_placeholder(value)


@pytest.mark.parametrize("body", [b'{"a": {"truncated": false}}', b"data: [DONE]\n\n", b'data: {"delta": "..."}\n\n'])
def test_a_complete_body_has_no_note(body: bytes) -> None:
    assert without_note(body) is body
