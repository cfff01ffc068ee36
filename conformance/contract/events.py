"""The event, item and part types of a stream: one table each, from which all tables of the decoder are derived.

A test checks that these tables and the schemas list the same types. To add an event type: its schema in
``schemas/<revision>/events/``, a row here, a scenario that causes it, and faults for it.

Sources: doc 2026-06-24 and doc 2026-10, "Response chunk"; openai, ResponseStreamEvent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Step = Literal["begin", "end", "open-item", "close-item", "open-part", "delta", "done", "close-part"]
"""What an event does in the lifecycle of its stream.

``begin``: a snapshot of the initial Response object. ``end``: the response is final. ``open-item``, ``close-item``: an
output item is added, or is done. ``open-part``, ``close-part``: the same for a content part. ``delta``: a fragment of a
text. ``done``: the complete text.
"""


@dataclass(frozen=True)
class EventType:
    """One documented event type.

    ``item`` is the type of the output item that the event is about, empty where it may be any or where there is none.
    ``text`` is the kind of text (a key of :data:`TEXTS`) in the member ``member`` of a ``delta`` or ``done``.
    ``caused_by`` is the scenario whose stream must contain the event.
    """

    type: str
    step: Step
    item: str = ""
    text: str = ""
    member: str = ""
    caused_by: str = "text.stream"


#: The kinds of streamed texts (keys of ``EventType.text``), and the name of each in messages.
TEXTS = {"text": "output_text", "reasoning": "reasoning_text", "arguments": "arguments", "input": "input"}

#: Every documented event type, in the order of MiMo's page.
EVENTS = (
    EventType("response.created", "begin"),
    EventType("response.in_progress", "begin"),
    EventType("response.completed", "end"),
    EventType("response.incomplete", "end", caused_by="cut.stream"),
    EventType("response.output_item.added", "open-item"),
    EventType("response.output_item.done", "close-item"),
    EventType("response.content_part.added", "open-part"),
    EventType("response.content_part.done", "close-part"),
    EventType("response.output_text.delta", "delta", "message", "text", "delta"),
    EventType("response.output_text.done", "done", "message", "text", "text"),
    EventType(
        "response.function_call_arguments.delta", "delta", "function_call", "arguments", "delta", "tools.call.stream"
    ),
    EventType(
        "response.function_call_arguments.done", "done", "function_call", "arguments", "arguments", "tools.call.stream"
    ),
    EventType("response.reasoning_text.delta", "delta", "reasoning", "reasoning", "delta", "effort.high.stream"),
    EventType("response.reasoning_text.done", "done", "reasoning", "reasoning", "text", "effort.high.stream"),
    EventType(
        "response.custom_tool_call_input.delta", "delta", "custom_tool_call", "input", "delta", "tools.custom.stream"
    ),
    EventType(
        "response.custom_tool_call_input.done", "done", "custom_tool_call", "input", "input", "tools.custom.stream"
    ),
)

#: Item type -> kinds of texts it contains: in parts of its content, or (calls) in a member of the same name.
ITEMS = {
    "message": ("text",),
    "reasoning": ("reasoning",),
    "function_call": ("arguments",),
    "custom_tool_call": ("input",),
}

#: Part type -> kind of text, and type of the item that contains the part.
PARTS = {"output_text": ("text", "message"), "reasoning_text": ("reasoning", "reasoning")}

#: Kinds of texts that are a member of the item, not of a content part.
IN_ITEM = tuple(text for texts in ITEMS.values() for text in texts if text not in {one for one, _ in PARTS.values()})

#: Kinds of texts for which content_part events are optional.
PART_IS_OPTIONAL = ("reasoning",)

#: Undocumented event types that end a stream too (openai, ResponseStreamEvent).
FAILING_ENDS = ("response.failed", "error")

#: Every row of :data:`EVENTS` by its type.
BY_TYPE = {one.type: one for one in EVENTS}

#: The event types that concern one output item.
ABOUT_ITEM = frozenset(one.type for one in EVENTS if one.step not in ("begin", "end"))

#: Every type that ends a stream, the documented ones first.
ENDS = (*(one.type for one in EVENTS if one.step == "end"), *FAILING_ENDS)

#: The documented event types with a snapshot of the initial Response object.
BEGINS = tuple(one.type for one in EVENTS if one.step == "begin")
