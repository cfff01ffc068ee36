"""The wire record: any bytes survive its JSON form, and content codings are undone chunk by chunk."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.exchange import exchange as module
from conformance.exchange.exchange import FORMAT, Attempt, Chunk, Exchange, Headers, Request, decode, from_json, to_json

PLAIN = Exchange(
    key="k",
    scenario="s",
    sample=0,
    request=Request("POST", "http://127.0.0.1/v1/responses", (("api-key", "$MIMO_API_KEY"),), b"{}"),
    status=200,
    headers=(),
    chunks=(),
    ended="clean",
    detail="",
    sent_at=1.5,
    elapsed=2.5,
)

PIECES = (b"data: one\n\n", b"data: two", b"\n\ndata: three\n\n")

milliseconds = st.integers(0, 10**7).map(lambda number: number / 1000)
ends = st.sampled_from(["clean", "cut", "reset", "time-out", "oversize", "invalid", "unreachable", "not-sent"])
pairs = st.lists(st.tuples(st.text(), st.text()), max_size=3).map(tuple)
exchanges = st.builds(
    Exchange,
    key=st.text(),
    scenario=st.text(),
    sample=st.integers(0, 9),
    request=st.builds(Request, st.sampled_from(["GET", "POST"]), st.text(), pairs, st.binary()),
    status=st.none() | st.integers(100, 999),
    headers=pairs,
    chunks=st.lists(st.builds(Chunk, milliseconds, st.binary()), max_size=4).map(tuple),
    ended=ends,
    detail=st.text(),
    sent_at=milliseconds,
    elapsed=milliseconds,
    leaks=st.lists(st.text(), max_size=2).map(tuple),
    attempts=st.lists(st.builds(Attempt, st.none() | st.integers(100, 599), ends, milliseconds), max_size=2).map(tuple),
)


def answered(*headers: tuple[str, str], chunks: tuple[Chunk, ...] = ()) -> Exchange:
    return replace(PLAIN, headers=headers, chunks=chunks)


def packed(wbits: int, pieces: tuple[bytes, ...] = PIECES) -> tuple[Chunk, ...]:
    """The pieces compressed as one body, each flushed into a chunk of its own."""
    engine = zlib.compressobj(wbits=wbits)
    data = [engine.compress(piece) + engine.flush(zlib.Z_SYNC_FLUSH) for piece in pieces]
    data[-1] += engine.flush()
    return tuple(Chunk(10.0 * place, one) for place, one in enumerate(data))


@given(exchanges)
def test_json_form_holds_everything(exchange: Exchange) -> None:
    assert from_json(json.loads(json.dumps(to_json(exchange)))) == exchange


@given(st.binary())
def test_any_bytes_survive(data: bytes) -> None:
    sent = replace(PLAIN, request=replace(PLAIN.request, body=data), chunks=(Chunk(0.0, data),))
    again = from_json(json.loads(json.dumps(to_json(sent), ensure_ascii=False)))
    assert (again.request.body, again.body) == (data, data)


def test_text_stays_readable_in_the_json_form() -> None:
    document = to_json(answered(chunks=(Chunk(1.0, "häh\u2028".encode()), Chunk(2.0, b"\xff"))))
    assert document["chunks"] == [[1.0, "häh\u2028"], [2.0, {"base64": "/w=="}]]
    assert document["format"] == FORMAT


@pytest.mark.parametrize("given_format", [FORMAT + 1, 0, "1", None])
def test_unknown_format_is_refused(given_format: object) -> None:
    with pytest.raises(ValueError, match="format") as raised:
        from_json({**to_json(PLAIN), "format": given_format})
    assert repr(given_format) in str(raised.value)


def test_missing_format_is_refused() -> None:
    document = to_json(PLAIN)
    del document["format"]
    with pytest.raises(ValueError, match="None"):
        from_json(document)


@pytest.mark.parametrize(
    ("coding", "wbits"),
    [("gzip", 31), ("x-gzip", 31), ("GZIP", 31), (" gzip ", 31), ("deflate", 15), ("Deflate", 15)],
)
def test_coding_is_undone_chunk_by_chunk(coding: str, wbits: int) -> None:
    got = answered(("Content-Encoding", coding), chunks=packed(wbits))
    assert [(one.at, one.data) for one in got.decoded] == [(0.0, PIECES[0]), (10.0, PIECES[1]), (20.0, PIECES[2])]
    assert got.body == b"".join(PIECES)


@given(st.binary(max_size=200), st.integers(1, 7))
def test_coding_is_undone_however_it_is_cut(data: bytes, size: int) -> None:
    body = gzip.compress(data)
    cut = tuple(Chunk(float(at), body[at : at + size]) for at in range(0, len(body), size))
    undone = decode(cut, "gzip")
    assert b"".join(one.data for one in undone) == data
    assert [one.at for one in undone] == [one.at for one in cut]


@pytest.mark.parametrize("coding", ["br", "identity", "", "gzip, br"])
def test_other_codings_stay_as_they_are(coding: str) -> None:
    chunks = packed(31)
    assert answered(("Content-Encoding", coding), chunks=chunks).decoded == chunks


def test_no_coding_leaves_the_chunks() -> None:
    chunks = packed(31)
    assert answered(chunks=chunks).decoded == chunks


def test_what_does_not_decode_stays_as_it_is() -> None:
    chunks = (Chunk(0.0, b'{"plain":'), Chunk(1.0, b"true}"))
    assert answered(("content-encoding", "gzip"), chunks=chunks).body == b'{"plain":true}'


def test_truncated_gzip_gives_what_came() -> None:
    assert b"".join(one.data for one in decode(packed(31)[:2], "gzip")) == PIECES[0] + PIECES[1]


def test_bomb_in_one_chunk_stops_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DECODED_LIMIT", 1000)
    bomb = (Chunk(0.0, gzip.compress(b"x" * 3_000_000)),)
    assert len(b"".join(one.data for one in decode(bomb, "gzip"))) <= 1000


def test_bomb_is_not_unfolded_to_be_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DECODED_LIMIT", 1000)
    bomb = (Chunk(0.0, gzip.compress(b"x" * 3_000_000)),)
    tracemalloc.start()
    try:
        decode(bomb, "gzip")
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_bomb_over_chunks_stops_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DECODED_LIMIT", 1000)
    undone = decode(packed(31, (b"a" * 400, b"b" * 400, b"c" * 400, b"d" * 10)), "gzip")
    assert [one.data for one in undone] == [b"a" * 400, b"b" * 400]


def test_body_of_just_the_limit_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DECODED_LIMIT", 1000)
    undone = decode(packed(31, (b"a" * 600, b"b" * 400)), "gzip")
    assert b"".join(one.data for one in undone) == b"a" * 600 + b"b" * 400


@pytest.mark.parametrize("name", ["content-type", "Content-Type", "CONTENT-TYPE"])
@pytest.mark.parametrize("value", ["text/event-stream", "Text/Event-Stream; charset=utf-8", " text/event-stream ;q"])
def test_media_type_is_found_in_any_case(name: str, value: str) -> None:
    assert answered(("X-Other", "text/plain"), (name, value)).media_type == "text/event-stream"


@pytest.mark.parametrize("headers", [(), (("X-Content-Type", "text/plain"),)])
def test_no_media_type_is_empty(headers: Headers) -> None:
    assert replace(PLAIN, headers=headers).media_type == ""


def test_first_header_of_a_name_counts() -> None:
    got = answered(("Retry-After", "1"), ("retry-AFTER", "2"))
    assert (got.header("RETRY-after"), got.header("retry")) == ("1", None)


@pytest.mark.parametrize(
    ("status", "ok"), [(None, False), (199, False), (200, True), (204, True), (299, True), (300, False), (500, False)]
)
def test_ok_is_a_2xx(status: int | None, ok: bool) -> None:
    assert replace(PLAIN, status=status).ok is ok
