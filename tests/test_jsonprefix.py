"""Whether bytes may still become a JSON text: held against the standard library's reader and against brute force."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.decode.json_prefix import scan, scan_text

#: Any character but lone surrogates, which UTF-8 does not have.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
layouts = st.sampled_from([{}, {"indent": 1}, {"separators": (",", ":")}])


def is_json(text: str) -> bool:
    try:
        json.loads(text, parse_constant=lambda _: 1 / 0)
    except (ValueError, ZeroDivisionError):
        return False
    return True


@given(values, layouts, st.booleans())
def test_every_prefix_of_a_json_text_is_one(value: Any, layout: dict[str, Any], ascii_only: bool) -> None:
    whole = json.dumps(value, ensure_ascii=ascii_only, **layout).encode()
    assert scan(whole).state == "complete"
    for size in range(len(whole)):
        found = scan(whole[:size])
        # The beginning of a number is a number, too.
        assert found.state == "prefix" or (found.state == "complete" and is_json(whole[:size].decode()))
        assert found.offset == size


@given(values, st.text(" \t\r\n", max_size=3), st.sampled_from(["x", "{}", "1", '"', ",", "]", "\0", "\ufeff"]))
def test_nothing_but_white_space_follows_a_value(value: Any, space: str, more: str) -> None:
    whole = json.dumps(value)
    assert scan_text(whole + space).state == "complete"
    glued = isinstance(value, int | float) and not isinstance(value, bool) and not space and more == "1"
    if not glued:
        assert scan_text(whole + space + more).state == "broken"


@given(values, st.integers(0, 400), st.sampled_from(["\n", "'", "\x01", "\\x", "}", "]", ":", ",,", "\\u00g0", "NaN"]))
def test_what_is_broken_at_a_place_stays_broken(value: Any, at: int, broken: str) -> None:
    whole = json.dumps([value])
    text = whole[: at % len(whole)] + broken + whole[at % len(whole) :]
    if not is_json(text) and scan_text(text).state == "broken":
        found = scan_text(text)
        assert scan_text(text[: found.offset]).state in ("prefix", "complete")
        assert scan_text(text + whole).state == "broken"
        assert found.why


ALPHABET = '{}[]":,1-.et\\ 0'

ENDS = tuple(
    before + inner + "".join(closers)
    for before in ("", '"', '\\"', '0"', '0000"', "0", "rue", "ue")
    for inner in ("", "1", ":1", '"":1')
    for size in range(4)
    for closers in itertools.product("]}", repeat=size)
)


def completed(text: str) -> bool:
    return any(is_json(text + end) for end in ENDS)


def test_a_prefix_is_what_something_completes() -> None:
    """Every text of up to three characters that matter, with everything that could complete one."""
    begun = [""]
    for _ in range(3):
        longer = [text + letter for text in begun for letter in ALPHABET]
        states = {text: scan_text(text).state for text in longer}
        for text, state in states.items():
            assert (state == "complete") == is_json(text), text
        begun = [text for text, state in states.items() if state != "broken"]
        for text in begun:
            assert completed(text), text
        for text in [one for one in longer if states[one] == "broken"]:
            assert not completed(text), text


@pytest.mark.parametrize(
    ("data", "state", "offset"),
    [
        (b"", "prefix", 0),
        (b'{"a": "caf\xc3', "prefix", 11),
        (b'{"a": "\xf0\x9f\x98', "prefix", 10),
        (b'{"a": "caf\xe9"}', "broken", 10),
        (b'{"a": "\xed\xa0\x80"}', "broken", 7),
        (b'{"a": \xc3', "broken", 6),
        (b'{"a": "\\\xc3', "broken", 8),
        (b"\xef\xbb\xbf{}", "broken", 0),
        (b'{"a": "two\nlines', "broken", 10),
        (b'{"a": "\\u12', "prefix", 11),
        (b'{"a": "\\u1g', "broken", 7),
        (b'{"a": 1} {"b": 2}', "broken", 9),
        (b'{"a": 1}\n<html>', "broken", 9),
        (b"<html>", "broken", 0),
        (b"Internal Server Error", "broken", 0),
        (b"{'a'", "broken", 1),
        (b'{"a": tru', "prefix", 9),
        (b'{"a": True', "broken", 6),
        (b'{"a": -', "prefix", 7),
        (b'{"a": 1.', "prefix", 8),
        (b'{"a": 1.5.', "broken", 9),
        (b'{"a": 01', "broken", 7),
        (b'{"a": 1,}', "broken", 8),
        (b'{"a": 1e+', "prefix", 9),
        ('{"ä": "ö", x'.encode(), "broken", 13),
    ],
)
def test_states_and_places(data: bytes, state: str, offset: int) -> None:
    found = scan(data)
    assert (found.state, found.offset) == (state, offset)
    assert bool(found.why) == (state == "broken")


def test_depth_has_a_limit_if_one_is_given() -> None:
    assert scan(b"[" * 200_000).state == "prefix"
    found = scan(b"[" * 200_000, deepest=128)
    assert (found.state, found.offset) == ("broken", 128)


def test_long_strings_take_no_time() -> None:
    assert scan(b'"' + b"\\n" * 1_000_000).state == "prefix"
    assert scan(b'"' + b"a" * 4_000_000 + b'"').state == "complete"
