"""A contract of another service runs as it is: nothing of MiMo's stands in the checks, the scenarios or the client.

The made-up contract has another base path, way to authenticate, model, effort values (none turns thinking off), limits,
sizes, form of an error, and one event type more.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from conformance.config.target import Misconfigured, resolve
from conformance.contract.completeness import gaps
from conformance.contract.revisions import contracts
from conformance.emulator import Behaviour, serve
from conformance.emulator.event_edits import cut, events, put
from conformance.emulator.hooks import fault
from conformance.emulator.request_hooks import forgive
from conformance.engine.session import Session, run_head
from conformance.exchange.run_directory import RunDirectory
from conformance.judge.cases import all_cases, context_of
from conformance.judge.verdict import Result, evaluate
from tests.support import lumen
from tests.support.lumen import LANGUAGE, languages
from tools.in_process import KEY, record_of


@cache
def results(*faults: Behaviour) -> tuple[Result, ...]:
    """The results of all cases against an endpoint with these faults."""
    recorded = record_of(lumen.context(), endpoint=lumen.endpoint(*faults))
    return tuple(evaluate(case, recorded) for case in all_cases(lumen.context()))


def failed(*faults: Behaviour) -> Mapping[str, str]:
    """The rules that are violated, each with its first message."""
    bad = [one for one in results(*faults) if one.verdict in ("fail", "warning")]
    return {one.case.rule: one.findings[0].message for one in reversed(bad)}


def test_the_contract_is_whole() -> None:
    assert gaps(lumen.contract()) == []


def test_a_conformant_endpoint_fails_nothing() -> None:
    assert failed() == {}
    verdicts = [one.verdict for one in results()]
    assert set(verdicts) == {"pass", "not-applicable"}
    assert verdicts.count("pass") > 3000


def test_its_own_values_are_sent() -> None:
    context = lumen.context()
    sent = {one.name: one for one in context.scenarios.values()}
    assert sent["text"].body == {"max_output_tokens": 220, "input": sent["text"].body["input"]}
    assert sent["effort.deep"].body["reasoning"] == {"effort": "deep"}
    assert {name for name in sent if name.startswith("effort.") and not name.endswith(".stream")} == {
        "effort.brief", "effort.deep", "effort.default",
    }  # fmt: skip
    assert {one.auth.partition(":")[0] for one in sent.values()} == {
        "token", "none", "lower-header", "lower-scheme", "other-scheme", "no-scheme",
    }  # fmt: skip
    ours = [one for one in sent.values() if "captured" not in one.tags]  # Clients say what they say.
    bodies = " ".join(f"{one.body} {one.raw_for(context.target.model)!r}" for one in ours)
    assert "mimo" not in bodies.lower()
    assert "${" not in bodies
    assert '"effort": "none"' not in bodies
    assert context.schemas.most_output_tokens == lumen.MOST


def test_the_rules_of_its_own_event_type_pass_on_evidence() -> None:
    passed = {one.case.id for one in results() if one.verdict == "pass" and one.examined}
    assert {f"event.seen.{LANGUAGE}@text.stream", f"event.{LANGUAGE}.schema@streams"} <= passed


def moved(step: int) -> Behaviour:
    """Sends the language event so many events later."""
    return fault(
        "lumen.moved", "Sends it elsewhere.",
        events=languages(lambda stream, at: _inserted([*stream[:at], *stream[at + 1 :]], at + step, stream[at])),
    )  # fmt: skip


def _inserted(stream: list[lumen.Event], at: int, event: lumen.Event) -> list[lumen.Event]:
    return [*stream[:at], event, *stream[at:]]


def before_its_part(stream: list[lumen.Event], at: int) -> list[lumen.Event]:
    """Sends the language event ahead of the part that it is about."""
    opened = max(place for place in range(at) if stream[place]["type"] == "response.content_part.added")
    return _inserted([*stream[:at], *stream[at + 1 :]], opened, stream[at])


def of_reasoning(stream: list[lumen.Event], at: int) -> list[lumen.Event]:
    """Sends the language event of a message with the place of the reasoning before it."""
    place = {"item_id": stream[2]["item"]["id"], "output_index": 0}
    if stream[2]["item"]["type"] != "reasoning":
        return stream
    closed = next(at for at, one in enumerate(stream) if one["type"] == "response.content_part.done")
    return _inserted([*stream[:at], *stream[at + 1 :]], closed, {**stream[at], **place})


FAULTS = {
    "never sent": (
        fault("lumen.none", "Never names a language.", events=languages(lambda one, at: one[:at] + one[at + 1 :])),
        {f"event.seen.{LANGUAGE}": f"the stream contains no {LANGUAGE}"},
    ),
    "without its member": (
        fault("lumen.bare", "Names no language.", events=events(cut("language"), "output_text.language")),
        {f"event.{LANGUAGE}.schema": "/language is missing"},
    ),
    "after its part": (
        moved(1),
        {"lifecycle.deltas-before-done": f"{LANGUAGE} follows the content_part.done of its part"},
    ),
    "after its item": (
        moved(2),
        {"lifecycle.nothing-after-item-closed": f"{LANGUAGE} uses output_index 0 after its output_item.done"},
    ),
    "before its part": (
        fault("lumen.early", "Names it too early.", events=languages(before_its_part)),
        {"lifecycle.part-opened-before-use": f"{LANGUAGE} precedes the content_part.added of its part"},
    ),
    "of another item": (
        fault("lumen.stray", "Gives another index.", events=events(put(output_index=7), "output_text.language")),
        {"identity.index-belongs-to-item": "belongs to output_index 0, not 7"},
    ),
    "of an item of another type": (
        fault("lumen.thought", "Names the language of a thought.", events=languages(of_reasoning)),
        {"identity.event-fits-item": f"{LANGUAGE}: output_index 0 is an item of type reasoning"},
    ),
    "errors in another form": (
        fault("lumen.error", "Refuses as MiMo does.", reply=lambda ctx, one: one if ctx.served else one.saying(
            one.body.decode().replace('"fault":', '"error":').replace('"reason":', '"message":'))),
        {"error.envelope": "/fault is missing"},
    ),
    "an error under 200": (
        fault("lumen.ok", "Refuses under 200.", reply=lambda ctx, reply: reply if ctx.served else reply.coded(200)),
        {"error.real-status": "an error body with HTTP 200"},
    ),
    "an effort is refused": (
        fault("lumen.effort", "Knows no deep thinking.", validate=lambda ctx, refusal: refusal or (
            lumen.refusal("reasoning.effort") if "deep" in str(ctx.body.get("reasoning")) else None)),
        {"effort.deep-accepted": "received HTTP 400: Param Incorrect / reasoning.effort is not supported"},
    ),
    "any token is accepted": (
        fault("lumen.open", "Looks at no key.", auth=lambda _, refusal: None),
        {"auth.wrong-bearer-refused": "received HTTP 200", "auth.missing-key-refused": "received HTTP 200"},
    ),
    "the limit of another contract": (
        fault("lumen.most", "Allows more tokens.", validate=forgive(lambda why: "65536" in why)),
        {"request.out-of-range-refused": "received HTTP 200 for an invalid request"},
    ),
    "a model that nearly exists": (
        fault("lumen.model", "Guesses the model.", validate=lambda ctx, refusal: None if (
            ctx.body.get("model") == "lumen-1-m") else refusal),
        {"request.unknown-model": "received HTTP 200"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_reported(name: str) -> None:
    fault, said = FAULTS[name]
    found = failed(fault)
    for rule, message in said.items():
        assert message in found.get(rule, f"not reported; reported are {found}")


def test_a_run_over_the_wire_passes(tmp_path: Path) -> None:
    with serve(lumen.endpoint()) as server:
        assert server.url.endswith("/llm/api")
        target = lumen.target(server.url)
        folder = RunDirectory(tmp_path / "run")
        folder.create(run_head(target, "live").to_json(), target.nonce, [], "either", False)
        session = Session(context_of(target), folder, KEY)
        try:
            chosen = [one for one in all_cases(session.context) if one.id.endswith(("@text", "@text.stream"))]
            session.start(chosen)
            verdicts = {case.id: evaluate(case, session.record()).verdict for case in chosen}
        finally:
            session.close()
    assert set(verdicts.values()) <= {"pass", "not-applicable"}
    assert verdicts[f"event.seen.{LANGUAGE}@text.stream"] == "pass"


def test_settings_name_its_own_values() -> None:
    family = contracts(lumen.contract().folder.parent)
    for options, said in (
        ({"revision": "2026-06-24"}, "revision '2026-06-24' is not known; known: 1"),
        ({"endpoint": "http://h/llm/api/responses"}, "give the base before it, the one that ends in /llm/api"),
        ({"endpoint": "h"}, "is not a URL such as http://127.0.0.1:8080/llm/api"),
    ):
        with pytest.raises(Misconfigured) as caught:
            resolve(options, {}, "0", None, family)
        assert said in str(caught.value)
    target = resolve({"endpoint": "https://h.example/llm/api"}, {}, "0", None, family)
    assert (target.model, target.api_key_env, target.rpm) == ("lumen-1", "LUMEN_KEY", 20)
