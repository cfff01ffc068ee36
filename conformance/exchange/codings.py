"""Decodes content codings (RFC 9110 8.4.1) piece by piece and within a limit.

gzip and deflate are in the standard library. br (RFC 7932) and zstd (RFC 8878) are decoded where a library for them can
be imported, one of those that httpx uses: ``brotli`` or ``brotlicffi``, and ``compression.zstd`` (Python 3.14),
``backports.zstd`` or ``zstandard``. None of them is a dependency: :data:`CODINGS` lists the supported codings.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any, Protocol

#: The first bytes of a gzip member (RFC 1952 2.3.1).
GZIP = b"\x1f\x8b"

#: The limit of members in one body (RFC 1952 2.2): thousands of empty ones take long to decode.
_MEMBERS = 1000

#: Bytes of input at a time for a library that cannot limit its output: one brotli command may produce 16 MB.
_PIECE = 16


class _Engine(Protocol):
    """Decodes one member; ``rest`` is the input after its end, once ``ended`` is True."""

    ended: bool
    rest: bytes

    def feed(self, data: bytes, most: int) -> bytes:
        """The decoded bytes, about ``most`` of them; raises the errors of its library."""


class _Zlib:
    def __init__(self, wbits: int) -> None:
        self._engine, self._raw = zlib.decompressobj(wbits), wbits == 15
        self._fed = b""
        self.ended, self.rest = False, b""

    def feed(self, data: bytes, most: int) -> bytes:
        if not data:
            return b""
        try:
            out = self._engine.decompress(data, most)
        except zlib.error:
            if not self._raw:
                raise
            # Some servers leave the wrapper of zlib out, and clients cope: it is deflate (RFC 1951) from the start.
            self._engine, self._raw = zlib.decompressobj(-15), False
            out = self._engine.decompress(self._fed + data, most)
        if self._raw:  # Until bytes were decoded: the error may occur later than in the first piece.
            self._fed, self._raw = self._fed + data, not out
        self.ended, self.rest = self._engine.eof, self._engine.unused_data
        return out


class _Brotli:
    def __init__(self, library: Any) -> None:
        self._engine = library.Decompressor()
        self.ended, self.rest = False, b""

    def feed(self, data: bytes, most: int) -> bytes:
        out = bytearray()
        for at in range(0, len(data), _PIECE):
            if len(out) >= most or self.ended:
                break
            out += self._engine.process(data[at : at + _PIECE])
            self.ended = self._engine.is_finished()
        return bytes(out)


class _Zstd:
    """``compression.zstd``, and ``backports.zstd``, which is the same."""

    def __init__(self, library: Any) -> None:
        self._engine = library.ZstdDecompressor()
        self.ended, self.rest = False, b""

    def feed(self, data: bytes, most: int) -> bytes:
        out = bytearray(self._engine.decompress(data, most))
        while not self._engine.eof and not self._engine.needs_input and len(out) < most:
            out += self._engine.decompress(b"", most - len(out))
        self.ended, self.rest = self._engine.eof, self._engine.unused_data
        return bytes(out)


class _Zstandard:
    def __init__(self, library: Any) -> None:
        self._engine = library.ZstdDecompressor().decompressobj()
        self.ended, self.rest = False, b""

    def feed(self, data: bytes, most: int) -> bytes:
        out = bytearray()
        for at in range(0, len(data), _PIECE):
            if len(out) >= most:
                break
            out += self._engine.decompress(data[at : at + _PIECE])
            if self._engine.eof:
                self.ended, self.rest = True, self._engine.unused_data + data[at + _PIECE :]
                break
        return bytes(out)


_LIBRARIES: dict[str, tuple[tuple[str, Callable[[Any], _Engine]], ...]] = {
    "br": (("brotli", _Brotli), ("brotlicffi", _Brotli)),
    "zstd": (("compression.zstd", _Zstd), ("backports.zstd", _Zstd), ("zstandard", _Zstandard)),
}


def _importable() -> dict[str, Callable[[], _Engine]]:
    found: dict[str, Callable[[], _Engine]] = {
        "gzip": lambda: _Zlib(31), "x-gzip": lambda: _Zlib(31), "deflate": lambda: _Zlib(15),
    }  # fmt: skip
    for coding, libraries in _LIBRARIES.items():
        for name, engine in libraries:
            try:
                library = import_module(name)
            except ImportError:
                continue
            found[coding] = lambda engine=engine, library=library: engine(library)  # type: ignore[misc]
            break
    return found


_ENGINES = _importable()

#: The content codings that are decoded here, in lower case.
CODINGS = tuple(_ENGINES)


class Decoding:
    """One coding of one body; ``failed``: the bytes are not in that coding, and from there on are passed through."""

    def __init__(self, coding: str) -> None:
        self._new = _ENGINES[coding]
        self._engine = self._new()
        self._members = 1
        self._begun = False
        self.failed = False

    @property
    def cut(self) -> bool:
        """Whether the bytes so far end within the coding: its own end, such as gzip's checksum, is missing."""
        return self._begun and not self.failed

    def feed(self, data: bytes, room: int) -> bytes:
        """The next decoded bytes, more than ``room`` of them only if there are more."""
        out = bytearray()
        while data and not self.failed and len(out) <= room:
            self._begun = True
            try:
                out += self._engine.feed(data, room - len(out) + 1)
            except Exception:  # Each library has an error of its own.
                self.failed = True
                break
            if not self._engine.ended:
                return bytes(out)
            data, self._begun = self._engine.rest, False
            self._engine = self._new()
            self._members += 1
            self.failed = self._members > _MEMBERS
        return bytes(out) + data if self.failed else bytes(out)


def wrong_coding(names: Iterable[str], data: bytes, most: int) -> str:
    """The supported coding, of these in the order they were applied, that a body is not in; empty without one."""
    for name in reversed([*names]):
        if name not in CODINGS:
            break  # Codings below an unsupported one cannot be decoded either.
        decoding = Decoding(name)
        data = decoding.feed(data, most)
        if decoding.failed:
            return name
    return ""


def ends_within(coding: str, pieces: Iterable[bytes], most: int) -> bool:
    """Whether a body ends before the coding does that it is in; False beyond ``most`` bytes."""
    decoding, room = Decoding(coding), most
    for piece in pieces:
        room -= len(decoding.feed(piece, room))
        if room <= 0:
            return False
    return decoding.cut


_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f]")
_PRINTABLE = re.compile(rb"[\t\n\r\x20-\x7e]{32}")


def is_text(data: bytes) -> bool:
    """Whether the bytes are text, so that the content coding is already decoded: HAR files of browsers keep the header
    and contain the decoded body. Text in any charset counts; 64 compressed bytes are taken for text in fewer than 1 of
    2,000 cases."""
    head = data[:256]
    if _PRINTABLE.match(head):
        return True
    if _CONTROL.search(head):
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return len(head) >= 64 or (error.reason == "unexpected end of data" and len(data) > len(head))
    return True
