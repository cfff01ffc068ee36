"""Scripts of a raw server that break what can be broken below JSON: time, size, framing, HTTP itself."""

from __future__ import annotations

import gzip
import itertools
import time
import zlib
from collections.abc import Callable

from tests.support.rawserver import Peer, Script, chunk, head, received

JSON = "Content-Type: application/json"
STREAM = "Content-Type: text/event-stream"
CHUNKED = "Transfer-Encoding: chunked"
GZIP = "Content-Encoding: gzip"

COMPLETED = b'event: response.completed\ndata: {"type":"response.completed","response":{}}\n\n'
DELTA = b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"x"}\n\n'


def says(*pieces: bytes) -> Script:
    """Sends these bytes and closes."""
    return lambda peer: peer.send(*pieces)


def silent(*pieces: bytes) -> Script:
    """Sends these bytes and then nothing, with the connection open."""

    def script(peer: Peer) -> None:
        peer.send(*pieces)
        peer.wait()

    return script


def forever(begin: bytes, piece: bytes | Callable[[int], bytes], pause: float = 0.0) -> Script:
    """Sends the piece again and again until the client hangs up, at most for ten seconds."""

    def script(peer: Peer) -> None:
        until = time.monotonic() + 10
        peer.send(begin)
        for number in itertools.count():
            if peer.over or time.monotonic() > until:
                return
            peer.send(piece(number) if callable(piece) else piece, pause=pause)

    return script


def resets(*pieces: bytes) -> Script:
    """Sends these bytes, lets them arrive, and resets the connection."""

    def script(peer: Peer) -> None:
        peer.send(*pieces)
        time.sleep(0.05 if pieces else 0)
        peer.reset()

    return script


def bomb(megabytes: int) -> bytes:
    """Zeros, packed a thousand to one; a megabyte is packed once, and repeated. The end of the file is left out."""
    packer = zlib.compressobj(9, wbits=31)
    first, again = (packer.compress(bytes(1_000_000)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return first + again * (megabytes - 1)


def empty_members(count: int) -> bytes:
    """A gzip body of members that hold nothing."""
    return gzip.compress(b"") * count


BRACKETS = b"[" * 200_000

#: What each of them sends, the ways the exchange may end, and the status that is then known.
WIRE: dict[str, tuple[Script, tuple[str, ...], int | None]] = {
    "silence": (silent(), ("time-out",), None),
    "half a status line": (silent(b"HTTP/1.1 2"), ("time-out",), None),
    "head by the byte": (forever(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"a", 0.02), ("time-out",), None),
    "headers without end": (forever(b"HTTP/1.1 200 OK\r\n", b"X-More: yes\r\n", 0.002), ("time-out", "invalid"), None),
    "interim answers, slow": (forever(b"", b"HTTP/1.1 102 Processing\r\n\r\n", 0.02), ("time-out",), None),
    "interim answers, flood": (forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 500), ("time-out",), None),
    "silence after the head": (silent(head(JSON, "Content-Length: 10")), ("time-out",), 200),
    "silence in the stream": (silent(head(STREAM, CHUNKED) + chunk(DELTA)), ("time-out",), 200),
    "body by the byte": (forever(head(JSON, "Content-Length: 9999"), b" ", 0.02), ("time-out",), 200),
    "stream by the byte": (forever(head(STREAM, CHUNKED), chunk(b":"), 0.02), ("time-out",), 200),
    "stream without end": (forever(head(STREAM, CHUNKED), chunk(DELTA) * 500), ("time-out", "oversize"), 200),
    "stream without framing": (forever(head(STREAM), DELTA * 500), ("time-out", "oversize"), 200),
    "chunks of one byte": (forever(head(STREAM, CHUNKED), chunk(b"\n") * 5000), ("time-out", "oversize"), 200),
    "the end again and again": (forever(head(STREAM, CHUNKED), chunk(COMPLETED), 0.02), ("time-out",), 200),
    "open after the end": (silent(head(STREAM, CHUNKED) + chunk(COMPLETED)), ("time-out",), 200),
    "100 MB announced": (forever(head(JSON, "Content-Length: 100000000"), b" " * 65536), ("oversize",), 200),
    "100 MB unannounced": (forever(head(JSON), b"x" * 65536), ("oversize",), 200),
    "gzip bomb": (received(bomb(200), JSON, GZIP), ("oversize",), 200),
    "bomb in a bomb": (received(gzip.compress(bomb(200)), JSON, "Content-Encoding: gzip, gzip"), ("oversize",), 200),
    "members without end": (received(empty_members(9000), JSON, GZIP), ("clean",), 200),
    "codings without end": (received(b"{}", JSON, "Content-Encoding: " + "gzip, " * 9000 + "gzip"), ("clean",), 200),
    "no gzip at all": (received(b"{}", JSON, GZIP), ("clean",), 200),
    "length too long": (says(head(JSON, "Content-Length: 100") + b"{}"), ("cut",), 200),
    "length too short": (says(head(JSON, "Content-Length: 1") + b"{}" * 50), ("clean",), 200),
    "length negative": (says(head(JSON, "Content-Length: -1") + b"{}"), ("invalid",), None),
    "length no number": (says(head(JSON, "Content-Length: two") + b"{}"), ("invalid",), None),
    "length of 5000 digits": (says(head(JSON, "Content-Length: " + "9" * 5000) + b"{}"), ("invalid", "cut"), None),
    "lengths that differ": (says(head(JSON, "Content-Length: 2", "Content-Length: 3") + b"{}"), ("invalid",), None),
    "length twice": (says(head(JSON, "Content-Length: 2", "Content-Length: 2") + b"{}"), ("clean", "invalid"), None),
    "length and chunks": (says(head(JSON, CHUNKED, "Content-Length: 1") + chunk(b"{}") + chunk(b"")), ("clean",), 200),
    "chunk size no number": (says(head(STREAM, CHUNKED) + b"zz\r\n" + DELTA), ("invalid",), 200),
    "chunk size negative": (says(head(STREAM, CHUNKED) + b"-5\r\n" + DELTA), ("invalid",), 200),
    "chunk size too large": (says(head(STREAM, CHUNKED) + b"FFFFFFFFFFFFFFF\r\n" + DELTA), ("cut",), 200),
    "chunk longer than it says": (says(head(STREAM, CHUNKED) + b"3\r\n" + DELTA), ("invalid",), 200),
    "no last chunk": (says(head(STREAM, CHUNKED) + chunk(DELTA)), ("cut",), 200),
    "unknown transfer coding": (says(head(JSON, "Transfer-Encoding: gzip") + b"{}"), ("invalid",), None),
    "reset at once": (resets(), ("reset",), None),
    "reset in the head": (resets(b"HTTP/1.1 200 OK\r\nX-"), ("reset",), None),
    "reset in the body": (resets(head(STREAM, CHUNKED) + chunk(DELTA)), ("reset",), 200),
    "close at once": (says(), ("reset",), None),
    "close in the head": (says(b"HTTP/1.1 200 OK\r\nX-Half: "), ("reset", "invalid"), None),
    "another protocol": (says(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), ("invalid",), None),
    "HTTP/2": (says(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + bytes(18)), ("invalid",), None),
    "TLS alert": (says(b"\x15\x03\x01\x00\x02\x02\x46"), ("invalid", "reset"), None),
    "status 99": (says(b"HTTP/1.1 099 Low\r\n\r\n"), ("invalid",), None),
    "status of words": (says(b"HTTP/1.1 OK\r\n\r\n"), ("invalid",), None),
    "status 101": (says(head(status="101 Switching Protocols") + b"\0\1\2"), ("invalid",), None),
    "status 999": (received(b"{}", JSON, status="999 High"), ("clean",), 999),
    "NUL in a header": (says(b"HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n"), ("invalid",), None),
    "NUL in the body": (received(b"\0" * 99, JSON), ("clean",), 200),
    "header without a colon": (says(b"HTTP/1.1 200 OK\r\nnothing\r\n\r\n"), ("invalid",), None),
    "huge header": (received(b"{}", JSON, "X-Huge: " + "h" * 300_000), ("invalid",), None),
    "ten thousand headers": (received(b"{}", *(f"X-{n}: y" for n in range(10_000))), ("invalid", "clean"), None),
    "not UTF-8": (received(b'{"a":"\xff\xc3("}', JSON), ("clean",), 200),
    "brackets": (received(BRACKETS, JSON), ("clean",), 200),
    "brackets in an event": (received(b"data: " + BRACKETS + b"\n\n", STREAM), ("clean",), 200),
    "redirect nowhere": (
        received(b"", "Location: http://[::bad/\x1b[2J", status="307 Away"),
        ("clean", "invalid"),
        None,
    ),
    "cookies": (received(b"{}", *["Set-Cookie: a=" + "b; " * 3000] * 5), ("clean",), 200),
}


def nastiest(peer: Peer) -> None:
    """Answers each request by another script, the same one by the same script."""
    scripts = list(WIRE.values())
    scripts[zlib.crc32(peer.request.partition(b"\r\n\r\n")[2]) % len(scripts)][0](peer)
