"""The stream as bytes and frames: UTF-8, frames that parse, whole to the end, and nothing after the end."""

from __future__ import annotations

import re

from conformance.decode.events import DONE_MARKER
from conformance.decode.response import Answer, CannotJudge, DoesNotApply
from conformance.decode.sse import Frame
from conformance.judge.applicability import BYTES, FRAMING, LINES, NEEDS_A_CAUSE, STREAM, Where
from conformance.judge.common import excerpt, received_whole
from conformance.judge.selectors import ANSWERS, STREAMS, together
from conformance.judge.verdict import EXAMINED, Examined, Finding, Findings, check, strays

#: Milliseconds that a whole stream must take, and events of the model's output that it must hold, to be checked for
#: bursts: a fast model makes a short answer in less.
_LONG_ENOUGH, _EVENTS_ENOUGH = 1000.0, 30

#: Events received within so many milliseconds, or within so many milliseconds each, were received at once: no model
#: makes thousands of tokens a second.
_AT_ONCE, _AT_ONCE_EACH = 10.0, 0.2

#: By how many milliseconds the reader may have been late: later, it reads at once what was sent one by one.
_IN_TIME = 20.0

#: What a server may send before it has read the prompt.
_BEFORE_THE_MODEL = ("response.created", "response.queued", "response.in_progress")

#: A line that begins as a document would, where a field name belongs.
_NO_FIELD = re.compile(rb"[\r\n]([{\[<][^\r\n]{0,119})")

#: The first line that a reader of events looks at, also where bytes without a line end of their own stand before it.
_FIELD = re.compile(rb"(?:[\r\n]|\0)(?:data|event|id|retry)(?::|[\r\n])")

#: A line that a reader passes over: empty, a comment, or a field whose name it does not know, with or without a value.
_ANY_FIELD = re.compile(rb"[\w.-]*(?::|\Z)")

_BOM = b"\xef\xbb\xbf"


@check("sse.plain-stays-plain", over=ANSWERS, where=Where("answers", leans_on=("stream",)))
def test_stream_only_where_asked_for(answer: Answer) -> Findings:
    if answer.status != 200:
        raise CannotJudge(f"HTTP {answer.status}")
    if answer.exchange.body:
        yield EXAMINED
    if answer.looks_like_stream != answer.streaming and answer.exchange.body:
        asked, came = (("a stream", "none"), ("no stream", "one"))[answer.looks_like_stream]
        yield Finding(f"{asked} was asked for and {came} came", want=asked, got=excerpt(answer))


@check("sse.utf8", over=STREAMS, where=Where("streams", reads=BYTES))
def test_stream_is_utf8(answer: Answer) -> Findings:
    if not answer.exchange.ok:
        raise CannotJudge(f"HTTP {answer.status}")
    if answer.exchange.body:
        yield EXAMINED
    try:
        answer.exchange.body.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":
            return  # The stream ends inside a character: another rule's finding.
        message = f"byte {error.start} is not UTF-8: {error.reason}"
        yield Finding(message, want="UTF-8", got=error.object[error.start : error.end].hex())


@check("sse.frames-parse", over=STREAMS, where=Where("streams", reads=LINES))
def test_nothing_stands_outside_the_fields(answer: Answer) -> Findings:
    yield Examined(len(answer.frames))
    if answer.exchange.ended == "clean" and not answer.frames:
        yield Finding("the stream holds no event", want="events", got=excerpt(answer))
    foreign = _before_the_first_field(answer.exchange.body)
    if foreign and answer.frames:
        got = foreign[:120].decode("utf-8", "replace")
        yield Finding("bytes that are no field stand before the first event", want="event: or data:", got=got)
    for found in _NO_FIELD.finditer(b"\n" + answer.exchange.body, len(foreign)):
        got = found[1].decode("utf-8", "replace")
        yield Finding("a line stands in the stream without a field name", want="data: ...", got=got)


def _before_the_first_field(body: bytes) -> bytes:
    """What stands before the first event of a stream and is no field: neither a comment nor a name and a colon."""
    begun = _FIELD.search(b"\n" + body)
    ahead = body[: begun.start()] if begun else b""
    return ahead if any(not _ANY_FIELD.match(line) for line in ahead.removeprefix(_BOM).splitlines()) else b""


@check("sse.data-is-json-object", over=STREAMS, where=STREAM)
def test_data_is_a_json_object(answer: Answer) -> Findings:
    yield Examined(len(answer.frames))
    for frame in answer.strange:
        message = f"the data of frame {frame.index} is not a JSON object"
        yield Finding(message, want="a JSON object", got=frame.data[:160])


@check("sse.last-frame-complete", over=STREAMS, where=Where("streams", reads=FRAMING))
def test_last_frame_is_dispatched(answer: Answer) -> Findings:
    if answer.exchange.ended == "clean":
        yield Examined(bool(answer.frames or answer.undispatched))
    if answer.exchange.ended == "clean" and answer.undispatched:
        message = "the stream ends inside a frame: no blank line dispatches it"
        yield Finding(message, want="a blank line at the end", got=answer.undispatched[:160])


@check("sse.event-line-matches-type", over=STREAMS, where=Where("streams", reads=LINES))
def test_event_line_is_the_type(answer: Answer) -> Findings:
    for event in answer.events:
        named, kind = event.frame.event, event.data.get("type")
        yield Examined(bool(named) and isinstance(kind, str))
        if named and isinstance(kind, str) and named != kind:
            yield Finding(f"the event line of {kind} says {named}", "/type", event.index, kind, named)


@check("sse.event-line-present", over=STREAMS, where=Where("streams", reads=LINES))
def test_event_line_is_there(answer: Answer) -> Findings:
    for event in answer.events:
        yield EXAMINED
        if not event.frame.event:
            yield Finding("an event has no event line", "", event.index, f"event: {event.type}", "none")


def _done_markers(answer: Answer) -> list[Frame]:
    return [frame for frame in answer.frames if frame.end - frame.start < 99 and frame.data.strip() == DONE_MARKER]


@check("sse.done-marker", over=together("streams", "core", stream=True))
def test_done_marker(answer: Answer) -> Findings:
    marks = _done_markers(answer)
    if not answer.frames:
        raise CannotJudge("the stream has no event")
    yield Finding("[DONE] is sent" if marks else "no [DONE]")


@check("sse.done-marker-last", over=STREAMS, where=Where("streams", reads=LINES))
def test_done_marker_is_last(answer: Answer) -> Findings:
    marks = _done_markers(answer)
    yield Examined(len(marks))
    if marks and marks[0] is not answer.frames[-1]:
        after = answer.frames[marks[0].index + 1]
        yield Finding(
            f"[DONE] is frame {marks[0].index} and not the last",
            want="nothing after it",
            got=after.data[:120],
        )


@check("sse.ends-after-terminal", over=STREAMS, where=STREAM)
def test_nothing_follows_the_terminal_event(answer: Answer) -> Findings:
    yield Examined(any(event.terminal for event in answer.events))
    yield from (strays(one) for one in answer.violations if one.rule == "sse.ends-after-terminal")
    received_whole(answer)


@check("sse.not-cut", over=STREAMS, where=Where("streams", reads=FRAMING))
def test_stream_ends_by_the_protocol(answer: Answer) -> Findings:
    if not answer.exchange.ok:
        raise CannotJudge(f"HTTP {answer.status}")
    received_whole(answer)
    yield Examined(bool(answer.exchange.body))
    ended = answer.exchange.ended
    if ended in ("cut", "reset", "invalid"):
        message = f"the body ends in a {ended} after {len(answer.events)} events ({answer.exchange.detail})"
        yield Finding(message, want="the protocol's own end", got=ended)


@check("sse.incremental", over=STREAMS, aside=NEEDS_A_CAUSE)
def test_deltas_come_as_they_are_made(answer: Answer) -> Findings:
    times = [event.frame.at for event in answer.events if event.type not in _BEFORE_THE_MODEL]
    if not times or times[-1] < _LONG_ENOUGH or len(times) < _EVENTS_ENOUGH:
        took = f"{len(times)} events in {times[-1]:.0f} ms" if times else "no events"
        least = f"at least {_EVENTS_ENOUGH} in {_LONG_ENOUGH:.0f} ms or more"
        raise DoesNotApply(f"the stream holds {took}; {least} are needed to see whether they are sent one by one")
    yield EXAMINED
    apart = times[-1] - times[0]
    if apart >= max(_AT_ONCE, _AT_ONCE_EACH * len(times)):
        return
    if answer.exchange.lag_ms is not None and answer.exchange.lag_ms > _IN_TIME:
        late = f"this process read up to {answer.exchange.lag_ms:.0f} ms late (at most {_IN_TIME:.0f} ms are in time)"
        raise CannotJudge(f"{len(times)} events were read within {apart:.1f} ms, and {late}")
    message = f"{len(times)} events were received within {apart:.1f} ms, {times[0]:.0f} ms after the request"
    yield Finding(message, want="events spread over the time it takes to make them", got=f"{apart:.1f} ms apart in all")
