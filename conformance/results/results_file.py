"""The results file: JSON lines by ``schemas/results.json``, the source of every other report."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from conformance.decode.tokens import cost
from conformance.exchange.exchange import Exchange
from conformance.exchange.run_directory import RESULTS, RunDirectory, write_atomically
from conformance.judge.recorded import Recorded
from conformance.judge.verdict import EXPECTED, FAIL, INCONCLUSIVE, MISSING, PASS, STALE, WARNING, Finding, Result
from conformance.results import affected_clients
from conformance.results.client_trials import Effect
from conformance.results.obstacles import obstacles
from conformance.wire.presence import disappearance

#: Of the results file; a reader refuses another.
FORMAT = 1

#: The check itself broke: a bug of the suite.
ERROR = "error"

EXIT_OK, EXIT_FAILED, EXIT_SETUP, EXIT_BROKEN, EXIT_NOTHING, EXIT_INCONCLUSIVE = 0, 1, 2, 3, 5, 6

#: Longest text kept of a value in a finding; the recording has the whole.
_LONGEST = 2000

#: How many observations of a case are kept.
_MOST_OBSERVED = 500


def case_line(result: Result, record: Recorded, ms: float) -> dict[str, Any]:
    """The line of a judged case."""
    case, effects = result.case, affected_clients.of_result(result)
    blocked = obstacles(result, record)
    return {
        "kind": "case",
        "id": case.id,
        "requirement": case.rule,
        "scenario": case.label,
        "area": case.requirement.area,
        "level": case.requirement.level,
        "verdict": result.verdict,
        "breaks": affected_clients.names(effects) if result.findings else list(case.breaks),
        "findings": [_finding(one, record, known) for one, known in zip(result.findings, effects, strict=True)],
        "observed": [one[:_LONGEST] for one in result.observed[:_MOST_OBSERVED]],
        "reason": result.reason[:_LONGEST],
        "examined": result.examined,
        **({"blocked": blocked} if blocked else {}),
        "exchange": record.key(case.scenarios[0]),
        "cause": "",  # Known when all cases are judged: see conformance.results.grouping.
        "ms": round(ms, 3),
    }


def error_line(case_id: str, reason: str) -> dict[str, Any]:
    """The line of a case whose check broke."""
    requirement, _, scenario = case_id.partition("@")
    return {
        "kind": "case", "id": case_id, "requirement": requirement, "scenario": scenario,
        "area": requirement.partition(".")[0], "level": "MUST", "verdict": ERROR, "breaks": [], "findings": [],
        "observed": [], "reason": reason, "examined": 0, "exchange": "", "cause": "", "ms": 0,
    }  # fmt: skip


def _finding(one: Finding, record: Recorded, effects: Mapping[str, Effect]) -> dict[str, Any]:
    return {
        "message": one.message,
        "pointer": one.pointer,
        "event": one.event,
        **{name: _kept(value) for name, value in (("want", one.want), ("got", one.got)) if value is not MISSING},
        "scenario": one.scenario,
        "also": list(one.also),
        "exchange": record.key(one.scenario),
        "request_bytes": len(record.received(one.scenario).exchange.request.body) if record.key(one.scenario) else 0,
        "count": one.count,
        "clients": {name: effect.does for name, effect in effects.items()},
    }


def _kept(value: Any) -> Any:
    """The value, or its beginning as text where it is long."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    if len(text) > _LONGEST:
        return text[:_LONGEST] + "..."
    try:
        json.dumps(value, allow_nan=False)
    except (ValueError, TypeError):
        return text  # NaN, or no JSON at all.
    return value if value is None or isinstance(value, str | int | float | bool | list | dict) else text


def exit_code(verdicts: Iterable[str], strict: bool) -> int:
    """The exit code of these verdicts; a run that judged nothing never gives 0."""
    counts = Counter(verdicts)
    if counts[ERROR]:
        return EXIT_BROKEN
    if counts[FAIL] or counts[STALE] or (strict and counts[WARNING]):
        return EXIT_FAILED
    if counts[INCONCLUSIVE]:
        return EXIT_INCONCLUSIVE
    return EXIT_OK if counts[PASS] or counts[WARNING] or counts[EXPECTED] else EXIT_NOTHING


def end_line(
    lines: Sequence[Mapping[str, Any]], folder: RunDirectory, seconds: float, code: int, interrupted: bool = False
) -> dict[str, Any]:
    """The last line, with what the run cost by its recorded exchanges."""
    every: list[Exchange] = []

    def sent() -> Iterator[Exchange]:
        for one in filter(None, map(folder.read, folder.recorded())):
            every.append(replace(one, headers=(), chunks=()))  # Together the bodies may be larger than memory.
            if one.ended != "not-sent":
                yield one

    end = sums(lines, sent(), seconds, code, interrupted)
    gone = disappearance(every)
    return end | ({"stopped": gone.says} if gone else {})


def sums(
    lines: Sequence[Mapping[str, Any]],
    exchanges: Iterable[Exchange],
    seconds: float,
    code: int,
    interrupted: bool = False,
) -> dict[str, Any]:
    """As :func:`end_line`, with what these exchanges cost."""
    requests = attempts = read = written = 0
    for one in exchanges:  # One at a time: together they may be larger than memory.
        took = cost(one)
        requests, attempts = requests + 1, attempts + 1 + len(one.attempts)
        read, written = read + took[0], written + took[1]
    return {
        "kind": "end",
        "counts": dict(sorted(Counter(line["verdict"] for line in lines).items())),
        "requests": requests,
        "attempts": attempts,
        "tokens": {"input": read, "output": written},
        "seconds": round(seconds, 3),
        "exit": code,
        **({"interrupted": True} if interrupted else {}),
    }


def in_order(lines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The case lines by area, level and id, whatever order they were judged in."""
    order = {"MUST": 0, "SHOULD": 1, "MAY": 2}
    return sorted(lines, key=lambda line: (line["area"], order[line["level"]], line["id"]))


@dataclass(frozen=True)
class Results:
    """A results file that was read: its first line, its case lines, and its last (None: the run broke off)."""

    path: Path
    head: dict[str, Any]
    cases: list[dict[str, Any]]
    end: dict[str, Any] | None

    @property
    def folder(self) -> RunDirectory:
        """The run folder beside it, where the exchanges lie if they were kept."""
        return RunDirectory(self.path.parent)


def read(path: Path) -> Results:
    """The results in a file, or in the run folder of that name; ``ValueError`` says in one line what is wrong."""
    file = path / RESULTS if path.is_dir() else path
    try:
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line]
        kinds = [line["kind"] for line in lines]
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, KeyError):
        raise ValueError(f"{file} is not a results file: its lines are not JSON objects with a kind") from None
    if kinds[:1] != ["run"] or kinds.count("run") > 1 or "end" in kinds[:-1]:
        raise ValueError(f"{file} is not a results file: it must begin with one run line and end with one end line")
    if lines[0].get("format") != FORMAT:
        raise ValueError(f"{file} has format {lines[0].get('format')!r}; this version reads {FORMAT}")
    end = lines[-1] if kinds[-1] == "end" else None
    cases = [affected_clients.upgraded(line) for line in lines if line["kind"] == "case"]
    return Results(file, lines[0], cases, end)


def write(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Write a results file; ``OSError`` if that cannot be done."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, "".join(json.dumps(line) + "\n" for line in lines))
