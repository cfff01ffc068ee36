"""max_output_tokens: a response that reaches it is incomplete with that reason; other responses are completed."""

from __future__ import annotations

from typing import Any

from conformance.contract.schemas import ABSENT
from conformance.decode.events import COMPLETED, integer, mapping
from conformance.decode.response import CannotEvaluate, DoesNotApply, Received
from conformance.judge.applicability import NEEDS_A_CAUSE, WITH_CAP
from conformance.judge.common import parsed
from conformance.judge.selectors import RESPONSES, each, responses
from conformance.judge.token_counts import LONGEST_TOKEN, characters_of_output, has_too_many_characters, too_few_tokens
from conformance.judge.verdict import EXAMINED, Finding, Findings, check


@check("truncation.incomplete", over=each("cut"), not_for_captured=NEEDS_A_CAUSE)
def test_what_is_cut_is_incomplete(received: Received) -> Findings:
    response = received.response
    yield EXAMINED
    if response.get("status") != "incomplete":
        yield from _not_reported_incomplete(received)
        return
    yield from _wrong_reason(received, "max_output_tokens")


@check("truncation.incomplete", over=each("no such tag"), where=WITH_CAP)
def test_incomplete_response_has_a_reason(received: Received) -> Findings:
    ends_completed = received.looks_like_stream and received.terminal.type == COMPLETED
    if received.response.get("status") == "completed" and _call_is_cut(received):
        yield EXAMINED
        yield from _not_reported_incomplete(received)
    if received.response.get("status") != "incomplete" or ends_completed:
        raise DoesNotApply("the response is not incomplete, or ends with response.completed")
    yield EXAMINED
    yield from _wrong_reason(received, "max_output_tokens", "content_filter")


def _wrong_reason(received: Received, *reasons: str) -> Findings:
    """Findings of an incomplete response that has another reason, or an error."""
    response = received.response
    reason = mapping(response.get("incomplete_details")).get("reason", ABSENT)
    if reason not in reasons:
        pointer = received.pointer + "/incomplete_details/reason"
        found = "missing" if reason == ABSENT else "null" if reason is None else repr(reason)
        message = f"the response reached max_output_tokens, but incomplete_details.reason is {found}"
        yield Finding(message, pointer, received.event, "max_output_tokens", reason)
    if response.get("error") is not None:
        message = "error is not null although the response is only incomplete"
        yield Finding(message, received.pointer + "/error", received.event, None, response["error"])


def _not_reported_incomplete(received: Received) -> Findings:
    """A finding if the response has exactly max_output_tokens tokens; :class:`DoesNotApply` if it is completed, as
    are its calls, :class:`CannotEvaluate` otherwise."""
    cap, used = int(received.sent["max_output_tokens"]), received.tokens("output_tokens") or 0
    calls = [call for _, call in received.items("function_call")]
    complete = bool(calls) and not any(map(_is_incomplete, calls))
    # A call may have exactly as many tokens as the cap.
    if complete and 0 < used <= cap and received.response.get("status") == "completed":
        raise DoesNotApply(f"each call is complete, with {used} output tokens of max_output_tokens ({cap})")
    if used != cap:
        relation = "fewer" if used < cap else "more"
        raise CannotEvaluate(f"the response has {used} output tokens, {relation} than max_output_tokens ({cap})")
    if "tools" in received.sent and not any(map(_is_incomplete, calls)):
        raise CannotEvaluate("the response reached max_output_tokens, but contains no incomplete call")
    message = f"the response reached max_output_tokens ({cap}), but its status is not incomplete"
    got = received.response.get("status", ABSENT)
    yield Finding(message, received.pointer + "/status", received.event, "incomplete", got)


def _call_is_cut(received: Received) -> bool:
    """Whether the response has exactly max_output_tokens tokens, and a call that is incomplete."""
    cap = integer(received.sent.get("max_output_tokens"))
    calls = [call for _, call in received.items("function_call")]
    return cap is not None and cap == received.tokens("output_tokens") and any(map(_is_incomplete, calls))


def _is_incomplete(call: dict[str, Any]) -> bool:
    try:
        parsed(call.get("arguments"))
    except ValueError:
        return True
    return False


@check("truncation.usage-within-cap", over=RESPONSES, where=WITH_CAP)
def test_output_stays_within_the_cap(received: Received) -> Findings:
    cap, size = integer(received.sent.get("max_output_tokens")), characters_of_output(received)
    if cap is not None and received.response.get("usage") is None and has_too_many_characters(received, cap):
        yield EXAMINED
        message = f"the output has {size:,} characters, more than {LONGEST_TOKEN} for each token of the cap ({cap})"
        yield Finding(message, received.pointer + "/output", received.event, f"at most {LONGEST_TOKEN * cap}", size)
        return
    used = received.tokens("output_tokens")
    if cap is not None and used is not None:
        yield EXAMINED
    if cap is not None and used is not None and used > cap:
        message = f"output_tokens is {used}, more than max_output_tokens ({cap})"
        yield Finding(message, received.pointer + "/usage/output_tokens", received.event, f"at most {cap}", used)


@check(
    "truncation.cap-not-needed",
    over=responses(where=lambda one: "cut" not in one.tags),
    where=WITH_CAP,
    not_for_captured=NEEDS_A_CAUSE,
)
def test_what_is_not_cut_is_completed(received: Received) -> Findings:
    cap = integer(received.sent.get("max_output_tokens"))
    reason = mapping(received.response.get("incomplete_details"))
    if too_few_tokens(received):
        raise DoesNotApply("output_tokens is implausibly low, which another rule reports")
    if isinstance(received.response.get("status"), str):
        yield EXAMINED
    if received.response.get("status") != "incomplete" or reason.get("reason") == "content_filter":
        return
    used = received.tokens("output_tokens")
    # A server may stop a few tokens before the limit, and a wrong output_tokens proves nothing for one below 16.
    if used is not None and (cap is None or cap - used > max(8, cap / 2)):
        limit = "absent from the request" if cap is None else cap
        message = f"the response is incomplete after {used} output tokens, fewer than max_output_tokens ({limit})"
        yield Finding(message, received.pointer + "/status", received.event, "completed", "incomplete")
