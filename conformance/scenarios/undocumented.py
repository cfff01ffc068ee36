"""Parameters of OpenAI's API that the contract does not document, top-level and nested, and unknown names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from conformance.contract.schemas import Schemas
from conformance.decode.response import Received
from conformance.scenarios.controls import DETAIL, IMAGE
from conformance.scenarios.derived import CHEAP
from conformance.scenarios.gateways import TOOL_FIELDS
from conformance.scenarios.scenario import Body, Scenario
from conformance.scenarios.templates import Cap, Effort
from conformance.scenarios.tools import WEATHER

#: Documented as unsupported: ignored, or an error.
UNSUPPORTED: dict[str, Any] = {
    "background": True,
    "previous_response_id": "resp_00000000000000000000000000000000",
    "context_management": [{"type": "compaction", "compact_threshold": 1000}],
}

#: Those that many servers ignore: sent alone only where a request with both is not served.
_SERVED_BY_MOST = ("background", "context_management")

#: The other undocumented parameters of openai, CreateResponse.
FOREIGN: dict[str, Any] = {
    "access_programs": {"cyber": "standard"},
    "background_options": {"completion_window": "soonest"},
    "conversation": "conv_00000000000000000000000000000000",
    "image": {"context_compression": "auto"},
    "include": ["reasoning.encrypted_content"],
    "max_tool_calls": 1,
    "metadata": {"purpose": "conformance"},
    "moderation": {"mode": "auto"},
    "parallel_tool_calls": False,
    "prompt": {"id": "pmpt_00000000000000000000000000000000"},
    "prompt_cache_key": "conformance",
    "prompt_cache_options": {"mode": "implicit", "ttl": "30m"},
    "prompt_cache_retention": "24h",
    "safety_identifier": "conformance",
    "service_tier": "auto",
    "store": False,
    "stream_options": {"include_obfuscation": False},
    "top_logprobs": 2,
    "truncation": "auto",
    "user": "conformance",
}

_JSON_SCHEMA = {
    "type": "json_schema",
    "name": "answer",
    "schema": {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]},
}

_PIXEL = "data:image/png;base64,iVBORw0KGgo="


def _message(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"input": [{"role": "user", "content": [{"type": "input_text", "text": "Say hello."}, *parts]}]}


#: Inside the documented objects.
NESTED: dict[str, Body] = {
    "reasoning.summary": {"reasoning": {"effort": Effort.OFF, "summary": "auto"}},
    "reasoning.generate_summary": {"reasoning": {"effort": Effort.OFF, "generate_summary": "auto"}},
    "text.verbosity": {"text": {"verbosity": "low"}},
    "text.format.json_schema": {"text": {"format": _JSON_SCHEMA}},
    "input_image.detail": _message({"type": "input_image", "image_url": _PIXEL, "detail": "low"}),
    "input_file": _message({"type": "input_file", "filename": "a.txt", "file_data": "data:text/plain;base64,aGk="}),
}  # fmt: skip

TOOL_TYPES: dict[str, dict[str, Any]] = {
    "web_search": {"type": "web_search"},
    "mcp": {"type": "mcp", "server_label": "none", "server_url": "http://127.0.0.1:9/none"},
    "custom": {"type": "custom", "name": "run_query", "description": "Run a query."},
}

TOOL_CHOICES: dict[str, Any] = {
    "required": "required",
    "none": "none",
    "object": {"type": "function", "name": "get_weather"},
    "allowed-tools": {
        "type": "allowed_tools",
        "mode": "required",
        "tools": [{"type": "function", "name": "get_weather"}],
    },
    "any-word": "whenever-it-helps",
}

#: Rules whose id is not derived from the parameter.
_RULES = {"text.format.json_schema": "undocumented.json-schema-format"}

#: Parameters under which a server may keep what it must not give to another request with the same value.
_KEYS = ("prompt_cache_key", "metadata")

#: Also sent streaming and alone.
_STREAMED = ("text.format.json_schema",)

#: The request with all parameters that can be combined; each is sent alone only if that is not served.
_TOGETHER = "undocumented.all-together"
_NOT_COMBINED = ("text.format.json_schema", "input_image.detail", "input_file")


def scenarios(schemas: Schemas, nonce: str) -> list[Scenario]:
    """Each undocumented parameter; unsupported ones, and those that clients use with streaming, also streaming."""
    found: list[Scenario] = []
    documented = schemas.document("request.json")["properties"]
    foreign = {name: value for name, value in FOREIGN.items() if name not in documented}
    unsupported = {name: value for name, value in UNSUPPORTED.items() if name not in documented}
    both = _one("unsupported-together", {name: unsupported[name] for name in _SERVED_BY_MOST if name in unsupported},
                "undocumented")  # fmt: skip
    found += [both, both.streamed()]
    for name, value in unsupported.items():
        one = _one(name, {name: value}, "unsupported", rule=f"unsupported.{name.replace('_', '-')}")
        found += _within(one, both.name) if name in _SERVED_BY_MOST else [one]  # An earlier id is sent streaming too.
    together = _one("all-together", _all_of_them(foreign), "undocumented")
    found += [_repeating(together, f"egret-{nonce}-1"), _repeating(together.streamed(), f"egret-{nonce}-2")]
    for name, value in foreign.items():
        tools = {"tools": [WEATHER]} if "tool" in name else {}  # It limits calls, so it needs tools.
        each = _within(_one(name, {name: value, **tools}, "undocumented"))
        if name in _KEYS:
            each = [_repeating(one, f"egret-{nonce}-{name[0]}{place}") for place, one in enumerate(each)]
        found += each
    for name, body in NESTED.items():
        one = _one(name, body, "undocumented")
        found += ([one, one.streamed()] if name in _STREAMED else [one]) if name in _NOT_COMBINED else _within(one)
    found.append(_image())
    for name, value in TOOL_FIELDS.items():
        body = {"tools": [{**WEATHER, name: value}]}
        found += _within(_one(f"tools[].{name}", body, "undocumented", rule="undocumented.tool-fields"))
    for name, tool in TOOL_TYPES.items():
        if name not in ("custom",) or "custom_tool_call" not in schemas.item_types:
            found.append(_one(f"tools.{name}", {"tools": [tool]}, "tool-type", rule="undocumented.tool-types"))
    for name, choice in TOOL_CHOICES.items():
        body = {"tools": [WEATHER], "tool_choice": choice, "max_output_tokens": Cap.TEXT}
        one = _one(f"tool_choice={name}", body, "tool-choice", rule="undocumented.tool-choice-other")
        found += [one, one.streamed()] if name in _STREAMED else [one]
    found += _forced()
    earlier = _earlier(nonce)
    return [*found, *_unknown(nonce), earlier, earlier.streamed(reuses=False)]


def _forced() -> list[Scenario]:
    """A required call that max_output_tokens truncates, and a required call without tools."""
    capped = {"tools": [WEATHER], "tool_choice": "required", "max_output_tokens": Cap.CUT_CALL}
    rule = "undocumented.tool-choice-other"
    return [
        _one("tool_choice=required-capped", capped, "tool-choice", rule=rule).streamed(),
        _one("tool_choice=required-without-tools", {"tool_choice": "required"}, "tool-choice", rule=rule),
    ]


def _all_of_them(foreign: Body) -> Body:
    nested: dict[str, Any] = {}
    for body in (body for name, body in NESTED.items() if name not in _NOT_COMBINED):
        for outer, inner in body.items():
            nested[outer] = {**nested.get(outer, {}), **inner}
    return {**foreign, **nested, "tools": [{**WEATHER, **TOOL_FIELDS}]}


def _image() -> Scenario:
    """The image without detail, sent where the one with it is neither served nor refused as a modality (404)."""
    return Scenario(
        IMAGE,
        "an image",
        {**CHEAP, **_message({"type": "input_image", "image_url": _PIXEL})},
        expect="either",
        about={"rule": "image"},
        tags=frozenset({"harmless", "image"}),
        claims=frozenset({"input-array"}),
        within=DETAIL,
        needless=404,
    )


def _repeating(one: Scenario, word: str) -> Scenario:
    """The same with a codeword to repeat, which is in its metadata too: no other request may receive it."""
    own: Body = {"input": f"The codeword is {word}. Repeat exactly: {word}"}
    if "metadata" in one.body:
        own = {**own, "metadata": {"purpose": word}}
    return replace(one, body={**one.body, **own}, about={**one.about, "codeword": word}, tags=one.tags | {"effects"})


def _within(one: Scenario, together: str = _TOGETHER) -> list[Scenario]:
    """Plain and streaming, each within the plain or streaming request that contains all of them."""
    return [replace(one, within=together), replace(one.streamed(), within=f"{together}.stream")]


def _one(name: str, body: Body, kind: str, rule: str = "", **about: str) -> Scenario:
    return Scenario(
        f"undocumented.{name}",
        f"the undocumented {name}",
        {**CHEAP, **body},
        expect="either",
        about={"of": name, "rule": rule or _RULES.get(name) or f"undocumented.{name.replace('_', '-')}", **about},
        tags=frozenset({"outside", kind}),
        claims=frozenset({"reasoning"} if name.startswith("reasoning.") else ()),
        # The schemas of items and tools allow additional members.
        wrong=name != "input_image.detail" and not name.startswith("tools[]."),
    )


def _unknown(nonce: str) -> list[Scenario]:
    """Random names and values, which must not occur in the response."""
    name, value = f"x_{nonce}", f"zebra-{nonce}"
    body = {name: value, f"{name}_object": {"inner": [value]}, "reasoning": {"effort": Effort.OFF, name: value}}
    one = _one("unknown", body, "unknown", "undocumented.unknown-name", value=value)
    return [one, one.streamed()]


def _earlier(nonce: str) -> Scenario:
    """The id of an earlier response, and a question that needs its conversation."""

    def follow(body: Body, received: Received) -> Body | None:
        earlier = received.response.get("id")
        return {**body, "previous_response_id": earlier} if isinstance(earlier, str) else None

    return Scenario(
        "undocumented.previous_response_id-real",
        "the id of an earlier response as previous_response_id, and a question about that response",
        {**CHEAP, "max_output_tokens": Cap.LINE, "input": "What is the codeword?"},
        expect="either",
        after="parallel.1",
        follow=follow,
        reuses=True,
        about={
            "of": "previous_response_id",
            "rule": "unsupported.previous-response-id",
            "codeword": f"heron-{nonce}",
        },
        tags=frozenset({"outside", "unsupported", "earlier"}),
        wrong=True,
    )
