"""Conformance suite for MiMo's OpenAI-compatible Responses API (``POST /v1/responses``).

The flow, left to right; imports go the other way and nowhere else::

    target, scenarios -> wire (exchanges) -> decode (events, Response) -> checks -> verdict -> results -> reports
"""

__version__ = "0.1.0"
