"""Whether responses show reasoning, and the message about one that should."""

from __future__ import annotations

from conformance.decode.response import CannotEvaluate, Received

#: What separates reasoning from the text in the output of models.
MARKS = ("<think>", "</think>", "<|channel|>", "◁think▷")


def shows_thinking(received: Received) -> bool | None:
    """Whether the response contains reasoning, or counts it; None if that is unknown, as in a stream without its
    end."""
    try:
        return received.has_reasoning
    except CannotEvaluate:
        return None


def lack_of_reasoning(received: Received, others: list[Received]) -> str:
    """The message about a response without reasoning to a question that needs it.

    ``others`` are the responses to requests that turn reasoning on, or do not mention it. Raises
    :class:`CannotEvaluate` where one of them shows that the model reasons now and then.
    """
    if thinking := next((one for one in others if one.exchange.ok and shows_thinking(one)), None):
        raise CannotEvaluate(f"the model did not reason here, but did in {thinking.scenario}")
    message = f"no reasoning for a question that needs it, in {len(received.samples)} attempts"
    message += ", nor in any other response of the run" if others else ""
    mark = next((mark for mark in MARKS if mark in received.words), "")
    return f"{message}; the output text contains {mark}" if mark else message
