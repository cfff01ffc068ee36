"""Requests the tests of the built-in endpoint put to it, and small readers of what comes back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from conformance.contract.revisions import DEFAULT
from conformance.contract.schemas import Schemas
from conformance.emulator import Behaviour, Endpoint, Reply
from conformance.scenarios import revision_2026_10, scenarios
from conformance.scenarios.scenario import Scenario, encode, same_body
from conformance.scenarios.templates import fill

CAPTURED = Path(__file__).parents[2] / "conformance" / "scenarios" / "captured"
KEY = "key-of-the-test-0123456789"
GOOD = (("api-key", KEY), ("Content-Type", "application/json"), ("Accept-Encoding", "gzip"))
MODEL = "mimo-v2.5-pro"
PATH = "/v1/responses"
QUIET = {"effort": "none"}
NOW = 1_782_215_659.0

Request = tuple[str, str, tuple[tuple[str, str], ...], bytes]


def body(**members: Any) -> bytes:
    """A request body for the usual model; a member set to ... is left out."""
    whole = {"model": MODEL, "input": "Say something.", **members}
    return json.dumps({name: value for name, value in whole.items() if value is not ...}).encode()


def post(raw: bytes = b"", headers: tuple[tuple[str, str], ...] = GOOD, **members: Any) -> Request:
    """A POST of these members, or of raw bytes."""
    return ("POST", PATH, headers, body(**members) if members else raw)


def endpoint(behaviour: Behaviour | None = None, revision: str = "2026-10", **options: Any) -> Endpoint:
    """An endpoint whose answers depend on nothing but the requests."""
    return Endpoint(key=KEY, revision=revision, behaviour=behaviour, clock=lambda: NOW, **options)


def parsed(server: Endpoint, **members: Any) -> Reply:
    return server.respond(*post(**(members or {"input": "Say something."})))


def plain(server: Endpoint, **members: Any) -> dict[str, Any]:
    """The parsed response to a request that must be served."""
    reply = parsed(server, **members)
    assert reply.status == 200, reply.body
    value = json.loads(reply.body)
    assert isinstance(value, dict)
    return value


def stream(server: Endpoint, **members: Any) -> list[dict[str, Any]]:
    """The events of a stream that must be served."""
    reply = parsed(server, stream=True, **members)
    assert reply.status == 200, reply.body
    return list(events(reply))


def events(reply: Reply) -> Iterator[dict[str, Any]]:
    for frame in reply.body.decode().split("\n\n")[:-1]:
        name, data = frame.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        yield event


def refusal(reply: Reply) -> dict[str, Any]:
    """The error object of a refusal in good form."""
    error = json.loads(reply.body.removeprefix(b"data:"))["error"]
    assert reply.header("content-type") == "application/json"
    assert isinstance(error["message"], str)
    assert error["message"]
    assert isinstance(error["code"], str)
    assert isinstance(error, dict)
    return error


def of_the_suite(one: Scenario) -> Request:
    """The request that a scenario sends."""
    raw = one.raw_for(MODEL) or encode(fill(one.body, DEFAULT), MODEL, one.escaped)
    key = (("Authorization", f"Bearer {KEY}"),) if one.auth == "bearer" else GOOD
    return post(raw, (*key, *one.headers))


#: Those inputs of the suite that are richer than what stands here.
RICH = (
    "tools.rich",
    "tools.same-name",
    "tools.references",
    "input.",
    "count.uncapped",
    "turns.",
    "undocumented.tool_choice=",
    "combination.",
    "undocumented.all-together",
    "text={}",
    "tools=[]",
    "bad.empty-model",
    "bad.not-a-number",
    "bad.model-prefix",
    "stream=1",
    "max_output_tokens=9",
    "reasoning=high",
)


def bearer(value: str) -> tuple[tuple[str, str], ...]:
    return (("Authorization", value),)


def tool(name: str = "get_weather", **schema: Any) -> dict[str, Any]:
    properties = {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 2}}
    parameters = {"type": "object", "properties": properties, "required": ["city", "days"], **schema}
    return {"type": "function", "name": name, "description": "x", "parameters": parameters, "strict": True}


TWO_CALLS: dict[str, Any] = {"tools": [tool()], "input": "Call get_weather for Paris, then get_weather for Rome."}
CUSTOM: dict[str, Any] = {"tools": [{"type": "custom", "name": "note"}], "input": "Use note to write: buy milk"}
SPEECH = "Repeat exactly: “grüße”  \n and 小米 \n\n bye now"
HISTORY = [
    {"role": "user", "content": "The codeword is plum."},
    {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant",
     "content": [{"type": "output_text", "text": "Noted.", "annotations": []}]},
    {"role": "user", "content": [{"type": "input_text", "text": "What is the codeword?"}]},
]  # fmt: skip


def returned(output: object) -> list[dict[str, Any]]:
    """A turn with thoughts and a call, and the result of the call."""
    return [
        {"role": "user", "content": "Weather?"},
        {"type": "reasoning", "id": "rs_1", "status": "completed",
         "content": [{"type": "reasoning_text", "text": "Hm."}]},
        {"type": "function_call", "id": "fc_1", "status": "completed", "call_id": "call_1",
         "name": "get_weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": output},
    ]  # fmt: skip


# Few requests that between them show every kind of item, event and ending.
COMMON: list[Request] = [
    post(input=SPEECH, reasoning=QUIET, instructions="Be kind.", temperature=0.2),
    post(input=SPEECH, stream=True),
    post(**TWO_CALLS, stream=True),
    post(**TWO_CALLS),
    post(input="Say something.", max_output_tokens=40, stream=True),
    post(input="Say something.", max_output_tokens=40),
    post(**CUSTOM, stream=True, reasoning=QUIET),
    post(**TWO_CALLS, max_output_tokens=39, stream=True),
    post(**TWO_CALLS, max_output_tokens=3, reasoning=QUIET),
    post(input="Other words.", model="mimo-v2.6-pro", stream=True),
    post(input="Once more."),
    post(input="And again."),
    post(input="And again."),
]

VALUES: dict[str, tuple[Any, ...]] = {
    "temperature": (0, 1, 1.5, 2, "1", True, None),
    "top_p": (0.01, 1, 0, "x"),
    "max_output_tokens": (1, 131072, 0, 131073, True, "5"),
    "stream": (True, False, "yes"),
    "tool_choice": ("auto", 5, None),
    "text": ({"format": {"type": "text"}}, {"format": {"type": "json_object"}}),
    "tools": ([tool()], {}),
    "reasoning": ({"effort": "high"}, "high"),
    "instructions": ("Hi.", 5),
    "input": (
        HISTORY,
        returned("12"),
        5,
        ...,
        [{"role": "user", "content": "x"}],
        [{"type": "message", "role": "system", "content": "x"}],
        [{"type": "message", "role": "developer", "content": "x"}],
    ),
    "model": ("nope", ...),
}
OUTSIDE: dict[str, Any] = {
    "background": True,
    "previous_response_id": "resp_0",
    "context_management": [],
    "zebra": "stripes-77",
    "conversation": "c",
    "include": [],
    "max_tool_calls": 1,
    "metadata": {"a": "b"},
    "moderation": {},
    "parallel_tool_calls": True,
    "prompt": {},
    "prompt_cache_key": "k",
    "prompt_cache_retention": "24h",
    "safety_identifier": "s",
    "service_tier": "auto",
    "store": False,
    "stream_options": {},
    "top_logprobs": 1,
    "truncation": "auto",
    "user": "u",
    "tool_choice": "required",
    "text": {"format": {"type": "json_schema", "schema": {}}},
    "tools": [{"type": "web_search"}],
}


def with_member(name: str, value: Any, **others: Any) -> Request:
    return post(body(**{name: value}, **others))


GROUPS: dict[str, list[Request]] = {
    "auth": [
        *(("POST", PATH, headers, body(stream=streaming))
          for streaming in (..., True)
          for headers in (
              (), (("api-key", KEY),), (("API-KEY", KEY),), (("api-key", ""),), (("api-key", "wrong-key-9999"),),
              (("api-key", KEY[:-1] + "x"),), (("api-key", KEY[:-3]),), (("api-key", KEY + "x"),),
              bearer(f"Bearer {KEY}"), bearer(f"bearer {KEY}"), bearer("Bearer wrong-key-9999"),
              bearer("Bearer"), bearer(KEY), bearer(f"Basic {KEY}"),
              (("api-key", KEY), *bearer("Bearer wrong")), (("api-key", KEY), *bearer(f"Bearer {KEY}")),
          )),
        ("POST", PATH, (("api-key", "wrong-key-9999"),), b"{"),
    ],
    "forms": [
        *((method, PATH, GOOD, b"") for method in ("HEAD", "PUT", "OPTIONS")),
        ("GET", PATH, (*GOOD, ("Upgrade", "websocket")), b""),
        ("POST", PATH + "/", GOOD, body()),
        ("POST", PATH + "?a=b", GOOD, body()),
        *(post(body(), headers) for headers in (
            (("api-key", KEY),), (("api-key", KEY), *GOOD), (*GOOD, ("Expect", "100-continue")),
            (*GOOD, ("Content-Encoding", "gzip")), (*GOOD, ("Transfer-Encoding", "chunked")),
            (("api-key", KEY), ("Content-Type", "application/x-www-form-urlencoded")),
            (("api-key", KEY), ("Content-Type", "application/json; charset=utf-8"), ("Transfer-Encoding", "chunked")),
        )),
    ],
    "request": [
        *(with_member(name, value) for name, values in VALUES.items() for value in values),
        post(b"{"), post(b""), post(b"[]"), post(b"[" * 2000), post(b'"x"'), post(b"null"),
        with_member("input", ""), with_member("model", "no-such-model"), post(body()),
    ],
    "outside": [
        *(with_member(name, value, stream=streaming)
          for streaming in (False, True) for name, value in OUTSIDE.items()),
        post(tool_choice="none", **TWO_CALLS), post(tool_choice={"type": "function", "name": "get_weather"}),
        post(reasoning={"effort": "low", "summary": "auto", "generate_summary": "auto"}),
        post(text={"verbosity": "low"}), post(instructions=None),
        post(input=[{"role": "user", "content": [
            {"type": "input_image", "image_url": "https://x.invalid/a.png", "detail": "low"}]}]),
        post(input=[{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]),
    ],
    "effort": [
        *(post(reasoning={"effort": effort}, stream=streaming)
          for streaming in (False, True)
          for effort in ("none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra", "warp")),
        post(input="x"), post(input="x", stream=True),
    ],
    "refusals": [
        ("GET", PATH, GOOD, b""), ("POST", PATH, (), b"{}"), ("POST", PATH, (("api-key", "bad"),), b'{"stream":true}'),
        post(temperature=5), post(temperature=5, stream=True), post(model="nope"), post(b"{"),
        post(input="x"),
    ],
    "talk": [
        post(text={"format": {"type": "json_object"}}), post(input=HISTORY), post(input=returned("12 degrees")),
        post(input=returned([{"type": "input_text", "text": "12 degrees"}])),
        post(input=HISTORY, model="mimo-v2.6-pro"), post(input="Other."), post(input=HISTORY, stream=True),
        post(input="Other.", stream=True),
    ],
    "rare": [
        post(max_output_tokens="16"), post(max_output_tokens=10.5), post(instructions=""),
        post(reasoning={"effort": None}),
        post(input=[{"role": "user", "content": [{"type": "part-x", "text": "Say something."}]}]),
        post(body() + b" and more"), post(temperature=0.7, reasoning={"effort": "high"}),
        post(temperature=0.7, top_p=0.9),
        post(instructions="Be brief. " * 500), post(x_any="value"), post(instructions="Be brief.", input="Hello."),
        post(input="Repeat exactly: \u00fc \U0001f600", reasoning=QUIET),
        post(input="Repeat exactly: \u00fc \U0001f600", reasoning=QUIET, stream=True),
        post(input=[{"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"},
                    {"type": "function_call_output", "call_id": "call_1", "output": ""}]),
        post(input=[*returned('{"sky": "grey"}'), *returned("ja, über 9")[2:]]),
        post(input=[*({**one, "call_id": f"call_{place}"} for place in (1, 2) for one in returned("9")[2:3]),
                    *({**one, "call_id": f"call_{place}"} for place in (2, 1) for one in returned("9")[3:])]),
        post(input=[{"role": "user", "content": "x"}, {"role": "user", "content": "y"}]),
        post(input=[{"role": "user", "content": "x"}] * 6), post(b'{"input": "\xe9"}'),
        post(tool_choice="required", **TWO_CALLS), post(previous_response_id="resp_1", stream=True),
        post(input=[{"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]},
                    {"role": "user", "content": "Go on."}]),
    ],
    "roomy": [post(input="Say something.", max_output_tokens=4096)],
    "behaviour": [post(input="Repeat exactly: <b>&amp;</b>", reasoning=QUIET)],
    "inputs": [
        of_the_suite(one) for one in scenarios(Schemas(), "0").values()
        if one.name.startswith(RICH) and (not one.after or one.follow is same_body)
    ],
    "revision": [
        *(of_the_suite(one) for one in revision_2026_10.scenarios(Schemas("2026-10")) if not one.after),
        post(input=[{"type": "custom_tool_call", "call_id": "call_1", "name": "note", "input": "milk"},
                    {"type": "custom_tool_call_output", "call_id": "call_1", "output": [
                        {"type": "input_text", "text": "Noted."}]}]),
        post(**TWO_CALLS, headers=(*GOOD, ("x-openai-internal-codex-responses-lite", "true"))),
    ],
    "clients": [
        post(**json.loads(path.read_text(encoding="utf-8"))["body"]) for path in sorted(CAPTURED.glob("*.json"))
    ],
}  # fmt: skip
