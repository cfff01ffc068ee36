"""What the drivers of Python clients have in common: jobs in, answers out, one JSON line each.

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

#: What a driver gathers of an answer: a member that its client cannot give stays null and is not compared. ``shown`` is
#: the text as it came piece by piece, ``text`` the text at the end.
Seen = dict[str, Any]

_SECONDS = float(os.environ.get("CLIENT_TIMEOUT") or 20)
_LONGEST = 1200


class OutOfTime(BaseException):
    """The job's time is up; no client's ``except Exception`` may swallow it."""


def serve(client: str, package: str, do: Callable[[dict[str, Any], Seen], None]) -> None:
    """Say which version runs, then do each job; ``do`` fills in what it sees as it sees it, and may raise."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # Some clients print.
    _say(out, {"client": client, "version": metadata.version(package)})
    signal.signal(signal.SIGALRM, _out_of_time)
    for line in sys.stdin:
        job = json.loads(line)
        seen: Seen = {"text": None, "calls": None, "reasoning": None, "usage": None, "shown": None, "error": None}
        signal.setitimer(signal.ITIMER_REAL, _SECONDS)
        try:
            do(job, seen)
        except OutOfTime:
            seen["error"] = {"type": "TimeoutError", "message": f"no end after {_SECONDS:g} s"}
        except (Exception, SystemExit) as error:
            seen["error"] = {"type": type(error).__name__, "message": told(error)}
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        _say(out, {"id": job["id"], **seen})


def missing(name: str) -> None:
    """End as a driver does whose client is not installed."""
    print(f"{name} is not installed", file=sys.stderr)
    sys.exit(3)


def told(error: BaseException) -> str:
    """The message of an error; of one of pydantic each place that is wrong, as ``place: kind``."""
    places = _places(error) or _places(error.__cause__)
    return "; ".join(places) if places else str(error)[:_LONGEST]


def _places(error: BaseException | None) -> list[str]:
    errors = getattr(error, "errors", None)
    if not callable(errors):
        return []
    return [f"{'.'.join(map(str, one['loc']))}: {one['type']}" for one in errors(include_url=False)]


def member(value: Any, name: str) -> Any:
    """A member of an object or a dict; raises where it is not there, as the code of a user would."""
    return value[name] if isinstance(value, dict) else getattr(value, name)


def read_output(output: Any, seen: Seen) -> None:
    """Fill in text, calls and reasoning from the items of a Response as OpenAI's own models hold them."""
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
    """The parts of a reasoning item, which need not have any."""
    return (item.get("content") if isinstance(item, dict) else getattr(item, "content", None)) or []


def read_usage(usage: Any, seen: Seen) -> None:
    """Fill in the three counters, if there is a usage: its type says that there may be none."""
    if usage is not None:
        seen["usage"] = {name: member(usage, name) for name in ("input_tokens", "output_tokens", "total_tokens")}


def key() -> str:
    """The key that the replay server is asked with; it opens nothing."""
    return os.environ.get("MIMO_API_KEY", "built-in-key")


def _say(out: Any, line: dict[str, Any]) -> None:
    out.write(json.dumps(line, default=str) + "\n")
    out.flush()


def _out_of_time(*_: Any) -> None:
    raise OutOfTime
