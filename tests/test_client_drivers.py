"""The drivers of real clients, without the clients: what the one of Codex reads, and what all say where none is."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

DRIVERS = Path(__file__).parent.parent / "conformance" / "clients" / "drivers"

CALL = {"type": "function_call", "name": "get_weather", "arguments": '{"city":"Rome"}', "call_id": "call_1"}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "unsupported call: get_weather"}
MESSAGE = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "It rains."}]}
THOUGHT = {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm."}]}


@pytest.fixture(scope="module")
def codex() -> ModuleType:
    """The driver of Codex, which is a program and no part of a package."""
    spec = importlib.util.spec_from_file_location("codex_driver", DRIVERS / "codex.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _counted(total: int) -> dict[str, Any]:
    return {"input_tokens": total - 5, "output_tokens": 5, "total_tokens": total}


def _recorded(home: Path, *payloads: dict[str, Any]) -> None:
    """A session's record as Codex writes it: what was sent, what came, the counts."""
    kinds = {"token_count": "event_msg"}
    lines = [{"type": kinds.get(one["type"], "response_item"), "payload": one} for one in payloads]
    (home / "sessions" / "2026").mkdir(parents=True)
    text = "\n".join(json.dumps(line) for line in lines) + '\n{"type": "half a li'
    (home / "sessions" / "2026" / "one.jsonl").write_text(text, encoding="utf-8")


def _tokens(total: int) -> dict[str, Any]:
    return {"type": "token_count", "info": {"last_token_usage": _counted(total)}}


def test_codex_session_is_read_for_what_the_model_said(codex: ModuleType, tmp_path: Path) -> None:
    sent = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Say hello."}]}
    _recorded(tmp_path, sent, THOUGHT, CALL, {"type": "token_count", "info": None}, OUTPUT, _tokens(9))
    session = list(codex._session(tmp_path))
    assert [item["type"] for item in session] == ["reasoning", "function_call", "function_call_output", "usage"]


@pytest.mark.parametrize(
    ("session", "over"),
    [
        ([CALL], False),
        ([CALL, OUTPUT], False),
        ([CALL, OUTPUT, {"type": "usage", **_counted(9)}], True),
        ([CALL, OUTPUT, CALL], True),
        ([MESSAGE, {"type": "usage", **_counted(9)}], False),
    ],
)
def test_codex_is_stopped_only_after_a_call_was_dealt_with(
    codex: ModuleType, session: list[dict[str, Any]], over: bool
) -> None:
    assert codex._dealt_with(session) is over


def test_codex_stream_is_the_first_answer_alone(codex: ModuleType) -> None:
    usage = {"type": "usage", **_counted(9)}
    session = [THOUGHT, CALL, OUTPUT, usage, CALL, OUTPUT, usage]
    assert codex._turn_result([], session, "stopped", False) == {
        "text": "",
        "calls": [{"call_id": "call_1", "name": "get_weather", "arguments": '{"city":"Rome"}'}],
        "reasoning": "Hm.",
        "usage": _counted(9),
        "error": None,
    }


def test_codex_turns_end_with_the_last_text(codex: ModuleType) -> None:
    events = [
        {"type": "item.completed", "item": {"type": "agent_message", "text": "I look."}},
        {"type": "item.completed", "item": {"type": "agent_message", "text": "It rains"}},
        {"type": "item.completed", "item": {"type": "agent_message", "text": " today."}},
        {"type": "turn.completed", "usage": {}},
    ]
    first = [MESSAGE, CALL, OUTPUT, {"type": "usage", **_counted(9)}]
    session = [*first, MESSAGE, MESSAGE, {"type": "usage", **_counted(20)}]
    received = codex._turn_result(events, session, "exit", True)
    assert (received["text"], len(received["calls"]), received["reasoning"], received["error"]) == (
        "It rains today.",
        1,
        None,
        None,
    )
    assert received["usage"] == {"input_tokens": 19, "output_tokens": 10, "total_tokens": 29}


@pytest.mark.parametrize(
    ("events", "ended", "kind", "message"),
    [
        ([{"type": "turn.failed", "error": {"message": "Incomplete"}}], "exit", "turn.failed", "Incomplete"),
        ([{"type": "error", "message": "No key"}], "exit", "error", "No key"),
        ([], "exit", "error", "it ended without completing the turn"),
        ([], "timeout", "Timeout", "no end within 20 s"),
    ],
)
def test_codex_errors_are_told(
    codex: ModuleType, events: list[dict[str, Any]], ended: str, kind: str, message: str
) -> None:
    assert codex._turn_result(events, [], ended, False)["error"] == {"type": kind, "message": message}


def test_codex_lite_reads_custom_calls_and_has_a_model_in_that_mode(codex: ModuleType, tmp_path: Path) -> None:
    custom = {"type": "custom_tool_call", "name": "apply_patch", "input": "text", "call_id": "call_2"}
    answer = codex._turn_result([], [CALL, custom, OUTPUT, {"type": "usage", **_counted(9)}], "stopped", False)
    assert [(one["name"], one["arguments"]) for one in answer["calls"]] == [
        ("get_weather", '{"city":"Rome"}'),
        ("apply_patch", "text"),
    ]
    program = tmp_path / "codex"
    models = [{"slug": "a", "tool_mode": "other"}, {"slug": "b", "supports_search_tool": True}]
    program.write_text(f"#!{sys.executable}\nprint({json.dumps(json.dumps({'models': models}))})\n")
    program.chmod(0o755)
    expected = {"slug": "mimo-v2.6-pro", "use_responses_lite": True, "supports_search_tool": False}
    assert codex.lite_model(program, "mimo-v2.6-pro", {"PATH": os.environ["PATH"]}) == expected


@pytest.mark.parametrize("driver", ["codex.py", "openai-node.mjs", "ai-sdk.mjs"])
def test_a_driver_without_its_client_says_so(driver: str, tmp_path: Path) -> None:
    program = sys.executable if driver.endswith(".py") else shutil.which("node")
    if program is None:
        pytest.skip("there is no Node here")
    environment = {name: value for name, value in os.environ.items() if name != "NODE_PATH"}
    ran = subprocess.run(
        [program, DRIVERS / driver, tmp_path], env=environment, input="", capture_output=True, text=True, timeout=20
    )
    assert (ran.returncode, ran.stdout) == (3, "")
    assert ran.stderr.strip().endswith("is not installed")
