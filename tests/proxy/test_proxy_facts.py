"""Root causes that follow from facts about the bytes, and how long a run waits for a proxy."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from both_sides import combined, problems, recorded, violated

from conformance.emulator.proxy import FAULTS
from conformance.emulator.proxy.changes import final, messages, texts
from conformance.emulator.proxy.habit import CLEAN, Context, Failure, Habit
from conformance.exchange.exchange import Chunk
from conformance.proxy import conversation, patience, steps
from conformance.proxy.connections import CANCELLED, STREAM, TRAILERS
from conformance.proxy.differences import of_requests
from conformance.proxy.evaluation import evaluate
from conformance.proxy.patience import HUNG, IDLE, IDLE_BEFORE_RETRY, Patience, hangs
from conformance.proxy.probes import probes
from conformance.proxy.records import Leg, Pair, Record, Recording
from conformance.proxy.root_causes import with_root_causes
from conformance.proxy.texts import lost_separator
from conformance.results.records import CaseRecord

LEG = Leg(0.0, "POST", "/v1/responses", (), b"{}", 200)
JSON = (("Content-Type", "application/json"),)
LATE, REFUSED = replace(LEG, status=None, ended="time-out"), replace(LEG, status=500)


def on(connection: str, client: Leg = REFUSED) -> Pair:
    """A request that failed on a connection in which the proxy left something."""
    return Pair("kite0", client, (replace(LEG, notes={"after": connection}),))


def roots(records: dict[str, tuple[str, Pair]], found: list[str]) -> list[str]:
    """The cases (``rule@probe``, a warning with ``?`` at the end) that are root causes in such a recording."""
    made = [
        Record(
            probe, {"kinds": [kind], "after": [], "served": "", "together": kind in ("silence", "concurrent")}, (pair,)
        )
        for probe, (kind, pair) in records.items()
    ]
    cases = []
    for one in found:
        rule, _, probe = one.rstrip("?").partition("@")
        verdict = "warning" if one.endswith("?") else "fail"
        cases.append(CaseRecord(one, f"proxy.{rule}", probe, "proxy", "MUST", verdict))
    return [one.id for one in with_root_causes(cases, {}, Recording({"dialect": "chat"}, tuple(made))) if not one.cause]


def test_a_proxy_without_free_places_is_one_cause() -> None:
    found = ["streaming.concurrent@concurrent.streams?", "failure.survives@stopped"]
    for last, expected in ((LATE, found[1:]), (replace(LATE, ended="unreachable"), found)):
        records = {
            "concurrent.streams": ("concurrent", Pair("kite0", LEG, (LEG,))),
            "stopped": ("stopped", Pair("", last, ())),
        }
        assert roots(records, found) == expected


def test_what_a_proxy_left_in_a_connection_is_one_cause() -> None:
    records = {
        "cancel.stream": ("cancel", Pair("kite0", LEG, (LEG,))),
        "silence.middle": ("silence", on(CANCELLED)),
        "form.crlf": ("forms", on(TRAILERS)),
        "request.parts": ("request", on(TRAILERS)),
    }
    left = ["cancel.upstream-closed@cancel.stream", "streaming.silence@silence.middle"]
    trailers = ["forms.rare-same-response@form.crlf?", "request.served@request.parts"]
    assert roots(records, [*left, *trailers]) == [left[0], trailers[1]]
    # A failure on another connection has another cause.
    records["silence.middle"] = ("silence", Pair("kite0", REFUSED, (LEG,)))
    assert roots(records, left) == left


def test_the_end_of_streams_that_a_proxy_leaves_in_connections_is_one_cause() -> None:
    records = {f"form.{at}": ("forms", on(STREAM)) for at in range(3)}
    records["cancel.stream"] = ("cancel", on(CANCELLED))
    records |= {f"request.{at}": ("request", Pair("kite0", LEG, (LEG,))) for at in range(3)}
    found = ["forms.same-response@form.0", "cancel.upstream-closed@cancel.stream", "failure.survives@form.1"]
    assert roots(records, found) == found[:1]
    # One that is served shows that the proxy reads streams to their end.
    records["form.2"] = ("forms", on(STREAM, replace(LEG, reply_headers=JSON)))
    assert roots(records, found) == found


def test_streams_that_a_proxy_mixes_are_one_cause() -> None:
    kinds = {"silence.middle": "silence", "concurrent.streams": "concurrent", "response.text": "response"}
    records = {probe: (kind, Pair("kite0", LEG, (LEG,))) for probe, kind in kinds.items()}
    found = ["response.text@silence.middle", "response.not-mixed@concurrent.streams", "response.text@response.text"]
    assert roots(records, found[:2]) == [found[1]]
    assert roots(records, found) == found


def _later(pair: Pair, began: float) -> Pair:
    return replace(pair, client=replace(pair.client, began=began))


def test_what_a_proxy_keeps_of_a_mixed_stream_is_one_cause() -> None:
    pair = Pair("kite0", LEG, (LEG,))
    records = {
        "response.text": ("response", pair),
        "concurrent.streams": ("concurrent", _later(pair, 1.0)),
        "connection.stream": ("streaming", _later(pair, 2.0)),
    }
    found = ["response.text@connection.stream", "response.not-mixed@concurrent.streams"]
    assert roots(records, found) == found[1:]
    before = [*found, "response.text@response.text"]  # An ordinary response shows it too.
    assert roots(records, before) == before


def test_a_text_that_a_proxy_keeps_for_the_next_stream_is_one_cause() -> None:
    other = replace(LEG, chunks=(Chunk(0.0, b'{"text": "kiteffffffffff"}'),))
    records = {
        "response.text": ("response", Pair("kite0", other, (LEG,))),
        "concurrent.streams": ("concurrent", Pair("kite1", other, (LEG,))),
    }
    found = ["response.text@response.text", "response.not-mixed@concurrent.streams"]
    assert roots(records, found) == found[:1]
    # Alone, a response has its own text: the streams are mixed.
    records["response.text"] = ("response", Pair("kite0", LEG, (LEG,)))
    assert roots(records, found) == found


def test_a_response_with_two_framings_is_one_cause() -> None:
    two = replace(LEG, reply_headers=(("Transfer-Encoding", "chunked"), ("Content-Length", "2")))
    records = {name: (name.partition(".")[0], Pair("kite0", two, (LEG,))) for name in ("request.string", "forms.gzip")}
    found = ["response.form@request.string", "request.served@request.string", "forms.same-response@forms.gzip"]
    assert roots(records, found) == found[:1]
    records["forms.gzip"] = ("forms", Pair("kite0", LEG, (LEG,)))
    assert roots(records, found) == [found[0], found[2]]


def test_streams_that_need_done_are_one_cause() -> None:
    kind = (("Content-Type", "text/event-stream"),)
    open_stream = replace(LEG, reply_headers=kind, chunks=(Chunk(0.0, b'data: {"type": "response.created"}\n\n'),))
    pair = Pair("kite0", open_stream, (open_stream,))
    records = {"form.no-done": ("forms", pair), "failure.early-end.stream": ("failure", pair)}
    found = ["forms.same-response@form.no-done", "failure.honest@failure.early-end.stream"]
    assert roots(records, found) == found[:1]
    done = replace(open_stream, chunks=(*open_stream.chunks, Chunk(0.0, b"data: [DONE]\n\n")))
    records["failure.early-end.stream"] = ("failure", Pair("kite0", open_stream, (done,)))
    assert roots(records, found) == found


def test_a_response_that_ends_when_another_client_disconnects_is_disturbed() -> None:
    """The record of a silence of 6 s whose response ended after 0.1 s."""
    body = (Chunk(0.0, b"data: {}\n\n"),)
    cut = replace(LEG, chunks=body, ended="cut", ended_at=100.0)
    upstream = replace(LEG, body=b'{"messages": []}', notes={"matched": True}, ended="left", ended_at=100.0)
    silent = Record("silence.head", {"kinds": ["silence"], "together": True}, (Pair("kite0", cut, (upstream,)),))
    settings = {"dialect": "chat", "upstream": "127.0.0.1:1", "silence": 6.0, "wait": 5.0, "upstream_model": "m",
                "endpoint": "http://127.0.0.1:2/v1", "started_at": 0.0, "model": "m"}  # fmt: skip

    def violations(left_at: float) -> set[str]:
        gone = Pair("kite1", replace(LEG, ended="closed", ended_at=left_at), (upstream,))
        other = Record("cancel.plain", {"kinds": ["cancel-silent"], "together": True}, (gone,))
        return set(problems(evaluate(Recording(settings, (silent, other)))))

    assert "response.not-mixed" in violations(90.0)
    assert "streaming.silence" in violations(5000.0)
    assert "response.not-mixed" not in violations(5000.0)


def test_a_proxy_that_fails_on_chunks_without_choices_is_one_cause() -> None:
    body, usage = b'{"stream": true}', (Chunk(0.0, b'data: {"choices":[],"usage":{}}'),)
    sent = replace(LEG, body=body, chunks=usage)
    records = {probe: ("forms", Pair("kite0", REFUSED, (sent,))) for probe in ("form.crlf", "response.text.stream")}
    found = ["response.finish@response.text.stream", "forms.same-response@form.crlf"]
    assert roots(records, found) == found[:1]
    records["form.done"] = ("forms", Pair("kite0", replace(LEG, reply_headers=JSON), (sent,)))
    assert roots(records, found) == found


def test_a_proxy_that_uses_the_tools_itself_is_one_cause() -> None:
    again = replace(LEG, body=b'{"call_id": "call_kite00"}')
    records = {
        "response.call": ("response", Pair("kite0", LEG, (LEG, again))),
        "response.text": ("response", Pair("kite1", LEG, (LEG,))),
    }
    found = ["request.sent-once@response.call", "response.calls@response.call", "response.text@response.text"]
    assert roots(records, found) == [found[0], found[2]]
    records["response.call"] = ("response", Pair("kite0", LEG, (LEG, LEG)))
    assert roots(records, found) == found


def _parse(ctx: Context, body: dict[str, Any]) -> dict[str, Any]:
    if any(one.get("arguments", "{}")[-1:] != "}" for one in body["output"]):
        raise Failure(502, "the arguments are no JSON")
    return body


def test_a_proxy_that_reads_the_arguments_as_json_is_one_cause() -> None:
    only = ["response.*call*", "response.text"]
    habit = replace(FAULTS["arguments-as-json"], plain=_after(FAULTS["arguments-as-json"], _parse))
    assert set(violated("chat", habit, only)) == {"response.calls"}
    # Without the other sign it is a refusal of the response.
    assert set(violated("chat", replace(CLEAN, plain=_parse), only)) == {"request.served"}


def _after(habit: Any, first: Any) -> Any:
    return lambda ctx, body: habit.plain(ctx, first(ctx, body))


def _without_separators(ctx: Context, event: dict[str, Any]) -> list[dict[str, Any]]:
    return [] if "\u2028" in str(event.get("delta")) else [event]


def test_events_that_are_lost_at_a_separator_of_lines_are_one_cause() -> None:
    habit = replace(CLEAN, events=_without_separators)
    found = violated("chat", habit, ["response.text.stream", "response.reasoning.stream"])
    assert list(found) == ["response.text"]
    assert found["response.text"].endswith("; the part that is missing contains U+2028")
    assert lost_separator("a b\u2028c d", "a d") == "U+2028"
    assert lost_separator("a b\u2028c d", "a b\nc d") == ""


def test_where_a_stream_failed_is_shown() -> None:
    found = problems(evaluate(recorded("chat", FAULTS["reads-unicode-lines"], ["response.text.stream"])))
    assert "the client's is failed: the last of the text that it received is before" in found["response.finish"]


def _as_users(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": one["content"]} if one.get("role") == "tool" else one for one in items]


def _first_call(body: dict[str, Any]) -> dict[str, Any]:
    kinds = [one["type"] for one in body["output"]]
    return {**body, "output": [one for at, one in enumerate(body["output"])
                               if one["type"] != "function_call" or "function_call" not in kinds[:at]]}  # fmt: skip


@pytest.mark.parametrize(
    ("habit", "only", "rules"),
    [
        (replace(CLEAN, sent=texts(lambda text: re.sub(r"\s+", " ", text))),
         ["request.white-space", "request.tool-results"], {"request.texts"}),
        (replace(CLEAN, sent=messages(_as_users)),
         ["request.empty-texts", "request.tool-results"], {"request.dialect"}),
        (replace(CLEAN, **final(_first_call)),
         ["response.parallel-calls*", "form.call-in-one-chunk"], {"response.calls"}),
    ],
    ids=["white-space", "results-as-messages", "one-call"],
)  # fmt: skip
def test_one_defect_is_one_cause(habit: Habit, only: list[str], rules: set[str]) -> None:
    assert set(violated("chat", habit, only)) == rules


def test_lost_parts_of_messages_and_of_results_are_one_cause() -> None:
    only = ["request.parts", "request.tool-result-parts"]
    results = FAULTS["first-part-of-results"]
    assert set(violated("responses", combined([FAULTS["first-part-only"], results]), only)) == {"request.texts"}
    both = combined([FAULTS["escapes-markup"], results])
    assert set(violated("responses", both, only)) == {"request.texts", "request.calls"}


TOOLS: list[dict[str, Any]] = [
    {"role": "user", "content": "Plan."},
    {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "Near."}]},
    {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "call_1", "output": "noon"},
    {"role": "user", "content": "Go on."},
]


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        (
            "user",
            "calls: the client sent 1, the upstream received 0; results: the client sent 1, the upstream received 0",
        ),
        ("output", "calls: the client sent 1, the upstream received 0"),
    ],
)
def test_lost_calls_are_no_other_order(kept: str, message: str) -> None:
    items = [one for one in TOOLS if kept in str(one.get("type")) or "role" in one]
    sent, received = (conversation.of_responses({"input": one}) for one in (TOOLS, items))
    (found,) = of_requests(sent, received, False)
    assert (found.rule, found.message) == ("request.calls", message)


def test_other_call_ids_are_a_cause_beside_invalid_requests() -> None:
    only = ["request.call-round-trip", "request.tool-results", "request.parts"]
    both = combined([FAULTS["renames-calls"], FAULTS["untranslated-parts"]])
    assert set(violated("chat", both, only)) == {"response.call-ids", "request.dialect"}
    assert set(violated("chat", FAULTS["last-call-alone"], only)) == {"request.calls"}


class _Time:
    """A clock that a test sets."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("waits", "hung", "body", "seconds"),
    [
        (IDLE, 0, b"", 10.0),
        (IDLE_BEFORE_RETRY, 0, b"", 20.0),
        (IDLE_BEFORE_RETRY, 1, b"", 10.0),
        (IDLE, 2, b"", 5.0),
        (IDLE, 0, b'data: {"type":"response.completed"}', 5.0),
        (IDLE, 3, b'data: {"type": "response.completed"}', 1.0),
    ],
)
def test_a_response_hangs_if_both_sides_are_silent(
    waits: float, hung: int, body: bytes, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, busy = _Time(), [False]
    monkeypatch.setattr(patience, "time", clock)
    made = Patience(5.0)
    received = bytearray(body)
    look = hangs(made, waits, received, lambda: busy[0])
    clock.now = 100.0
    assert not look()  # No response was served yet: the proxy can be starting.
    for leg in (LEG, *[replace(LATE, detail=HUNG)] * hung):
        made.note(leg)
    busy[0] = True
    clock.now = 200.0
    assert not look()
    busy[0] = False
    clock.now += seconds
    assert not look()
    clock.now += 0.1
    assert look()
    # Another response that goes on shows that the proxy serves it first.
    other = hangs(made, waits, bytearray(b"x"), lambda: True)
    assert not other()
    assert not look()


def test_the_limit_is_shorter_after_some_late_responses() -> None:
    made = Patience(5.0)
    limits = []
    for _ in range(10):
        limits.append(made.limit(30.0))
        made.note(LATE)
    assert limits == [30.0] * 3 + [5.0] * 6 + [1.0]


def test_a_slow_proxy_receives_several_requests_at_a_time() -> None:
    chosen = probes("responses")

    def made(seconds: float, matched: bool = True, kind: str = "request") -> list[Record]:
        client = replace(LEG, ended_at=1000 * seconds)
        pair = Pair("kite0", client, (replace(LEG, notes={"matched": matched}),))
        return [Record("request.string", {"kinds": [kind]}, (pair,))] * 2

    step = partial(steps.next_step, wait=5.0)
    assert len(step(chosen, made(0.2))) == 1
    assert len(step(chosen, made(2.0, matched=False))) == 1
    assert len(step(chosen, made(9.0, kind="cancel"))) == 1
    few = step(chosen, made(2.0))
    assert len(few) == 4
    assert all(probe.about["stream"] for probe in few)

    def after_few(milliseconds: float) -> list[Record]:
        late = Pair("kite0", LEG, (replace(LEG, notes={"matched": True}, began=milliseconds),))
        about = {"kinds": ["request"], "together": True}
        return [*made(2.0), *[Record(probe.name, about, (late,)) for probe in few]]

    left = [probe for probe in chosen if probe not in few]
    several = step(left, after_few(900.0))
    assert len(several) > 8
    assert [probe.name for probe in step(left, after_few(1100.0))] == [left[0].name]
    held = chosen[next(at for at, one in enumerate(chosen) if one.name == "streaming.text") :]
    assert len(step(held, after_few(900.0))) == 6
    assert len(step(held, after_few(1100.0))) == len(step(held, [*after_few(900.0), *made(6.0)])) == 1
    full = Record("request.string", {"kinds": ["request"]}, (Pair("kite0", replace(LEG, status=429), ()),))
    assert steps.are_refused([full, full])
    assert not steps.are_refused([full])
    assert steps.are_refused([full, replace(full, pairs=(Pair("kite0", LATE, ()),))])
    assert not steps.are_refused(made(2.0))
