"""An endpoint in the dialect of a recorded one: its own run shows the same facts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from conformance.cli import main
from conformance.emulator import Endpoint
from conformance.emulator.faults import FAULTS
from conformance.emulator.hooks import combine
from conformance.emulator.variants import VARIANTS
from conformance.exchange.exchange import Exchange
from conformance.results.facts import differences, facts
from conformance.scenarios.plan import Plan
from conformance.wire.alike import Alike
from conformance.wire.dialect import alike
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
    again = recorded(Alike(recording(original), KEY))
    # Which key an exchange in process was sent with is not recorded.
    changed = [one for one in differences(facts(original), facts(again)) if not one[0].startswith("outcome auth.")]
    assert changed == []
    ids = [json.loads(one.body)["id"] for one in (*original, *again) if one.ok and one.body.startswith(b"{")]
    assert len(set(ids)) == len(ids)


def test_a_request_that_was_not_recorded_is_answered_in_the_dialect() -> None:
    few = [
        one for one in recorded(built_in(*DIALECTS["framing"], *DIALECTS["members"])) if one.scenario == "text.stream"
    ]
    server = Alike(recording(few), KEY)
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


def test_a_wrong_key_is_refused() -> None:
    server = Alike(recording(recorded(built_in())[:3]), KEY)
    assert server.respond("POST", "/v1/responses", [("api-key", "other")], b"{}").status == 401


@pytest.mark.parametrize(
    "form", ["resp_" + "0f" * 16, "call_2025306790300011", "fe1da043-2876-9377-ba15-75b595faacba", "a|b", "", "resp_"]
)
def test_a_new_id_has_the_form_of_the_old_one(form: str) -> None:
    made = alike(form, "seed")
    assert len(made) == len(form)
    assert [letter for letter in made if not letter.isalnum()] == [letter for letter in form if not letter.isalnum()]
    assert made == alike(form, "seed")


def test_both_kinds_of_recordings_are_refused_together(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--like", "a", "--replay", "b"])
    assert ended.value.code == 2
    assert main(["serve", "--like", str(tmp_path)]) == 2
    assert "is not a recording" in capsys.readouterr().err
