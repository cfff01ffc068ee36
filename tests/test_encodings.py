"""Why a body is not JSON, in words that name the cause."""

from __future__ import annotations

import pytest

from conformance.decode.response import Received
from conformance.judge.encodings import why_not_json
from tests.support.runs import exchange


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b'\xef\xbb\xbf{"a": 1}', "it begins with a byte order mark"),
        (b'{"a": "b', "it ends within the JSON text, after 8 bytes"),
        (b"{'a': 1}", "Expecting property name"),
        (b"", "Expecting value"),
    ],
)
def test_the_usual_causes_have_names(body: bytes, why: str) -> None:
    error = ValueError("Expecting property name" if body else "Expecting value")
    found = why_not_json(Received(exchange("one", body), "one"), error)
    assert found.startswith(f"the body is not JSON in UTF-8: {why}")
