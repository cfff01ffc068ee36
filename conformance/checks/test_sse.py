"""The bytes and frames of a stream: UTF-8, valid frames, complete, and nothing after the terminal event."""

from __future__ import annotations

import re

from conformance.decode.events import DONE_MARKER
from conformance.decode.response import CannotEvaluate, DoesNotApply, Received
from conformance.decode.sse import Frame
from conformance.exchange.exchange import content_coding
from conformance.judge.applicability import BYTES, FRAMING, LINES, NEEDS_A_CAUSE, STREAM, Where
from conformance.judge.broken_events import swallowed_events, why_invalid
from conformance.judge.common import body_has_its_end, excerpt, need_complete
from conformance.judge.encodings import must_be_encoded
from conformance.judge.selectors import RESPONSES, STREAMS, together
from conformance.judge.verdict import EXAMINED, Examined, Finding, Findings, check, finding_from_violation

#: The least duration in milliseconds and number of output events of a stream that is checked for bursts: a fast model
#: writes a short response in less.
_LONG_ENOUGH, _EVENTS_ENOUGH = 1000.0, 30

#: Events received within this many milliseconds in all, or for each, were sent at once: no model generates thousands of
#: tokens a second.
_AT_ONCE, _AT_ONCE_EACH = 10.0, 0.2

#: The most delay of this process in milliseconds: with more, it reads at once what was sent one by one.
_IN_TIME = 20.0

#: Events that a server may send before the model starts.
_BEFORE_THE_MODEL = ("response.created", "response.queued", "response.in_progress")

#: A line that begins like JSON or HTML instead of with a field name.
_NO_FIELD = re.compile(rb"[\r\n]([{\[<][^\r\n]{0,119})")

#: The first line with a field of the event stream, also after bytes that do not end with a line end.
_FIELD = re.compile(rb"(?:[\r\n]|\0)(?:data|event|id|retry)(?::|[\r\n])")

#: A line that a parser accepts: empty, a comment, or a field of any name, with or without a value.
_ANY_FIELD = re.compile(rb"[\w.-]*(?::|\Z)")

#: Invalid events of a response that are reported: for each, the bytes around it are examined.
_INVALID = 100

_BOM = b"\xef\xbb\xbf"


@check("sse.plain-stays-plain", over=RESPONSES, where=Where("answers", depends_on=("stream",)))
def test_stream_only_where_requested(received: Received) -> Findings:
    if received.status != 200:
        raise CannotEvaluate(f"received HTTP {received.status}")
    if received.exchange.body:
        yield EXAMINED
    if received.looks_like_stream != received.streaming and received.exchange.body:
        expected, actual = (("a stream", "no stream"), ("no stream", "a stream"))[received.looks_like_stream]
        yield Finding(f"the body is {actual}, expected {expected}", want=expected, got=excerpt(received))


@check("sse.utf8", over=STREAMS, where=Where("streams", reads=BYTES))
def test_stream_is_utf8(received: Received) -> Findings:
    if not received.exchange.ok:
        raise CannotEvaluate(f"received HTTP {received.status}")
    if received.exchange.body:
        yield EXAMINED
    try:
        received.exchange.body.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":
            return  # The stream ends inside a character, which another rule reports.
        message = f"byte {error.start} is not UTF-8: {error.reason}"
        yield Finding(message, want="UTF-8", got=error.object[error.start : error.end].hex())


@check("sse.frames-parse", over=STREAMS, where=Where("streams", reads=LINES))
def test_nothing_is_outside_the_fields(received: Received) -> Findings:
    yield Examined(len(received.frames))
    yield from must_be_encoded(received)
    if received.exchange.ended == "clean" and not received.frames:
        yield Finding("the stream contains no event", want="events", got=excerpt(received))
    foreign = _before_the_first_field(received.exchange.body)
    if foreign and received.frames:
        got = foreign[:120].decode("utf-8", "replace")
        message = "bytes before the first event are not a field of the event stream"
        yield Finding(message, want="event: or data:", got=got)
    for found in _NO_FIELD.finditer(b"\n" + received.exchange.body, len(foreign)):
        got = found[1].decode("utf-8", "replace")
        yield Finding("a line of the stream has no field name", want="data: ...", got=got)
    yield from _in_comments(received)


def _in_comments(received: Received) -> Findings:
    for kind, line in swallowed_events(received):
        message = f"{kind} is in a comment line, which parsers ignore: no line end precedes data:"
        yield Finding(message, want="data: at the beginning of a line", got=line)


def _before_the_first_field(body: bytes) -> bytes:
    """The bytes before the first event if they contain a line that is neither a comment nor a field; else empty."""
    begun = _FIELD.search(b"\n" + body)
    ahead = body[: begun.start()] if begun else b""
    return ahead if any(not _ANY_FIELD.match(line) for line in ahead.removeprefix(_BOM).splitlines()) else b""


@check("sse.data-is-json-object", over=STREAMS, where=STREAM)
def test_data_is_a_json_object(received: Received) -> Findings:
    yield Examined(len(received.frames))
    for frame in received.invalid_frames[:_INVALID]:
        yield Finding(why_invalid(received, frame), want="a JSON object", got=frame.data[:160])


@check("sse.last-frame-complete", over=STREAMS, where=Where("streams", reads=FRAMING))
def test_last_frame_is_dispatched(received: Received) -> Findings:
    if received.exchange.ended == "clean":
        yield Examined(bool(received.frames or received.undispatched))
    if received.exchange.ended == "clean" and received.undispatched:
        line = received.exchange.body.splitlines()[-1].decode("utf-8", "replace")
        missing = "the blank line that dispatches it is missing"
        if line.startswith(":"):
            missing = f"a comment line is in the place of the blank line that dispatches it ({line[:40]!r})"
        message = f"the stream ends inside an event: {missing}"
        yield Finding(message, want="a blank line at the end", got=received.undispatched[:160])


@check("sse.event-line-matches-type", over=STREAMS, where=Where("streams", reads=LINES))
def test_event_line_is_the_type(received: Received) -> Findings:
    for event in received.events:
        named, kind = event.frame.event, event.data.get("type")
        yield Examined(bool(named) and isinstance(kind, str))
        if named and isinstance(kind, str) and named != kind:
            yield Finding(f"the event field of {kind} is {named}", "/type", event.index, kind, named)


@check("sse.event-line-present", over=STREAMS, where=Where("streams", reads=LINES))
def test_event_line_is_there(received: Received) -> Findings:
    for event in received.events:
        yield EXAMINED
        if not event.frame.event:
            yield Finding("an event has no event field", "", event.index, f"event: {event.type}", "none")


def _done_markers(received: Received) -> list[Frame]:
    return [frame for frame in received.frames if frame.end - frame.start < 99 and frame.data.strip() == DONE_MARKER]


@check("sse.done-marker", over=together("streams", "core", stream=True))
def test_done_marker(received: Received) -> Findings:
    marks = _done_markers(received)
    if not received.frames:
        raise CannotEvaluate("the stream contains no event")
    yield Finding("[DONE] is sent" if marks else "no [DONE]")


@check("sse.done-marker-last", over=STREAMS, where=Where("streams", reads=LINES))
def test_done_marker_is_last(received: Received) -> Findings:
    marks = _done_markers(received)
    yield Examined(len(marks))
    if marks and marks[0] is not received.frames[-1]:
        after = received.frames[marks[0].index + 1]
        yield Finding(
            f"[DONE] is frame {marks[0].index}, not the last",
            want="nothing after it",
            got=after.data[:120],
        )


@check("sse.ends-after-terminal", over=STREAMS, where=STREAM)
def test_nothing_follows_the_terminal_event(received: Received) -> Findings:
    yield Examined(any(event.terminal for event in received.events))
    yield from (finding_from_violation(one) for one in received.violations if one.rule == "sse.ends-after-terminal")
    need_complete(received)


@check("sse.not-cut", over=STREAMS, where=Where("streams", reads=FRAMING))
def test_stream_ends_by_the_protocol(received: Received) -> Findings:
    if not received.exchange.ok:
        raise CannotEvaluate(f"received HTTP {received.status}")
    need_complete(received)
    yield Examined(bool(received.exchange.body))
    ended = received.exchange.ended
    if ended in ("cut", "reset", "invalid"):
        message = f"the body is incomplete after {len(received.events)} events: {ended} ({received.exchange.detail})"
        yield Finding(message, want="a complete body", got=ended)


def _times_of_output(received: Received) -> list[float]:
    """When the events after those that need no model were received, in milliseconds."""
    if not received.streaming:
        raise DoesNotApply("the server serves no streams, so the request was sent without stream: true")
    return [event.frame.at for event in received.events if event.type not in _BEFORE_THE_MODEL]


@check("sse.incremental", over=STREAMS, not_for_captured=NEEDS_A_CAUSE)
def test_deltas_are_sent_incrementally(received: Received) -> Findings:
    times = _times_of_output(received)
    if not times or times[-1] < _LONG_ENOUGH or len(times) < _EVENTS_ENOUGH:
        took = f"{len(times)} events in {times[-1]:.0f} ms" if times else "no events"
        least = f"{_EVENTS_ENOUGH} events and {_LONG_ENOUGH:.0f} ms"
        raise DoesNotApply(f"the stream contains {took}; the rule needs at least {least}")
    yield EXAMINED
    duration = times[-1] - times[0]
    if duration >= max(_AT_ONCE, _AT_ONCE_EACH * len(times)):
        return
    if received.exchange.lag_ms is not None and received.exchange.lag_ms > _IN_TIME:
        late = f"this process read with a delay of up to {received.exchange.lag_ms:.0f} ms (limit: {_IN_TIME:.0f} ms)"
        raise CannotEvaluate(f"{len(times)} events were read within {duration:.1f} ms, but {late}")
    message = f"{len(times)} events were received within {duration:.1f} ms, {times[0]:.0f} ms after the request"
    yield Finding(message, want="events sent as they are generated", got=f"{duration:.1f} ms")


@check("http.body-complete", over=STREAMS, where=Where("streams", reads=FRAMING))
def test_a_compressed_stream_has_its_end(received: Received) -> Findings:
    if not content_coding(received.exchange.headers):
        raise DoesNotApply("the stream is not compressed")
    yield EXAMINED
    yield from body_has_its_end(received)
