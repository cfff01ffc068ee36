"""Whether responses show reasoning, and when its absence is of the server's making."""

from __future__ import annotations

from conformance.decode.events import mapping
from conformance.decode.response import CannotEvaluate, Received

#: What separates reasoning from the text in the output of models.
MARKS = ("<think>", "</think>", "<|channel|>", "◁think▷")

#: So many responses to requests with a member in common are no whim of the model.
MANY = 3


def shows_thinking(received: Received) -> bool:
    """Whether the response contains reasoning, or counts it."""
    try:
        return received.has_reasoning
    except CannotEvaluate:
        return False


def can_be_evaluated(received: Received) -> bool:
    """Whether it is known if the response contains reasoning: not in a stream without its end."""
    try:
        return received.has_reasoning or True
    except CannotEvaluate:
        return False


def lack_of_reasoning(received: Received, others: list[Received]) -> str:
    """The message about a response without reasoning to a question that needs it.

    ``others`` are the responses to requests that turn reasoning on, or do not mention it. Raises
    :class:`CannotEvaluate` where one of them shows that the model reasons now and then. A model that reasons always
    where the request has no ``reasoning`` and never where it has, or always at the other efforts and never at this one,
    does not: what was sent has turned it off.
    """
    served = [one for one in others if one.exchange.ok]
    sent = [one for one in served if "reasoning" in one.sent]
    without = [one for one in served if "reasoning" not in one.sent]
    thinking = [one for one in served if shows_thinking(one)]
    if message := _at_this_effort_only(received, sent):
        return message
    if thinking and (thinking != without or min(len(sent), len(without)) < MANY):
        raise CannotEvaluate(f"the model did not reason here, but did in {thinking[0].scenario}")
    message = f"no reasoning for a question that needs it, in {len(received.samples)} attempts"
    if thinking:
        message += (
            f", nor in any other response to a request with reasoning; {thinking[0].scenario}, sent without, has it"
        )
    elif others:
        message += ", nor in any other response of the run"
    mark = next((mark for mark in MARKS if mark in received.words), "")
    return f"{message}; the output text contains {mark}" if mark else message


def _at_this_effort_only(received: Received, sent: list[Received]) -> str:
    """The message if no response at the effort of this one has reasoning, in two attempts each, plain and streamed, and
    all at other efforts have it; empty otherwise."""
    effort = _effort_of(received)
    same = [received, *(one for one in sent if _effort_of(one) == effort and one.scenario != received.scenario)]
    others = [one for one in sent if _effort_of(one) != effort]
    attempts = sum(len(one.samples) for one in same)
    if (
        attempts <= MANY
        or len(others) <= MANY
        or any(map(shows_thinking, same))
        or not all(map(shows_thinking, others))
    ):
        return ""
    counts = f"in {attempts} attempts, although all {len(others)} responses at others have it"
    return f"no reasoning at effort {effort} {counts}"


def _effort_of(received: Received) -> object:
    return mapping(received.sent.get("reasoning")).get("effort")
