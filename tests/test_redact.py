"""Credentials are replaced wherever and however they come back, nothing else is, and an echo is no chance."""

from __future__ import annotations

import base64
import gzip
import json
import random
import string
import time
import zlib
from collections.abc import Callable, Sequence
from itertools import pairwise
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.engine.redaction import redact_value
from conformance.exchange import entropy
from conformance.exchange.credential_forms import RANDOM_END, filler, forms
from conformance.exchange.exchange import Chunk, Headers, decode
from conformance.exchange.redaction import Cookie, Secret, echoes, redact, redact_body, redact_response
from conformance.wire.client import wrong_keys

KEY = "sk-canary-4f7a91c2e8d05b63"
FILLER = filler(KEY.encode()).decode()
ODD = 'k/1+"2\\3?>>9&7~odd'
COUNTED = ["sk-0123456789abcdef", "test-key-1234567890", "sk-local-0123456789", "built-in-key-0123456789"]
COUNTED += ["0123456789", "1234567890123456", "sk-a1b2c3d4e5f6a7b8", "sk-1788000000", "key-20261009-abcabcabc"]


def chunks(*pieces: bytes) -> tuple[Chunk, ...]:
    return tuple(Chunk(10.0 * place, piece) for place, piece in enumerate(pieces))


def body(kept: Sequence[Chunk]) -> bytes:
    return b"".join(one.data for one in kept)


def leaks(text: str, *keys: str) -> tuple[str, ...]:
    return echoes((), chunks(text.encode()), keys)


def is_same_kind(before: str, after: str) -> bool:
    return all(
        one == other or (one.isdigit(), one.isupper(), one.isalpha()) == (other.isdigit(), other.isupper(), True)
        or (one.isdigit() and other in "123456789") or (one in "eE" and other in "123456789")
        for one, other in zip(before, after, strict=True)
    )  # fmt: skip


def test_whole_key_is_replaced_by_the_same_filler_everywhere() -> None:
    assert redact(f"key {KEY}, again {KEY}.".encode(), [KEY]).decode() == f"key {FILLER}, again {FILLER}."
    assert redact(KEY.upper().encode(), [KEY]).decode() == FILLER.upper()
    assert is_same_kind(KEY, FILLER)
    assert not set(zip(KEY[10:], FILLER[10:], strict=True)) & {(one, one) for one in string.hexdigits}


@given(st.text(alphabet=string.ascii_letters + string.digits + "-_.+/=~", min_size=8, max_size=60))
def test_filler_has_the_kinds_of_the_key(key: str) -> None:
    assert is_same_kind(key, filler(key.encode()).decode())


@pytest.mark.parametrize("number", ["12345.678901234567890123", "-7e12345678901234567", "0.123456e-12", "1E9876543210"])
def test_a_number_that_is_the_key_stays_a_number(number: str) -> None:
    made = redact(f'{{"n": {number}}}'.encode(), [number])
    assert number.encode() not in made
    assert len(made) == len(number) + 7
    assert isinstance(json.loads(made)["n"], int | float)


def test_escapes_in_a_key_stay_escapes() -> None:
    key = r"pass\nword\u00e9-4f7a91c2e8d05b63"
    made = redact(f'"{key}"'.encode(), [key])
    assert key[-16:].encode() not in made
    json.loads(made)


@pytest.mark.parametrize("part", ["4f7a91c2", "e8d05b63", "y-4f7a91c2e8", "4f7a91c"])
def test_part_that_is_no_word_is_replaced(part: str) -> None:
    at = KEY.index(part)
    assert redact(f"<{part}>".encode(), [KEY]).decode() == f"<{FILLER[at : at + len(part)]}>"


@pytest.mark.parametrize("part", ["4f7a91", "sk-canary", "-canary-", "05b63"])
def test_shorter_part_or_word_is_left_alone(part: str) -> None:
    assert redact(f"<{part}>".encode(), [KEY]) == f"<{part}>".encode()


@pytest.mark.parametrize("text", ["send the api-key header", "Authorization: Bearer", "invalid api-key-id"])
def test_words_of_a_key_are_left_alone(text: str) -> None:
    assert redact(text.encode(), ["my-api-key-id-Bearer-93ab77c1"]) == text.encode()


@pytest.mark.parametrize("key", ["test", "key", "1234567", ""])
def test_short_key_is_left_alone(key: str) -> None:
    text = f"this test of the key 1234567 says {key}".encode()
    assert redact(text, [key]) == text


@pytest.mark.parametrize("key", ["passphrase", "abcd1234", "local-key"])
def test_a_word_is_replaced_whole_and_is_no_echo(key: str) -> None:
    assert key.encode() not in redact(f"it is {key} here".encode(), [key])
    assert leaks(f"it is {key} here", key) == ()
    # In what a request asks for, it is the endpoint's to repeat: a model may have the name of a key.
    assert key.encode() in redact(f"it is {key} here".encode(), [key], f'{{"model":"{key}"}}'.encode())


@pytest.mark.parametrize("key", ["response.completed", "application/json", "assistant", "in_progress"])
def test_a_word_of_the_contract_is_left_alone(key: str) -> None:
    assert redact(f"it is {key}".encode(), [key]) == f"it is {key}".encode()
    assert leaks(f"it is {key}", key) == ()


def escaped(before: str, after: str = "") -> Callable[[str], str]:
    return lambda key: "".join(f"{before}{ord(letter):02x}{after}" for letter in key)


WRITTEN: dict[str, Callable[[str], str]] = {
    "raw": str,
    "upper": str.upper,
    "base64": lambda key: base64.b64encode(key.encode()).decode().rstrip("="),
    "urlsafe": lambda key: base64.urlsafe_b64encode(key.encode()).decode().rstrip("="),
    "percent": lambda key: quote(key, safe=""),
    "percent all over": escaped("%"),
    "percent twice": escaped("%25"),
    "JSON": lambda key: json.dumps(key)[1:-1],
    "JSON with slashes": lambda key: json.dumps(key)[1:-1].replace("/", "\\/"),
    "JSON all over": escaped("\\u00"),
    "JSON in JSON": escaped("\\\\\\u00"),
    "JSON here and there": lambda key: "".join(escaped("\\u00")(one) if one in '17cd"\\' else one for one in key),
    "entities": escaped("&#x", ";"),
    "hex": lambda key: key.encode().hex(),
    "HEX": lambda key: key.encode().hex().upper(),
}


@pytest.mark.parametrize("way", WRITTEN)
@pytest.mark.parametrize("key", [KEY, ODD, "Zk3pQ9wXr7Lm2TnB8vYc"])
def test_key_is_found_however_it_is_written(key: str, way: str) -> None:
    text = WRITTEN[way](key)
    made = redact(f"[{text}]".encode(), [key]).decode()
    assert made != f"[{text}]"
    assert leaks(f"[{text}]", key) == ("body, byte 1",)
    # The same writing of the filler: what is equal when decoded stays so. A last digit of base64 is shared with what
    # stands behind, and stays.
    if way != "JSON here and there":
        assert made[:-2] == f"[{WRITTEN[way](filler(key.encode()).decode())}]"[:-2]


def test_pieces_are_found_when_they_are_escaped() -> None:
    text = WRITTEN["JSON here and there"](KEY)
    assert json.loads(f'"{redact(text.encode(), [KEY]).decode()}"') == FILLER


@pytest.mark.parametrize("start", [8, 20, 42])
def test_random_key_is_found_from_six_characters(start: int) -> None:
    key = wrong_keys(KEY)["wrong"]
    assert len(key) == 48
    part = key[start : start + 6]
    assert part.encode() not in redact(f"<{part}>".encode(), [key])
    assert leaks(f"<{part}>", key) == ("body, byte 1",)
    if start + 5 < 44:
        assert leaks(f"<{part[:5]}>", key) == ()


@pytest.mark.parametrize("mask", ["****{}", "sk-w...{}", "ends in {}.", "xxxx{}", '"{}"'])
def test_the_end_of_a_random_key_is_an_echo(mask: str) -> None:
    keys = (wrong_keys(KEY)["wrong"] for _ in range(1000))
    key = next(one for one in keys if "x" not in one)  # The mask is no part of it.
    for size in (RANDOM_END, RANDOM_END + 1):
        text = mask.format(key[-size:])
        assert leaks(text, key) == (f"body, byte {text.index(key[-size:])}",)
        assert key[-size:].encode() not in redact(text.encode(), [key])


def test_the_end_of_a_random_key_is_no_word_number_or_hex_digits() -> None:
    for _ in range(100):
        end = wrong_keys(KEY)["wrong"][-RANDOM_END:]
        assert any(map(str.isdigit, end))
        assert any(map(str.isupper, end))
        assert any(map(str.islower, end))
        assert not set(end) <= set(string.hexdigits)
        assert leaks(f"req_{end}9, a{end}", wrong_keys(KEY)["wrong"]) == ()


def test_start_of_the_random_key_is_left_alone() -> None:
    key = wrong_keys(KEY)["wrong"]
    assert redact(b"a sk-wrong key", [key]) == b"a sk-wrong key"


def test_every_secret_counts() -> None:
    other = "other-secret-77d1c903"
    made = redact(f"{KEY}/{other}".encode(), [KEY, other]).decode()
    assert made == f"{FILLER}/{filler(other.encode()).decode()}"


def test_a_key_within_a_cookie_is_found_alone_too() -> None:
    cookie = Cookie(f"session={KEY}")
    assert KEY.encode() not in redact(f"{KEY} {cookie.value}".encode(), [cookie, KEY])


# -- odds --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", COUNTED)
def test_a_row_of_a_stand_in_key_is_no_echo(key: str) -> None:
    text = "Dial 0123456789 or 1234567890123456, at 1788000000, abcdef, a1b2c3d4e5f6, 20261009, test-key, local."
    assert leaks(text + " resp_0a1b2c3d4e5f60718293a4b5c6d7e8f9", key) == ()


@pytest.mark.parametrize("key", COUNTED[:4])
def test_a_whole_stand_in_key_is_an_echo(key: str) -> None:
    assert leaks(f"Incorrect API key provided: {key}.", key) == ("body, byte 28",)


ALPHABETS = {"hex": string.hexdigits[:16], "base62": string.ascii_letters + string.digits}


@pytest.mark.parametrize("size", [1_000, 100_000, 1_000_001, 16_000_000])
@pytest.mark.parametrize("kind", ALPHABETS)
def test_a_part_that_counts_as_an_echo_is_no_chance(kind: str, size: int) -> None:
    """The odds: a part of n characters, each of A, stands in a body of b random characters in at most b / A**n cases:
    for the shortest part that counts, less than one in 1e9, in a body of any size."""
    alphabet = ALPHABETS[kind]
    draw = random.Random(f"{kind} {size}")
    for _ in range(50):
        key = "".join(draw.choice(alphabet) for _ in range(40))
        form = forms(key)[0]
        shortest = min(n for n in range(1, 41) for at in range(41 - n) if form.is_echo(at, at + n, size))
        # Case is not looked at.
        assert size / len(set(alphabet.lower())) ** shortest <= entropy.CHANCE
        assert shortest <= (40 if size > 1_000_000 else 20)
        assert form.is_echo(0, 40, size)
        # What is an echo is redacted.
        held = forms(key, size > entropy.LARGE)[0]
        assert all(
            held.contains_part(at, at + n)
            for n in (shortest, 30)
            for at in range(41 - n)
            if form.is_echo(at, at + n, size)
        )


def test_no_honest_body_echoes_a_key_by_chance() -> None:
    draw = random.Random(12)
    honest = "".join(draw.choice("0123456789abcdef") for _ in range(200_000))
    keys = ["sk-" + "".join(draw.choice("0123456789abcdef") for _ in range(32)) for _ in range(200)]
    assert echoes((), chunks(honest.encode()), keys) == ()


@pytest.mark.parametrize("text", ["1788000000", "1788000055", "GS2.1.s1788000000"])
def test_digits_of_a_cookie_are_left_alone(text: str) -> None:
    cookies: list[Secret] = [
        Cookie("j6QvrSrMaY8DVT0aPd.Ez-1788000000-1.0.1.1-lBPz1LxcSyn7Q3Z"),
        Cookie("GS2.1.s1788000000$o1$g1$t1788000055$j60$l0$h0"),
        Cookie("1788000000"),
    ]
    assert redact(text.encode(), cookies) == text.encode()


def test_a_whole_cookie_that_is_no_chance_is_replaced() -> None:
    cookie = Cookie("j6QvrSrMaY8DVT0aPd.Ez-1788000000-1.0.1.1-lBPz1LxcSyn7Q3Z")
    assert cookie.value.encode() not in redact(f"you are {cookie.value}".encode(), [cookie])
    assert redact(cookie.value[:-1].encode(), [cookie]) == cookie.value[:-1].encode()


# -- bodies ------------------------------------------------------------------------------------------------------------


@given(st.binary(), st.integers(0, 18), st.binary())
def test_length_stays(before: bytes, start: int, after: bytes) -> None:
    data = before + KEY[start : start + 8].encode() + after
    assert len(redact(data, [KEY])) == len(data)


@given(st.text(alphabet="0123456789abcdef", max_size=60))
def test_honest_text_is_left_alone(text: str) -> None:
    # No run stands in the key, as g and z are no hex digits.
    assert redact(text.encode(), ["zg7zzg7zzg7zzg7z"]) == text.encode()


def test_header_is_redacted_and_reported() -> None:
    headers = (("X-Key", f"was {KEY}"), ("X-Fine", "yes"), ("Set-Cookie", KEY[10:18]), (f"X-{KEY}", "é"))
    kept, _, leaks = redact_response(headers, (), [KEY])
    assert kept == (
        ("X-Key", f"was {FILLER}"), ("X-Fine", "yes"), ("Set-Cookie", FILLER[10:18]), (f"X-{FILLER}", "é")
    )  # fmt: skip
    assert leaks == ("header x-key", f"header x-{FILLER}")


@given(st.sets(st.integers(1, 39), max_size=6))
def test_key_over_any_chunks_is_replaced(cuts: set[int]) -> None:
    data = f"before {KEY} after".encode()
    edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    sent = chunks(*(data[start:end] for start, end in pairwise(edges)))
    _, kept, leaks = redact_response((), sent, [KEY])
    assert body(kept).decode() == f"before {FILLER} after"
    assert [(one.at, len(one.data)) for one in kept] == [(one.at, len(one.data)) for one in sent]
    assert leaks == ("body, byte 7",)


@given(st.lists(st.integers(1, 5), min_size=2, max_size=30), st.sets(st.integers(0, 25)))
def test_key_over_deltas_still_adds_up_to_the_done_text(sizes: list[int], escapes: set[int]) -> None:
    letters = [f"\\u{ord(one):04X}" if place in escapes else one for place, one in enumerate(KEY)]
    pieces, at = [], 0
    for size in [*sizes, len(KEY)]:
        pieces.append("".join(letters[at : at + size]))
        at += size
    frames = [f'data: {{"type":"x","delta":"{piece}"}}\n\n' for piece in pieces]
    whole = "".join([*frames, f'data: {{"type":"done","text":"{KEY}"}}\n\n'])
    made = redact_body(whole.encode(), [KEY]).decode()
    events = [json.loads(line[6:]) for line in made.split("\n\n") if line]
    assert "".join(one.get("delta", "") for one in events) == events[-1]["text"] == FILLER
    assert len(made) == len(whole)


def test_clean_answer_is_left_alone() -> None:
    headers: Headers = (("X-Fine", "yes"), ("Content-Encoding", "gzip"))
    sent = chunks(gzip.compress(b"nothing here"))
    assert redact_response(headers, sent, [KEY]) == (headers, sent, ())


@pytest.mark.parametrize(
    ("coding", "wbits"),
    [("gzip", [31]), (" GZIP", [31]), ("deflate", [15]), ("deflate", [-15]), ("gzip, deflate", [31, 15])],
)  # fmt: skip
def test_a_compressed_body_stays_compressed(coding: str, wbits: list[int]) -> None:
    pieces = [f"say {KEY[:12]}".encode(), f"{KEY[12:]}, thanks".encode()]
    for bits in wbits:
        engine = zlib.compressobj(wbits=bits)
        first = engine.compress(pieces[0]) + engine.flush(zlib.Z_SYNC_FLUSH)
        pieces = [first, engine.compress(pieces[1]) + engine.flush()]
    headers = (("Content-Type", "text/plain"), ("content-encoding", coding))
    kept_headers, kept, leaks = redact_response(headers, chunks(*pieces), [KEY])
    plain = decode(kept, coding)
    assert body(plain).decode() == f"say {FILLER}, thanks"
    assert [(one.at, len(one.data)) for one in plain] == [(0.0, 16), (10.0, 22)]
    assert kept_headers == headers
    assert body(kept) != body(plain)
    assert leaks == ("body, byte 4",)


def test_a_compressed_body_that_does_not_say_so_stays_unreadable() -> None:
    _, kept, leaks = redact_response((), chunks(gzip.compress(f'{{"a":"{KEY}"}}'.encode())), [KEY])
    assert gzip.decompress(body(kept)).decode() == f'{{"a":"{FILLER}"}}'
    assert leaks == ("body, byte 6",)


def test_key_in_a_body_that_only_claims_to_be_gzip_is_replaced() -> None:
    headers = (("Content-Encoding", "gzip"),)
    kept_headers, kept, leaks = redact_response(headers, chunks(f"no gzip, {KEY}".encode()), [KEY])
    assert body(kept).decode() == f"no gzip, {FILLER}"
    assert kept_headers == headers
    assert leaks == ("body, byte 9",)


def test_no_secret_replaces_nothing() -> None:
    sent = chunks(KEY.encode())
    assert redact_response((("X", KEY),), sent, []) == ((("X", KEY),), sent, ())


# -- what it costs -----------------------------------------------------------------------------------------------------


def seconds(work: Callable[[], object]) -> float:
    work()  # Forms and indexes are made once.
    best = float("inf")
    for _ in range(5):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return best


def test_time_does_not_grow_with_the_number_of_credentials() -> None:
    draw = random.Random(3)
    text = json.dumps({"text": " ".join(draw.choice(["tide", "turns", "1788000000"]) for _ in range(20_000))}).encode()
    many: list[Secret] = [Cookie("".join(draw.choice(string.hexdigits) for _ in range(64))) for _ in range(2_000)]
    few = seconds(lambda: redact_body(text, many[:20]))
    assert seconds(lambda: redact_body(text, many)) < 3 * few


@pytest.mark.parametrize("bit", [b"\\", b"\\u00", b"%25", b"&#x0", KEY[12:16].encode(), b'"delta":"\\'])
def test_a_hostile_body_takes_time_in_proportion_to_its_length(bit: bytes) -> None:
    small, large = (bit * (size // len(bit)) for size in (50_000, 400_000))
    assert seconds(lambda: redact_body(large, [KEY])) < 24 * max(seconds(lambda: redact_body(small, [KEY])), 0.001)


def test_a_value_without_credentials_is_given_back_as_it_is() -> None:
    value = {"findings": [{"got": ["x", 1, None]}]}
    assert redact_value([KEY], value) is value
    assert redact_value([KEY], {KEY: [KEY, (1, KEY)]}) == {FILLER: [FILLER, [1, FILLER]]}
