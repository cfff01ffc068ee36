"""Named varieties: each makes the endpoint differ from its default in a way that is allowed."""

from __future__ import annotations

from ..hooks import Behaviour
from . import framing, members, serving

MODULES = (framing, members, serving)

VARIANTS: dict[str, Behaviour] = {one.name: one for module in MODULES for one in module.VARIANTS}
"""All varieties by name; the part before the dot says what they vary."""
