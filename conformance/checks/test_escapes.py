"""Texts of the output in which escapes of JSON are left."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.decode.response import Received
from conformance.judge.applicability import REQUEST, Where
from conformance.judge.common import parsed
from conformance.judge.encodings import left_escape, strings_in
from conformance.judge.selectors import everything
from conformance.judge.verdict import Examined, Finding, Findings, check


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


def _texts(received: Received) -> Iterator[str]:
    if received.words:
        yield received.words
    for _, call in received.items("function_call"):
        try:
            yield from strings_in(parsed(call.get("arguments")))
        except ValueError:
            continue  # Another rule reports it.
