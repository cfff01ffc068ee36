"""Which counts of tokens can be those of a response, and which can be equal."""

from __future__ import annotations

from conformance.decode.response import CannotEvaluate, Received

#: Tokens by which two counts of one input may differ, for instance because the chat template contains the time.
SPREAD = 4

#: The most characters for each token on average; with more, the count is implausible for the text.
LONGEST_TOKEN = 40


def count_of_served(received: Received, name: str) -> int | None:
    """A counter of usage of a served request; None if it is missing, or the response cannot be evaluated."""
    try:
        return received.tokens(name) if received.exchange.ok else None
    except CannotEvaluate:
        return None


def characters_of_output(received: Received) -> int:
    """The number of characters in the texts of the output, reasoning included."""
    return len(received.words) + len(received.reasoning_texts)


def has_too_many_characters(received: Received, tokens: int) -> bool:
    """Whether the texts of the output are implausibly long for so many tokens."""
    return characters_of_output(received) > LONGEST_TOKEN * tokens


def too_few_tokens(received: Received) -> bool:
    """Whether output_tokens is implausibly low for the texts of the output."""
    return has_too_many_characters(received, received.tokens("output_tokens") or 0)


def needs_tokens(received: Received) -> bool:
    """Whether output_tokens cannot be 0. The last token of a truncated response need not be counted."""
    characters = characters_of_output(received)
    if received.response.get("status") != "completed":
        return characters > LONGEST_TOKEN
    return bool(characters or received.items("function_call"))


def has_input(received: Received) -> bool:
    """Whether the request has input that is to be counted, as far as it is known: not if all its texts are empty."""
    sent = received.request_json
    return sent is None or any(sent.get(name) for name in ("input", "instructions", "tools"))
