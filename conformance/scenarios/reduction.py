"""The smallest refused combination: which part of a refused row is sent next, and what is known after each response."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.exchange.exchange import Exchange
from conformance.scenarios.combinations import Levels


def smaller(levels: Levels, refused: Sequence[bool]) -> tuple[Levels, Levels | None]:
    """The smallest combination known to be refused, and the next one to send (None: nothing more can be left out).

    ``refused`` is for each request sent so far, the row itself first, whether it was refused. One factor after the
    other is left out, for good if the rest is refused without it. The last request is a control: the smallest
    combination once more if the last one was served, the request without any factor if none was. No combination is the
    reason, and the result is empty, if the one is served or the other is refused.
    """
    known, place = dict(levels), 0
    for number, was_refused in enumerate(refused[1:], 1):
        if len(known) < 2 or place >= len(known):
            return known if was_refused == (not all(refused[:number])) else {}, None
        if was_refused:
            known = {name: level for name, level in known.items() if name != [*known][place]}
        else:
            place += 1
    if not refused or not refused[0]:
        return known, None
    if len(known) < 2 or place >= len(known):
        return known, {} if all(refused) else None if refused[-1] else known
    return known, {name: level for name, level in known.items() if name != [*known][place]}


def is_refused(exchange: Exchange) -> bool:
    """Whether a combination was refused, or failed (all of it at every attempt, a part at the only one)."""
    return exchange.refused or exchange.status == 500


def how_reduced(sent: Sequence[Exchange]) -> str:
    """How the smallest combination was found, as the end of a message; empty where it was not searched for."""
    if any(one.status is None for one in sent):
        return " (not reduced: smaller ones had no response)"
    return f" (the smallest refused combination, by {len(sent)} requests)" if len(sent) > 1 else ""


def refused_for_another_reason(levels: Levels, sent: Sequence[Exchange]) -> Exchange | None:
    """The refusal of a row for which no combination is the reason, as the control shows; None for any other."""
    statuses = [is_refused(one) for one in sent]
    decided = statuses[0] and (sent[-1].ok or statuses[-1])
    return sent[0] if decided and not smaller(levels, statuses)[0] else None


def how_served_again(sent: Sequence[Exchange]) -> str:
    """The difference that shows that no combination is the reason, for a message."""
    return (
        "and served when the same request is sent again"
        if sent[-1].ok
        else "and so is the request without any special parameter"
    )
