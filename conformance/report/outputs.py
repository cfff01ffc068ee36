"""The report files that are rendered from results, and the command that repeats a run."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from conformance.exchange.run_directory import RunDirectory, write_atomically
from conformance.report import badge, ctrf, html, job_summary, sarif
from conformance.report.summary import quoted
from conformance.results import sharing
from conformance.results.results_file import Results

#: Kind of file -> its renderer, which takes the results, the run folder and the command that repeats the run.
KINDS: Mapping[str, Callable[[Results, RunDirectory, str], str]] = {
    "html": html.render,
    "markdown": lambda results, folder, again: job_summary.render(results, again),
    "badge": lambda results, folder, again: badge.render(results),
    "sarif": lambda results, folder, again: sarif.render(results, again),
    "ctrf": lambda results, folder, again: ctrf.render(results),
    "share": lambda results, folder, again: sharing.bundle(folder),
}

HELP = {
    "html": "the report as one HTML file (default: report.html in the run folder)",
    "markdown": "a summary as Markdown, for the page of a CI job",
    "badge": "a badge as JSON, in the format of shields.io's endpoint badge",
    "sarif": "the causes as SARIF 2.1.0, for code scanning",
    "ctrf": "the cases in the Common Test Report Format (CTRF)",
    "share": "a bundle of at most 15 redacted exchanges, for others to see what the endpoint sends",
}

#: The environment variable with the path of the job summary, set by GitHub Actions.
_STEP_SUMMARY = "GITHUB_STEP_SUMMARY"


def write(results: Results, folder: RunDirectory, again: str, files: Mapping[str, Path]) -> None:
    """Write the files of these kinds; ``-`` is standard output. Raises OSError if one cannot be written."""
    for kind, path in files.items():
        text = KINDS[kind](results, folder, again)
        if str(path) == "-":
            sys.stdout.write(text)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text)


def write_step_summary(results: Results, again: str, environ: Mapping[str, str] = os.environ) -> None:
    """Append the Markdown to the job summary, if the run is a step of a GitHub Actions job."""
    if environ.get(_STEP_SUMMARY):
        with Path(environ[_STEP_SUMMARY]).open("a", encoding="utf-8") as file:
            file.write(job_summary.render(results, again))


def again_of(results: Results) -> str:
    """The command that repeats the run, from its head line; a target file is not recorded there and not included."""
    head = results.head
    words = ["conformance", "run"]
    if head.mode != "built-in":
        words.append(quoted(head.target.endpoint))
    return " ".join([*words, "--model", quoted(head.target.model), "--revision", quoted(head.revision)])
