"""The key is nowhere in what a run leaves, wherever and however an endpoint gives it back."""

from __future__ import annotations

import base64
import gzip
import json
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from conformance.config.target import resolve
from conformance.engine.redaction import redacted_case
from conformance.engine.session import Session
from conformance.exchange.credential_forms import filler
from conformance.exchange.exchange import to_json
from conformance.exchange.planned import OutgoingRequest
from conformance.exchange.run_directory import RunDirectory
from conformance.results.records import CaseRecord, FindingRecord
from conformance.wire.client import Client
from tests.support.rawserver import Peer, RawServer, Script, chunk, head, received
from tests.test_plugin import pytest_run
from tools.in_process import context

KEY = "sk-canary-4f7a91c2e8d05b63"
JSON, STREAM = "Content-Type: application/json", "Content-Type: text/event-stream"
CHUNKED = "Transfer-Encoding: chunked"


def hexed(text: str, before: str = "") -> str:
    return "".join(f"{before}{ord(letter):02x}" for letter in text)


#: The ways to write it; this list shares nothing with the one that redacts.
WRITTEN: dict[str, Callable[[str], str]] = {
    "raw": str,
    "base64": lambda key: base64.b64encode(key.encode()).decode(),
    "base64 in more": lambda key: base64.b64encode(f"user:{key}, and more".encode()).decode(),
    "base64 in still more": lambda key: base64.b64encode(f"a user:{key}, and more".encode()).decode(),
    "base64 of a header": lambda key: base64.urlsafe_b64encode(f"api-key: {key}\r\n".encode()).decode(),
    "percent": lambda key: quote(key, safe=""),
    "percent all over": lambda key: hexed(key, "%"),
    "JSON all over": lambda key: hexed(key, "\\u00").upper().replace("\\U", "\\u"),
    "percent twice": lambda key: hexed(key, "%25"),
    "JSON here and there": lambda key: key.replace("c", "\\u0063").replace("7", "\\u0037"),
    "upper": str.upper,
    "hex": hexed,
    "HEX": lambda key: hexed(key).upper(),
    "most of it": lambda key: key[:-4],
    "half of it": lambda key: key[len(key) // 2 :],
}


def error(text: str) -> bytes:
    return b'{"error":{"message":"no such key: %b","type":"x","param":"","code":"401"}}' % text.encode()


def in_pieces(text: str) -> Script:
    """A stream that deals it out three characters at a time."""
    pieces = [text[at : at + 3] for at in range(0, len(text), 3)]
    about = '"item_id":"m","output_index":0,"content_index":0'
    frames = [f'data: {{"type":"response.output_text.delta",{about},"delta":"{piece}"}}\n\n' for piece in pieces]
    frames.append(f'data: {{"type":"response.output_text.done",{about},"text":"something else"}}\n\n')
    return lambda peer: peer.send(head(STREAM, CHUNKED) + b"".join(chunk(one.encode()) for one in [*frames, ""]))


def cut(text: str) -> Script:
    """An error whose chunks end within it."""
    body = error(text)
    middle = len(body) - 40
    return lambda peer: peer.send(
        head(JSON, CHUNKED, status="401 No") + chunk(body[:middle]) + chunk(body[middle:]) + chunk(b"")
    )


PLACES: dict[str, Callable[[str], Script]] = {
    "error": lambda text: received(error(text), JSON, status="401 No"),
    "header": lambda text: received(b"{}", JSON, f"X-Echo: you sent {text}!"),
    "header name": lambda text: received(b"{}", JSON, f"X-{text}: yes") if text[0] in "s4" else received(b"{}", JSON),
    "cookie": lambda text: received(b"{}", JSON, f"Set-Cookie: key={text}; Path=/"),
    "redirect": lambda text: received(b"", f"Location: https://elsewhere.invalid/?key={text}", status="302 Away"),
    "reason": lambda text: received(b"{}", JSON, status=f"200 {text}"),
    "status line": lambda text: lambda peer: peer.send(f"HTTP {text} 200\r\n\r\n".encode()),
    "chunks": cut,
    "deltas": in_pieces,
    "gzip": lambda text: received(gzip.compress(error(text)), JSON, "Content-Encoding: gzip", status="400 No"),
    "gzip untold": lambda text: received(gzip.compress(error(text)), JSON),
    "no JSON": lambda text: received(f"<p>{text}</p>".encode(), "Content-Type: text/html"),
    "members": lambda text: received(b'{"%b":{"id":"%b"}}' % (text.encode(), text.encode()), JSON),
    "broken chunk": lambda text: lambda peer: peer.send(head(JSON, CHUNKED) + f"{text}\r\n".encode()),
}


def found_in(data: bytes, key: str = KEY) -> list[str]:
    """Parts of the key of ten characters and more, in any of the ways to write it."""
    parts = {key[at : at + 10] for at in range(len(key) - 9)}
    # Ten letters, and not a digit among them, would have to be a word.
    written = {part.encode() for part in parts if any(map(str.isdigit, part))}
    data += re.sub(rb"\\+u00(63|37)", lambda found: bytes([int(found[1], 16)]), data)
    for shift in range(3):
        whole = base64.b64encode(bytes(shift) + key.encode())[(0, 2, 3)[shift] : -4]
        written |= {whole[at : at + 14] for at in range(len(whole) - 13)}
    written |= {hexed(part, before).encode() for part in parts for before in ("", "%", "%25", "\\u00", "\\\\u00")}
    lower = data.lower()
    return [part.decode() for part in written if part in data or (part == part.lower() and part in lower)]


def planned(url: str, auth: str = "bearer") -> str:
    target = resolve({"endpoint": url, "total-timeout": 5}, {}, "nonce", None)
    client = Client(target, KEY)
    try:
        exchange = client.send(OutgoingRequest("key", "scenario", 0, "POST", b'{"stream":true}', auth, (), 1))
    finally:
        client.close()
    return json.dumps(to_json(exchange), ensure_ascii=False)


def test_the_search_finds_what_is_there() -> None:
    assert all(found_in(write(KEY).encode()) for write in WRITTEN.values())
    assert found_in(b"sk-canary- of another key, and 4f7a91c2") == []


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("way", WRITTEN)
def test_an_exchange_never_holds_the_key(place: str, way: str) -> None:
    server = RawServer(PLACES[place](WRITTEN[way](KEY)))
    try:
        kept = planned(server.url)
    finally:
        server.close()
    assert found_in(kept.encode()) == []


@pytest.fixture
def leaky() -> Iterator[RawServer]:
    """Gives the key back with every answer, each time elsewhere and otherwise."""
    scripts = [place(write(KEY)) for place in PLACES.values() for write in WRITTEN.values()]
    lock, number = threading.Lock(), iter(range(1_000_000))

    def script(peer: Peer) -> None:
        with lock:
            mine = next(number) * 5 % len(scripts)
        scripts[mine](peer)

    server = RawServer(script)
    yield server
    server.close()


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_run_leaves_no_key_behind(leaky: RawServer, tmp_path: Path, workers: str) -> None:
    run = pytest_run(
        *("--endpoint", leaky.url, "--run-dir", str(tmp_path / "run"), "-n", workers, "--concurrency", "8"),
        *("--junit-xml", str(tmp_path / "junit.xml"), "--alluredir", str(tmp_path / "allure"), "-vv", "-rA"),
        *("--log-level=DEBUG", "--log-file", str(tmp_path / "log"), "--showlocals", "--tb=long"),
        *("--only", "*@text*", "--results", str(tmp_path / "results.jsonl")),
        key=KEY,
    )
    assert run.returncode == 1, run.stdout + run.stderr
    left = {str(file): file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    left |= {"stdout": run.stdout.encode(), "stderr": run.stderr.encode()}
    left |= {f"name of {name}": name.encode() for name in left}
    assert len(left) > 60
    assert {name: found for name, data in left.items() if (found := found_in(data))} == {}


def test_no_process_shows_the_key(tmp_path: Path) -> None:
    shown: list[bytes] = []

    def script(peer: Peer) -> None:
        for process in Path("/proc").glob("[0-9]*"):
            for name in ("cmdline", "comm"):
                try:
                    shown.append((process / name).read_bytes())
                except OSError:
                    continue
        received(b"{}", JSON)(peer)

    server = RawServer(script)
    arguments = ("--endpoint", server.url, "--only", "http.success-is-200@text", "-n", "2", "--run-dir", str(tmp_path))
    pytest_run(*arguments, key=KEY)
    server.close()
    assert server.requests
    assert [one for one in shown if found_in(one)] == []


def test_a_finding_that_joins_the_pieces_is_cleared(tmp_path: Path) -> None:
    session = Session(context(), RunDirectory(tmp_path), KEY)

    def case(key: str) -> CaseRecord:
        return CaseRecord(KEY, "a.b", "c", "a", "MUST", "fail", (), (FindingRecord(f"a {key}", got={"x": [key, 1]}),))

    assert redacted_case(session.secrets, case(KEY)) == case(filler(KEY.encode()).decode())
