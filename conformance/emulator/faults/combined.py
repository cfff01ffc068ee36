"""Faults that only two things at once, or two requests in a row, bring out."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..hooks import Behaviour, Context, Hook, fault
from ..refusals import of
from ..request_hooks import SPOILED, crash, input_items, input_parts, inside, refuse
from ..shapes import Dict, Item, ParsedRequest, Plan, Refusal, Reply, to_json
from .inputs import dropped, kind, neighbours, some_item, without

TOGETHER, HEADERS, SURVIVES = "request.combination-accepted", "http.client-headers-served", "error.endpoint-survives"
UNUSUAL, MIXED, MORE = "turns.unusual-history", "parallel.requests-do-not-mix", "usage.more-input-more-tokens"

Test = Callable[[Dict], Any]


# --- what a request contains -----------------------------------------------------------------------


def has(*names: str) -> Test:
    return lambda body: all(body.get(name) is not None for name in names)


def streams(body: Dict) -> bool:
    return body.get("stream") is True


def thinks(body: Dict) -> bool:
    return bool(inside(body, "reasoning", "effort") != "none")


def requests_json(body: Dict) -> bool:
    return bool(inside(body, "text", "format", "type") == "json_object")


def parts(body: Dict) -> bool:
    return any(True for _ in input_parts(body))


def role(name: str) -> Test:
    return some_item(lambda one: one.get("role") == name)


def long(body: Dict) -> bool:
    return len(to_json(body.get("input"))) > 7_000


def rounds(body: Dict) -> bool:
    return some_item(lambda one: kind(one) == "function_call_output")(body)


def uncapped(body: Dict) -> bool:
    return "max_output_tokens" not in body


def foreign_script(name: str) -> Test:
    return lambda body: not to_json(body.get(name)).isascii()


def tools_hold(text: str) -> Test:
    return lambda body: text in to_json(body.get("tools"))


def depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(depth, inner), default=0)


def all_of(*tests: Test) -> Test:
    return lambda body: all(test(body) for test in tests)


def pair(name: str, says: str, *tests: Test) -> Behaviour:
    """Refuses a combination."""
    return fault(f"request.{name}-refused", says, TOGETHER, validate=refuse(all_of(*tests), "input"))


def bearer(name: str, says: str, test: Test) -> Behaviour:
    """Takes no bearer token with some requests."""

    def hook(ctx: Context, refusal: Refusal | None) -> Refusal | None:
        wrong = of(401, "Invalid API key", "", "authentication_error")
        return wrong if not refusal and ctx.sent("authorization") and test(ctx.body) else refusal

    return fault(f"auth.bearer-refused-with-{name}", says, TOGETHER, auth=hook)


def header(name: str, says: str, test: Callable[[Context], Any], status: int) -> Behaviour:
    """Responds to an unknown header with an error."""

    def hook(ctx: Context, refusal: Refusal | None) -> Refusal | None:
        return refusal or (replace(SPOILED, status=status) if test(ctx) else None)

    return fault(f"http.{name}", says, HEADERS, validate=hook)


# --- what a request leaves behind -----------------------------------------------------------------


def swap(ctx: Context, name: str, own: Any) -> Any:
    """The value of the request before, and this one's for the next."""
    with ctx.lock:
        before = ctx.memory.get(name, own)
        ctx.memory[name] = own
    return before


def after_refusal(status: Refusal) -> Hook[Refusal | None]:
    """Responds to the request after a refused one like this."""

    def hook(ctx: Context, refusal: Refusal | None) -> Refusal | None:
        refused_before = swap(ctx, "refused", bool(refusal))
        return status if refused_before and not refusal else refusal

    return hook


def locked(ctx: Context, refusal: Refusal | None) -> Refusal | None:
    """Refuses the right key once after a wrong one."""
    wrong_before = swap(ctx, "wrong", bool(refusal))
    return of(403, "This key is locked", "", "permission_error") if wrong_before and not refusal else refusal


def once(ctx: Context, refusal: Refusal | None) -> Refusal | None:
    repeated = not refusal and ctx.count(f"body {ctx.raw!r}")
    return of(409, "This request was served before", "", "conflict") if repeated else refusal


def empty_the_second_time(ctx: Context, items: list[Item]) -> list[Item]:
    return [] if ctx.count(f"body {ctx.raw!r}") else items


def cap_stays(ctx: Context, parsed: ParsedRequest) -> ParsedRequest:
    before = swap(ctx, "cap", parsed.cap)
    return replace(parsed, cap=before) if parsed.cap is None else parsed


def model_stays(ctx: Context, one: Dict) -> Dict:
    """Responds with the model that the last request named, though that was refused."""
    refused_model = ctx.memory.pop("model", None) if ctx.stage == "plain" else None
    return {**one, "model": refused_model} if refused_model else one


def noted_model(ctx: Context, refusal: Refusal | None) -> Refusal | None:
    if refusal and refusal.members.get("param") == "model" and isinstance(ctx.body.get("model"), str):
        ctx.memory["model"] = ctx.body["model"]
    return refusal


def texts_by_cache_key(ctx: Context, items: list[Item]) -> list[Item]:
    if not (key := ctx.body.get("prompt_cache_key")):
        return items
    with ctx.lock:
        texts = ctx.memory.setdefault(f"cached {key}", [one.texts for one in items])
    return [replace(one, texts=kept) for one, kept in zip(items, texts, strict=False)]


def metadata_of_another(ctx: Context, one: Dict) -> Dict:
    if ctx.stage not in ("plain", "terminal") or "metadata" not in ctx.body:
        return one
    return {**one, "metadata": swap(ctx, "metadata", ctx.body["metadata"])}


# --- what is generated and counted------------------------------------------------------------------


def repeated(ctx: Context, items: list[Item]) -> list[Item]:
    """Puts the output of earlier turns before the new one."""
    given = [one for one in input_items(ctx.body) if one.get("role") == "assistant" and isinstance(one.get("id"), str)]
    returned = [(one["id"], tuple(part.get("text", "") for part in one.get("content") or [])) for one in given]
    return [*(Item("message", ident, texts) for ident, texts in returned), *items]


def reasoning_as_input(_: Context, plan: Plan) -> Plan:
    return replace(plan, usage=replace(plan.usage, input=plan.usage.input + plan.usage.reasoning))


def thinking(test: Test, value: bool) -> Hook[ParsedRequest]:
    return lambda ctx, parsed: replace(parsed, thinking=value) if test(ctx.body) else parsed


def without_trailer(stream: bool) -> Hook[Reply]:
    """Compresses the body and loses the checksum at its end."""

    def hook(ctx: Context, reply: Reply) -> Reply:
        if not ctx.served or ctx.stream != stream or "gzip" not in (ctx.sent("accept-encoding") or ""):
            return reply
        packed = gzip.compress(reply.body, mtime=0)[:-8]
        return replace(reply, chunks=[(0.0, packed)]).having("Content-Encoding", "gzip")

    return hook


def not_a_number(ctx: Context, refusal: Refusal | None) -> Refusal | None:
    return SPOILED if b"NaN" in ctx.raw else refusal


def deep(ctx: Context, refusal: Refusal | None) -> Refusal | None:
    return SPOILED if ctx.raw.startswith(b"[" * 1000) else refusal


def has_unusual_characters(body: Dict) -> bool:
    return any(mark in json.dumps(body.get("input")) for mark in ("\\u0000", "\\ud83d "))


def between(one: Dict, following: Dict) -> bool:
    return kind(one) == "function_call" and kind(following) == "message"


FAULTS: list[Behaviour] = [
    pair("tools-beside-json", "Takes no tools where JSON is requested.", has("tools"), requests_json),
    pair("tools-beside-temperature", "Takes no temperature beside tools.", has("tools", "temperature")),
    pair("tools-beside-top-p", "Takes no top_p beside tools.", has("tools", "top_p")),
    pair("top-p-while-thinking", "Takes no top_p with reasoning.", has("top_p"), thinks),
    pair("top-p-beside-json", "Takes no top_p where JSON is requested.", has("top_p"), requests_json),
    pair("developer-in-streams", "Takes no developer message where it streams.", role("developer"), streams),
    pair("developer-while-thinking", "Takes no developer message with reasoning.", role("developer"), thinks),
    pair("system-while-thinking", "Takes no system message with reasoning.", role("system"), thinks),
    pair("list-beside-json", "Wants a string where JSON is requested.",
         lambda body: isinstance(body.get("input"), list), requests_json),
    pair("parts-while-thinking", "Takes no parts in messages with reasoning.", role("developer"), parts, thinks),
    pair("string-beside-tools-in-streams", "Wants messages where tools are declared and it streams.",
         lambda body: isinstance(body.get("input"), str), has("tools"), streams),
    pair("no-cap-in-streams", "Wants a cap where it streams.", uncapped, streams),
    pair("no-cap-beside-tools", "Wants a cap where tools are declared.", uncapped, has("tools")),
    pair("no-reasoning-beside-tools", "Wants an effort where tools are declared.",
         has("tools"), lambda body: "reasoning" not in body),
    pair("text-format-in-streams", "Takes no text.format where it streams, JSON excepted.",
         lambda body: inside(body, "text", "format", "type") == "text", streams),
    pair("empty-tools-in-streams", "Takes no empty tools where it streams.",
         lambda body: body.get("tools") == [], streams),
    pair("empty-tools-beside-choice", "Takes no tool_choice beside empty tools.",
         lambda body: body.get("tools") == [] and "tool_choice" in body),
    pair("no-choice-in-streams", "Wants a tool_choice where it streams.",
         has("tools"), lambda body: "tool_choice" not in body, streams),
    pair("long-text-while-thinking", "Takes no long text with reasoning.", long, thinks),
    pair("output-parts-in-streams", "Takes no results in parts where it streams.",
         some_item(lambda one: isinstance(one.get("output"), list)), streams),
    pair("instructions-beyond-ascii", "Takes instructions in ASCII only.", foreign_script("instructions")),
    pair("tools-beyond-ascii", "Takes tools in ASCII only.", foreign_script("tools")),
    pair("tool-with-const", "Does not know const in the parameters of a tool.", tools_hold('"const":')),
    pair("tool-with-all-of", "Does not know allOf in the parameters of a tool.", tools_hold('"allOf":')),
    pair("tool-with-pattern", "Does not know patterns in the parameters of a tool.", tools_hold('"pattern":')),
    pair("tool-with-definitions", "Does not know definitions under their old name.", tools_hold('"definitions":')),
    pair("tool-with-deep-parameters", "Takes ten levels in the parameters of a tool.",
         lambda body: depth(body.get("tools")) > 14),
    pair("many-tools", "Takes sixteen tools.", lambda body: len(body.get("tools") or ()) > 16),
    fault("request.empty-arguments-while-thinking-are-500", "Fails inside on a call without arguments with reasoning.",
          TOGETHER, validate=crash(all_of(some_item(lambda one: one.get("arguments") == "{}"), thinks))),
    fault("request.emoji-in-lists-is-500", "Fails inside on an emoji in a message.", TOGETHER,
          validate=crash(lambda body: isinstance(body.get("input"), list) and "\U0001f600" in to_json(body["input"]))),
    bearer("tools", "Knows the api-key header only where tools are declared.", has("tools")),
    bearer("thinking", "Knows the api-key header only with reasoning.", thinks),
    bearer("json", "Knows the api-key header only where JSON is requested.", requests_json),
    bearer("long-text", "Knows the api-key header only with a long text.", long),
    header("beta-header-is-500", "Fails inside on OpenAI-Beta.", lambda ctx: ctx.sent("openai-beta"), 500),
    header("sdk-headers-refused", "Refuses headers that begin with X-Stainless.",
           lambda ctx: ctx.sent("x-stainless-lang"), 400),
    header("originator-refused", "Refuses the header originator.", lambda ctx: ctx.sent("originator"), 400),
    header("session-id-is-500", "Fails inside on session_id.", lambda ctx: ctx.sent("session_id"), 500),
    header("trace-is-500", "Fails inside on traceparent.", lambda ctx: ctx.sent("traceparent"), 500),
    header("several-media-types-refused", "Takes one media type in Accept.",
           lambda ctx: "," in (ctx.sent("accept") or ""), 406),
    header("sdk-agent-refused", "Lets no SDK in.", lambda ctx: "OpenAI/" in (ctx.sent("user-agent") or ""), 403),
    fault("error.next-request-is-500", "Fails inside, once, on the request behind a refused one.",
          "http.no-sporadic-error", validate=after_refusal(SPOILED)),
    fault("error.next-request-refused", "Refuses the request behind a refused one too.", TOGETHER,
          validate=after_refusal(of(400, "input is not supported", "input", "invalid_request_error"))),
    fault("auth.right-key-locked", "Refuses the right key once after a wrong one.", SURVIVES, auth=locked),
    fault("request.same-again-refused", "Serves a request once.", SURVIVES, validate=once),
    fault("response.empty-the-second-time", "Responds to the same request with no output the second time.",
          "response.not-empty", draft=empty_the_second_time),
    fault("truncation.cap-stays", "Keeps the cap of the request before where there is none.",
          "truncation.cap-not-needed", parsed=cap_stays),
    fault("response.refused-model-stays", "Responds with the model that was refused just before.",
          "response.model-echoed", validate=noted_model, response=model_stays),
    fault("undocumented.cache-key-shares-text", "Responds with the text that was cached under the same key.", MIXED,
          draft=texts_by_cache_key),
    fault("undocumented.metadata-of-another", "Gives back the metadata of the request before.", MIXED,
          response=metadata_of_another),
    fault("response.repeats-the-input", "Puts the output of earlier turns before the new one.",
          "response.output-is-new", draft=repeated),
    fault("usage.thoughts-as-input", "Counts reasoning as input too.", "usage.reasoning-not-input",
          plan=reasoning_as_input),
    fault("turns.calls-dropped", "Does not pass calls on.", MORE,
          parsed=dropped(without(lambda one: kind(one) == "function_call"))),
    fault("effort.none-thinks-after-output", "Reasons at effort none after the output of a tool.",
          "effort.none-does-not-think", parsed=thinking(all_of(rounds, lambda body: not thinks(body)), True)),
    fault("effort.high-does-not-think-after-output", "Does not think behind the output of a tool.",
          "effort.high-thinks", parsed=thinking(all_of(rounds, thinks), False)),
    fault("http.gzip-stream-without-its-end", "Loses the checksum at the end of a compressed stream.",
          "http.body-complete", reply=without_trailer(True)),
    fault("http.gzip-body-without-its-end", "Loses the checksum at the end of a compressed plain body.",
          "http.body-complete", reply=without_trailer(False)),
    fault("request.deep-json-is-500", "Fails inside on deeply nested JSON.", "request.body-not-an-object",
          validate=deep),
    fault("request.not-a-number-is-500", "Fails inside on NaN.", "request.malformed-json", validate=not_a_number),
    fault("turns.odd-characters-are-500", "Fails inside on NUL and on half a surrogate pair.", UNUSUAL,
          validate=crash(has_unusual_characters)),
    fault("turns.text-behind-call-is-500", "Fails inside on a text between a call and its output.", UNUSUAL,
          validate=crash(neighbours(between))),
    fault("turns.empty-arguments-are-500", "Fails inside on a returned call with empty arguments.", UNUSUAL,
          validate=crash(some_item(lambda one: one.get("arguments") == ""))),
    fault("turns.empty-output-list-is-500", "Fails inside on an output of no parts.", UNUSUAL,
          validate=crash(some_item(lambda one: one.get("output") == []))),
    fault("turns.null-id-is-500", "Fails inside on null for the id of an item.", UNUSUAL,
          validate=crash(some_item(lambda one: "id" in one and one["id"] is None))),
    fault("turns.annotation-is-500", "Fails inside on an annotation that is sent back.", UNUSUAL,
          validate=crash(lambda body: any(part.get("annotations") for part in input_parts(body)))),
    fault("turns.late-system-message-is-500", "Fails inside on a system message behind others.", UNUSUAL,
          validate=crash(lambda body: any(one.get("role") == "system" for one in input_items(body)[2:]))),
]  # fmt: skip
