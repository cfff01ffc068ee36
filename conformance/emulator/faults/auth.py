"""Faults in authentication."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..auth import REFUSED
from ..hooks import Context, Hook, fault
from ..refusals import LIMITED
from ..request_hooks import SPOILED, envelope, error, refused
from ..shapes import Refusal, Reply
from ..validate import parse

AuthCheck = Hook[Refusal | None]
NAMES = ("api-key", "Api-Key", "authorization", "Authorization")


def let_in(test: Callable[[Context], object]) -> AuthCheck:
    """Accepts requests that pass the test."""
    return lambda ctx, refusal: None if test(ctx) else refusal


def keep_out(test: Callable[[Context], object]) -> AuthCheck:
    """Refuses requests that pass the test."""
    return lambda ctx, refusal: REFUSED if test(ctx) else refusal


def api_key(ctx: Context) -> str:
    return ctx.sent("api-key") or ""


def bearer(ctx: Context) -> str:
    scheme, _, rest = (ctx.sent("authorization") or "").partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else ""


def either(ctx: Context) -> str:
    return api_key(ctx) or bearer(ctx)


def unknown_key(given: str, ctx: Context) -> bool:
    """Whether the key is invalid and not similar to the valid one."""
    almost = ctx.key.startswith(given) or given.startswith(ctx.key) or given[:-1] == ctx.key[:-1]
    return bool(given) and not almost


def credential(ctx: Context) -> str:
    """The credential that was sent, valid or not, without its scheme."""
    return either(ctx) or (ctx.sent("authorization") or "").rpartition(" ")[2]


def only_401(how: Callable[[Reply], Reply]) -> Hook[Reply]:
    return lambda ctx, reply: how(reply) if reply.status == 401 else reply


def echo(ctx: Context, reply: Reply) -> Reply:
    if reply.status != 401 or not credential(ctx):
        return reply
    return reply.saying(reply.body.replace(b"Invalid API Key", f"Invalid API Key {credential(ctx)}".encode()))


def echo_when_busy(ctx: Context, reply: Reply) -> Reply:
    if not ctx.served or ctx.count("busy") > 0:
        return reply
    message = f"Too many requests for {api_key(ctx) or bearer(ctx)}"
    error = {"message": message, "type": "limitation", "param": "", "code": "429"}
    away = replace(reply, framing="length").coded(429)
    return away.having("Content-Type", "application/json").saying({"error": error})


def echo_part(ctx: Context, reply: Reply) -> Reply:
    given = credential(ctx)
    half = given[: max(8, len(given) // 2)]
    if reply.status != 401 or not given:
        return reply
    return reply.saying(reply.body.replace(b"Invalid API Key", f"Invalid API Key {half}***".encode()))


def echo_header(ctx: Context, reply: Reply) -> Reply:
    given = credential(ctx)
    return reply.having("X-Rejected-Key", given) if reply.status == 401 and given else reply


def checked_late(ctx: Context, refusal: Refusal | None) -> Refusal | None:
    return parse(ctx.raw)[1] or refusal if refusal else None


def open_stream(ctx: Context, reply: Reply) -> Reply:
    if reply.status != 401 or not ctx.stream:
        return reply
    body = b"event: error\ndata: " + reply.body.removeprefix(b"data:") + b"\n\n"
    return reply.coded(200).having("Content-Type", "text/event-stream").saying(body)


NO_401 = (400, 404, 405, 422, 500)
EVERY_REFUSAL = (
    "auth.missing-key-refused",
    "auth.wrong-api-key-refused",
    "auth.wrong-bearer-refused",
)

FAULTS = [
    fault("auth.api-key-not-accepted", "Accepts the Authorization header only.", "auth.api-key-header-accepted",
          auth=keep_out(lambda ctx: not ctx.sent("authorization"))),
    fault("auth.bearer-not-accepted", "Accepts the api-key header only.", "auth.bearer-accepted",
          auth=keep_out(lambda ctx: not ctx.sent("api-key"))),
    fault("auth.api-key-not-accepted-streaming", "Refuses the api-key header with stream: true.",
          "auth.api-key-header-accepted", auth=keep_out(lambda ctx: ctx.stream and ctx.sent("api-key"))),
    fault("auth.bearer-not-accepted-streaming", "Refuses bearer tokens with stream: true.",
          "auth.bearer-accepted", auth=keep_out(lambda ctx: ctx.stream and ctx.sent("authorization"))),
    fault("auth.header-names-case-sensitive", "Ignores credential headers in unusual case.",
          "auth.header-names-case-insensitive",
          auth=keep_out(lambda ctx: not any(name in NAMES for name, _ in ctx.headers))),
    fault("auth.scheme-case-sensitive", "Accepts Bearer but not bearer.", "auth.scheme-case-insensitive",
          auth=keep_out(lambda ctx: bearer(ctx) and not str(ctx.sent("authorization")).startswith("Bearer"))),
    fault("auth.refused-with-403", "Refuses keys with 403.", "auth.refused-with-401",
          auth=lambda _, refusal: replace(refusal, status=403) if refusal else None),
    fault("auth.no-key-let-in", "Serves requests without a key.", "auth.missing-key-refused",
          auth=let_in(lambda ctx: ctx.sent("api-key") is None and ctx.sent("authorization") is None)),
    fault("auth.wrong-api-key-let-in", "Accepts any api-key.", "auth.wrong-api-key-refused",
          auth=let_in(lambda ctx: unknown_key(api_key(ctx), ctx))),
    fault("auth.wrong-bearer-let-in", "Accepts any bearer token.", "auth.wrong-bearer-refused",
          auth=let_in(lambda ctx: unknown_key(bearer(ctx), ctx))),
    fault("auth.empty-api-key-let-in", "Accepts an empty api-key.", "auth.empty-key-refused",
          auth=let_in(lambda ctx: ctx.sent("api-key") == "")),
    fault("auth.empty-bearer-let-in", "Accepts Bearer without a token.",
          "auth.empty-bearer-refused",
          auth=let_in(lambda ctx: (ctx.sent("authorization") or "").lower() == "bearer")),
    fault("auth.other-scheme-let-in", "Ignores the scheme before the key.",
          "auth.other-scheme-refused",
          auth=let_in(lambda ctx: " " in (ctx.sent("authorization") or "")
                      and not (ctx.sent("authorization") or "").lower().startswith("bearer"))),
    fault("auth.bare-key-let-in", "Accepts Authorization with the key and without scheme.",
          "auth.key-without-scheme-refused", auth=let_in(lambda ctx: ctx.sent("authorization") == ctx.key)),
    fault("auth.last-character-ignored", "Compares all characters of the key except the last.",
          "auth.almost-right-key-refused",
          auth=let_in(lambda ctx: len(either(ctx)) == len(ctx.key) and either(ctx)[:-1] == ctx.key[:-1])),
    fault("auth.key-prefix-let-in", "Accepts any prefix of the key.", "auth.almost-right-key-refused",
          auth=let_in(lambda ctx: either(ctx) and ctx.key.startswith(either(ctx)))),
    fault("auth.key-suffix-ignored", "Accepts the key with characters appended.",
          "auth.almost-right-key-refused", auth=let_in(lambda ctx: either(ctx).startswith(ctx.key))),
    fault("auth.key-refused-with-tools", "Refuses the right key in requests with tools.", "request.tools-accepted",
          validate=lambda ctx, refusal: refusal or (REFUSED if ctx.body.get("tools") else None)),
    fault("auth.refusal-is-400", "Refuses an invalid key with HTTP 400.", *EVERY_REFUSAL,
          auth=lambda ctx, refusal: replace(refusal, status=400) if refusal else None),
    fault("auth.refusal-is-500", "Responds with HTTP 500 to an invalid key.", *EVERY_REFUSAL,
          auth=lambda ctx, refusal: SPOILED if refusal else None),
    fault("auth.refusal-is-200", "Sends the error body with HTTP 200.", *EVERY_REFUSAL, "error.real-status",
          reply=only_401(lambda reply: reply.coded(200))),
    fault("auth.refusal-redirects", "Redirects requests without a key to a login page.", *EVERY_REFUSAL,
          "http.no-redirect",
          reply=only_401(lambda reply: reply.coded(302).having("Location", "/login"))),
    fault("auth.wrong-key-let-in-streaming", "Does not check the key of streaming requests.",
          "auth.refused-when-streaming", auth=let_in(lambda ctx: ctx.stream)),
    fault("auth.refusal-is-a-stream", "Reports the invalid key in a stream with HTTP 200.",
          "auth.refused-when-streaming", "error.streaming-same-status", reply=open_stream),
    fault("auth.refusal-is-500-streaming", "Responds with HTTP 500 to an invalid key with stream: true.",
          "auth.refused-when-streaming", "error.streaming-same-status",
          auth=lambda ctx, refusal: SPOILED if refusal and ctx.stream else refusal),
    fault("auth.missing-key-is-503", "Responds with HTTP 503 to requests without a key.", "auth.missing-key-refused",
          auth=lambda ctx, refusal: refusal and (refusal if either(ctx) else replace(SPOILED, status=503))),
    fault("auth.wrong-api-key-is-429", "Responds with HTTP 429 to every invalid key in the header of its own.",
          "auth.wrong-api-key-refused", auth=lambda ctx, refusal: LIMITED if refusal and api_key(ctx) else refusal),
    fault("auth.refusal-is-text", "Refuses with plain text instead of the envelope.",
          "auth.refusal-is-enveloped", reply=only_401(lambda reply: reply.saying("Unauthorized"))),
    fault("auth.refusal-is-html", "Refuses with the HTML page of a gateway.", "auth.refusal-is-enveloped",
          reply=only_401(lambda reply: reply.having("Content-Type", "text/html").saying(
              "<html><head><title>401 Authorization Required</title></head></html>"))),
    fault("auth.refusal-is-empty", "Refuses with no body.", "auth.refusal-is-enveloped",
          reply=only_401(lambda reply: reply.saying(b""))),
    fault("auth.refusal-in-detail", "Refuses with the error format of a web framework.", "auth.refusal-is-enveloped",
          reply=envelope(lambda _: {"detail": "Not authenticated"}, NO_401)),
    fault("auth.refusal-error-is-a-string", "Sends the error message in place of the error object.",
          "auth.refusal-is-enveloped", reply=envelope(lambda _: {"error": "Unauthorized"}, NO_401)),
    fault("auth.refusal-code-is-a-number", "Sends a number as the error code.",
          "auth.refusal-is-enveloped", reply=error(lambda one: one.update(code=401), NO_401)),
    fault("auth.key-echoed-in-body", "Echoes the invalid key in the error message.",
          "auth.refusal-never-echoes-key", reply=echo),
    fault("auth.key-echoed-in-first-429", "Echoes the key in one 429.",
          "auth.key-never-echoed", reply=echo_when_busy),
    fault("auth.half-the-key-echoed", "Echoes the first half of the invalid key in the error message.",
          "auth.refusal-never-echoes-key", reply=echo_part),
    fault("auth.key-echoed-in-header", "Echoes the invalid key in a header.",
          "auth.refusal-never-echoes-key", reply=echo_header),
    fault("auth.body-judged-before-key", "Validates the body before the key.",
          "auth.refused-before-body-is-judged", auth=checked_late),
    fault("auth.refusal-as-text-type",
          "Sends the Content-Type text/plain with a JSON error body.", "error.json-content-type",
          reply=refused(lambda reply: reply.having("Content-Type", "text/plain"), NO_401)),
]  # fmt: skip
