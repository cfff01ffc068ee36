"""Faults in the bytes and frames of a stream."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from ..event_edits import DELTAS, TERMINALS, is_a
from ..hooks import Behaviour, Context, Hook, fault
from ..request_hooks import bytes_of, served
from ..shapes import Ending, Frame, Refusal, Reply, to_json

UTF8, PARSE, OBJECT = "sse.utf8", "sse.frames-parse", "sse.data-is-json-object"
LAST, NAMED, AFTER, UNCUT = (
    "sse.last-frame-complete",
    "sse.event-line-matches-type",
    "sse.ends-after-terminal",
    "sse.not-cut",
)
BURST_MS = 1500.0
DONE = b"data: [DONE]\n\n"


def complete(how: Callable[[bytes], bytes]) -> Hook[Reply]:
    """Changes the bytes of a stream, chunk by chunk."""
    return served(bytes_of(how), stream=True)


def data(how: Callable[[str], str], *names: str) -> Hook[Frame]:
    """Rewrites the JSON text after `data:` of some types of event, or of all."""

    def hook(_: Context, frame: Frame) -> Frame:
        if names and not is_a(frame.event, *names):
            return frame
        lines = (f"data: {how(line[6:])}" if line.startswith("data: ") else line for line in frame.lines)
        return replace(frame, lines=tuple(lines))

    return hook


def named(how: Callable[[str], str]) -> Hook[Frame]:
    """Rewrites the `event` field."""

    def hook(_: Context, frame: Frame) -> Frame:
        lines = (f"event: {how(line[7:])}" if line.startswith("event: ") else line for line in frame.lines)
        return replace(frame, lines=tuple(lines))

    return hook


def unnamed(_: Context, frame: Frame) -> Frame:
    return replace(frame, lines=tuple(line for line in frame.lines if not line.startswith("event:")))


def spliced(make: Callable[[list[bytes]], list[bytes]]) -> Hook[list[bytes]]:
    return lambda _, frames: make(frames)


def ended(ending: Ending, keep: float = 1.0) -> Hook[Reply]:
    """Ends a stream against the framing of HTTP, after a share of its chunks."""

    def how(reply: Reply) -> Reply:
        return replace(reply, chunks=reply.chunks[: int(len(reply.chunks) * keep)], ending=ending)

    return served(how, stream=True)


def burst(first: int) -> Hook[Reply]:
    """Sends the first frames at once and the others together after a delay."""

    def how(reply: Reply) -> Reply:
        waited = BURST_MS + sum(wait for wait, _ in reply.chunks[first:])
        rest = b"".join(body for _, body in reply.chunks[first:])
        return replace(reply, chunks=[*reply.chunks[:first], (waited, rest)])

    return served(how, stream=True)


def streaming(wanted: bool, test: Callable[[Context], object]) -> Hook[Refusal | None]:
    """Overrides `stream` of the request."""

    def hook(ctx: Context, refusal: Refusal | None) -> Refusal | None:
        if refusal is None and test(ctx):
            ctx.stream = wanted
        return refusal

    return hook


def merged(frames: list[bytes]) -> list[bytes]:
    """Joins the third and the fourth frame into one."""
    lines = [line for line in frames[3].splitlines(keepends=True) if not line.startswith(b"event:")]
    return [*frames[:2], frames[2][:-1] + b"".join(lines), *frames[4:]]


def pretty(text: str) -> str:
    return json.dumps(json.loads(text), indent=1, ensure_ascii=False)


def faulty(name: str, says: str, how: Callable[[str], str], *names: str) -> Behaviour:
    return fault(f"sse.{name}", says, OBJECT, frame=data(how, *names))


FAULTS = [
    fault("sse.stray-byte", "Sends bytes in the stream that are not UTF-8.", UTF8,
          reply=complete(lambda data: data.replace(b'"delta":"', b'"delta":"\xff', 1))),
    fault("sse.in-windows-1252", "Streams in a legacy charset.", UTF8,
          reply=complete(lambda data: data.decode("utf-8", "replace").encode("cp1252", "replace"))),
    fault("sse.no-blank-lines", "Omits the blank lines between events.", PARSE,
          reply=complete(lambda data: data.replace(b"\n\n", b"\n"))),
    fault("sse.json-lines", "Streams JSON lines instead of frames.", PARSE,
          frame=lambda _, frame: replace(frame, lines=(to_json(frame.event),))),
    fault("sse.data-field-in-capitals", "Writes the field name as Data.", PARSE,
          reply=complete(lambda data: data.replace(b"data: {", b"Data: {"))),
    fault("sse.indented-fields", "Indents the lines of the stream.", PARSE, frame=lambda _, frame: replace(
        frame, lines=tuple(f"  {line}" for line in frame.lines))),
    fault("sse.chat-prefix-missing", "Omits the field name data in deltas.", PARSE, frame=lambda _, frame: (
        replace(frame, lines=(to_json(frame.event),)) if is_a(frame.event, *DELTAS) else frame)),
    fault("sse.two-events-in-one-frame", "Sends two events in one frame.", OBJECT, chunks=spliced(merged)),
    faulty("data-pretty-printed", "Splits the JSON over lines without the field name data.", pretty),
    faulty("data-as-python",
           "Sends representations of Python dictionaries instead of JSON.", lambda text: repr(json.loads(text))),
    faulty("data-in-a-list", "Wraps each event in an array.", lambda text: f"[{text}]"),
    faulty("data-as-json-text", "Encodes each event twice.", to_json),
    faulty("data-with-nan", "Sends NaN in an event.", lambda text: text[:-1] + ',"score":NaN}', *DELTAS),
    faulty("data-with-bad-escape", "Sends an escape that is not valid JSON in an event.",
           lambda text: text[:-1] + ',"note":"a\\x20b"}', "output_item.added"),
    faulty("data-cut", "Truncates the JSON of an event.", lambda text: text[:-4], "output_item.done"),
    faulty("data-with-trailing-comma", "Sends a trailing comma in the JSON of an event.",
           lambda text: text[:-1] + ",}", "content_part.done"),
    faulty("data-null", "Sends null as the data of response.in_progress.", lambda _: "null", "in_progress"),
    fault("sse.ping-as-data", "Sends keep-alive events whose data is not JSON.", OBJECT,
          chunks=spliced(lambda frames: [*frames[:3], b"data: ping\n\n", *frames[3:]])),
    fault("sse.empty-data", "Sends an event with empty data.", OBJECT,
          chunks=spliced(lambda frames: [*frames[:3], b"data:\n\n", *frames[3:]])),
    fault("sse.data-stray-word", "Sends a word before the JSON of an event.", OBJECT,
          frame=data(lambda text: f"json {text}", "created")),
    fault("sse.last-blank-line-missing", "Omits the blank line after the last event.", LAST,
          chunks=spliced(lambda frames: [*frames[:-1], frames[-1][:-1]])),
    fault("sse.last-line-unfinished", "Omits the last two line ends.", LAST,
          chunks=spliced(lambda frames: [*frames[:-1], frames[-1][:-2]])),
    fault("sse.last-frame-cut", "Ends the stream inside the last event.", LAST, "lifecycle.one-terminal-last",
          chunks=spliced(lambda frames: [*frames[:-1], frames[-1][: len(frames[-1]) // 2]])),
    fault("sse.event-line-is-message",
          "Sends the event field message for every event.", NAMED, frame=named(lambda _: "message")),
    fault("sse.event-line-without-prefix", "Sends abbreviated names in event fields.", NAMED,
          frame=named(lambda name: name.removeprefix("response."))),
    fault("sse.event-line-in-capitals", "Sends event fields in another case.", NAMED, frame=named(str.upper)),
    fault("sse.event-line-wrong-at-end", "Sends the event field done for the terminal event.", NAMED, frame=named(
        lambda name: "response.done" if name.removeprefix("response.") in TERMINALS else name)),
    fault("sse.event-lines-missing", "Sends no event fields.", NAMED, frame=unnamed),
    fault("sse.done-before-completed", "Sends [DONE] before the terminal event.", "sse.done-marker",
          chunks=spliced(lambda frames: [*frames[:-1], DONE, frames[-1]])),
    fault("sse.done-twice-with-event-between", "Sends [DONE] in the middle of the stream.", "sse.done-marker", AFTER,
          chunks=spliced(lambda frames: [*frames, DONE, frames[1], DONE])),
    fault("sse.ping-after-terminal", "Sends a ping event after the terminal event.", AFTER, chunks=spliced(
        lambda frames: [*frames, b'event: ping\ndata: {"type":"ping","sequence_number":9999}\n\n'])),
    fault("sse.usage-after-terminal", "Sends the usage chunk of chat completions after the terminal event.", AFTER,
          chunks=spliced(lambda frames: [
              *frames, b'data: {"object":"chat.completion.chunk","choices":[],"usage":{}}\n\n'])),
    fault("sse.item-done-after-terminal", "Repeats an earlier event after the terminal event.", AFTER,
          chunks=spliced(lambda frames: [*frames, frames[-2]])),
    fault("sse.delta-after-terminal", "Sends a delta of a closed item after the terminal event.", AFTER,
          chunks=spliced(lambda frames: [*frames, *[one for one in frames if b".delta" in one][-1:]])),
    fault("sse.text-done-after-terminal", "Sends the done event of a text after the terminal event.", AFTER,
          events=lambda _, stream: sorted(stream, key=lambda event: is_a(event, "output_text.done"))),
    fault("sse.left-open", "Does not end the body after the terminal event.", AFTER, reply=ended("stall")),
    fault("sse.cut-at-the-end", "Closes the connection without the last chunk.", UNCUT, reply=ended("cut")),
    fault("sse.reset-at-the-end", "Resets the connection after the terminal event.", UNCUT,
          reply=ended("reset")),
    fault("sse.cut-midway", "Closes the connection halfway.", UNCUT, "lifecycle.one-terminal-last",
          reply=ended("cut", 0.5)),
    fault("sse.reset-midway", "Resets the connection halfway.", UNCUT, "lifecycle.one-terminal-last",
          reply=ended("reset", 0.5)),
    fault("sse.stalls-midway",
          "Stops sending halfway, without closing the connection.", UNCUT, "lifecycle.one-terminal-last",
          reply=ended("stall", 0.5)),
    fault("sse.buffered", "Sends the complete stream at once at the end.", "sse.incremental",
          reply=burst(0)),
    fault("sse.deltas-in-a-burst", "Sends the first events at once and all others together at the end.",
          "sse.incremental", reply=burst(2)),
    fault("sse.stream-ignored", "Responds to streaming requests with plain JSON.", "sse.plain-stays-plain",
          validate=streaming(False, lambda ctx: ctx.stream)),
    fault("sse.absent-streams", "Streams if stream is absent.", "sse.plain-stays-plain",
          validate=streaming(True, lambda ctx: ctx.body.get("stream") is None)),
    fault("sse.false-streams", "Streams if stream is false.", "sse.plain-stays-plain",
          validate=streaming(True, lambda ctx: ctx.body.get("stream") is False)),
]  # fmt: skip
