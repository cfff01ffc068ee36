"""Valid and invalid credentials."""

from __future__ import annotations

from dataclasses import replace

from conformance.scenarios.ordinary import SHORT, SMOKE, TEXT, both
from conformance.scenarios.scenario import Scenario

_BODY = {**SHORT, "max_output_tokens": 32, "input": "Say hello."}

#: Rule -> the invalid credentials that it is about.
_REFUSED = {
    "auth.missing-key-refused": ("none",),
    "auth.wrong-api-key-refused": ("api-key:wrong",),
    "auth.wrong-bearer-refused": ("bearer:wrong",),
    "auth.empty-key-refused": ("api-key:empty",),
    "auth.empty-bearer-refused": ("bearer:empty",),
    "auth.other-scheme-refused": ("other-scheme",),
    "auth.key-without-scheme-refused": ("no-scheme",),
    "auth.almost-right-key-refused": (
        *(f"{header}:{name}" for header in ("api-key", "bearer") for name in ("last-character", "prefix", "suffix")),
        "bearer:case",
    ),
}

#: Credentials that are also sent with ``stream: true``.
_STREAMED = ("none", "api-key:wrong", "bearer:wrong", "bearer:suffix")


def scenarios() -> list[Scenario]:
    """The scenarios about authentication."""
    bearer = Scenario(
        "auth.bearer",
        "Authorization: Bearer alone",
        _BODY,
        auth="bearer",
        about={"accepted": "auth.bearer-accepted"},
        tags=frozenset({"auth-accepted"}) | SMOKE,
        claims=frozenset({"bearer"}),
    )
    key = Scenario(
        "auth.api-key",
        "the api-key header alone",
        TEXT,  # The same request as the first one: sent once.
        about={"accepted": "auth.api-key-header-accepted"},
        tags=frozenset({"auth-accepted"}),
        claims=frozenset({"api-key"}),
    )
    names = "auth.header-names-case-insensitive"
    return [
        *both(key),
        *both(bearer),
        replace(key, name="auth.API-KEY", description="API-KEY in capitals", auth="API-KEY", about={"accepted": names}),
        replace(
            bearer, name="auth.authorization", description="authorization in lower case", auth="lower-header",
            about={"accepted": names}, tags=key.tags,
        ),
        replace(
            bearer, name="auth.lower-scheme", description="the scheme bearer in lower case", auth="lower-scheme",
            about={"accepted": "auth.scheme-case-insensitive"}, tags=key.tags,
        ),
        *_refused(),
        replace(
            key, name="auth.wrong-key-bad-body", description="an invalid key and a body that is not JSON", body={},
            raw=b'{"model": "', auth="api-key:wrong", expect="refusal", about={"refused": "-"},
            tags=frozenset({"auth-refused", "auth-first"}), claims=frozenset({"auth"}), wrong=True,
        ),
        *(
            replace(
                key, name=f"auth.both-{name}", description=description, auth=auth, expect="either",
                about={"of": f"auth.{rule}"}, tags=frozenset({"auth-both"}), claims=frozenset({"api-key", "bearer"}),
            )
            for name, rule, description, auth in (
                ("right", "both-right", "both headers, both keys valid", "api-key+bearer"),
                ("api-key-wrong", "one-right-one-wrong", "both headers, the api-key invalid", "api-key:wrong+bearer"),
                ("bearer-wrong", "one-right-one-wrong", "both headers, the bearer token invalid",
                "api-key+bearer:wrong"),
            )
        ),
    ]  # fmt: skip


def _refused() -> list[Scenario]:
    found: list[Scenario] = []
    for rule, variants in _REFUSED.items():
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
            )
            found.append(scenario)
            if variant in _STREAMED:
                found.append(scenario.streamed(about={"refused": "auth.refused-when-streaming"}))
    return found
