"""What clients send and strict gateways refuse: members and items of OpenAI's API that the contract does not document.

They are parts of the requests in :mod:`conformance.scenarios.histories` and :mod:`conformance.scenarios.undocumented`:
served, ignored or refused with a 4xx. References to stored items are sent by a captured client (AI SDK).
"""

from __future__ import annotations

from typing import Any

Items = list[dict[str, Any]]

_TEXT = [{"type": "output_text", "text": "I will look.", "annotations": []}]
_CALL = {"type": "function_call", "id": "fc_8f", "call_id": "call_8f", "name": "get_weather"}
_OUTPUT = {"type": "function_call_output", "call_id": "call_8f", "output": "18"}

#: Items by name, each with a description.
ITEMS: dict[str, tuple[str, Items]] = {
    "reasoning-null-content": (
        "a returned reasoning item whose content and status are null, followed by a call",
        [
            {"type": "reasoning", "id": "rs_8f", "content": None, "status": None},
            {**_CALL, "arguments": '{"city": "Bern", "days": 1, "unit": "celsius"}'},
            _OUTPUT,
        ],
    ),
    "phases": (
        "returned assistant messages with a phase",
        [
            {"role": "user", "content": "Look at the weather."},
            {"type": "message", "id": "msg_8f", "role": "assistant", "status": "completed", "content": _TEXT,
             "phase": "commentary"},
            {"role": "assistant", "content": "Done.", "phase": "final_answer"},
        ],
    ),
    "output-without-call-id": (
        "the output of a call without call_id",
        [{"type": "function_call_output", "output": "18"}],
    ),
    "configuration-update": (
        "an item that changes the configuration of later turns",
        [{"type": "configuration_update", "reasoning": {"effort": "low"}}],
    ),
    "compaction-trigger": ("an item that triggers a compaction", [{"type": "compaction_trigger"}]),
}  # fmt: skip

#: Of :data:`ITEMS` those that the request schema accepts: it allows additional members, and null as content.
FIT_SCHEMA = ("reasoning-null-content", "phases")

#: Members of a function tool.
TOOL_FIELDS: dict[str, Any] = {
    "async": True,
    "allowed_callers": ["direct"],
    "defer_loading": True,
    "output_schema": {"type": "object", "properties": {"sky": {"type": "string"}}},
}
