"""The target of a run: one frozen :class:`Target` with every setting and the source of its value.

Precedence: command line, then environment (``CONFORMANCE_<SETTING>``), then the target file, then the default.
The key itself is never part of a target; it is read from the environment variable that ``api_key_env`` names.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from conformance.config.header_names import header_names
from conformance.config.loopback import is_loopback as is_loopback
from conformance.contract.schemas import REVISIONS

#: The value of ``endpoint`` for the built-in endpoint.
BUILT_IN = "built-in"

#: Prefix of the source of a setting that is read from a recorded run.
RECORDING = "recording "

DEFAULT_MODELS = {"2026-06-24": "mimo-v2.5-pro", "2026-10": "mimo-v2.6-pro"}

#: Requests a minute that the service allows for a model and account; the default if the endpoint is not on loopback.
RPM = 100.0

#: Default limit of a response body, in bytes.
MAX_BODY = 16_000_000

#: Features that a profile may list as unsupported; scenarios that need them are not applicable.
PROFILE_FEATURES = {
    "api-key": "the api-key header",
    "bearer": "the Authorization: Bearer header",
    "auth": "any authentication",
    "streaming": "stream: true",
    "reasoning": "reasoning and its effort",
    "tools": "function tools",
    "custom-tools": "custom and namespace tools (2026-10)",
    "json-object": "text.format json_object",
    "input-array": "input as an array of items",
}

UNKNOWN_PARAMETERS = ("either", "reject", "filter")

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Misconfigured(Exception):
    """An invalid setting; the message is one line for the user, and the exit code is 2."""


@dataclass(frozen=True)
class Setting:
    """One setting: its name, type (``text`` or ``number``), default and help text."""

    name: str
    kind: str
    default: str | float | bool | None
    help: str


SETTINGS = (
    Setting("endpoint", "text", BUILT_IN, "base URL ending in /v1; default: the built-in endpoint"),
    Setting("model", "text", None, "model id of the requests (default: that of the revision)"),
    Setting("api-key-env", "text", "MIMO_API_KEY", "environment variable with the API key"),
    Setting("revision", "text", REVISIONS[0], f"revision of the contract: {' or '.join(REVISIONS)}"),
    Setting("concurrency", "number", 4, "concurrent requests, over all processes"),
    Setting("rpm", "number", None, "requests a minute, over all processes (default 100; no limit on loopback)"),
    Setting("max-requests", "number", None, "limit of requests in all, retries included; further ones are not sent"),
    Setting(
        "max-output-tokens", "number", None, "limit of output tokens in all; requests that may exceed it are not sent"
    ),
    Setting("connect-timeout", "number", 10, "seconds to connect"),
    Setting(
        "first-byte-timeout", "number", None, "seconds to the first byte of a response (default 600; 120 on loopback)"
    ),
    Setting("read-timeout", "number", None, "seconds between bytes of a response (default 300; 30 on loopback)"),
    Setting("total-timeout", "number", None, "seconds for one exchange in all (default 900; 180 on loopback)"),
    Setting("max-body", "number", MAX_BODY, "limit of a response body in bytes"),
    Setting("wait", "number", 0, "seconds to wait until the endpoint accepts connections"),
)

#: Prefix of the environment variable of a setting.
_PREFIX = "CONFORMANCE_"

#: The variables that Kubernetes sets in every container for a Service whose name begins with "conformance".
_OF_KUBERNETES = re.compile(
    r"CONFORMANCE(_\w+)?_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)


@dataclass(frozen=True)
class Target:
    """The endpoint under test, with every setting resolved.

    ``nonce`` is random for each run and part of names that no server can know; ``lacks`` (unsupported features) and
    ``unknown_parameters`` are the profile; ``sources`` maps each setting to the source of its value. None as a limit
    means no limit.
    """

    name: str
    endpoint: str
    model: str
    api_key_env: str
    revision: str
    concurrency: int
    rpm: float | None
    max_requests: int | None
    max_output_tokens: int | None
    connect_timeout: float
    first_byte_timeout: float
    read_timeout: float
    total_timeout: float
    max_body: int
    wait: float
    lacks: frozenset[str]
    unknown_parameters: str
    credential_headers: tuple[str, ...]
    nonce: str
    sources: Mapping[str, str]

    @property
    def built_in(self) -> bool:
        """Whether the target is the built-in endpoint."""
        return self.sources.get("endpoint") == "default"

    @property
    def recorded(self) -> bool:
        """Whether a recording is evaluated instead of sending requests."""
        return self.sources.get("endpoint", "").startswith(RECORDING)

    @property
    def url(self) -> str:
        """The URL of requests: the base URL and ``/responses``."""
        return self.endpoint.rstrip("/") + "/responses"


def resolve(options: Mapping[str, Any], environ: Mapping[str, str], nonce: str, file: Path | None) -> Target:
    """The target of these options (unset ones are None or absent); :class:`Misconfigured` for the first invalid one."""
    _check_variables(environ)
    document = _read(file) if file else {}
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for setting in SETTINGS:
        values[setting.name], sources[setting.name] = _pick(setting, options, environ, document, file)
    if values["revision"] not in REVISIONS:
        raise Misconfigured(f"revision {values['revision']!r} is not known; {_nearest(values['revision'], REVISIONS)}")
    if not _VARIABLE.fullmatch(values["api-key-env"]):
        raise Misconfigured("api-key-env is not the name of an environment variable; it must not be the key itself")
    if values["model"] is None:
        values["model"] = DEFAULT_MODELS[values["revision"]]
    local = True
    if sources["endpoint"] != "default":
        local = _check_endpoint(values["endpoint"])
    profile = document.get("profile", {})
    if (named := header_names(profile.get("credential_headers", []))) is None:
        raise Misconfigured("profile.credential_headers is not a list of header names")
    return Target(
        name=document.get("name", values["endpoint"]),
        endpoint=values["endpoint"],
        model=values["model"],
        api_key_env=values["api-key-env"],
        revision=values["revision"],
        concurrency=_integer(values, "concurrency"),
        rpm=None if local and values["rpm"] is None else _positive(values, "rpm", RPM),
        max_requests=_if_given(values, "max-requests"),
        max_output_tokens=_if_given(values, "max-output-tokens"),
        connect_timeout=_positive(values, "connect-timeout"),
        first_byte_timeout=_positive(values, "first-byte-timeout", 120 if local else 600),
        read_timeout=_positive(values, "read-timeout", 30 if local else 300),
        total_timeout=_positive(values, "total-timeout", 180 if local else 900),
        max_body=_integer(values, "max-body"),
        wait=_positive(values, "wait") if values["wait"] else 0.0,
        lacks=frozenset(_known(profile.get("lacks", []), PROFILE_FEATURES, "profile.lacks")),
        unknown_parameters=_known(
            [profile.get("unknown_parameters", "either")], UNKNOWN_PARAMETERS, "profile.unknown_parameters"
        )[0],
        credential_headers=named,
        nonce=nonce,
        sources=sources,
    )


def _read(file: Path) -> dict[str, Any]:
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"target file {file} cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured(f"target file {file} is not TOML: {error}") from None
    # The table "server" is for targets/, which starts servers.
    _known(document, ["name", "profile", *(one.name.replace("-", "_") for one in SETTINGS), "server"], str(file))
    if not isinstance(document.get("name", ""), str):
        raise Misconfigured(f"{file}: name is not a string")
    if not isinstance(document.get("profile", {}), dict):
        raise Misconfigured(f"{file}: profile is not a table")
    _known(document.get("profile", {}), ["lacks", "unknown_parameters", "credential_headers"], f"{file}, [profile]")
    return document


def _variable(setting: Setting) -> str:
    return _PREFIX + setting.name.upper().replace("-", "_")


def _check_variables(environ: Mapping[str, str]) -> None:
    """Raise :class:`Misconfigured` for a variable with the prefix that is not a setting: a typo would silently change
    the target."""
    known = {_variable(setting).removeprefix(_PREFIX): _variable(setting) for setting in SETTINGS}
    for name in sorted(environ):
        rest = name.removeprefix(_PREFIX)
        if rest == name or rest in known or not environ[name] or _OF_KUBERNETES.fullmatch(name):
            continue
        near = difflib.get_close_matches(rest, known, n=1)
        offer = f"did you mean {known[near[0]]}?" if near else f"known: {', '.join(known.values())}"
        raise Misconfigured(f"environment variable {name} is not a setting; {offer}")


def _pick(
    setting: Setting,
    options: Mapping[str, Any],
    environ: Mapping[str, str],
    document: Mapping[str, Any],
    file: Path | None,
) -> tuple[Any, str]:
    variable = _variable(setting)
    if options.get(setting.name) is not None:
        return _typed(setting, options[setting.name], "--" + setting.name), "option"
    if environ.get(variable):
        return _typed(setting, environ[variable], variable), variable
    in_file = setting.name.replace("-", "_")
    if in_file in document:
        return _typed(setting, document[in_file], f"{file}: {in_file}"), str(file)
    return setting.default, "default"


def _typed(setting: Setting, value: Any, where: str) -> Any:
    if setting.kind == "number":
        try:
            return float(value if not isinstance(value, bool) else "true")
        except (TypeError, ValueError):
            raise Misconfigured(f"{where} is {value!r}, not a number") from None
    if not isinstance(value, str) or not value.strip():
        raise Misconfigured(f"{where} is {value!r}, not a string")
    return value.strip()


def _positive(values: Mapping[str, Any], name: str, default: float = 0) -> float:
    value = default if values[name] is None else float(values[name])
    if not 0 < value < 1e12:
        raise Misconfigured(f"{name} is {value:g}; it must be more than 0")
    return value


def _integer(values: Mapping[str, Any], name: str) -> int:
    value = _positive(values, name)
    if value != int(value):
        raise Misconfigured(f"{name} is {value:g}; it must be an integer")
    return int(value)


def _if_given(values: Mapping[str, Any], name: str) -> int | None:
    return None if values[name] is None else _integer(values, name)


def _shown(url: str) -> str:
    """The URL without user information, query and fragment, which may contain secrets."""
    return repr(re.sub(r"//[^/]*@", "//", url.partition("?")[0].partition("#")[0]))


def _check_endpoint(url: str) -> bool:
    """Whether the endpoint is on loopback; it must be an absolute http(s) URL without credentials or query."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise Misconfigured(f"endpoint {_shown(url)} is not a URL: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Misconfigured(f"endpoint {_shown(url)} is not a URL such as http://127.0.0.1:8080/v1")
    if parts.username is not None or parts.password is not None:
        raise Misconfigured("endpoint contains credentials; set the key in the environment variable only")
    if parts.query or parts.fragment:
        raise Misconfigured(f"endpoint {_shown(url)} has a query or fragment; set the base URL that ends in /v1")
    if parts.path.rstrip("/").endswith("/responses"):
        raise Misconfigured("endpoint ends in /responses; set the base URL before it, which ends in /v1")
    return is_loopback(url)


def _known(given: Any, known: Any, where: str) -> list[Any]:
    if not isinstance(given, str | list | dict):
        raise Misconfigured(f"{where} is {given!r}, not a list of strings")
    values = [given] if isinstance(given, str) else list(given)
    for value in values:
        if not isinstance(value, str) or value not in known:
            raise Misconfigured(f"{where}: {value!r} is not known; {_nearest(str(value), known)}")
    return values


def _nearest(value: str, known: Any) -> str:
    near = difflib.get_close_matches(value, list(known), n=1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"


def key_of(target: Target, environ: Mapping[str, str] = os.environ) -> str:
    """The key from its variable; :class:`Misconfigured` if it is missing or not allowed in a header."""
    key = environ.get(target.api_key_env, "")
    if not key:
        raise Misconfigured(
            f"{target.api_key_env} is not set: set it to the API key of the endpoint "
            "(--api-key-env names another variable; any string for a server without keys)"
        )
    if not key.isascii() or not key.isprintable() or " " in key:
        raise Misconfigured(f"{target.api_key_env} contains spaces, line ends or characters outside ASCII")
    return key
