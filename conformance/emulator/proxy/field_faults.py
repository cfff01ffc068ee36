"""Faults that users of gateways and translators have reported, as rows like those of ``faults.py``."""

from __future__ import annotations

import json
import time
from typing import Any

from ..shapes import Dict
from .changes import calls, deltas, failing, final, messages, texts, tools, without
from .field_requests import (
    api_key_of_client,
    fallback,
    few_tools,
    filled,
    first_of_results,
    images_as_text,
    images_first,
    known_only,
    last_call,
    lists_only,
    no_calls,
    no_instructions,
    one_call_a_message,
    one_user_turn,
    plain_format,
    required,
    rounded,
    short_call_ids,
    system_last,
    user_last,
    without_maps,
)
from .habit import Context, Failure


def _latest(ctx: Context, body: Dict) -> Dict:
    """The Response that was received last by any request, when this one is sent."""
    ctx.memory["latest"] = body
    time.sleep(0.05)
    return ctx.memory["latest"]  # type: ignore[no-any-return]


def _no_text_after_calls(ctx: Context, event: Dict) -> list[Dict]:
    if event.get("item", {}).get("type") == "function_call":
        ctx.body["_called"] = True
    return [] if "_called" in ctx.body and "output_text" in str(event.get("type")) else [event]


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


def _milliseconds(ctx: Context, failure: Failure) -> Failure:
    headers = tuple((name, value + "000" * (name.lower() == "retry-after")) for name, value in failure.headers)
    return Failure(failure.status, failure.message, headers)


def _held(ctx: Context, event: Dict) -> list[Dict]:
    """The events, those of a text from the first < on with the one that closes the text."""
    kept = ctx.body.setdefault("_held", [])
    if event.get("type") == "response.output_text.delta" and (kept or "<" in event["delta"]):
        kept.append(event)
        return []
    made, kept[:] = [*kept, event], []
    return made


def _no_empty_arguments(body: Dict) -> Dict:
    if any(one.get("arguments") == "" for one in body["output"]):
        raise Failure(502, "the arguments of a call are no JSON")
    return body


def _body_alone(one: Failure) -> Failure:
    """The body that the upstream of the suite sent, without its status."""
    status = one.upstream or one.status
    error = {"message": one.message, "code": str(status), "param": None, "type": f"upstream_{status}"}
    return Failure(200, one.message, one.headers, json.dumps({"error": error}).encode())


def _no_equal_delta(ctx: Context, event: Dict) -> list[Dict]:
    now = (event.get("type"), event.get("delta"))
    before, ctx.body["_before"] = ctx.body.get("_before"), now
    return [] if event.get("delta") and now == before else [event]


def _failed_response(one: Failure) -> Failure:
    """A Response that has failed, with status 200."""
    error = {"code": "server_error", "message": one.message}
    body: Dict = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": "failed", "output": []}
    headers = (*one.headers, ("Content-Type", "application/json"))
    return Failure(200, one.message, headers, json.dumps({**body, "error": error}).encode())


def _reasoning_in_text(body: Dict) -> Dict:
    """The reasoning at the beginning of the text."""
    reasoning = "".join(part["text"] for one in body["output"] if one["type"] == "reasoning" for part in one["content"])
    kept = [one for one in body["output"] if one["type"] != "reasoning"]
    if not reasoning or kept[:1] == [] or kept[0]["type"] != "message":
        return body
    text = f"<think>{reasoning}</think>{kept[0]['content'][0]['text']}"
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


def _two_framings(ctx: Context, headers: dict[str, str]) -> dict[str, str]:
    """A Content-Length for a chunked response."""
    return {**headers, "Content-Length": "10"} if "Transfer-Encoding" in headers else headers


def _labelled(ctx: Context, headers: dict[str, str]) -> dict[str, str]:
    """The coding of a body of the upstream that was decoded."""
    return {**headers, "Content-Encoding": "gzip"} if ctx.body.get("_packed") else headers


FIELD_ROWS: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("last-user-turn", "Keeps only the last of neighbouring messages of the user.", "request.texts",
     {"sent": messages(one_user_turn)}),
    ("recent-turns", "Keeps only the last 20 messages.", "request.roles-and-order",
     {"sent": messages(lambda items: items[-20:])}),
    ("system-texts-last", "Sends system messages after all others.", "request.roles-and-order",
     {"sent": messages(system_last)}),
    ("instructions-or-tools", "Leaves out the instructions if there are tools.", "request.system-texts",
     {"sent": no_instructions}),
    ("asks-after-results", "Adds a message of the user after tool results at the end.", "request.nothing-added",
     {"sent": messages(user_last)}),
    ("drops-equal-messages", "Leaves out a message that equals an earlier one.", "request.roles-and-order",
     {"sent": messages(lambda items: [one for at, one in enumerate(items) if one not in items[:at]])}),
    ("images-first", "Sends images before the texts.", "request.roles-and-order", {"sent": messages(images_first)}),
    ("images-of-results-as-text", "Sends a tool result with an image as a text with its URL.", "request.media",
     {"sent": messages(images_as_text)}),
    ("rounds-integers", "Rounds large integers in arguments of earlier calls.", "request.calls",
     {"sent": messages(rounded)}),
    ("writes-results-again", "Writes tool results that are JSON again.", "request.calls",
     {"sent": texts(lambda text: json.dumps(json.loads(text)) if text[:1] == "{" else text, "tool")}),
    ("cuts-large-results", "Cuts tool results at 16 kB.", "request.calls",
     {"sent": texts(lambda text: text[:16_000], "tool")}),
    ("sixteen-tools", "Sends only the first 16 tools.", "request.tools", {"sent": few_tools}),
    ("lower-case-tools", "Writes names of tools in lower case.", "request.tools",
     {"sent": tools(lambda one: {**one, "name": one["name"].lower()})}),
    ("format-not-in-streams", "Leaves out text.format of a request that streams.", "request.parameters",
     {"sent": plain_format}),
    ("straightens-quotes", "Replaces curly quotation marks.", "request.texts",
     {"sent": texts(lambda text: text.replace("\u201c", '"').replace("\u201d", '"'))}),
    ("key-without-scheme", "Sends the upstream's key without Bearer.", "credentials.upstream-key-sent",
     {"headers": lambda ctx, headers: {**headers, "Authorization": ctx.keys["upstream"]}}),
    ("part-of-key", "Shows the upstream's key without its last characters.", "credentials.upstream-key-hidden",
     {"failure": _part_of_key}),
    ("expects-known-names", "Fails with 500 on an undocumented parameter.", "request.undocumented",
     {"sent": known_only}),
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
    ("refuses-strings", "Refuses a string as input.", "request.served", {"sent": lists_only}),
    ("strips-all-texts", "Strips white space at both ends of all texts.", "request.texts", {"sent": texts(str.strip)}),
    ("requires-tools", "Sends tool_choice required with tools.", "request.nothing-added", {"sent": required}),
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
     {"sent": messages(no_calls)}),
    ("drains-with-tools", "Reads a cancelled stream to its end if the request has tools.", "cancel.upstream-closed",
     {"settings": {"drains": "tools"}}),
    ("retry-in-milliseconds", "Sends Retry-After in milliseconds.", "failure.retry-after", {"failure": _milliseconds}),
    ("holds-marks", "Sends the text after a mark such as < at its end.", "streaming.text", {"events": _held}),
    ("passes-api-key", "Sends the header api-key of the client to the upstream.", "credentials.client-key-kept",
     {"headers": api_key_of_client}),
    ("cuts-call-ids", "Cuts ids of calls at 40 characters.", "request.calls", {"sent": messages(short_call_ids)}),
    ("cuts-descriptions", "Cuts descriptions of tools at 1024 characters.", "request.tools",
     {"sent": tools(lambda one: {**one, "description": one["description"][:1024]})}),
    ("drops-maps", "Leaves out additionalProperties of nested schemas.", "request.tools",
     {"sent": tools(lambda one: {**one, "parameters": without_maps(one["parameters"])})}),
    ("falls-back", "Sends a request again with another model after a failure.", "request.model",
     {"settings": {"retries": 1, "retried": (500, 503)}, "raw": fallback}),
    ("drops-blank-deltas", "Leaves out deltas of white space.", "response.text",
     {"events": deltas("output_text", lambda text: text if text.strip() else None)}),
    ("mixes-plain", "Keeps the Response to send where concurrent requests replace it.", "response.not-mixed",
     {"plain": _latest}),
    ("leaves-bodies-unread", "Refuses a key without reading the body, and takes it for the next request.",
     "request.served", {"settings": {"connection": "unread"}}),
    ("ignores-chunks", "Takes a request with a chunked body for one without a body.", "request.served",
     {"settings": {"connection": "unchunked"}}),
    ("buffers-for-large-requests", "Sends the stream for a request of more than 20 kB at its end.", "streaming.text",
     {"settings": {"buffers_over": 20_000}}),
    ("buffers-later-streams", "Sends streams at their end, except for the first request of a connection.",
     "streaming.text", {"settings": {"connection": "buffers"}}),
    ("streams-again", "Sends a stream for every request after one on its connection.", "response.form",
     {"settings": {"connection": "streams"}}),
    ("streams-alone-watched", "Notices a disconnected client only while it streams.", "cancel.closed-in-silence",
     {"settings": {"watches_streams_alone": True}}),
)  # fmt: skip

FIELD_RESPONSES_ROWS: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("no-empty-parameters", "Leaves out the parameters of a function without parameters.", "request.dialect",
     {"sent": tools(filled)}),
    ("first-part-of-results", "Sends only the first part of a tool result.", "request.calls",
     {"sent": messages(first_of_results)}),
    ("first-message-alone", "Leaves out every message but the first.", "response.text", final(_first_message)),
    ("loses-events", "Leaves out each seventh event.", "response.text", {"events": _fewer_events}),
    ("repeats-events", "Sends each seventh event twice.", "response.text", {"events": _more_events}),
)  # fmt: skip

FIELD_CHAT_ROWS: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("drops-text-after-calls", "Leaves out the text behind calls in a stream.", "forms.rare-same-response",
     {"events": _no_text_after_calls}),
    ("text-or-calls", "Leaves out the text of a message with calls.", "request.texts",
     {"sent": messages(lambda items: [one | ({"content": None} if "tool_calls" in one else {}) for one in items])}),
    ("one-call-a-message", "Sends parallel calls in messages of their own.", "request.dialect",
     {"sent": messages(one_call_a_message)}),
    ("last-call-alone", "Keeps only the last of parallel calls of the input.", "request.calls",
     {"sent": messages(last_call)}),
    ("needs-arguments", "Fails if the arguments of a call are empty.", "forms.same-response",
     final(_no_empty_arguments)),
    ("ends-with-usage", "Ends a stream only if the upstream has sent its usage.", "forms.same-response",
     {"events": lambda ctx, event: [] if "usage" in (event.get("response") or {})
      and event["type"] == "response.completed" and event["response"]["usage"] is None else [event]}),
)  # fmt: skip
