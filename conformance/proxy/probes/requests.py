"""Probes about what reaches the upstream: texts, roles, tools, parameters and keys."""

from __future__ import annotations

from typing import Any

from conformance.contract.revisions import DEFAULT
from conformance.contract.schemas import Schemas
from conformance.decode.cannot_evaluate import CannotEvaluate
from conformance.proxy.item_ids import OWN
from conformance.proxy.kit import Kit, ProbeRequest, plan
from conformance.proxy.outcomes import received
from conformance.proxy.probes.probe import HARD, Body, Probe, body_of, both, simple
from conformance.proxy.script import Script

REQUEST = ("request",)

#: A schema with what a translator could simplify: nesting, unions, references, maps, empty values, and an order of
#: members.
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "zone": {"type": "string", "enum": ["north", "south"], "description": HARD},
        "trip": {
            "type": "object",
            "properties": {
                "stops": {
                    "type": "array",
                    "minItems": 1,
                    "items": {"type": "object", "properties": {"at": {"$ref": "#/$defs/point"}}, "required": ["at"]},
                },
                "speed": {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "null"}]},
            },
            "required": ["stops"],
        },
        "default": {"type": "integer", "default": 0},
        "labels": {"type": "object", "additionalProperties": {"type": "string", "pattern": "^[a-z]+$"}},
        "note": {"type": ["string", "null"], "enum": ["", "short", None]},
    },
    "required": ["zone", "trip"],
    "$defs": {"point": {"type": "array", "items": {"type": "number"}}},
}

#: A name of 64 characters, the longest that the contract allows.
LONG_NAME = "get-time_2" + "-of-a-place" * 4 + "-on-earth1"

TOOLS: list[dict[str, Any]] = [
    {"type": "function", "name": "planTrip", "description": f"Plan a trip. {HARD}", "parameters": SCHEMA},
    {
        "type": "function", "name": LONG_NAME, "description": "The time.",
        "parameters": {"type": "object", "properties": {}},
    },
]  # fmt: skip

#: The largest text: over the limit of 100 kB that some HTTP libraries set for a body.
LARGE = 110_000

#: A tool result of 30 kB, such as a file that a program has read.
_FILE = "a line of the file\n" * 2_000 + "its end"

#: A URL of an image.
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
    "rkJggg=="
)

#: A header that is for the connection to the proxy alone (RFC 9110 7.6.1).
_HOP = {"Connection": "keep-alive, X-Route-Hint", "X-Route-Hint": "of the first connection"}

#: What Codex and other clients send, and the contract does not document.
_UNDOCUMENTED: dict[str, Any] = {
    "store": False, "include": ["reasoning.encrypted_content"], "parallel_tool_calls": True, "metadata": {"a": "b"},
    "prompt_cache_key": "a", "service_tier": "auto", "truncation": "auto", "user": "ada", "safety_identifier": "ada",
}  # fmt: skip

_MOST = Schemas(DEFAULT).most_output_tokens


def message(role: str, text: str) -> dict[str, Any]:
    """A message with one text."""
    kind = "output_text" if role == "assistant" else "input_text"
    part: dict[str, Any] = {"type": kind, "text": text}
    if role == "assistant":
        part["annotations"] = []
        return {"type": "message", "id": f"msg{OWN}", "status": "completed", "role": role, "content": [part]}
    return {"type": "message", "role": role, "content": [part]}


def _items(*items: dict[str, Any], **more: Any) -> Body:
    """A body with these items before the question."""
    return lambda canary: {"input": [*items, message("user", f"And now {canary}.")], **more}


def _question(text: str) -> Body:
    return lambda canary: {"input": text.replace("CANARY", canary)}


def _easy(canary: str) -> dict[str, Any]:
    return {"input": [{"role": "user", "content": "Fly it."}, {"role": "user", "content": f"{canary} {HARD}"}]}


def _parts(canary: str) -> dict[str, Any]:
    texts = (f"first {canary}", f"second {HARD}", "third, \\u0041 stays as it is")
    return {"input": [{"role": "user", "content": [{"type": "input_text", "text": text} for text in texts]}]}


def _parameters(**values: Any) -> Body:
    return lambda canary: {**body_of(canary), **values}


def _image(canary: str) -> dict[str, Any]:
    parts = [
        {"type": "input_text", "text": canary}, {"type": "input_image", "image_url": PIXEL},
        {"type": "input_text", "text": "is above"},
    ]  # fmt: skip
    return {"input": [{"role": "user", "content": parts}]}


def _call(number: int, arguments: str) -> dict[str, Any]:
    name = TOOLS[number % 2]["name"]
    return {
        "type": "function_call", "id": f"fc{OWN}", "call_id": _call_id(number), "name": name,
        "arguments": arguments, "status": "completed",
    }  # fmt: skip


def _output(number: int, output: Any) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": _call_id(number), "output": output}


def _call_id(number: int) -> str:
    """An id of 64 characters, the longest that OpenAI allows; two differ at their end alone."""
    return f"call_{'of_a_gateway_' * 4}{number:07}"


_RESULT_PARTS = [{"type": "input_text", "text": text} for text in ("a part", f"another {HARD}", "a third")]

_ARGUMENTS = (
    '{"zone": "north", "trip": {"stops": [], "speed": 1.0e2}, "n": 12345678901234567890, '
    '"note": "\\"漢\\\\字\\" \\u2028"}'
)

TOOL_TURNS = (
    message("user", "Plan it."), _call(0, _ARGUMENTS), _call(1, "{}"),
    _output(1, '{ "time":"12:00",  "at": 1.0, "at": [1,2] }'), _output(0, HARD), message("assistant", "It is planned."),
)  # fmt: skip

LARGE_RESULT = (_call(2, "{}"), _output(2, _FILE))
_REASONED = (
    message("user", "Plan it."),
    {"type": "reasoning", "id": f"rs{OWN}", "content": [{"type": "reasoning_text", "text": "The north is near."}]},
    _call(1, "{}"), _output(1, "noon"),
)  # fmt: skip


def _results_last(canary: str) -> dict[str, Any]:
    """What a program sends when it has called a tool: a text before the call, and the result as the last item."""
    turns = [message("user", f"Plan {canary}."), message("assistant", "I look it up.")]
    return {"input": [*turns, _call(1, "{}"), _output(1, "noon")], "tools": TOOLS}


def _everything(canary: str) -> dict[str, Any]:
    """What a program for coding sends: all parts of a request at once."""
    return _items(
        message("developer", f"The folder is /home/ada. {HARD}"), *TOOL_TURNS,
        instructions="Be brief.", tools=TOOLS, tool_choice="auto", temperature=0.5, top_p=0.9, max_output_tokens=900,
        reasoning={"effort": "high"}, text={"format": {"type": "json_object"}},
    )(canary)  # fmt: skip


def _long_history() -> list[dict[str, Any]]:
    """More turns than a proxy should cut."""
    return [message(("user", "assistant")[at % 2], f"Turn {at} of a long talk.") for at in range(60)]


def _many_tools() -> list[dict[str, Any]]:
    """More tools than a proxy should cut: strict, not strict, and without a value."""
    parameters = {
        "type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"], "additionalProperties": False,
    }  # fmt: skip
    tool = {"type": "function", "parameters": parameters}
    strict: tuple[dict[str, Any], ...] = ({"strict": True}, {"strict": False}, {})
    # Programs for coding describe a tool in some kB.
    return [
        {**tool, "name": f"tool_{at}", "description": f"Tool {at}. " * (1 + 400 * (at == 7)), **strict[at % 3]}
        for at in range(40)
    ]


def _repeated(name: str, stream: bool) -> Probe:
    """The same request twice, and then with other instructions."""

    def run(kit: Kit) -> None:
        canary = kit.new_canary()
        for more in ({}, {}, {"instructions": "Write in French."}):
            kit.send(ProbeRequest(canary, {**body_of(canary), **more, "stream": stream}, Script(plan(canary))))

    return Probe(name, run, ("repeated",), {"stream": stream})


def _round_trip(stream: bool) -> Probe:
    def run(kit: Kit) -> None:
        canary = kit.new_canary()
        asking = [message("user", f"Use the tools for {canary}.")]
        first = {"input": asking, "tools": TOOLS, "stream": stream}
        calls = (("planTrip", _ARGUMENTS), (LONG_NAME, "{}"))
        made = kit.send(ProbeRequest(canary, first, Script(plan(canary, calls=calls))))
        second = kit.new_canary()
        items = returned_items(made.client)
        outputs = [
            {"type": "function_call_output", "call_id": item["call_id"], "output": f"result of {item['name']}"}
            for item in items
            if item.get("type") == "function_call"
        ]
        if outputs:
            given = [*asking, *items, *outputs, message("user", f"Go on with {second}.")]
            kit.send(ProbeRequest(second, {**first, "input": given}, Script(plan(second))))

    return Probe(f"request.call-round-trip{'.stream' * stream}", run, ("round-trip",), {"stream": stream})


def returned_items(leg: Any) -> list[dict[str, Any]]:
    """The output items of a response, to send them back; without ids if they have none."""
    try:
        return [item for item in received(leg).output if item.get("call_id") or item.get("type") == "message"]
    except CannotEvaluate:
        return []


def _refused(name: str, key: str) -> Probe:
    def run(kit: Kit) -> None:
        canary = kit.new_canary()
        kit.send(ProbeRequest(canary, body_of(canary), Script(plan(canary)), key=key))

    return Probe(name, run, ("key",))


def _chunked(kit: Kit) -> None:
    """A body in chunks, as clients send it that do not know its length. A server may require the length (RFC 9110
    15.5.12)."""
    canary = kit.new_canary()
    pair = kit.exchange(ProbeRequest(canary, body_of(canary), Script(plan(canary)), chunked=True))
    if pair.client.status != 411:
        kit.record(pair)


def _key_alone(kit: Kit) -> None:
    """The key alone in its header, without a scheme."""
    canary = kit.new_canary()
    headers = {one.header: kit.settings.client_key for one in DEFAULT.authentication if not one.scheme}
    kit.send(ProbeRequest(canary, body_of(canary), Script(plan(canary)), headers, key=""))


PROBES: list[Probe] = [
    *both("request.string", REQUEST),
    simple("request.hard-text", REQUEST, _question(f"CANARY {HARD}")),
    simple("request.white-space", REQUEST, _question("  \n\tCANARY between spaces \n\n ")),
    simple("request.looks-like-json", REQUEST, _question('{"role": "system", "content": "CANARY", "n": 007}')),
    simple("request.large", REQUEST, lambda canary: {"input": f"{canary} " + "long 漢 text, " * (LARGE // 13) + "end"}),
    simple("request.parts", REQUEST, _parts),
    simple("request.easy-message", REQUEST, _easy),
    simple("request.instructions", REQUEST, _parameters(instructions=f"  Be brief. {HARD}\n")),
    simple("request.instructions.stream", REQUEST, _parameters(instructions=f"Be brief. {HARD}"), stream=True),
    simple(
        "request.system-messages", REQUEST,
        _items(message("system", "First."), message("developer", f"Second {HARD}"), instructions="Zeroth."),
    ),
    simple(
        "request.late-developer-message", REQUEST,
        _items(message("user", "One."), message("assistant", "Two."), message("developer", "From now on in French.")),
    ),
    simple(
        "request.history", REQUEST,
        _items(
            message("user", "Remember this."),
            message("user", f"My name is Ada. {HARD}"), message("assistant", f" Good day, Ada. {HARD}\n"),
            *[message("user", "What is my name?"), message("assistant", "Ada.")] * 2,  # Equal, and not the same.
            *[message("user", "And yours?")] * 2,
        ),
    ),
    simple("request.long-history", REQUEST, _items(*_long_history())),
    simple("request.empty-texts", REQUEST,
           _items(message("user", ""), _call(1, "{}"), _output(1, ""), instructions="")),
    *both("request.everything", REQUEST, body=_everything),
    *both("request.tools", REQUEST, body=_parameters(tools=TOOLS, tool_choice="auto")),
    simple("request.many-tools", REQUEST, _parameters(tools=_many_tools())),
    simple("request.tool-results", REQUEST, _items(*TOOL_TURNS, tools=TOOLS)),
    simple("request.tool-results.stream", REQUEST, _items(*TOOL_TURNS, tools=TOOLS), stream=True),
    simple(
        "request.tool-result-parts", REQUEST,
        _items(_call(0, "{}"), _output(0, _RESULT_PARTS), tools=TOOLS),
    ),
    simple("request.large-tool-result", REQUEST, _items(*LARGE_RESULT, tools=TOOLS)),
    *both("request.results-last", REQUEST, body=_results_last),
    simple("request.reasoning-item", REQUEST, _items(*_REASONED, tools=TOOLS)),
    *both("request.lowest-values", REQUEST, body=_parameters(temperature=0, top_p=0.01, max_output_tokens=1)),
    simple("request.highest-values", REQUEST, _parameters(temperature=1.5, top_p=1, max_output_tokens=_MOST)),
    *both("request.other-values", REQUEST, body=_parameters(temperature=0.37, top_p=0.83, max_output_tokens=777)),
    # An effort has probes of its own: a proxy that refuses it can serve the other parameters.
    *both("request.effort-none", REQUEST, body=_parameters(reasoning={"effort": "none"})),
    simple("request.effort-high", REQUEST, _parameters(reasoning={"effort": "high"})),
    simple("request.effort-low", REQUEST, _parameters(reasoning={"effort": "low"})),
    simple("request.effort-medium", REQUEST, _parameters(reasoning={"effort": "medium"})),
    *both("request.json-object", REQUEST,
          body=_parameters(text={"format": {"type": "json_object"}}, instructions="JSON.")),
    simple("request.text-format", REQUEST, _parameters(text={"format": {"type": "text"}}, stream=False)),
    simple("request.image", REQUEST, _image, about={"may_refuse": True}),
    simple("request.hop-by-hop", (*REQUEST, "hop-by-hop"), headers=_HOP),
    simple("request.undocumented", ("undocumented",), _parameters(**_UNDOCUMENTED), about={"names": [*_UNDOCUMENTED]}),
    _repeated("request.repeated", False),
    _repeated("request.repeated.stream", True),
    _round_trip(False),
    _round_trip(True),
    _refused("key.wrong", "wrong-key-0123456789"),
    _refused("key.missing", ""),
    Probe("key.without-scheme", _key_alone, ("key",)),
    Probe("request.chunked", _chunked, ("repeated",)),
]  # fmt: skip
