"""Legal variants of behaviour: forms of refusal, filtered or rejected parameters, defaults, 429 and 503."""

from __future__ import annotations

import html
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..arguments import fit
from ..auth import REFUSED, authenticate
from ..event_edits import texts_changed
from ..hooks import Behaviour, Context, Hook, variant
from ..refusals import LIMITED, bad_parameter, of, unsupported
from ..request_hooks import envelope, error, input_items, inside, lacks_strict, names_twice, refuse, refused
from ..shapes import Dict, Header, Item, ParsedRequest, Refusal, Reply, sent, to_json

FORM = "The documentation defines statuses, not the error object (doc 2026-10, error codes)."
OUTSIDE = "Undocumented parameters are filtered and may cause an error (doc 2026-06-24)."
UNSUPPORTED = "Named unsupported parameters are ignored or cause an error (doc 2026-06-24)."
BOTH = "The documentation requires one way of authentication and does not define the use of both (doc 2026-06-24)."
BUSY = "429 and 503 are documented statuses (doc 2026-10, error codes)."
DOCUMENTED = {
    "model", "input", "instructions", "max_output_tokens", "stream", "reasoning", "temperature", "top_p",
    "text", "tool_choice", "tools",
}  # fmt: skip
NO_401 = (400, 404, 405, 422, 500)
ANY: tuple[int, ...] = ()


def undocumented(body: Dict) -> str | None:
    """The first undocumented parameter, nested ones included."""
    for above, known in (("reasoning", {"effort"}), ("text", {"format"})):
        nested = body.get(above)
        if isinstance(nested, dict) and set(nested) - known:
            return f"{above}.{min(set(nested) - known)}"
    return min(set(body) - DOCUMENTED, default=None)


def rejected(ctx: Context, refusal: Refusal | None) -> Refusal | None:
    name = undocumented(ctx.body)
    return bad_parameter(name, "is not a known parameter").refusal if name and not refusal else refusal


def ignored(test: Callable[[str], bool]) -> Hook[Refusal | None]:
    """Accepts what the conformant endpoint refuses, by the `param` of its refusal."""
    return lambda _, refusal: None if refusal and test(str(refusal.members.get("param"))) else refusal


def named_unsupported(ctx: Context, refusal: Refusal | None) -> Refusal | None:
    name = next((one for one in ("background", "context_management") if ctx.body.get(one)), None)
    return unsupported(name, name).refusal if name and not refusal else refusal


def strict_choice(ctx: Context, refusal: Refusal | None) -> Refusal | None:
    other = ctx.body.get("tool_choice") not in (None, "auto")
    return bad_parameter("tool_choice", "must be auto").refusal if other and not refusal else refusal


def no_nulls(ctx: Context, refusal: Refusal | None) -> Refusal | None:
    name = next((one for one, value in ctx.body.items() if value is None), None)
    return bad_parameter(name, "must not be null").refusal if name and not refusal else refusal


def agents_served(ctx: Context, refusal: Refusal | None) -> Refusal | None:
    """Filters undocumented members that Codex and the AI SDK send: effort, tools, items, metadata."""
    referred = any(item.get("type") == "item_reference" for item in input_items(ctx.body))
    return None if referred or "client_metadata" in ctx.body else refusal


def honoured_choice(ctx: Context, parsed: ParsedRequest) -> ParsedRequest:
    return replace(parsed, tools=()) if ctx.body.get("tool_choice") == "none" else parsed


def busy(test: Callable[[Context], bool], status: int, *headers: tuple[str, str], refused: bool = False) -> Hook[Reply]:
    """``refused``: also in place of refusals."""
    kind = "limitation" if status == 429 else "server_error"
    body = of(status, "Too many requests" if status == 429 else "Service overloaded", "", kind).envelope()

    def hook(ctx: Context, reply: Reply) -> Reply:
        if not (ctx.served or refused) or not test(ctx):
            return reply
        away = replace(reply, headers=[*reply.headers, *headers], framing="length").coded(status)
        return away.having("Content-Type", "application/json").saying(body)

    return hook


def once(name: str) -> Callable[[Context], bool]:
    return lambda ctx: ctx.count(name) == 0


def as_event(prefix: str, suffix: str, kind: str = "application/json") -> Hook[Reply]:
    """Adds a prefix and a suffix to refusals of streaming requests."""

    def hook(ctx: Context, reply: Reply) -> Reply:
        if ctx.served or not ctx.stream:
            return reply
        text = reply.body.decode().removeprefix("data:")
        return reply.having("Content-Type", kind).saying(f"{prefix}{text}{suffix}")

    return hook


def openai_form(document: Dict) -> Any:
    inner = document["error"]
    where = str(inner.get("param") or "").partition(" ")[0] or None
    message = f"Invalid request: {inner.get('param') or inner['message']}."
    return {"error": {"message": message, "type": "invalid_request_error", "param": where,
                      "code": "invalid_value"}}  # fmt: skip


def bare(document: Dict) -> Any:
    inner = document["error"]
    message = f"{inner['message']} {inner.get('param', '')}".strip()
    return {"error": {"code": inner["code"], "message": message}}


def null_members(one: Dict) -> None:
    one.update(message=f"{one['message']}: {one.get('param')}", param=None, type=None)


def unknown_model(ctx: Context, refusal: Refusal | None) -> Refusal | None:
    hit = refusal is not None and str(refusal.members["message"]).startswith("Unsupported model")
    if refusal is None or not hit:
        return refusal
    return replace(refusal, status=404, members={**refusal.members, "code": "model_not_found"})


def any_right(ctx: Context, refusal: Refusal | None) -> Refusal | None:
    """Accepts a request with one valid credential."""
    if all(authenticate([header], ctx.key) for header in ctx.headers):
        return refusal
    return None


def no_two_ways(ctx: Context, refusal: Refusal | None) -> Refusal | None:
    both = ctx.sent("api-key") is not None and ctx.sent("authorization") is not None
    return REFUSED if both else refusal


def forbidden(_: Context, refusal: Refusal | None) -> Refusal | None:
    if refusal is None:
        return None
    return replace(refusal, status=403, members={**refusal.members, "code": "403"}, headers=())


def lenient_effort(ctx: Context, refusal: Refusal | None) -> Refusal | None:
    known = inside(ctx.body, "reasoning", "effort") in ("minimal", "xhigh", "max", "ultra")
    about = refusal is not None and str(refusal.members.get("param")).startswith("reasoning.effort must")
    return None if known and about else refusal


def detailed(one: Dict) -> None:
    """The reason in a list, behind a message that is the same in each refusal."""
    reason = {"message": one["message"], "param": one.get("param")}
    one.update(message="The request is invalid", param=None, details=[reason])


def longer_refusal(document: Dict) -> Any:
    return {**document, "request_id": "req_1", "error": {**document["error"], "details": [{"reason": "x"}]}}


def default_off(ctx: Context, parsed: ParsedRequest) -> ParsedRequest:
    return replace(parsed, thinking=False) if ctx.body.get("reasoning") is None else parsed


def demanded_call(ctx: Context, items: list[Item]) -> list[Item]:
    """Calls the first tool if tool_choice requires a call and the model makes none."""
    choice = ctx.body.get("tool_choice")
    mode = choice.get("mode", "required") if isinstance(choice, dict) else choice
    tools = ctx.body.get("tools")
    if mode != "required" or not tools or any(one.is_call for one in items):
        return items
    text = to_json(fit(tools[0].get("parameters") or {}, iter(())))
    return [Item("function_call", ctx.new_id("fc_"), (text,), "completed", tools[0]["name"], ctx.new_id("call_"))]


def unusual_history(body: Dict) -> bool:
    """Whether an item has an undocumented form: incomplete, empty, without an id, or without an item after it."""
    items = input_items(body)
    reasoning = [one for one in items if one.get("type") == "reasoning"]
    lonely = any(
        one.get("type") == "reasoning" and following.get("role") == "user"
        for one, following in itertools.pairwise(items)
    )
    empty = any(one.get("content") in ("", []) for one in items)
    cut = any(one.get("type") == "function_call" and one.get("status") == "incomplete" for one in items)
    return lonely or empty or cut or any("id" not in one for one in reasoning)


def small_context(ctx: Context, refusal: Refusal | None) -> Refusal | None:
    """Refuses input of more than 8,192 tokens of four characters."""
    if refusal or len(ctx.raw) <= 4 * 8_192:
        return refusal
    return bad_parameter("input", "is longer than the context of the model").refusal


def spaced(reply: Reply) -> Reply:
    text = reply.body.decode()
    prefix = "data:" if text.startswith("data:") else ""
    return reply.saying(prefix + json.dumps(json.loads(text.removeprefix("data:"))))


def forms(name: str, says: str, test: Callable[[Context], bool], status: int, *headers: Header) -> Behaviour:
    """Refuses requests in an unusual form with the status of HTTP for them, in the error format of a gateway."""

    def hook(ctx: Context, reply: Reply) -> Reply:
        if not test(ctx):
            return reply
        page = "" if status == 204 else f"<html><body>{status}</body></html>"
        away = replace(reply, headers=[*reply.headers, *headers], framing="length", chunks=[]).coded(status)
        return away.without("Transfer-Encoding").having("Content-Type", "text/html").saying(page)

    return variant(f"forms.{name}", says, reply=hook)


VARIANTS = [
    variant("refusals.without-type-and-param", FORM, reply=envelope(bare, ANY)),
    variant("refusals.with-null-type-and-param", FORM, reply=error(null_members, ANY)),
    variant("refusals.code-is-a-word", FORM,
          reply=error(lambda one: one.update(code="invalid_request"), ANY)),
    variant("refusals.openai-form", "The documentation is aligned with OpenAI (openai, Error).",
          reply=envelope(openai_form)),
    variant("refusals.with-more-members", FORM, reply=envelope(longer_refusal, ANY)),
    variant("refusals.with-a-list-of-details", FORM, reply=error(detailed, ANY)),
    variant("refusals.with-request-number", FORM, reply=lambda ctx, reply: error(
        lambda one: one.update(message=f"{one['message']} (request {ctx.number})"), ANY)(ctx, reply)),
    variant("refusals.with-blanks", "JSON allows whitespace between tokens (RFC 8259 2).",
          reply=refused(spaced, ANY)),
    variant("refusals.plain-json-when-streaming", "Observed: a data: prefix; plain JSON is usual in HTTP.",
          reply=as_event("", "")),
    variant("refusals.data-with-space-when-streaming", "The space after the colon is optional (WHATWG HTML).",
          reply=as_event("data: ", "\n\n")),
    variant("refusals.charset-in-type", "Parameters of a media type are allowed (RFC 9110 8.3.1).",
          reply=refused(lambda reply: reply.having("Content-Type", "application/json; charset=utf-8"), ANY)),
    variant("refusals.unknown-model-is-404", "404 is documented for what is not available (doc 2026-10).",
          validate=unknown_model),
    variant("refusals.other-method-is-404", "A server may hide that a resource exists (RFC 9110 15.5.5).",
          reply=lambda _, reply: reply.coded(404).without("Allow") if reply.status == 405 else reply),
    variant("refusals.forbidden-instead-of-unauthorized", "403 is documented for keys (doc 2026-10).",
          auth=forbidden),
    variant("refusals.without-challenge", "The documentation does not define WWW-Authenticate.",
          reply=lambda _, reply: reply.without("WWW-Authenticate") if reply.status == 401 else reply),
    variant("outside.undocumented-rejected", OUTSIDE, validate=rejected),
    variant("outside.named-unsupported-rejected", UNSUPPORTED, validate=named_unsupported),
    variant("outside.previous-response-id-ignored", UNSUPPORTED,
          validate=ignored(lambda param: param == "previous_response_id")),
    variant("outside.json-schema-ignored", OUTSIDE, validate=ignored(lambda param: param == "text.format")),
    variant("outside.tool-types-ignored", OUTSIDE,
          validate=ignored(lambda param: param.startswith("tools[") and param.endswith("].type"))),
    variant("outside.agents-served", OUTSIDE, validate=agents_served),
    variant("outside.tool-choice-rejected", OUTSIDE, validate=strict_choice),
    variant("outside.tool-without-strict-refused", "The table marks strict required (doc 2026-10, tools).",
            validate=refuse(lacks_strict, "tools[0].strict")),
    variant("outside.same-tool-name-refused", "The documentation does not define two tools with the same name.",
            validate=refuse(names_twice, "tools[1].name")),
    variant("outside.tool-choice-none-honoured", "Aligned with OpenAI (openai, tool_choice).",
          parsed=honoured_choice),
    variant("outside.tool-choice-required-honoured", "Aligned with OpenAI (openai, tool_choice).", draft=demanded_call),
    variant("outside.unusual-history-rejected", "The page does not list such items (doc 2026-10, Request body: input).",
            validate=refuse(unusual_history, "input[0]")),
    variant("behaviour.small-context", "The documentation defines no context length for input (doc 2026-10).",
          validate=small_context),
    variant("behaviour.default-instructions", "A chat template may add a default system message.",
          parsed=lambda _, parsed: parsed if parsed.instructions else replace(
              parsed, input_tokens=parsed.input_tokens + 40)),
    variant("outside.null-rejected", "The documented types of optional parameters do not include null.",
          validate=no_nulls),
    variant("outside.more-efforts-taken", "Later revisions of the documentation list them (doc 2026-10).",
          validate=lenient_effort),
    variant("auth.one-right-key-is-enough", BOTH, auth=any_right),
    variant("auth.two-keys-are-refused", BOTH, auth=no_two_ways),
    variant("behaviour.thinking-off-by-default", "Revision 2026-06-24 does not define the default effort.",
          parsed=default_off),
    variant("behaviour.thoughts-counted-not-shown",
            "The documentation does not require that reasoning is in the output.",
          plan=lambda _, plan: replace(plan, items=tuple(one for one in plan.items if one.kind != "reasoning"))),
    variant("behaviour.writes-characters-for-entities", "The model may write a character in place of its HTML entity.",
          draft=texts_changed(html.unescape, "message")),
    variant("behaviour.writes-replacement-characters", "The model may write any character, including U+FFFD.",
          draft=texts_changed(lambda text: text if text.startswith("{") else f"{text} \ufffd", "message")),
    forms("slash-redirected", "A path with a trailing slash is another one; frameworks redirect it (RFC 9110 15.4).",
          lambda ctx: ctx.path.endswith("/"), 308, ("Location", "/v1/responses")),
    forms("slash-is-a-page", "A path with a trailing slash is another resource (RFC 9110 4.2.3).",
          lambda ctx: ctx.path.endswith("/"), 200),
    forms("query-not-found", "A query is part of the URL, and none is documented (RFC 9110 4.2.2).",
          lambda ctx: "?" in ctx.path, 404),
    forms("other-types-refused", "415 is for unsupported content types (RFC 9110 15.5.16).",
          lambda ctx: ctx.method == "POST" and not (ctx.sent("content-type") or "").startswith("application/json"),
          415),
    forms("chunks-refused", "A server may require Content-Length (RFC 9112 6.3).",
          lambda ctx: ctx.sent("transfer-encoding") is not None, 411),
    forms("expectation-failed", "417 is for expectations that cannot be met (RFC 9110 15.5.18).",
          lambda ctx: ctx.sent("expect") is not None, 417),
    forms("repeated-key-refused", BOTH, lambda ctx: len(sent(ctx.headers, "api-key")) > 1, 401),
    forms("upgrade-required", "426 reports the required protocol (RFC 9110 15.5.22).",
          lambda ctx: ctx.sent("upgrade") is not None, 426),
    forms("head-is-200", "HEAD may be served although GET is not (RFC 9110 9.3.2).",
          lambda ctx: ctx.method == "HEAD", 200),
    forms("other-methods-are-501", "501 is for methods that a server does not implement (RFC 9110 9.1).",
          lambda ctx: ctx.method in ("PUT", "HEAD"), 501),
    variant("behaviour.first-request-is-429", BUSY, reply=busy(once("429"), 429, ("Retry-After", "0"))),
    variant("behaviour.first-request-is-503", BUSY, reply=busy(once("503"), 503)),
    variant("behaviour.first-stream-is-429", BUSY, reply=busy(
        lambda ctx: ctx.stream and ctx.count("429 stream") == 0, 429, ("Retry-After", "0"))),
    variant("behaviour.first-json-is-429", BUSY, reply=busy(
        lambda ctx: bool(inside(ctx.body, "text", "format", "type") == "json_object") and ctx.count("429 json") == 0,
        429, ("Retry-After", "0"))),
    variant("behaviour.every-ninth-is-429", BUSY, reply=busy(
        lambda ctx: ctx.count("ninth") % 9 == 8, 429, ("Retry-After", "0"))),
    variant("behaviour.other-methods-limited", BUSY, reply=busy(
        lambda ctx: ctx.method != "POST" and ctx.count(ctx.method) == 0, 429, ("Retry-After", "0"), refused=True)),
    variant("behaviour.invalid-keys-limited", BUSY, auth=lambda ctx, refusal: refusal and (
        LIMITED if ctx.count("invalid") > 2 else refusal)),
    variant("behaviour.closed-stream-occupies-slot-with-429", BUSY, reply=busy(
        lambda ctx: bool(ctx.memory.pop("closed", False)), 429, ("Retry-After", "0"))),
]  # fmt: skip
