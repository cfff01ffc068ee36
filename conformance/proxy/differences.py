"""Differences between two requests, or two responses, each with the rule that it violates."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from conformance.judge.findings import MISSING
from conformance.proxy.conversation import Conversation, Turn, counted, results_by_id
from conformance.proxy.outcomes import Call
from conformance.proxy.parameter_values import is_default, is_same
from conformance.proxy.texts import changed_encoding, is_part, listed, marked, same_json, text_differs
from conformance.proxy.tool_schemas import has_references, resolved, same_parameters


@dataclass(frozen=True)
class Difference:
    """A violation of a rule of the area ``proxy``; ``rule`` is without that prefix. Differences with the same
    ``group``, if it is not empty, have one cause."""

    rule: str
    message: str
    want: Any = MISSING
    got: Any = MISSING
    group: str = ""


#: Turns up to which a reader sees in a list which of them are missing.
_MANY_TURNS = 8

#: The groups of contents, calls or results, and parts of results, that are lost completely, and of equal call ids.
LOST, LOST_CALLS, LOST_PARTS, EQUAL_IDS = "lost content", "lost calls", "lost parts", "equal call ids"


def _consumed(texts: Sequence[str], joined: Sequence[str]) -> tuple[str, str, str]:
    """What is wrong with texts that should be in ``joined``: the missing text, where it should begin, and text that
    does not belong there; each empty if there is none. White space between the texts is ignored, as texts are joined
    with it."""
    complete, at, extra = "\n".join(joined), 0, ""
    for number, text in enumerate(texts):
        if not text.strip() and text not in complete[at:]:
            continue
        found = complete.find(text, at)
        if found < 0:
            # Skip what precedes the text with the same beginning, so that the first difference is shown.
            starts = (complete.find(start, at) for start in (text[:12], text[:3], text[:12].strip()) if start.strip())
            near = next((start for start in starts if start >= 0), -1)
            rest = complete[at:].lstrip("\n")
            if near < 0 and any(one.strip() and rest.startswith(one) for one in texts[number + 1 :]):
                rest = ""  # What follows is the next text: this one is lost.
            return text, complete[near:] if near >= 0 else rest, extra
        extra = extra or complete[at:found].strip()
        at = found + len(text)
    return "", "", extra or complete[at:].strip()


def of_requests(sent: Conversation, received: Conversation, passes: bool) -> Iterator[Difference]:
    """The differences between the client's request and the upstream's; ``passes``: both use the same dialect."""
    moved, order = _moved_system_text(sent, received), _other_order(sent, received)
    for problem in dict.fromkeys(received.problems if not order else ()):  # Else the calls are out of place too.
        yield Difference("request.dialect", f"the upstream request is not valid: {problem}")
    if moved or order:
        yield from filter(None, (moved or order,))
    else:
        content = [*_system(sent, received), *_turns(_merged(sent.turns), received.turns, passes)]
        lost = [one for one in content if one.rule != "request.nothing-added"]
        yield from lost or content  # A text that was changed is not also one that was added.
    yield from _tools(sent, received)
    yield from _parameters(sent, received)


def _moved_system_text(sent: Conversation, received: Conversation) -> Difference | None:
    """A system text that reached the upstream in another role."""
    system = "\n".join(received.system)
    for text in sent.system:
        role = next((turn.role for turn in received.turns for one in turn.texts if text.strip() and text in one), "")
        if role and text not in system and not any(text in one for turn in sent.turns for one in turn.texts):
            says = (
                f"an instruction of the client reached the upstream in a message of the role {role}: {marked(text, 0)}"
            )
            return Difference("request.roles-and-order", says, want="system or developer", got=role)
    return _late_system_text(sent, received)


def _late_system_text(sent: Conversation, received: Conversation) -> Difference | None:
    """A system text that follows everything else, and did not in the client's request."""
    for text, place in zip(sent.system, sent.places, strict=True):
        found = [at for one, at in zip(received.system, received.places, strict=True) if text.strip() and text in one]
        if place < sent.contents and found and min(found) == received.contents:
            says = f"an instruction of the client reached the upstream after all messages: {marked(text, 0)}"
            return Difference("request.roles-and-order", says, "before the messages", "after them")
    return None


def _other_order(sent: Conversation, received: Conversation) -> Difference | None:
    """The same texts in another order."""
    want, got = ([text for turn in one.turns for text in turn.texts if text.strip()] for one in (sent, received))
    if want == got or sorted(want) != sorted(got):
        return None
    at = next(at for at, text in enumerate(want) if got[at] != text)
    says = f"the texts of the input reached the upstream in another order: at place {at + 1} {marked(got[at], 0)}"
    return Difference("request.roles-and-order", f"{says}, expected {marked(want[at], 0)}", want[at], got[at])


def _system(sent: Conversation, received: Conversation) -> Iterator[Difference]:
    missing, near, extra = _consumed(sent.system, received.system)
    if missing:
        message = text_differs("instructions or system message", missing, near)
        yield Difference("request.system-texts", message, missing, near)
    elif extra:
        message = f"the upstream received a system text that the client did not send: {marked(extra, 0)}"
        yield Difference("request.nothing-added", message, want="", got=extra)


def _merged(turns: Sequence[Turn], empty: bool = False) -> list[Turn]:
    """The turns without ``empty`` ones, unless they are to be kept; neighbours of one role are joined."""
    made: list[Turn] = []
    for one in turns:
        if not (empty or any(one.texts) or one.calls or one.results or one.media or one.reasoning):
            continue
        if made and made[-1].role == one.role:
            last = made[-1]
            made[-1] = Turn(
                last.role, last.texts + one.texts, last.calls + one.calls, last.results + one.results,
                last.media + one.media, last.order + one.order, last.reasoning + one.reasoning,
            )  # fmt: skip
        else:
            made.append(replace(one))
    return made


def _turns(sent: list[Turn], complete: Sequence[Turn], passes: bool) -> Iterator[Difference]:
    received = _merged(complete)
    if not passes and not any(one.reasoning for one in received):
        had, sent = sent, _merged([replace(one, reasoning=[]) for one in sent])
        if any(one.reasoning for one in had) and not _lost_calls(sent, received):  # Else its message is lost.
            says = "a reasoning item of the input did not reach the upstream"
            text = "\n".join(text for one in received for text in one.texts)
            if all(part in text for one in had for part in one.reasoning):
                says = "a reasoning item of the input reached the upstream in a text, not as reasoning"
            yield Difference("request.reasoning", says, want="reasoning_content", got=None)
    roles, all_received = [one.role for one in sent], _merged(complete, empty=True)
    if len(all_received) > len(received) and is_part([one.role for one in all_received], roles):
        received = all_received  # A message that arrived without its text is not missing.
    actual = [one.role for one in received]
    if roles != actual:
        yield _lost_calls(sent, received) or _roles(sent, received, roles, actual)
        return
    for at, (one, other) in enumerate(zip(sent, received, strict=True)):
        yield from _turn(f"{one.role} turn {at + 1}", one, other)


def _lost_calls(sent: Sequence[Turn], received: Sequence[Turn]) -> Difference | None:
    """Calls or tool results that are lost, if all else arrived; None otherwise."""
    want, got = counted(sent), counted(received)
    lost: dict[str, Any] = {name: [] for name in want if got[name] < want[name]}
    kept = _merged([replace(one, **lost) for one in sent])
    texts = ([text for turn in side for text in turn.texts] for side in (kept, received))
    if not lost or [one.role for one in kept] != [one.role for one in received] or any(_consumed(*texts)):
        return None  # They can have become texts.
    says = [f"{name}: the client sent {want[name]}, the upstream received {got[name]}" for name in lost]
    return Difference("request.calls", "; ".join(says), want, got, LOST_CALLS)


def _roles(sent: list[Turn], received: list[Turn], roles: list[str], actual: list[str]) -> Difference:
    known, arrived = ([text for one in side for text in one.all_texts] for side in (sent, received))
    for one in received if len(actual) > len(roles) else ():
        for text in filter(str.strip, one.all_texts):
            again = arrived.count(text) > known.count(text) > 0
            if again or not any(other in text or text in other for other in known if other):
                which = "again" if again else "that the client did not send"
                says = f"the upstream received a {one.role} message {which}: {marked(text, 0)}"
                return Difference("request.nothing-added", says, want=roles, got=actual)
    says = f"the turns are in the order {listed(actual)}, expected {listed(roles)}"
    if len(roles) > _MANY_TURNS and is_part(actual, roles):
        by_role = (f"{actual.count(role)} of {roles.count(role)} of the {role}" for role in dict.fromkeys(roles))
        says = f"of {len(roles)} turns the upstream received {len(actual)}: {', '.join(by_role)}"
    return Difference("request.roles-and-order", says, want=roles, got=actual)


def _turn(where: str, sent: Turn, received: Turn) -> Iterator[Difference]:
    missing, near, extra = _consumed(sent.texts, received.texts)
    if missing:
        yield Difference("request.texts", text_differs(where, missing, near), missing, near, "" if near else LOST)
    elif extra:
        message = f"{where}: the upstream received text that the client did not send: {marked(extra, 0)}"
        yield Difference("request.nothing-added", message, want="", got=extra)
    if lost := [one for one in sent.media if one not in received.media]:
        message = f"{where}: the upstream did not receive {lost[0][:60]}"
        yield Difference("request.media", message, lost[0][:200], [one[:200] for one in received.media], LOST)
    elif sent.media and not missing and (want := _joined(sent.order)) != (got := _joined(received.order)):
        message = f"{where}: the texts and images are in the order {listed(got)}, expected {listed(want)}"
        yield Difference("request.roles-and-order", message, want, got)
    if sent.reasoning:
        missing, near, _ = _consumed(sent.reasoning, received.reasoning)
        if missing:
            yield Difference("request.reasoning", text_differs(f"{where}, reasoning", missing, near), missing, near)
    yield from _calls(where, sent, received)


def _joined(order: Sequence[str]) -> list[str]:
    """The order of texts and media, neighbouring texts as one, as they can be joined."""
    kept = [one for at, one in enumerate(order) if not at or one != "text" or order[at - 1] != "text"]
    return [one[:40] for one in kept]


def _calls(where: str, sent: Turn, received: Turn) -> Iterator[Difference]:
    if len(sent.calls) != len(received.calls):
        count = f"{len(received.calls)} function calls, the client sent {len(sent.calls)}"
        yield Difference("request.calls", f"{where}: the upstream received {count}", sent.calls, received.calls)
        return
    for one, other in zip(sent.calls, received.calls, strict=True):
        if one[1] != other[1]:
            says = f"{where}: a call has the name {other[1]!r}, expected {one[1]!r}"
            yield Difference("request.calls", says, one, other)
        elif not same_json(one[2], other[2]):
            says = text_differs(f"{where}, arguments of {one[1]}", one[2], other[2])
            yield Difference("request.calls", says, one[2], other[2])
    if len(sent.results) != len(received.results):
        count = f"{len(received.results)} tool results, the client sent {len(sent.results)}"
        yield Difference("request.calls", f"{where}: the upstream received {count}", sent.results, received.results)
        return
    for name, texts, others in results_by_id(sent.results, received.results):
        # Several texts can be joined by white space.
        want, got, extra = _consumed(texts, others) if len(texts) > 1 else ("".join(texts), "".join(others), "")
        if want != got or extra:
            if changed_encoding(texts, "".join(others)):
                want, got = "".join(texts), "".join(others)
            says = text_differs(f"{where}, result of the call {name}", want, got or extra, parts=texts)
            yield Difference("request.calls", says, want, got or extra, LOST_PARTS * (len(texts) > 1 and not got))


def _tools(sent: Conversation, received: Conversation) -> Iterator[Difference]:
    for name, tool in sent.tools.items():
        other = received.tools.get(name)
        if other is None:
            says = f"the tool {name} did not reach the upstream"
            if new := _renamed(tool, sent, received):
                says = f"the tool {name} reached the upstream with the name {new}"
            yield Difference("request.tools", says, name, [*received.tools])
        elif other["description"] != tool["description"]:
            says = text_differs(f"description of the tool {name}", tool["description"], other["description"])
            yield Difference("request.tools", says, tool["description"], other["description"])
        elif not same_parameters(tool["parameters"], other["parameters"]):
            schema = tool["parameters"] if has_references(other["parameters"]) else resolved(tool["parameters"])
            want, got = (json.dumps(one, ensure_ascii=False) for one in (schema, other["parameters"]))
            says = text_differs(f"parameters of the tool {name}", want, got)
            yield Difference("request.tools", says, schema, other["parameters"])
        else:
            yield from _strict(name, tool["strict"], other["strict"])
    extra = [name for name in received.tools if name not in sent.tools]
    if extra and all(name in received.tools for name in sent.tools):  # Else it can be one with another name.
        message = f"the upstream received the tool {extra[0]}, which the client did not send"
        yield Difference("request.nothing-added", message, [*sent.tools], [*received.tools])


def _renamed(tool: dict[str, Any], sent: Conversation, received: Conversation) -> str:
    """The new name of a tool at the upstream: one that the client did not send, with the same description and
    parameters; empty without one."""
    return next((name for name, one in received.tools.items() if name not in sent.tools and one == tool), "")


def _strict(name: str, want: Any, got: Any) -> Iterator[Difference]:
    """The differences of ``strict``: a default can be stated, and false be left out, as nothing states another one."""
    start = f"strict of the tool {name}: the client sent {json.dumps(want)}, the upstream received"
    if want is True and got is None:
        yield Difference("request.strict", f"{start} no such member", want, got)
    elif want is not None and got is not None and want != got:
        yield Difference("request.tools", f"{start} {json.dumps(got)}", want, got)


def _parameters(sent: Conversation, received: Conversation) -> Iterator[Difference]:
    for name, value in sent.parameters.items():
        actual = received.parameters.get(name, MISSING)
        if not is_same(name, value, actual):
            what = "no such parameter" if actual is MISSING else f"{actual!r}"
            message = f"{name}: the client sent {value!r}, the upstream received {what}"
            got = None if actual is MISSING else actual
            yield Difference("request.parameters", message, value, got, f"{name} = {actual!r}")
    for name, value in received.parameters.items():
        if name not in sent.parameters and not is_default(name, value):
            off = (name, value) == ("effort", "off")  # The dialect has several.
            what = "a parameter that disables reasoning" if off else f"{name} = {value!r}"
            message = f"the upstream received {what}, which the client did not send"
            yield Difference("request.nothing-added", message, None, value, f"{name} = {value!r}")


def of_calls(sent: Sequence[Call], received: Sequence[Call]) -> Iterator[Difference]:
    """The differences between the calls of the upstream's response and those that the client received."""
    if [one.name for one in sent] != [one.name for one in received]:
        want, got = ([one.name for one in calls] for calls in (sent, received))
        says = f"the client received the calls {listed(got)}, the upstream sent {listed(want)}"
        yield Difference("response.calls", says, want, got)
        return
    for one, other in zip(sent, received, strict=True):
        if other.kind != "string":
            says = f"arguments of {one.name}: the client received a JSON {other.kind}, expected a string"
            yield Difference("response.calls", says, "string", other.kind)
        elif not same_json(one.arguments, other.arguments):
            where = f"arguments of {one.name}"
            says = text_differs(where, one.arguments, other.arguments, "the upstream sent", "the client received")
            yield Difference("response.calls", says, one.arguments, other.arguments)
    ids = [one.call_id for one in received]
    if len(set(ids)) < len(ids) or "" in ids:
        says = f"the call ids {listed(ids)} are not distinct"
        yield Difference("response.calls", says, "distinct ids", ids, EQUAL_IDS)
