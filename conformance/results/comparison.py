"""The differences between two runs, case by case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from conformance.contract.rules import requirement
from conformance.judge.normalise import message_pattern, strip_generated_ids
from conformance.judge.verdict import EXPECTED, FAIL, INCONCLUSIVE, NOT_APPLICABLE, PASS, WARNING
from conformance.results.facts import differences, facts_of_run
from conformance.results.measures import Measures, measures
from conformance.results.records import CaseRecord
from conformance.results.results_file import ERROR, Results

#: The verdict of a case that a run did not evaluate.
NOT_EVALUATED = "not evaluated"


@dataclass(frozen=True)
class Change:
    """One case that differs: its verdicts in the old and the new run and its message.

    ``previous_message`` is the message in the old run, if only the message changed. ``cause`` is the id of its root
    cause, empty if it is one; ``consequences`` is the number of its consequences (set by :func:`group_changes`).
    ``more`` is the number of further cases of the rule that changed in the same way (set by :func:`group_by_rule`).
    ``cases`` is the number of all these cases: those of grouped changes add up to the number of changes.
    """

    id: str
    before: str
    now: str
    message: str = ""
    previous_message: str = ""
    cause: str = ""
    consequences: int = 0
    more: int = 0

    @property
    def cases(self) -> int:
        """The number of cases in one line of a report."""
        return 1 + self.more + self.consequences


@dataclass(frozen=True)
class Figure:
    """A number of both runs; None if a run does not have it."""

    name: str
    unit: str
    before: float | None
    now: float | None


@dataclass(frozen=True)
class Comparison:
    """The differences between two runs. Only ``failing`` and ``vanished`` are regressions.

    ``newly_evaluated`` are cases that fail and could not be evaluated in the old run, which was inconclusive there or
    evaluated a part of the cases: the violation may be as old as the server. ``new_rules`` are cases of rules that were
    added in a later version of the suite than the old run's: what they find may be as old as the server. ``failing``,
    ``expected`` (fails newly, as a baseline lists it), ``warning``, ``passing``, ``inconclusive`` (or the check broke)
    and ``not_applicable`` (now not-applicable) are cases with another verdict; ``vanished`` are cases that the new run
    does not have; ``reworded`` have the same verdict with another message; ``changed_outcomes`` are recorded outcomes
    of MAY rules. ``first_seen`` are events and members that the old run did not have, ``facts`` the facts (see
    :mod:`conformance.results.facts`) with other values: the name and the values of both runs.
    """

    failing: tuple[Change, ...]
    newly_evaluated: tuple[Change, ...]
    new_rules: tuple[Change, ...]
    expected: tuple[Change, ...]
    warning: tuple[Change, ...]
    passing: tuple[Change, ...]
    vanished: tuple[Change, ...]
    inconclusive: tuple[Change, ...]
    not_applicable: tuple[Change, ...]
    reworded: tuple[Change, ...]
    changed_outcomes: tuple[Change, ...]
    first_seen: tuple[str, ...]
    figures: tuple[Figure, ...]
    notes: tuple[str, ...]
    facts: tuple[tuple[str, str, str], ...] = ()

    @property
    def regression(self) -> bool:
        """Whether there is a regression."""
        return bool(self.failing or self.vanished)


def compare(old: Results, new: Results, flaky: Collection[str] = ()) -> Comparison:
    """Compare two finished runs. Raises ``ValueError`` with one line if they cannot be compared.

    ``flaky`` are cases that failed in the old run and passed on retry; they count as passed there.
    """
    _check_comparable(old, new)
    parts = [_is_part(old, new), _is_part(new, old)]
    before = {line.id: line for line in old.cases}
    now = {line.id: line for line in new.cases}
    by_kind: dict[str, list[Change]] = {name: [] for name in _KINDS}
    grouped_count = 0
    for case, line in now.items():
        was = PASS if case in flaky else before[case].own_verdict if case in before else NOT_EVALUATED
        kind = _kind_of_change(was, line)
        if was == NOT_EVALUATED and kind not in ("", "expected") and _is_of_new_rule(line, old):
            kind = "new_rules"
        if kind == "failing" and (was == INCONCLUSIVE or (was == NOT_EVALUATED and parts[0])):
            kind = "newly_evaluated"
        if kind:
            cause = before[case].cause if kind == "passing" and case in before else line.cause
            by_kind[kind].append(Change(case, was, line.verdict, _message_of(line), cause=cause))
        elif case in before:
            by_kind["reworded"] += _reworded(before[case], line)
            by_kind["changed_outcomes"] += _changed_outcomes(before[case], line)
    responses = {key for one in by_kind["failing"] for key in _exchanges(now[one.id])}
    for name in _GROUPED_KINDS:
        separate = [one for one in by_kind[name] if now[one.id].exchange not in responses]
        grouped_count += len(by_kind[name]) - len(separate)
        by_kind[name] = separate
    gone = () if parts[1] else (case for case in before if case not in now)
    vanished = tuple(Change(case, before[case].own_verdict, NOT_EVALUATED) for case in gone)
    measured = measures(old), measures(new)
    seen, figures = _measured(*measured)
    return Comparison(
        vanished=vanished,
        first_seen=seen,
        facts=_drift(old, new),
        figures=(*figures, *_counted(old, new)),
        notes=(*_part_notes(old, new, parts), *_notes(old, new, *measured), *_grouped_note(grouped_count)),
        **{name: tuple(changes) for name, changes in by_kind.items()},
    )


def _drift(old: Results, new: Results) -> tuple[tuple[str, str, str], ...]:
    before, now = facts_of_run(old), facts_of_run(new)
    return () if before is None or now is None else tuple(differences(before, now))


_KINDS = (
    "failing", "newly_evaluated", "new_rules", "expected", "warning", "passing", "inconclusive", "not_applicable",
    "reworded", "changed_outcomes",
)  # fmt: skip

#: Kinds of changes that are not listed where they occur in the response of a new failure.
_GROUPED_KINDS = ("inconclusive", "not_applicable", "reworded", "changed_outcomes")


def _is_part(run: Results, other: Results) -> bool:
    """Whether a run evaluated a selection of the cases (``--only``, ``-m``), and the other run evaluated more."""
    try:
        complete, cases = run.folder.selected()
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return not complete and cases is not None and any(line.id not in cases for line in other.cases)


def _part_notes(old: Results, new: Results, parts: Sequence[bool]) -> Iterator[str]:
    common = {line.id for line in old.cases} & {line.id for line in new.cases}
    for age, run, is_part in (("old", old, parts[0]), ("new", new, parts[1])):
        if is_part:
            yield f"the {age} run evaluated {len(run.cases):,} selected cases; {len(common):,} are in both runs"


def _exchanges(line: CaseRecord) -> set[str]:
    return {key for key in (line.exchange, *(one.exchange for one in line.findings)) if key}


def _grouped_note(number: int) -> Iterator[str]:
    if number:
        cases = "1 more case" if number == 1 else f"{number} more cases"
        yield f"{cases} changed in the same responses as newly failing cases"


def _check_comparable(old: Results, new: Results) -> None:
    if old.head.revision != new.head.revision:
        both = f"{old.head.revision} and {new.head.revision}"
        raise ValueError(f"{old.path} and {new.path} use different revisions of the contract: {both}")


def _kind_of_change(was: str, line: CaseRecord) -> str:
    """The member of :class:`Comparison` to which a case belongs; empty if its verdict did not change."""
    verdict = line.own_verdict
    if verdict == was or (was == NOT_EVALUATED and verdict in (PASS, NOT_APPLICABLE)):
        return ""
    if verdict == FAIL:
        return "expected" if line.verdict == EXPECTED else "failing"
    if verdict == PASS:
        return "passing"
    return {WARNING: "warning", INCONCLUSIVE: "inconclusive", ERROR: "inconclusive"}.get(verdict, "not_applicable")


def _is_of_new_rule(line: CaseRecord, old: Results) -> bool:
    """Whether a case belongs to a rule that the suite of the old run did not have."""
    try:
        return requirement(line.requirement).is_newer_than(old.head.suite)
    except KeyError:
        return False  # The rule was removed.


def _message_of(line: CaseRecord) -> str:
    """The message of the first finding, or the reason of the verdict."""
    return line.findings[0].message if line.findings else line.reason.text


def group_changes(changes: Sequence[Change]) -> list[Change]:
    """The changed cases without consequences of other changed cases, which are counted in ``consequences``.

    In results, the cause of a case is one representative case of its rule. If that case did not change, the first
    changed case of the rule takes its place.
    """
    names = {one.id for one in changes}
    first_of_rule: dict[str, str] = {}
    cause_of: dict[str, str] = {}
    for one in changes:
        if not one.cause:
            first_of_rule.setdefault(_rule(one.id), one.id)
    for one in changes:
        if one.cause in names:
            cause_of[one.id] = one.cause
        elif _rule(one.cause) != _rule(one.id):
            cause_of[one.id] = first_of_rule.get(_rule(one.cause), "")
    consequences = Counter(cause_of.values())
    return [replace(one, consequences=consequences[one.id]) for one in changes if not cause_of.get(one.id)]


def group_by_rule(changes: Sequence[Change]) -> list[Change]:
    """The first case of each rule with the same verdicts before and now, then of each scenario with the same message;
    the others are counted in ``more``."""
    rules = _first_of_each([(f"{_rule(one.id)} {one.before} {one.now}", one) for one in changes])
    alone = [(f"{one.id.partition('@')[2]} {one.now} {one.message}" if not one.more else one.id, one) for one in rules]
    return _first_of_each(alone)


def _first_of_each(keyed: Sequence[tuple[str, Change]]) -> list[Change]:
    groups: dict[str, list[Change]] = {}
    for key, one in keyed:
        groups.setdefault(key, []).append(one)
    return [
        replace(
            group[0],
            more=sum(1 + one.more for one in group) - 1,
            consequences=sum(one.consequences for one in group),
        )
        for group in groups.values()
    ]


def _rule(case: str) -> str:
    return case.partition("@")[0]


def _reworded(before: CaseRecord, line: CaseRecord) -> Iterator[Change]:
    def patterns(one: CaseRecord) -> set[str]:
        return {message_pattern(finding.message) for finding in one.findings} or {message_pattern(one.reason.text)}

    if patterns(line) != patterns(before):
        new = [finding.message for finding in line.findings if message_pattern(finding.message) not in patterns(before)]
        yield _other(line, (new or [_message_of(line)])[0], _message_of(before))


def _changed_outcomes(before: CaseRecord, line: CaseRecord) -> Iterator[Change]:
    then, today = (tuple(map(strip_generated_ids, one.observed)) for one in (before, line))
    if then != today:
        removed = [one for one in then if one not in today] or ["nothing"]
        added = [one for one in today if one not in then] or ["nothing"]
        yield _other(line, "; ".join(added), "; ".join(removed))


def _other(line: CaseRecord, now: str, before: str) -> Change:
    return Change(line.id, line.verdict, line.verdict, now, previous_message=before)


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
    """Differences in the settings of the runs, and parts that cannot be compared."""
    for what, then, now in (
        ("the version of the suite", old.head.suite, new.head.suite),
        ("the target's name", old.head.target.name, new.head.target.name),
        ("the target's model", old.head.target.model, new.head.target.model),
    ):
        if then != now:
            yield f"{what} was {then}, and is {now} now"
    for age, run in (("old", then_measured), ("new", measured)):
        if run is None:
            yield f"no exchanges lie beside the {age} results: times, events and members are not compared"
