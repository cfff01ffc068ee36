"""Why the data of an event is not JSON, where the bytes around it show that: what is in the event, or what is
missing after it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from conformance.decode.events import mapping
from conformance.decode.json_text import Reader
from conformance.decode.response import Received
from conformance.decode.sse import Frame

#: The longest data that a message shows completely.
_SHORT = 40

#: A comment at the end of a line with other content, and one that is a line of its own.
_COMMENT = re.compile(r":[ \w.-]{0,40}\Z")

#: A comment line. Its text is searched without a pattern: one could take quadratic time.
_COMMENT_LINE = re.compile(rb"(?:^|(?<=[\r\n])):[^\r\n]*")

#: The bytes after an invalid event in which its rest is sought.
_NEAR = 100_000


def why_invalid(received: Received, frame: Frame) -> str:
    """What is wrong with the data of a frame that is not a JSON object, as a sentence."""
    data, where = frame.data, f"frame {frame.index}"
    try:
        Reader().load(data)
    except ValueError as error:
        reason = str(error)
    else:
        return f"the data of {where} is not a JSON object"
    lines = data.split("\n")
    if len(lines) > 1 and all(map(_is_object, lines)):
        return f"{where} contains the data of {len(lines)} events: the blank line between them is missing"
    if (behind := _COMMENT.search(lines[-1])) and _is_object("\n".join([*lines[:-1], lines[-1][: behind.start()]])):
        return f"{where}: the comment {behind[0]!r} is on the line of the data"
    if interruption := _interruption(received, frame):
        return f"{where} is a part of an event, which {interruption} interrupts"
    shown = repr(data) if len(data) <= _SHORT else reason
    return f"the data of {where} is not a JSON object: {shown}"


def _interruption(received: Received, frame: Frame) -> str:
    """What divides an event in two: its data is JSON without the line break, or a comment and the blank lines
    around it; else empty."""
    near = received.exchange.body[frame.start : frame.end + _NEAR].decode("utf-8", "replace")
    _, mark, near = near.partition("data:")
    first, _, rest = near.replace("\r\n", "\n").replace("\r", "\n").partition("\n")
    following = rest.split("\n")[:4]
    ending = "a line break" if following[0] else "a blank line"
    comment = _COMMENT.search(first)
    own = [line for line in following if line.startswith(":")][:1]
    following = [line for line in following if line and line not in own]
    found = own[0] if own else comment[0] if comment else ""
    begins = first if own or not comment else first[: comment.start()]
    if not mark or not following or not _is_object(begins + following[0].removeprefix("data:")):
        return ""
    return f"the comment {found!r}" if found else ending


def _is_object(text: str) -> bool:
    try:
        return isinstance(Reader().load(text), dict)
    except ValueError:
        return False


def swallowed_events(received: Received) -> Iterator[tuple[str, str]]:
    """The events that are in a comment line, by their type, each with that line: their number is missing in the
    stream, so that it is no note about an event."""
    sent = (event.data.get("sequence_number") for event in received.events)
    numbers = {number for number in sent if isinstance(number, int)}
    for found in _COMMENT_LINE.finditer(received.exchange.body):
        # The name of the data field is behind other words, without a line end between them.
        data = found[0].partition(b"data:")[2].strip()
        if not (data.startswith(b"{") and data.endswith(b"}")):
            continue
        try:
            event = mapping(Reader().load(data.decode("utf-8", "replace")))
        except ValueError:
            continue
        number = event.get("sequence_number")
        if isinstance(event.get("type"), str) and isinstance(number, int) and number not in numbers:
            yield event["type"], found[0][:120].decode("utf-8", "replace")
