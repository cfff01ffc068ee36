"""The memory that a response takes, and its release."""

from __future__ import annotations

from conformance.decode import sse
from conformance.decode.json_text import EACH_VALUES, MOST_VALUES
from conformance.decode.response import Received

#: The cached properties of a response with decoded data.
_DECODED = (
    "request_json", "_json", "_envelope", "_frames", "_decoded", "by_type", "_followed", "placed", "item_types",
    "texts", "response",
)  # fmt: skip

#: Measured bytes of memory of a frame with its event, and of a JSON value.
_FRAME, _VALUE = 450, 50


def estimated_bytes(received: Received, decoded: bool) -> int:
    """The estimated number of bytes of memory, as recorded or decoded."""
    recorded = sum(one.estimated_bytes for one in received.samples)
    if not decoded:
        return recorded
    body = received.exchange.body
    values = sum(map(body.count, (b"[", b"{", b",")))
    frames = body.count(b"\ndata:") if received.looks_like_stream else 0
    if frames > sse.most_frames(body) or values > MOST_VALUES + EACH_VALUES * frames:
        frames = values = 0  # Above the limits nothing is decoded.
    return recorded + 2 * len(body) + _FRAME * frames + _VALUE * values


def discard_decoded(received: Received) -> None:
    """Discard the decoded data; it is decoded again when needed."""
    for name in _DECODED:
        received.__dict__.pop(name, None)
    received.exchange.discard_decoded()
