"""Reading captured traffic from a HAR file or a run folder, and the results of its evaluation."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from conformance.config.target import Target, resolve
from conformance.engine.session import run_head
from conformance.exchange.redaction import Secret
from conformance.exchange.run_directory import RESULTS
from conformance.exchange.scrubbing import scrubbed
from conformance.judge import case_selection
from conformance.results import results_file
from conformance.results.records import Partial, RunEnd
from conformance.results.results_file import Results
from conformance.traffic.capture_files import is_capture_folder, read_capture, read_folder
from conformance.traffic.captured import Captured, read_run
from conformance.traffic.evaluation import Evaluation
from conformance.traffic.har import Har

#: The mode of captured traffic in results and run folders (see ``schemas/results.json``).
TRAFFIC_MODE = "traffic"

#: The nonce of a target to which no request is sent.
_NO_NONCE = "00000000"


@dataclass(frozen=True)
class Source:
    """Captured traffic. ``head`` is the head of the recorded run as JSON; empty for a HAR file."""

    path: Path
    traffic: Har
    head: Mapping[str, Any]
    target: Target

    @property
    def file(self) -> Path:
        """The results file of a run folder, or the HAR file."""
        return self.path / RESULTS if self.path.is_dir() else self.path

    @property
    def is_traffic_run(self) -> bool:
        """Whether the run folder was written by ``conformance watch``, so that its results are those of this
        traffic."""
        return self.head.get("mode") == TRAFFIC_MODE


def read_source(path: Path, revision: str | None = None, target_file: Path | None = None) -> Source:
    """Read a HAR file or a run folder. Raises :class:`conformance.config.target.Misconfigured` with one line if it
    cannot be read. The target file can list additional headers that contain a credential."""
    profile = resolve({}, {}, _NO_NONCE, target_file) if target_file else None
    named = profile.credential_headers if profile else ()
    head: Mapping[str, Any] = {}
    if is_capture_folder(path):
        traffic = read_folder(path, named)
    elif path.is_dir():
        captured, others, head = read_run(path)
        traffic = Har(tuple(captured), others, ())  # Keys were redacted when the run was recorded.
    else:
        traffic = read_capture(path, named)
    target = target_of(traffic.captured, traffic.secrets, revision, head, path)
    return Source(path, traffic, head, replace(target, reasoning=profile.reasoning) if profile else target)


def target_of(
    captured: Sequence[Captured],
    secrets: Sequence[Secret],
    revision: str | None = None,
    head: Mapping[str, Any] | None = None,
    path: Path = Path("captured"),
) -> Target:
    """The target of the traffic: name, endpoint and model from the run's head or else the first exchange, with the
    secrets redacted."""
    head = head or {}
    named = head.get("target", {})
    first = captured[0] if captured else None
    url = first.exchange.request.url if first else str(path)
    model = str((first.sent or {}).get("model", "")) if first else ""
    target = resolve({"revision": revision or head.get("revision")}, {}, _NO_NONCE, None)
    endpoint = str(named.get("endpoint") or url.partition("?")[0].rstrip("/").removesuffix(target.contract.path))
    model = str(named.get("model") or model or target.model)
    return replace(
        target, name=str(named.get("name") or path.name), endpoint=endpoint, model=scrubbed(model, secrets),
        reasoning="unknown",
    )  # fmt: skip


def select_cases(evaluated: Evaluation, selections: Collection[str], skips: Collection[str] = ()) -> Evaluation:
    """The cases that these selections select (all without any), except those that ``skips`` select.

    Raises :class:`conformance.config.target.Misconfigured` for a selection that selects no case.
    """
    case_ids = [case.id for case in evaluated.cases]
    for option, globs in (("--only", selections), ("--skip", skips)):
        case_selection.check([*globs], case_ids, "this traffic", option)

    def is_selected(case_id: str) -> bool:
        chosen = not selections or case_selection.selects(case_id, selections)
        return chosen and not case_selection.selects(case_id, skips)

    return replace(evaluated, cases=[case for case in evaluated.cases if is_selected(case.id)])


def results_of(
    evaluated: Evaluation,
    captured: Sequence[Captured],
    target: Target,
    file: Path,
    seconds: float,
    strict: bool = False,
    websockets: int = 0,
    unread_files: int = 0,
) -> Results:
    """The results of the evaluation; ``file`` is where they are, or can be, stored. Exchanges that are not
    evaluated do not change the exit code: it is 0 if a case was evaluated and none failed, 5 if none was evaluated."""
    code = results_file.exit_code([case.verdict for case in evaluated.cases], strict)
    end: RunEnd = results_file.sum_exchanges(evaluated.cases, [one.exchange for one in captured], seconds, code)
    in_part = len(evaluated.in_part)
    not_evaluated = len(evaluated.unjudged) - in_part
    if in_part or not_evaluated or websockets or unread_files:
        end = replace(end, partial=Partial(len(captured), in_part, not_evaluated, websockets, unread_files))
    return Results(file, run_head(target, TRAFFIC_MODE), evaluated.cases, end)
