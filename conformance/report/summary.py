"""The end of a run at the terminal: a line an area, the failures by rule, who breaks, and the totals."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from conformance.report.failure import printable
from conformance.requirements import CLIENTS
from conformance.verdict import FAIL, INCONCLUSIVE, NOT_APPLICABLE, PASS, WARNING

_VERDICTS = (PASS, FAIL, WARNING, INCONCLUSIVE, NOT_APPLICABLE)

Lines = Sequence[Mapping[str, Any]]


def areas(lines: Lines) -> Iterator[str]:
    """A table: one row an area, one column a verdict."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for line in lines:
        counts[line["area"]][line["verdict"]] += 1
    yield f"{'area':<14}" + "".join(f"{name:>16}" for name in _VERDICTS)
    for area, count in counts.items():
        yield f"{area:<14}" + "".join(f"{count[name] or '.':>16}" for name in _VERDICTS)


def by_rule(lines: Lines, verdict: str) -> dict[str, list[Mapping[str, Any]]]:
    """The cases of a verdict that stand for themselves, by rule; the rule that explains most comes first."""
    found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    weight: Counter[str] = Counter()
    rule_of = {line["id"]: line["requirement"] for line in lines}
    for line in lines:
        if line["verdict"] == verdict and not line["cause"]:
            found[line["requirement"]].append(line)
        weight[rule_of.get(line["cause"] or line["id"], "")] += line["verdict"] in (FAIL, WARNING)
    return dict(sorted(found.items(), key=lambda pair: -weight[pair[0]]))


def followers(lines: Lines, causes: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """What only follows from these cases, folded into one line."""
    names = {one["id"] for one in causes}
    rules = Counter(line["requirement"] for line in lines if line["cause"] in names)
    if rules:
        more = f", and {len(rules) - 6} rules more" if len(rules) > 6 else ""
        yield f"  follow  {rules.total()} more follow from this: {', '.join(list(rules)[:6])}{more}"


def others(first: Mapping[str, Any], rest: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The cases of one rule beyond the first, folded: the same message is only counted."""
    told = {one["message"] for one in first["findings"]}
    same: list[str] = []
    for line in rest:
        if {one["message"] for one in line["findings"]} <= told:
            same.append(line["scenario"])
            continue
        one = next(each for each in line["findings"] if each["message"] not in told)
        told |= {each["message"] for each in line["findings"]}
        yield f"  also    @{line['scenario']}: {printable(one['message'][:160])}"
    if same:
        shown = ", ".join(same[:6]) + (f" and {len(same) - 6} more" if len(same) > 6 else "")
        yield f"  same    in {len(same)} more: {shown}"


def reasons(lines: Lines) -> Iterator[str]:
    """Why cases are inconclusive, the commonest reason first."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        if line["verdict"] == INCONCLUSIVE:
            found[line["reason"].partition("; ")[0]].append(line["id"])
    for reason, names in sorted(found.items(), key=lambda pair: -len(pair[1])):
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        yield f"  {names[0]}{more}: {printable(reason[:200])}"


def who_breaks(lines: Lines) -> str:
    """How many failed rules stop each client; what only follows from another is not counted again."""
    rules: dict[str, set[str]] = {name: set() for name in CLIENTS}
    causes: dict[str, str] = {line["id"]: line["requirement"] for line in lines}
    for line in lines:
        if line["verdict"] == FAIL:
            for name in line["breaks"]:
                rules[name].add(causes[line["cause"] or line["id"]])
    return " · ".join(f"{CLIENTS[name]}: {len(found)}{' blocking' * bool(found)}" for name, found in rules.items())


def totals(end: Mapping[str, Any]) -> str:
    """The last line: counts, cost and time."""
    counts = ", ".join(f"{number} {verdict}" for verdict, number in end["counts"].items())
    tokens = end["tokens"]
    return (
        f"{counts}; {end['requests']} requests ({end['attempts']} sent), "
        f"{tokens['input']} tokens in, {tokens['output']} out, {end['seconds']:.1f} s, exit {end['exit']}"
    )
