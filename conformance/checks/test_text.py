"""The characters of the output's texts: none lost, encoded twice or left as an escape."""

from __future__ import annotations

import html
from collections.abc import Iterator

from conformance.decode.response import DoesNotApply, Received
from conformance.judge.applicability import (
    BYTES,
    REQUEST,
    WORDING,
    Where,
    has_no_encoding_errors,
    has_no_replacement_character,
)
from conformance.judge.common import LONE_SURROGATE, parsed
from conformance.judge.encodings import encoded_twice, escaped_for_html, left_escape, output_strings, strings_in
from conformance.judge.selectors import RESPONSES, each, everything
from conformance.judge.verdict import Examined, Finding, Findings, check, finding_at


@check(
    "response.text-intact",
    over=everything("surrogates", where=lambda one: one.expect != "refusal"),
    where=Where("finished", other_scenarios=False),
)
def test_text_has_no_unpaired_surrogate(received: Received) -> Findings:
    yield Examined(bool(received.words))
    if LONE_SURROGATE.search(received.words):
        message = "the text contains a lone surrogate"
        yield Finding(
            message, received.pointer + "/output", received.event, "valid Unicode", repr(received.words[:160])
        )


@check(
    "sum.no-replacement-characters",
    over=everything("surrogates", where=lambda one: one.streaming and one.expect != "refusal"),
    where=Where("streams", other_scenarios=False),
)
def test_deltas_have_no_unpaired_surrogate(received: Received) -> Findings:
    for event, member, string in output_strings(received):
        yield Examined(bool(string))
        if LONE_SURROGATE.search(string):
            message = f"{member} contains an unpaired surrogate"
            yield finding_at(event, message, f"/{member}", "complete characters", repr(string[:80]))


@check("response.text-intact", over=RESPONSES, where=Where("finished", reads=BYTES, when=has_no_encoding_errors))
def test_text_is_not_encoded_twice(received: Received) -> Findings:
    yield Examined(bool(received.words))
    if (meant := encoded_twice(received.words)) is not None:
        message = "the text was encoded twice: UTF-8 was decoded as Latin-1"
        yield Finding(message, received.pointer + "/output", received.event, meant[:160], received.words[:160])


@check(
    "response.no-lost-character",
    over=RESPONSES,
    where=Where("finished", reads=BYTES, when=has_no_replacement_character),
)
def test_no_character_was_lost(received: Received) -> Findings:
    if received.final_status != "completed":
        raise DoesNotApply("an incomplete response may end inside a character")
    yield Examined(bool(received.words))
    if "\ufffd" in received.words and "\ufffd" not in received.exchange.request.body.decode("utf-8", "replace"):
        message = "the text contains U+FFFD: a character was lost"
        yield Finding(message, received.pointer + "/output", received.event, "no U+FFFD", received.words[:160])


@check(
    "response.text-intact",
    over=everything("texts", where=lambda one: one.expect == "answer"),
    where=Where("finished", reads=REQUEST, other_scenarios=False),
)
def test_no_escape_is_left_in_a_text(received: Received) -> Findings:
    texts = list(_texts(received))
    yield Examined(len(texts))
    if escape := next(filter(None, (left_escape(one, received) for one in texts)), ""):
        message = f"the escape {escape} is left in a text, which was escaped twice"
        yield Finding(message, received.pointer + "/output", received.event, "the character", escape)


@check("response.text-not-html", over=each("repeats"), not_for_captured=WORDING)
def test_a_repeated_text_is_not_escaped_for_html(received: Received) -> Findings:
    words = received.words
    yield Examined(bool(words))
    if line := escaped_for_html(words, "\n".join(strings_in(received.sent))):
        message = "a text to be repeated exactly is escaped for HTML"
        yield Finding(message, received.pointer + "/output", received.event, html.unescape(line)[:160], line[:160])


def _texts(received: Received) -> Iterator[str]:
    if received.words:
        yield received.words
    for _, call in received.items("function_call"):
        try:
            yield from strings_in(parsed(call.get("arguments")))
        except ValueError:
            continue  # Another rule reports it.
