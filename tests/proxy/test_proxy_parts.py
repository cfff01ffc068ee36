"""The parts of ``conformance proxy``: records, conversations, differences, profile, the command."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from both_sides import CLIENT_KEY, UPSTREAM_KEY, problems, recorded
from starting import free_port, is_gone

from conformance import cli
from conformance.config.target import Misconfigured
from conformance.decode.cannot_evaluate import CannotEvaluate
from conformance.emulator import chat
from conformance.emulator.proxy import FAULTS, ReferenceProxy
from conformance.emulator.proxy.habit import CLEAN, Context, Habit
from conformance.exchange.exchange import Chunk
from conformance.exchange.run_directory import RESULTS
from conformance.proxy import checks_response, conversation, profile, records, report, run
from conformance.proxy.differences import of_requests
from conformance.proxy.evaluation import evaluate
from conformance.proxy.kit import Clock, Settings
from conformance.proxy.outcomes import FAILED, Outcome
from conformance.proxy.patience import HUNG
from conformance.proxy.process import NotStarted, started
from conformance.proxy.serving import Served, serving
from conformance.proxy.texts import first_difference, marked, same_json
from conformance.pytest_plugin import both_sides
from conformance.results.results_file import read


def differences(client: dict[str, Any], upstream: dict[str, Any]) -> list[str]:
    sent, received = conversation.of_responses(client), conversation.of_chat(upstream)
    return [one.rule for one in of_requests(sent, received, False)]


def user(text: Any) -> dict[str, Any]:
    return {"role": "user", "content": text}


RULE, BRIEF = {"role": "system", "content": "Rule."}, {"role": "system", "content": "Be brief."}
DEVELOPER = {"role": "developer", "content": "Rule."}
CLIENT = {"input": [{"role": "system", "content": "Be brief."}, user("One."), user("Two.")], "instructions": "Rule."}


@pytest.mark.parametrize(
    "messages",
    [
        [DEVELOPER, BRIEF, user("One."), user("Two.")],
        [{"role": "system", "content": "Rule.\n\nBe brief."}, user("One.\nTwo.")],
        [RULE, user("One."), BRIEF, user("Two.")],
        [{"role": "system", "content": [{"type": "text", "text": "Rule."}, {"type": "text", "text": "Be brief."}]},
         user([{"type": "text", "text": "One."}]), user("Two.")],
    ],
    ids=["separate", "joined", "in-place", "parts"],
)  # fmt: skip
def test_legal_translations_are_equal(messages: list[dict[str, Any]]) -> None:
    assert differences(CLIENT, {"messages": messages}) == []


@pytest.mark.parametrize(
    ("messages", "rules"),
    [
        ([{"role": "system", "content": "Rule."}, user("One."), user("Two.")], ["request.system-texts"]),
        ([{"role": "system", "content": "Rule.\nBe brief."}, user("One.")], ["request.texts"]),
        ([{"role": "system", "content": "Rule.\nBe brief."}, user("Two."), user("One.")], ["request.roles-and-order"]),
        ([{"role": "system", "content": "Rule."}, user("Be brief."), user("One."), user("Two.")],
         ["request.roles-and-order"]),
        ([{"role": "system", "content": "Rule.\nBe brief.\nBe kind."}, user("One.\nTwo.")], ["request.nothing-added"]),
        ([user("One."), user("Two."), {"role": "system", "content": "Rule.\nBe brief."}], ["request.roles-and-order"]),
        ([{"role": "system", "content": "Rule.\nBe brief."}, user([{"type": "input_text", "text": "One.\nTwo."}])],
         ["request.dialect"]),
    ],
)  # fmt: skip
def test_a_difference_is_one_violation(messages: list[dict[str, Any]], rules: list[str]) -> None:
    assert differences(CLIENT, {"messages": messages}) == rules


REFERRING = {"properties": {"at": {"$ref": "#/$defs/point"}}, "$defs": {"point": {"type": "array"}}}


@pytest.mark.parametrize(
    ("schema", "rules"),
    [
        ({"properties": {"at": {"type": "array"}}}, []),
        ({"properties": {"at": {"type": "array"}}, "$defs": REFERRING["$defs"]}, []),
        ({"properties": {"at": {"type": "object"}}}, ["request.tools"]),
        ({"properties": {"at": {"$ref": "#/$defs/point"}}}, ["request.tools"]),
    ],
)
def test_a_reference_can_be_replaced_by_its_definition(schema: dict[str, Any], rules: list[str]) -> None:
    tool = {"name": "f", "parameters": REFERRING}
    upstream = {"type": "function", "function": {"name": "f", "parameters": schema}}
    sent, received = {"input": "Go.", "tools": [{"type": "function", **tool}]}, {"messages": [user("Go.")]}
    assert differences(sent, {**received, "tools": [upstream]}) == rules


@pytest.mark.parametrize(
    "upstream",
    [
        {"reasoning_effort": "none"},
        {"thinking": {"type": "disabled"}},
        {"chat_template_kwargs": {"enable_thinking": False}},
    ],
)
def test_effort_none_has_several_forms(upstream: dict[str, Any]) -> None:
    body = {"input": "x", "reasoning": {"effort": "none"}}
    assert differences(body, {"messages": [user("x")], **upstream}) == []
    assert differences(body, {"messages": [user("x")]}) == ["request.parameters"]


def test_the_first_difference_is_marked() -> None:
    assert first_difference("one", "onto") == 2
    assert marked("ab\u2028c", 2) == '"ab[\\u2028]c"'
    assert marked("ab", 2) == '"ab[end]"'
    # A word that is cut is left out, unless the text has no other.
    words = "one two three four five six seven eight nine ten eleven twelve"
    assert marked(words, 30) == '"...three four five six se[v]en eight nine ten eleven..."'
    assert marked("a" * 60, 30) == f'"...{"a" * 24}[a]{"a" * 24}..."'
    assert same_json('{"a": 1, "b": "漢"}', '{"b":"\\u6f22","a":1}')
    assert not same_json('{"a": 1', '{"a":1')
    assert same_json("", "{}")  # Of a function without parameters.
    assert not same_json("{}", "")


def test_a_message_that_is_repeated_was_added() -> None:
    given = [user("One."), {"role": "assistant", "content": "Two."}]
    sent, received = (conversation.of_responses({"input": one}) for one in (given, [*given, user("One.")]))
    (found,) = of_requests(sent, received, True)
    assert found.rule == "request.nothing-added"
    assert "a user message again" in found.message


def test_records_are_stored_without_keys_and_evaluated_again() -> None:
    fault = FAULTS["shows-key-in-errors"]
    recording = recorded("chat", fault, ["failure.500", "request.string", "streaming.text"])
    stored = records.to_json(records.redacted(recording, {"client": CLIENT_KEY, "upstream": UPSTREAM_KEY}))
    text = json.dumps(stored)
    assert CLIENT_KEY not in text
    assert UPSTREAM_KEY not in text
    again = records.from_json(json.loads(text))
    assert problems(evaluate(again)) == problems(evaluate(recording))
    assert "credentials.upstream-key-hidden" in problems(evaluate(again))
    with pytest.raises(ValueError, match="has format 0, expected 1"):
        records.from_json({**stored, "format": 0})


def test_both_sides_are_on_one_clock() -> None:
    (one,) = recorded("chat", CLEAN, ["streaming.text"]).records
    client, (upstream,) = one.pairs[0].client, one.pairs[0].upstream
    assert client.began <= upstream.began <= upstream.chunks[0].at <= client.chunks[-1].at <= client.ended_at
    times = [chunk.at for chunk in client.chunks]
    assert times == sorted(times)


def test_the_reports_show_both_sides(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = ["--html", str(tmp_path / "p.html"), "--markdown", str(tmp_path / "p.md")]
    words = ["proxy", "--dialect", "chat", "--fault", "escapes-markup", "--only", "*@request.hard-text"]
    code = cli.main([*words, "--run-dir", str(tmp_path / "run"), *files])
    shown = capsys.readouterr().out
    assert code == 1
    for title in report.TITLES:
        assert f"{title}: " in shown
        assert title in (tmp_path / "p.md").read_text(encoding="utf-8")
    page = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert "<mark>&lt;</mark>" in page
    assert "<mark>&amp;</mark>" in page
    assert page.count('aria-label="both timelines"') == 1
    results = read(tmp_path / "run" / RESULTS)
    assert results.head.mode == "proxy"
    assert [case.id for case in results.cases if case.has_problem] == ["proxy.request.texts@request.hard-text"]
    assert cli.main(["proxy", "--replay", str(tmp_path / "run"), "--only", "*@request.hard-text"]) == 1
    skipped = [word for rule in ("texts", "system-texts") for word in ("--skip", f"proxy.request.{rule}")]
    assert cli.main(["proxy", "--replay", str(tmp_path / "run"), "--only", "*@request.hard-text", *skipped]) == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[proxy]\nkeys = 1", "unknown key keys"),
        ('[proxy]\nkey = "both"', "key is 'both', expected own or pass-through"),
        ("[proxy]\nmodel = 3", "model has the wrong type"),
        ("[proxy", "is not TOML"),
    ],
)
def test_an_invalid_profile_is_one_line(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    file.write_text(text)
    with pytest.raises(Misconfigured, match=message):
        profile.read(file)


def test_a_profile_states_what_the_proxy_changes() -> None:
    probes = ["request.string", "request.highest-values", "request.effort-*"]
    passing, adding = FAULTS["passes-key"], FAULTS["adds-system-text"]
    assert problems(evaluate(recorded("chat", passing, probes, passes_key=True))) == {}
    assert problems(evaluate(recorded("chat", adding, probes, system_text="You are a cat."))) == {}
    other = replace(FAULTS["another-model"])
    assert problems(evaluate(recorded("chat", other, probes, upstream_model="small"))) == {}
    effort = {"high": "medium", "none": "medium", "low": "medium"}
    assert problems(evaluate(recorded("chat", FAULTS["one-effort"], probes, effort=effort))) == {}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--start", "true"], "--start needs --endpoint"),
        (["--endpoint", "https://example.com/v1"], "expected a proxy on loopback"),
        (["--endpoint", "http://127.0.0.1:9/v1", "--fault", "caches"], "leave out --endpoint"),
        (["--endpoint", "http://127.0.0.1:9/v1", "--wait", "0.1"], "does not accept connections"),
        (["--wait", "-1"], "--wait is -1"),
        (["--replay", "nowhere"], "cannot be read"),
        (["--upstream-port", "99999"], "cannot be used for the upstream"),
    ],
)
def test_bad_options_are_one_line(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["proxy", *words]) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert shown.count("\n") == 1


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (CLIENT_KEY, "no request reached the upstream"),
        ("another-key", "the proxy refuses the key of the client (HTTP 401)"),
    ],
)
def test_a_proxy_that_is_not_set_up_is_one_line(
    key: str, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("MIMO_API_KEY", key)
    with ReferenceProxy("http://127.0.0.1:9/v1", "chat", CLIENT_KEY, UPSTREAM_KEY) as proxy:
        assert cli.main(["proxy", "--endpoint", proxy.url, "--run-dir", str(tmp_path / "run")]) == 2
    assert message in capsys.readouterr().err


def test_a_proxy_that_refuses_strings_is_set_up(tmp_path: Path) -> None:
    words = ["--fault", "refuses-strings", "--only", "proxy.request.served@request.easy-message"]
    assert cli.main(["proxy", *words, "--run-dir", str(tmp_path / "run")]) == 0


def test_another_dialect_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("MIMO_API_KEY", CLIENT_KEY)
    port = free_port()
    with ReferenceProxy(f"http://127.0.0.1:{port}/v1", "chat", CLIENT_KEY, UPSTREAM_KEY) as proxy:
        words = ["--endpoint", proxy.url, "--dialect", "responses", "--upstream-port", str(port)]
        assert cli.main(["proxy", *words, "--run-dir", str(tmp_path / "run")]) == 2
    shown = capsys.readouterr().err
    assert "received POST /v1/chat/completions, expected POST to a path that ends in /responses: is responses" in shown


def test_a_proxy_that_ends_no_response_takes_little_time() -> None:
    started_at = time.monotonic()
    probes = ["failure.cut-*", "failure.reset-in*", "failure.early-end*"]
    found = problems(evaluate(recorded("responses", FAULTS["hangs-on-broken-stream"], probes, limit=1.5, wait=0.2)))
    assert found.keys() == {"failure.no-hang"}
    assert time.monotonic() - started_at < 15


def test_the_command_starts_and_ends_the_proxy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    # The proxy is a child of the shell, and has a child of its own.
    start = (
        f"echo $$ > {tmp_path}/pid; sleep 60 & echo upstream {{upstream}}; UPSTREAM_KEY={{key}} {sys.executable} "
        f"-m conformance.emulator.proxy --upstream {{upstream}} --dialect chat --port {port}"
    )
    endpoint = f"http://127.0.0.1:{port}/v1"
    os.environ["MIMO_API_KEY"] = CLIENT_KEY
    try:
        words = ["--endpoint", endpoint, "--dialect", "chat", "--start", start, "--only", "*@request.string*"]
        assert cli.main(["proxy", *words, "--run-dir", str(tmp_path / "run")]) == 0
    finally:
        del os.environ["MIMO_API_KEY"]
    assert "upstream http://127.0.0.1:" in (tmp_path / "run" / "proxy.log").read_text()
    assert "2 requests" in capsys.readouterr().out
    group = int((tmp_path / "pid").read_text())
    assert is_gone(group)


def test_a_proxy_that_does_not_start_is_one_line(tmp_path: Path) -> None:
    endpoint = f"http://127.0.0.1:{free_port()}/v1"
    with pytest.raises(NotStarted, match="ended at once with 3: error: no configuration"):  # noqa: SIM117
        with started("echo 'error: no configuration'; exit 3", {}, endpoint, tmp_path, 5):
            pass


def test_the_chat_upstream_serves_requests_without_a_script() -> None:
    endpoint = chat.ChatEndpoint(key="k")
    body: dict[str, Any] = {"model": "mimo-v2.5-pro", "messages": [user("Use get_time now.")]}
    body["tools"] = [{"type": "function", "function": {"name": "get_time", "parameters": {"type": "object"}}}]
    headers = [("Authorization", "Bearer k")]
    plain = json.loads(endpoint.respond("POST", "/v1/chat/completions", headers, json.dumps(body).encode()).body)
    choice = plain["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["tool_calls"][0]["function"]["name"] == "get_time"
    assert choice["message"]["reasoning_content"]
    body |= {"stream": True, "stream_options": {"include_usage": True}}
    stream = endpoint.respond("POST", "/v1/chat/completions", headers, json.dumps(body).encode()).body.decode()
    assert stream.endswith("data: [DONE]\n\n")
    assert json.loads(stream.split("data: ")[-2])["usage"]["prompt_tokens"] == plain["usage"]["prompt_tokens"]
    assert endpoint.respond("POST", "/v1/chat/completions", [], b"{}").status == 401
    nameless = json.dumps({**body, "tools": [{"type": "function", "function": {"name": ""}}]}).encode()
    for wrong in (b"x", b"[]", b'{"model": "m"}', b'{"model": "m", "messages": [{"role": "x"}]}', nameless):
        assert endpoint.respond("POST", "/v1/chat/completions", headers, wrong).status == 400


def test_expected_failures_do_not_fail_a_run(tmp_path: Path) -> None:
    words = ["proxy", "--dialect", "chat", "--only", "proxy.request.system-texts@request.*", "--overwrite"]
    fault = ["--fault", "drops-late-system-message", "--run-dir", str(tmp_path / "run")]
    file = str(tmp_path / "expected.toml")
    assert cli.main([*words, *fault]) == 1
    assert cli.main(["baseline", str(tmp_path / "run"), "--output", file, "--reason", "known"]) == 0
    assert cli.main([*words, *fault, "--baseline", file]) == 0
    # An entry whose case passes is stale.
    assert cli.main([*words, "--run-dir", str(tmp_path / "run"), "--baseline", file]) == 1


def test_streams_without_an_end_are_one_cause() -> None:
    def events(ctx: Context, event: dict[str, Any]) -> list[dict[str, Any]]:
        return [] if event["type"] in ("response.completed", "response.incomplete") else [event]

    habit = Habit("endless", "Sends no terminal event.", events=events)
    found = problems(evaluate(recorded("responses", habit, ["response.*", "form.c*", "concurrent.*", "silence.*"])))
    assert [rule for rule in found if not rule.startswith("?")] == ["response.form"]


def test_an_error_while_recording_is_no_error_of_the_port(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(run, "record", fail)
    with ReferenceProxy("http://127.0.0.1:1/v1", "responses", CLIENT_KEY, UPSTREAM_KEY) as proxy:
        settings = Settings(proxy.url, "responses", "m", CLIENT_KEY, UPSTREAM_KEY)
        chosen = run.selected("responses", ["request.string"])
        with pytest.raises(OSError, match="no space"), serving(settings, 0, None, "2026-06-24", chosen, [], 5.0):
            pass


@pytest.mark.parametrize(("body", "streams"), [(b'{"stream": true}', True), (b'{"stream": 1}', False), (b"[1]", False)])
def test_a_request_for_a_stream_is_an_object_that_says_so(body: bytes, streams: bool) -> None:
    leg = recorded("responses").records[0].pairs[0].client
    assert replace(leg, body=body).requests_stream is streams


def test_requests_without_the_word_of_the_client_are_no_retries_of_one_of_many() -> None:
    """A proxy that makes a message of each character: which of the closed requests caused one of its own is unknown."""

    def split(context: Context, body: dict[str, Any]) -> dict[str, Any]:
        return {**body, "messages": [user(one) for one in str(body["messages"][-1]["content"])]}

    found = problems(evaluate(recorded("chat", replace(CLEAN, sent=split), {"cancel.many"})))
    assert "request.sent-once" not in found


def test_an_error_in_an_event_without_a_type_is_named() -> None:
    habit = FAULTS["untyped-errors"]
    found = problems(evaluate(recorded("chat", habit, ["failure.400.stream", "failure.cut-in-text.stream"])))
    assert found["failure.honest"] == (
        "@failure.400.stream: the upstream responded with 400, and the client received an error in an event without a "
        "type, and no terminal event"
    )


def test_a_failure_that_a_stream_passes_on_is_no_failure_to_survive() -> None:
    """A proxy that only streams reports the 503 by the failing event of a stream."""
    habit = Habit("", "", settings={"begins_at_once": True})
    recording = recorded("chat", habit, ["failure.once-503", "failure.503.stream"])
    by_name = {one.probe: one for one in recording.records}
    once = replace(by_name["failure.once-503"], pairs=by_name["failure.503.stream"].pairs)
    assert "failure.survives" not in problems(evaluate(replace(recording, records=(once,))))


@pytest.mark.parametrize(("seconds", "found"), [(2.5, []), (60.0, ["failure.survives"])])
def test_a_circuit_breaker_can_refuse_requests_for_a_while(seconds: float, found: list[str]) -> None:
    habit = Habit("", "", settings={"stops_after": "failure", "stops_for": seconds})
    recording = recorded("chat", habit, ["failure.500", "failure.after*"])
    assert list(problems(evaluate(recording))) == found


def test_a_message_without_its_text_is_not_a_missing_message() -> None:
    turns = [user("One."), {"role": "assistant", "content": "Two."}, user("Three.")]
    sent = conversation.of_responses({"input": turns})
    received = conversation.of_chat({"messages": [turns[0], {"role": "assistant", "content": ""}, turns[2]]})
    (found,) = of_requests(sent, received, False)
    assert (found.rule, found.message.partition(",")[0]) == (
        "request.texts", "assistant turn 2: the client sent 4 characters",
    )  # fmt: skip


def test_reasoning_in_events_of_a_summary_alone_is_named() -> None:
    """A gateway sent the reasoning in events of OpenAI's summary, without item_id and without a reasoning item."""
    recording = recorded("chat", CLEAN, ["response.reasoning.stream"])
    (record,) = recording.records
    made = []
    for frame in record.pairs[0].client.reply.decode().split("\n\n"):
        _, _, data = frame.partition("data: ")
        event = json.loads(data) if data.startswith("{") else {}
        if event.get("type") == "response.reasoning_text.delta":
            event = {"type": "response.reasoning_summary_text.delta", "delta": event["delta"]}
        elif "reasoning" in json.dumps([event.get("item"), event.get("part"), event.get("type")]):
            continue
        if output := event.get("response", {}).get("output"):
            event["response"]["output"] = [item for item in output if item["type"] != "reasoning"]
        made.append(f"data: {json.dumps(event)}\n\n" if event else "")
    client = record.pairs[0].client
    client = replace(client, chunks=(replace(client.chunks[0], data="".join(made).encode()),))
    pairs = (replace(record.pairs[0], client=client),)
    found = problems(evaluate(replace(recording, records=(replace(record, pairs=pairs),))))
    assert found["response.reasoning"] == (
        "@response.reasoning.stream: the client received the reasoning only in events"
        " response.reasoning_summary_text.delta, without an item"
    )


def test_streams_that_were_never_served_are_no_failure_to_survive() -> None:
    """A gateway responded to each streaming request with 500, and to that after the failures too."""
    recording = recorded("responses", CLEAN, ["request.string*", "failure.503.stream", "failure.after.stream"])
    by_name = {one.probe: one for one in recording.records}
    refused = by_name["failure.503.stream"].pairs[0].client
    records = []
    for one in recording.records:
        pairs = tuple(replace(pair, client=refused) for pair in one.pairs)
        records.append(one if one.probe == "request.string" else replace(one, pairs=pairs))
    found = problems(evaluate(replace(recording, records=tuple(records))))
    assert "failure.survives" not in found
    assert "for a documented request with stream: true, although the upstream served it" in found["request.served"]


def test_a_limit_of_requests_violates_nothing() -> None:
    """A gateway served 60 requests in a minute, and the others received 429."""
    habit = Habit("", "", settings={"most_requests": 6})
    found = problems(
        evaluate(recorded("chat", habit, ["request.*string*", "response.*text*", "cancel.after", "failure.after"]))
    )
    assert {rule[:1] for rule in found} == {"?"}
    assert "the proxy refused the request with 429" in found["?request.served"]


@pytest.mark.parametrize("texts", ["Two.", ""])
def test_turns_that_a_long_conversation_lacks_are_counted(texts: str) -> None:
    def turns(first: int, response: str) -> list[dict[str, Any]]:
        pairs = ((user(f"Turn {at}."), {"role": "assistant", "content": response}) for at in range(first, 10))
        return [turn for pair in pairs for turn in pair]

    sent = conversation.of_responses({"input": turns(0, "Two.")})
    (found,) = of_requests(sent, conversation.of_chat({"messages": turns(7, texts)}), False)
    assert (found.rule, found.message) == (
        "request.roles-and-order", "of 20 turns the upstream received 6: 3 of 10 of the user, 3 of 10 of the assistant",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "form"),
    [
        ("One.", "a string"),
        ([{"role": "user", "content": "One."}], "messages without a type"),
        ([{"type": "message", "role": "user", "content": []}], "items with a type"),
    ],
)
def test_the_form_of_an_input_that_does_not_arrive_is_named(given: Any, form: str) -> None:
    assert conversation.form_of_input({"input": given}) == form


def test_the_response_to_another_request_is_named() -> None:
    """Of a cache that takes similar requests for equal ones."""
    first, second = recorded("chat", only=["request.string", "request.parts"]).records
    pair = replace(second.pairs[0], client=replace(second.pairs[0].client, chunks=first.pairs[0].client.chunks),
                   upstream=())  # fmt: skip
    found = problems(
        evaluate(replace(recorded("chat", only=["request.parts"]), records=(replace(second, pairs=(pair,)),)))
    )
    earlier, own = first.pairs[0].canary, second.pairs[0].canary
    assert found["request.reaches-upstream"] == (
        f"@request.parts: the client received the response to an earlier request with {earlier}, not to its own with "
        f"{own}, of which the upstream received nothing"
    )


def test_a_text_in_a_part_of_another_type_is_named() -> None:
    recording = recorded("chat", only=["response.text.stream"])
    (record,) = recording.records
    leg = record.pairs[0].client
    chunks = tuple(replace(one, data=one.data.replace(b'"type":"output_text"', b'"type":"text"')) for one in leg.chunks)
    pair = replace(record.pairs[0], client=replace(leg, chunks=chunks))
    found = problems(evaluate(replace(recording, records=(replace(record, pairs=(pair,)),))))
    says = "the text of the final Response is in a part of type 'text', expected 'output_text'"
    assert found["response.text"] == f"@response.text.stream: {says}"


def test_the_upstream_closes_the_connections_that_a_proxy_keeps() -> None:
    """Else it sends the first requests of the run to the upstream of the recording, not to the built-in endpoint."""
    settings = Settings("http://127.0.0.1:1/v1", "responses", "m", CLIENT_KEY, UPSTREAM_KEY)
    with run.open_upstream(settings, 0, Clock()) as upstream:
        kept = HTTPConnection(upstream.authority, timeout=5)
        kept.request("GET", "/v1/models")
        assert kept.getresponse().read()
    assert kept.sock.recv(1) == b""
    kept.close()


def test_a_proxy_that_passes_keys_through_has_an_upstream_with_the_key_of_the_client() -> None:
    settings = Settings("http://127.0.0.1:1/v1", "responses", "m", CLIENT_KEY, UPSTREAM_KEY, passes_key=True)
    with ReferenceProxy("http://127.0.0.1:1/v1", "responses", CLIENT_KEY, UPSTREAM_KEY) as proxy:
        port = free_port()
        with serving(replace(settings, endpoint=proxy.url), port, None, "2026-06-24", [], [], 5.0):
            body = json.dumps({"model": "m", "input": "Say hello.", "reasoning": {"effort": "none"}})
            statuses = {}
            for key in (CLIENT_KEY, UPSTREAM_KEY):
                connection = HTTPConnection("127.0.0.1", port, timeout=5)
                connection.request("POST", "/v1/responses", body, {"api-key": key, "Content-Type": "application/json"})
                statuses[key] = connection.getresponse().status
                connection.close()
    assert statuses == {CLIENT_KEY: 200, UPSTREAM_KEY: 401}


@pytest.mark.parametrize(("start", "starts"), [("my-proxy", 2), (None, 1)])
def test_a_proxy_that_serves_nothing_more_is_started_again(
    start: str | None, starts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a cooldown after the failures of the upstream leaves no rule of the endpoint evaluated."""
    recording = recorded("responses", FAULTS["stops-after-failure"], ["failure.503", "failure.after"])
    made: list[str | None] = []

    @contextmanager
    def proxy(_: run.Run, command: str | None, *__: Any) -> Iterator[None]:
        made.append(command)
        yield

    monkeypatch.setattr(run.Run, "proxy", proxy)
    monkeypatch.setattr(run.Run, "record", lambda *_: recording)
    settings = Settings("http://127.0.0.1:1/v1", "responses", "m", CLIENT_KEY, UPSTREAM_KEY)
    with serving(settings, 0, start, "2026-06-24", run.selected("responses", ["failure.503"]), [], 5.0):
        assert made == [start] * starts


def test_the_endpoint_behind_a_proxy_that_replaces_the_model_serves_it(tmp_path: Path) -> None:
    found = evaluate(recorded("chat", FAULTS["another-model"], ["request.string", "request.parts"]))
    assert Served(tmp_path, evaluated=found).model == "small"


#: A gateway sent a string as an array of its characters.
CHARACTERS = Habit(
    "", "", sent=lambda ctx, body: {**body, "input": list(body["input"])} if isinstance(body["input"], str) else body
)


@pytest.mark.parametrize(
    ("habit", "rule"), [(FAULTS["refuses-strings"], "request.served"), (CHARACTERS, "request.reaches-upstream")]
)
def test_a_proxy_that_serves_no_string_is_asked_with_messages(habit: Habit, rule: str) -> None:
    settings = Settings("", "responses", "m", CLIENT_KEY, UPSTREAM_KEY)
    with run.opened(settings, 0) as opened:
        arguments = (opened.upstream.url, "responses", CLIENT_KEY, UPSTREAM_KEY, habit)
        with ReferenceProxy(*arguments) as proxy:
            probes = run.selected("responses", ["request.string", "request.white-space", "response.text"])
            found = problems(evaluate(opened.at(proxy.url).record(probes)))
    assert [name for name in found if not name.startswith("?")] == [rule]
    assert found[rule].startswith("@request.string:")


def test_the_endpoint_behind_a_proxy_that_sends_the_key_of_the_client_accepts_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recording = recorded("responses", FAULTS["passes-key"], ["request.string"])
    monkeypatch.setattr(run.Run, "record", lambda *_: recording)
    with ReferenceProxy("http://127.0.0.1:1/v1", "responses", CLIENT_KEY, UPSTREAM_KEY) as proxy:
        settings = Settings(proxy.url, "responses", "m", CLIENT_KEY, UPSTREAM_KEY)
        chosen = run.selected("responses", ["request.string"])
        with serving(settings, port := free_port(), None, "2026-06-24", chosen, [], 5.0) as served:
            assert (served.passes_key, served.model) == (True, "")
            connection = HTTPConnection("127.0.0.1", port, timeout=5)
            body = json.dumps({"model": "m", "input": "Say hello.", "reasoning": {"effort": "none"}})
            connection.request("POST", "/v1/responses", body, {"api-key": CLIENT_KEY})
            assert connection.getresponse().status == 200
            connection.close()


def test_the_built_in_endpoint_behind_a_proxy_has_the_revision_of_the_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "target.toml"
    file.write_text('name = "x"\nendpoint = "http://127.0.0.1:9/v1"\nrevision = "2026-10"\n')
    options = {"target": str(file), "dialect": "responses"}
    config = SimpleNamespace(
        getoption=options.get, args=[], invocation_params=SimpleNamespace(dir=tmp_path),
        option=SimpleNamespace(collectonly=False, markexpr="smoke"),
    )  # fmt: skip
    served: list[Any] = []
    monkeypatch.setattr(both_sides, "serving", lambda *given: nullcontext(served.extend(given) or Served(tmp_path)))
    both_sides.served_to(config, ExitStack())  # type: ignore[arg-type]
    assert served[3] == "2026-10"


def test_a_message_can_be_divided_between_a_text_and_an_image() -> None:
    url = "data:image/png;base64,AAAA"
    parts = [{"type": "input_text", "text": "One."}, {"type": "input_image", "image_url": url}]
    image = {"type": "image_url", "image_url": {"url": url}}
    assert differences({"input": [user(parts)]}, {"messages": [user("One."), user([image])]}) == []
    assert differences({"input": [user(parts)]}, {"messages": [user([image]), user("One.")]}) == [
        "request.roles-and-order"
    ]


def test_a_stream_that_fails_before_the_upstream_is_no_cached_response() -> None:
    habit = Habit("", "", settings={"begins_at_once": True})
    recording = recorded("chat", habit, ["failure.400.stream", "request.string.stream"])
    by_name = {one.probe: one for one in recording.records}
    failed = replace(by_name["failure.400.stream"].pairs[0], upstream=())
    record = replace(by_name["request.string.stream"], pairs=(failed,))
    found = problems(evaluate(replace(recording, records=(record,))))
    assert found["request.served"].startswith(
        "@request.string.stream: the client received HTTP 200 and a failure for a documented request with stream: true,"
        " before the upstr"
    )
    assert "request.reaches-upstream" not in found


def test_the_stream_of_a_request_that_is_not_served_has_no_cause_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = Outcome("kite", "", [], "completed", None)
    monkeypatch.setattr(checks_response, "both", lambda view: (sent, replace(sent, finish=FAILED)))
    monkeypatch.setattr(checks_response, "abandoned", lambda view, sent: False)
    monkeypatch.setattr(checks_response, "streams", lambda leg: False)
    view: Any = SimpleNamespace(record=SimpleNamespace(probe="request.tools.stream"), failing={}, client=None)
    assert len(list(checks_response.finish(view))) == 1
    view.failing["request.served"] = ["request.tools"]
    with pytest.raises(CannotEvaluate):
        list(checks_response.finish(view))


@pytest.mark.parametrize(
    ("chunk", "detail", "rule"),
    [
        (b"data: {}\n\n", "", "?response.form"),
        (b": ping\n\n", "", "response.form"),
        (b"data: {}\n\n", HUNG, "response.form"),
    ],
)
def test_a_slow_stream_does_not_hang(chunk: bytes, detail: str, rule: str) -> None:
    """The client stops waiting for a stream whose events still arrive, and for one with comments alone."""
    recording = recorded("responses", CLEAN, ["response.text.stream"])
    (record,) = recording.records
    leg = record.pairs[0].client
    late = leg.ended_at + 5000
    chunks = (leg.chunks[0], Chunk(late, chunk))
    slow = replace(record.pairs[0], client=replace(leg, ended="time-out", ended_at=late, chunks=chunks, detail=detail))
    found = problems(evaluate(replace(recording, records=(replace(record, pairs=(slow,)),))))
    assert [one for one in found if one.endswith("response.form")] == [rule]
