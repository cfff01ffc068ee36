"""Checks of the two keys: that of the client, and that of the upstream."""

from __future__ import annotations

from conformance.decode.cannot_evaluate import DoesNotApply
from conformance.proxy.rules import ALL, Finding, Findings, View, rule, status_of


@rule("credentials.client-key-kept", *ALL)
def client_key(view: View) -> Findings:
    """The client's key is not sent to the upstream."""
    if view.settings["passes_key"]:
        raise DoesNotApply("the profile passes the client's key through")
    yield from _echoed(view, "client", "the client's key")


@rule("credentials.upstream-key-sent", "request", "response")
def upstream_key(view: View) -> Findings:
    """The upstream's key is in the request."""
    leg = view.upstream()
    want = "client" if view.settings["passes_key"] else "own"
    got = leg.notes.get("key")
    if got != want and (want == "client" or got != "client"):
        which = {
            "own": "the upstream's key", "client": "the client's key", "none": "no key",
            "other": "a key in a form that the upstream does not accept",
        }  # fmt: skip
        message = f"the upstream request carries {which[str(got)]}"
        yield Finding(f"{message}, expected {which[want]}", want, got, 0, 0)


#: What the client sent, by probe.
_SENT = {"wrong": "with a wrong key", "missing": "without a key", "without-scheme": "with its key alone in a header"}


def _echoed(view: View, name: str, words: str) -> Findings:
    seen = False
    for at, pair in enumerate(view.record.pairs):
        for number, leg in enumerate(pair.upstream):
            seen = True
            if place := leg.echoes.get(name):
                yield Finding(f"the upstream request contains {words} in {place}", None, place, at, number)
                return
    if not seen:
        raise DoesNotApply("no request reached the upstream")


@rule("credentials.upstream-key-hidden", *ALL)
def hidden(view: View) -> Findings:
    """The upstream's key is nowhere in what the client receives."""
    for at, pair in enumerate(view.record.pairs):
        if place := pair.client.echoes.get("upstream"):
            yield Finding(f"the client received the upstream's key in the {place} of the response", None, place, at)


@rule("credentials.refused-as-client-error", "key")
def refused_as_client_error(view: View) -> Findings:
    """A key that the proxy refuses is an error of the client, which a client does not retry."""
    leg = view.client
    if view.settings["passes_key"] or view.pair.upstream:
        raise DoesNotApply("the request reached the upstream")
    if leg.ok:
        raise DoesNotApply("the client received a response without a request to the upstream")
    if leg.status is None or leg.status >= 500:
        how = view.record.probe.removeprefix("key.")
        says = f"the client sent a request {_SENT.get(how, how)}, and received {status_of(leg)}"
        yield Finding(says, "401", leg.status)


@rule("credentials.refused-without-upstream", "key")
def refused(view: View) -> Findings:
    """A request that is refused for its key causes no upstream request."""
    leg = view.client
    if view.settings["passes_key"]:
        raise DoesNotApply("the profile passes the client's key through: the upstream checks it")
    if leg.status not in (401, 403):
        raise DoesNotApply(f"the proxy did not refuse the key: {status_of(leg)}")
    if view.pair.upstream:
        yield Finding(
            f"the proxy refused the key with {leg.status}, after it had sent the request to the upstream",
            0,
            len(view.pair.upstream),
            0,
            0,
        )
