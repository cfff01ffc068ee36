"""What the bytes of a probe show beside its findings: facts from which the root cause of violations is inferred."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.contract.revisions import DEFAULT
from conformance.decode.cannot_evaluate import CannotEvaluate
from conformance.decode.events import DONE_MARKER, mapping
from conformance.proxy import conversation, response_facts, stopping
from conformance.proxy.connections import (
    BROKEN,
    CANCELLED,
    TRAILERS,
    failed_after,
    leaves_streams,
)
from conformance.proxy.outcomes import Call, frames, has_failed, outcome, streams
from conformance.proxy.records import Leg, Pair, Record, Recording
from conformance.proxy.texts import same_json

#: Kinds of probes in which the upstream serves an ordinary response.
_ORDINARY = ("response", "request", "streaming")

#: Kinds of probes in which the upstream sends a complete response.
_COMPLETE = (*_ORDINARY, "silence", "forms", "rare-forms", "after", "concurrent")

#: Statuses of failures from which on equal ones at the client show that the proxy has one status for all.
_STATUSES = 3

#: An event for the comparison of both sides: its type and its delta.
_Event = tuple[str, str]


@dataclass(frozen=True)
class Symptoms:
    """The probes that show each fact. ``broken``: the proxy interrupted complete streams, most of them or by invalid
    framing. ``damaged``: events of a stream were lost, repeated or divided, not by their type. ``suffix``: only the
    last items of the input reached the upstream. ``one_status``: the client receives one status for all failures.
    ``stopped``: the proxy served nothing more after their requests. ``stuck``: the same, as its responses hang, and
    those of concurrent requests. ``unread``: a response failed on a connection in which the proxy left one that its
    client had cancelled, and those with such clients. ``trailers``: the same with trailers. ``leaves``: the same with
    streams, after none of which one succeeded. ``parsed``: the proxy wrote JSON arguments again, or could not serve a
    response whose arguments are no JSON, if both occur. ``looped``: a proxy sent the calls of a response back to the
    upstream, with results of its own. ``together``: their requests were sent at the same time as others, or
    after concurrent ones. ``choiceless``: a stream of the upstream with a chunk without choices failed, as all of
    them do. ``kept``, ``framed_twice``, ``doneless`` and ``reordered``: :mod:`conformance.proxy.response_facts`."""

    broken: frozenset[str] = frozenset()
    damaged: frozenset[str] = frozenset()
    suffix: frozenset[str] = frozenset()
    one_status: frozenset[str] = frozenset()
    stopped: frozenset[str] = frozenset()
    stuck: frozenset[str] = frozenset()
    unread: frozenset[str] = frozenset()
    trailers: frozenset[str] = frozenset()
    leaves: frozenset[str] = frozenset()
    parsed: frozenset[str] = frozenset()
    looped: frozenset[str] = frozenset()
    together: frozenset[str] = frozenset()
    choiceless: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()
    framed_twice: frozenset[str] = frozenset()
    doneless: frozenset[str] = frozenset()
    reordered: frozenset[str] = frozenset()


def symptoms(recording: Recording) -> Symptoms:
    """The facts of a recording."""
    dialect = str(recording.settings["dialect"])
    complete = [one for one in recording.records if _is_of(one, _COMPLETE) and one.pairs]
    requests = [one for one in recording.records if _is_of(one, ("request",)) and one.pairs]
    return Symptoms(
        frozenset(_broken(complete)),
        frozenset(_damaged(complete) if dialect == "responses" else ()),
        frozenset(_suffix(requests, dialect)),
        frozenset(_one_status(recording.records)),
        frozenset(_stopped(recording.records)),
        frozenset(_stuck(recording.records)),
        frozenset(_unread(recording.records)),
        frozenset(failed_after(recording.records, TRAILERS)),
        frozenset(_leaves(recording.records)),
        frozenset(_parsed(recording.records, dialect)),
        frozenset(one.probe for one in recording.records if any(pair.has_own_results for pair in one.pairs)),
        frozenset(response_facts.together(recording.records)),
        frozenset(_choiceless(complete)),
        frozenset(response_facts.kept(recording.records)),
        frozenset(response_facts.framed_twice(recording.records)),
        frozenset(response_facts.doneless(recording.records) if dialect == "chat" else ()),
        frozenset(response_facts.reordered(complete, dialect)),
    )


def _is_of(record: Record, kinds: Collection[str]) -> bool:
    return bool(set(record.about.get("kinds", ())) & set(kinds))


def _stopped(records: Sequence[Record]) -> Iterator[str]:
    for one in records:
        if _is_of(one, (stopping.KIND,)):
            yield from (one.probe, *one.about["after"])


def _stuck(records: Sequence[Record]) -> list[str]:
    """The probes of the end of a run and of concurrent requests, if all responses hang at the end: a proxy that serves
    only so many at a time, and loses their places."""
    stopped = [one for one in records if _is_of(one, (stopping.KIND,))]
    if not stopped or any(pair.client.ended != "time-out" for pair in stopped[0].pairs):
        return []
    return [one.probe for one in records if _is_of(one, (stopping.KIND, "concurrent"))]


def _unread(records: Sequence[Record]) -> list[str]:
    failed = failed_after(records, CANCELLED)
    return [*failed, *(one.probe for one in records if _is_of(one, ("cancel", "cancel-many")))] if failed else []


def _leaves(records: Sequence[Record]) -> list[str]:
    """The probes that a proxy can have failed that leaves the end of streams unread, also before the upstream."""
    if not leaves_streams(records):
        return []
    pairs = [(one.probe, pair) for one in records for pair in one.pairs]
    failed = [probe for probe, pair in pairs if not pair.upstream and (pair.client.status or 0) >= 500]
    after = [probe for probe, pair in pairs if any(leg.notes.get("after") for leg in pair.upstream)]
    return [*after, *failed, *_unread(records)]


def _choiceless(complete: Sequence[Record]) -> list[str]:
    """The probes whose streams have a chunk without choices, such as that of the usage, if all of them failed."""
    pairs = [(one, pair) for one in complete for pair in one.pairs if any(map(_is_choiceless, pair.upstream))]
    is_served = any(pair.client.ok and not has_failed(pair.client) for _, pair in pairs)
    return [] if is_served else [one.probe for one, _ in pairs]


def _is_choiceless(leg: Leg) -> bool:
    return leg.requests_stream and b'"choices":[]' in leg.reply


def _parsed(records: Sequence[Record], dialect: str) -> list[str]:
    again, refused = [], []
    for one in records:
        if not _is_of(one, ("response",)) or not one.pairs or not one.pairs[0].upstream:
            continue
        client, sent = one.pairs[0].client, _calls(one.pairs[0].upstream[-1], dialect)
        if not client.ok:
            refused += [one.probe] * any(not _is_json(call.arguments) for call in sent)
        elif any(map(_is_written_again, sent, _calls(client, "responses"))):
            again.append(one.probe)
    return again + refused if again and refused else []


def _calls(leg: Leg, dialect: str) -> tuple[Call, ...]:
    """The calls of a response; none if it cannot be read."""
    try:
        return outcome(leg, dialect).calls if leg.ok else ()
    except CannotEvaluate:
        return ()


def _is_written_again(sent: Call, taken: Call) -> bool:
    """Whether the client received the arguments as equal JSON in other characters, or as another type."""
    want, got = sent.arguments, taken.arguments
    return taken.kind != "string" or (want != got and same_json(want, got))


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _broken(complete: Sequence[Record]) -> list[str]:
    """The probes with streams that the proxy interrupted, if most of the ordinary ones are, or the framing of one is
    invalid: else it can be another defect in each."""
    ordinary = [one for one in complete if _is_of(one, _ORDINARY) and one.pairs[0].client.requests_stream]
    cut = [one for one in complete if any(pair.client.ended in BROKEN and pair.client.ok for pair in one.pairs)]
    systematic = 2 * sum(one in cut for one in ordinary) > len(ordinary)
    invalid = any(pair.client.ended == "invalid" for one in cut for pair in one.pairs)
    return [one.probe for one in cut] if systematic or invalid else []


def _damaged(complete: Sequence[Record]) -> list[str]:
    """The probes in whose streams events were lost, repeated, or are no JSON, except for types of which the proxy never
    sends the number that it received: those are a choice."""
    pairs = {one.probe: one.pairs[0] for one in complete if _has_streams(one.pairs[0])}
    both = {name: (_events(pair.upstream[-1]), _events(pair.client)) for name, pair in pairs.items()}
    equal: set[str] = set()
    for sent, taken in both.values():
        counts = [Counter(kind for kind, _ in side) for side in (sent, taken)]
        equal |= {kind for kind in counts[0] if counts[0][kind] == counts[1][kind]}
    return [name for name, sides in both.items() if _is_damaged(*sides, equal)]


def _has_streams(pair: Pair) -> bool:
    return pair.client.ok and streams(pair.client) and bool(pair.upstream) and streams(pair.upstream[-1])


def _events(leg: Leg) -> list[_Event]:
    """The documented events of a stream; what is no JSON has the type ``invalid``."""
    return [one for one in _typed(leg) if one[0] == _INVALID or one[0] in DEFAULT.table.by_type]


_INVALID = "invalid"


def _typed(leg: Leg) -> Iterator[_Event]:
    for data in frames(leg):
        try:
            event: dict[str, Any] = mapping(json.loads(data))
        except ValueError:
            if data.strip() != DONE_MARKER:
                yield _INVALID, data
            continue
        yield str(event.get("type")), str(event.get("delta", ""))


def _is_damaged(sent: Sequence[_Event], taken: Sequence[_Event], compared: Collection[str]) -> bool:
    """Whether one side has all events of the other, and more; or the client's alone has one that is no JSON."""
    if any(kind == _INVALID for kind, _ in taken):
        return all(kind != _INVALID for kind, _ in sent)
    sent, taken = ([one for one in side if one[0] in compared] for side in (sent, taken))
    return len(sent) != len(taken) and (_contains(sent, taken) or _contains(taken, sent))


def _contains(events: Sequence[_Event], some: Sequence[_Event]) -> bool:
    left = iter(events)
    return all(one in left for one in some)


def _suffix(requests: Sequence[Record], dialect: str) -> list[str]:
    """The probes of which the upstream received only the last items, if several were lost in one of them: a single one
    can be lost for its kind."""
    lost = {one.probe: _lost_before(one.pairs[0], dialect) for one in requests}
    return [name for name, count in lost.items() if count] if max(lost.values(), default=0) > 1 else []


def _lost_before(pair: Pair, dialect: str) -> int:
    """The number of contents that did not reach the upstream, if it received those after them, with the instructions
    or without; else 0."""
    if not pair.upstream or not isinstance(pair.upstream[-1].json, dict):
        return 0
    body = mapping(pair.client.json)
    sent = _contents(conversation.of_responses({**body, "instructions": None}))
    received = _contents(conversation.of(pair.upstream[-1].json, dialect))
    instructions = (conversation.SYSTEM, body.get("instructions"))
    received = received[1:] if received[:1] == [instructions] else received
    return len(sent) - len(received) if received and sent[-len(received) :] == received else 0


def _contents(made: conversation.Conversation) -> list[Any]:
    """The contents in order: a text with its role, a call, or a tool result."""
    others = [one for turn in made.turns for one in (*((turn.role, text) for text in turn.texts), *turn.calls,
                                                     *turn.results)]  # fmt: skip
    for text, place in reversed(list(zip(made.system, made.places, strict=True))):
        others.insert(place, (conversation.SYSTEM, text))
    return others


def _one_status(records: Sequence[Record]) -> list[str]:
    """The probes with an error status of the upstream, if the client receives one and the same status for all."""
    failures = [one for one in records if _is_of(one, ("failure",)) and "status" in one.about and one.pairs]
    received = {one.pairs[0].client.status for one in failures}
    upstream = {one.about["status"] for one in failures}
    return [one.probe for one in failures] if len(received) == 1 and len(upstream) >= _STATUSES else []
