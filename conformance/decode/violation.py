"""The violations that the state machines and the identity checks report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from conformance.decode.events import Event


@dataclass(frozen=True)
class Violation:
    """``rule`` is the requirement's id; ``event`` the event in violation (None: no single event); ``place`` the
    ``output_index`` of its item (None: no item); ``want`` and ``got`` the expected and the actual value."""

    rule: str
    message: str
    event: Event | None = None
    pointer: str = ""
    want: Any = None
    got: Any = None
    place: int | None = None
