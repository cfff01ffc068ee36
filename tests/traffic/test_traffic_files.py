"""What is given in place of a HAR: each kind has one line of its own, with the position, and exit code 2."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from pathlib import Path
from typing import Any

import pytest

from conformance.cli import main
from conformance.traffic.har import read_har
from tests.support.traffic import entry, har, received

COMPLETE_BITS: dict[str, Any] = {"log": {"version": "1.2", "creator": {"name": "t", "version": "1"}, "entries": [
    {"request": {"method": "GET", "url": "https://example.com/"}, "response": {"status": 200, "content": {}}},
]}}  # fmt: skip
TEXT = json.dumps(COMPLETE_BITS, indent=1)
LINES = b'{"id": 1}\n{"id": 2}\n'

KINDS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "it is empty (0 bytes)"),
    "blank": (b" \n\n", "it is empty (3 bytes of white space)"),
    "cut": (TEXT.encode()[:60], "its JSON ends at line 5, column 14 (byte 60) before it is complete"),
    "cut in a character": ('{"log": "é'.encode()[:-1], "its JSON ends at line 1, column 10 (byte 9)"),
    "broken": (b'{"log":\n {"entries": [}', "its JSON is invalid at line 2, column 15 (byte 22): expected a value"),
    "single quotes": (b"{'log': 1}", "its JSON is invalid at line 1, column 2 (byte 1): expected a name or }"),
    "after a mark": (b"\xef\xbb\xbf{'log': 1}", "its JSON is invalid at line 1, column 2 (byte 4)"),
    "beyond ASCII": ('{"é": \n"ü" x}'.encode(), "its JSON is invalid at line 2, column 5 (byte 13): expected a comma"),
    "NaN": (b'{"log": {"entries": [], "n": NaN}}', "its JSON is invalid at line 1, column 30 (byte 29)"),
    "deep": (b'{"log": ' + b"[" * 200_000, "(byte 507): arrays and objects more than 500 deep"),
    "JSON lines": (LINES, "it is JSON lines (a second JSON value begins at line 2, column 1 (byte 10))"),
    "results": (b'{"kind": "run"}\n{"kind": "case"}\n', "it is a results file of this suite: name the run folder"),
    "text after": (TEXT.encode() + b"\n}", "its JSON is invalid at line 22, column 1"),
    "UTF-16": (TEXT.encode("utf-16"), "it is UTF-16 (byte order mark FF FE at byte 0), expected UTF-8"),
    "UTF-16 big": (b"\xfe\xff" + TEXT.encode("utf-16-be"), "it is UTF-16 (byte order mark FE FF at byte 0)"),
    "UTF-16 bare": (TEXT.encode("utf-16-le"), "it is UTF-16 without a byte order mark"),
    "UTF-16 bare, big": (TEXT.encode("utf-16-be"), "it is UTF-16 without a byte order mark"),
    "UTF-32": (TEXT.encode("utf-32"), "it is UTF-32 (byte order mark FF FE 00 00 at byte 0)"),
    "Latin-1": ('{"log":\n "é"}'.encode("latin-1"), "it is not UTF-8: 0xE9 at line 2, column 3 (byte 10)"),
    "gzip": (gzip.compress(TEXT.encode()), "it is gzip-compressed (magic number 1F 8B at byte 0)"),
    "bzip2": (bz2.compress(TEXT.encode()), "it is bzip2-compressed"),
    "xz": (lzma.compress(TEXT.encode()), "it is xz-compressed"),
    "zstd": (b"\x28\xb5\x2f\xfd\0\0", "it is zstd-compressed"),
    "ZIP": (b"PK\x03\x04\x14\0", "it is a ZIP archive"),
    "binary": (b"abc\0\1\2", "it is binary: byte 3 is 0x00"),
    "event stream": (b"event: response.created\ndata: {}\n\n", "it is an event stream, which is the body of one"),
    "event stream, later": (b"\n\n: ping\n\ndata: {}\n\n", "(':' at line 3, column 1 (byte 2))"),
    "HTML": (b"\n<!doctype html>", "it is HTML or XML ('<' at line 2, column 1 (byte 1))"),
    "HTTP": (b"HTTP/1.1 200 OK\r\n\r\n", "it is a raw HTTP response"),
    "HTTP request": (b"POST /v1/responses?key=k3y-0f-some0ne HTTP/1.1\r\n\r\n", "it is a raw HTTP request ('POST'"),
    "flows": (b"9135:7:version;2:21#", "it is a flow file of mitmproxy"),
    "words": (b"reports of today", "its JSON is invalid at line 1, column 1 (byte 0): expected a value"),
    "Response": (b'{"object": "response", "output": []}', "it is a bare Response object"),
    "request": (b'{"model": "m", "input": "i"}', "it is a bare request body"),
    "event": (b'{"type": "error", "sequence_number": 1}', "it is one event of a stream"),
    "error": (b'{"error": {}}', "it is a bare error body"),
    "exchange": (b'{"format": 1, "request": {}, "chunks": []}', "it is one exchange of a run folder"),
    "entries": (b'{"entries": []}', "a HAR has them in log.entries"),
    "entry": (b'{"request": {}, "response": {}}', "it is one entry of a HAR"),
    "other": (b'{"openapi": "3.1", "info": {}}', "it has no log; its members are openapi, info"),
    "nothing": (b"{}", "it has no log; it has no member at all"),
    "array": (b"[]", "it contains an array, expected an object with log.entries"),
    "string": (b'"log"', "it contains a string"),
    "number": (b"12", "it contains a number"),
    "null": (b"null", "it contains null"),
    "log": (b'{"log": []}', "/log is an array, expected an object"),
    "no entries": (b'{"log": {"version": "1.2"}}', "/log has no entries; its members are version"),
    "entries of another type": (b'{"log": {"entries": {}}}', "/log/entries is an object, expected an array"),
    "empty entries": (b'{"log": {"entries": []}}', "/log/entries is empty: nothing was captured"),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_each_wrong_kind_has_its_own_line(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, says = KINDS[kind]
    path = tmp_path / "a.har"
    path.write_bytes(data)
    assert main(["judge", str(path)]) == 2
    said = capsys.readouterr()
    (line,) = said.err.splitlines()
    assert line.startswith(f"conformance: {path} is not a HAR: ")
    assert says in line
    assert said.out == ""
    assert "k3y" not in line


def test_a_number_of_thousands_of_digits_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.har").write_text(TEXT.replace("200", "2" * 5000))
    assert read_har(tmp_path / "a.har").others == 1


def test_folders_and_devices(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path, says in (
        (tmp_path, "is no run folder: there is no run.json"),
        (tmp_path / "none", "cannot be read: No such file or directory"),
        (Path("/dev/zero"), "cannot be read: it is a device"),
    ):
        assert main(["judge", str(path)]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert says in line
    har(tmp_path / "b.har", entry(received("text"), "chrome"))
    assert main(["judge", str(tmp_path)]) == 0
    assert "1 exchange with POST" in capsys.readouterr().out
