"""The results file: JSON Lines by ``schemas/results.json``, from which all reports are rendered."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from conformance.decode.tokens import cost
from conformance.exchange.disappearance import disappearance
from conformance.exchange.exchange import Exchange
from conformance.exchange.latency import first_byte, longest_gap, spread
from conformance.exchange.run_directory import RESULTS, RunDirectory, write_atomically
from conformance.judge.reasons import Reason
from conformance.judge.recorded import Recorded
from conformance.judge.verdict import EXPECTED, FAIL, INCONCLUSIVE, MISSING, PASS, STALE, WARNING, Finding, Result
from conformance.results import affected_clients
from conformance.results.causes import Cause, causes
from conformance.results.client_trials import Effect
from conformance.results.obstacles import obstacles
from conformance.results.records import LONGEST_VALUE, BadRecord, CaseRecord, FindingRecord, RunEnd, RunHead, Tokens

#: The verdict of an internal error: a check raised an exception, or its process crashed.
ERROR = "error"

EXIT_OK, EXIT_FAILED, EXIT_SETUP, EXIT_BROKEN, EXIT_NOTHING, EXIT_INCONCLUSIVE = 0, 1, 2, 3, 5, 6

#: Maximum number of observations in the record of a case.
_MAX_OBSERVED = 500


def case_record(result: Result, record: Recorded, ms: float) -> CaseRecord:
    """The record of an evaluated case. Its ``cause`` is set later, by :mod:`conformance.results.grouping`."""
    case, effects = result.case, affected_clients.effects_of_result(result)
    blocked = obstacles(result, record)
    return CaseRecord(
        id=case.id,
        requirement=sys.intern(case.rule),  # Equal strings of many records are one object.
        scenario=case.label,
        area=sys.intern(case.requirement.area),
        level=case.requirement.level,
        verdict=result.verdict,
        breaks=tuple(affected_clients.client_names(effects)) if result.findings else _one_object(case.breaks),
        findings=tuple(_finding(one, record, known) for one, known in zip(result.findings, effects, strict=True)),
        observed=tuple(one[:LONGEST_VALUE] for one in result.observed[:_MAX_OBSERVED]),
        reason=_shortened_reason(result.reason),
        examined=result.examined,
        blocked=tuple(blocked),
        exchange=record.key(case.scenarios[0]),
        ms=round(ms, 3),
    )


@lru_cache(maxsize=1024)
def _one_object(value: tuple[str, ...]) -> tuple[str, ...]:
    """The same object for equal values."""
    return value


@lru_cache(maxsize=1024)
def _shortened_reason(reason: Reason) -> Reason:
    return reason if len(reason.text) <= LONGEST_VALUE else replace(reason, text=reason.text[:LONGEST_VALUE])


def error_record(case_id: str, reason: Reason) -> CaseRecord:
    """The record of a case with an internal error."""
    rule, _, scenario = case_id.partition("@")
    return CaseRecord(
        case_id, rule, scenario, rule.partition(".")[0], "MUST", ERROR, reason=reason, examined=0
    )  # fmt: skip


def _finding(one: Finding, record: Recorded, effects: Mapping[str, Effect]) -> FindingRecord:
    key = record.key(one.scenario)
    return FindingRecord(
        message=one.message,
        pointer=one.pointer,
        event=one.event,
        want=one.want if one.want is MISSING else _shortened(one.want),
        got=one.got if one.got is MISSING else _shortened(one.got),
        scenario=one.scenario,
        also=one.also,
        exchange=key,
        request_bytes=len(record.received(one.scenario).exchange.request.body) if key else 0,
        count=one.count,
        clients={name: effect.does for name, effect in effects.items()},
    )


def _shortened(value: Any) -> Any:
    """The value; a long one as the beginning of its JSON, one that is not JSON as text."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    if len(text) > LONGEST_VALUE:
        return text[:LONGEST_VALUE] + "..."
    try:
        json.dumps(value, allow_nan=False)
    except (ValueError, TypeError):
        return text  # NaN, or not a JSON value.
    return value if value is None or isinstance(value, str | int | float | bool | list | dict) else text


def exit_code(verdicts: Iterable[str], strict: bool) -> int:
    """The exit code of these verdicts; never 0 if nothing was evaluated."""
    counts = Counter(verdicts)
    if counts[ERROR]:
        return EXIT_BROKEN
    if counts[FAIL] or counts[STALE] or (strict and counts[WARNING]):
        return EXIT_FAILED
    if counts[INCONCLUSIVE]:
        return EXIT_INCONCLUSIVE
    return EXIT_OK if counts[PASS] or counts[WARNING] or counts[EXPECTED] else EXIT_NOTHING


def end_record(
    lines: Sequence[CaseRecord], folder: RunDirectory, seconds: float, code: int, interrupted: bool = False
) -> RunEnd:
    """The end record of a run, with its cost and its times from the recorded exchanges."""
    recorded: list[Exchange] = []
    first_bytes: list[float] = []
    gaps: list[float] = []

    def sent() -> Iterator[Exchange]:
        for one in filter(None, map(folder.read, folder.recorded())):
            first_bytes.extend(() if (first := first_byte(one)) is None else (first,))
            gaps.extend(() if (gap := longest_gap(one)) is None else (gap,))
            recorded.append(replace(one, headers=(), chunks=()))  # All bodies together can be larger than the memory.
            if one.ended != "not-sent":
                yield one

    end = sum_exchanges(lines, sent(), seconds, code, interrupted)
    end = replace(end, first_byte=spread(first_bytes), event_gap=spread(gaps))
    unreachable = disappearance(recorded)
    return replace(end, stopped=unreachable.says) if unreachable else end


def sum_exchanges(
    lines: Sequence[CaseRecord],
    exchanges: Iterable[Exchange],
    seconds: float,
    code: int,
    interrupted: bool = False,
) -> RunEnd:
    """As :func:`end_record`, with the cost of these exchanges."""
    requests = attempts = input_tokens = output_tokens = 0
    for one in exchanges:  # One at a time: all exchanges together can be larger than the memory.
        tokens = cost(one)
        requests, attempts = requests + 1, attempts + 1 + len(one.attempts)
        input_tokens, output_tokens = input_tokens + tokens[0], output_tokens + tokens[1]
    counts = dict(sorted(Counter(line.verdict for line in lines).items()))
    tokens_used = Tokens(input_tokens, output_tokens)
    return RunEnd(counts, requests, attempts, tokens_used, round(seconds, 3), code, interrupted)


def in_order(lines: Iterable[CaseRecord]) -> list[CaseRecord]:
    """The cases sorted by area, level and id."""
    by_id = sorted(lines, key=lambda line: line.id)
    order = {"MUST": 0, "SHOULD": 1, "MAY": 2}
    # One key for each kind instead of one for each case, of which there may be some hundred thousand.
    keys = {(area, level): (area, order[level]) for area, level in {(line.area, line.level) for line in by_id}}
    by_id.sort(key=lambda line: keys[line.area, line.level])
    return by_id


@dataclass(frozen=True)
class Results:
    """The results of a run: its head, its cases, and its end (None if the run was interrupted).

    ``path`` is the results file; if the exchanges were recorded, its parent is the run folder.
    """

    path: Path
    head: RunHead
    cases: Sequence[CaseRecord]
    end: RunEnd | None = None

    @property
    def counts(self) -> dict[str, int]:
        """The number of cases by verdict."""
        return dict(sorted(Counter(case.verdict for case in self.cases).items()))

    @property
    def causes(self) -> list[Cause]:
        """The root causes, the most severe first, each with its cases and consequences."""
        return causes(self.cases)

    @property
    def findings(self) -> list[FindingRecord]:
        """The findings of all cases, in the order of the cases."""
        return [finding for case in self.cases for finding in case.findings]

    @property
    def exit_code(self) -> int:
        """The exit code of the run; for an interrupted run, that of the recorded verdicts."""
        return self.end.exit if self.end else exit_code([case.counted for case in self.cases], strict=False)

    @property
    def folder(self) -> RunDirectory:
        """The run folder with the recorded exchanges, if they were recorded."""
        return RunDirectory(self.path.parent)

    def write(self, path: Path) -> None:
        """Write a results file, atomically. Raises ``OSError`` if it cannot be written."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, "".join(json.dumps(line) + "\n" for line in self.lines()))

    def lines(self) -> Iterator[dict[str, Any]]:
        """The lines of a results file as JSON objects."""
        yield self.head.to_json()
        yield from (case.to_json() for case in self.cases)
        if self.end:
            yield self.end.to_json()


def read(path: Path) -> Results:
    """The results in a file or a run folder. Raises ``ValueError`` with one line if they cannot be read."""
    file = path / RESULTS if path.is_dir() else path
    try:
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line]
        kinds = [line["kind"] for line in lines]
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, KeyError):
        raise ValueError(f"{file} is not a results file: its lines are not JSON objects with a kind") from None
    if kinds[:1] != ["run"] or kinds.count("run") > 1 or "end" in kinds[:-1]:
        raise ValueError(f"{file} is not a results file: expected one run line at its start, one end line at its end")
    try:
        head = RunHead.from_json(lines[0])
        cases = [
            affected_clients.with_known_effects(CaseRecord.from_json(line)) for line in lines if line["kind"] == "case"
        ]
        end = RunEnd.from_json(lines[-1]) if kinds[-1] == "end" else None
    except BadRecord as error:
        raise ValueError(f"{file} {error}") from None
    return Results(file, head, cases, end)
