"""The event-stream grammar, row by row, and its independence from how the bytes were cut."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.decode.sse import Frames, parse
from conformance.exchange.exchange import Chunk

BOM = b"\xef\xbb\xbf"

# name, bytes, (event, data) of each dispatched frame, undispatched text
GRAMMAR: list[tuple[str, bytes, list[tuple[str, str]], str]] = [
    ("nothing", b"", [], ""),
    ("lf", b"event: a\ndata: x\n\n", [("a", "x")], ""),
    ("cr", b"event: a\rdata: x\r\r", [("a", "x")], ""),
    ("crlf", b"event: a\r\ndata: x\r\n\r\n", [("a", "x")], ""),
    ("mixed", b"event: a\rdata: x\n\r\ndata: y\r\n\rdata: z\n\n", [("a", "x"), ("", "y"), ("", "z")], ""),
    ("crlf is one line end", b"data: x\r\ndata: y\r\n\r\n", [("", "x\ny")], ""),
    ("lf cr are two line ends", b"data: x\n\rdata: y\n\n", [("", "x"), ("", "y")], ""),
    ("bom at the start", BOM + b"data: x\n\n", [("", "x")], ""),
    ("bom before a blank line", BOM + b"\ndata: x\n\n", [("", "x")], ""),
    ("bom later is part of a name", b"data: x\n\n" + BOM + b"data: y\n\n", [("", "x")], ""),
    ("second bom is part of a name", BOM + BOM + b"data: x\n\n", [], ""),
    ("bom in a value stays", b"data: " + BOM + b"x\n\n", [("", "\ufeffx")], ""),
    ("comment alone", b": hello\n\n", [], ""),
    ("bare colon", b":\n\n", [], ""),
    ("comment in a frame", b"data: x\n: hello\ndata: y\n\n", [("", "x\ny")], ""),
    ("comment that looks like data", b":data: x\n\n", [], ""),
    ("no space", b"event:a\ndata:x\n\n", [("a", "x")], ""),
    ("one space only goes", b"data:  x\n\n", [("", " x")], ""),
    ("trailing space stays", b"data: x \n\n", [("", "x ")], ""),
    ("tab stays", b"data:\tx\n\n", [("", "\tx")], ""),
    ("colons in a value", b'data: {"a": "b:c"}\n\n', [("", '{"a": "b:c"}')], ""),
    ("several data lines", b"data: x\ndata:\ndata: y\n\n", [("", "x\n\ny")], ""),
    ("data before event", b"data: x\nevent: a\n\n", [("a", "x")], ""),
    ("last event line counts", b"event: a\nevent: b\ndata: x\n\n", [("b", "x")], ""),
    ("empty event line", b"event: a\nevent:\ndata: x\n\n", [("", "x")], ""),
    ("event does not carry over", b"event: a\ndata: x\n\ndata: y\n\n", [("a", "x"), ("", "y")], ""),
    ("event without data", b"event: a\n\ndata: y\n\n", [("", "y")], ""),
    ("id and retry", b"id: 7\nretry: 10\ndata: x\n\n", [("", "x")], ""),
    ("id and retry alone", b"id: 7\nretry: 10\n\n", [], ""),
    ("unknown fields", b"foo: 1\ndata: x\nbar\n\n", [("", "x")], ""),
    ("names have a case", b"Data: x\nDATA: y\n\n", [], ""),
    ("space before a name", b" data: x\n\n", [], ""),
    ("space behind a name", b"data : x\n\n", [], ""),
    ("data without colon", b"data\n\n", [("", "")], ""),
    ("data without colon, twice", b"data\ndata\n\n", [("", "\n")], ""),
    ("event without colon", b"event: a\nevent\ndata: x\n\n", [("", "x")], ""),
    ("empty data", b"data:\n\n", [("", "")], ""),
    ("only blank lines", b"\n\n\r\n\r\r", [], ""),
    ("blank lines between", b"\n\ndata: x\n\n\n\ndata: y\n\n\n", [("", "x"), ("", "y")], ""),
    ("no blank line", b"data: x\n\ndata: y\ndata: z\n", [("", "x")], "y\nz"),
    ("no line end", b"data: x\n\ndata: y", [("", "x")], "y"),
    ("no blank line, only a comment", b"data: x\n\n: y", [("", "x")], ""),
    ("u+2028 and u+2029", "data: a\u2028b\u2029c\n\n".encode(), [("", "a\u2028b\u2029c")], ""),
    ("u+0085", "data: a\u0085b\n\n".encode(), [("", "a\u0085b")], ""),
    ("vt, ff, fs, gs, rs", b"data: a\x0bb\x0cc\x1cd\x1de\x1ef\n\n", [("", "a\x0bb\x0cc\x1cd\x1de\x1ef")], ""),
    ("no-break space is no space", "data:\u00a0x\n\n".encode(), [("", "\u00a0x")], ""),
    ("nul in data", b"data: a\x00b\n\n", [("", "a\x00b")], ""),
    ("invalid utf-8", b"data: a\xffb\n\n", [("", "a\ufffdb")], ""),
    ("character cut by a line end", b"data: a\xe2\x82\ndata: b\n\n", [("", "a\ufffd\nb")], ""),
    ("character cut by the end", b"data: a\xe2\x82", [], "a\ufffd"),
    ("many bytes a character", "data: 日本語 🚀\n\n".encode(), [("", "日本語 🚀")], ""),
]

PIECES = (
    b"data: x",
    b"data:",
    b"data",
    b"event: a",
    b": c",
    b"id: 1",
    b" ",
    b"\xff",
    b"\x00",
    BOM,
    "\u2028ä🚀".encode(),
)
LINE_ENDS = (b"\r", b"\n", b"\r\n", b"\n\n", b"\r\n\r\n")

bodies = st.lists(st.sampled_from(PIECES + LINE_ENDS), max_size=24).map(b"".join)


def cut(body: bytes, edges: list[int]) -> list[Chunk]:
    """The body in chunks that end at these offsets, each arriving at its number; empty ones too."""
    ends = [*sorted(min(edge, len(body)) for edge in edges), len(body)]
    starts = [0, *ends[:-1]]
    return [Chunk(float(at), body[start:end]) for at, (start, end) in enumerate(zip(starts, ends, strict=True))]


def timeless(frames: Frames) -> Frames:
    return Frames(tuple(replace(one, at=0.0) for one in frames.frames), frames.undispatched)


@pytest.mark.parametrize(("body", "frames", "rest"), [row[1:] for row in GRAMMAR], ids=[row[0] for row in GRAMMAR])
def test_grammar(body: bytes, frames: list[tuple[str, str]], rest: str) -> None:
    got = parse([Chunk(0.0, body)])
    assert [(one.event, one.data) for one in got.frames] == frames
    assert got.undispatched == rest
    assert [one.index for one in got.frames] == list(range(len(frames)))


@given(bodies, st.lists(st.integers(0, 200), max_size=12))
def test_chunks_change_nothing_but_times(body: bytes, edges: list[int]) -> None:
    assert timeless(parse(cut(body, edges))) == timeless(parse([Chunk(0.0, body)]))


@given(bodies, st.lists(st.integers(0, 200), max_size=12))
def test_time_is_that_of_the_last_byte(body: bytes, edges: list[int]) -> None:
    chunks = cut(body, edges)
    arrival = [chunk.at for chunk in chunks for _ in chunk.data]
    for frame in parse(chunks).frames:
        assert frame.at == arrival[frame.end - 1]


@given(bodies)
def test_bytes_of_a_frame_give_that_frame(body: bytes) -> None:
    for frame in parse([Chunk(0.0, body)]).frames:
        # A line end goes ahead, as a BOM counts at the very start only.
        alone = parse([Chunk(0.0, b"\n" + body[frame.start : frame.end])]).frames
        assert [(one.event, one.data) for one in alone] == [(frame.event, frame.data)]


@pytest.mark.parametrize(
    ("pieces", "at"),
    [
        ([b"data: x\n\n"], [0.0]),
        ([b"data: x\n", b"\n"], [1.0]),
        ([b"data: x\n\n", b"data: y\n\n"], [0.0, 1.0]),
        ([b"data: x\n\ndata: y", b"\n", b"\n"], [0.0, 2.0]),
        ([b"data: x\r\n\r", b"\n"], [1.0]),
        ([b"data: x\n", b"", b"\n", b"data: y\n\n"], [2.0, 3.0]),
        ([b"", b"data: x\n\ndata: y\n\n", b""], [1.0, 1.0]),
    ],
)
def test_frame_arrives_with_the_byte_that_ends_it(pieces: list[bytes], at: list[float]) -> None:
    chunks = [Chunk(float(place), piece) for place, piece in enumerate(pieces)]
    assert [one.at for one in parse(chunks).frames] == at


def test_frames_know_where_they_stand() -> None:
    body = BOM + b"data: x\n\n\n: c\n\nid: 1\ndata: y\n\n"
    first, second = parse([Chunk(0.0, body)]).frames
    assert body[first.start : first.end] == b"data: x\n\n"
    assert body[second.start : second.end] == b"id: 1\ndata: y\n\n"


def test_no_chunk_gives_no_frame() -> None:
    assert parse([]) == Frames((), "")
