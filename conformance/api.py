"""The Python API: evaluate captured exchanges, or run the suite against an endpoint, without pytest."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.config.settings import SETTINGS
from conformance.config.target import Misconfigured
from conformance.contract.revisions import DEFAULT
from conformance.engine import setup
from conformance.engine.runs import RunOptions, run_session
from conformance.exchange.exchange import Chunk
from conformance.exchange.redaction import Known, Secret
from conformance.exchange.scrubbing import secrets_of
from conformance.judge import own_rules
from conformance.report import catalogue
from conformance.report.summary import quoted
from conformance.results import baseline_file
from conformance.results.records import CaseRecord
from conformance.results.results_file import Results
from conformance.traffic.captured import Captured, is_ours, unavailable_in
from conformance.traffic.evaluation import evaluate_captures
from conformance.traffic.observer import to_exchange
from conformance.traffic.proxy import ForwardedExchange
from conformance.traffic.sources import read_source, results_of, select_cases, target_of

#: ``Results.path`` of results that are not written.
_UNWRITTEN = Path("results.jsonl")

Headers = Mapping[str, str] | Sequence[tuple[str, str]]


@dataclass(frozen=True)
class CapturedExchange:
    """A captured request to ``POST .../responses`` and its response.

    ``request`` is the JSON body, as a mapping or as the bytes that were sent. ``status``, ``headers`` and ``body`` are
    those of the response; ``body`` is one byte string or the received chunks. Credentials in the headers and the URL
    are redacted in everything stored and shown.
    """

    request: Mapping[str, Any] | bytes
    status: int
    headers: Headers
    body: bytes | Sequence[bytes]
    request_headers: Headers = ()
    url: str = f"http://localhost{DEFAULT.base_path}{DEFAULT.path}"


def evaluate(
    exchanges: Iterable[CapturedExchange] | str | Path,
    *,
    revision: str | None = None,
    only: Sequence[str] = (),
    strict: bool = False,
) -> Results:
    """Evaluate captured exchanges by the rules that need no scenario. Sends no request and writes no file.

    ``exchanges`` are objects, or the path of a HAR file or a run folder. ``revision`` is the revision of the contract
    (default: that of the run folder, else the first). ``only`` are selections as for ``conformance judge --only``. With
    ``strict`` a warning makes the exit code 1. Raises :class:`conformance.Misconfigured`, with a message of one line,
    for a file that cannot be read or a selection that selects no case.
    """
    started = time.monotonic()
    if isinstance(exchanges, str | Path):
        source = read_source(Path(exchanges), revision)
        captured, secrets, target = source.traffic.captured, source.traffic.secrets, source.target
        websockets, file = len(source.traffic.websockets), source.file
    else:
        captured, secrets = _captured(exchanges)
        target, websockets, file = target_of(captured, secrets, revision), 0, _UNWRITTEN
    evaluated = select_cases(evaluate_captures(captured, target, secrets), only)
    return results_of(evaluated, captured, target, file, time.monotonic() - started, strict, websockets)


def _captured(exchanges: Iterable[CapturedExchange]) -> tuple[tuple[Captured, ...], tuple[Secret, ...]]:
    passed = [_passed(one) for one in exchanges]
    known = Known(dict.fromkeys(secret for one in passed for secret in secrets_of(one.sent, one.url)))
    found = []
    for number, one in enumerate(passed, 1):
        if not is_ours(one.method, one.url):
            raise Misconfigured(f"exchange {number}: the URL is {one.url}, expected one that ends in /responses")
        exchange = to_exchange(one, number, known)
        found.append(Captured(exchange.scenario, exchange, unavailable_in(exchange)))
    return tuple(found), known


def _passed(one: CapturedExchange) -> ForwardedExchange:
    body = one.request if isinstance(one.request, bytes) else json.dumps(one.request).encode()
    chunks = [one.body] if isinstance(one.body, bytes) else one.body
    return ForwardedExchange(
        "POST", one.url, _pairs(one.request_headers), body, one.status, _pairs(one.headers),
        tuple(Chunk(0.0, data) for data in chunks), "clean", "", time.time(), 0.0,
    )  # fmt: skip


def _pairs(headers: Headers) -> tuple[tuple[str, str], ...]:
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return tuple((name, value) for name, value in pairs)


def run(
    target: str | Path | None = None,
    *,
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    baseline: Sequence[str | Path] = (),
    strict: bool = False,
    max_failures: int = 0,
    run_dir: str | Path | None = None,
    overwrite: bool = False,
    replay: str | Path | None = None,
    rules: str | Path | None = None,
    evaluated: Callable[[CaseRecord], object] = lambda case: None,
    **settings: str | float | None,
) -> Results:
    """Run the suite against an endpoint and write the exchanges, results and HTML report into the run folder.

    ``target`` is the base URL of the endpoint (``https://host/v1``) or the path of a target file; None is the built-in
    endpoint. ``settings`` are those of ``conformance run`` (``model``, ``revision``, ``rpm``, ...); the key is read
    from the environment variable named by ``api_key_env``. ``only``, ``skip``, ``baseline``, ``strict``, ``run_dir``,
    ``overwrite``, ``replay`` and ``rules`` are the options of these names. ``max_failures`` is the number of failed
    cases that ends the run and the sending; 0: no limit. ``evaluated`` is called with each case after its evaluation,
    before cases are grouped under their root causes.

    Raises :class:`conformance.Misconfigured`, with a message of one line, for a setting that cannot be used.
    """
    file = Path(target) if target and (isinstance(target, Path) or target.endswith(".toml")) else None
    options: dict[str, Any] = {"endpoint": None if file or target is None else target}
    for name, value in settings.items():
        if name.replace("_", "-") not in {one.name for one in SETTINGS}:
            raise Misconfigured(f"unknown setting {name}; expected one of {', '.join(one.name for one in SETTINGS)}")
        options[name.replace("_", "-")] = value
    if rules is not None:
        own_rules.load(Path(rules))
    entries = baseline_file.read(map(Path, baseline))
    session, server = setup.create_session(
        options, file, Path(run_dir) if run_dir else None, False, Path(replay) if replay else None,
        overwrite=overwrite, selections=only, skips=skip,
    )  # fmt: skip
    revision = session.context.target.revision
    known = catalogue.case_ids(revision) if entries else ()
    command = f"conformance run {quoted(str(target))}" if target else "conformance run"
    try:
        return run_session(session, RunOptions(only, skip, entries, known, strict, max_failures, command), evaluated)
    finally:
        if server:
            server.close()
        session.folder.close()
