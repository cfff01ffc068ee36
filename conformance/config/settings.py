"""The settings of a target: their names, types, defaults and help texts."""

from __future__ import annotations

from dataclasses import dataclass

from conformance.contract.revisions import DEFAULT, REVISIONS

#: The value of ``endpoint`` when the suite's own endpoint is checked.
BUILT_IN = "built-in"

#: Default for the bytes of one response body that are read.
MAX_BODY = 16_000_000


@dataclass(frozen=True)
class Setting:
    """One setting: its name, default and type (``text`` or ``number``), with the help text."""

    name: str
    kind: str
    default: str | float | bool | None
    help: str

    @property
    def metavar(self) -> str:
        """What a help text shows for the value."""
        return _METAVARS.get(self.name, "N" if self.kind == "number" else "NAME")


#: What a help text shows for the value of a setting; for others N or NAME.
_METAVARS = {
    "endpoint": "URL", "revision": "DATE", "max-body": "BYTES", "wait": "S", "connect-timeout": "S",
    "max-first-byte-ms": "MS", "max-event-gap-ms": "MS",
    "first-byte-timeout": "S", "read-timeout": "S", "total-timeout": "S",
}  # fmt: skip

_ENDPOINT_HELP = f"base URL ending in {DEFAULT.base_path}; without it the built-in endpoint is checked"

_RPM_HELP = f"requests a minute, over all processes (default {DEFAULT.requests_per_minute:g}; no limit on loopback)"

SETTINGS = (
    Setting("endpoint", "text", BUILT_IN, _ENDPOINT_HELP),
    Setting("model", "text", None, f"model to request (default {DEFAULT.default_model})"),
    Setting("api-key-env", "text", DEFAULT.api_key_env, "environment variable that contains the key"),
    Setting("revision", "text", REVISIONS[0], f"revision of the contract: {' or '.join(REVISIONS)}"),
    Setting("concurrency", "number", 4, "requests under way at a time, over all processes"),
    Setting("rpm", "number", None, _RPM_HELP),
    Setting(
        "max-requests",
        "number",
        None,
        "requests in all, with repeated ones; then nothing more is sent (default: no limit)",
    ),
    Setting(
        "max-output-tokens",
        "number",
        None,
        "output tokens in all; what might exceed them is not sent (default: no limit)",
    ),
    Setting("connect-timeout", "number", 10, "seconds to connect"),
    Setting("first-byte-timeout", "number", None, "seconds until the response begins (default 600; 120 on loopback)"),
    Setting("read-timeout", "number", None, "seconds without a byte once it has begun (default 300; 30 on loopback)"),
    Setting("total-timeout", "number", None, "seconds for one complete exchange (default 900; 180 on loopback)"),
    Setting("max-first-byte-ms", "number", None, "a later first byte is a warning (default: no limit)"),
    Setting(
        "max-event-gap-ms",
        "number",
        None,
        "a longer gap in a stream is a warning (default: no limit)",
    ),
    Setting("max-body", "number", MAX_BODY, "bytes of one response body that are read"),
    Setting("wait", "number", 0, "seconds to wait until the endpoint accepts connections"),
)
