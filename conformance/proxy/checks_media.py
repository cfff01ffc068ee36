"""Checks of images, audio and video where a translation has no place of its own for them: a proxy can move them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from conformance.decode.cannot_evaluate import CannotEvaluate, DoesNotApply
from conformance.proxy.conversation import media
from conformance.proxy.differences import LOST
from conformance.proxy.rules import Finding, Findings, View, rule, status_of

#: Members of a part that state how it is read.
_HOW = ("fps", "media_resolution")


def _parts(value: Any) -> Iterator[dict[str, Any]]:
    """The content parts with a URL, wherever they are in a request."""
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        if isinstance(one, dict) and any(media([one])):
            yield one
        yield from _parts(one)


def _urls(body: Any) -> dict[str, dict[str, Any]]:
    """The content parts by their URL."""
    return {url: part for part in _parts(body) for url in media([part])}


@rule("request.media", "media")
def moved_media(view: View) -> Findings:
    """Images, audio and video reach the upstream in any message, and not as text."""
    leg = view.client
    if not view.pair.upstream and leg.status is not None and 400 <= leg.status < 500:
        raise DoesNotApply(f"the proxy refused the request: {status_of(leg)}")
    if "request.tool-result-parts" in view.failing.get("request.calls", ()):
        raise CannotEvaluate("tool results of several parts do not reach the upstream")
    what, at = view.record.about["media"], len(view.pair.upstream) - 1
    sent, received = _urls(leg.json), _urls(view.upstream().json)
    for url, part in sent.items():
        if url not in received:
            how = ", but a text with its URL" * (url in json.dumps(view.upstream().json))
            yield Finding(f"the upstream did not receive {what}{how}: {url[:60]}", url[:200], None, 0, at, LOST)
            return
        if lost := [name for name in _HOW if name in part and part[name] != received[url].get(name)]:
            value = json.dumps(received[url].get(lost[0]))
            says = f"{what}: the client sent {lost[0]} = {json.dumps(part[lost[0]])}, the upstream received {value}"
            yield Finding(says, part[lost[0]], received[url].get(lost[0]), 0, at)
            return
