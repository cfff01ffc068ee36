"""How a run ends: its results are written into the run folder, and what is rendered from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from conformance.engine.assembly import Assembled
from conformance.exchange.run_directory import REPORT, RESULTS, RunDirectory
from conformance.report import outputs
from conformance.results import results_file
from conformance.results.records import RunHead
from conformance.results.results_file import Results

#: Kind of an entry of ``written`` that says what could not be written.
NOT_WRITTEN = "NOT WRITTEN"


@dataclass(frozen=True)
class Ending:
    """What is to be written and how: ``again`` is the command that evaluates a case again, ``file`` is where the
    results go (None: into the run folder), ``renderings`` are further files by kind."""

    again: str
    seconds: float
    code: int
    interrupted: bool = False
    file: Path | None = None
    renderings: Mapping[str, Path] = field(default_factory=dict)


def conclude(folder: RunDirectory, assembled: Assembled, ending: Ending) -> Results:
    """The results of a run with what it cost. An endpoint that stopped answering for good makes a run that found
    nothing end with :data:`results.EXIT_SETUP`."""
    code = ending.code
    end = results_file.end_record(assembled.cases, folder, ending.seconds, code, ending.interrupted)
    if end.stopped and code in (results_file.EXIT_OK, results_file.EXIT_INCONCLUSIVE, results_file.EXIT_NOTHING):
        end = replace(end, exit=results_file.EXIT_SETUP)
    end = replace(end, baseline=tuple(problem.record for problem in assembled.problems))
    file = (ending.file or folder.path / RESULTS).absolute()
    return Results(file, RunHead.from_json(folder.head()), assembled.cases, end)


def write_all(run: Results, folder: RunDirectory, ending: Ending) -> tuple[Results, dict[str, str]]:
    """Write the results and what is rendered from them; the results with their final exit code, and where each file
    lies by its kind. What cannot be written is an entry :data:`NOT_WRITTEN`, and makes the exit code
    :data:`results.EXIT_BROKEN`."""
    written: dict[str, str] = {}
    files = {"html": folder.path / REPORT, **ending.renderings}
    try:
        run.write(run.path)
        written["results"] = str(run.path)
        outputs.write(run, folder, ending.again, files)
        written |= {kind: str(file.absolute()) for kind, file in files.items()}
        outputs.write_step_summary(run, ending.again)
    except OSError as error:
        written[NOT_WRITTEN] = f"{error.filename} ({error.strerror})"
    except Exception as error:  # A rendering that fails is a bug of the suite, and must not take the run along.
        written[NOT_WRITTEN] = f"a report: {type(error).__name__}: {error}"
    if NOT_WRITTEN in written and run.end:
        run = replace(run, end=replace(run.end, exit=results_file.EXIT_BROKEN))
    return run, written
