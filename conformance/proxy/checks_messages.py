"""Checks of what the error messages of a proxy show."""

from __future__ import annotations

import re

from conformance.judge.internals import internals_in
from conformance.proxy.checks_failure import needs_upstream, what_failed
from conformance.proxy.records import Leg
from conformance.proxy.rules import ALL, Finding, Findings, View, rule

#: The kinds of internals that show code: an error can have any form, also HTML.
_OF_CODE = ("a stack trace", "a file path", "a source file")


@rule("failure.no-address", *ALL)
def no_address(view: View) -> Findings:
    """The upstream's address is in no response, unless the upstream's own contained it."""
    own = str(view.settings["upstream"])
    port = own.rpartition(":")[2]
    sought = re.compile(rb"(?:127\.0\.0\.1|localhost|\[::1\])['\", ]{0,4}(?:port=)?:?\s?" + port.encode() + rb"(?!\d)")
    for at, pair in enumerate(view.record.pairs):
        found = sought.search(pair.client.reply)
        if found and not any(sought.search(leg.reply) for leg in pair.upstream):
            says = "the client received the upstream's address in a response that the proxy wrote"
            yield Finding(f"{says}: {found[0].decode()}", None, found[0].decode(), at)
            return


@rule("failure.no-internals", "failure")
def no_internals(view: View) -> Findings:
    """No error that the proxy wrote shows its code, unless the upstream's own contained it."""
    needs_upstream(view)
    body, own = (_text(leg) for leg in (view.client, view.upstream()))
    for what, found in internals_in(body):
        if what in _OF_CODE and found not in own:
            says = f"{what_failed(view)}, and the error that the proxy wrote contains {what}: {found}"
            yield Finding(says, "a message for the client", found)
            return


def _text(leg: Leg) -> str:
    return leg.reply[:100_000].decode("utf-8", "replace")
