"""What clients send: how it is cleaned, that the kept files are clean, and that a run sends them as they are."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.emulator.variants import VARIANTS
from conformance.judge.verdict import evaluate
from conformance.scenarios.clients import captured
from conformance.scenarios.plan import Plan
from conformance.scenarios.scenario import encode
from tools.capture.__main__ import CLIENTS, QUESTION_TO_CODEX, Recorder
from tools.capture.scrub import Leak, must_not_hold, scrubbed
from tools.capture.shingles import left, stored
from tools.in_process import cases, context, record, verdicts

ROOT = Path(__file__).parent.parent
_UUIDS = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ONE, _OTHER = "01a20f11-d32e-78e3-b573-66086c8a811b", "84d8acda-6071-447f-b6e6-79f53f5a52df"


def test_the_same_thing_gets_the_same_stand_in_throughout() -> None:
    first, second = scrubbed([{"input": f"msg_{_ONE}", "key": _OTHER}, {"key": f"{_ONE}:0"}], {})
    assert first == {"input": "msg_00000000-0000-4000-8000-000000000001", "key": "00000000-0000-4000-8000-000000000002"}
    assert second == {"key": "00000000-0000-4000-8000-000000000001:0"}


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("<cwd>/tmp/capture-x/work</cwd>", "<cwd>/workspace</cwd>"),
        ("<shell>zsh</shell>", "<shell>bash</shell>"),
        ("<timezone>Europe/Berlin</timezone>", "<timezone>Etc/UTC</timezone>"),
        ("<current_date>2026-11-24</current_date>", "<current_date>2026-01-01</current_date>"),
        ('{"started_at":1795549156135,"sandbox":"none"}', '{"started_at":1767225600000,"sandbox":"seccomp"}'),
        ("Chunk ID: 590a65\nWall", "Chunk ID: 000000\nWall"),
        ("Wall time: 0.1234 seconds", "Wall time: 0.0000 seconds"),
        (1795549156135, 1700000000000),
        (200, 200),
        (True, True),
        (None, None),
    ],
)
def test_what_is_of_a_machine_or_a_moment_is_replaced(said: object, kept: object) -> None:
    places = {"/tmp/capture-x/work": "/workspace", "/tmp/capture-x": "/elsewhere"}
    assert scrubbed([{"model": "some-model", "inner": [{"said": said}]}], places) == [{"inner": [{"said": kept}]}]


def test_a_map_without_an_order_gets_one() -> None:
    body = {"client_metadata": {"x-codex-installation-id": _ONE, "a": _OTHER}}
    assert list(scrubbed([body], {})[0]["client_metadata"].values()) == [
        f"00000000-0000-4000-8000-{number:012d}" for number in (1, 2)
    ]


def test_what_is_left_of_this_machine_is_told() -> None:
    must_not_hold("nothing", ["host-name", ""])
    with pytest.raises(Leak, match="still contain 'host-name'"):
        must_not_hold("from host-name", ["host-name"])


def test_the_recorder_keeps_what_it_is_sent_and_refuses_nothing() -> None:
    recorder = Recorder()
    odd = {"model": "any", "input": [{"role": "user", "content": "Use exec_command."}], "tools": [
        {"type": "web_search"}, {"type": "function", "name": "exec_command", "parameters": {}}]}  # fmt: skip
    headers = [("Authorization", "Bearer built-in-key")]
    reply = recorder.respond("POST", "/v1/responses", headers, json.dumps(odd).encode())
    assert (reply.status, recorder.bodies) == (200, [odd])
    assert '{\\"cmd\\":\\"echo hello\\"}' in reply.body.decode()


@pytest.mark.parametrize("name", captured())
def test_captured_request_holds_nothing_of_a_machine(name: str) -> None:
    document = captured()[name]
    text = json.dumps(document)
    assert set(document) - {"headers", "revision"} == {"client", "package", "version", "asks", "body"}
    assert "model" not in document["body"]
    assert {found[:-4] for found in _UUIDS.findall(text)} <= {"00000000-0000-4000-8000-00000000"}
    assert re.findall(r"/(?:home|tmp|Users|root)/(?!user)[\w.-]+|\b1[789]\d{11}\b|built-in-key", text) in (
        [],
        ["1767225600000"],
    )


def test_every_client_has_its_request() -> None:
    assert {one.name for client in CLIENTS for one in client.kept} == set(captured())
    codex = captured()["codex.follow-up"]["body"]
    assert len(json.dumps(codex)) > 35_000
    assert {"store", "include", "prompt_cache_key", "client_metadata"} <= set(codex)
    assert {"exec_command", "write_stdin"} <= {tool.get("name") for tool in codex["tools"]}
    assert codex["input"][3]["content"][0]["text"] == QUESTION_TO_CODEX
    assert {tool["type"] for tool in codex["tools"]} == {"function", "namespace"}
    assert any(item.get("role") == "developer" and "id" in item for item in codex["input"])


def test_a_run_sends_them_as_they_are_but_for_model_and_cap() -> None:
    here = context("2026-10")
    for name, document in captured().items():
        body = {**document["body"], "max_output_tokens": here.contract.caps.call}
        assert encode(here.scenarios[f"client.{name}"].body, here.target.model) == encode(body, here.target.model)


def test_the_lite_mode_is_sent_with_and_without_its_header() -> None:
    with_header = context("2026-10").scenarios["client.codex-lite.turn"]
    bare = context("2026-10").scenarios["client.codex-lite.turn-without-header"]
    assert (with_header.body, bare.headers) == (bare.body, ())
    assert with_header.headers == (("x-openai-internal-codex-responses-lite", "true"),)
    [added] = [item for item in with_header.body["input"] if item["type"] == "additional_tools"]
    kinds = {tool["type"] for group in added["tools"] for tool in (group, *group.get("tools", ()))}
    assert kinds == {"namespace", "function", "custom"}
    returned = {item["type"] for item in context("2026-10").scenarios["client.codex-lite.follow-up"].body["input"]}
    assert {"custom_tool_call", "custom_tool_call_output"} <= returned
    review = context("2026-10").scenarios["client.codex-approval"]
    assert (review.headers, review.body["text"]["format"]["type"]) == (with_header.headers, "json_schema")


def test_what_the_profile_lacks_is_not_sent() -> None:
    scenarios = context().scenarios
    assert scenarios["client.codex.turn"].claims == {"tools", "input-array", "streaming"}
    assert "streaming" not in scenarios["client.litellm"].claims


@pytest.mark.parametrize("revision", ["2026-06-24", "2026-10"])
def test_they_may_be_served_or_refused(revision: str) -> None:
    refused, served = record(None, revision), record(VARIANTS["outside.agents-served"], revision)
    newer = revision == "2026-10"
    for name in ("client.codex-approval",) if newer else ("client.codex.turn", "client.codex.follow-up"):
        assert refused.received(name).exchange.status == 400
        assert served.received(name).response["status"] == "completed"
    mine = [case for case in cases(revision) if case.rule == "http.client-request-answered"]
    sent = [one for one in captured().values() if newer or "revision" not in one]
    assert len(mine) == len(sent) + 1 + newer  # One for all, and the lite mode without its header.
    assert {evaluate(case, each).verdict for case in mine for each in (refused, served)} == {"pass"}


def test_only_the_client_that_sends_it_breaks() -> None:
    from conformance.emulator.faults import FAULTS

    told = {
        result.case.label: result
        for result in verdicts(FAULTS["clients.long-body-is-500"])
        if result.case.rule == "http.client-request-answered" and result.verdict == "fail"
    }
    assert set(told) == {"client.codex.turn", "client.codex.follow-up"}
    assert {result.case.breaks for result in told.values()} == {("codex",)}
    assert told["client.codex.turn"].findings[0].message == "received HTTP 500: Internal Server Error"


def test_the_plan_counts_them_once_each() -> None:
    plan = Plan(context(), [name for name in context().scenarios if name.startswith("client.")])
    sent = [one for one in plan.scenarios if one.name.startswith("client.")]  # The others are their controls.
    assert len(sent) == sum("revision" not in one for one in captured().values()) <= 8


def test_no_run_of_eight_words_of_a_clients_texts_is_in_the_repository() -> None:
    """The captured files are the first place to look; recordings, docs and tests may quote a request as well."""
    digests = stored()
    assert len(digests) > 4_000
    found = {path: runs[0] for path, text in _files() if (runs := left(text, digests))}
    assert not found, "replace these words with others"


def _files() -> Iterator[tuple[str, str]]:
    """The text files of the repository, also those not yet committed, without what Git ignores."""
    words = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no Git checkout")
    for path in sorted(set(listed.split("\0"))):
        if (ROOT / path).is_file():
            with contextlib.suppress(UnicodeDecodeError):
                yield path, (ROOT / path).read_text(encoding="utf-8")
