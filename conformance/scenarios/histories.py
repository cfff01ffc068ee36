"""Conversations written by the client, with many types of items at once.

Each type is sent alone only if the conversation that contains all of them is not served.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from conformance.scenarios import gateways
from conformance.scenarios.inputs import QUESTION, prose
from conformance.scenarios.ordinary import CORE, SHORT
from conformance.scenarios.scenario import Body, Scenario
from conformance.scenarios.templates import Cap
from conformance.scenarios.tools import WEATHER

Items = list[dict[str, Any]]

#: Characters of each long piece: if a server drops one of the eight, more tokens are missing than the other items add.
_PIECE = 5_000

_ARRAY = frozenset({"input-array"})

#: A tool output as real tools return it: JSON in a string, with characters outside ASCII, quotes and line ends.
_RESULT = '{"天气": "晴", "note": "said \\"mild\\"\\nthen left", "readings": [18, 18.5, null, true]}'

_ARGUMENTS = '{"city": "Bern", "days": 1, "unit": "celsius"}'

#: A citation, which the text part of an assistant message may contain.
_CITATION = {"type": "url_citation", "url": "https://example.com/a", "title": "A", "start_index": 0, "end_index": 5}

#: Two short turns.
_SMALL = (("user", "Note"), ("assistant", "Noted"))


def scenarios() -> list[Scenario]:
    """The conversation of all documented items, the one of returned reasoning, and the one that may be refused."""
    return [*_documented(), *_reasoning(), *_unusual()]


def _turn(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "content": text}


def _parts(*texts: str, kind: str = "input_text") -> Items:
    return [{"type": kind, "text": text} for text in texts]


def _message(ident: str, text: str, status: str = "completed") -> dict[str, Any]:
    """An assistant message as clients return it; only the output of a response is returned with its annotations, so
    that a refusal of them is not one of something else."""
    content = [{"type": "output_text", "text": text}]
    return {"type": "message", "id": ident, "role": "assistant", "status": status, "content": content}


def _call(
    call_id: str, arguments: str = '{"city": "Bern", "days": 1, "unit": "celsius"}', **more: str
) -> dict[str, Any]:
    return {"type": "function_call", "call_id": call_id, "name": "get_weather", "arguments": arguments, **more}


def _output(call_id: str, output: Any) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": output}


def _documented() -> list[Scenario]:
    long, short = (_kinds(prose(size)) for size in (_PIECE, 100))
    combined = Scenario(
        "turns.history-forms",
        "a conversation of every documented type of item, 45,000 characters in all",
        _conversation(*(items for _, items in long.values()), instructions=prose(_PIECE)),
        tags=CORE | {"turns", "sizable"},
        claims=_ARRAY | {"tools"},
    )
    # Sent alone they are short, so that a model with a small context, which refuses the complete one, can serve each.
    return [combined, *_alone(combined, short)]


def _kinds(piece: str) -> dict[str, tuple[str, Items]]:
    """Items of each documented form, by name, with a description; the long texts in them are ``piece``."""
    return {
        "developers": (
            "a system and two developer messages, one in parts",
            [
                _turn("system", piece),
                _turn("developer", piece),
                {"role": "developer", "content": _parts("Be", "brief.")},
            ],
        ),
        "many-turns": (
            "ten turns and a list of small items",
            [
                _turn("user", "Read this."),
                _turn("assistant", piece),
                *(_turn(role, f"{word} {turn}") for turn in range(10) for role, word in _SMALL),
                {"role": "user", "content": _parts("And this:", piece)},
            ],
        ),
        "incomplete-message": (
            "an incomplete assistant message",
            [_turn("user", "Tell me more."), _message("msg_1f", piece, "incomplete")],
        ),
        "text-before-call": (
            "a text and two calls in one response, JSON and CJK in their outputs, followed by a user message",
            [
                _turn("user", "What is the weather in Bern, today and tomorrow?"),
                _message("msg_2f", "I will look."),
                _call("call_1f", id="fc_1f", status="completed"),
                _call("call_2f", json.dumps({"city": piece, "days": 1, "unit": "celsius"})),
                _output("call_2f", [*_parts(_RESULT), *_parts(piece)]),
                _output("call_1f", f"{_RESULT}\n{piece}"),
            ],
        ),
    }


def _reasoning() -> list[Scenario]:
    """Reasoning items as documented, without summary."""
    user, received = _turn("user", "Pick a number."), _message("msg_3f", "Seven.")
    reasoning = {"type": "reasoning", "id": "rs_1f"}
    text = [{"type": "reasoning_text", "text": "Any number will do."}]
    kinds: dict[str, tuple[str, Items]] = {
        "reasoning-with-content": (
            "a returned reasoning item with content and no summary",
            [user, {**reasoning, "content": text, "status": "completed"}, received],
        ),
        "reasoning-without-content": ("a returned reasoning item without content", [user, reasoning, received]),
    }
    combined = Scenario(
        "turns.reasoning-forms",
        "returned reasoning items in each documented form",
        _conversation(*(items for _, items in kinds.values())),
        tags=CORE | {"reasoning-returned"},
        claims=_ARRAY | {"tools", "reasoning"},
    )
    return [combined, *_alone(combined, kinds)]


def _unusual() -> list[Scenario]:
    """Items that the documentation neither lists nor excludes: they may be served or refused, without a server
    error."""
    reasoning = [{"type": "reasoning_text", "text": "Hm."}]
    kinds: dict[str, tuple[str, Items]] = {
        "odd-order": (
            "a response first, two in a row, a system message behind, a text between a call and its output",
            [
                _message("msg_6f", "Good morning."),
                _turn("assistant", "How can I help?"),
                _turn("system", "Be brief."),
                _call("call_6f", id="fc_6f"),
                _turn("assistant", "One moment."),
                _output("call_6f", "18"),
            ],
        ),
        "odd-members": (
            "a call with empty arguments, an output without parts, null for ids and statuses, annotations",
            [
                _turn("user", "Go on."),
                {**_call("call_7f", ""), "id": None, "status": None},
                _output("call_7f", []),
                {
                    "type": "message",
                    "id": "msg_7f",
                    "role": "assistant",
                    "status": "completed",
                    "content": [{"type": "output_text", "text": "See a.", "annotations": [_CITATION]}],
                },
            ],
        ),
        "odd-characters": (
            "NUL, half a surrogate pair and what no character is",
            [_turn("user", "a\0b \ud83d c \uffff"), _turn("assistant", "Noted.")],
        ),
        "cut-call": (
            "a call with incomplete arguments",
            [_turn("user", "Go on."), _call("call_4f", '{"city": "Zür', status="incomplete"), _output("call_4f", "")],
        ),
        "reasoning-without-id": (
            "a reasoning item without an id",
            [{"type": "reasoning", "content": reasoning}, _message("msg_4f", "Well.")],
        ),
        "reasoning-alone": (
            "a reasoning item followed only by a user message",
            [_turn("user", "Think."), {"type": "reasoning", "id": "rs_2f", "content": reasoning}],
        ),
        "empty-texts": (
            "empty strings, and messages without parts",
            [
                _turn("user", ""),
                _turn("assistant", ""),
                {"role": "user", "content": []},
                {"role": "user", "content": _parts("", "")},
            ],
        ),
        "foreign-ids": (
            "ids in the formats of other services",
            [
                _message("chatcmpl-9/x", "Yes."),
                _turn("user", "Look."),
                _call("toolu_01:ab/c", id="0"),
                _output("toolu_01:ab/c", "18"),
            ],
        ),
        **gateways.ITEMS,
    }
    last: Items = [{"type": "reasoning", "id": "rs_5f", "content": reasoning}]
    combined = Scenario(
        "turns.unusual",
        "a conversation of unusual items",
        _conversation(*(items for _, items in kinds.values()), last=last),
        expect="either",
        tags=frozenset({"unusual"}),
        claims=_ARRAY | {"tools", "reasoning"},
        wrong=True,
        escaped=True,  # Half a pair has no UTF-8.
    )
    other = [name for name in gateways.ITEMS if name not in gateways.FIT_SCHEMA]
    wrong = [f"turns.{name}" for name in ("reasoning-without-id", "odd-members", *other)]
    (ends,) = _alone(combined, {"reasoning-last": ("a conversation that ends in a reasoning item", [])})
    alone = [replace(ends, body=_conversation(last=last)), *_alone(combined, kinds)]
    return [combined, *(replace(one, wrong=one.name in wrong) for one in alone)]


def _conversation(*kinds: Items, last: Items | None = None, **more: str) -> Body:
    """The items, a question, and the items behind it."""
    items = [item for kind in kinds for item in kind]
    return {
        **SHORT,
        "max_output_tokens": Cap.LINE,
        **more,
        "input": [*items, _turn("user", QUESTION), *(last or [])],
        "tools": [WEATHER],
    }


def _alone(combined: Scenario, kinds: dict[str, tuple[str, Items]]) -> list[Scenario]:
    return [
        replace(
            combined,
            name=f"turns.{name}",
            description=description,
            body=_conversation(items),
            tags=combined.tags - CORE - {"sizable"},
            within=combined.name,
        )
        for name, (description, items) in kinds.items()
    ]
