"""One defect of a proxy is one cause, and independent defects stay visible."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from both_sides import combined, problems, recorded, violated

from conformance.emulator.proxy import FAULTS
from conformance.emulator.proxy.changes import deltas
from conformance.emulator.proxy.habit import CLEAN
from conformance.proxy import conversation
from conformance.proxy.differences import of_requests
from conformance.proxy.evaluation import evaluate
from conformance.proxy.root_causes import with_root_causes
from conformance.results.records import CaseRecord, FindingRecord

#: Ordinary requests and responses, forms, and failures.
PROBES = ["request.*", "response.*", "form.*", "silence.*", "failure.[45]*", "failure.after*"]


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("loses-events", "response.text"),
        ("repeats-events", "response.text"),
        ("sizes-in-characters", "response.form"),
        ("no-last-chunk", "response.form"),
        ("last-items-alone", "request.roles-and-order"),
        ("errors-are-400", "failure.server-error-kept"),
        ("empty-output", "response.text"),
        ("lengths-in-characters", "request.served"),
    ],
)
def test_one_defect_is_one_cause_in_all_probes(name: str, rule: str) -> None:
    assert list(violated("responses", FAULTS[name], PROBES)) == [rule]


@pytest.mark.parametrize(
    ("names", "rules"),
    [
        (("loses-events", "escapes-markup"), {"response.text", "request.texts"}),
        (("no-last-chunk", "drops-top-p"), {"response.form", "request.parameters"}),
        (("last-items-alone", "flattens-schemas"), {"request.roles-and-order", "request.tools"}),
        (("errors-are-400", "reads-space"), {"failure.server-error-kept", "forms.same-response"}),
        (("empty-output", "requires-tools"), {"response.text", "request.parameters"}),
    ],
)
def test_independent_defects_stay_visible(names: tuple[str, str], rules: set[str]) -> None:
    assert set(violated("responses", combined(FAULTS[one] for one in names), PROBES)) == rules


@pytest.mark.parametrize("name", ["reads-space", "reads-chunks"])
def test_the_form_that_a_proxy_cannot_read_is_no_fault_of_concurrency(name: str) -> None:
    assert set(violated("chat", FAULTS[name], ["form.*", "concurrent.*"])) == {"forms.same-response"}


def test_arguments_without_deltas_are_not_also_buffered() -> None:
    habit = replace(CLEAN, events=deltas("function_call_arguments", lambda text: None))
    assert set(violated("chat", habit, ["response.call.stream", "streaming.arguments"])) == {"sum.arguments-deltas"}


@pytest.mark.parametrize(("status", "follows"), [(401, True), (503, False)])
def test_a_lock_after_failures_refuses_requests_after_cancelled_ones(status: int, follows: bool) -> None:
    recording = recorded("responses", CLEAN, ["request.string"])
    cases = [
        CaseRecord(name, name.partition("@")[0], name.partition("@")[2], "proxy", "MUST", "fail",
                   findings=(FindingRecord(f"received HTTP {got}", got=got),))
        for name, got in (("proxy.failure.survives@failure.after", 401), ("proxy.cancel.next-served@cancel", status))
    ]  # fmt: skip
    assert bool(with_root_causes(cases, {}, recording)[1].cause) is follows


def test_a_proxy_that_stops_serving_ends_the_run() -> None:
    started_at = time.monotonic()
    recording = recorded("responses", FAULTS["hangs-after-failure"], ["request.string", "failure.*"], limit=1.5)
    found = problems(evaluate(recording))
    assert time.monotonic() - started_at < 20
    assert [rule for rule in found if not rule.startswith("?")] == ["failure.survives"]
    last = recording.records[-1]
    assert (last.probe, last.about["left"] > 20) == ("stopped", True)
    assert f"stopped serving after {last.about['served']}: the request of {last.about['after'][0]}" in "".join(
        found.values()
    )


def test_a_key_that_the_profile_passes_through_can_be_quoted() -> None:
    """The upstream received the client's key: an error that quotes it shows nobody else's."""
    passing = replace(FAULTS["passes-key"], settings={"hides_key": False})
    assert problems(evaluate(recorded("responses", passing, ["failure.quoted-key*"], passes_key=True))) == {}


@pytest.mark.parametrize(
    ("sent", "received", "rules"),
    [
        (None, None, []),
        (None, False, []),
        (None, True, []),
        (False, None, []),
        (True, True, []),
        (True, None, ["request.strict"]),
        (True, False, ["request.tools"]),
        (False, True, ["request.tools"]),
    ],
)
def test_strict_of_a_tool(sent: bool | None, received: bool | None, rules: list[str]) -> None:
    def body(strict: bool | None) -> conversation.Conversation:
        tool = {"type": "function", "name": "f", "parameters": {"type": "object"}}
        tools = [tool if strict is None else {**tool, "strict": strict}]
        return conversation.of_responses({"input": "x", "tools": tools})

    assert [one.rule for one in of_requests(body(sent), body(received), True)] == rules


@pytest.mark.parametrize(
    ("rule", "message", "actual", "follows"),
    [
        ("texts", "assistant turn 2: the client sent 9 characters, the upstream received none", "user, user", True),
        ("texts", "user turn 1: the client sent 9 characters, the upstream received none", "user, user", False),
        ("texts", "assistant turn 2: the client sent 9 characters, the upstream received none", "tool, user", False),
        ("calls", "calls: the client sent 1, the upstream received 0; results: the client sent 1, the upstream "
         "received 0", "user", True),
        ("calls", "calls: the client sent 1, the upstream received 0; results: the client sent 1, the upstream "
         "received 0", "assistant, tool, user", False),
    ],
)  # fmt: skip
def test_turns_without_their_content_follow_from_missing_ones(
    rule: str, message: str, actual: str, follows: bool
) -> None:
    """A proxy that drops the messages of a role keeps the turn where it has calls."""
    recording = recorded("responses", CLEAN, ["request.string"])
    expected = "user, assistant, tool, assistant" if rule == "calls" else "user, assistant, user"
    expected = expected if actual != "tool, user" else actual
    messages = {
        "proxy.request.roles-and-order@request.history": f"the turns are in the order {actual}, expected {expected}",
        f"proxy.request.{rule}@request.x": message,
    }
    cases = [
        CaseRecord(name, *name.split("@"), "proxy", "MUST", "fail", findings=(FindingRecord(says),))
        for name, says in messages.items()
    ]
    assert bool(with_root_causes(cases, {}, recording)[1].cause) is follows


@pytest.mark.parametrize(("status", "follows"), [(503, True), (401, False)])
def test_a_failure_that_a_proxy_does_not_report_is_one_cause_with_the_same_one_alone(
    status: int, follows: bool
) -> None:
    recording = recorded("responses", CLEAN, ["request.string"])
    messages = {
        "proxy.failure.survives@failure.once-503": "the stream after failures of the upstream did not complete",
        f"proxy.failure.honest@failure.{status}.stream": f"the upstream responded with {status}, and the stream ended",
    }
    cases = [
        CaseRecord(name, *name.split("@"), "proxy", "MUST", "fail", findings=(FindingRecord(says),))
        for name, says in messages.items()
    ]
    assert bool(with_root_causes(cases, {}, recording)[0].cause) is follows
