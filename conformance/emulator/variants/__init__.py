"""Named legal variants: each changes the endpoint in a way that the contract allows."""

from __future__ import annotations

from ..hooks import Behaviour
from . import clients, framing, members, outputs, serving

MODULES = (framing, members, serving, outputs, clients)

VARIANTS: dict[str, Behaviour] = {one.name: one for module in MODULES for one in module.VARIANTS}
"""All variants by name; the part before the dot is the area."""
