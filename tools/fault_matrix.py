"""The rules that each fault violates, by evaluating all of them; ``python -m tools.fault_matrix --write`` writes it.

The file is generated and reviewed; a test compares it with the current results of the checks.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

from conformance.contract.fault_matrix import FILE, Violated
from conformance.contract.schemas import REVISIONS
from conformance.emulator.faults import FAULTS
from conformance.emulator.variants import VARIANTS
from conformance.judge.verdict import FAIL
from conformance.results.grouping import group_by_cause
from conformance.results.results_file import case_record
from tools.in_process import ADDED, cases, violated
from tools.json_lines import write

PAGE = Path(__file__).parent.parent / "docs" / "faults.md"

#: Faults that show in times only need events that take time.
_EVENT_MS = 5.0


@cache
def _rules(revision: str) -> frozenset[str]:
    return frozenset(case.rule for case in cases(revision))


def revisions(fault: str) -> tuple[str, ...]:
    """The revisions that a fault is evaluated in: the first one with more than half of the rules it is made to violate,
    and of the newest one what it adds, if that is not the same: its own rules, and those that the fault is made for."""
    made_for = set(FAULTS[fault].rules)
    first = next((one for one in REVISIONS if 2 * len(_rules(one) & made_for) > len(made_for)), REVISIONS[0])
    return (first,) if first == REVISIONS[-1] else (first, ADDED)


def broken(name: str) -> dict[str, Violated]:
    """The rules that a fault violates, each with its verdict: those that report it, and their consequences."""
    timed = _EVENT_MS if "sse.incremental" in FAULTS[name].rules else 0.0
    causes: Violated = {}
    follows: Violated = {}
    lines = []
    for revision in revisions(name):
        rules = (_rules(ADDED) - _rules(REVISIONS[0])) | {*FAULTS[name].rules} if revision == ADDED else None
        results, recorded = violated(FAULTS[name], revision, rules, event_ms=timed)
        lines += [case_record(result, recorded, 0) for result in results]
        known = causes.keys() | follows.keys()  # What a newer revision adds does not change what a rule is.
        grouped = group_by_cause(lines)
        # One that a newer revision adds and that explains a known cause is the same defect.
        same = {line.cause.partition("@")[0] for line in grouped if line.requirement in causes}
        for line in grouped:
            if line.requirement not in known:
                follow = line.cause or line.requirement in same
                (follows if follow else causes)[line.requirement] = line.verdict
    only_follow = {rule: verdict for rule, verdict in follows.items() if rule not in causes}
    return {"causes": dict(sorted(causes.items())), "follows": dict(sorted(only_follow.items()))}


def failed_cases(variant: str) -> list[str]:
    """The cases that a legal variant fails: there must be none."""
    return [
        result.case.id
        for revision in (REVISIONS[0], ADDED)
        for result in violated(VARIANTS[variant], revision)[0]
        if result.verdict == FAIL
    ]


def markdown(matrix: Mapping[str, Mapping[str, Violated]]) -> str:
    """The matrix as a page: a table an area, a row a fault, and the legal variants behind."""
    lines = [
        "# Faults and the rules that report them",
        "",
        f"Made by `python -m tools.fault_matrix --write`: {len(matrix)} faults of the built-in endpoint, each",
        "evaluated by every check; a test evaluates them again and compares. A rule in bold is a warning (SHOULD), any",
        "other a failure (MUST). A consequence is grouped under its root cause in a report, and counted here.",
    ]
    area = ""
    for name, rules in matrix.items():
        if FAULTS[name].area != area:
            area = FAULTS[name].area
            lines += [
                "",
                f"## {area}",
                "",
                "| fault | behavior | reported by | consequences |",
                "| --- | --- | --- | --- |",
            ]
        reported = ", ".join(rule if verdict == FAIL else f"**{rule}**" for rule, verdict in rules["causes"].items())
        says = FAULTS[name].says.replace("|", "\\|")
        lines.append(
            f"| {name} | {says} | {reported or 'nothing: see tests/test_matrix.py'} | {len(rules['follows']) or ''} |"
        )
    lines += ["", "## Legal variants", "", f"{len(VARIANTS)} ways to differ that no rule may fail.", ""]
    lines += ["| variant | why it is legal |", "| --- | --- |"]
    lines += [f"| {name} | {one.says.replace('|', chr(92) + '|')} |" for name, one in VARIANTS.items()]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Evaluate every fault and write the file, or report the differences from it."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--fault", action="append", help="only this fault, and those not noted yet")
    options = parser.parse_args()
    noted = json.loads(FILE.read_text(encoding="utf-8"))
    chosen = options.fault or FAULTS
    some = [name for name in FAULTS if name in chosen or name not in noted]
    with ProcessPoolExecutor() as pool:
        evaluated_now = dict(zip(some, pool.map(broken, some, chunksize=16), strict=True))
    matrix = {name: evaluated_now.get(name, noted.get(name)) for name in FAULTS}
    if options.write:
        write(FILE, matrix)
        PAGE.write_text(markdown(matrix), encoding="utf-8")
        return
    for name in sorted(matrix.keys() | noted.keys()):
        if matrix.get(name) != noted.get(name):
            print(f"{name}: {noted.get(name)} -> {matrix.get(name)}")


if __name__ == "__main__":
    main()
