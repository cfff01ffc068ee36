"""What responses show beside the findings: the text of other requests, items in another order, and ends of streams."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from conformance.decode.cannot_evaluate import CannotEvaluate
from conformance.decode.events import DONE_MARKER, objects
from conformance.proxy.outcomes import UNFINISHED, outcome, received, streams
from conformance.proxy.records import Leg, Pair, Record
from conformance.proxy.upstream import CANARY
from conformance.traffic.evaluation import ALL_EXCHANGES


def together(records: Sequence[Record]) -> list[str]:
    """The probes whose requests were sent at the same time as others, and those after concurrent streams: what a proxy
    keeps of a stream that it mixed can be sent later. Ordinary responses are recorded before."""
    made = [one for one in records if one.pairs]
    mixed = [one.pairs[0].client.began for one in made if "concurrent" in one.about.get("kinds", ())]
    since = min(mixed, default=float("inf"))
    return [one.probe for one in made if one.about.get("together") or one.pairs[0].client.began > since]


def disconnects(records: Sequence[Record]) -> list[float]:
    """The times at which clients of probes that are sent at the same time as others disconnected."""
    made = (pair for one in records if one.about.get("together") for pair in one.pairs)
    return [pair.client.ended_at for pair in made if pair.client.ended == "closed"]


def kept(records: Sequence[Record]) -> list[str]:
    """The probes whose responses have the text of another request, if those of requests sent alone are among them, and
    that of all responses: the proxy keeps a text, and concurrent requests are not needed."""
    found = [one for one in records if any(map(_has_other_canary, one.pairs))]
    alone = any(not one.about.get("together") for one in found)
    return [*(one.probe for one in found), ALL_EXCHANGES] if alone else []


def _has_other_canary(pair: Pair) -> bool:
    """Whether the client received the canary of another request, which no part of this exchange contained."""
    known = {*CANARY.findall(pair.client.body), *(one for leg in pair.upstream for one in CANARY.findall(leg.reply))}
    return any(one not in known for one in CANARY.findall(pair.client.reply))


def framed_twice(records: Sequence[Record]) -> list[str]:
    """The probes whose response to the client has Transfer-Encoding and Content-Length: its end is unclear."""
    headers = ("transfer-encoding", "content-length")
    return [
        one.probe for one in records for pair in one.pairs if all(pair.client.header(name, True) for name in headers)
    ]


def doneless(records: Sequence[Record]) -> list[str]:
    """The probes whose stream of the upstream has no [DONE], and whose client received no terminal event."""
    return [one.probe for one in records for pair in one.pairs[:1] if pair.upstream and _is_doneless(pair)]


def _is_doneless(pair: Pair) -> bool:
    sent, leg = pair.upstream[-1], pair.client
    if not (sent.ok and sent.ended == "clean" and leg.ok and streams(leg)) or DONE_MARKER.encode() in sent.reply:
        return False
    try:
        return outcome(leg, "responses").finish == UNFINISHED
    except CannotEvaluate:
        return False


def reordered(complete: Sequence[Record], dialect: str) -> list[str]:
    """The probes whose client received the items of the upstream's response in another order."""
    return [one.probe for one in complete for pair in one.pairs[:1] if pair.upstream and _is_reordered(pair, dialect)]


def _is_reordered(pair: Pair, dialect: str) -> bool:
    try:
        sent, taken = list(_items(pair.upstream[-1], dialect)), list(_items(pair.client, "responses"))
    except CannotEvaluate:
        return False
    return sent != taken and sorted(sent) == sorted(taken)


def _items(leg: Leg, dialect: str) -> Iterator[tuple[str, str]]:
    """The type and the content of each output item; those of a completion in the order of a Response."""
    made = outcome(leg, dialect)
    if dialect == "chat":
        yield from (("reasoning", made.reasoning),) * bool(made.reasoning)
        yield from (("message", made.text),) * bool(made.text)
        yield from (("function_call", one.arguments) for one in made.calls)
        return
    for item in received(leg).output:
        texts = "".join(str(part.get("text")) for part in objects(item.get("content")))
        yield str(item.get("type")), str(item.get("arguments", "")) + texts
