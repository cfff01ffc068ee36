"""How much memory an answer takes, and how it gives it back."""

from __future__ import annotations

from conformance.decode import sse
from conformance.decode.json_text import EACH_VALUES, MOST_VALUES
from conformance.decode.response import Received

#: What an answer keeps once it was decoded.
_DECODED = (
    "asked", "_json", "_envelope", "_frames", "_decoded", "by_type", "_followed", "placed", "item_types", "texts",
    "response",
)  # fmt: skip

#: Bytes of memory, as measured: of a frame with its event, and of a value in JSON.
_FRAME, _VALUE = 450, 50


def estimated_bytes(received: Received, decoded: bool) -> int:
    """About how many bytes of memory it takes, as recorded or decoded."""
    recorded = sum(one.estimated_bytes for one in received.samples)
    if not decoded:
        return recorded
    body = received.exchange.body
    values = sum(map(body.count, (b"[", b"{", b",")))
    frames = body.count(b"\ndata:") if received.looks_like_stream else 0
    if frames > sse.most_frames(body) or values > MOST_VALUES + EACH_VALUES * frames:
        frames = values = 0  # None of it is kept.
    return recorded + 2 * len(body) + _FRAME * frames + _VALUE * values


def discard_decoded(received: Received) -> None:
    """Drop what was decoded; it is decoded again when it is asked for."""
    for name in _DECODED:
        received.__dict__.pop(name, None)
    received.exchange.discard_decoded()
