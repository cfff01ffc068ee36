"""Driver of the Codex CLI, the binary in the npm package ``@openai/codex``. It needs only the standard library.

It searches ``node_modules`` in the directory given as argument, else in the working directory, and in ``NODE_PATH``.
Jobs are JSON lines on standard input; the result of each is a line on standard output. Modes: ``stream``, one response;
``turns``, where Codex also requests the response to the results of its calls: ``text`` is then that of the last
response, ``calls`` and ``reasoning`` are those of all responses, ``usage`` is the sum; ``lite``, one response to a
request in lite mode (tools in an additional_tools item, custom tools), a property of the model in Codex's catalogue.

Text, errors and the end of a turn are read from the events of ``codex exec --json``; calls, reasoning and usage from
Codex's session file, because the events omit calls to tools that Codex does not have. Codex rejects such calls and
sends another request, endlessly if the response stays the same. So ``stream`` stops when the first response is
processed, and every job stops at its timeout.

No tool executes anything: Codex's shell is disabled, so that a replayed response runs no command on this machine. Only
the base URL is reachable: the proxy for all other hosts does not exist.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

TIMEOUT = float(os.environ.get("CLIENT_TIMEOUT") or 20)
KEY = "MIMO_API_KEY"
MOST_LINES = 5000

#: The proxy for all hosts except loopback: a port on which nothing listens.
NOWHERE = "http://127.0.0.1:9"

#: The types of calls, with the member that the tool receives.
CALLS = {"function_call": "arguments", "custom_tool_call": "input"}

CONFIG = """
model = {model}
model_provider = "target"
approval_policy = "never"
sandbox_mode = "read-only"
check_for_update_on_startup = false
show_raw_agent_reasoning = true
[history]
persistence = "none"
[analytics]
enabled = false
[feedback]
enabled = false
[otel]
exporter = "none"
[features]
multi_agent = false
apps = false
plugins = false
remote_plugin = false
shell_snapshot = false
shell_tool = false
unified_exec = false
[model_providers.target]
name = "target"
base_url = {base_url}
wire_api = "responses"
env_key = "MIMO_API_KEY"
request_max_retries = 0
stream_max_retries = 0
"""


def main() -> int:
    """Write name and version, then process jobs until the end of the input; returns 3 if the client is missing."""
    if (found := _find()) is None:
        print("@openai/codex is not installed", file=sys.stderr)
        return 3
    binary, version = found
    _write({"client": "codex", "version": version})
    for line in sys.stdin:
        job = json.loads(line)
        try:
            outcome = _run(binary, job)
        except Exception as error:  # An error in one job must not stop the others.
            outcome = _failed(type(error).__name__, str(error))
        _write({"id": job.get("id"), **outcome})
    return 0


def _find() -> tuple[Path, str] | None:
    places = [Path(sys.argv[1])] if len(sys.argv) > 1 else [Path.cwd()]
    folders = [place / "node_modules" for place in places]
    folders += [Path(place) for place in os.environ.get("NODE_PATH", "").split(os.pathsep) if place]
    for folder in folders:
        own = folder / "@openai" / "codex" / "package.json"
        # The package of the platform is next to it or inside it.
        binaries = [
            *folder.glob("@openai/codex-*/vendor/*/bin/codex"),
            *folder.glob("@openai/codex/node_modules/@openai/codex-*/vendor/*/bin/codex"),
            *folder.glob("@openai/codex/vendor/*/bin/codex"),
        ]
        if own.is_file() and binaries:
            return binaries[0].resolve(), str(json.loads(own.read_text(encoding="utf-8"))["version"])
    return None


def _write(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


def _failed(kind: str, message: str) -> dict[str, Any]:
    return {"text": None, "calls": None, "reasoning": None, "usage": None, "error": {"type": kind, "message": message}}


def _run(binary: Path, job: dict[str, Any]) -> dict[str, Any]:
    if job.get("mode") not in ("stream", "turns", "lite"):
        return _failed("UnknownMode", f"there is no mode {job.get('mode')!r}")
    with tempfile.TemporaryDirectory(prefix="client-", ignore_cleanup_errors=True) as folder:
        home = Path(folder) / "codex"
        work = Path(folder) / "work"
        home.mkdir()
        work.mkdir()
        model = str(job.get("request", {}).get("model") or "mimo-v2.6-pro")
        config = CONFIG.format(model=json.dumps(model), base_url=json.dumps(job["base_url"]))
        if job["mode"] == "lite":
            catalogue = home / "models.json"
            entry = lite_model(binary, model, {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder)})
            catalogue.write_text(json.dumps({"models": [entry]}), encoding="utf-8")
            config = f"model_catalog_json = {json.dumps(str(catalogue))}\n{config}"
        (home / "config.toml").write_text(config, encoding="utf-8")
        events, ended = _codex(binary, Path(folder), home, work, one_outcome=job["mode"] != "turns")
        return _turn_result(events, list(_session(home)), ended, job["mode"] == "turns")


@cache
def _catalogue(binary: Path, environment: frozenset[tuple[str, str]]) -> list[dict[str, Any]]:
    words = [str(binary), "debug", "models"]
    done = subprocess.run(words, env=dict(environment), capture_output=True, text=True, timeout=60, check=True)
    models: list[dict[str, Any]] = json.loads(done.stdout)["models"]
    return models


def lite_model(binary: Path, model: str, environment: dict[str, str]) -> dict[str, Any]:
    """The entry of a model in lite mode: Codex's newest model without a mode of tools of its own, under another name
    and without tool search, which MiMo does not document."""
    models = _catalogue(binary, frozenset(environment.items()))
    own = next(one for one in models if one.get("tool_mode") is None)
    return {**own, "slug": model, "use_responses_lite": True, "supports_search_tool": False}


def _codex(binary: Path, folder: Path, home: Path, work: Path, one_outcome: bool) -> tuple[list[dict[str, Any]], str]:
    """The events of one ``codex exec``, and its end: ``exit``, ``stopped`` (after one response) or ``timeout``."""
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "CODEX_HOME": str(home),
        KEY: os.environ.get(KEY) or "built-in-key",
        "RUST_LOG": "off",
        "NO_PROXY": "127.0.0.1,localhost",
        **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), NOWHERE),
    }
    command = [str(binary), "exec", "--json", "--skip-git-repo-check", "-C", str(work), "--", "Say hello."]
    output = folder / "events"
    with output.open("wb") as stream:
        process = subprocess.Popen(
            command, env=environment, cwd=work, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        ended = "timeout"
        until = time.monotonic() + TIMEOUT
        try:
            while time.monotonic() < until:
                if process.poll() is not None:
                    ended = "exit"
                    break
                if one_outcome and _dealt_with(list(_session(home))):
                    ended = "stopped"
                    break
                time.sleep(0.05)
        finally:
            _kill(process)
    return list(_lines(output)), ended


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the program and all processes that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON lines of a file that may still be written to."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines):
            if number >= MOST_LINES:
                return
            try:
                value = json.loads(line)
            except ValueError:
                continue
            if isinstance(value, dict):
                yield value


def _session(home: Path) -> Iterator[dict[str, Any]]:
    """The items of the model, the outputs of its calls, and the token counts, from the session file."""
    for path in sorted(home.glob("sessions/**/*.jsonl")):
        for line in _lines(path):
            payload = line.get("payload")
            if not isinstance(payload, dict):
                continue
            if line.get("type") == "response_item" and payload.get("role") not in ("developer", "user", "system"):
                yield payload
            elif line.get("type") == "event_msg" and payload.get("type") == "token_count" and payload.get("info"):
                yield {"type": "usage", **payload["info"].get("last_token_usage", {})}


def _is_output(item: dict[str, Any]) -> bool:
    return str(item.get("type")).endswith("_call_output")


def _first(session: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], bool]:
    """The items of the first response, and whether it is complete: tokens were counted after the outputs of its calls,
    or the next response has begun."""
    found: list[dict[str, Any]] = []
    replied = False
    for item in session:
        replied = replied or _is_output(item)
        if item["type"] == "usage":
            return [*found, item], replied
        if replied and not _is_output(item):
            return found, True
        found.append(item)
    return found, False


def _dealt_with(session: list[dict[str, Any]]) -> bool:
    return _first(session)[1]


def _turn_result(
    events: list[dict[str, Any]], session: list[dict[str, Any]], ended: str, turns: bool
) -> dict[str, Any]:
    items = session if turns else _first(session)[0]
    messages = [
        event["item"].get("text", "")
        for event in events
        if event.get("type") == "item.completed" and event.get("item", {}).get("type") == "agent_message"
    ]
    if not turns and ended == "stopped":
        messages = [_text(item, "output_text") for item in items if item.get("type") == "message"]
    if turns:
        messages = messages[_messages_before_the_last_output(session) :]
    reasoning = [_text(item, "reasoning_text") for item in items if item.get("type") == "reasoning"]
    return {
        "text": "".join(messages),
        "calls": [
            {"call_id": item.get("call_id"), "name": item.get("name"), "arguments": item.get(CALLS[item["type"]])}
            for item in items
            if item.get("type") in CALLS
        ],
        # Codex silently drops a reasoning item without a summary, and the items of MiMo's page have none.
        "reasoning": "".join(reasoning) if reasoning else None,
        "usage": _usage([item for item in items if item["type"] == "usage"]),
        "error": _error(events, ended),
    }


def _messages_before_the_last_output(session: list[dict[str, Any]]) -> int:
    """The number of messages before the last outputs of calls, after which the last response follows."""
    outputs = [place for place, item in enumerate(session) if _is_output(item)]
    before = session[: outputs[-1]] if outputs else []
    return sum(item.get("type") == "message" for item in before)


def _text(item: dict[str, Any], kind: str) -> str:
    parts = item.get("content") or []
    return "".join(part.get("text", "") for part in parts if isinstance(part, dict) and part.get("type") == kind)


def _usage(counts: list[dict[str, Any]]) -> dict[str, int] | None:
    counts = [count for count in counts if count.get("total_tokens")]  # All zero: Codex received no usage.
    if not counts:
        return None
    return {
        name: sum(int(count.get(name) or 0) for count in counts)
        for name in ("input_tokens", "output_tokens", "total_tokens")
    }


def _error(events: list[dict[str, Any]], ended: str) -> dict[str, str] | None:
    for event in events:
        if event.get("type") == "turn.failed":
            return {"type": "turn.failed", "message": str((event.get("error") or {}).get("message"))}
    if ended == "timeout":
        return {"type": "Timeout", "message": f"no end within {TIMEOUT:g} s"}
    if ended == "stopped" or any(event.get("type") == "turn.completed" for event in events):
        return None
    messages = [str(event.get("message")) for event in events if event.get("type") == "error"]
    return {"type": "error", "message": messages[-1] if messages else "it ended without completing the turn"}


if __name__ == "__main__":
    sys.exit(main())
