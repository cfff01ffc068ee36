"""A recorded run, evaluated again: it provides the exchanges instead of the client, without network or key.

Every released format of ``run.json`` stays readable, each by its own reader; the files of the exchanges have a separate
format. An exchange is found by its request, so that scenarios can be renamed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from conformance.config.target import REASONING, RECORDING, UNKNOWN_PARAMETERS, Misconfigured, Target
from conformance.contract.revisions import CONTRACTS, REVISIONS
from conformance.exchange.exchange import Exchange, Request
from conformance.exchange.not_sent import NOT_RECORDED, withheld
from conformance.exchange.planned import OutgoingRequest
from conformance.exchange.run_directory import RESULTS, RunDirectory
from conformance.version import __version__

_KEY = re.compile(r"-([0-9a-f]{12})(?:-(\d+))?$")

_MODEL = re.compile(rb'"model": ?"[^"]*"')


@dataclass(frozen=True)
class Recording:
    """The content of a run folder.

    ``head`` is the first line of the run's results; ``nonce``, ``lacks``, ``unknown_parameters`` and ``reasoning`` are
    the settings that select its cases. ``complete``: all requests of the suite were planned; otherwise ``cases`` are
    the ids of the selected cases (None: they were not recorded). ``exchanges`` are by digest and sample.
    """

    path: Path
    head: Mapping[str, Any]
    nonce: str
    lacks: frozenset[str]
    unknown_parameters: str
    complete: bool
    cases: frozenset[str] | None
    exchanges: Mapping[tuple[str, int], Exchange]
    reasoning: str = REASONING[0]

    def find(self, outgoing: OutgoingRequest) -> Exchange | None:
        """The exchange of a request whatever its scenario was called, or of that scenario if it sent the same, with
        another limit of output tokens at most."""
        found = self.exchanges.get(_place(outgoing.key))
        named = self._by_name.get((outgoing.scenario, outgoing.sample))
        if found is None and named and _essence(named.request.body) == _essence(outgoing.body):
            return named
        return found

    @cached_property
    def _by_name(self) -> Mapping[tuple[str, int], Exchange]:
        return {(one.scenario, one.sample): one for one in self.exchanges.values()}

    def selects(self, case: str, keys: Mapping[str, str]) -> bool:
        """Whether a case, which needs these scenarios (each with its key), was selected in a run that is not
        ``complete``."""
        if self.cases is not None:
            return case in self.cases
        return all(_place(key) in self.exchanges or (name, 0) in self._by_name for name, key in keys.items())

    @property
    def is_of_other_version(self) -> bool:
        """Whether another version of the suite sent all its requests, to the end of the run: what is not recorded is
        then a request that it did not have."""
        if not self.complete or self.head.get("suite") == __version__:
            return False
        try:
            end = json.loads((self.path / RESULTS).read_bytes().splitlines()[-1])
            return bool(end["kind"] == "end" and not end.get("interrupted") and not end.get("stopped"))
        except (OSError, ValueError, IndexError, KeyError, TypeError, AttributeError):
            return False  # The run was killed, or its results were not kept.

    def target(self, given: Target) -> Target:
        """The recorded target; :class:`Misconfigured` if an option or a target file sets another value."""
        recorded = {
            "endpoint": self.head["target"]["endpoint"],
            "model": self.head["target"]["model"],
            "lacks": self.lacks,
            "unknown_parameters": self.unknown_parameters,
            "reasoning": self.reasoning,
        }
        here = f"{RECORDING}{self.path}"
        for name, value in recorded.items():
            if _by_hand(given, name) and getattr(given, name) != value:
                raise Misconfigured(f"{name} cannot be set with --replay: {here} has {_shown(value)}")
        if _by_hand(given, "revision") and given.revision != self.head["revision"]:
            raise Misconfigured(f"revision cannot be set with --replay: {here} has {self.head['revision']}")
        recorded["contract"] = CONTRACTS[self.head["revision"]]
        sources = {**given.sources, "endpoint": here, "model": here, "revision": here}
        return replace(
            given, **recorded, name=self.head["target"]["name"], nonce=self.nonce, sources=sources,
            rpm=None, max_requests=None, max_output_tokens=None,
        )  # fmt: skip


class Replay:
    """A sender that returns recorded exchanges."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    def send(self, outgoing: OutgoingRequest) -> Exchange:
        """The recorded exchange; a withheld one if the recording does not contain the request."""
        found = self._recording.find(outgoing)
        if found is None:
            request = Request(outgoing.method, str(self._recording.head["target"]["endpoint"]), (), outgoing.body)
            return withheld(outgoing.key, outgoing.scenario, outgoing.sample, request, NOT_RECORDED)
        return replace(found, key=outgoing.key, scenario=outgoing.scenario)

    def stop(self) -> None:
        """No effect: there are no threads that wait."""

    def close(self) -> None:
        """No effect: there are no resources."""


def open_recording(path: Path) -> Recording:
    """Read a run folder; :class:`Misconfigured` if it is not a recording or cannot be read."""
    folder = RunDirectory(path)
    try:
        document = json.loads((path / "run.json").read_text(encoding="utf-8"))
        reader = _READERS.get(document.get("format", 1))
        if reader is None:
            raise ValueError(f"run.json has format {document['format']!r}; this version reads {sorted(_READERS)}")
        exchanges = {_place(key): exchange for key in folder.recorded() if (exchange := folder.read(key))}
        recording = reader(folder, document, exchanges)
    except FileNotFoundError as error:
        raise Misconfigured(f"{path} is not a recording: {Path(error.filename).name} is missing") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Misconfigured(f"recording {path} cannot be read: {getattr(error, 'strerror', '') or error}") from None
    if recording.head["revision"] not in REVISIONS:
        raise Misconfigured(f"recording {path} has the unknown revision {recording.head['revision']!r}")
    return recording


def _first(
    folder: RunDirectory, document: Mapping[str, Any], exchanges: Mapping[tuple[str, int], Exchange]
) -> Recording:
    """Format 1: without profile and cases; the cases are those whose requests are recorded."""
    return Recording(
        folder.path, document["head"], document["nonce"], frozenset(), "either", False, None, exchanges
    )  # fmt: skip


def _second(
    folder: RunDirectory, document: Mapping[str, Any], exchanges: Mapping[tuple[str, int], Exchange]
) -> Recording:
    """Format 2: the profile is in ``run.json``, the cases in ``cases.json``, written after the first requests."""
    profile, (complete, cases) = document["profile"], folder.selected()
    return Recording(
        folder.path,
        document["head"],
        document["nonce"],
        frozenset(profile["lacks"]),
        profile["unknown_parameters"],
        complete,
        cases,
        exchanges,
        profile.get("reasoning", REASONING[0]),
    )


_READERS: dict[int, Callable[[RunDirectory, Mapping[str, Any], Mapping[tuple[str, int], Exchange]], Recording]] = {
    1: _first,
    2: _second,
}


def _place(key: str) -> tuple[str, int]:
    """Digest and sample of a key such as ``tools.call-ccbefc5c3fdc-2``."""
    found = _KEY.search(key)
    return (found[1], int(found[2] or 1)) if found else (key, 1)


def _essence(body: bytes) -> object:
    """What a request is known by: its JSON without its limit of output tokens, in which versions of the suite differ.
    Of a body that is no JSON object the bytes without the name of the model: older versions wrote one of their own into
    malformed bodies."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return _MODEL.sub(b"", body, count=1)
    return {**document, "max_output_tokens": None} if isinstance(document, dict) else body


def _by_hand(target: Target, name: str) -> bool:
    """Whether an option or a target file sets this; the environment applies to all runs and is no contradiction."""
    if name not in target.sources:
        return getattr(target, name) not in (frozenset(), UNKNOWN_PARAMETERS[0], REASONING[0])
    return target.sources[name] not in ("default", f"CONFORMANCE_{name.upper()}")


def _shown(value: object) -> str:
    return ", ".join(sorted(value)) or "nothing" if isinstance(value, frozenset) else str(value)
