"""The files that are rendered from results, each by one function, and where they go."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from conformance.exchange.run_directory import RunDirectory, write_atomically
from conformance.report import badge, html, job_summary
from conformance.report.summary import quoted
from conformance.results.results_file import Results

#: A kind of file: what makes it of the results, the folder with their exchanges, and the command that judges again.
KINDS: Mapping[str, Callable[[Results, RunDirectory, str], str]] = {
    "html": html.render,
    "markdown": lambda results, folder, again: job_summary.render(results, again),
    "badge": lambda results, folder, again: badge.render(results),
}

HELP = {
    "html": "the report as one HTML file (default: report.html in the run folder)",
    "markdown": "a summary as Markdown, for the page of a CI job",
    "badge": "a badge as JSON, in the form of shields.io's endpoint badges",
}

#: Where GitHub Actions takes the summary of a job's step from.
_STEP_SUMMARY = "GITHUB_STEP_SUMMARY"


def write(results: Results, folder: RunDirectory, again: str, files: Mapping[str, Path]) -> None:
    """Write the files of these kinds, ``-`` is standard output; ``OSError`` if one cannot be written."""
    for kind, path in files.items():
        text = KINDS[kind](results, folder, again)
        if str(path) == "-":
            sys.stdout.write(text)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text)


def write_step_summary(results: Results, again: str, environ: Mapping[str, str] = os.environ) -> None:
    """Append the Markdown to the summary of the CI job's step, if it is one of GitHub Actions."""
    if environ.get(_STEP_SUMMARY):
        with Path(environ[_STEP_SUMMARY]).open("a", encoding="utf-8") as file:
            file.write(job_summary.render(results, again))


def again_of(results: Results) -> str:
    """The command that judges the same target again, as far as the results tell: a target file is not among them."""
    head = results.head
    words = ["conformance", "run"]
    if head.mode != "built-in":
        words.append(quoted(head.target.endpoint))
    return " ".join([*words, "--model", quoted(head.target.model), "--revision", quoted(head.revision)])
