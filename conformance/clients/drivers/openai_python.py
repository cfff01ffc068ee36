"""Driver of openai-python. Modes: plain (``create``), stream (``stream()``), strict (``create``, validated)."""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any

import jobs

try:
    from openai import APIResponseValidationError, OpenAI
except ImportError:
    jobs.missing("openai")


def do(job: dict[str, Any], seen: jobs.DriverResult) -> None:
    """Send the request, and fill in the client's result."""
    client = _client(job["mode"] == "strict").with_options(base_url=job["base_url"])
    known = inspect.signature(client.responses.create).parameters
    request = {name: value for name, value in job["request"].items() if name != "stream"}
    arguments = {name: value for name, value in request.items() if name in known}
    arguments["extra_body"] = {name: value for name, value in request.items() if name not in known}
    (_stream if job["mode"] == "stream" else _plain)(client, arguments, seen)


@cache
def _client(strict: bool) -> Any:
    """One client for all jobs, because its creation is slow."""
    options: dict[str, Any] = {"_strict_response_validation": True} if strict else {}
    return OpenAI(base_url="http://127.0.0.1:9/v1", api_key=jobs.key(), max_retries=0, timeout=60, **options)


def _plain(client: Any, arguments: dict[str, Any], seen: jobs.DriverResult) -> None:
    try:
        response = client.responses.create(**arguments)
    except APIResponseValidationError as error:
        if isinstance(error.body, dict):  # The unvalidated response is compared too.
            from openai.types.responses import Response

            _read(Response.construct(**error.body), seen)
        raise
    _read(response, seen)


def _stream(client: Any, arguments: dict[str, Any], seen: jobs.DriverResult) -> None:
    with client.responses.stream(**arguments) as stream:
        for event in stream:
            if event.type == "response.output_text.delta":
                seen["shown"] = (seen["shown"] or "") + event.delta
        _read(stream.get_final_response(), seen)


def _read(response: Any, seen: jobs.DriverResult) -> None:
    jobs.read_output(response.output, seen)
    seen["text"] = response.output_text
    jobs.read_usage(response.usage, seen)


if __name__ == "__main__":
    jobs.serve("openai-python", "openai", do)
