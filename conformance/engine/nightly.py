"""A night: judge a target, ask again what newly fails, compare with the night before, keep what came of it.

Below the history folder lies ``history.sqlite``, and for each target a folder with a run folder a night. The runs are
processes of their own; what they show is shown.
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
from conformance.results.comparison import ABSENT, Change, Comparison, compare, grouped
from conformance.results.measures import measures
from conformance.results.results_file import Results

CHECKS = Path(__file__).parent.parent / "checks"

#: How often a case that newly fails is asked again.
AGAIN = 2

#: Most issues that a night asks for: a server that is broken whole needs no thousand of them.
MOST_ISSUES = 10

_SUMMARY, _RECORD, _ISSUES = "night.md", "night.json", "issues.jsonl"

#: What a night leaves in its folder for others to read.
LEFT = (_SUMMARY, _RECORD, _ISSUES, "results.jsonl")

#: How often a case failed, of how often it could be judged.
Ratio = tuple[int, int]


@dataclass(frozen=True)
class Night:
    """What came of a night: its folder, the exit code, the summary as Markdown."""

    folder: Path
    exit: int
    summary: str


def spend(target: str, words: Sequence[str], root: Path, keep: int) -> Night:
    """Spend a night with a target; ``words`` are pytest's options, the target file among them.

    ``keep`` nights keep their run folders, older ones only their rows.
    :class:`conformance.results.history.HistoryError` if the history cannot be used.
    """
    with history.opened(root / "history.sqlite", create=True):
        pass  # Better known before a long run than after it.
    before = _last(root / _folder_name(target))
    folder = root / _folder_name(target) / datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    code = _run(words, folder)
    run = _read(folder)
    if run is None:
        return Night(folder, code or results_file.EXIT_BROKEN, "")
    found: Comparison | None = None
    flaky: dict[str, Ratio] = {}
    confirmed: dict[str, Ratio] = {}
    if before and before.head.revision == run.head.revision:
        found = compare(before, run, _forgiven(before))
        flaky, confirmed = _ask_again(found.failing, words, folder)
    code = _exit(run, found, flaky, code, "--strict" in words)
    night = _get_or_send(run, found, flaky, confirmed, code, root)
    _prune(folder.parent, keep)
    return night


def _folder_name(target: str) -> str:
    """A name for the target's folder; what had to be changed in it is told apart by a digest."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", target).strip(".-_")[:60]
    if plain and plain == target:
        return plain
    return f"{plain or 'target'}-{hashlib.sha256(target.encode()).hexdigest()[:8]}"


def _run(words: Sequence[str], folder: Path, quiet: bool = False) -> int:
    """One run of the suite in a process of its own; its exit code."""
    command = [sys.executable, "-m", "pytest", "-p", "conformance.plugin", "-p", "no:cacheprovider", str(CHECKS)]
    command += [*words, "--run-dir", str(folder)]
    output = subprocess.DEVNULL if quiet else None
    # In a CI job's summary the run itself is told, not each time that a few cases were asked again.
    environ = {name: value for name, value in os.environ.items() if not (quiet and name == "GITHUB_STEP_SUMMARY")}
    sys.stdout.flush()
    return subprocess.run(command, stdout=output, env=environ, check=False).returncode


def _read(folder: Path) -> Results | None:
    """The results of a run that ended."""
    try:
        run = results_file.read(folder)
    except ValueError:
        return None
    return run if run.end and not run.end.interrupted else None


def _last(folder: Path) -> Results | None:
    """The last night that ended."""
    for path in sorted(_nights(folder), reverse=True):
        if run := _read(path):
            return run
    return None


def _nights(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*Z") if path.is_dir()] if folder.is_dir() else []


def _prune(folder: Path, keep: int) -> None:
    for path in sorted(_nights(folder))[:-keep]:
        shutil.rmtree(path, ignore_errors=True)


def _forgiven(run: Results) -> set[str]:
    """The cases that were flaky that night: a failure now is news again."""
    try:
        record = json.loads((run.path.parent / _RECORD).read_text(encoding="utf-8"))
        return set(record["flaky"])
    except (OSError, ValueError, KeyError, TypeError):
        return set()


# -- asking again ------------------------------------------------------------------------------------------------------


def _ask_again(
    failing: Sequence[Change], words: Sequence[str], folder: Path
) -> tuple[dict[str, Ratio], dict[str, Ratio]]:
    """Ask what newly fails again, without all the rest: the flaky ones, and those that failed whenever they could be
    judged, each with its ratio."""
    if not failing:
        return {}, {}
    only = [word for one in failing for word in ("--only", one.id)]
    asked: list[Mapping[str, str]] = []
    for number in range(1, AGAIN + 1):
        print(f"asking {len(failing)} newly failing cases again, {number} of {AGAIN}", flush=True)
        _run([*_without_selection(words), *only], folder / f"again-{number}", quiet=True)
        again = _read(folder / f"again-{number}")
        asked.append({line.id: line.own_verdict for line in again.cases} if again else {})
    flaky: dict[str, Ratio] = {}
    confirmed: dict[str, Ratio] = {}
    for one in failing:
        told = [FAIL, *(verdicts.get(one.id, INCONCLUSIVE) for verdicts in asked)]
        evaluated = [verdict for verdict in told if verdict not in (INCONCLUSIVE, results_file.ERROR, NOT_APPLICABLE)]
        ratio = evaluated.count(FAIL), len(evaluated)
        (confirmed if ratio[0] == ratio[1] else flaky)[one.id] = ratio
    return flaky, confirmed


def _without_selection(words: Sequence[str]) -> list[str]:
    """The options without those that choose cases or name files of the run."""
    kept: list[str] = []
    skip = False
    for word in words:
        name, equals, _ = word.partition("=")
        if skip or name in _FOR_ONE_RUN:
            skip = not skip and not equals
            continue
        kept.append(word)
    return kept


_FOR_ONE_RUN = (
    "--only", "-m", "-k", "--deselect", "--results", "--baseline", "--html", "--markdown", "--badge", "--junitxml",
    "--junit-xml", "--alluredir",
)  # fmt: skip


# -- what came of it ---------------------------------------------------------------------------------------------------


def _get_or_send(
    run: Results,
    found: Comparison | None,
    flaky: Mapping[str, Ratio],
    confirmed: Mapping[str, Ratio],
    exit_code: int,
    root: Path,
) -> Night:
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
    regressions = grouped([one for one in found.failing if one.id not in flaky]) if found else []
    record = {
        "format": 1,
        "target": target,
        "exit": exit_code,
        "regressions": [one.id for one in regressions],
        "vanished": [one.id for one in found.vanished] if found else [],
        "flaky": {name: list(ratio) for name, ratio in flaky.items()},
    }
    write_atomically(folder / _SUMMARY, summary)
    write_atomically(folder / _RECORD, json.dumps(record, indent=1) + "\n")
    issues = "".join(json.dumps(one) + "\n" for one in _issues(run, regressions, confirmed))
    write_atomically(folder / _ISSUES, issues)
    return Night(folder, exit_code, summary)


def _exit(run: Results, found: Comparison | None, flaky: Mapping[str, Ratio], code: int, strict: bool) -> int:
    """1 for a regression; else the run's own code, flaky cases not counted as failed."""
    if code not in (
        results_file.EXIT_OK,
        results_file.EXIT_FAILED,
        results_file.EXIT_NOTHING,
        results_file.EXIT_INCONCLUSIVE,
    ):
        return code
    if found and (found.vanished or any(one.id not in flaky for one in found.failing)):
        return results_file.EXIT_FAILED
    if not flaky or (run.end and run.end.baseline):
        return code
    verdicts = [PASS if line.id in flaky else line.counted for line in run.cases]
    return results_file.exit_code(verdicts, strict)


def _summary(
    run: Results,
    found: Comparison | None,
    flaky: Mapping[str, Ratio],
    confirmed: Mapping[str, Ratio],
    exit_code: int,
) -> str:
    counts = ", ".join(f"{number} {verdict}" for verdict, number in (run.end.counts if run.end else {}).items())
    title = f"## {code(run.head.target.name)}, night of {run.head.started_at[:10]}"
    told = (
        comparison.render(found, flaky, confirmed) if found else "The first night: there is nothing to compare with.\n"
    )
    return f"{title}\n\n{told}\n{counts}; exit {exit_code}\n"


def _issues(run: Results, regressions: Sequence[Change], confirmed: Mapping[str, Ratio]) -> Iterator[dict[str, str]]:
    """An issue a regression, by title, so that nobody opens it twice."""
    target = run.head.target.name
    by_id = {line.id: line for line in run.cases}
    for one in regressions[:MOST_ISSUES]:
        failed, asked = confirmed.get(one.id, (1, 1))
        was = "was not judged" if one.before == ABSENT else f"was {one.before}"
        yield {
            "title": f"{one.id} fails at {target}"[:250],
            "body": "\n".join(
                [
                    f"{code(one.id)} ({by_id[one.id].level}) {was} the night before, and failed {failed} of {asked}"
                    f" times in the night of {run.head.started_at[:10]}.",
                    "",
                    f"- found: {code(one.says, 500)}",
                    f"- rule: `conformance explain {by_id[one.id].requirement}`",
                    f"- cases that follow from it: {one.follow}",
                    f"- regressions that night: {len(regressions)}",
                ]
            ),
        }
