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

from conformance.config.target import Target
from conformance.exchange.run_directory import write_atomically
from conformance.judge.verdict import FAIL, INCONCLUSIVE, NOT_APPLICABLE, PASS
from conformance.report import comparison
from conformance.report.bug import cause_of, issue
from conformance.report.columns import counted
from conformance.report.markdown import code as code_span
from conformance.results import history, results_file
from conformance.results.comparison import NOT_EVALUATED, Change, Comparison, compare, group_changes
from conformance.results.measures import measures
from conformance.results.records import CaseRecord
from conformance.results.results_file import Results

#: How often a case that newly fails is retried.
RETRIES = 2

#: The beginning of the line on standard error with the reason why a run ended without results.
_ERROR = "conformance: "

#: Maximum number of issues of a nightly run: a server on which every case fails needs no thousand of them.
MAX_ISSUES = 10

_SUMMARY_FILE, _RECORD_FILE, _ISSUES_FILE = "night.md", "night.json", "issues.jsonl"

#: The files in the folder of a nightly run that other programs read.
OUTPUT_FILES = (_SUMMARY_FILE, _RECORD_FILE, _ISSUES_FILE, "results.jsonl")

#: How often a case failed, and how often it was evaluated.
Ratio = tuple[int, int]


@dataclass(frozen=True)
class NightlyOutcome:
    """The outcome of a nightly run: its folder, the exit code, the summary as Markdown."""

    folder: Path
    exit: int
    summary: str


def run_nightly(target: Target, options: Sequence[str], root: Path, keep: int) -> NightlyOutcome:
    """Check a target, retry the cases that newly fail, and add the run to the history.

    ``options`` are passed to pytest and name the target. ``root`` is the history folder. A run without results, because
    the endpoint cannot be reached or its key is refused, is added too: as a row without cases. The last ``keep``
    nightly runs keep their run folders; of older ones only the rows in the history remain. Raises
    :class:`conformance.results.history.HistoryError` if the history cannot be used.
    """
    with history.opened(root / "history.sqlite", create=True):
        pass  # Better known before a long run than after it.
    started = datetime.now(UTC)
    before = _previous_run(root / _folder_name(target.name))
    folder = root / _folder_name(target.name) / started.strftime("%Y%m%dT%H%M%S.%fZ")
    code, error = _run(options, folder)
    run = _finished_run(folder)
    if run is None:
        code = code or results_file.EXIT_BROKEN
        summary = _store_without_results(target, started, error, code, folder, root) if error else ""
        _remove_old_runs(folder.parent, keep)
        return NightlyOutcome(folder, code, summary)
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


def _run(options: Sequence[str], folder: Path, quiet: bool = False) -> tuple[int, str]:
    """One run of the suite in a process of its own: its exit code, and the error that ended it, in one line."""
    command = [sys.executable, "-m", "conformance", "run", *options, "--run-dir", str(folder)]
    output = subprocess.DEVNULL if quiet else None
    # Only the run itself writes to the summary of a CI job, not the retries.
    environ = {name: value for name, value in os.environ.items() if not (quiet and name == "GITHUB_STEP_SUMMARY")}
    # As a variable, so that the commands that the report shows do not contain it.
    environ["PYTEST_ADDOPTS"] = f"{environ.get('PYTEST_ADDOPTS', '')} -p no:cacheprovider".strip()
    sys.stdout.flush()
    ended = subprocess.run(command, stdout=output, stderr=subprocess.PIPE, env=environ, check=False, text=True)
    print(ended.stderr, end="", file=sys.stderr, flush=True)
    errors = [line for line in ended.stderr.splitlines() if line.startswith(_ERROR)]
    return ended.returncode, errors[-1].removeprefix(_ERROR) if errors else ""


def _finished_run(folder: Path) -> Results | None:
    """The results of a run that ended."""
    try:
        run = results_file.read(folder)
    except ValueError:
        return None
    return run if run.end and not run.end.interrupted else None


def _previous_run(folder: Path) -> Results | None:
    """The last nightly run that ended."""
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
    """The cases that were flaky in that nightly run: a failure now is reported again."""
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
    retried: list[Mapping[str, str]] = []
    for number in range(1, RETRIES + 1):
        print(f"retry {number} of {RETRIES}: {counted(len(failing), 'newly failing case')}", flush=True)
        _run([*_without_selection(options), *only], folder / f"again-{number}", quiet=True)
        run = _finished_run(folder / f"again-{number}")
        retried.append({line.id: line.own_verdict for line in run.cases} if run else {})
    flaky: dict[str, Ratio] = {}
    confirmed: dict[str, Ratio] = {}
    for change in failing:
        verdicts = [FAIL, *(verdict_of.get(change.id, INCONCLUSIVE) for verdict_of in retried)]
        evaluated = [
            verdict for verdict in verdicts if verdict not in (INCONCLUSIVE, results_file.ERROR, NOT_APPLICABLE)
        ]
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
    """Add the nightly run to the history, write its output files, and return its outcome."""
    target = run.head.target.name
    measured = measures(run)
    with history.opened(root / "history.sqlite", create=True) as kept:
        if found:
            new = set(found.first_seen)
            found = replace(found, first_seen=tuple(sorted(new - kept.seen(target, new))))
        known_flaky = kept.flaky(target)
        kept.add(run, exit_code, flaky, measured)
    summary = _summary(run, found, flaky, confirmed, known_flaky, exit_code)
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


def _store_without_results(target: Target, started: datetime, error: str, code: int, folder: Path, root: Path) -> str:
    """Add a run without results to the history, and write its output files. Returns the summary."""
    at = started.isoformat(timespec="milliseconds")
    with history.opened(root / "history.sqlite", create=True) as kept:
        kept.add_without_results(target.name, target.endpoint, target.model, target.revision, at, code)
    summary = (
        f"## {code_span(target.name)}, nightly run of {at[:10]}\n\n**no result: {code_span(error)}**\n\n"
        f"Nothing was evaluated; exit code {code}\n"
    )
    record = {"format": 1, "target": target.name, "exit": code, "error": error, "regressions": [], "vanished": [],
              "flaky": {}}  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / _SUMMARY_FILE, summary)
    write_atomically(folder / _RECORD_FILE, json.dumps(record, indent=1) + "\n")
    write_atomically(folder / _ISSUES_FILE, "")
    return summary


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
    known_flaky: Mapping[str, int],
    exit_code: int,
) -> str:
    counts = ", ".join(f"{number} {verdict}" for verdict, number in (run.end.counts if run.end else {}).items())
    title = f"## {code_span(run.head.target.name)}, nightly run of {run.head.started_at[:10]}"
    first = "This is the first nightly run of this target: there is no earlier one to compare with.\n"
    body = comparison.render(found, flaky, confirmed, known_flaky) if found else first
    known = _known_failing(run, found, known_flaky) if found else ""
    return f"{title}\n\n{body}{known}\n{counts}; exit code {exit_code}\n"


def _known_failing(run: Results, found: Comparison, known_flaky: Mapping[str, int]) -> str:
    """How many cases fail as in the previous nightly run, and which of them were flaky in an earlier one."""
    new = {change.id for change in (*found.failing, *found.newly_evaluated, *found.new_rules)}
    old = [case.id for case in run.cases if case.own_verdict == FAIL and case.id not in new]
    shaky = [f"{code_span(name)} (flaky in {known_flaky[name]})" for name in old if name in known_flaky]
    lines = [f"Known failing: {len(old) - len(shaky)}, as in the previous nightly run"] * (len(old) > len(shaky))
    lines += [f"Known failing that were flaky in earlier nightly runs: {', '.join(shaky)}"] * bool(shaky)
    return "".join(f"\n{line}\n" for line in lines)


def _issues(run: Results, regressions: Sequence[Change], confirmed: Mapping[str, Ratio]) -> Iterator[dict[str, str]]:
    """An issue for each regression. The title is the same in each run, so that no issue is opened twice."""
    target = run.head.target.name
    by_id = {line.id: line for line in run.cases}
    for change in regressions[:MAX_ISSUES]:
        failed, attempted = confirmed.get(change.id, (1, 1))
        was = "was not evaluated" if change.before == NOT_EVALUATED else f"was {change.before}"
        first = (
            f"{code_span(change.id)} ({by_id[change.id].level}) {was} in the previous nightly run, and failed {failed} "
            f"of {attempted} times in that of {run.head.started_at[:10]}, which has {len(regressions)} "
            f"{'regression' if len(regressions) == 1 else 'regressions'}."
        )
        line = by_id[change.id]
        yield {"title": f"{change.id} fails at {target}"[:250], "body": f"{first}\n\n{_bug_report(run, line)}"}


def _bug_report(run: Results, line: CaseRecord) -> str:
    """The issue as ``conformance report-bug`` writes it."""
    try:
        return issue(run, line, *cause_of(run, line))
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"The exchange cannot be read: {error}\n"
