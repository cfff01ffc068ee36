"""Why a body is not JSON, in words that name the cause, and which escapes in a text are left over."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace

import pytest

from conformance.decode.response import Received
from conformance.judge.encodings import escaped_for_html, left_escape, why_not_json
from tests.support.runs import exchange


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b'\xef\xbb\xbf{"a": 1}', "it begins with a byte order mark"),
        (b'{"a": "b', "it ends within the JSON text, after 8 bytes"),
        (gzip.compress(b'{"a": 1}', mtime=0), "it is compressed with gzip, without a Content-Encoding"),
        (b"{'a': 1}", "Expecting property name"),
        (b"", "Expecting value"),
    ],
)
def test_the_usual_causes_have_names(body: bytes, why: str) -> None:
    error = ValueError("Expecting property name" if body else "Expecting value")
    found = why_not_json(Received(exchange("one", body), "one"), error)
    assert found.startswith(f"the body is not JSON in UTF-8: {why}")


@pytest.mark.parametrize(
    ("text", "escape"),
    [
        ("Z\\u00fcrich", "\\u00fc"),
        ('["Z\\u00fcrich"]', ""),
        ("[Z\\u00fcrich]", "\\u00fc"),
        ("Zürich", ""),
        ("Zürich \\ud83d\\ude00", "\\ud83d\\ude00"),
        ("\\ud83d and \\ude01 are surrogates", ""),
    ],
)
def test_json_in_a_text_may_escape(text: str, escape: str) -> None:
    sent = json.dumps({"input": "Use Zürich. 😀"}, ensure_ascii=False).encode()
    one = exchange("one", b"{}")
    assert left_escape(text, Received(replace(one, request=replace(one.request, body=sent)), "one")) == escape


ASKED = 'Repeat exactly: <b>&amp; "so"</b>\nand more'


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("&lt;b&gt;&amp;amp; &quot;so&quot;&lt;/b&gt;\nand more", "&lt;b&gt;&amp;amp; &quot;so&quot;&lt;/b&gt;"),
        ('<b>&amp; "so"</b>\nand more', ""),  # As requested.
        ('<b>& "so"</b>', ""),  # A model that reads the entity.
        ("Escaped: &lt;b&gt;", ""),  # Words of its own.
        ("", ""),
    ],
)
def test_what_is_escaped_for_html_is_a_line_of_the_request(text: str, line: str) -> None:
    assert escaped_for_html(text, ASKED) == line
