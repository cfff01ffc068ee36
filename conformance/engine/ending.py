"""The end of a run: its results and reports are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from conformance.config.prices import money
from conformance.config.target import Target
from conformance.engine.assembly import Assembled
from conformance.exchange.run_directory import REPORT, RESULTS, RunDirectory
from conformance.report import outputs
from conformance.results import results_file
from conformance.results.records import RunHead
from conformance.results.results_file import Results

#: Key of the error message in the files returned by :func:`write_outputs`.
NOT_WRITTEN = "NOT WRITTEN"


@dataclass(frozen=True)
class OutputOptions:
    """The output files and the values that they show.

    ``rerun_command`` is the command that evaluates a case again, without the case. ``seconds`` is the duration of the
    run, ``code`` the exit code of its verdicts. ``file`` is the results file (None: in the run folder). ``renderings``
    are further files by kind (see :data:`conformance.report.outputs.KINDS`). ``target`` gives the prices of tokens.
    """

    rerun_command: str
    seconds: float
    code: int
    interrupted: bool = False
    file: Path | None = None
    renderings: Mapping[str, Path] = field(default_factory=dict)
    target: Target | None = None


def build_results(folder: RunDirectory, assembled: Assembled, options: OutputOptions) -> Results:
    """The results of a run with its end record. The exit code is :data:`results_file.EXIT_SETUP` if the endpoint became
    unreachable and no case failed."""
    code = options.code
    end = results_file.end_record(assembled.cases, folder, options.seconds, code, options.interrupted)
    if end.stopped and code in (results_file.EXIT_OK, results_file.EXIT_INCONCLUSIVE, results_file.EXIT_NOTHING):
        end = replace(end, exit=results_file.EXIT_SETUP)
    end = replace(end, baseline=tuple(problem.record for problem in assembled.problems))
    if options.target:
        end = replace(end, cost=money(options.target.prices, end.tokens.input, end.tokens.output))
    file = (options.file or folder.path / RESULTS).absolute()
    return Results(file, RunHead.from_json(folder.head()), assembled.cases, end)


def write_outputs(run: Results, folder: RunDirectory, options: OutputOptions) -> tuple[Results, dict[str, str]]:
    """Write the results and the reports. Returns the results with the final exit code, and the path of each file by its
    kind. If a file cannot be written, the error is the entry :data:`NOT_WRITTEN`, and the exit code is
    :data:`results_file.EXIT_BROKEN`."""
    written: dict[str, str] = {}
    files = {"html": folder.path / REPORT, **options.renderings}
    try:
        run.write(run.path)
        written["results"] = str(run.path)
        outputs.write(run, folder, options.rerun_command, files)
        written |= {kind: str(file.absolute()) for kind, file in files.items()}
        outputs.write_step_summary(run, options.rerun_command)
    except OSError as error:
        written[NOT_WRITTEN] = f"{error.filename} ({error.strerror})"
    except Exception as error:  # A report that fails is an internal error; the run must still end with its results.
        written[NOT_WRITTEN] = f"a report: {type(error).__name__}: {error}"
    if NOT_WRITTEN in written and run.end:
        run = replace(run, end=replace(run.end, exit=results_file.EXIT_BROKEN))
    return run, written
