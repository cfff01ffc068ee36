"""The cap: what it cuts is incomplete and says so; what it does not cut is not."""

from __future__ import annotations

from typing import Any

from conformance.decode.events import COMPLETED, integer, mapping
from conformance.decode.response import Answer, CannotJudge, DoesNotApply
from conformance.judge.applicability import NEEDS_A_CAUSE, WITH_CAP
from conformance.judge.common import parsed
from conformance.judge.selectors import ANSWERS, answers, each
from conformance.judge.verdict import EXAMINED, Finding, Findings, check


@check("truncation.incomplete", over=each("cut"), aside=NEEDS_A_CAUSE)
def test_what_is_cut_is_incomplete(answer: Answer) -> Findings:
    response = answer.response
    yield EXAMINED
    if response.get("status") != "incomplete":
        yield from _not_called_incomplete(answer)
        return
    reason = mapping(response.get("incomplete_details")).get("reason")
    if reason != "max_output_tokens":
        pointer = answer.pointer + "/incomplete_details/reason"
        message = "an answer that its cap cut is called incomplete for no such reason"
        yield Finding(message, pointer, answer.event, "max_output_tokens", reason)
    if response.get("error") is not None:
        message = "error is set though the answer was only cut"
        yield Finding(message, answer.pointer + "/error", answer.event, None, response["error"])


@check("truncation.incomplete", over=each("no such tag"), where=WITH_CAP)
def test_what_is_incomplete_says_why(answer: Answer) -> Findings:
    ends_completed = answer.looks_like_stream and answer.terminal.type == COMPLETED
    if answer.response.get("status") != "incomplete" or ends_completed:
        raise DoesNotApply("the response is not incomplete, or its event says otherwise")
    yield EXAMINED
    reason = mapping(answer.response.get("incomplete_details")).get("reason")
    if reason not in ("max_output_tokens", "content_filter"):
        pointer = answer.pointer + "/incomplete_details/reason"
        message = "an answer that its cap cut is called incomplete for no such reason"
        yield Finding(message, pointer, answer.event, "max_output_tokens", reason)


def _not_called_incomplete(answer: Answer) -> Findings:
    """A finding if the answer used its cap up; one that is shorter or longer shows nothing here."""
    cap, used = int(answer.sent["max_output_tokens"]), answer.tokens("output_tokens") or 0
    if used != cap:
        says = "was too short to be cut" if used < cap else "ignored its cap"
        raise CannotJudge(f"the answer {says}: {used} output tokens under a cap of {cap}")
    if "tools" in answer.sent and not any(_broken_off(call) for _, call in answer.items("function_call")):
        raise CannotJudge("the answer used up its cap, and yet holds no call that is cut")
    message = f"the answer used up its cap of {cap} tokens and is not called incomplete"
    got = answer.response.get("status")
    yield Finding(message, answer.pointer + "/status", answer.event, "incomplete", got)


def _broken_off(call: dict[str, Any]) -> bool:
    try:
        parsed(call.get("arguments"))
    except ValueError:
        return True
    return False


@check("truncation.usage-within-cap", over=ANSWERS, where=WITH_CAP)
def test_output_stays_within_the_cap(answer: Answer) -> Findings:
    cap, used = integer(answer.sent.get("max_output_tokens")), answer.tokens("output_tokens")
    if cap is not None and used is not None:
        yield EXAMINED
    if cap is not None and used is not None and used > cap:
        message = f"{used} output tokens under a cap of {cap}"
        yield Finding(message, answer.pointer + "/usage/output_tokens", answer.event, f"at most {cap}", used)


@check(
    "truncation.cap-not-needed",
    over=answers(where=lambda one: "cut" not in one.tags),
    where=WITH_CAP,
    aside=NEEDS_A_CAUSE,
)
def test_what_is_not_cut_is_completed(answer: Answer) -> Findings:
    cap, reason = (
        integer(answer.sent.get("max_output_tokens")),
        mapping(answer.response.get("incomplete_details")),
    )
    if isinstance(answer.response.get("status"), str):
        yield EXAMINED
    if answer.response.get("status") != "incomplete" or reason.get("reason") == "content_filter":
        return
    used = answer.tokens("output_tokens")
    # A server may stop a few tokens before its cap.
    if used is not None and (cap is None or cap - used > max(4, cap / 2)):
        message = f"the answer is called incomplete after {used} output tokens under a cap of {cap}"
        yield Finding(message, answer.pointer + "/status", answer.event, "completed", "incomplete")
