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
from conformance.judge.reasons import Reason
from conformance.judge.recorded import Recorded
from conformance.judge.verdict import EXPECTED, FAIL, INCONCLUSIVE, MISSING, PASS, STALE, WARNING, Finding, Result
from conformance.results import affected_clients
from conformance.results.causes import Cause, causes
from conformance.results.client_trials import Effect
from conformance.results.obstacles import obstacles
from conformance.results.records import LONGEST_VALUE, BadRecord, CaseRecord, FindingRecord, RunEnd, RunHead, Tokens
from conformance.wire.presence import disappearance

#: The check itself broke: a bug of the suite.
ERROR = "error"

EXIT_OK, EXIT_FAILED, EXIT_SETUP, EXIT_BROKEN, EXIT_NOTHING, EXIT_INCONCLUSIVE = 0, 1, 2, 3, 5, 6

#: How many observations of a case are kept.
_MOST_OBSERVED = 500


def case_record(result: Result, record: Recorded, ms: float) -> CaseRecord:
    """The record of an evaluated case; its ``cause`` is not known yet (see :mod:`conformance.results.grouping`)."""
    case, effects = result.case, affected_clients.of_result(result)
    blocked = obstacles(result, record)
    return CaseRecord(
        id=case.id,
        requirement=case.rule,
        scenario=case.label,
        area=case.requirement.area,
        level=case.requirement.level,
        verdict=result.verdict,
        breaks=tuple(affected_clients.names(effects)) if result.findings else case.breaks,
        findings=tuple(_finding(one, record, known) for one, known in zip(result.findings, effects, strict=True)),
        observed=tuple(one[:LONGEST_VALUE] for one in result.observed[:_MOST_OBSERVED]),
        reason=replace(result.reason, text=result.reason.text[:LONGEST_VALUE]),
        examined=result.examined,
        blocked=tuple(blocked),
        exchange=record.key(case.scenarios[0]),
        ms=round(ms, 3),
    )


def error_record(case_id: str, reason: Reason) -> CaseRecord:
    """The record of a case whose check failed, or whose process died."""
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
        want=one.want if one.want is MISSING else _kept(one.want),
        got=one.got if one.got is MISSING else _kept(one.got),
        scenario=one.scenario,
        also=one.also,
        exchange=key,
        request_bytes=len(record.received(one.scenario).exchange.request.body) if key else 0,
        count=one.count,
        clients={name: effect.does for name, effect in effects.items()},
    )


def _kept(value: Any) -> Any:
    """The value, or its beginning as text where it is long."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    if len(text) > LONGEST_VALUE:
        return text[:LONGEST_VALUE] + "..."
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


def end_record(
    lines: Sequence[CaseRecord], folder: RunDirectory, seconds: float, code: int, interrupted: bool = False
) -> RunEnd:
    """The last record, with what the run cost by its recorded exchanges."""
    every: list[Exchange] = []

    def sent() -> Iterator[Exchange]:
        for one in filter(None, map(folder.read, folder.recorded())):
            every.append(replace(one, headers=(), chunks=()))  # Together the bodies may be larger than memory.
            if one.ended != "not-sent":
                yield one

    end = sums(lines, sent(), seconds, code, interrupted)
    gone = disappearance(every)
    return replace(end, stopped=gone.says) if gone else end


def sums(
    lines: Sequence[CaseRecord],
    exchanges: Iterable[Exchange],
    seconds: float,
    code: int,
    interrupted: bool = False,
) -> RunEnd:
    """As :func:`end_record`, with what these exchanges cost."""
    requests = attempts = read = written = 0
    for one in exchanges:  # One at a time: together they may be larger than memory.
        took = cost(one)
        requests, attempts = requests + 1, attempts + 1 + len(one.attempts)
        read, written = read + took[0], written + took[1]
    counts = dict(sorted(Counter(line.verdict for line in lines).items()))
    return RunEnd(counts, requests, attempts, Tokens(read, written), round(seconds, 3), code, interrupted)


def in_order(lines: Iterable[CaseRecord]) -> list[CaseRecord]:
    """The cases by area, level and id, whatever order they were evaluated in."""
    order = {"MUST": 0, "SHOULD": 1, "MAY": 2}
    return sorted(lines, key=lambda line: (line.area, order[line.level], line.id))


@dataclass(frozen=True)
class Results:
    """The results of a run: its head, its cases, and its end (None: the run did not end).

    ``path`` is the results file; the run folder with the exchanges is its parent, if there is one.
    """

    path: Path
    head: RunHead
    cases: Sequence[CaseRecord]
    end: RunEnd | None = None

    @property
    def counts(self) -> dict[str, int]:
        """How many cases have each verdict."""
        return dict(sorted(Counter(case.verdict for case in self.cases).items()))

    @property
    def causes(self) -> list[Cause]:
        """The violated rules that stand for themselves, the worst first, each with its cases and consequences."""
        return causes(self.cases)

    @property
    def findings(self) -> list[FindingRecord]:
        """Every finding of every case, in the order of the cases."""
        return [finding for case in self.cases for finding in case.findings]

    @property
    def exit_code(self) -> int:
        """The exit code of the run; of one that did not end, that of the verdicts so far."""
        return self.end.exit if self.end else exit_code([case.counted for case in self.cases], strict=False)

    @property
    def folder(self) -> RunDirectory:
        """The run folder beside it, where the exchanges lie if they were kept."""
        return RunDirectory(self.path.parent)

    def write(self, path: Path) -> None:
        """Write a results file; ``OSError`` if that cannot be done."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, "".join(json.dumps(line) + "\n" for line in self.lines()))

    def lines(self) -> Iterator[dict[str, Any]]:
        """The lines of a results file as JSON objects."""
        yield self.head.to_json()
        yield from (case.to_json() for case in self.cases)
        if self.end:
            yield self.end.to_json()


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
    try:
        head = RunHead.from_json(lines[0])
        cases = [affected_clients.upgraded(CaseRecord.from_json(line)) for line in lines if line["kind"] == "case"]
        end = RunEnd.from_json(lines[-1]) if kinds[-1] == "end" else None
    except BadRecord as error:
        raise ValueError(f"{file} {error}") from None
    return Results(file, head, cases, end)
