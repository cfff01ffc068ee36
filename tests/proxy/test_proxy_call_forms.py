"""Forms of chunks that translators read wrongly: null in later chunks of a call, gaps in indexes, late reasoning."""

from __future__ import annotations

import copy
from typing import Any

from both_sides import problems, recorded

from conformance.emulator.proxy.habit import CLEAN, Context, Habit
from conformance.proxy.evaluation import evaluate
from conformance.proxy.probes.call_forms import indexes_with_gap, null_in_later_chunks, reasoning_after_text

FORMS = ["form.null-in-later-call-chunks", "form.call-indexes-with-gap", "form.reasoning-after-text"]


def _chunk(**delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}


def _call(index: int, text: str, **first: str) -> dict[str, Any]:
    """A chunk of a call; the first one has its id and name."""
    function = {"arguments": text, **({"name": first["name"]} if first else {})}
    return _chunk(tool_calls=[{"index": index, "function": function, **({"id": first["id"]} if first else {})}])


STREAM = [
    _chunk(reasoning_content="a"), _chunk(content="b"), _call(0, "{", id="x", name="f"), _call(0, "}"),
    _call(1, "{}", id="y", name="g"), {"choices": []},
]  # fmt: skip


def _calls(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [call for one in objects for choice in one["choices"] for call in choice["delta"].get("tool_calls", ())]


def test_the_forms_change_what_they_state() -> None:
    changed = _calls(null_in_later_chunks(copy.deepcopy(STREAM), "chat"))
    assert [(one["id"], one["function"]["name"]) for one in changed] == [("x", "f"), (None, None), ("y", "g")]
    assert [one["index"] for one in _calls(indexes_with_gap(copy.deepcopy(STREAM), "chat"))] == [1, 1, 3]
    assert reasoning_after_text(STREAM, "chat")[:2] == [STREAM[1], STREAM[0]]


def test_the_reference_proxy_reads_them() -> None:
    assert problems(evaluate(recorded("chat", CLEAN, FORMS))) == {}


def _without_late_reasoning(ctx: Context, event: dict[str, Any]) -> list[dict[str, Any]]:
    """Leaves out reasoning that begins behind the text."""
    kind = str(event.get("type"))
    ctx.body["_text"] = ctx.body.get("_text") or "output_text" in kind
    if kind == "response.completed":
        kept = [one for one in event["response"]["output"] if one["type"] != "reasoning"]
        return [{**event, "response": {**event["response"], "output": kept}}]
    return [] if ctx.body["_text"] and "reasoning" in str(event) else [event]


def test_a_proxy_that_drops_late_reasoning_is_reported() -> None:
    found = problems(evaluate(recorded("chat", Habit("late", "Drops it.", events=_without_late_reasoning), FORMS[2:])))
    assert "reasoning-after-text" in found["forms.rare-same-response"]
