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
from conformance.report import catalogue
from conformance.report.summary import quoted
from conformance.results import baseline_file
from conformance.results.records import CaseRecord
from conformance.results.results_file import Results
from conformance.traffic.captured import Captured, is_ours, unavailable_in
from conformance.traffic.evaluation import evaluate_captures
from conformance.traffic.observer import seen
from conformance.traffic.proxy import ForwardedExchange
from conformance.traffic.sources import read_source, results_of, selected, target_of

#: File that results are named after which are not written yet.
_UNWRITTEN = Path("results.jsonl")

Headers = Mapping[str, str] | Sequence[tuple[str, str]]


@dataclass(frozen=True)
class CapturedExchange:
    """One request to ``POST .../responses`` and its response, as some program captured them.

    ``request`` is the JSON body, as a mapping or as the bytes that were sent. ``body`` is the body of the response,
    whole or as the chunks that were received. Credentials in the headers are never kept or shown.
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
    """Evaluate captured exchanges by the rules that need no scenario; sends and writes nothing.

    ``exchanges`` are given as objects, or by the path of a HAR file or of a run folder. ``revision`` is that of the
    contract (the run folder's, else the first). ``only`` selects cases as ``conformance judge --only`` does. With
    ``strict`` a warning makes the exit code 1. :class:`conformance.Misconfigured` says in one line what cannot be read
    or selected.
    """
    started = time.monotonic()
    if isinstance(exchanges, str | Path):
        source = read_source(Path(exchanges), revision)
        captured, secrets, target = source.traffic.captured, source.traffic.secrets, source.target
        websockets, file = len(source.traffic.websockets), source.file
    else:
        captured, secrets = _captured(exchanges)
        target, websockets, file = target_of(captured, secrets, revision), 0, _UNWRITTEN
    evaluated = selected(evaluate_captures(captured, target, secrets), only)
    return results_of(evaluated, captured, target, file, time.monotonic() - started, strict, websockets)


def _captured(exchanges: Iterable[CapturedExchange]) -> tuple[tuple[Captured, ...], tuple[Secret, ...]]:
    passed = [_passed(one) for one in exchanges]
    known = Known(dict.fromkeys(secret for one in passed for secret in secrets_of(one.sent, one.url)))
    found = []
    for number, one in enumerate(passed, 1):
        if not is_ours(one.method, one.url):
            raise Misconfigured(f"exchange {number} is not of POST .../responses: {one.url}")
        exchange = seen(one, number, known)
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
    baseline: Sequence[str | Path] = (),
    strict: bool = False,
    max_failures: int = 0,
    run_dir: str | Path | None = None,
    overwrite: bool = False,
    replay: str | Path | None = None,
    evaluated: Callable[[CaseRecord], object] = lambda case: None,
    **settings: str | float | None,
) -> Results:
    """Run the suite against an endpoint; the exchanges and results are written into the run folder.

    ``target`` is the base URL of the endpoint (``https://host/v1``) or the path of a target file; without it the
    built-in endpoint is evaluated. ``settings`` are those of ``conformance run`` (``model``, ``revision``, ``rpm``,
    ...); the key is read from the environment variable that ``api_key_env`` names. ``only``, ``baseline``, ``strict``,
    ``run_dir``, ``overwrite`` and ``replay`` are the options of that name. ``max_failures`` ends the run after so many
    failed cases: what is not sent by then is not sent. ``evaluated`` is called with each case as it is evaluated,
    before cases are grouped under their causes.

    :class:`conformance.Misconfigured` says in one line which setting cannot be used.
    """
    file = Path(target) if target and (isinstance(target, Path) or target.endswith(".toml")) else None
    options: dict[str, Any] = {"endpoint": None if file or target is None else target}
    for name, value in settings.items():
        if name.replace("_", "-") not in {one.name for one in SETTINGS}:
            raise Misconfigured(f"{name} is no setting; settings: {', '.join(one.name for one in SETTINGS)}")
        options[name.replace("_", "-")] = value
    entries = baseline_file.read(map(Path, baseline))
    session, server = setup.in_controller(
        options, file, Path(run_dir) if run_dir else None, False, Path(replay) if replay else None,
        overwrite=overwrite, selections=only,
    )  # fmt: skip
    revision = session.context.target.revision
    known = catalogue.case_ids(revision) if entries else ()
    again = f"conformance run {quoted(str(target))}" if target else "conformance run"
    try:
        return run_session(session, RunOptions(only, entries, known, strict, max_failures, again), evaluated)
    finally:
        if server:
            server.close()
        session.folder.close()
