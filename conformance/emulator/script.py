"""Responses that a TOML file scripts: for requests with a certain input, a text, a call, a status or a fault."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from .hooks import Behaviour, Context, combine
from .shapes import Item, Reply, phrase

#: The members of a `[[response]]`, with their types.
MEMBERS: Mapping[str, type | tuple[type, ...]] = {
    "input": str, "stream": bool, "times": int, "text": str, "call": dict, "status": int, "headers": dict,
    "body": (str, dict), "fault": str, "delay_ms": (int, float),
}  # fmt: skip


@dataclass
class Scripted:
    """One `[[response]]`: what it is for, what it changes, for how many requests it has been used, and a
    number that no other one has."""

    row: Mapping[str, Any]
    behaviour: Behaviour | None
    used: int = 0
    number: int = field(default_factory=count(1).__next__)

    def fits(self, body: Mapping[str, Any]) -> bool:
        """Whether it is for a request with this body."""
        if "times" in self.row and self.used >= self.row["times"]:
            return False
        if "stream" in self.row and self.row["stream"] != (body.get("stream") is True):
            return False
        given = body.get("input")
        text = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
        return str(self.row.get("input", "")) in text

    @property
    def delay(self) -> float:
        """Milliseconds before the first byte."""
        return float(self.row.get("delay_ms", 0))

    def reply(self) -> Reply | None:
        """The reply with the scripted status; None if the endpoint makes it."""
        if "status" not in self.row:
            return None
        body = self.row.get("body", "")
        text = body if isinstance(body, str) else json.dumps(body)
        headers = [("Content-Type", "application/json")]
        headers += [(name, str(value)) for name, value in self.row.get("headers", {}).items()]
        return Reply(self.row["status"], phrase(self.row["status"]), headers, [(self.delay, text.encode())]).complete()


def read(file: Path, faults: Mapping[str, Behaviour]) -> list[Scripted]:
    """The responses of a file, in its order: the first one that fits a request is used.

    Raises ValueError, with one line, if the file cannot be read or has a wrong member.
    """
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"script {file} cannot be read: {getattr(error, 'strerror', '') or error}") from None
    rows = document.get("response")
    if set(document) != {"response"} or not isinstance(rows, list):
        raise ValueError(f"script {file}: expected [[response]] tables and nothing else")
    return [_scripted(row, f"script {file}, response {number}", faults) for number, row in enumerate(rows, 1)]


def _scripted(row: Any, where: str, faults: Mapping[str, Behaviour]) -> Scripted:
    for name, value in row.items():
        if name not in MEMBERS:
            raise ValueError(f"{where}: {name!r} is not known; expected one of {', '.join(MEMBERS)}")
        if not isinstance(value, MEMBERS[name]) or (isinstance(value, bool) and MEMBERS[name] is not bool):
            raise ValueError(f"{where}: {name} is {value!r}, which has the wrong type")
    call = row.get("call")
    if call is not None and (
        set(call) != {"name", "arguments"} or not all(isinstance(one, str) for one in call.values())
    ):
        raise ValueError(f'{where}: expected call = {{ name = "...", arguments = "..." }}, both strings')
    if not 100 <= row.get("status", 200) <= 599:
        raise ValueError(f"{where}: status is {row['status']}, expected 100 to 599")
    parts = []
    if "fault" in row:
        if row["fault"] not in faults:
            raise ValueError(f"{where}: no fault {row['fault']!r}; --list-faults lists them")
        parts.append(faults[row["fault"]])
    if "text" in row or call:
        parts.append(Behaviour("scripted", "script", "Sends the scripted text or call.", draft=_drafted(row)))
    return Scripted(row, combine(parts) if parts else None)


def _drafted(row: Mapping[str, Any]) -> Any:
    def draft(ctx: Context, items: list[Item]) -> list[Item]:
        made = [item for item in items if item.kind == "reasoning"]
        if call := row.get("call"):
            ids = ctx.new_id("fc_"), ctx.new_id("call_")
            made.append(Item("function_call", ids[0], (call["arguments"],), "completed", call["name"], ids[1]))
        if "text" in row:
            made.append(Item("message", ctx.new_id("msg_"), (row["text"],)))
        return made

    return draft
