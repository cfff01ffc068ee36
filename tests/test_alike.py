"""An endpoint in the dialect of a recorded one: its own run shows the same facts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from conformance.cli import main
from conformance.emulator import Endpoint
from conformance.emulator.faults import FAULTS
from conformance.emulator.hooks import combine
from conformance.emulator.variants import VARIANTS
from conformance.exchange.exchange import Chunk, Exchange
from conformance.results.facts import differences, facts
from conformance.scenarios.plan import Plan
from conformance.wire.alike import Imitation
from conformance.wire.dialect import id_like
from conformance.wire.replay import Recording
from tests.support.runs import HEAD
from tools.in_process import KEY, NOW, InProcess, context, target

#: Scenarios with a valid key: the exchanges in process do not record which key was sent.
LEFT_OUT = ("auth.", "http.")

DIALECTS: dict[str, tuple[str, ...]] = {
    "framing": ("framing.no-event-lines", "framing.done-marker", "framing.crlf", "framing.comments"),
    "members": ("members.openai-echo", "members.ids-without-prefix", "members.obfuscation", "members.more-counts"),
    "hidden": ("behaviour.thoughts-counted-not-shown", "members.extra-everywhere", "framing.no-space-after-colon"),
    "refusals": ("refusals.openai-form", "refusals.plain-json-when-streaming", "refusals.code-is-a-word"),
}


def recorded(endpoint: Any) -> list[Exchange]:
    """The exchanges of every scenario with a valid key."""
    here, sender = context(), InProcess(cast(Endpoint, endpoint))
    found: dict[str, Exchange] = {}
    for planned in Plan(here, [name for name in here.scenarios if not name.startswith(LEFT_OUT)]).requests:
        if outgoing := planned.build([found[key] for key in planned.after if key in found]):
            found[planned.key] = sender.send(outgoing)
    return list(found.values())


def recording(exchanges: list[Exchange]) -> Recording:
    head = HEAD.to_json()
    by_place = {(str(place), 1): one for place, one in enumerate(exchanges)}
    return Recording(Path("run"), head, "00000000", frozenset(), "either", True, None, by_place)


def built_in(*names: str) -> Endpoint:
    behaviour = combine([VARIANTS.get(name) or FAULTS[name] for name in names])
    return Endpoint(key=KEY, model=target().model, behaviour=behaviour, clock=lambda: NOW)


@pytest.mark.parametrize("name", DIALECTS)
def test_its_run_shows_no_difference_in_facts(name: str) -> None:
    original = recorded(built_in(*DIALECTS[name]))
    again = recorded(Imitation(recording(original), KEY))
    # Which key an exchange in process was sent with is not recorded.
    changed = [one for one in differences(facts(original), facts(again)) if not one[0].startswith("outcome auth.")]
    assert changed == []
    ids = [json.loads(one.body)["id"] for one in (*original, *again) if one.ok and one.body.startswith(b"{")]
    assert len(set(ids)) == len(ids)


def test_a_request_that_was_not_recorded_is_answered_in_the_dialect() -> None:
    few = [
        one for one in recorded(built_in(*DIALECTS["framing"], *DIALECTS["members"])) if one.scenario == "text.stream"
    ]
    server = Imitation(recording(few), KEY)
    sent = {"model": target().model, "input": "What is new?", "stream": True}
    body = server.respond("POST", "/v1/responses", [("api-key", KEY)], json.dumps(sent).encode()).body
    lines = body.split(b"\r\n")
    assert not [line for line in lines if line.startswith(b"event:")]
    assert lines[0].startswith(b":")
    assert lines[-3] == b"data: [DONE]"
    data = [json.loads(line.removeprefix(b"data: ")) for line in lines if line.startswith(b"data: {")]
    assert [one["sequence_number"] for one in data] == list(range(len(data)))
    assert "parallel_tool_calls" in data[0]["response"]
    assert "_" not in data[0]["response"]["id"]


@pytest.mark.parametrize("scenario", ["tools.output", "tools.output-parts"])
def test_a_conversation_with_new_ids_gets_the_recorded_response(scenario: str) -> None:
    """Also with an id to which a suffix was appended."""
    known = {one.scenario: one for one in recorded(built_in())}
    call, then = known["tools.call"], known[scenario]
    marked = then.body.replace(b'"object"', b'"recorded": true, "object"')
    then = replace(then, chunks=(Chunk(0.0, marked),))
    server, key = Imitation(recording([call, then]), KEY), [("api-key", KEY)]
    new = json.loads(server.respond("POST", "/v1/responses", key, call.request.body).body)["output"]
    body = then.request.body
    for old, item in zip(json.loads(call.body)["output"], new, strict=True):
        for member in ("id", "call_id"):
            if member in old:
                assert item[member] != old[member]
                body = body.replace(old[member].encode(), item[member].encode())
    assert body != then.request.body
    assert json.loads(server.respond("POST", "/v1/responses", key, body).body)["recorded"] is True


def test_an_empty_key_is_another_than_a_wrong_one() -> None:
    one = next(one for one in recorded(built_in()) if one.scenario == "text")

    def refused(value: str, status: int) -> Exchange:
        kept = tuple(pair for pair in one.request.headers if pair[0].lower() != "api-key")
        return replace(one, request=replace(one.request, headers=(*kept, ("api-key", value))), status=status)

    server = Imitation(recording([refused("", 402), refused("sk-wrong", 403)]), KEY)
    for value, status in (("", 402), ("no", 403), ("", 402), ("sk-wrong", 403)):
        assert server.respond("POST", "/v1/responses", [("api-key", value)], one.request.body).status == status


def test_a_request_with_a_query_is_another_one() -> None:
    one = next(one for one in recorded(built_in()) if one.scenario == "text")
    url = f"{one.request.url}?api-version=1"
    refused = replace(one, request=replace(one.request, url=url), status=404, headers=(), chunks=(Chunk(0.0, b"{}"),))
    server = Imitation(recording([refused, one]), KEY)
    for path, status in (("/v1/responses", 200), ("/v1/responses?api-version=1", 404), ("/v1/responses", 200)) * 2:
        assert server.respond("POST", path, [("api-key", KEY)], one.request.body).status == status


def test_a_new_id_of_hexadecimal_digits_has_a_letter() -> None:
    assert not [seed for seed in range(300) if id_like("resp_0f", str(seed)).removeprefix("resp_").isdecimal()]


def test_an_event_that_the_recorded_streams_do_without_is_left_out() -> None:
    one = next(one for one in recorded(built_in()) if one.scenario == "text.stream")
    frames = [frame for frame in one.body.split(b"\n\n") if b"response.in_progress" not in frame]
    server = Imitation(recording([replace(one, chunks=(Chunk(0.0, b"\n\n".join(frames)),))]), KEY)
    sent = json.dumps({"model": target().model, "input": "What is new?", "stream": True}).encode()
    body = server.respond("POST", "/v1/responses", [("api-key", KEY)], sent).body
    assert b"response.created" in body
    assert b"response.in_progress" not in body


def test_details_of_usage_that_were_not_recorded_are_left_out() -> None:
    text = next(one for one in recorded(built_in()) if one.scenario == "text")
    bare = json.loads(text.body)
    bare["usage"] = {name: value for name, value in bare["usage"].items() if not name.endswith("_details")}
    server = Imitation(recording([replace(text, chunks=(Chunk(0.0, json.dumps(bare).encode()),))]), KEY)
    sent = json.dumps({"model": target().model, "input": "What is new?"}).encode()
    made = json.loads(server.respond("POST", "/v1/responses", [("api-key", KEY)], sent).body)
    assert list(made["usage"]) == list(bare["usage"])


def test_a_wrong_key_is_refused() -> None:
    server = Imitation(recording(recorded(built_in())[:3]), KEY)
    assert server.respond("POST", "/v1/responses", [("api-key", "other")], b"{}").status == 401


@pytest.mark.parametrize(
    "form", ["resp_" + "0f" * 16, "call_2025306790300011", "fe1da043-2876-9377-ba15-75b595faacba", "a|b", "", "resp_"]
)
def test_a_new_id_has_the_form_of_the_old_one(form: str) -> None:
    made = id_like(form, "seed")
    assert len(made) == len(form)
    assert [letter for letter in made if not letter.isalnum()] == [letter for letter in form if not letter.isalnum()]
    assert made == id_like(form, "seed")


def test_both_kinds_of_recordings_are_refused_together(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--like", "a", "--replay", "b"])
    assert ended.value.code == 2
    assert main(["serve", "--like", str(tmp_path)]) == 2
    assert "is not a recording" in capsys.readouterr().err
