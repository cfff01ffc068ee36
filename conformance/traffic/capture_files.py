"""The files that contain captured traffic: a HAR, a cassette, or the body of one response; or a folder of them.

The kind of a file follows from its content; its name decides only for ``.har``, which is always a HAR, and for YAML. A
file of another kind is one line, which states what it is; in a folder the others are evaluated all the same.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from conformance.config.target import Misconfigured
from conformance.exchange.codings import GZIP
from conformance.exchange.redaction import Known
from conformance.traffic import bodies, cassettes, http_text
from conformance.traffic.bodies import Unrelated
from conformance.traffic.har import Har, read_entries, read_har
from conformance.traffic.har_file import NOTHING, known_by_first_line, to_integer
from conformance.traffic.recorders import recorded_by_tools

#: The names of files that may contain captured traffic. Others in a folder are not read.
_NAMES = (".har", ".yaml", ".yml", ".json", ".jsonl", ".ndjson", ".sse", ".txt", ".chlsj")

#: The most bytes of a file other than a HAR, after it was decompressed.
_MOST = 256_000_000

#: The folders in which WireMock keeps recorded exchanges and their bodies.
_WIREMOCK = ("mappings", "__files")

#: What curl adds behind a body: the status, by -w '%{http_code}', or the reason why the body is incomplete.
_OF_CURL = re.compile(rb"\r?\n(?:[1-5]\d\d|curl: \(\d+\) [^\n]*)\s*\Z")

#: The most bytes of such a line.
_LONGEST = 300

_ZIP = b"PK\x03\x04"


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # The one that libyaml has, if any.
    """Reads plain values, and the binary text that Ruby marks with a tag of its own."""


_Loader.add_constructor("!binary", yaml.SafeLoader.construct_yaml_binary)
_Loader.add_constructor("!tape", yaml.SafeLoader.construct_yaml_map)  # Of the Betamax of Java.

#: How a cassette in YAML begins, whatever its name.
_YAML = ("interactions:", "http_interactions:", "---", "version:")


def is_capture_folder(path: Path) -> bool:
    """Whether a folder is read as a folder of captures: it is no run folder and contains a file of such a name."""
    return path.is_dir() and not (path / "run.json").exists() and next(_files(path), None) is not None


def read_capture(path: Path, named: Sequence[str] = (), prefix: str = "") -> Har:
    """The exchanges of a file; ``named``: further headers with a key; ``prefix`` precedes their labels.

    :class:`Misconfigured` with one line if it cannot be read or contains no exchange.
    """
    if path.suffix.lower() == ".har" or not path.is_file():
        return read_har(path, named, prefix)
    try:
        found = _entries(path, _data_of(path))
    except Unrelated as error:
        raise Misconfigured(f"{path} is no capture: it contains {error}") from None
    if found is None:
        return read_har(path, named, prefix)
    entries, noun = found
    single = prefix.rstrip(" ") or "response"
    return read_entries(
        entries, _folder_of_bodies(path), named, lambda place: f"{prefix}{noun} {place}" if noun else single
    )


def _folder_of_bodies(path: Path) -> Path:
    """The folder of the files that a recording names: WireMock writes them beside the folder ``mappings``."""
    return path.parent.with_name(_WIREMOCK[1]) if path.parent.name == _WIREMOCK[0] else path.parent


def read_folder(path: Path, named: Sequence[str] = ()) -> Har:
    """The exchanges of all captures in a folder and the folders below it, and by file why another is not read."""
    read: dict[Path, Har] = {}
    unread: dict[str, str] = {}
    for file in _files(path):
        name = str(file.relative_to(path))
        try:
            read[file] = _of_source(read_capture(file, named, f"{name} "), name)
        except Misconfigured as error:
            unread[name] = str(error).removeprefix(f"{file} ")
    lone = [name for name, why in unread.items() if why.endswith(bodies.LONE_REQUEST)]
    requests = {name for name in lone if _is_used(path / name, read)}
    return Har(
        tuple(one for har in read.values() for one in har.captured),
        sum(har.others for har in read.values()),
        Known(dict.fromkeys(secret for har in read.values() for secret in har.secrets)),
        {label: why for har in read.values() for label, why in har.websockets.items()},
        {label: why for har in read.values() for label, why in har.repeated.items()},
        {name: why for name, why in unread.items() if name not in requests},
    )


def unread_captures(unread: Mapping[str, str]) -> int:
    """How many of the files that were not read may contain exchanges: those named ``.har``, except empty ones."""
    return sum(name.lower().endswith(".har") and not why.endswith(NOTHING) for name, why in unread.items())


def _of_source(har: Har, source: str) -> Har:
    return replace(har, captured=tuple(replace(one, source=source) for one in har.captured))


def _is_used(file: Path, read: dict[Path, Har]) -> bool:
    """Whether a request body is that of a response beside it."""
    string = file.read_bytes().strip()
    beside = (one for other, har in read.items() if other.parent == file.parent for one in har.captured)
    return any(one.exchange.request.body.strip() == string for one in beside)


def _files(folder: Path) -> Iterator[Path]:
    """The files of a folder that may contain captured traffic, in order of their names."""
    found = (one for one in sorted(folder.rglob("*")) if one.is_file() and not one.name.startswith("."))
    found = (one for one in found if one.parent.name != _WIREMOCK[1])  # They belong to recorded exchanges.
    return (one for one in found if one.name.lower().removesuffix(".gz").endswith(_NAMES))


def _data_of(path: Path) -> bytes:
    """The bytes of a file, decompressed if its name ends in ``.gz``; :class:`Unrelated` if they cannot be read."""
    try:
        if path.stat().st_size > _MOST:
            raise Unrelated(f"more than {_MOST:,} bytes")
        data = path.read_bytes()
        if data.startswith(GZIP) and path.suffix.lower() == ".gz":
            with gzip.open(path) as file:
                data = file.read(_MOST)
        if data.startswith(_ZIP):
            raise Unrelated("a ZIP archive, as Fiddler and Playwright write: name the HAR in it")
        return data
    except (OSError, EOFError, zlib.error) as error:
        raise Unrelated(f"no readable text: {getattr(error, 'strerror', None) or error}") from None


def _entries(path: Path, data: bytes) -> tuple[list[dict[str, Any]], str] | None:
    """The entries of a file and the noun of one, empty if there is only one; None if it may be a HAR."""
    if added := _OF_CURL.search(data, max(0, len(data) - _LONGEST)):
        data = data[: added.start() + 1]
    try:
        string = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        if entry := http_text.message_entry(data, path) or bodies.invalid_entry(data, path):
            return [entry], ""
        raise Unrelated("bytes that are not UTF-8") from None
    start = string.lstrip()[:20]
    name = path.name.lower().removesuffix(".gz")
    if entry := http_text.message_entry(data, path):
        return [entry], ""
    if not name.endswith(".sse") and _are_data_lines(string) and (lines := bodies.lines_of(string)):
        return _of_value(path, string, lines)
    if start.startswith(("{", "[")):
        return _of_json(path, string)
    if name.endswith((".yaml", ".yml")) or start.startswith(_YAML):
        return _of_value(path, string, _yaml(string))
    if name.endswith((".jsonl", ".ndjson")) and (lines := bodies.lines_of(string, name)):
        return _of_value(path, string, lines)
    if bodies.is_event_stream(string):
        return [bodies.stream_entry(string, path)], ""
    if not start:
        raise Unrelated("nothing")
    what = known_by_first_line(string)
    raise Unrelated(what or "text that is no event stream, JSON or YAML of a recording")


def _are_data_lines(string: str) -> bool:
    """Whether a text is the ``data:`` lines of a log, without the blank lines that end the events of a stream."""
    if not string.startswith("data:"):
        return False  # Most files are long, and no such log.
    lines = string.strip().split("\n")
    return len(lines) > 1 and all(line.startswith("data:") for line in lines)


def _of_json(path: Path, string: str) -> tuple[list[dict[str, Any]], str] | None:
    try:
        document = json.loads(string, parse_int=to_integer)
    except (ValueError, RecursionError):
        lines = bodies.lines_of(string, path.name.lower().removesuffix(".gz"))
        if lines and (not bodies.is_response(lines[0]) or all(map(bodies.is_response, lines))):
            return _of_value(path, string, lines)
        entry = bodies.invalid_entry(string.encode(), path)
        return ([entry], "") if entry else None  # The reader of HAR files reports where the JSON is invalid.
    return None if isinstance(document, dict) and "log" in document else _of_value(path, string, document)


def _of_value(path: Path, string: str, value: Any) -> tuple[list[dict[str, Any]], str]:
    interactions = cassettes.interactions_of(value)
    if interactions is None:
        interactions = recorded_by_tools(value)
    if interactions is not None:
        if not interactions:
            raise Unrelated("a cassette without an interaction")
        return cassettes.entries_of(interactions), "interaction"
    if isinstance(value, list):
        entries = bodies.value_entries(value, path)
        return entries, "response" if len(entries) > 1 else ""
    if isinstance(value, dict):
        return [bodies.object_entry(value, string, path)], ""
    raise Unrelated("a value that is no recording")


def _yaml(string: str) -> Any:
    try:
        return yaml.load(string, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise Unrelated(f"invalid YAML{where}: {getattr(error, 'problem', None) or 'not readable'}") from None
    except (ValueError, RecursionError, TypeError, OverflowError):
        raise Unrelated("YAML that cannot be read as plain values") from None
