"""One case evaluated, whoever asks for it: a pytest item, a run without pytest, or captured traffic."""

from __future__ import annotations

import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace

from conformance.engine.redaction import redacted_case, without
from conformance.exchange.redaction import Secret
from conformance.judge.reasons import INTERNAL_ERROR, Reason
from conformance.judge.recorded import Recorded
from conformance.judge.verdict import INCONCLUSIVE, NOT_APPLICABLE, Case, evaluate
from conformance.results.records import CaseRecord
from conformance.results.results_file import case_record, error_record
from conformance.wire.limits import Stopped
from conformance.wire.pool import CannotRecord


@dataclass(frozen=True)
class Evaluated:
    """The record of a case. ``error`` is what its check raised, None unless the suite itself is wrong; ``trace`` is
    the text that shows it."""

    case: CaseRecord
    error: Exception | None = None
    trace: str = ""


def evaluate_case(case: Case, record: Recorded, secrets: Sequence[Secret] = (), planned: bool = True) -> Evaluated:
    """Evaluate a case; the record and the trace contain none of the secrets.

    Not ``planned``: nobody planned the requests of the case, so that it does not apply where it cannot be evaluated.
    :class:`CannotRecord` and :class:`Stopped` where the responses cannot be had any more: nothing is evaluated then.
    """
    started = time.perf_counter()
    try:
        result = evaluate(case, record)
        if not planned and result.verdict == INCONCLUSIVE:
            result = replace(result, verdict=NOT_APPLICABLE)
        made = case_record(result, record, (time.perf_counter() - started) * 1000)
    except (CannotRecord, Stopped):
        raise
    except Exception as error:  # A check that fails is a bug of the suite; it must not cost the other verdicts.
        failed = error_record(case.id, Reason(INTERNAL_ERROR, str(error)))
        trace = f"{case.id}\n{''.join(traceback.format_exception(error))}"
        return Evaluated(redacted_case(secrets, failed), error, without(secrets, trace))
    return Evaluated(redacted_case(secrets, made))
