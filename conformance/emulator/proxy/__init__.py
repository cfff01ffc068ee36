"""The reference proxy: `POST /v1/responses` in front of an upstream in the dialect `responses` or `chat`.

Conformant by default; a `Habit` changes it, as a fault of `FAULTS` or a legal variant of `VARIANTS`.
"""

from __future__ import annotations

from .faults import FAULTS
from .habit import Habit
from .server import ReferenceProxy
from .variants import VARIANTS

__all__ = ["FAULTS", "VARIANTS", "Habit", "ReferenceProxy"]
