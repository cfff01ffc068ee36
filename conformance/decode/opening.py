"""Begin and end of a stream: response.created, response.in_progress, and exactly one terminal event, which is last.

Source: doc 2026-06-24, "Response chunk"; openai, ResponseStreamEvent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from conformance.contract.revisions import DEFAULT
from conformance.decode.events import Event, mapping, text
from conformance.decode.violation import Violation

#: Rules that every stream with an event is evidence for.
_OF_EVERY_STREAM = ("lifecycle.one-terminal-last", "sse.ends-after-terminal")

#: The rules of the events that begin a stream, in their order.
_BEGIN_RULES = ("lifecycle.created-first", "lifecycle.in-progress-second")


def opening(events: Sequence[Event]) -> tuple[list[Violation], Counter[str]]:
    """The violations of: created first, in_progress second, each once, one terminal event and that last; and for each
    rule the number of events it was evaluated on."""
    found: list[Violation] = []
    types = [event.type for event in events]
    begins = events[0].table.of("begin") if events else ()
    for place, (name, rule) in enumerate(zip(begins, _BEGIN_RULES, strict=False)):
        seen = [event for event in events if event.type == name]
        # OpenAI sends response.queued between the two; a failure may end a stream before the first of them.
        ahead = [one for one in types[: place + 2] if one not in ("response.queued",)]
        if types and (len(ahead) <= place or ahead[place] != name) and not _failed_early(types, place):
            begun = [event for event in events if event.type != "response.queued"] or list(events)
            actual = begun[min(place, len(begun) - 1)]
            message = f"event {actual.index} is {actual.type or 'without a type'}, not {name}"
            if place == 0 and seen and (foreign := _of_another_stream(events, seen[0].index)):
                message = f"{foreign} event{'s' * (foreign > 1)} of another stream before {name}"
            found.append(Violation(rule, message, actual, "/type", name, actual.type))
        found += [_again(seen[0], again) for again in seen[1:]]
    if types:
        examined = Counter(dict.fromkeys(_OF_EVERY_STREAM, 1))
        examined["lifecycle.in-progress-second"] = int(not _failed_early(types, 1))
        examined["lifecycle.created-first"] = int(not _failed_early(types, 0))
        examined["lifecycle.each-once"] = sum(name in begins for name in types)
    else:
        examined = Counter()
    return found + _terminal(events), examined


def _of_another_stream(events: Sequence[Event], begin: int) -> int:
    """The number of events before the first one of the stream, if they are about items that do not occur in it."""
    named = [{text(one.data.get("item_id")) for one in part} - {""} for part in (events[:begin], events[begin:])]
    return begin if named[0] and not named[0] & named[1] else 0


def _again(first: Event, again: Event) -> Violation:
    """A second response.created or response.in_progress: of the same response, or of another one."""
    message, ident = f"{again.type} is sent a second time", again.response.get("id")
    if ident == first.response.get("id"):
        return Violation("lifecycle.each-once", message, again, "/type")
    message += ", for another response: the stream contains the events of two"
    return Violation("lifecycle.each-once", message, again, "/response/id", first.response.get("id"), ident)


def _failed_early(types: Sequence[str], place: int) -> bool:
    return len(types) <= place + 1 and types[-1:] != [] and types[-1] in ("error", "response.failed")


def _reported_error(last: Event | None) -> str:
    """The message of a last event that is not a documented end, but reports an error."""
    error_text = last and (text(mapping(last.data.get("error")).get("message")) or text(last.data.get("message")))
    return f"; its last event is {last.type}: {error_text[:200]}" if last and error_text else ""


def _terminal(events: Sequence[Event]) -> list[Violation]:
    rule = "lifecycle.one-terminal-last"
    ends = [event for event in events if event.terminal]
    if not ends:
        last = events[-1] if events else None
        ends_are = (last.table if last else DEFAULT.decoding).of("end")
        want, got = f"one of {', '.join(ends_are)}", last.type if last else "no event at all"
        message = "the stream ends without a terminal event" + _reported_error(last)
        return [Violation(rule, message, last, "/type", want, got)]
    more = ends[1:]
    # OpenAI ends a failed stream with an error event and then response.failed: two events, one end.
    if more and {ends[0].type, more[0].type} == {"error", "response.failed"}:
        more = more[1:]
    found = [Violation(rule, f"{again.type} is a second terminal event", again) for again in more]
    after = [event for event in events[ends[0].index + 1 :] if not event.terminal]
    if after:
        what = after[0].type or "an event without a type"
        message = f"{what} follows the terminal event ({len(after)} event{'s' * (len(after) > 1)} after it)"
        found.append(Violation("sse.ends-after-terminal", message, after[0]))
        if after[0].type.startswith("response."):
            found.append(Violation(rule, message, after[0]))
    return found
