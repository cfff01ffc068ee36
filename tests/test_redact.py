"""Credentials are blanked wherever and however they come back, and nothing else is."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Sequence
from itertools import pairwise
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.wire.client import wrong_keys
from conformance.wire.exchange import Chunk, Headers, decode
from conformance.wire.redact import blank, blank_answer

KEY = "sk-canary-4f7a91c2e8d05b63"
ODD = 'k/1+"2\\3?>>9&7~odd'


def chunks(*pieces: bytes) -> tuple[Chunk, ...]:
    return tuple(Chunk(10.0 * place, piece) for place, piece in enumerate(pieces))


def body(kept: Sequence[Chunk]) -> bytes:
    return b"".join(one.data for one in kept)


def test_whole_key_is_blanked() -> None:
    assert blank(f"key {KEY}, again {KEY}.".encode(), [KEY]) == b"key " + b"*" * 26 + b", again " + b"*" * 26 + b"."


def test_whole_key_of_letters_is_blanked() -> None:
    assert blank(b"it is passphrase here", ["passphrase"]) == b"it is ********** here"


@pytest.mark.parametrize("part", ["canary-4", "4f7a91c2", "e8d05b63", "y-4f7a91c2e8"])
def test_part_with_a_digit_is_blanked(part: str) -> None:
    assert blank(f"<{part}>".encode(), [KEY]) == b"<" + b"*" * len(part) + b">"


@pytest.mark.parametrize("part", ["4f7a91c", "sk-canary", "-canary-", "e8d05b6"])
def test_shorter_part_or_word_is_left_alone(part: str) -> None:
    assert blank(f"<{part}>".encode(), [KEY]) == f"<{part}>".encode()


def test_part_of_a_longer_run_is_blanked_whole() -> None:
    assert blank(b"..." + KEY[4:20].encode() + b"...", [KEY]) == b"..." + b"*" * 16 + b"..."


@pytest.mark.parametrize("text", ["send the api-key header", "Authorization: Bearer", "invalid api-key-id"])
def test_words_of_a_key_are_left_alone(text: str) -> None:
    assert blank(text.encode(), ["my-api-key-id-Bearer-93ab77c1"]) == text.encode()


@pytest.mark.parametrize("key", ["test", "key", "1234567", ""])
def test_short_key_is_left_alone(key: str) -> None:
    text = f"this test of the key 1234567 says {key}".encode()
    assert blank(text, [key]) == text


def test_shortest_key_is_blanked() -> None:
    assert blank(b"(abcd1234)", ["abcd1234"]) == b"(********)"


@pytest.mark.parametrize(
    "written",
    [
        base64.b64encode(ODD.encode()).rstrip(b"="),
        base64.urlsafe_b64encode(ODD.encode()).rstrip(b"="),
        quote(ODD, safe="").encode(),
        json.dumps(ODD)[1:-1].encode(),
        ODD.encode().hex().encode(),
        ODD.encode(),
    ],
    ids=["base64", "urlsafe", "percent", "json", "hex", "raw"],
)
def test_key_is_found_however_it_is_written(written: bytes) -> None:
    assert blank(b"[" + written + b"]", [ODD]) == b"[" + b"*" * len(written) + b"]"


def test_the_ways_to_write_differ() -> None:
    ways = [base64.b64encode(ODD.encode()), base64.urlsafe_b64encode(ODD.encode()), quote(ODD, safe="").encode()]
    ways += [json.dumps(ODD)[1:-1].encode(), ODD.encode().hex().encode(), ODD.encode()]
    assert len(set(ways)) == 6


@pytest.mark.parametrize("start", [8, 20, 42])
def test_random_key_is_found_from_six_characters(start: int) -> None:
    key = wrong_keys(KEY)["wrong"]
    assert len(key) == 48
    part = key[start : start + 6].encode()
    assert blank(b"<" + part + b">", [key]) == b"<******>"
    assert blank(b"<" + part[:5] + b">", [key]) == b"<" + part[:5] + b">"


def test_start_of_the_random_key_is_left_alone() -> None:
    key = wrong_keys(KEY)["wrong"]
    assert blank(b"a sk-wrong key", [key]) == b"a sk-wrong key"


def test_every_secret_counts() -> None:
    other = "other-secret-77d1"
    assert blank(f"{KEY}/{other}".encode(), [KEY, other]) == b"*" * 26 + b"/" + b"*" * 17


@given(st.binary(), st.integers(0, 18), st.binary())
def test_length_stays(before: bytes, start: int, after: bytes) -> None:
    data = before + KEY[start : start + 8].encode() + after
    assert len(blank(data, [KEY])) == len(data)


@given(st.text(alphabet="0123456789abcdef", max_size=60))
def test_honest_text_is_left_alone(text: str) -> None:
    # No run of eight stands in the key, as g and z are no hex digits.
    assert blank(text.encode(), ["zg7zzg7zzg7zzg7z"]) == text.encode()


def test_header_is_blanked_and_told() -> None:
    headers = (("X-Key", f"was {KEY}"), ("X-Fine", "yes"), ("Set-Cookie", KEY[10:18]))
    kept, _, leaks = blank_answer(headers, (), [KEY])
    assert kept == (("X-Key", "was " + "*" * 26), ("X-Fine", "yes"), ("Set-Cookie", "********"))
    assert leaks == ("header x-key", "header set-cookie")


@given(st.sets(st.integers(1, 39), max_size=6))
def test_key_over_any_chunks_is_blanked(cuts: set[int]) -> None:
    data = f"before {KEY} after".encode()
    edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    sent = chunks(*(data[start:end] for start, end in pairwise(edges)))
    _, kept, leaks = blank_answer((), sent, [KEY])
    assert body(kept) == b"before " + b"*" * 26 + b" after"
    assert [(one.at, len(one.data)) for one in kept] == [(one.at, len(one.data)) for one in sent]
    assert leaks == ("body, byte 7",)


def test_clean_answer_is_left_alone() -> None:
    headers: Headers = (("X-Fine", "yes"), ("Content-Encoding", "gzip"))
    sent = chunks(gzip.compress(b"nothing here"))
    assert blank_answer(headers, sent, [KEY]) == (headers, sent, ())


@pytest.mark.parametrize(("coding", "wbits"), [("gzip", 31), (" GZIP", 31), ("deflate", 15)])
def test_key_in_a_compressed_body_is_blanked(coding: str, wbits: int) -> None:
    engine = zlib.compressobj(wbits=wbits)
    first = engine.compress(f"say {KEY[:12]}".encode()) + engine.flush(zlib.Z_SYNC_FLUSH)
    last = engine.compress(f"{KEY[12:]}, thanks".encode()) + engine.flush()
    headers = (("Content-Type", "text/plain"), ("content-encoding", coding))
    kept_headers, kept, leaks = blank_answer(headers, chunks(first, last), [KEY])
    assert body(kept) == b"say " + b"*" * 26 + b", thanks"
    assert [(one.at, len(one.data)) for one in kept] == [(0.0, 16), (10.0, 22)]
    assert kept_headers == (("Content-Type", "text/plain"),)
    assert leaks == ("body, byte 4",)
    assert decode(kept, "identity") == kept


def test_key_in_a_body_that_only_claims_to_be_gzip_is_blanked() -> None:
    headers = (("Content-Encoding", "gzip"),)
    kept_headers, kept, leaks = blank_answer(headers, chunks(f"no gzip, {KEY}".encode()), [KEY])
    assert body(kept) == b"no gzip, " + b"*" * 26
    assert kept_headers == headers
    assert leaks == ("body, byte 9",)


def test_no_secret_blanks_nothing() -> None:
    sent = chunks(KEY.encode())
    assert blank_answer((("X", KEY),), sent, []) == ((("X", KEY),), sent, ())
