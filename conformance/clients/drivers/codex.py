"""Driver of the Codex CLI, the binary in the npm package ``@openai/codex``: a program of its own.

It looks for ``node_modules`` in the folder given as argument, else in the working folder, and in ``NODE_PATH``. Jobs
come as JSON lines on standard input, one answer each goes to standard output. Modes: ``stream``, one answer; ``turns``,
where what comes after a call is asked for too: ``text`` is then that of the last answer, ``calls`` and ``reasoning``
are those of all, ``usage`` is the sum.

Text, errors and how a turn ends come from the events of ``codex exec --json``; calls, reasoning and usage from the
session's own record, for the events do not tell of calls to tools that Codex does not have. It refuses these and asks
again, without end where the same answer stays: ``stream`` is over when the first answer has been dealt with, and every
job when its time is up.

No tool runs anything: Codex's shell is switched off, so that a replayed answer commands nothing on this machine. And
nothing but the base URL is reached: what would go elsewhere meets a proxy that is not there.
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
from pathlib import Path
from typing import Any

TIMEOUT = float(os.environ.get("CLIENT_TIMEOUT") or 20)
KEY = "MIMO_API_KEY"
MOST_LINES = 5000

#: A port on which nothing listens, for everything but loopback.
NOWHERE = "http://127.0.0.1:9"

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
    """Says what it is, then answers jobs until the input ends; 3 without the client."""
    if (found := _find()) is None:
        print("@openai/codex is not installed", file=sys.stderr)
        return 3
    binary, version = found
    _say({"client": "codex", "version": version})
    for line in sys.stdin:
        job = json.loads(line)
        try:
            answer = _run(binary, job)
        except Exception as error:  # One job must not end the others.
            answer = _failed(type(error).__name__, str(error))
        _say({"id": job.get("id"), **answer})
    return 0


def _find() -> tuple[Path, str] | None:
    places = [Path(sys.argv[1])] if len(sys.argv) > 1 else [Path.cwd()]
    folders = [place / "node_modules" for place in places]
    folders += [Path(place) for place in os.environ.get("NODE_PATH", "").split(os.pathsep) if place]
    for folder in folders:
        own = folder / "@openai" / "codex" / "package.json"
        # The package of the platform lies beside it, or inside it.
        binaries = [
            *folder.glob("@openai/codex-*/vendor/*/bin/codex"),
            *folder.glob("@openai/codex/node_modules/@openai/codex-*/vendor/*/bin/codex"),
            *folder.glob("@openai/codex/vendor/*/bin/codex"),
        ]
        if own.is_file() and binaries:
            return binaries[0].resolve(), str(json.loads(own.read_text(encoding="utf-8"))["version"])
    return None


def _say(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


def _failed(kind: str, message: str) -> dict[str, Any]:
    return {"text": None, "calls": None, "reasoning": None, "usage": None, "error": {"type": kind, "message": message}}


def _run(binary: Path, job: dict[str, Any]) -> dict[str, Any]:
    if job.get("mode") not in ("stream", "turns"):
        return _failed("UnknownMode", f"there is no mode {job.get('mode')!r}")
    with tempfile.TemporaryDirectory(prefix="client-", ignore_cleanup_errors=True) as folder:
        home = Path(folder) / "codex"
        work = Path(folder) / "work"
        home.mkdir()
        work.mkdir()
        model = str(job.get("request", {}).get("model") or "mimo-v2.5-pro")
        config = CONFIG.format(model=json.dumps(model), base_url=json.dumps(job["base_url"]))
        (home / "config.toml").write_text(config, encoding="utf-8")
        events, ended = _codex(binary, Path(folder), home, work, one_answer=job["mode"] == "stream")
        return _answer(events, list(_session(home)), ended, job["mode"] == "turns")


def _codex(binary: Path, folder: Path, home: Path, work: Path, one_answer: bool) -> tuple[list[dict[str, Any]], str]:
    """The events of one ``codex exec``, and how it ended: ``exit``, ``stopped`` after one answer, or ``timeout``."""
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
                if one_answer and _dealt_with(list(_session(home))):
                    ended = "stopped"
                    break
                time.sleep(0.05)
        finally:
            _kill(process)
    return list(_lines(output)), ended


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Ends the program with all it started."""
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
    """What the session's record says came from the model, what it was told in return, and the counts of tokens."""
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
    """What belongs to the first answer, and whether it is known to be over: then tokens were counted after the outputs
    of its calls, or the next answer has begun."""
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


def _answer(events: list[dict[str, Any]], session: list[dict[str, Any]], ended: str, turns: bool) -> dict[str, Any]:
    items = session if turns else _first(session)[0]
    messages = [
        event["item"].get("text", "")
        for event in events
        if event.get("type") == "item.completed" and event.get("item", {}).get("type") == "agent_message"
    ]
    if not turns and ended == "stopped":
        messages = [_text(item, "output_text") for item in items if item.get("type") == "message"]
    if turns:
        messages = messages[_said_before_the_last(session) :]
    reasoning = [_text(item, "reasoning_text") for item in items if item.get("type") == "reasoning"]
    return {
        "text": "".join(messages),
        "calls": [
            {"call_id": item.get("call_id"), "name": item.get("name"), "arguments": item.get("arguments")}
            for item in items
            if item.get("type") == "function_call"
        ],
        # A reasoning item without a summary is dropped without a word, and the page's items have none.
        "reasoning": "".join(reasoning) if reasoning else None,
        "usage": _usage([item for item in items if item["type"] == "usage"]),
        "error": _error(events, ended),
    }


def _said_before_the_last(session: list[dict[str, Any]]) -> int:
    """How many messages came before the outputs of calls that the last answer follows on."""
    outputs = [place for place, item in enumerate(session) if _is_output(item)]
    before = session[: outputs[-1]] if outputs else []
    return sum(item.get("type") == "message" for item in before)


def _text(item: dict[str, Any], kind: str) -> str:
    parts = item.get("content") or []
    return "".join(part.get("text", "") for part in parts if isinstance(part, dict) and part.get("type") == kind)


def _usage(counts: list[dict[str, Any]]) -> dict[str, int] | None:
    counts = [count for count in counts if count.get("total_tokens")]  # All zero: it was told nothing.
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
    said = [str(event.get("message")) for event in events if event.get("type") == "error"]
    return {"type": "error", "message": said[-1] if said else "it ended without completing the turn"}


if __name__ == "__main__":
    sys.exit(main())
