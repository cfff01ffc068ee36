"""Limits over all processes of a run: requests a minute, requests, tokens, pauses; and what is said of the rest."""

from __future__ import annotations

import contextlib
import gzip
import io
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from conformance.config.target import resolve
from conformance.decode.tokens import cost
from conformance.engine.session import Session
from conformance.exchange.exchange import WITHHELD, Chunk, Exchange, Request
from conformance.exchange.planned import OutgoingRequest
from conformance.exchange.run_directory import RunDirectory
from conformance.judge.recorded import Recorded
from conformance.judge.verdict import evaluate
from conformance.report.terminal import duration, show_plan
from conformance.scenarios.plan import Plan, uncapped
from conformance.wire import limits as module
from conformance.wire.client import Client
from conformance.wire.limits import MINUTE, Limits, Stopped
from conformance.wire.retry import wait_after
from tests.support.rawserver import Peer, RawServer
from tests.support.running import KEY, ROOT, lines_of, run
from tests.support.stub import Stub, reply
from tools.in_process import cases, context, record, target

URL = "http://127.0.0.1:9/v1"
NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


def limits(folder: Path, **options: str) -> Limits:
    """The limits of one process."""
    given = {"endpoint": URL, **{name.replace("_", "-"): value for name, value in options.items()}}
    return Limits(resolve(given, {}, "nonce", None), folder)


def answered(output_tokens: int | None, status: int | None = 200, **headers: str) -> Exchange:
    """An exchange, as recorded at :data:`NOW`, whose answer says how many output tokens it took."""
    body = b"{}" if output_tokens is None else b'{"usage": {"output_tokens": %d}}' % output_tokens
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    request = Request("POST", URL, (), b"{}")
    return Exchange("k", "s", 0, request, status, named, (Chunk(0.0, body),), "clean", "", NOW.timestamp(), 0.0)


def test_a_server_that_never_answers_is_left_alone_after_a_while(tmp_path: Path) -> None:
    first, second = (limits(tmp_path, first_byte_timeout="1") for _ in range(2))
    silent = replace(
        answered(None, None), ended="time-out", elapsed=module.MOST_STALLED * 400, detail="no answer"
    )  # In milliseconds.
    for _ in range(2):
        first.leave(0, silent)
        assert second.enter(0) == ""
    first.leave(0, silent)
    assert second.enter(0) == "limit for time-outs reached (864 s in this run)"


def test_a_model_that_may_think_for_long_is_waited_for_several_times(tmp_path: Path) -> None:
    patient = limits(tmp_path, first_byte_timeout="600")
    silent = replace(answered(None, None), ended="time-out", elapsed=600_000.0)
    for _ in range(module.MOST_SILENT):
        assert patient.enter(0) == ""
        patient.leave(0, silent)
    assert patient.enter(0) != ""


# -- requests a minute and in all -------------------------------------------------------------------------------------


def test_requests_a_minute_hold_over_processes_and_threads(tmp_path: Path) -> None:
    every = 0.04
    both = [limits(tmp_path, rpm=str(MINUTE / every)) for _ in range(2)]
    times: list[float] = []

    def work(one: Limits) -> None:
        for _ in range(3):
            assert one.enter(0) == ""
            times.append(time.monotonic())

    threads = [threading.Thread(target=work, args=(one,)) for one in both * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gaps = [after - before for before, after in zip(sorted(times), sorted(times)[1:], strict=False)]
    assert len(times) == 12
    assert sorted(times)[-1] - sorted(times)[0] >= 11 * every * 0.95
    assert sum(gap < every / 4 for gap in gaps) <= 2  # Noise of a busy machine; never a burst.


def test_workers_share_the_requests_a_minute(tmp_path: Path) -> None:
    stub = Stub()
    with stub.serve() as server:
        arguments = ("--endpoint", server.url, "--only", "lifecycle.*@*d.stream", "--rpm", str(MINUTE / 0.2))
        done = run(*arguments, "-n", "2", "--run-dir", str(tmp_path / "run"), checks=["lifecycle"])
    assert done.returncode == 0, done.stdout
    assert len(stub.times) >= 4
    assert stub.times[-1] - stub.times[0] >= 0.2 * (len(stub.times) - 1) - 0.1


def test_requests_in_all_hold_over_processes(tmp_path: Path) -> None:
    first, second = (limits(tmp_path, max_requests="3") for _ in range(2))
    assert [first.enter(0), second.enter(0), first.enter(0)] == ["", "", ""]
    assert second.enter(0) == first.enter(0) == "--max-requests (3) reached"


def test_no_limits_leave_nothing_behind(tmp_path: Path) -> None:
    assert limits(tmp_path).enter(10_000) == ""
    assert list(tmp_path.iterdir()) == []


# -- output tokens ----------------------------------------------------------------------------------------------------


def test_tokens_are_set_aside_and_settled(tmp_path: Path) -> None:
    one = limits(tmp_path, max_output_tokens="100")
    assert one.enter(60) == ""
    one.leave(60, answered(10))
    assert one.enter(91).startswith("--max-output-tokens (100) could be exceeded; 10 used, and this request may use 91")
    assert one.enter(90) == ""
    one.leave(90, answered(95))  # More than it was allowed.
    assert one.enter(0).startswith("--max-output-tokens (100) could be exceeded")


@pytest.mark.parametrize(
    ("exchange", "used"),
    [
        (answered(7), 7),
        (answered(None), 40),  # Served, and nobody knows at what price.
        (answered(None, 400), 0),
        (replace(answered(None, None), ended="time-out"), 40),
        (replace(answered(None, None), ended="unreachable"), 0),
    ],
)
def test_what_an_answer_did_cost(exchange: Exchange, used: int, tmp_path: Path) -> None:
    one = limits(tmp_path, max_output_tokens="100")
    assert one.enter(40) == ""
    one.leave(40, exchange)
    assert one.enter(100 - used) == ""
    one.leave(100 - used, answered(1))
    assert one.enter(100 - used).startswith("--max-output-tokens")


def test_what_is_under_way_elsewhere_is_waited_for(tmp_path: Path) -> None:
    first, second = (limits(tmp_path, max_output_tokens="100") for _ in range(2))
    assert first.enter(60) == ""
    got: list[str] = []
    waiting = threading.Thread(target=lambda: got.append(second.enter(60)))
    waiting.start()
    waiting.join(0.2)
    assert got == []
    first.leave(60, answered(10))
    waiting.join(5)
    assert got == [""]


_DIES = """
import os, sys
from pathlib import Path
from tests.test_limits import limits
assert limits(Path(sys.argv[1]), max_output_tokens="100").enter(60) == ""
os.kill(os.getpid(), 9)
"""


def test_what_a_dead_process_had_under_way_is_spent(tmp_path: Path) -> None:
    assert subprocess.run([sys.executable, "-c", _DIES, str(tmp_path)], cwd=ROOT, timeout=60).returncode == -9
    one = limits(tmp_path, max_output_tokens="100")
    assert one.enter(41).startswith("--max-output-tokens (100) could be exceeded; 60 used")
    assert one.enter(40) == ""


# -- waits ------------------------------------------------------------------------------------------------------------


def test_a_pause_is_for_everybody_a_wait_is_not(tmp_path: Path) -> None:
    first, second = limits(tmp_path), limits(tmp_path)
    started = time.monotonic()
    assert first.pause(30, everybody=False)
    assert second.enter(0) == ""
    assert first.pause(0.3, everybody=True)
    assert second.enter(0) == ""
    assert 0.3 <= time.monotonic() - started < 20


def test_patience_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WAITED_ON_LOOPBACK", 100.0)
    first, second = limits(tmp_path), limits(tmp_path)
    assert [one.pause(60, everybody=True) for one in (first, second, first)] == [True, True, True]  # The same minute.
    assert first.pause(30, everybody=False)
    assert not second.pause(30, everybody=False)


def test_stopping_lets_all_go_that_wait(tmp_path: Path) -> None:
    one = limits(tmp_path)
    one.pause(60, everybody=True)
    threading.Timer(0.1, one.stop).start()
    started = time.monotonic()
    with pytest.raises(Stopped):
        one.enter(0)
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    ("asked", "date", "wait"),
    [
        ("7", "", 7.0),
        (format_datetime(NOW + timedelta(seconds=9), usegmt=True), "", 9.0),
        (format_datetime(NOW + timedelta(seconds=9), usegmt=True), format_datetime(NOW + timedelta(seconds=4)), 5.0),
        ("Tuesday, 24-Nov-26 12:00:09 GMT", "", 9.0),
        ("Tue Nov 24 12:00:09 2026", "", 9.0),
        (format_datetime(NOW - timedelta(days=1), usegmt=True), "", 0.0),
        (format_datetime(NOW + timedelta(days=1), usegmt=True), "", 60.0),
        ("9" * 400, "", 60.0),
        ("soon", "", 0.2),
        ("Tue, 99 Nov 2026 99:99:99 GMT", "", 0.2),
        ("", "", 0.2),
    ],
)
def test_retry_after_in_all_its_forms(asked: str, date: str, wait: float) -> None:
    assert wait_after(answered(None, 503, Retry_After=asked, Date=date), 0) == wait


def send(url: str, limiter: Limits, tries: int = 4) -> Exchange:
    client = Client(resolve({"endpoint": url}, {}, "nonce", None), KEY, limiter)
    try:
        return client.send(OutgoingRequest("k", "s", 0, "POST", b'{"model": "m"}', "api-key", (), tries, most=10))
    finally:
        client.close()


def test_a_429_holds_all_processes_back(tmp_path: Path) -> None:
    stub = Stub(lambda number, body: reply(*((200,) if number else (429, b"{}", ("Retry-After", "1")))))
    other = limits(tmp_path)
    with stub.serve() as server:
        sending = threading.Thread(target=send, args=(server.url, limits(tmp_path)))
        sending.start()
        stub.wait_for(1)
        time.sleep(0.2)
        assert other.enter(0) == ""
        assert time.monotonic() - stub.times[0] > 0.9
        sending.join()
    assert stub.times[1] - stub.times[0] > 0.9


def test_a_used_up_limit_ends_the_tries(tmp_path: Path) -> None:
    stub = Stub(lambda number, body: reply(503))
    limiter = limits(tmp_path, max_requests="2")
    with stub.serve() as server:
        got = send(server.url, limiter)
        held = send(server.url, limiter)
    assert (got.status, [(one.status, one.waited) for one in got.attempts]) == (503, [(503, 0.2)])
    assert (held.status, held.ended, held.detail) == (None, "not-sent", WITHHELD + "--max-requests (2) reached")
    assert held.withheld
    assert len(stub.bodies) == 2


# -- what is said of it -----------------------------------------------------------------------------------------------


def test_a_run_stops_asking_and_says_what_is_open(tmp_path: Path) -> None:
    stub = Stub()
    with stub.serve() as server:
        arguments = ("--endpoint", server.url, "--max-requests", "3", "-n", "2", "--run-dir", str(tmp_path / "run"))
        done = run(*arguments, checks=["lifecycle"])
    *found, end = lines_of(tmp_path / "run")[1:]
    assert (done.returncode, len(stub.bodies), end["requests"]) == (6, 3, 3), done.stdout
    assert {one["verdict"] for one in found} <= {"pass", "inconclusive", "not-applicable"}
    opened = [one for one in found if one["verdict"] == "inconclusive"]
    assert {one["reason"] for one in opened} == {"not sent: --max-requests (3) reached"}
    assert len(opened) > 50
    assert "not sent: --max-requests (3) reached" in " ".join(done.stdout.split())


def test_tokens_of_a_run_stay_below_the_limit(tmp_path: Path) -> None:
    with Stub().serve() as server:
        here = replace(context(), target=replace(target(), endpoint=server.url, max_output_tokens=300))
        session = Session(here, RunDirectory(tmp_path), KEY)
        session.folder.create({}, "nonce", [], "either")
        session.start(cases())
        results = [evaluate(case, session.record()) for case in cases()]
        session.close()
    spent = sum(cost(one)[1] for key in session.folder.recorded() if (one := session.folder.read(key)))
    assert 0 < spent <= 300
    assert {one.verdict for one in results} == {"pass", "inconclusive", "not-applicable"}
    said = {one.reason.text.partition("; ")[0] for one in results if one.verdict == "inconclusive"}
    assert said == {"not sent: --max-output-tokens (300) could be exceeded"}


@pytest.mark.parametrize("step", [1, 3])
def test_what_was_not_asked_is_never_passed_nor_failed(step: int) -> None:
    clean = record(None)
    plan = Plan(context(), context().scenarios)
    held = set(sorted(plan.key_of.values())[::step])

    def get_or_send(key: str) -> tuple[Exchange, ...]:
        name = next(one for one, its in plan.key_of.items() if its == key)
        samples = clean.received(name).samples
        if key not in held:
            return samples
        return (*samples[:-1], replace(samples[-1], status=None, ended="not-sent", detail=WITHHELD + "held back"))

    recorded = Recorded(plan, get_or_send)
    for case in cases():
        result = evaluate(case, recorded)
        missing = [one for one in case.scenarios if recorded.received(one).exchange.withheld]
        asked = result.verdict == "pass" and case.requirement.level != "MAY"
        assert result.verdict not in ("fail", "warning"), case.id
        assert not (asked and missing), case.id


def test_what_sets_no_limit_is_set_aside_as_the_most_there_is() -> None:
    plan = Plan(context(), context().scenarios)
    free = {one.name for one in plan.scenarios if uncapped(one)}
    assert "max_output_tokens=null" in free
    built = {planned.key: outgoing for planned in plan.requests if (outgoing := planned.build([]))}
    most = {name: built[key].most for name, key in plan.key_of.items()}
    assert {most[name] for name in free} == {plan.uncapped} == {131_072}
    assert (most["text"], most["bad.malformed-json"]) == (200, 0)


def planned(**options: str) -> list[str]:
    """The lines of a plan of everything."""
    given = {"endpoint": URL, **{name.replace("_", "-"): value for name, value in options.items()}}
    here = replace(context(), target=resolve(given, {}, "nonce", None))
    writer = io.StringIO()
    show_plan(here, cases(), SimpleNamespace(line=lambda text="": writer.write(text + "\n")))
    return writer.getvalue().splitlines()


def test_the_plan_says_how_long_it_takes() -> None:
    *_, time_it_takes, free, last = planned(rpm="100")
    requests = int(last.split()[0])
    assert time_it_takes.startswith(
        f"at 100 requests a minute, 4 concurrent: {duration(requests, 100)}, with all repeated"
    )
    assert "without a valid max_output_tokens: each may cost 131,072 more tokens" in free
    assert (duration(1, 100), duration(101, 100), duration(199, 100)) == ("0 s", "1 min 1 s", "2 min 1 s")


def test_the_plan_says_what_stops_it() -> None:
    *_, free, requests, tokens, _, _ = planned(max_requests="3", max_output_tokens="9")
    assert free == "4 concurrent, without a rate limit"
    assert requests.startswith("--max-requests 3: ")
    assert tokens == "--max-output-tokens 9: requests that might exceed it are not sent"


# -- large bodies, and waits that are shortened -----------------------------------------------------------------------


def test_the_budget_for_large_bodies_holds_over_processes(tmp_path: Path) -> None:
    first, second = limits(tmp_path), limits(tmp_path)
    assert first.reserve(module.LARGE_IN_ALL - 10)
    assert second.reserve(10)
    assert not first.reserve(1)
    assert not second.reserve(1)


def test_what_does_not_fit_uses_the_budget_up(tmp_path: Path) -> None:
    one = limits(tmp_path)
    assert not one.reserve(module.LARGE_IN_ALL + 1)
    assert not one.reserve(1)


def test_a_raised_max_body_raises_the_budget(tmp_path: Path) -> None:
    assert limits(tmp_path, max_body="64000000").budget == 64_000_000
    assert limits(tmp_path, max_body="1000").budget == module.LARGE_IN_ALL


def test_large_bodies_beyond_the_budget_are_cut_and_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGE_IN_ALL", 300_000)
    body = b"[" + b"1," * 100_000 + b"1]"
    with Stub(lambda number, _: reply(200, body)).serve() as server:
        got = [send(server.url, limits(tmp_path)) for _ in range(3)]
    assert [(one.ended, len(one.body)) for one in got] == [
        ("clean", len(body)), ("oversize", module.LARGE), ("oversize", module.LARGE),
    ]  # fmt: skip
    assert got[1].detail == (
        "the body has more than 64,000 bytes, and the run's budget for large bodies (300,000) is used up"
    )  # fmt: skip


def test_what_a_compressed_body_unfolds_to_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGE_IN_ALL", 300_000)
    body = gzip.compress(bytes(250_000))
    with Stub(lambda number, _: reply(200, body, ("Content-Encoding", "gzip"))).serve() as server:
        got = [send(server.url, limits(tmp_path)) for _ in range(3)]
    assert [(one.ended, len(one.body)) for one in got] == [
        ("clean", 250_000), ("oversize", module.LARGE), ("oversize", module.LARGE),
    ]  # fmt: skip


def test_small_bodies_do_not_count(tmp_path: Path) -> None:
    with Stub(lambda number, _: reply(200, b"x" * module.LARGE)).serve() as server:
        assert send(server.url, limits(tmp_path)).ended == "clean"
    assert limits(tmp_path).reserve(module.LARGE_IN_ALL)


def test_after_some_time_outs_the_waits_of_that_kind_are_shortened(tmp_path: Path) -> None:
    first, second = limits(tmp_path), limits(tmp_path)
    for _ in range(module.ENOUGH):
        assert second.waits().of("first byte", 120.0) == (120.0, "")
        first.timed_out("first byte", 120.0, 120.0)
    seconds, why = second.waits().of("first byte", 120.0)
    assert seconds == 12.0
    assert why == " (shortened from 120 s to 12 s after 3 time-outs of this kind)"
    assert second.waits().of("idle", 30.0) == (30.0, "")


def test_shortened_waits_that_pass_do_not_count(tmp_path: Path) -> None:
    one = limits(tmp_path)
    for _ in range(module.ENOUGH):
        one.timed_out("idle", 3.0, 30.0)
    assert one.waits().of("idle", 30.0) == (30.0, "")


def test_no_wait_is_shortened_below_what_brought_responses(tmp_path: Path) -> None:
    one = limits(tmp_path)
    one.waited({"first byte": (9.0, 120.0), "total": (50.0, 180.0), "idle": (0.1, 30.0)})
    for _ in range(module.ENOUGH):
        for kind in ("first byte", "total", "idle"):
            one.timed_out(kind, 999.0, 1.0)
    waits = one.waits()
    assert (waits.of("first byte", 120.0)[0], waits.of("total", 180.0)[0]) == (36.0, 180.0)
    assert waits.of("idle", 30.0)[0] == module.SHORTEST["idle"]


def test_a_silent_server_is_waited_for_less_and_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHORTEST", {**module.SHORTEST, "first byte": 0.05})
    with contextlib.closing(RawServer(Peer.wait)) as server:
        client = Client(
            resolve({"endpoint": server.url, "first-byte-timeout": 0.6}, {}, "n", None), KEY, limits(tmp_path)
        )
        got = [client.send(OutgoingRequest("k", "s", 0, "POST", b"{}", "api-key", (), 1)) for _ in range(5)]
        client.close()
    assert [one.ended for one in got] == ["time-out"] * 5
    assert [one.elapsed >= 500 for one in got] == [True] * module.ENOUGH + [False] * 2
    assert got[-1].detail.endswith("in 0.06 s (shortened from 0.6 s to 0.06 s after 3 time-outs of this kind)")


def test_a_stream_that_stays_open_costs_no_more_than_the_wait_for_its_end(tmp_path: Path) -> None:
    one = limits(tmp_path, first_byte_timeout="1")
    long = replace(
        answered(None), ended="time-out", elapsed=module.MOST_STALLED * 2000, detail="still open 5 s after the end"
    )  # fmt: skip
    one.leave(0, long)
    assert one.enter(0) == ""
