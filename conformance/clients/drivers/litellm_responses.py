"""Driver of LiteLLM: ``litellm.responses`` with an OpenAI-compatible base URL. Modes: plain, stream."""

from __future__ import annotations

from functools import cache
from typing import Any

import jobs

try:
    import litellm
except ImportError:
    jobs.missing("litellm")


def do(job: dict[str, Any], seen: jobs.DriverResult) -> None:
    """Send the request, and fill in the client's result."""
    request = job["request"]
    _register(request["model"])
    arguments = {name: request[name] for name in ("input", "instructions", "tools") if name in request}
    given = litellm.responses(
        model=f"openai/{request['model']}", api_base=job["base_url"], api_key=jobs.key(), num_retries=0, max_retries=0,
        timeout=60, stream=job["mode"] == "stream", **arguments,
    )  # fmt: skip
    if job["mode"] != "stream":
        _read(given, seen)
        return
    for event in given:
        kind = str(getattr(event.type, "value", event.type))
        if kind == "response.output_text.delta":
            seen["shown"] = (seen["shown"] or "") + event.delta
        if kind in ("response.completed", "response.incomplete"):
            _read(event.response, seen)


@cache
def _register(model: str) -> None:
    """Register the model as streaming: LiteLLM simulates streaming for unknown models."""
    known = {"litellm_provider": "openai", "mode": "responses", "supports_native_streaming": True}
    litellm.register_model({model: known, f"openai/{model}": known})


def _read(response: Any, seen: jobs.DriverResult) -> None:
    jobs.read_output(response.output, seen)
    jobs.read_usage(response.usage, seen)


if __name__ == "__main__":
    litellm.telemetry = False
    litellm.suppress_debug_info = True
    jobs.serve("litellm", "litellm", do)
