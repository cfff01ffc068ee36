"""Content codings piece by piece: those that come with Python, and br and zstd by whichever library is there."""

from __future__ import annotations

import gzip
import importlib
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.exchange import codings
from conformance.exchange.codings import CODINGS, Decoding, is_text
from conformance.exchange.exchange import Chunk, Exchange, Headers, decode
from tests.test_exchange import answered

TEXT = b'{"object": "response", "text": "' + b"tide " * 400 + b'"}'


def raw_deflate(data: bytes) -> bytes:
    engine = zlib.compressobj(wbits=-15)
    return engine.compress(data) + engine.flush()


def client_input(coding: str, data: bytes, size: int, room: int = 1_000_000) -> bytes:
    engine = Decoding(coding)
    return b"".join(engine.feed(data[at : at + size], room) for at in range(0, len(data), size))


@given(st.binary(max_size=300), st.integers(1, 9), st.sampled_from([zlib.compress, raw_deflate]))
def test_deflate_is_read_with_and_without_its_wrapper_however_it_is_cut(data: bytes, size: int, pack: Any) -> None:
    assert client_input("deflate", pack(data), size) == data


class _Brotli:
    """The interface of ``brotli``, over zlib."""

    class Decompressor:
        def __init__(self) -> None:
            self._engine = zlib.decompressobj()

        def process(self, data: bytes) -> bytes:
            return self._engine.decompress(data)

        def is_finished(self) -> bool:
            return self._engine.eof


class _Zstd:
    """The interface of ``compression.zstd``, over zlib."""

    class ZstdDecompressor:
        def __init__(self) -> None:
            self._engine = zlib.decompressobj()

        def decompress(self, data: bytes, most: int) -> bytes:
            return self._engine.decompress(self._engine.unconsumed_tail + data, most)

        @property
        def eof(self) -> bool:
            return self._engine.eof

        @property
        def needs_input(self) -> bool:
            return not self._engine.unconsumed_tail

        @property
        def unused_data(self) -> bytes:
            return self._engine.unused_data


class _Zstandard:
    """The interface of ``zstandard``, over zlib."""

    class ZstdDecompressor:
        def decompressobj(self) -> Any:
            return zlib.decompressobj()


LIBRARIES = {"brotli": _Brotli, "brotlicffi": _Brotli, "compression.zstd": _Zstd, "backports.zstd": _Zstd,
             "zstandard": _Zstandard}  # fmt: skip


@pytest.mark.parametrize("name", LIBRARIES)
def test_each_library_is_used_within_the_limit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def only(wanted: str) -> Any:
        if wanted == name:
            return LIBRARIES[name]
        raise ImportError(wanted)

    monkeypatch.setattr(codings, "import_module", only)
    engines = codings._importable()
    (coding,) = set(engines) - {"gzip", "x-gzip", "deflate"}
    assert coding == ("br" if "brotli" in name else "zstd")
    monkeypatch.setattr(codings, "_ENGINES", engines)
    packed = zlib.compress(TEXT)
    for size in (1, 3, len(packed)):
        assert client_input(coding, packed, size) == TEXT
    assert client_input(coding, packed[:-9], 7) == TEXT[: len(client_input(coding, packed[:-9], 7))] != b""
    assert len(Decoding(coding).feed(zlib.compress(b"x" * 100_000), 1000)) > 1000
    assert client_input(coding, TEXT, 50) == TEXT
    if coding == "zstd":  # Frames may follow one another (RFC 8878 3.1).
        assert client_input(coding, packed + packed, 11) == TEXT + TEXT


@pytest.mark.parametrize(
    ("name", "coding", "pack"),
    [
        ("brotli", "br", lambda library: library.compress(TEXT)),
        ("zstandard", "zstd", lambda library: library.compress(TEXT)),
        ("backports.zstd", "zstd", lambda library: library.compress(TEXT)),
        ("compression.zstd", "zstd", lambda library: library.compress(TEXT)),
    ],
)
def test_the_real_ones_where_they_are_there(name: str, coding: str, pack: Any) -> None:
    pytest.importorskip(name)
    packed = pack(importlib.import_module(name))
    assert coding in CODINGS
    for size in (1, 7, len(packed)):
        cut = tuple(Chunk(float(at), packed[at : at + size]) for at in range(0, len(packed), size))
        assert b"".join(one.data for one in decode(cut, coding)) == TEXT


def coded(coding: str, body: bytes) -> Exchange:
    headers: Headers = (("Content-Encoding", coding), ("Content-Type", "application/json"))
    return answered(*headers, chunks=(Chunk(0.0, body),))


@pytest.mark.parametrize(
    ("coding", "body", "left"),
    [
        ("compress", b"\x1f\x9d\x90\x00\x01\x02", "compress"),
        ("Compress, gzip", gzip.compress(b"\x1f\x9d\x90\x00\x01\x02", mtime=0), "compress"),
        ("gzip, compress", b"\x1f\x9d\x90\x00\x01\x02", "compress"),
        ("compress", TEXT, ""),
        ("compress", "Küche".encode("latin-1") * 20, ""),
        ("utf-8", TEXT, ""),
        ("identity", b"\0\1\2", ""),
        ("gzip", gzip.compress(TEXT, mtime=0), ""),
        ("gzip", b"\0\1\2", ""),
        ("compress", b"", ""),
    ],
)
def test_a_coding_that_is_still_there_is_named(coding: str, body: bytes, left: str) -> None:
    assert coded(coding, body).undecoded == left


def test_what_is_under_a_coding_that_failed_is_left_alone() -> None:
    inner = gzip.compress(TEXT, mtime=0)
    assert coded("gzip, deflate", inner).body == inner


@given(st.binary(min_size=40))
def test_compressed_bytes_do_not_read_as_text(data: bytes) -> None:
    assert not is_text(gzip.compress(data, mtime=0))
    assert not is_text(zlib.compress(data))


@pytest.mark.parametrize(
    "text",
    [TEXT, b"", b"{}", b"data: x\n\n", "data: ü\n\n".encode(), b"\xef\xbb\xbf{}", b"[1]", b"<html>", b"8a\r\ndata: 1",
     '{"a": "é"}'.encode("latin-1") + b" " * 60, "\u2603".encode() * 200],
)  # fmt: skip
def test_bodies_read_as_text(text: bytes) -> None:
    assert is_text(text)
