"""What an endpoint serves: the revisions of the service, each a table of its own, and room for another service."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .auth import WAYS
from .shapes import EFFORTS, MODELS, MOST_TOKENS, REVISIONS, Dict


def enveloped(members: Dict) -> Dict:
    """The body of a refusal with these members."""
    return {"error": dict(members)}


@dataclass(frozen=True)
class Service:
    """What one revision of a service takes, and how it refuses.

    `revision` is the one whose items and tools it takes; `path` where it lives; `unthinking` the efforts with which
    it does not think (None: no effort is given); `ways` the headers that carry a key, each with the scheme before it;
    `envelope` makes the body of a refusal.
    """

    revision: str
    models: tuple[str, ...]
    efforts: tuple[str, ...]
    base: str = "/v1"
    unthinking: tuple[str | None, ...] = ("none",)
    most_tokens: int = MOST_TOKENS
    ways: tuple[tuple[str, str], ...] = WAYS
    envelope: Callable[[Dict], Dict] = enveloped

    @property
    def path(self) -> str:
        """Where it lives."""
        return self.base + "/responses"


SERVICES = {revision: Service(revision, MODELS[revision], EFFORTS[revision]) for revision in REVISIONS}
