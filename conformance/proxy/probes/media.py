"""Probes about images, audio and video where a translation has no place of its own for them."""

from __future__ import annotations

from typing import Any

from conformance.proxy.probes.probe import Probe, simple
from conformance.proxy.probes.requests import LONG_NAME, PIXEL, TOOLS, message

MEDIA = ("media",)


def _result_image(canary: str) -> dict[str, Any]:
    """A tool result with an image, such as a screenshot."""
    parts = [{"type": "input_text", "text": "the view"}, {"type": "input_image", "image_url": PIXEL}]
    items = [
        {"type": "function_call", "call_id": "call_of_a_view", "name": LONG_NAME, "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_of_a_view", "output": parts},
        message("user", f"What do you see, {canary}?"),
    ]
    return {"input": items, "tools": TOOLS}


def _sound_and_video(canary: str) -> dict[str, Any]:
    parts = [
        {"type": "input_text", "text": canary}, {"type": "input_audio", "audio_url": "https://example.com/a.wav"},
        {"type": "input_video", "video_url": "https://example.com/a.mp4", "fps": 0.5, "media_resolution": "max"},
    ]  # fmt: skip
    return {"input": [{"role": "user", "content": parts}]}


def _about(what: str) -> dict[str, Any]:
    return {"may_refuse": True, "media": what}


#: The contract names no form of audio and video in the dialect chat.
PROBES: list[Probe] = [
    simple("request.result-image", MEDIA, _result_image, about=_about("the image of a tool result")),
    simple("request.sound-and-video", MEDIA, _sound_and_video, about=_about("audio or video of the input"),
           dialects=("responses",)),
]  # fmt: skip
