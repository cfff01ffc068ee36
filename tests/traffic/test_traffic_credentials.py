"""Credentials in traffic: they change no verdict, what is stored gives the verdicts of the original, and many of them
cost no more time than few."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.exchange.exchange import Chunk, Exchange
from conformance.exchange.redaction import echoes, redacted
from conformance.traffic.captured import Captured
from conformance.traffic.evaluation import Evaluation, evaluate_captures
from conformance.traffic.har import read_har
from tests.support import forked
from tests.support.lines import command
from tests.support.traffic import KEY, broken, entry, evaluated, har, received, responses
from tools.in_process import NOW, target

#: A word of the responses that stands whole in a delta.
WORDS = b"river"

#: The clock of the in-process endpoint: what its responses say in ``created_at``.
CLOCK = str(int(NOW))


def with_headers(exchange: Exchange, *headers: tuple[str, str], writer: str = "chrome") -> dict[str, Any]:
    """A HAR entry whose request has these private headers and no others."""
    made = entry(exchange, writer)
    usual = [one for one in made["request"]["headers"] if one["name"].lower() not in ("authorization", "cookie")]
    made["request"]["headers"] = usual + [{"name": name, "value": value} for name, value in headers]
    return made


def verdicts(found: Evaluation) -> dict[str, tuple[str, int]]:
    return {line.id: (line.verdict, len(line.findings)) for line in found.cases}


# -- captures ----------------------------------------------------------------------------------------------------------

TWENTY = "; ".join(f"c{number}={hashlib.sha256(b'%d' % number).hexdigest() * 2}" for number in range(20))

HARMLESS = {
    "a cookie with unix time": ("Cookie", f"__cf_bm=j6QvrSrMaY8DVT0aPd.Ez-{CLOCK}-1.0.1.1-lBPz1LxcSyn7Q3Z"),
    "an analytics cookie": ("Cookie", f"_ga_ABCDEF=GS2.1.s{CLOCK}$o1$g1$t{CLOCK}$j60$l0$h0"),
    "a cookie that is the time": ("Cookie", f"started={CLOCK}; n=00000000"),
    "twenty cookies": ("Cookie", TWENTY),
    "a key with the time": ("Authorization", f"Bearer sk-local-{CLOCK}"),
    "a key that is the time": ("api-key", f"{CLOCK}000000"),
    "a key of counted digits": ("Authorization", "Bearer sk-0123456789abcdef"),
    "a key of a row": ("api-key", "sk-0a1b2c3d4e5f6071"),
    "a key of words": ("Authorization", "Bearer response.output_text.delta-assistant-completed"),
    "a token that names its type": ("Authorization", "Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJhIjoxfQ.Zk3p"),
    "a request id": ("idempotency-key", "1234567890123456"),
}

SAID = "Dial 0123456789abcde, 1234567890123456 or resp_0a1b2c3d4e5f6071829; eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."


@pytest.mark.parametrize("scenario", ["text", "text.stream"])
@pytest.mark.parametrize("name", HARMLESS)
def test_a_credential_changes_no_verdict(name: str, scenario: str, tmp_path: Path) -> None:
    whole = received(scenario)
    # The same in every delta, done, part, item and Response, so that the sums stay right.
    body = whole.body.replace(WORDS, SAID.encode())
    whole = replace(whole, chunks=(Chunk(1.0, body),))
    plain = read_har(har(tmp_path / "plain.har", with_headers(whole)))
    marked = read_har(har(tmp_path / "marked.har", with_headers(whole, HARMLESS[name])))
    assert marked.captured[0].exchange.body == body
    expected, found = (evaluate_captures(one.captured, target(), one.secrets) for one in (plain, marked))
    assert verdicts(found) == verdicts(expected)
    assert (broken(found), found.unjudged) == (set(), {})


@pytest.mark.parametrize("scenario", ["text", "text.stream"])
@pytest.mark.parametrize(
    "way",
    [str, lambda key: base64.b64encode(key.encode()).decode(), lambda key: key.encode().hex(), lambda key: key[:-3]],
)  # fmt: skip
def test_an_echo_is_still_red(way: Callable[[str], str], scenario: str, tmp_path: Path) -> None:
    key = "sk-9fQ2mXv7Lr4TzW8kHd3N"
    whole = received(scenario)
    whole = replace(whole, chunks=(Chunk(1.0, whole.body.replace(WORDS, f"river {way(key)}".encode())),))
    read = read_har(har(tmp_path / "a.har", with_headers(whole, ("Authorization", f"Bearer {key}"))))
    found = evaluate_captures(read.captured, target(), read.secrets)
    assert broken(found) == {"auth.key-never-echoed"}
    assert way(key) not in json.dumps([[one.to_json(), found.text(one)] for one in found.cases])


# -- what is stored gives the same verdicts ----------------------------------------------------------------------------

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

keys = st.one_of(
    st.text(alphabet="0123456789abcdef", min_size=16, max_size=40).map(lambda one: f"sk-{one}"),
    st.text(alphabet=LETTERS, min_size=20, max_size=48),
    st.text(alphabet=LETTERS + "-_.+/=~!$", min_size=20, max_size=40),
    st.text(alphabet="123456789", min_size=12, max_size=30),
    st.text(alphabet="0123456789eE+-.", min_size=16, max_size=30),
    st.sampled_from([f"sk-{CLOCK}-{CLOCK}", "sk-0123456789abcdef", "response.completed", "in_progress"]),
)  # fmt: skip

ways: dict[str, Callable[[str], str]] = {
    "raw": lambda key: json.dumps(key)[1:-1],
    "part": lambda key: json.dumps(key[2:-2])[1:-1],
    "upper": lambda key: json.dumps(key.upper())[1:-1],
    "escaped": lambda key: "".join(f"\\u{ord(one):04x}" for one in key),
    "base64": lambda key: base64.b64encode(key.encode()).decode(),
    "hex": lambda key: key.encode().hex(),
    "percent": lambda key: "".join(f"%{ord(one):02X}" for one in key),
}

places: dict[str, Callable[[bytes, str], bytes]] = {
    "the text": lambda body, said: body.replace(WORDS, said.encode()),
    "one delta": lambda body, said: body.replace(b'"delta":"', f'"delta":"{said}'.encode(), 1),
    "over deltas": lambda body, said: _over_deltas(body, said),
    "the id": lambda body, said: body.replace(b'"resp_', f'"resp_{said}'.encode()),
    "one id": lambda body, said: body.replace(b'"resp_', f'"resp_{said}'.encode(), 1),
    "item ids": lambda body, said: body.replace(b'"msg_', f'"{said}'.encode()),
    "a member": lambda body, said: body.replace(b'"object":', f'"{said}":1,"object":'.encode()),
    "a type": lambda body, said: body.replace(b'"response.in_progress"', f'"{said}"'.encode(), 1),
    "the time": lambda body, said: body.replace(b'"created_at":', f'"created_at":{_digits(said)}'.encode()),
    "a count": lambda body, said: body.replace(b'"output_tokens":', f'"output_tokens":{_digits(said)}'.encode()),
    "outside of JSON": lambda body, said: said.encode() + body,
}


def _digits(said: str) -> str:
    return "".join(one for one in said if one in "123456789")


def _over_deltas(body: bytes, said: str) -> bytes:
    pieces = [said[at : at + 6] for at in range(0, len(said), 6)] if "\\u" in said else list(said)
    for piece in pieces:
        body = body.replace(b'"delta":"', b'"DELTA":"' + piece.encode(), 1)
    return body.replace(b'"DELTA":"', b'"delta":"')


@cache
def usual(scenario: str) -> Exchange:
    return received(scenario)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    key=keys,
    scenario=st.sampled_from(["text", "text.stream"]),
    held=st.lists(st.tuples(st.sampled_from(sorted(ways)), st.sampled_from(sorted(places))), min_size=1, max_size=3),
)
def test_what_is_stored_gives_the_verdicts_of_the_original(
    key: str, scenario: str, held: list[tuple[str, str]]
) -> None:
    whole = usual(scenario)
    body = whole.body
    for way, place in held:
        body = places[place](body, ways[way](key))
    headers = (*whole.headers, ("x-said", key), (f"x-{_digits(key)}", "1"))
    middle = len(body) // 2
    original = replace(whole, headers=headers, chunks=(Chunk(1.0, body[:middle]), Chunk(2.0, body[middle:])))
    original = replace(original, leaks=echoes(original.headers, original.chunks, [key]))
    stored = redacted(original, [key])
    assert [len(one.data) for one in stored.chunks] == [len(one.data) for one in original.chunks]
    assert verdicts(evaluated([Captured("one", stored)])) == verdicts(evaluated([Captured("one", original)]))
    if _is_strong(key):
        assert key.lower().encode() not in stored.body.lower()
        assert key not in repr(stored.headers)


def _is_strong(key: str) -> bool:
    return not all(one.isalpha() or one in "._" for one in key)  # Those may be words of the contract.


# -- what it costs -----------------------------------------------------------------------------------------------------


def crowd(path: Path, number: int, cookies: int) -> Path:
    """A HAR of so many exchanges, each with a key and cookies of its own; of none where ``cookies`` is 0."""
    whole = responses("text.stream")[0]
    entries = []
    for place in range(number):
        own = [hashlib.sha256(f"{place} {one}".encode()).hexdigest() for one in range(cookies + 1)]
        jar = "; ".join(f"c{one}={value * 2}" for one, value in enumerate(own[1:]))
        private = [("Authorization", f"Bearer sk-{own[0]}"), ("Cookie", jar)] if cookies else []
        entries.append(with_headers(whole, *private))
        # Else they would be one exchange that was captured many times.
        entries[-1]["startedDateTime"] = datetime.fromtimestamp(NOW + place, UTC).isoformat()
    return har(path, *entries)


def judge_seconds(path: Path) -> float:
    """Seconds of CPU that the command takes; the least of three times."""
    taken = []
    for _ in range(3):
        before = time.process_time()
        assert command("judge", str(path)).returncode == 1  # All have one id.
        taken.append(time.process_time() - before)
    return min(taken)


def test_credentials_cost_little_time_however_many(tmp_path: Path) -> None:
    without = judge_seconds(crowd(tmp_path / "none.har", 100, 0))
    # About 1.7 times, 2.3 on a busy machine, with 40 as with 20 for each exchange: it does not grow with their number.
    assert judge_seconds(crowd(tmp_path / "many.har", 100, 20)) < 5 * without


def test_time_grows_with_the_number_of_exchanges_and_not_with_its_square(tmp_path: Path) -> None:
    def seconds(number: int) -> float:
        path = crowd(tmp_path / f"{number}.har", number, 5)
        started = time.process_time()
        read = read_har(path)
        evaluate_captures(read.captured, target(), read.secrets)
        return time.process_time() - started

    seconds(10)
    assert seconds(400) < 12 * seconds(100)  # 4 times, where nothing else runs; its square would be 16.


def test_all_that_is_written_of_traffic_is_redacted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from conformance.cli import main

    whole = received("text.stream")
    body = whole.body.replace(WORDS, KEY.encode()).replace(b'"response.in_progress"', b'"response.%b"' % KEY.encode())
    made = entry(replace(whole, chunks=(Chunk(1.0, body),)), "mitmproxy")
    sent = json.loads(made["request"]["postData"]["text"]) | {"model": KEY}
    made["request"]["postData"]["text"] = json.dumps(sent)
    path = har(tmp_path / "a.har", made)
    assert main(["judge", str(path), "--results", str(tmp_path / "results.jsonl")]) == 1
    assert main(["judge", str(path), "--json"]) == 1
    said = capsys.readouterr().out + (tmp_path / "results.jsonl").read_text(encoding="utf-8")
    assert KEY not in said
    assert KEY[-8:] not in said


# -- headers that a profile names --------------------------------------------------------------------------------------


def test_a_header_that_a_profile_names_holds_a_key(tmp_path: Path) -> None:
    secret = "gw-5Q7rT2mZ9xKc4LpB"
    whole = received("text")
    body = whole.body.replace(b'"metadata":null', b'"metadata":{"seen":"%s"}' % secret.encode())
    assert secret.encode() in body
    file = har(tmp_path / "a.har", with_headers(replace(whole, chunks=(Chunk(1.0, body),)), ("X-Gateway", secret)))
    profile = tmp_path / "target.toml"
    profile.write_text('[profile]\ncredential_headers = ["X-Gateway"]\n')
    words = ["conformance", "judge", str(file), "--json"]
    plain = forked.run(words)
    named = forked.run([*words, "--target", str(profile)])
    failed = [json.loads(line) for line in named.stdout.splitlines() if '"verdict": "fail"' in line]
    assert (plain.returncode, named.returncode) == (0, 1), named.stderr
    assert {line["requirement"] for line in failed} == {"auth.key-never-echoed"}
    assert secret not in named.stdout
    profile.write_text('[profile]\ncredential_headers = "X-Gateway"\n')
    wrong = forked.run([*words, "--target", str(profile)])
    assert wrong.returncode == 2
    assert wrong.stderr.count("\n") == 1
