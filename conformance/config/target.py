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

from conformance.config.endpoint_url import check_endpoint
from conformance.config.errors import Misconfigured as Misconfigured
from conformance.config.header_names import header_names
from conformance.config.loopback import is_loopback as is_loopback
from conformance.config.prices import Prices, prices
from conformance.config.request_headers import RequestHeaders, request_headers
from conformance.config.settings import SETTINGS, Setting
from conformance.contract.revisions import CONTRACTS, DEFAULT, Contract

#: Prefix of the source of a setting that is read from a recorded run.
RECORDING = "recording "

#: Features that a profile may list as unsupported; scenarios that need them are not applicable.
_LACKABLE = {
    "auth": "any authentication",
    "streaming": "stream: true",
    "reasoning": "reasoning and its effort",
    "tools": "function tools",
    "custom-tools": "custom and namespace tools (2026-10)",
    "json-object": "text.format json_object",
    "input-array": "input as an array of items",
}


def lackable(contract: Contract) -> dict[str, str]:
    """What a profile may exclude: the contract's ways to authenticate and the features, each in words."""
    return {**{one.name: f"the {one.shown} header" for one in contract.authentication}, **_LACKABLE}


PROFILE_FEATURES = lackable(DEFAULT)

UNKNOWN_PARAMETERS = ("either", "reject", "filter")

#: Whether an endpoint shows the text of its reasoning, or only counts its tokens.
REASONING = ("visible", "hidden")

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


#: Prefix of the environment variable of a setting.
_PREFIX = "CONFORMANCE_"

#: The variables that Kubernetes sets in every container for a Service whose name begins with "conformance".
_OF_KUBERNETES = re.compile(
    r"CONFORMANCE(_\w+)?_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)


@dataclass(frozen=True)
class Target:
    """The endpoint under test, with every setting resolved.

    ``contract`` is the revision that it is to fulfil. ``nonce`` is random per run and makes names that no server can
    know; ``lacks``, ``unknown_parameters`` and ``reasoning`` are the profile (``reasoning`` is "unknown" for captured
    traffic without a target file); ``sources`` maps each setting to the source of its value. A limit that is None does
    not apply. ``prices`` are those of a million input and output tokens, with the currency; None if the profile gives
    none. ``headers`` are sent with every request, with ``$NAME`` for the value of an environment variable.
    """

    name: str
    endpoint: str
    model: str
    api_key_env: str
    contract: Contract
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
    reasoning: str = REASONING[0]
    max_first_byte_ms: float | None = None
    max_event_gap_ms: float | None = None
    prices: Prices | None = None
    headers: RequestHeaders = ()

    @property
    def has_budgets(self) -> bool:
        """Whether a latency budget is set."""
        return self.max_first_byte_ms is not None or self.max_event_gap_ms is not None

    @property
    def built_in(self) -> bool:
        """Whether the target is the built-in endpoint."""
        return self.sources.get("endpoint") == "default"

    @property
    def recorded(self) -> bool:
        """Whether a recording is evaluated instead of sending requests."""
        return self.sources.get("endpoint", "").startswith(RECORDING)

    @property
    def revision(self) -> str:
        """The revision of the contract."""
        return self.contract.revision

    @property
    def url(self) -> str:
        """Where requests go: the base plus the contract's path (``/responses``)."""
        return self.endpoint.rstrip("/") + self.contract.path


def resolve(
    options: Mapping[str, Any],
    environ: Mapping[str, str],
    nonce: str,
    file: Path | None,
    contracts: Mapping[str, Contract] = CONTRACTS,
) -> Target:
    """The target of these options (unset ones are None or absent); :class:`Misconfigured` names the first fault.
    ``contracts`` are the revisions to choose from, the first one being that of a target that names none."""
    _check_variables(environ)
    document = _read(file) if file else {}
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for setting in SETTINGS:
        values[setting.name], sources[setting.name] = _pick(setting, options, environ, document, file)
    if sources["revision"] == "default":
        values["revision"] = next(iter(contracts))
    if values["revision"] not in contracts:
        raise Misconfigured(f"revision {values['revision']!r} is not known; {_nearest(values['revision'], contracts)}")
    contract = contracts[values["revision"]]
    if sources["api-key-env"] == "default":
        values["api-key-env"] = contract.api_key_env
    if not _VARIABLE.fullmatch(values["api-key-env"]):
        raise Misconfigured("api-key-env is not the name of an environment variable; it must not be the key itself")
    if values["model"] is None:
        values["model"] = contract.default_model
    local = True
    if sources["endpoint"] != "default":
        local = check_endpoint(values["endpoint"], contract)
    profile = document.get("profile", {})
    try:
        known_prices = prices(profile.get("prices"))
    except ValueError:
        form = '{ input = 0.5, output = 2.0, currency = "USD" }, per million tokens'
        raise Misconfigured(f"profile.prices is {profile['prices']!r}; expected {form}") from None
    if (named := header_names(profile.get("credential_headers", []))) is None:
        raise Misconfigured("profile.credential_headers is not a list of header names")
    return Target(
        name=document.get("name", values["endpoint"]),
        endpoint=values["endpoint"],
        model=values["model"],
        api_key_env=values["api-key-env"],
        contract=contract,
        concurrency=_integer(values, "concurrency"),
        rpm=None if local and values["rpm"] is None else _positive(values, "rpm", contract.requests_per_minute),
        max_requests=_if_given(values, "max-requests"),
        max_output_tokens=_if_given(values, "max-output-tokens"),
        connect_timeout=_positive(values, "connect-timeout"),
        first_byte_timeout=_positive(values, "first-byte-timeout", 120 if local else 600),
        read_timeout=_positive(values, "read-timeout", 30 if local else 300),
        total_timeout=_positive(values, "total-timeout", 180 if local else 900),
        max_body=_integer(values, "max-body"),
        wait=_positive(values, "wait") if values["wait"] else 0.0,
        lacks=frozenset(_known(profile.get("lacks", []), lackable(contract), "profile.lacks")),
        unknown_parameters=_known(
            [profile.get("unknown_parameters", "either")], UNKNOWN_PARAMETERS, "profile.unknown_parameters"
        )[0],
        credential_headers=named,
        nonce=nonce,
        sources=sources,
        reasoning=_known([profile.get("reasoning", REASONING[0])], REASONING, "profile.reasoning")[0],
        max_first_byte_ms=_budget(values, "max-first-byte-ms"),
        max_event_gap_ms=_budget(values, "max-event-gap-ms"),
        prices=known_prices,
        headers=request_headers(document.get("headers", {}), str(file)),
    )


def _budget(values: Mapping[str, Any], name: str) -> float | None:
    return None if values[name] is None else _positive(values, name)


def _read(file: Path) -> dict[str, Any]:
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"target file {file} cannot be read: {getattr(error, 'strerror', '') or error}") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise Misconfigured(f"target file {file} is not TOML: {error}") from None
    # The table "server" is for targets/, which starts servers; "proxy" is for conformance proxy.
    known = ["name", "profile", "headers", *(one.name.replace("-", "_") for one in SETTINGS), "server", "proxy"]
    _known(document, known, str(file))
    if not isinstance(document.get("name", ""), str):
        raise Misconfigured(f"{file}: name is not a string")
    if not isinstance(document.get("profile", {}), dict):
        raise Misconfigured(f"{file}: profile is not a table")
    known = ["lacks", "unknown_parameters", "reasoning", "credential_headers", "prices"]
    _known(document.get("profile", {}), known, f"{file}, [profile]")
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
        raise Misconfigured(f"{where} is {'empty' if isinstance(value, str) else f'{value!r}, not a string'}")
    return value.strip()


def _positive(values: Mapping[str, Any], name: str, default: float = 0) -> float:
    value = default if values[name] is None else float(values[name])
    if not 0 < value < 1e12:
        raise Misconfigured(f"{name} is {value:g}; it must be {'less than 1e+12' if value > 0 else 'more than 0'}")
    return value


def _integer(values: Mapping[str, Any], name: str) -> int:
    value = _positive(values, name)
    if value != int(value):
        raise Misconfigured(f"{name} is {value:g}; it must be an integer")
    return int(value)


def _if_given(values: Mapping[str, Any], name: str) -> int | None:
    return None if values[name] is None else _integer(values, name)


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
