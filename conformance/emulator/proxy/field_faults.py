"""Faults that users of gateways and translators have reported, as rows like those of ``faults.py``."""

from __future__ import annotations

import json
from typing import Any

from ..shapes import Dict
from .changes import calls, failing, final, messages, texts, tools, without
from .habit import Context, Failure


def _one_user_turn(items: list[Dict]) -> list[Dict]:
    """Of neighbouring messages of the user only the last."""
    pairs = zip(items, [*items[1:], {}], strict=True)
    return [one for one, other in pairs if not one.get("role") == other.get("role") == "user"]


def _user_last(items: list[Dict]) -> list[Dict]:
    ends = items[-1:] and (items[-1].get("role") == "tool" or items[-1].get("type") == "function_call_output")
    return [*items, {"role": "user", "content": "Continue."}] if ends else items


def _first_of_results(items: list[Dict]) -> list[Dict]:
    return [{**one, "output": one["output"][:1]} if isinstance(one.get("output"), list) else one for one in items]


def _images_first(items: list[Dict]) -> list[Dict]:
    for one in items:
        if isinstance(one.get("content"), list):
            one["content"] = sorted(one["content"], key=lambda part: "image" not in str(part.get("type")))
    return items


def _again(text: str) -> str:
    """JSON with numbers as floats, written again."""
    try:
        return json.dumps(json.loads(text, parse_int=float), ensure_ascii=False)
    except ValueError:
        return text


def _rounded(items: list[Dict]) -> list[Dict]:
    """Arguments of earlier calls whose numbers are floats."""
    for one in items:
        if "arguments" in one:
            one["arguments"] = _again(one["arguments"])
        for call in one.get("tool_calls") or ():
            call["function"]["arguments"] = _again(call["function"]["arguments"])
    return items


def _one_call_a_message(items: list[Dict]) -> list[Dict]:
    """Parallel calls in messages of their own, before the results."""
    made = []
    for one in items:
        parallel = one.get("tool_calls") or []
        made += [{**one, "tool_calls": [call]} for call in parallel] if len(parallel) > 1 else [one]
    return made


def _system_last(items: list[Dict]) -> list[Dict]:
    return sorted(items, key=lambda one: one.get("role") in ("system", "developer"))


def _lists_only(ctx: Context, body: Dict) -> Dict:
    if isinstance(ctx.body.get("input"), str):
        raise Failure(400, "input must be an array")
    return body


def _no_instructions(ctx: Context, body: Dict) -> Dict:
    """Without the instructions, if there are tools."""
    if not body.get("tools"):
        return body
    kept = {name: value for name, value in body.items() if name != "instructions"}
    if ctx.dialect == "chat" and ctx.body.get("instructions"):
        kept["messages"] = kept["messages"][1:]
    return kept


def _few_tools(ctx: Context, body: Dict) -> Dict:
    return {**body, "tools": body["tools"][:16]} if body.get("tools") else body


def _plain_format(ctx: Context, body: Dict) -> Dict:
    left_out = ("response_format", "text") if ctx.stream else ()
    return {name: value for name, value in body.items() if name not in left_out}


def _small_calls(body: Dict) -> Dict:
    return {**body, "output": [one for one in body["output"] if len(one.get("arguments", "")) < 5_000]}


def _first_message(body: Dict) -> Dict:
    kinds = [one["type"] for one in body["output"]]
    kept = [one for at, one in enumerate(body["output"]) if kinds[at] != "message" or "message" not in kinds[:at]]
    return {**body, "output": kept}


def _part_of_key(ctx: Context, failure: Failure) -> Failure:
    return Failure(failure.status, f"{failure.message}: the key {ctx.keys['upstream'][:-4]}...", failure.headers)


def _no_wait(ctx: Context, failure: Failure) -> Failure:
    headers = tuple((name, "0" if name.lower() == "retry-after" else value) for name, value in failure.headers)
    return Failure(failure.status, failure.message, headers)


def _body_alone(one: Failure) -> Failure:
    """The body that the upstream of the suite sent, without its status."""
    status = one.upstream or one.status
    error = {"message": one.message, "code": str(status), "param": None, "type": f"upstream_{status}"}
    return Failure(200, one.message, one.headers, json.dumps({"error": error}).encode())


def _no_equal_delta(ctx: Context, event: Dict) -> list[Dict]:
    now = (event.get("type"), event.get("delta"))
    before, ctx.body["_before"] = ctx.body.get("_before"), now
    return [] if event.get("delta") and now == before else [event]


def _filled(tool: Dict) -> Dict:
    """Without the parameters, if there are none."""
    left_out = () if tool.get("parameters", {}).get("properties") else ("parameters",)
    return {name: value for name, value in tool.items() if name not in left_out}


def _known_only(ctx: Context, body: Dict) -> Dict:
    """As a function that does not expect an argument."""
    if "store" in ctx.body:
        raise Failure(500, "unexpected argument 'store'")
    return body


def _failed_response(one: Failure) -> Failure:
    """A Response that has failed, with status 200."""
    error = {"code": "server_error", "message": one.message}
    body: Dict = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": "failed", "output": []}
    headers = (*one.headers, ("Content-Type", "application/json"))
    return Failure(200, one.message, headers, json.dumps({**body, "error": error}).encode())


def _reasoning_in_text(body: Dict) -> Dict:
    """The reasoning at the beginning of the text."""
    thought = "".join(part["text"] for one in body["output"] if one["type"] == "reasoning" for part in one["content"])
    kept = [one for one in body["output"] if one["type"] != "reasoning"]
    if not thought or kept[:1] == [] or kept[0]["type"] != "message":
        return body
    text = f"<think>{thought}</think>{kept[0]['content'][0]['text']}"
    first = {**kept[0], "content": [{**kept[0]["content"][0], "text": text}]}
    return {**body, "output": [first, *kept[1:]], "output_text": text}


def _fewer_events(ctx: Context, event: Dict) -> list[Dict]:
    """Without each seventh event of all streams, except for those that end one."""
    with ctx.lock:
        ctx.memory["events"] = count = ctx.memory.get("events", 0) + 1
    return [] if count % 7 == 0 and "response" not in event else [event]


def _more_events(ctx: Context, event: Dict) -> list[Dict]:
    with ctx.lock:
        ctx.memory["events"] = count = ctx.memory.get("events", 0) + 1
    return [event, dict(event)] if count % 7 == 0 else [event]


def _busy(ctx: Context, event: Dict) -> list[Dict]:
    with ctx.lock:
        running = ctx.memory.setdefault("running", set())
        if event.get("type") == "response.created":
            running.add(id(ctx))
        if len(running) > 4 and event.get("type") == "response.created":
            raise Failure(502, "too many streams")
        if event.get("type") == "response.completed":
            running.discard(id(ctx))
    return [event]


def _parsed(call: Dict) -> Dict:
    try:
        return {**call, "arguments": json.loads(call["arguments"])}
    except ValueError:
        return call


def _last_call(items: list[Dict]) -> list[Dict]:
    return [{**one, "tool_calls": one["tool_calls"][-1:]} if one.get("tool_calls") else one for one in items]


def _no_calls(items: list[Dict]) -> list[Dict]:
    return [one for one in items if one.get("type") != "function_call" and not one.get("tool_calls")]


def _required(ctx: Context, body: Dict) -> Dict:
    return {**body, "tool_choice": "required"} if body.get("tools") else body


def _two_framings(ctx: Context, headers: dict[str, str]) -> dict[str, str]:
    """A Content-Length for a chunked response."""
    return {**headers, "Content-Length": "10"} if "Transfer-Encoding" in headers else headers


def _labelled(ctx: Context, headers: dict[str, str]) -> dict[str, str]:
    """The coding of a body of the upstream that was decoded."""
    return {**headers, "Content-Encoding": "gzip"} if ctx.body.get("_packed") else headers


FIELD_ROWS: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("last-user-turn", "Keeps only the last of neighbouring messages of the user.", "request.texts",
     {"sent": messages(_one_user_turn)}),
    ("recent-turns", "Keeps only the last 20 messages.", "request.roles-and-order",
     {"sent": messages(lambda items: items[-20:])}),
    ("system-texts-last", "Sends system messages after all others.", "request.roles-and-order",
     {"sent": messages(_system_last)}),
    ("instructions-or-tools", "Leaves out the instructions if there are tools.", "request.system-texts",
     {"sent": _no_instructions}),
    ("asks-after-results", "Adds a message of the user after tool results at the end.", "request.nothing-added",
     {"sent": messages(_user_last)}),
    ("drops-equal-messages", "Leaves out a message that equals an earlier one.", "request.roles-and-order",
     {"sent": messages(lambda items: [one for at, one in enumerate(items) if one not in items[:at]])}),
    ("images-first", "Sends images before the texts.", "request.roles-and-order", {"sent": messages(_images_first)}),
    ("rounds-integers", "Rounds large integers in arguments of earlier calls.", "request.calls",
     {"sent": messages(_rounded)}),
    ("writes-results-again", "Writes tool results that are JSON again.", "request.calls",
     {"sent": texts(lambda text: json.dumps(json.loads(text)) if text[:1] == "{" else text, "tool")}),
    ("cuts-large-results", "Cuts tool results at 16 kB.", "request.calls",
     {"sent": texts(lambda text: text[:16_000], "tool")}),
    ("sixteen-tools", "Sends only the first 16 tools.", "request.tools", {"sent": _few_tools}),
    ("lower-case-tools", "Writes names of tools in lower case.", "request.tools",
     {"sent": tools(lambda one: {**one, "name": one["name"].lower()})}),
    ("format-not-in-streams", "Leaves out text.format of a request that streams.", "request.parameters",
     {"sent": _plain_format}),
    ("straightens-quotes", "Replaces curly quotation marks.", "request.texts",
     {"sent": texts(lambda text: text.replace("\u201c", '"').replace("\u201d", '"'))}),
    ("key-without-scheme", "Sends the upstream's key without Bearer.", "credentials.upstream-key-sent",
     {"headers": lambda ctx, headers: {**headers, "Authorization": ctx.keys["upstream"]}}),
    ("part-of-key", "Shows the upstream's key without its last characters.", "credentials.upstream-key-hidden",
     {"failure": _part_of_key}),
    ("expects-known-names", "Fails with 500 on an undocumented parameter.", "request.undocumented",
     {"sent": _known_only}),
    ("cuts-tool-names", "Cuts names of tools at 32 characters.", "request.tools",
     {"sent": tools(lambda one: {**one, "name": one["name"][:32]})}),
    ("reasoning-in-text", "Sends the reasoning in the text.", "response.text", final(_reasoning_in_text)),
    ("empty-final-output", "Sends a final Response without output at the end of a stream.", "response.text",
     final(lambda body: {**body, "output": [], "output_text": ""}, plain=False)),
    ("fails-with-200", "Sends a Response that has failed, with status 200, for an error.", "failure.honest",
     {"failure": failing(_failed_response)}),
    ("drops-large-calls", "Leaves out calls with large arguments.", "response.calls", final(_small_calls)),
    ("drops-equal-deltas", "Leaves out a delta that equals the one before.", "response.text",
     {"events": _no_equal_delta}),
    ("empty-output", "Sends every Response without output.", "response.text",
     final(lambda body: {**body, "output": [], "output_text": ""})),
    ("last-items-alone", "Keeps only the last two messages.", "request.roles-and-order",
     {"sent": messages(lambda items: items[-2:])}),
    ("refuses-strings", "Refuses a string as input.", "request.served", {"sent": _lists_only}),
    ("strips-all-texts", "Strips white space at both ends of all texts.", "request.texts", {"sent": texts(str.strip)}),
    ("requires-tools", "Sends tool_choice required with tools.", "request.parameters", {"sent": _required}),
    ("sizes-in-characters", "States the sizes of chunks in characters.", "response.form",
     {"settings": {"framing": "characters"}}),
    ("lengths-in-characters", "States the length of a body in characters.", "request.served",
     {"settings": {"framing": "short"}}),
    ("no-last-chunk", "Closes the connection in place of the last chunk.", "response.form",
     {"settings": {"framing": "endless"}}),
    ("shares-lines", "Joins the rest of a line with the next bytes of any stream.", "response.not-mixed",
     {"settings": {"reader": "shared", "skips_invalid": True}}),
    ("fails-when-busy", "Fails if more than four streams are open.", "response.not-mixed", {"events": _busy}),
    ("drops-strict", "Leaves out strict of tools.", "request.strict",
     {"sent": tools(lambda one: {name: value for name, value in one.items() if name != "strict"})}),
    ("strict-tools", "Makes every tool strict.", "request.tools", {"sent": tools(lambda one: {**one, "strict": True})}),
    ("plain-for-streams", "Requests a plain response for a stream, and divides it.", "streaming.text",
     {"sent": without("stream", "stream_options")}),
    ("retry-at-once", "Sends Retry-After: 0 for every 429.", "failure.retry-after", {"failure": _no_wait}),
    ("error-bodies-are-200", "Sends the body of an error unchanged, with status 200.", "failure.honest",
     {"failure": failing(_body_alone)}),
    ("untyped-errors", "Reports an error in a stream by an event without a type.", "failure.honest",
     {"settings": {"begins_at_once": True, "heartbeat": True, "untyped_errors": True}}),
    ("limits-broken-streams", "Reports an interrupted stream as one that reached the limit of tokens.",
     "failure.honest", {"settings": {"limits": True}}),
    ("passes-on-keys", "Passes on an error of the upstream with the key in its message.",
     "credentials.upstream-key-hidden", {"settings": {"hides_key": False}}),
    ("arguments-as-json", "Sends arguments as JSON in place of a string.", "response.calls",
     final(calls(_parsed), stream=False)),
    ("completes-empty-streams", "Reports a stream without events as completed.", "failure.honest",
     {"settings": {"completes_empty": True}}),
    ("skips-invalid-events", "Ignores events that are not JSON.", "failure.honest",
     {"settings": {"skips_invalid": True}}),
    ("two-framings", "Sends Content-Length with a chunked stream.", "response.form", {"replied": _two_framings}),
    ("labels-decoded", "Keeps the Content-Encoding of a body that it has decoded.", "forms.same-response",
     {"settings": {"accepts_gzip": True}, "replied": _labelled}),
    ("needs-http-1.1", "Accepts only responses with HTTP/1.1.", "forms.same-response",
     {"settings": {"needs_http_11": True}}),
    ("takes-interim-responses", "Takes an interim response for the final one.", "forms.rare-same-response",
     {"settings": {"takes_interim": True}}),
    ("buffers-compressed", "Sends a compressed stream at its end.", "streaming.text", {"settings": {"packs": "whole"}}),
    ("sends-again-in-silence", "Sends the request again after a short silence of the upstream.",
     "request.sent-once streaming.silence", {"settings": {"time_out": 0.25, "retries": 1, "retried": (504,)}}),
    ("completes-silent-streams", "Reports a response as completed after a short silence, or an interruption.",
     "streaming.silence failure.honest", {"settings": {"time_out": 0.25, "completes": True}}),
    ("drops-earlier-calls", "Leaves out the function calls of the input.", "request.calls",
     {"sent": messages(_no_calls)}),
    ("streams-alone-watched", "Notices a disconnected client only while it streams.", "cancel.closed-in-silence",
     {"settings": {"watches_streams_alone": True}}),
)  # fmt: skip

FIELD_RESPONSES_ROWS: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("no-empty-parameters", "Leaves out the parameters of a function without parameters.", "request.dialect",
     {"sent": tools(_filled)}),
    ("first-part-of-results", "Sends only the first part of a tool result.", "request.calls",
     {"sent": messages(_first_of_results)}),
    ("first-message-alone", "Leaves out every message but the first.", "response.text", final(_first_message)),
    ("loses-events", "Leaves out each seventh event.", "response.text", {"events": _fewer_events}),
    ("repeats-events", "Sends each seventh event twice.", "response.text", {"events": _more_events}),
)  # fmt: skip

FIELD_CHAT_ROWS: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("text-or-calls", "Leaves out the text of a message with calls.", "request.texts",
     {"sent": messages(lambda items: [one | ({"content": None} if "tool_calls" in one else {}) for one in items])}),
    ("one-call-a-message", "Sends parallel calls in messages of their own.", "request.dialect",
     {"sent": messages(_one_call_a_message)}),
    ("last-call-alone", "Keeps only the last of parallel calls of the input.", "request.calls",
     {"sent": messages(_last_call)}),
    ("ends-with-usage", "Ends a stream only if the upstream has sent its usage.", "forms.same-response",
     {"events": lambda ctx, event: [] if "usage" in (event.get("response") or {})
      and event["type"] == "response.completed" and event["response"]["usage"] is None else [event]}),
)  # fmt: skip
