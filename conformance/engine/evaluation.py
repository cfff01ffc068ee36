"""The evaluation of one case, used by the pytest plugin, by runs without pytest and for captured traffic."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from conformance.engine.redaction import redact_value, redacted_case
from conformance.exchange.redaction import Secret
from conformance.judge.reasons import INTERNAL_ERROR, Reason
from conformance.judge.recorded import Recorded
from conformance.judge.verdict import INCONCLUSIVE, NOT_APPLICABLE, Case, Record, Result, evaluate
from conformance.results.records import CaseRecord
from conformance.results.results_file import case_record, error_record
from conformance.wire.limits import Stopped
from conformance.wire.pool import CannotRecord


@dataclass(frozen=True, slots=True)
class EvaluatedCase:
    """The record of a case. ``error`` is the exception of an internal error, else None; ``trace`` is its traceback."""

    case: CaseRecord
    error: Exception | None = None
    trace: str = ""


def timed(case: Case, record: Record) -> tuple[Result, float]:
    """The result of a case, and the seconds that its evaluation took."""
    started = time.perf_counter()
    return evaluate(case, record), time.perf_counter() - started


def evaluate_case(
    case: Case,
    record: Recorded,
    secrets: Sequence[Secret] = (),
    planned: bool = True,
    evaluation: Callable[[Case, Record], tuple[Result, float]] = timed,
) -> EvaluatedCase:
    """Evaluate a case; the record and the trace contain none of the secrets.

    ``planned`` is False for captured traffic, whose requests the suite did not choose: a case that cannot be evaluated
    is then not applicable instead of inconclusive. ``evaluation`` is :func:`timed`, or a function that uses what is
    known already. Raises :class:`CannotRecord` if the run folder cannot be written, and :class:`Stopped` if sending has
    stopped.
    """
    try:
        result, seconds = evaluation(case, record)
        if not planned and result.verdict == INCONCLUSIVE:
            result = replace(result, verdict=NOT_APPLICABLE)
        made = case_record(result, record, seconds * 1000)
    except (CannotRecord, Stopped):
        raise
    except Exception as error:  # An exception in a check is an internal error; the other cases are still evaluated.
        failed = error_record(case.id, Reason(INTERNAL_ERROR, str(error)))
        trace = f"{case.id}\n{''.join(traceback.format_exception(error))}"
        return EvaluatedCase(redacted_case(secrets, failed), error, redact_value(secrets, trace))
    return EvaluatedCase(redacted_case(secrets, made))
