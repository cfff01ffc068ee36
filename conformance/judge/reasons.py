"""Why a case has no pass or fail: a code that programs rely on, beside the text that a person reads.

The text may be reworded at any time; the code may not. New codes may be added, so a reader must expect one that it
does not know.
"""

from __future__ import annotations

from dataclasses import dataclass

#: The rule is not evaluated at all: its row in the catalogue contains the reason.
EXCLUDED = "excluded"

#: The target's profile does not claim a feature that the case needs.
UNSUPPORTED = "unsupported"

#: A request of the case was not sent because of a limit of the run, or is not in the recording.
WITHHELD = "withheld"

#: The responses do not contain what the check needs.
NO_EVIDENCE = "no-evidence"

#: What the rule is about did not occur in the responses, and need not occur.
DOES_NOT_APPLY = "does-not-apply"

#: The responses contain nothing that the check examines.
NOTHING_EXAMINED = "nothing-examined"

#: The check itself failed, which is a bug of the suite.
INTERNAL_ERROR = "internal-error"

#: The worker process died while it evaluated the case.
WORKER_CRASHED = "worker-crashed"

CODES = (
    EXCLUDED, UNSUPPORTED, WITHHELD, NO_EVIDENCE, DOES_NOT_APPLY, NOTHING_EXAMINED, INTERNAL_ERROR, WORKER_CRASHED,
)  # fmt: skip


@dataclass(frozen=True)
class Reason:
    """Why a case has no pass or fail.

    ``code`` is one of :data:`CODES`; it is empty where there is no reason, and in results files of versions before the
    codes. ``features`` are the names that a profile leaves out (:data:`UNSUPPORTED` only).
    """

    code: str = ""
    text: str = ""
    features: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.text)

    def __str__(self) -> str:
        return self.text


#: A case with a verdict of its own needs no reason.
NO_REASON = Reason()
