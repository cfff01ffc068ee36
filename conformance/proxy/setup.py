"""The settings of a run from its options, and the check whether the proxy is set up."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass

from conformance.config.request_headers import filled
from conformance.config.target import Misconfigured, is_loopback
from conformance.contract.revisions import DEFAULT
from conformance.decode.cannot_evaluate import CannotEvaluate
from conformance.proxy import DIALECTS
from conformance.proxy.kit import Settings
from conformance.proxy.outcomes import FAILED, UNFINISHED, outcome
from conformance.proxy.patience import IDLE_BEFORE_RETRY
from conformance.proxy.profile import Profile
from conformance.proxy.records import Leg, Recording
from conformance.proxy.rules import status_of
from conformance.proxy.upstream import PATHS

#: The environment variable of the client's key.
CLIENT_KEY = DEFAULT.api_key_env

#: The environment variable of the upstream's key, and its default.
UPSTREAM_KEY, DEFAULT_UPSTREAM_KEY = "UPSTREAM_KEY", "upstream-key-2f9c47d1b8e6"


@dataclass(frozen=True)
class Limits:
    """Seconds, as in :class:`conformance.proxy.kit.Settings`."""

    wait: float = 5.0
    silence: float = 6.0
    limit: float = 30.0


#: The limits for the reference proxy: it runs in this process, and needs no patience.
REFERENCE_LIMITS = Limits(1.0, 0.5, 10.0)


def upstream_key() -> str:
    """The key that the upstream accepts."""
    return os.environ.get(UPSTREAM_KEY) or DEFAULT_UPSTREAM_KEY


def settings_of(
    endpoint: str | None,
    dialect: str | None,
    model: str,
    profile: Profile,
    wait: float | None,
    client_key: str,
    limits: Limits = Limits(),
) -> Settings:
    """The settings of a run. ``wait`` and ``dialect`` override the limits and the profile; without a client key, one is
    made. Raises :class:`Misconfigured` for an invalid option."""
    if wait is not None and not 0 < wait <= 600:
        raise Misconfigured(f"--wait is {wait:g}; expected a number of seconds from 0 to 600")
    if endpoint and not is_loopback(endpoint):
        raise Misconfigured(f"--endpoint is {endpoint}; expected a proxy on loopback, as its upstream is the suite")
    if client_key == upstream_key():
        raise Misconfigured(f"{CLIENT_KEY} is the key of the upstream; expected two keys, to see where each is sent")
    return Settings(
        endpoint or "",
        dialect or profile.dialect or DIALECTS[0],
        model,
        client_key or f"client-key-{secrets.token_hex(8)}",
        upstream_key(),
        profile.model,
        profile.key == "pass-through",
        wait or limits.wait,
        profile.silence or limits.silence,
        max(limits.limit, IDLE_BEFORE_RETRY * (wait or 0)),
        profile.system_text,
        profile.effort,
        *filled(profile.headers),
    )


def _is_served(leg: Leg) -> bool:
    """Whether the client received a Response that has not failed, such as from a cache."""
    try:
        return outcome(leg, "responses").finish not in (FAILED, UNFINISHED)
    except CannotEvaluate:
        return False


def check_setup(recording: Recording, other: str) -> None:
    """Raise :class:`Misconfigured` if no first request reaches the upstream, and each is refused; ``other`` is a
    request that reached it and is not one of the dialect."""
    pairs = [pair for one in recording.records for pair in one.pairs]
    if any(pair.upstream or _is_served(pair.client) for pair in pairs):
        return
    status = status_of(pairs[0].client)
    if pairs[0].client.status in (401, 403):
        others = [one.header for one in DEFAULT.authentication if not one.scheme]
        raise Misconfigured(
            f"the proxy refuses the key of the client ({status}): {CLIENT_KEY} must be one that it accepts. It was "
            f"sent in the header Authorization; a proxy that accepts it in {' or '.join(others)} alone violates "
            "auth.bearer-accepted"
        )
    settings = recording.settings
    if other.startswith("POST"):
        raise Misconfigured(
            f"the upstream received {other}, expected POST to a path that ends in {PATHS[settings['dialect']]}: is "
            f"{settings['dialect']} the --dialect of the proxy?"
        )
    where = f"the upstream at http://{settings['upstream']}{DEFAULT.base_path}"
    raise Misconfigured(
        f"no request reached {where}, and the client received {status} for POST {settings['endpoint']}{DEFAULT.path}: "
        "expected a proxy that sends its requests to this upstream (--start passes it on as {upstream})"
    )
