"""Captured traffic by where it lies, a HAR file or a run folder, and the results of what was found in it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from conformance.config.target import Target, resolve
from conformance.engine.session import head
from conformance.exchange.redaction import Secret
from conformance.exchange.run_directory import RESULTS
from conformance.exchange.scrubbing import scrubbed
from conformance.judge import case_selection
from conformance.results import results_file
from conformance.results.records import Partial, RunEnd
from conformance.results.results_file import Results
from conformance.traffic.captured import Captured, read_run
from conformance.traffic.evaluation import Evaluation
from conformance.traffic.har import Har, read_har

#: Mode of a results file and a run folder: see ``schemas/results.json``.
MODE = "traffic"

#: The name of a target for which nothing random is made.
_NO_NONCE = "00000000"


@dataclass(frozen=True)
class Source:
    """What was captured. ``head`` is the first line of a run folder's results as JSON, empty for a HAR file."""

    path: Path
    traffic: Har
    head: Mapping[str, Any]
    target: Target

    @property
    def file(self) -> Path:
        """The results file of a run folder, else the file itself."""
        return self.path / RESULTS if self.path.is_dir() else self.path

    @property
    def of_watch(self) -> bool:
        """Whether it is a folder of captured traffic, whose results are this traffic's."""
        return self.head.get("mode") == MODE


def read_source(path: Path, revision: str | None = None, target_file: Path | None = None) -> Source:
    """Read a HAR file or a run folder; :class:`conformance.config.target.Misconfigured` says in one line why not.
    The target file names further headers that hold a key."""
    named = resolve({}, {}, _NO_NONCE, target_file).credential_headers if target_file else ()
    head: Mapping[str, Any] = {}
    if path.is_dir():
        captured, others, head = read_run(path)
        traffic = Har(tuple(captured), others, ())  # Keys were redacted before anything was kept.
    else:
        traffic = read_har(path, named)
    return Source(path, traffic, head, target_of(traffic.captured, traffic.secrets, revision, head, path))


def target_of(
    captured: Sequence[Captured],
    secrets: Sequence[Secret],
    revision: str | None = None,
    head: Mapping[str, Any] | None = None,
    path: Path = Path("captured"),
) -> Target:
    """What the traffic was with, by its own words, none of the secrets in them."""
    head = head or {}
    named = head.get("target", {})
    first = captured[0] if captured else None
    url = first.exchange.request.url if first else str(path)
    model = str((first.sent or {}).get("model", "")) if first else ""
    target = resolve({"revision": revision or head.get("revision")}, {}, _NO_NONCE, None)
    endpoint = str(named.get("endpoint") or url.partition("?")[0].rstrip("/").removesuffix(target.contract.path))
    model = str(named.get("model") or model or target.model)
    return replace(
        target, name=str(named.get("name") or path.name), endpoint=endpoint, model=scrubbed(model, secrets)
    )  # fmt: skip


def selected(evaluated: Evaluation, selections: Collection[str]) -> Evaluation:
    """The cases that these selections select; all without any.

    :class:`conformance.config.target.Misconfigured` for one that selects nothing.
    """
    if not selections:
        return evaluated
    case_selection.check([*selections], [case.id for case in evaluated.cases], "this traffic")
    return replace(evaluated, cases=[case for case in evaluated.cases if case_selection.selects(case.id, selections)])


def results_of(
    evaluated: Evaluation,
    captured: Sequence[Captured],
    target: Target,
    file: Path,
    seconds: float,
    strict: bool = False,
    websockets: int = 0,
) -> Results:
    """The results, as they lie in a file or are to be written there. That exchanges stand aside changes no exit code:
    it is 0 where something was evaluated and nothing found, 5 where nothing was evaluated."""
    code = results_file.exit_code([case.verdict for case in evaluated.cases], strict)
    end: RunEnd = results_file.sums(evaluated.cases, [one.exchange for one in captured], seconds, code)
    in_part = len(evaluated.in_part)
    aside = len(evaluated.unjudged) - in_part
    if in_part or aside or websockets:
        end = replace(end, partial=Partial(len(captured), in_part, aside, websockets))
    return Results(file, head(target, MODE), evaluated.cases, end)
