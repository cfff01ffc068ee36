"""The bundle of a run: the exchanges that show most facts, with the versions, the date and the facts."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.exchange.bundle import MOST, bundle_of
from conformance.exchange.exchange import Exchange
from conformance.exchange.run_directory import RunDirectory
from conformance.results.facts import facts, readings

#: The most bytes of the body of a shared response.
_LARGEST = 200_000


def bundle(folder: RunDirectory) -> str:
    """The bundle of a recorded run as JSON text; ``OSError`` or ``ValueError`` if the folder cannot be read, and
    ``ValueError`` if it contains no response."""
    seen = {key: readings(one) for key, one in _small(folder)}
    chosen = list(_covering({key: found for key, found in seen.items() if found}))
    exchanges = [one for key in chosen if (one := folder.read(key))]
    if not exchanges:
        raise ValueError(f"run folder {folder.path} contains no response to share")
    head = folder.head()
    dates = sorted(one.sent_at for one in exchanges)
    about = {
        "run": head,
        "sent": {"first": dates[0], "last": dates[-1]},
        "facts": [one.to_json() for one in facts(exchanges)],
    }
    return bundle_of(exchanges, about)


def _small(folder: RunDirectory) -> Iterator[tuple[str, Exchange]]:
    for key in folder.recorded():
        if (one := folder.read(key)) and len(one.body) <= _LARGEST and len(one.request.body) <= _LARGEST:
            yield key, one


def _covering(seen: dict[str, set[tuple[str, str]]]) -> Iterator[str]:
    """Keys of exchanges, each the one that shows most facts that those before it do not show."""
    left = set[tuple[str, str]]().union(*seen.values())
    for _ in range(MOST):
        best = max(sorted(seen), key=lambda key: len(seen[key] & left), default="")
        if not best or not seen[best] & left:
            return
        yield best
        left -= seen.pop(best)
