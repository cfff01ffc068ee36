"""Legal variants of bytes: encoding of frames, chunks and headers."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace

from ..hooks import Context, Hook, variant
from ..request_hooks import Rewrite, bytes_of, served
from ..shapes import Frame, Reply, to_json

GRAMMAR = "The event-stream grammar (WHATWG HTML, server-sent events)"
FRAMES = f"{GRAMMAR} does not define network chunks: bytes may be split or joined anywhere."


def stream_bytes(how: Callable[[bytes], bytes]) -> Hook[Reply]:
    return served(bytes_of(how), stream=True)


def lines(how: Callable[[tuple[str, ...]], tuple[str, ...]]) -> Hook[Frame]:
    return lambda _, frame: replace(frame, lines=how(frame.lines))


def frames(how: Callable[[list[bytes]], list[bytes]]) -> Hook[list[bytes]]:
    return lambda _, chunks: how(chunks)


def plain_bytes(how: Callable[[bytes], bytes]) -> Hook[Reply]:
    return served(bytes_of(how), stream=False)


def plain_json(how: Callable[[object], str]) -> Hook[Reply]:
    return plain_bytes(lambda data: how(json.loads(data)).encode())


def stream_json(how: Callable[[object], str]) -> Hook[Frame]:
    """Writes the JSON of every event in another, equivalent way."""

    def written(line: str) -> str:
        return f"data: {how(json.loads(line[6:]))}" if line.startswith("data: ") else line

    return lines(lambda all_lines: tuple(map(written, all_lines)))


def over_lines(all_lines: tuple[str, ...]) -> tuple[str, ...]:
    """Splits the JSON of an event at allowed whitespace into several data lines."""
    split: list[str] = []
    for line in all_lines:
        if line.startswith("data: "):
            text = json.dumps(json.loads(line[6:]), indent=1, ensure_ascii=False)
            split += [f"data: {piece}" for piece in text.split("\n")]
        else:
            split.append(line)
    return tuple(split)


def numbered(_: Context, frame: Frame) -> Frame:
    return replace(frame, lines=(*frame.lines, f"id: {frame.event.get('sequence_number')}"))


def in_bites(size: int) -> Callable[[list[bytes]], list[bytes]]:
    def how(chunks: list[bytes]) -> list[bytes]:
        complete = b"".join(chunks)
        return [complete[at : at + size] for at in range(0, len(complete), size)]

    return how


def inside_characters(chunks: list[bytes]) -> list[bytes]:
    """Splits chunks inside every character of more than one byte."""
    complete = b"".join(chunks)
    cuts = [at for at in range(1, len(complete)) if complete[at] & 0xC0 == 0x80]
    return [complete[a:b] for a, b in zip([0, *cuts], [*cuts, len(complete)], strict=True)]


def joined(count: int) -> Callable[[list[bytes]], list[bytes]]:
    return lambda chunks: [b"".join(chunks[at : at + count]) for at in range(0, len(chunks), count)]


def between(extra: bytes) -> Callable[[list[bytes]], list[bytes]]:
    return lambda chunks: [piece for chunk in chunks for piece in (chunk, extra)]


def mixed_ends(chunks: list[bytes]) -> list[bytes]:
    ends = (b"\n", b"\r\n")
    return [chunk.replace(b"\n", ends[at % 2]) for at, chunk in enumerate(chunks)]


def header(name: str, value: str, stream: bool | None = None) -> Hook[Reply]:
    return served(lambda reply: reply.having(name, value), stream)


def gzipped(ctx: Context, reply: Reply) -> Reply:
    """Compresses the stream if the client accepts gzip."""
    if "gzip" not in (ctx.sent("accept-encoding") or "").lower() or not reply.chunks:
        return reply
    return replace(reply, chunks=list(_squeezed(reply))).having("Content-Encoding", "gzip")


def _squeezed(reply: Reply) -> Iterator[tuple[float, bytes]]:
    press = zlib.compressobj(wbits=31)
    for place, (wait, data) in enumerate(reply.chunks, 1):
        last = zlib.Z_FINISH if place == len(reply.chunks) else zlib.Z_SYNC_FLUSH
        yield wait, press.compress(data) + press.flush(last)


def closing(reply: Reply) -> Reply:
    return replace(reply, framing="close")


def chunked(reply: Reply) -> Reply:
    body = reply.body
    half = len(body) // 2
    return replace(reply, framing="chunked", chunks=[(0, body[:half]), (0, body[half:])])


def paused(reply: Reply) -> Reply:
    return replace(reply, chunks=[(wait + 2, data) for wait, data in reply.chunks])


def late(reply: Reply) -> Reply:
    return replace(reply, chunks=[(wait + 50, data) for wait, data in reply.chunks[:1]] + reply.chunks[1:])


def sorted_members(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def spaced(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def escaped(value: object) -> str:
    return json.dumps(value).replace("/", "\\/")


def indented(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def typed(value: str, stream: bool) -> Hook[Reply]:
    how: Rewrite = lambda reply: reply.having("Content-Type", value)  # noqa: E731
    return served(how, stream)


TYPES = "Media types and parameter names are case-insensitive, parameters allowed (RFC 9110 8.3.1)."
SPACES = "JSON allows whitespace between tokens and any escape of a character (RFC 8259 2 and 7)."

VARIANTS = [
    variant("framing.no-space-after-colon", f"{GRAMMAR} removes one space after the colon, if there is one.",
          frame=lines(lambda these: tuple(line.replace(": ", ":", 1) for line in these))),
    variant("framing.crlf", f"{GRAMMAR} ends lines with CRLF as well.",
          chunks=frames(lambda chunks: [chunk.replace(b"\n", b"\r\n") for chunk in chunks])),
    variant("framing.cr", f"{GRAMMAR} ends lines with CR alone as well.",
          chunks=frames(lambda chunks: [chunk.replace(b"\n", b"\r") for chunk in chunks])),
    variant("framing.mixed-line-ends",
            f"{GRAMMAR} allows different line ends in one stream.", chunks=frames(mixed_ends)),
    variant("framing.crlf-split", f"{GRAMMAR} defines CRLF as one line end, even if the network splits it.",
          chunks=lambda _, chunks: [
              piece for chunk in chunks for line in chunk.split(b"\n")[:-1]
              for piece in (line + b"\r", b"\n")]),
    variant("framing.byte-order-mark", f"{GRAMMAR} allows a byte order mark at the start.",
          chunks=frames(lambda chunks: [b"\xef\xbb\xbf" + chunks[0], *chunks[1:]])),
    variant("framing.comments", f"{GRAMMAR} ignores lines that start with a colon.",
          chunks=frames(between(b": keep-alive\n\n"))),
    variant("framing.comment-first", f"{GRAMMAR} ignores comments, at the start too.",
          chunks=frames(lambda chunks: [b": connected\n\n", *chunks])),
    variant("framing.comment-last", f"{GRAMMAR} ignores comments, at the end too.",
          chunks=frames(lambda chunks: [*chunks, b": bye\n\n"])),
    variant("framing.comment-inside-frame", f"{GRAMMAR} ignores comments, inside a frame too.",
          frame=lines(lambda these: (these[0], ":", *these[1:]))),
    variant("framing.id-lines", f"{GRAMMAR} has a field id.", frame=numbered),
    variant("framing.retry-line", f"{GRAMMAR} has a field retry.",
          chunks=frames(lambda chunks: [b"retry: 3000\n\n", *chunks])),
    variant("framing.unknown-field", f"{GRAMMAR} ignores fields it does not know.",
          frame=lines(lambda these: (*these, "trace: 1", "lonely"))),
    variant("framing.data-over-lines", f"{GRAMMAR} joins several data lines with line feeds.",
          frame=lines(over_lines)),
    variant("framing.data-before-event", f"{GRAMMAR} does not order fields.",
          frame=lines(lambda these: these[::-1])),
    variant("framing.no-event-lines", "The documentation does not define the event field; the type is in the data.",
          frame=lines(lambda these: tuple(line for line in these if not line.startswith("event")))),
    variant("framing.extra-blank-lines", f"{GRAMMAR} dispatches no event at a blank line without data.",
          chunks=frames(between(b"\n\n"))),
    variant("framing.done-marker", "The documentation does not define whether [DONE] ends the stream.",
          chunks=frames(lambda chunks: [*chunks, b"data: [DONE]\n\n"])),
    variant("framing.done-marker-without-space", f"The same, and {GRAMMAR} needs no space.",
          chunks=frames(lambda chunks: [*chunks, b"data:[DONE]\n\n"])),
    variant("framing.byte-by-byte", FRAMES, chunks=frames(in_bites(1))),
    variant("framing.seven-bytes-each", FRAMES, chunks=frames(in_bites(7))),
    variant("framing.split-inside-characters", FRAMES, chunks=frames(inside_characters)),
    variant("framing.three-frames-each", FRAMES, chunks=frames(joined(3))),
    variant("framing.ten-frames-each", FRAMES, chunks=frames(joined(10))),
    variant("framing.members-sorted", "Members of a JSON object have no order (RFC 8259 4).",
          frame=stream_json(sorted_members), reply=plain_json(sorted_members)),
    variant("framing.spaces-in-json", SPACES, frame=stream_json(spaced), reply=plain_json(spaced)),
    variant("framing.escapes-in-json", SPACES, frame=stream_json(escaped), reply=plain_json(escaped)),
    variant("framing.indented-json", SPACES, reply=plain_json(indented)),
    variant("framing.blanks-around-json", SPACES, reply=plain_bytes(lambda data: b"\n  " + data + b"\r\n")),
    variant("framing.stream-type-with-charset", TYPES, reply=typed("text/event-stream; charset=utf-8", True)),
    variant("framing.stream-type-in-odd-case", TYPES, reply=typed("Text/Event-Stream;Charset=UTF-8", True)),
    variant("framing.json-type-with-charset", TYPES, reply=typed("application/json; charset=utf-8", False)),
    variant("framing.json-type-in-odd-case", TYPES, reply=typed("Application/JSON;charset=\"UTF-8\"", False)),
    variant("framing.gzip", "A server may use a coding that the client accepts (RFC 9110 8.4).", reply=gzipped),
    variant("framing.closed-without-length", "A body may end with its connection (RFC 9112 6.3).",
          reply=served(closing)),
    variant("framing.connection-close", "A server may close the connection after any response (RFC 9112 9.6).",
          reply=lambda _, reply: reply.having("Connection", "close")),
    variant("framing.plain-in-chunks", "A plain body may be chunked too (RFC 9112 7.1).",
          reply=served(chunked, stream=False)),
    variant("framing.more-headers", "Unknown headers are ignored (RFC 9110 5.1).",
          reply=lambda ctx, reply: replace(reply, headers=[
              *reply.headers, ("X-Request-Id", str(ctx.number)), ("Server", "gateway"),
              ("X-RateLimit-Remaining-Requests", "99")])),
    variant("framing.header-names-in-small-letters", "Header names are case-insensitive (RFC 9110 5.1).",
          reply=lambda _, reply: replace(
              reply, headers=[(name.lower(), value) for name, value in reply.headers])),
    variant("framing.pauses",
            "The documentation does not define the pace of a stream.", reply=served(paused, stream=True)),
    variant("framing.late-first-byte", "The first token of a cold model can take minutes.", reply=served(late)),
    variant("framing.data-of-terminal-over-lines", f"{GRAMMAR} joins several data lines with line feeds.",
          frame=lambda _, frame: replace(frame, lines=over_lines(frame.lines)) if "response" in frame.event
          and len(to_json(frame.event)) > 400 else frame),
]  # fmt: skip
