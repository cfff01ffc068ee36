"""Named faults: each makes the endpoint violate a rule, and if possible no other."""

from __future__ import annotations

from ..hooks import Behaviour
from . import (
    auth,
    clients,
    combined,
    connections,
    custom_tools,
    effort,
    errors,
    event,
    gateways,
    http,
    identity,
    inputs,
    lifecycle,
    loops,
    mixed,
    outside,
    rare,
    request,
    response,
    rich_tools,
    sse,
    sums,
    talk,
    tools,
    truncation,
    usage,
)

MODULES = (
    auth,
    http,
    request,
    outside,
    response,
    usage,
    effort,
    tools,
    truncation,
    sse,
    event,
    lifecycle,
    identity,
    sums,
    errors,
    talk,
    mixed,
    rare,
    loops,
    clients,
    rich_tools,
    inputs,
    combined,
    custom_tools,
    gateways,
    connections,
)

FAULTS: dict[str, Behaviour] = {fault.name: fault for module in MODULES for fault in module.FAULTS}
"""All faults by name; the part before the dot is the area."""
