"""Two runs compared, case by case: what fails newly, what passes newly, what is gone, what says something else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from conformance.contract.rules import requirement
from conformance.judge.normalise import message_pattern, strip_generated_ids
from conformance.judge.verdict import EXPECTED, FAIL, INCONCLUSIVE, NOT_APPLICABLE, PASS, WARNING
from conformance.results.measures import Measures, measures
from conformance.results.records import CaseRecord
from conformance.results.results_file import ERROR, Results

#: The verdict of a case that was not judged at all.
ABSENT = "not judged"


@dataclass(frozen=True)
class Change:
    """One case that differs: its verdicts before and now, what is said now and (where the verdict is the same) was said
    before, the id of the case that explains it, and how many cases it explains itself (see :func:`folded`)."""

    id: str
    before: str
    now: str
    says: str = ""
    said: str = ""
    cause: str = ""
    follow: int = 0


@dataclass(frozen=True)
class Figure:
    """A number of both runs; None where one has it not."""

    name: str
    unit: str
    before: float | None
    now: float | None


@dataclass(frozen=True)
class Comparison:
    """Everything in which two runs differ. Only ``failing`` and ``vanished`` are regressions.

    ``new_rules`` are cases of rules that came with a later version of the suite than the old run's: what they find may
    be as old as the server. ``failing``, ``expected`` (fails newly, as a baseline lists it), ``warned``, ``passing``,
    ``inconclusive`` (or the check broke) and ``set_aside`` (now not-applicable) are cases with another verdict;
    ``vanished`` are cases that are not there any more; ``reworded`` have the same verdict with another message;
    ``drifted`` are recorded outcomes of MAY rules. ``first_seen`` are events and members that the old run had not.
    """

    failing: tuple[Change, ...]
    new_rules: tuple[Change, ...]
    expected: tuple[Change, ...]
    warned: tuple[Change, ...]
    passing: tuple[Change, ...]
    vanished: tuple[Change, ...]
    inconclusive: tuple[Change, ...]
    set_aside: tuple[Change, ...]
    reworded: tuple[Change, ...]
    drifted: tuple[Change, ...]
    first_seen: tuple[str, ...]
    figures: tuple[Figure, ...]
    notes: tuple[str, ...]

    @property
    def regression(self) -> bool:
        """Whether anything got worse for sure."""
        return bool(self.failing or self.vanished)


def compare(old: Results, new: Results, forgiven: Collection[str] = ()) -> Comparison:
    """What differs between two runs that ended; ``ValueError`` says in one line why they cannot be compared.

    ``forgiven`` are cases that failed in the old run but passed when asked again.
    """
    _comparable(old, new)
    before = {line.id: line for line in old.cases}
    now = {line.id: line for line in new.cases}
    by_kind: dict[str, list[Change]] = {name: [] for name in _KINDS}
    along = 0
    for case, line in now.items():
        was = PASS if case in forgiven else before[case].own_verdict if case in before else ABSENT
        kind = _kind(was, line)
        if was == ABSENT and kind not in ("", "expected") and _is_of_new_rule(line, old):
            kind = "new_rules"
        if kind:
            by_kind[kind].append(Change(case, was, line.verdict, says(line), cause=line.cause))
        elif case in before:
            by_kind["reworded"] += _reworded(before[case], line)
            by_kind["drifted"] += _drifted(before[case], line)
    responses = {key for one in by_kind["failing"] for key in _exchanges(now[one.id])}
    for name in _ASIDE:
        apart = [one for one in by_kind[name] if now[one.id].exchange not in responses]
        along += len(by_kind[name]) - len(apart)
        by_kind[name] = apart
    vanished = tuple(Change(case, line.own_verdict, ABSENT) for case, line in before.items() if case not in now)
    measured = measures(old), measures(new)
    seen, figures = _measured(*measured)
    return Comparison(
        vanished=vanished,
        first_seen=seen,
        figures=(*figures, *_counted(old, new)),
        notes=(*_notes(old, new, *measured), *_along(along)),
        **{name: tuple(changes) for name, changes in by_kind.items()},
    )


_KINDS = ("failing", "new_rules", "expected", "warned", "passing", "inconclusive", "set_aside", "reworded", "drifted")

#: What changes along with a new failure in the same answer is no news of its own.
_ASIDE = ("inconclusive", "set_aside", "reworded", "drifted")


def _exchanges(line: CaseRecord) -> set[str]:
    return {key for key in (line.exchange, *(one.exchange for one in line.findings)) if key}


def _along(number: int) -> Iterator[str]:
    if number:
        yield f"{number} more cases about the same answers changed along with what newly fails"


def _comparable(old: Results, new: Results) -> None:
    if old.head.revision != new.head.revision:
        both = f"{old.head.revision} and {new.head.revision}"
        raise ValueError(f"{old.path} and {new.path} are of different revisions of the contract: {both}")


def _kind(was: str, line: CaseRecord) -> str:
    """Which list a case belongs to; empty if its verdict is as before."""
    verdict = line.own_verdict
    if verdict == was or (was == ABSENT and verdict in (PASS, NOT_APPLICABLE)):
        return ""
    if verdict == FAIL:
        return "expected" if line.verdict == EXPECTED else "failing"
    if verdict == PASS:
        return "passing"
    return {WARNING: "warned", INCONCLUSIVE: "inconclusive", ERROR: "inconclusive"}.get(verdict, "set_aside")


def _is_of_new_rule(line: CaseRecord, old: Results) -> bool:
    """Whether a case that the old run has not is one of a rule that its suite had not."""
    try:
        return requirement(line.requirement).is_newer_than(old.head.suite)
    except KeyError:
        return False  # Of a rule that is gone.


def says(line: CaseRecord) -> str:
    """What a case line says: its first finding, or the reason of its verdict."""
    return line.findings[0].message if line.findings else line.reason.text


def grouped(changes: Sequence[Change]) -> list[Change]:
    """The cases without those that another of them explains, which are counted there. The results name of each cause
    one case for its whole rule: where that has not changed, another case of its rule that has stands for it."""
    names = {one.id for one in changes}
    heads: dict[str, str] = {}
    above: dict[str, str] = {}
    for one in changes:
        if not one.cause:
            heads.setdefault(_rule(one.id), one.id)
    for one in changes:
        if one.cause in names:
            above[one.id] = one.cause
        elif _rule(one.cause) != _rule(one.id):
            above[one.id] = heads.get(_rule(one.cause), "")
    follow = Counter(above.values())
    return [replace(one, follow=follow[one.id]) for one in changes if not above.get(one.id)]


def _rule(case: str) -> str:
    return case.partition("@")[0]


def _reworded(before: CaseRecord, line: CaseRecord) -> Iterator[Change]:
    def told(one: CaseRecord) -> set[str]:
        return {message_pattern(finding.message) for finding in one.findings} or {message_pattern(one.reason.text)}

    if told(line) != told(before):
        new = [finding.message for finding in line.findings if message_pattern(finding.message) not in told(before)]
        yield _other(line, (new or [says(line)])[0], says(before))


def _drifted(before: CaseRecord, line: CaseRecord) -> Iterator[Change]:
    then, today = (tuple(map(strip_generated_ids, one.observed)) for one in (before, line))
    if then != today:
        lost = [one for one in then if one not in today] or ["nothing"]
        came = [one for one in today if one not in then] or ["nothing"]
        yield _other(line, "; ".join(came), "; ".join(lost))


def _other(line: CaseRecord, now: str, before: str) -> Change:
    return Change(line.id, line.verdict, line.verdict, now, said=before)


def _measured(old: Measures | None, new: Measures | None) -> tuple[tuple[str, ...], tuple[Figure, ...]]:
    if old is None or new is None:
        return (), ()
    return tuple(sorted(new.names - old.names)), (
        Figure("first byte, median", "ms", old.first_byte, new.first_byte),
        Figure("first byte, 95 %", "ms", old.first_byte_95, new.first_byte_95),
        Figure("from token to token", "ms", old.token, new.token),
    )


def _counted(old: Results, new: Results) -> Iterator[Figure]:
    if (then := old.end) and (now := new.end):
        yield Figure("requests", "", then.requests, now.requests)
        yield Figure("seconds", "", then.seconds, now.seconds)
        yield Figure("input tokens", "", then.tokens.input, now.tokens.input)
        yield Figure("output tokens", "", then.tokens.output, now.tokens.output)


def _notes(old: Results, new: Results, then_measured: Measures | None, measured: Measures | None) -> Iterator[str]:
    """What a reader must know of how far two runs are alike."""
    for what, then, now in (
        ("the suite", old.head.suite, new.head.suite),
        ("the target's name", old.head.target.name, new.head.target.name),
        ("the target's model", old.head.target.model, new.head.target.model),
    ):
        if then != now:
            yield f"{what} was {then}, and is {now} now"
    for which, run in (("old", then_measured), ("new", measured)):
        if run is None:
            yield f"no exchanges lie beside the {which} results: times, events and members are not compared"
