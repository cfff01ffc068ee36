"""Valid and invalid credentials."""

from __future__ import annotations

from dataclasses import replace

from conformance.contract.revisions import Contract, Way
from conformance.scenarios.ordinary import SHORT, SMOKE, TEXT, both
from conformance.scenarios.scenario import Scenario, same_body

_BODY = {**SHORT, "input": "Say hello."}

_ACCEPTED = frozenset({"auth-accepted"})


def scenarios(contract: Contract) -> list[Scenario]:
    """The scenarios about authentication, by the ways that the contract has."""
    keys, schemes = [way for way in (contract.key_way,) if way], [way for way in (contract.scheme_way,) if way]
    return [
        *(one for way in keys for one in _key_in_its_header(way, contract)),
        *(one for way in schemes for one in _plain_and_streaming(_with_scheme(way))),
        *(_in_capitals(way) for way in keys),
        *(one for way in schemes for one in _in_lower_case(way)),
        *_refused(contract),
        Scenario(
            "auth.wrong-key-bad-body", "an invalid key and a body that is not JSON", raw=b'{"model": "',
            auth=f"{contract.way.name}:wrong", expect="refusal", about={"refused": "-"},
            tags=frozenset({"auth-refused", "auth-first"}), claims=frozenset({"auth"}), wrong=True,
        ),
        *(one for key in keys for scheme in schemes for one in _both_headers(key, scheme)),
    ]  # fmt: skip


def _key_in_its_header(way: Way, contract: Contract) -> list[Scenario]:
    """Requests with the key in this header only. The requests of ``text`` already show it for the header that the
    contract uses by default: those here are then sent only if ``text`` is not served."""
    found = both(_key_alone(way))
    if way != contract.way:
        return found
    return [replace(one, within=f"text{one.name.removeprefix(found[0].name)}") for one in found]


def _key_alone(way: Way) -> Scenario:
    return Scenario(
        f"auth.{way.name}",
        f"the {way.header} header alone",
        TEXT,  # Where it is the usual way, the same request as the first one.
        auth=way.name,
        about={"accepted": "auth.api-key-header-accepted"},
        tags=_ACCEPTED,
        claims=frozenset({way.name}),
    )


def _with_scheme(way: Way) -> Scenario:
    return Scenario(
        f"auth.{way.name}",
        f"{way.shown} alone",
        _BODY,
        auth=way.name,
        about={"accepted": "auth.bearer-accepted"},
        tags=_ACCEPTED | SMOKE,
        claims=frozenset({way.name}),
    )


def _plain_and_streaming(one: Scenario) -> list[Scenario]:
    """The streaming one, which a combination speaks for, is none of the few that smoke sends."""
    return [one, replace(streamed := one.streamed(), tags=streamed.tags - SMOKE)]


def _in_capitals(way: Way) -> Scenario:
    name = way.name.upper()
    about = {"accepted": "auth.header-names-case-insensitive"}
    return replace(
        _key_alone(way), name=f"auth.{name}", description=f"{name} in capitals", auth=name, about=about,
        after="http.head", follow=same_body, reuses=True,  # A body behind HEAD would be read as this response.
    )  # fmt: skip


def _in_lower_case(way: Way) -> list[Scenario]:
    one = replace(_with_scheme(way), tags=_ACCEPTED)
    header, scheme = way.header.lower(), way.scheme.lower()
    return [
        replace(
            one, name=f"auth.{header}", description=f"{header} in lower case", auth="lower-header",
            about={"accepted": "auth.header-names-case-insensitive"},
        ),
        replace(
            one, name="auth.lower-scheme", description=f"the scheme {scheme} in lower case", auth="lower-scheme",
            about={"accepted": "auth.scheme-case-insensitive"}, after=one.name, follow=same_body, reuses=True,
        ),
    ]  # fmt: skip


def _both_headers(key: Way, scheme: Way) -> list[Scenario]:
    one_wrong = "one-right-one-wrong"
    return [
        replace(
            _key_alone(key), name=f"auth.both-{name}", description=f"both headers, {description}", auth=auth,
            expect="either", about={"of": f"auth.{rule}"}, tags=frozenset({"auth-both"}),
            claims=frozenset({key.name, scheme.name}),
        )
        for name, rule, description, auth in (
            ("right", "both-right", "both right", f"{key.name}+{scheme.name}"),
            (f"{key.name}-wrong", one_wrong, f"the {key.name} wrong", f"{key.name}:wrong+{scheme.name}"),
            (f"{scheme.name}-wrong", one_wrong, f"the {scheme.name} wrong", f"{key.name}+{scheme.name}:wrong"),
        )
    ]  # fmt: skip


def _credentials(contract: Contract) -> dict[str, tuple[str, ...]]:
    """Rule -> the credentials that fall under it."""
    key, scheme = contract.key_way, contract.scheme_way
    ways = [way.name for way in (key, scheme) if way]
    almost = [f"{way}:{name}" for way in ways for name in ("last-character", "prefix", "suffix")]
    rules: dict[str, tuple[str, ...]] = {
        "auth.missing-key-refused": ("none",),
        "auth.wrong-api-key-refused": (f"{key.name}:wrong",) if key else (),
        "auth.wrong-bearer-refused": (f"{scheme.name}:wrong",) if scheme else (),
        "auth.empty-key-refused": (f"{key.name}:empty",) if key else (),
        "auth.empty-bearer-refused": (f"{scheme.name}:empty",) if scheme else (),
        "auth.other-scheme-refused": ("other-scheme",) if scheme else (),
        "auth.key-without-scheme-refused": ("no-scheme",) if scheme else (),
        "auth.almost-right-key-refused": (*almost, f"{contract.authentication[-1].name}:case"),
    }
    return rules


def _refused(contract: Contract) -> list[Scenario]:
    found: list[Scenario] = []
    #: Credentials that are also sent with ``stream: true``.
    streamed = ("none", *(f"{way.name}:wrong" for way in contract.authentication))
    streamed += (f"{contract.authentication[-1].name}:suffix",)
    scheme = contract.scheme_way
    # A server that checks the key once for each connection accepts this one behind a valid key.
    behind = {f"{scheme.name}:prefix": f"auth.{scheme.header.lower()}"} if scheme else {}
    for rule, variants in _credentials(contract).items():
        for variant in variants:
            scenario = Scenario(
                f"auth.refused.{variant.replace(':', '-')}",
                f"the credential {variant}",
                _BODY,
                auth=variant,
                expect="refusal",
                about={"refused": rule},
                tags=frozenset({"auth-refused"}) | (SMOKE if variant == "none" else frozenset()),
                claims=frozenset({"auth"}),
                after=behind.get(variant),
                follow=same_body if variant in behind else None,
                reuses=variant in behind,
            )
            found.append(scenario)
            if variant in streamed:
                found.append(scenario.streamed(about={"refused": "auth.refused-when-streaming"}))
    return found
