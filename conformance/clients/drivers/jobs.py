"""Common code of the drivers of Python clients: jobs on standard input, results on standard output, as JSON lines.

A driver runs with the client's own interpreter and imports nothing of the suite.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from importlib import metadata
from typing import Any

#: The result of a driver: a member that its client does not provide stays null and is not compared. ``shown`` is the
#: streamed text, ``text`` the final text.
DriverResult = dict[str, Any]

_SECONDS = float(os.environ.get("CLIENT_TIMEOUT") or 20)
_LONGEST = 1200


class OutOfTime(BaseException):
    """The job's timeout. Derived from BaseException, so that a client's ``except Exception`` does not catch it."""


def serve(client: str, package: str, do: Callable[[dict[str, Any], DriverResult], None]) -> None:
    """Write name and version, then process each job; ``do`` fills in the result step by step, and may raise."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # Some clients print to standard output.
    _write(out, {"client": client, "version": metadata.version(package)})
    signal.signal(signal.SIGALRM, _out_of_time)
    for line in sys.stdin:
        job = json.loads(line)
        seen: DriverResult = {
            "text": None,
            "calls": None,
            "reasoning": None,
            "usage": None,
            "shown": None,
            "error": None,
        }
        signal.setitimer(signal.ITIMER_REAL, _SECONDS)
        try:
            do(job, seen)
        except OutOfTime:
            seen["error"] = {"type": "TimeoutError", "message": f"no end after {_SECONDS:g} s"}
        except (Exception, SystemExit) as error:
            seen["error"] = {"type": type(error).__name__, "message": error_message(error)}
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        _write(out, {"id": job["id"], **seen})


def missing(name: str) -> None:
    """Exit with the code of a driver whose client is not installed."""
    print(f"{name} is not installed", file=sys.stderr)
    sys.exit(3)


def error_message(error: BaseException) -> str:
    """The message of an exception; for a pydantic error each location with its error type, as ``location: type``."""
    places = _places(error) or _places(error.__cause__)
    return "; ".join(places) if places else str(error)[:_LONGEST]


def _places(error: BaseException | None) -> list[str]:
    errors = getattr(error, "errors", None)
    if not callable(errors):
        return []
    return [f"{'.'.join(map(str, one['loc']))}: {one['type']}" for one in errors(include_url=False)]


def member(value: Any, name: str) -> Any:
    """A member of an object or a dict. Raises AttributeError or KeyError if it is missing, as user code would."""
    return value[name] if isinstance(value, dict) else getattr(value, name)


def read_output(output: Any, seen: DriverResult) -> None:
    """Fill in text, calls and reasoning from the output items of OpenAI's models."""
    seen["text"], seen["calls"], seen["reasoning"] = "", [], ""
    for item in output:
        kind = member(item, "type")
        if kind == "message":
            parts = member(item, "content")
            seen["text"] += "".join(member(part, "text") for part in parts if member(part, "type") == "output_text")
        elif kind == "function_call":
            seen["calls"].append({name: member(item, name) for name in ("call_id", "name", "arguments")})
        elif kind == "reasoning":
            seen["reasoning"] += "".join(member(part, "text") for part in _content(item))


def _content(item: Any) -> Any:
    """The content parts of a reasoning item; empty if it has none."""
    return (item.get("content") if isinstance(item, dict) else getattr(item, "content", None)) or []


def read_usage(usage: Any, seen: DriverResult) -> None:
    """Fill in the three counters of the usage, which OpenAI's models allow to be None."""
    if usage is not None:
        seen["usage"] = {name: member(usage, name) for name in ("input_tokens", "output_tokens", "total_tokens")}


def key() -> str:
    """The API key for the replay server, which does not check it."""
    return os.environ.get("MIMO_API_KEY", "built-in-key")


def _write(out: Any, line: dict[str, Any]) -> None:
    out.write(json.dumps(line, default=str) + "\n")
    out.flush()


def _out_of_time(*_: Any) -> None:
    raise OutOfTime
