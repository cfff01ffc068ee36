"""Sums: deltas, done events, parts, items and final output have equal text; plain and streamed have equal shape."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from conformance.contract.schemas import ABSENT
from conformance.decode.events import ITEM_ADDED, ITEM_DONE, Event, objects
from conformance.decode.response import CannotEvaluate, DoesNotApply, Received
from conformance.decode.sums import Text, item_texts, undocumented_type_of
from conformance.judge.applicability import BYTES, COMPARES, EVERY_DELTA, STREAM, Where, has_no_encoding_errors
from conformance.judge.common import between, needs, scenario_of
from conformance.judge.encodings import encoded_twice, output_strings
from conformance.judge.selectors import STREAMS, everything, pairs
from conformance.judge.verdict import EXAMINED, Case, Examined, Finding, Findings, check, finding_at

#: For these members, which the documentation's table does not list, null is equivalent to absent.
_NULLABLE = ("metadata", "output_text")

_REPLACEMENT_CHARACTER = "\ufffd"


Object = dict[str, Any]

#: The documented members whose presence plain and streaming must share.
_RESPONSE = (
    "id", "object", "created_at", "status", "error", "incomplete_details", "model", "metadata", "output",
    "output_text", "usage",
)  # fmt: skip
_ITEM = ("id", "type", "role", "status", "content", "call_id", "name", "arguments")
_DETAILS = ("input_tokens_details", "output_tokens_details")


def _differs(one: Text, stage: str, pointer: str, what: str) -> Findings:
    """A finding if the text of a stage differs from that of the previous stage that the stream contains."""
    here, before = getattr(one, stage), one.before(stage)
    if here is None or before is None:
        return
    yield EXAMINED
    if here == before[1]:
        return
    event, shown = one.events[stage], one.kind.shown
    earlier = "the deltas" if before[0] == "deltas" else one.events[before[0]].type.removeprefix("response.")
    message = f"other {shown} than in {earlier} at output_index {one.output_index} ({_where(before[1], here)})"
    yield Finding(f"{what}: {message}", pointer, event.index, before[1], here)


def _where(one: str, other: str) -> str:
    """The lengths of two texts and the offset of the first difference, for a message."""
    at = next(
        (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
        min(len(one), len(other)),
    )
    return f"expected {len(one)} characters, received {len(other)}; first difference at character {at}"


def _deltas(received: Received, rule: str) -> Findings:
    for one in received.texts:
        if one.kind.checked_by != rule:
            continue
        done = one.events.get("done")
        shown, member = (done.type.removeprefix("response."), done.row.member if done.row else "") if done else ("", "")
        yield from _differs(one, "done", f"/{member}" if member else "", shown)
        complete = one.done or one.item
        yield Examined(bool(complete))
        if one.deltas is None and complete:
            stage = "done" if one.done else "item"
            message = f"no delta contains the {one.kind.shown} of output_index {one.output_index}"
            other = undocumented_type_of(complete, one.output_index, received.events)
            message += f": it is in events of the undocumented type {other}" if other else ""
            yield Finding(message, "", one.events[stage].index, "deltas with this text", complete[:160])


@check("sum.text-deltas", over=STREAMS, where=EVERY_DELTA)
def test_text_deltas_add_up(received: Received) -> Findings:
    yield from _deltas(received, "sum.text-deltas")


@check("sum.reasoning-deltas", over=STREAMS, where=EVERY_DELTA)
def test_reasoning_deltas_add_up(received: Received) -> Findings:
    yield from _deltas(received, "sum.reasoning-deltas")


@check("sum.arguments-deltas", over=STREAMS, where=EVERY_DELTA)
def test_arguments_deltas_add_up(received: Received) -> Findings:
    yield from _deltas(received, "sum.arguments-deltas")


@check("sum.part", over=STREAMS, where=STREAM)
def test_part_contains_the_text(received: Received) -> Findings:
    for one in received.texts:
        yield from _differs(one, "part", "/part/text", "content_part.done")


@check("sum.item", over=STREAMS, where=STREAM)
def test_item_contains_its_texts(received: Received) -> Findings:
    for one in received.texts:
        yield from _differs(one, "item", "/item", "output_item.done")
        if one.item is None and (one.deltas or one.done):
            closing = [event for event, at in received.placed if event.type == ITEM_DONE and at == one.output_index]
            if closing:
                message = f"output_item.done does not contain the {one.kind.shown} of output_index {one.output_index}"
                yield Finding(message, "/item", closing[0].index, one.done or one.deltas, ABSENT)


@check("sum.final-output", over=STREAMS, where=STREAM)
def test_final_output_contains_the_items(received: Received, case: Case) -> Findings:
    event, output = received.terminal, objects(received.response.get("output"))
    items, done = _streamed_items(received)
    streamed = [index for index, item in items.items() if not _may_be_left_out(item, case)]
    kept = [place for place, item in enumerate(output) if not _may_be_left_out(item, case)]
    want, got = [items[index] for index in streamed], [output[place] for place in kept]
    yield Examined(max(len(got), len(want)))
    if differs := _order(want, got) or _other_items(_types(want), _types(got)):
        yield finding_at(event, f"the final output {differs}", "/response/output", _types(want), _types(got))
        return
    for index, place in zip(streamed, kept, strict=True):
        yield from _same_item(items[index], output[place], f"/response/output/{place}", event.index, index in done)
    moved = dict(zip(streamed, kept, strict=True)) if len(items) + len(output) > 2 * len(kept) else {}
    yield from _final_texts(received, moved)


def _order(streamed: Sequence[Object], final: Sequence[Object]) -> str:
    """How the final output has all streamed items, and in another order; empty where it does not."""
    before, after = [item.get("id") for item in streamed], [item.get("id") for item in final]
    moved = before != after and sorted(map(str, before)) == sorted(map(str, after))
    return "has the streamed items in another order" if moved and len(set(map(str, before))) == len(before) else ""


def _types(items: Sequence[Object]) -> list[Any]:
    return [item.get("type") for item in items]


def _other_items(streamed: Sequence[Any], final: Sequence[Any]) -> str:
    """The streamed items missing from the final output, by type, and the items added to it; empty if they are equal."""
    if streamed == final:
        return ""
    lacking, added = Counter(map(str, streamed)), Counter(map(str, final))
    lacks = ", ".join(f"{number} {kind}" for kind, number in (lacking - added).items())
    more = ", ".join(f"{number} {kind}" for kind, number in (added - lacking).items())
    words = [f"does not contain {lacks} of the streamed items"] * bool(lacks)
    words += [f"has {more} that was not streamed"] * bool(more)
    return " and ".join(words) or "has items of the streamed types in another order"


def _streamed_items(received: Received) -> tuple[dict[int, Object], dict[int, Object]]:
    """The items of a stream by output_index, as last sent, and those that were closed by output_item.done."""
    done, opened = _by_index(received, ITEM_DONE), _by_index(received, ITEM_ADDED)
    return {index: done.get(index, item) for index, item in sorted(opened.items())}, done


def _final_texts(received: Received, moved: Mapping[int, int]) -> Findings:
    """The findings about each text in the final output. ``moved``: the final position of each streamed output_index, if
    they differ; else empty."""
    event, output = received.terminal, objects(received.response.get("output"))
    for one in received.texts:
        yield from _final_text(_moved(one, moved, output, event) if moved else one, event, moved)


def _may_be_left_out(item: Object, case: Case) -> bool:
    """Whether an item has an undocumented type. The contract does not define whether such items are streamed or are in
    the final output."""
    kind = item.get("type")
    return isinstance(kind, str) and kind not in case.context.schemas.item_types


def _moved(one: Text, moved: Mapping[int, int], output: Sequence[Object], event: Event) -> Text:
    """A text whose ``final`` is taken from the item's position in the final output; None if the item is not in it."""
    place = moved.get(one.output_index)
    string = item_texts(output[place], event.table) if place is not None else ()
    final = next((value for _, content, value in string if content == one.content_index), None)
    return replace(one, final=final if isinstance(final, str) else None, events={**one.events, "final": event})


def _final_text(one: Text, event: Event, moved: Mapping[int, int]) -> Findings:
    if moved and one.output_index not in moved:
        return
    if one.final is None and (one.done or one.deltas):
        message = f"the final output does not contain the {one.kind.shown} of output_index {one.output_index}"
        yield Finding(message, "/response/output", event.index, one.done or one.deltas, ABSENT)
    place = moved.get(one.output_index, one.output_index)
    yield from _differs(one, "final", f"/response/output/{place}", event.type)


def _by_index(received: Received, kind: str) -> dict[int, dict[str, Any]]:
    return {
        place: event.item for event, place in received.placed if event.type == kind and event.item and place is not None
    }


def _same_item(item: dict[str, Any], final: dict[str, Any], pointer: str, event: int, done: bool) -> Findings:
    for member in ("id", "role", "call_id", "name") if done else ():
        if member in item and item[member] != final.get(member):
            message = f"{member} of the final item differs from that in output_item.done"
            yield Finding(message, f"{pointer}/{member}", event, item[member], final.get(member, ABSENT))


@check("sum.no-replacement-characters", over=STREAMS, where=Where("streams", reads=BYTES, when=has_no_encoding_errors))
def test_no_character_was_mangled(received: Received) -> Findings:
    for event, member, string in output_strings(received):
        yield Examined(bool(string))
        if event.type.endswith(".done") and (meant := encoded_twice(string)) is not None:
            problem = f"{member} was encoded twice: UTF-8 was decoded as Latin-1"
            yield finding_at(event, problem, f"/{member}", meant[:80], string[:80])


@check(
    "sum.no-replacement-characters", over=everything("answers", where=lambda one: one.expect == "answer"), together=True
)
def test_no_character_was_split(responses: list[Received]) -> Findings:
    """Plain responses show whether the model itself writes U+FFFD; an incomplete stream may end inside a character."""
    if any(_contains_replacement(one.exchange.body) for one in responses if not one.looks_like_stream):
        raise DoesNotApply("plain responses contain U+FFFD too")
    if not any(one.streaming for one in responses):
        raise DoesNotApply("no stream was requested")
    streams = [one for one in responses if one.exchange.ok and one.looks_like_stream]
    if not streams:
        raise CannotEvaluate("no stream was received")
    for received in streams:
        if not received.of("response.incomplete"):
            yield Examined(sum(bool(string) for _, _, string in output_strings(received)))
            yield from _split(received)


def _contains_replacement(body: bytes) -> bool:
    return _REPLACEMENT_CHARACTER.encode() in body or b"\\ufffd" in body.lower()


def _split(received: Received) -> Findings:
    if _contains_replacement(received.exchange.request.body):
        return
    for event, member, string in output_strings(received):
        if _REPLACEMENT_CHARACTER in string:
            problem = f"{member} contains U+FFFD: a character was split"
            found = finding_at(event, problem, f"/{member}", "no U+FFFD", string[:80])
            yield replace(found, scenario=received.scenario)


@check("sum.starts-empty", over=STREAMS, where=STREAM)
def test_added_items_and_parts_are_empty(received: Received, case: Case) -> Findings:
    for event in received.of("response.output_item.added"):
        if event.item.get("type") not in case.context.schemas.item_types:
            continue  # The contract does not define items of other types.
        yield EXAMINED
        for member in ("arguments", "input"):
            if event.item.get(member):
                yield finding_at(event, f"{member} is not empty", f"/item/{member}", "", event.item[member])
        for index, content in enumerate(objects(event.item.get("content"))):
            if content.get("text"):
                yield finding_at(event, "text is not empty", f"/item/content/{index}/text", "", content["text"])
    for event in received.of("response.content_part.added"):
        yield EXAMINED
        if event.part.get("text"):
            yield finding_at(event, "the part is not empty", "/part/text", "", event.part["text"])


def _comparable(given: list[Received], case: Case) -> tuple[Received, Received]:
    """The plain and the streamed response; :class:`CannotEvaluate` if one does not meet the scenario's need or their
    final statuses differ, :class:`DoesNotApply` if one of them reached a lower cap than the other has."""
    plain, stream = given
    for received in given:
        needs(received, case)
    if plain.final_status != stream.final_status:
        if plain.sent.get("max_output_tokens") != stream.sent.get("max_output_tokens"):
            raise DoesNotApply("one of the responses is incomplete: the two requests have different max_output_tokens")
        raise CannotEvaluate(f"the plain response ended {plain.final_status}, the streamed one {stream.final_status}")
    return plain, stream


@check("sum.plain-same-kinds", over=pairs("core"), together=True, not_for_captured=COMPARES)
def test_streamed_response_has_the_kinds_of_items_of_the_plain_one(given: list[Received], case: Case) -> Findings:
    plain, stream = _comparable(given, case)
    # The model may call a tool or not, and an incomplete response may end before its message begins.
    free = ("tools" in plain.sent and not scenario_of(plain, case).need) or plain.final_status != "completed"
    kinds = [sorted(_by_kind(received)) for received in given]
    yield EXAMINED
    if kinds[0] != kinds[1] and not free:
        message = f"the plain and the streamed Response contain different types of items{_empty_in_one(plain, stream)}"
        yield between(plain, stream, message, "/response/output", kinds[0], kinds[1])


def _empty_in_one(plain: Received, stream: Received) -> str:
    """The end of a message about a message without text that only one of both has: it is no output of the model."""
    kinds = _by_kind(plain), _by_kind(stream)
    both = (("plain", plain, kinds[0], kinds[1]), ("streamed", stream, kinds[1], kinds[0]))
    found = (way for way, one, own, other in both if "message" in own.keys() - other.keys() and not one.words)
    return next((f": a message without text is in the {way} one only" for way in found), "")


@check("sum.plain-same-shape", over=pairs("core"), together=True, not_for_captured=COMPARES)
def test_streamed_response_has_the_members_of_the_plain_one(given: list[Received], case: Case) -> Findings:
    plain, stream = _comparable(given, case)
    for what, pointer, one, other, members in _compared_objects(plain, stream):
        for member in members:
            yield EXAMINED
            absent = (None, ABSENT) if member in _NULLABLE else (ABSENT,)
            want, got = one.get(member, ABSENT), other.get(member, ABSENT)
            if (want in absent) != (got in absent):
                way, less = ("plain", "streamed") if got in absent else ("streamed", "plain")
                null = f", and null in the {less} one" if want is None or got is None else ""
                message = f"{member} of {what} is in the {way} response only{null}"
                yield between(plain, stream, message, f"/response{pointer}/{member}", want, got)


def _compared_objects(plain: Received, stream: Received) -> Iterator[tuple[str, str, Object, Object, tuple[str, ...]]]:
    """The objects to compare, as (name, pointer, plain object, streamed object, members)."""
    yield "the Response", "", plain.response, stream.response, _RESPONSE
    kinds, others = _by_kind(plain), _by_kind(stream)
    for kind in kinds.keys() & others.keys():
        yield f"a {kind}", "/output", kinds[kind], others[kind], _ITEM
    usage, other = plain.response.get("usage"), stream.response.get("usage")
    if isinstance(usage, dict) and isinstance(other, dict) and usage and other:  # Another rule reports an empty one.
        yield "usage", "/usage", usage, other, _DETAILS


def _by_kind(received: Received) -> dict[str, Object]:
    return {str(item.get("type")): item for item in reversed(received.output)}
