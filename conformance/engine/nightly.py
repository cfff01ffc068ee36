"""A nightly run: evaluate a target, retry new failures, compare with the previous nightly run, store the results.

The history folder contains ``history.sqlite`` and a folder for each target, with one run folder for each nightly run.
Each run of the suite is a process of its own, whose output is shown.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from conformance.exchange.run_directory import write_atomically
from conformance.judge.verdict import FAIL, INCONCLUSIVE, NOT_APPLICABLE, PASS
from conformance.report import comparison
from conformance.report.markdown import code
from conformance.results import history, results_file
from conformance.results.comparison import NOT_EVALUATED, Change, Comparison, compare, group_changes
from conformance.results.measures import measures
from conformance.results.results_file import Results

CHECKS = Path(__file__).parent.parent / "checks"

#: How often a case that newly fails is asked again.
RETRIES = 2

#: Most issues that a night asks for: a server that is broken whole needs no thousand of them.
MAX_ISSUES = 10

_SUMMARY_FILE, _RECORD_FILE, _ISSUES_FILE = "night.md", "night.json", "issues.jsonl"

#: What a night leaves in its folder for others to read.
OUTPUT_FILES = (_SUMMARY_FILE, _RECORD_FILE, _ISSUES_FILE, "results.jsonl")

#: How often a case failed, and how often it was evaluated.
Ratio = tuple[int, int]


@dataclass(frozen=True)
class NightlyOutcome:
    """What came of a night: its folder, the exit code, the summary as Markdown."""

    folder: Path
    exit: int
    summary: str


def run_nightly(target: str, options: Sequence[str], root: Path, keep: int) -> NightlyOutcome:
    """Spend a night with a target; ``options`` are pytest's options, the target file among them.

    ``target`` is the target's name. ``options`` are passed to pytest and contain ``--target``. ``root`` is the history
    folder. The last ``keep`` nightly runs keep their run folders; of older ones only the rows in the history remain.
    Raises :class:`conformance.results.history.HistoryError` if the history cannot be used.
    """
    with history.opened(root / "history.sqlite", create=True):
        pass  # Better known before a long run than after it.
    before = _previous_run(root / _folder_name(target))
    folder = root / _folder_name(target) / datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    code = _run(options, folder)
    run = _finished_run(folder)
    if run is None:
        return NightlyOutcome(folder, code or results_file.EXIT_BROKEN, "")
    found: Comparison | None = None
    flaky: dict[str, Ratio] = {}
    confirmed: dict[str, Ratio] = {}
    if before and before.head.revision == run.head.revision:
        found = compare(before, run, _flaky_cases(before))
        flaky, confirmed = _retry(found.failing, options, folder)
    code = _exit_code(run, found, flaky, code, "--strict" in options)
    night = _store(run, found, flaky, confirmed, code, root)
    _remove_old_runs(folder.parent, keep)
    return night


def _folder_name(target: str) -> str:
    """The target's name as a folder name; a digest distinguishes names in which characters were replaced."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", target).strip(".-_")[:60]
    if plain and plain == target:
        return plain
    return f"{plain or 'target'}-{hashlib.sha256(target.encode()).hexdigest()[:8]}"


def _run(options: Sequence[str], folder: Path, quiet: bool = False) -> int:
    """One run of the suite in a process of its own; its exit code."""
    command = [sys.executable, "-m", "pytest", "-p", "conformance.plugin", "-p", "no:cacheprovider", str(CHECKS)]
    command += [*options, "--run-dir", str(folder)]
    output = subprocess.DEVNULL if quiet else None
    # Only the run itself writes to the summary of a CI job, not the retries.
    environ = {name: value for name, value in os.environ.items() if not (quiet and name == "GITHUB_STEP_SUMMARY")}
    sys.stdout.flush()
    return subprocess.run(command, stdout=output, env=environ, check=False).returncode


def _finished_run(folder: Path) -> Results | None:
    """The results of a run that ended."""
    try:
        run = results_file.read(folder)
    except ValueError:
        return None
    return run if run.end and not run.end.interrupted else None


def _previous_run(folder: Path) -> Results | None:
    """The last night that ended."""
    for path in sorted(_run_folders(folder), reverse=True):
        if run := _finished_run(path):
            return run
    return None


def _run_folders(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*Z") if path.is_dir()] if folder.is_dir() else []


def _remove_old_runs(folder: Path, keep: int) -> None:
    for path in sorted(_run_folders(folder))[:-keep]:
        shutil.rmtree(path, ignore_errors=True)


def _flaky_cases(run: Results) -> set[str]:
    """The cases that were flaky that night: a failure now is news again."""
    try:
        record = json.loads((run.path.parent / _RECORD_FILE).read_text(encoding="utf-8"))
        return set(record["flaky"])
    except (OSError, ValueError, KeyError, TypeError):
        return set()


# -- retries -----------------------------------------------------------------------------------------------------------


def _retry(
    failing: Sequence[Change], options: Sequence[str], folder: Path
) -> tuple[dict[str, Ratio], dict[str, Ratio]]:
    """Run the newly failing cases again. Returns the flaky cases, and those that failed each time they were evaluated,
    each with its ratio."""
    if not failing:
        return {}, {}
    only = [word for change in failing for word in ("--only", change.id)]
    asked: list[Mapping[str, str]] = []
    for number in range(1, RETRIES + 1):
        print(f"asking {len(failing)} newly failing cases again, {number} of {RETRIES}", flush=True)
        _run([*_without_selection(options), *only], folder / f"again-{number}", quiet=True)
        rerun_command = _finished_run(folder / f"again-{number}")
        asked.append({line.id: line.own_verdict for line in rerun_command.cases} if rerun_command else {})
    flaky: dict[str, Ratio] = {}
    confirmed: dict[str, Ratio] = {}
    for change in failing:
        told = [FAIL, *(verdicts.get(change.id, INCONCLUSIVE) for verdicts in asked)]
        evaluated = [verdict for verdict in told if verdict not in (INCONCLUSIVE, results_file.ERROR, NOT_APPLICABLE)]
        ratio = evaluated.count(FAIL), len(evaluated)
        (confirmed if ratio[0] == ratio[1] else flaky)[change.id] = ratio
    return flaky, confirmed


def _without_selection(options: Sequence[str]) -> list[str]:
    """The options without those that choose cases or name files of the run."""
    kept: list[str] = []
    skip = False
    for option in options:
        name, equals, _ = option.partition("=")
        if skip or name in _OPTIONS_OF_ONE_RUN:
            skip = not skip and not equals
            continue
        kept.append(option)
    return kept


_OPTIONS_OF_ONE_RUN = (
    "--only", "-m", "-k", "--deselect", "--results", "--baseline", "--html", "--markdown", "--badge", "--junitxml",
    "--junit-xml", "--alluredir",
)  # fmt: skip


# -- output ------------------------------------------------------------------------------------------------------------


def _store(
    run: Results,
    found: Comparison | None,
    flaky: Mapping[str, Ratio],
    confirmed: Mapping[str, Ratio],
    exit_code: int,
    root: Path,
) -> NightlyOutcome:
    """Keep the night in the history, write what it leaves, and say how it ends."""
    target = run.head.target.name
    measured = measures(run)
    with history.opened(root / "history.sqlite", create=True) as kept:
        if found:
            new = set(found.first_seen)
            found = replace(found, first_seen=tuple(sorted(new - kept.seen(target, new))))
        kept.add(run, exit_code, flaky, measured)
    summary = _summary(run, found, flaky, confirmed, exit_code)
    folder = run.path.parent
    regressions = group_changes([change for change in found.failing if change.id not in flaky]) if found else []
    record = {
        "format": 1,
        "target": target,
        "exit": exit_code,
        "regressions": [change.id for change in regressions],
        "vanished": [change.id for change in found.vanished] if found else [],
        "flaky": {name: list(ratio) for name, ratio in flaky.items()},
    }
    write_atomically(folder / _SUMMARY_FILE, summary)
    write_atomically(folder / _RECORD_FILE, json.dumps(record, indent=1) + "\n")
    issues = "".join(json.dumps(change) + "\n" for change in _issues(run, regressions, confirmed))
    write_atomically(folder / _ISSUES_FILE, issues)
    return NightlyOutcome(folder, exit_code, summary)


def _exit_code(run: Results, found: Comparison | None, flaky: Mapping[str, Ratio], code: int, strict: bool) -> int:
    """1 for a regression; else the run's own code, flaky cases not counted as failed."""
    if code not in (
        results_file.EXIT_OK,
        results_file.EXIT_FAILED,
        results_file.EXIT_NOTHING,
        results_file.EXIT_INCONCLUSIVE,
    ):
        return code
    if found and (found.vanished or any(change.id not in flaky for change in found.failing)):
        return results_file.EXIT_FAILED
    if not flaky or (run.end and run.end.baseline):
        return code
    verdicts = [PASS if case.id in flaky else case.counted for case in run.cases]
    return results_file.exit_code(verdicts, strict)


def _summary(
    run: Results,
    found: Comparison | None,
    flaky: Mapping[str, Ratio],
    confirmed: Mapping[str, Ratio],
    exit_code: int,
) -> str:
    counts = ", ".join(f"{number} {verdict}" for verdict, number in (run.end.counts if run.end else {}).items())
    title = f"## {code(run.head.target.name)}, nightly run of {run.head.started_at[:10]}"
    first = "This is the first nightly run of this target: there is no earlier one to compare with.\n"
    body = comparison.render(found, flaky, confirmed) if found else first
    return f"{title}\n\n{body}\n{counts}; exit code {exit_code}\n"


def _issues(run: Results, regressions: Sequence[Change], confirmed: Mapping[str, Ratio]) -> Iterator[dict[str, str]]:
    """An issue for each regression. The title is the same in each run, so that no issue is opened twice."""
    target = run.head.target.name
    by_id = {line.id: line for line in run.cases}
    for change in regressions[:MAX_ISSUES]:
        failed, asked = confirmed.get(change.id, (1, 1))
        was = "was not judged" if change.before == NOT_EVALUATED else f"was {change.before}"
        yield {
            "title": f"{change.id} fails at {target}"[:250],
            "body": "\n".join(
                [
                    f"{code(change.id)} ({by_id[change.id].level}) {was} in the previous nightly run,"
                    f" and failed {failed} of {asked} times in that of {run.head.started_at[:10]}.",
                    "",
                    f"- found: {code(change.message, 500)}",
                    f"- rule: `conformance explain {by_id[change.id].requirement}`",
                    f"- cases that follow from it: {change.consequences}",
                    f"- regressions that night: {len(regressions)}",
                ]
            ),
        }
