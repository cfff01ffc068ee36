"""What the automata and the keeper of identities report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from conformance.decode.events import Event


@dataclass(frozen=True)
class Violation:
    """``rule`` is the requirement's id; ``event`` the offending event (None: the stream as a whole); ``place`` the
    ``output_index`` of the item it is about (None: about no item)."""

    rule: str
    message: str
    event: Event | None = None
    pointer: str = ""
    want: Any = None
    got: Any = None
    place: int | None = None
