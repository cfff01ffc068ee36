"""Captured traffic for the tests: what the in-process endpoint answers, and HAR files in the shapes of those who write
them."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from conformance.emulator import Behaviour, Endpoint
from conformance.exchange.exchange import Exchange
from conformance.scenarios.plan import Plan
from conformance.traffic.captured import Captured
from conformance.traffic.evaluation import Evaluation, evaluate_captures
from tools.in_process import KEY as SERVER_KEY
from tools.in_process import NOW, InProcess, context, target

KEY = "sk-real-client-key-4f9a0c77"

#: Enough of a run to show what needs no scenario: texts, calls, thinking, what is cut, and refusals.
FEW = frozenset({
    "text", "text.stream", "unicode", "unicode.stream", "tools.call", "tools.call.stream", "cut.stream",
    "effort.high", "effort.high.stream", "bad.malformed-json", "auth.wrong-key-bad-body", "tools.parallel",
    "json.stream", "tools.cut.stream",
})  # fmt: skip


def traffic(behaviour: Behaviour | None, names: Collection[str] = FEW, revision: str = "2026-06-24") -> list[Captured]:
    """The exchanges of these scenarios (all without any) with an endpoint with this twist."""
    here, model = context(revision), target(revision).model
    sender = InProcess(Endpoint(key=SERVER_KEY, revision=revision, model=model, behaviour=behaviour, clock=lambda: NOW))
    found: dict[str, Exchange] = {}
    plan = Plan(here, [name for name in here.scenarios if not names or name in names])
    wanted = {plan.key_of[name] for name in names if name in plan.key_of}
    for planned in plan.requests:
        outgoing = planned.build([found[key] for key in planned.after if key in found])
        if outgoing:
            found[planned.key] = sender.send(outgoing)
    kept = [one for key, one in found.items() if one.request.method == "POST" and (not names or key in wanted)]
    return [Captured(one.scenario, one) for one in kept]


def evaluated(captured: list[Captured], revision: str = "2026-06-24") -> Evaluation:
    """What the passive rules say of it."""
    return evaluate_captures(captured, target(revision))


def broken(found: Evaluation) -> set[str]:
    """The rules that are broken, or whose check is."""
    return {line.requirement for line in found.cases if line.verdict in ("fail", "warning", "error")}


def received(name: str, behaviour: Behaviour | None = None) -> Exchange:
    """The exchange of one scenario."""
    return traffic(behaviour, (name,))[0].exchange


def responses(*names: str) -> list[Exchange]:
    """The exchanges of several scenarios with one endpoint."""
    return [one.exchange for one in traffic(None, names)]


def entry(exchange: Exchange, writer: str, **content: Any) -> dict[str, Any]:
    """A HAR entry of an exchange as ``chrome``, ``firefox`` or ``mitmproxy`` write it; ``content`` goes on top."""
    started = datetime.fromtimestamp(NOW, UTC).isoformat().replace("+00:00", "Z")
    body, text = exchange.body, exchange.body.decode("utf-8", "replace")
    sent = [("Content-Type", "application/json"), ("Authorization", f"Bearer {KEY}"), ("Cookie", "sid=c00kie-1234567")]
    kind = exchange.header("content-type") or ""
    held: dict[str, Any] = {"mimeType": kind, "size": len(body), "text": text}
    headers = [*exchange.headers, ("set-cookie", "sid=c00kie-1234567; Path=/")]
    response: dict[str, Any] = {"status": exchange.status, "statusText": "", "httpVersion": "http/2.0", "cookies": []}
    if writer == "chrome":
        sent = [(":method", "POST"), (":authority", "api.example.com"), *((n.lower(), v) for n, v in sent)]
        headers = [(":status", str(exchange.status)), *headers]
        response |= {"_transferSize": 700, "_error": None, "bodySize": -1}
    elif writer == "mitmproxy":
        packed = len(body) // 3
        held |= {"size": packed, "compression": len(body) - packed}
        held |= {"text": base64.b64encode(body).decode(), "encoding": "base64"}
        headers += [("Content-Encoding", "gzip"), ("Content-Length", str(packed))]
    return {
        "startedDateTime": started,
        "time": 12.5,
        "request": {
            "method": "POST",
            "url": "https://api.example.com/v1/responses",
            "httpVersion": "HTTP/2",
            "headers": [{"name": name, "value": value} for name, value in sent],
            "queryString": [],
            "postData": {"mimeType": "application/json", "text": exchange.request.body.decode()},
        },
        "response": response
        | {
            "headers": [{"name": name, "value": value} for name, value in headers],
            "content": {name: value for name, value in (held | content).items() if value is not None},
            "redirectURL": "",
        },
        "cache": {},
        "timings": {"send": 0, "wait": 1, "receive": 1},
    }


def har(path: Path, *entries: Any) -> Path:
    """A HAR file of these entries, with two more that are not ours at its beginning."""
    page = {"request": {"method": "GET", "url": "https://example.com/"}, "response": {"status": 200, "content": {}}}
    document = {"log": {"version": "1.2", "creator": {"name": "t", "version": "1"}, "entries": [page, None, *entries]}}
    path.write_text(json.dumps(document), encoding="utf-8")
    return path
