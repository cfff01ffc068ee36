"""A client of the standard library alone that speaks as the drivers do; its name and ways come from the command line.

``fakeclient.py WAY [DRIVER]``: ``right``; ``wrong`` (gives another text), ``raises``, ``dies``, ``hangs``, ``babbles``,
``twice`` (asks twice), ``absent``. A driver named as DRIVER gives the name of the client.
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any


def main(way: str, driver: str) -> int:
    """Say who it is, and do jobs until there are no more."""
    if way == "absent":
        print("fake is not installed", file=sys.stderr)
        return 3
    print(json.dumps({"client": Path(driver).stem, "version": "1.2.3"}), flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        bad = job["request"].get("instructions") == "bad"
        if bad and way == "dies":
            print("a last word", file=sys.stderr, flush=True)
            return 1
        if bad and way == "hangs":
            time.sleep(60)
        print("what?" if bad and way == "babbles" else json.dumps(_do(job, way)), flush=True)
    return 0


def _do(job: dict[str, Any], way: str) -> dict[str, Any]:
    seen: dict[str, Any] = {
        "id": job["id"],
        "text": None,
        "calls": None,
        "reasoning": None,
        "usage": None,
        "error": None,
    }
    try:
        for _ in range(2 if way == "twice" else 1):
            response = _asked(job)
        before = response if job["mode"] == "turns" else {"output": [], "usage": {}}
        if job["mode"] == "turns":
            response = _asked(job)
        if way == "raises":
            raise LookupError("no such thing")
        seen["text"] = _text(response, "message", "output_text") + (" and more" if way == "wrong" else "")
        seen["reasoning"] = "".join(_text(one, "reasoning", "reasoning_text") for one in (before, response))
        names = ("call_id", "name", "arguments")
        calls = [one for one in (*before["output"], *response["output"]) if one["type"] == "function_call"]
        seen["calls"] = [{name: one[name] for name in names} for one in calls]
        counted = ("input_tokens", "output_tokens", "total_tokens")
        seen["usage"] = {name: before["usage"].get(name, 0) + response["usage"][name] for name in counted}
        seen["key"] = os.environ["MIMO_API_KEY"]
    except (LookupError, OSError, ValueError) as error:
        seen["error"] = {"type": type(error).__name__, "message": str(error)}
    return seen


def _asked(job: dict[str, Any]) -> dict[str, Any]:
    asked = urllib.request.Request(f"{job['base_url']}/responses", b"{}", {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=10) as received:
        body = received.read().decode()
    if not job["request"].get("stream"):
        return dict(json.loads(body))
    last = [line for line in body.splitlines() if line.startswith("data: {")][-1]
    return dict(json.loads(last.removeprefix("data: "))["response"])


def _text(response: dict[str, Any], kind: str, part: str) -> str:
    return "".join(
        one["text"]
        for item in response["output"]
        if item["type"] == kind
        for one in item["content"]
        if one["type"] == part
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[-1]))
