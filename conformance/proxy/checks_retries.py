"""Checks of requests that the upstream receives more than once for one of the client."""

from __future__ import annotations

from conformance.decode.cannot_evaluate import CannotEvaluate, DoesNotApply
from conformance.decode.events import mapping
from conformance.proxy import conversation
from conformance.proxy.differences import Difference, of_requests
from conformance.proxy.rules import ALL, Finding, Findings, View, rule

#: Statuses of a 4xx after which a request can be sent again unchanged, with a chance of another result.
RETRIED = (401, 407, 408, 409, 425, 429)

#: The most upstream requests for one of the client.
_MOST = 8


@rule("request.sent-once", *ALL)
def sent_once(view: View) -> Findings:
    """No completion is requested again once the upstream has begun one."""
    for at, pair in enumerate(view.record.pairs):
        # Of requests sent together, one without its canary can belong to any of them.
        legs = [leg for leg in pair.upstream if leg.notes.get("matched") or not view.record.about.get("together")]
        begun = [leg for leg in legs if leg.ok and leg.chunks]
        number = len(legs)
        silent = [leg for leg in legs[:-1] if leg.ended == "left" and not leg.chunks]
        if begun and legs[-1] is not begun[0]:
            first = begun[0]
            after = len(legs) - legs.index(first) - 1
            message = (
                f"the upstream received {number} requests for one of the client: {after} after it had sent "
                f"{sum(len(chunk.data) for chunk in first.chunks)} bytes of a response with HTTP {first.status}"
                + ", whose calls the proxy returned with results of its own"
                * pair.has_own_results
            )
            yield Finding(message, 1, number, at, number - 1)
        elif silent and pair.client.ok and "silence" in view.record.about["kinds"]:
            seconds = (silent[0].ended_at - silent[0].began) / 1000
            message = (
                f"the upstream received {number} requests for one of the client: the proxy disconnected after "
                f"{seconds:.1f} s of silence, in which the upstream worked, and sent the request again"
            )
            yield Finding(message, 1, number, at, number - 1)
        elif number > _MOST:
            yield Finding(
                f"the upstream received {number} requests for one of the client", f"at most {_MOST}", number, at
            )
    if not any(pair.upstream for pair in view.record.pairs):
        raise DoesNotApply("no request reached the upstream")


@rule("request.no-useless-retry", "failure")
def no_useless_retry(view: View) -> Findings:
    """A refused request is not sent again unchanged."""
    legs = view.pair.upstream
    status = view.record.about.get("status", 0)
    if not 400 <= status < 500 or status in RETRIED:
        raise DoesNotApply("the upstream did not refuse the request")
    if not legs:
        raise CannotEvaluate("no request reached the upstream")
    same = [leg for leg in legs[1:] if leg.body == legs[0].body]
    if same:
        yield Finding(
            f"the upstream refused the request with {status}, and received it {len(legs)} times", 1, len(legs), 0, 1
        )


@rule("request.model", "failure", "once")
def model_again(view: View) -> Findings:
    """The model is the same if the request is sent again."""
    want = view.settings["upstream_model"]
    for at, leg in enumerate(view.pair.upstream[1:], 1):
        got = mapping(leg.json).get("model")
        if got != want and leg.notes.get("matched"):
            says = f"the upstream received the model {got!r} when the request was sent again, expected {want!r}"
            yield Finding(says, want, got, 0, at)
            return
    if len(view.pair.upstream) < 2:
        raise DoesNotApply("the request was sent once")


def _sent_again(name: str) -> None:
    """Register the check of a rule about the content of a request that is sent again."""

    def check(view: View) -> Findings:
        found = [one for one in _changes(view) if one[1].rule == name]
        for at, one in found[:1]:
            says = f"the request has another content when it is sent again: {_of_both(one.message)}"
            yield Finding(says, one.want, one.got, 0, at, one.group)

    check.__doc__ = f"The differences of the rule {name} between a request and the ones that repeat it."
    rule(name, "failure", "once")(check)


def _of_both(message: str) -> str:
    """The message about a client's and an upstream's request for two of the upstream's."""
    for words, others in _WORDS.items():
        message = message.replace(words, others)
    return message


_WORDS = {
    "the client sent": "the first contains", "the client did not send": "the first does not contain",
    "the upstream received": "the repeated one contains", "reached the upstream": "is in the repeated one",
}  # fmt: skip


def _changes(view: View) -> list[tuple[int, Difference]]:
    """What differs between the first upstream request and each later one, with its number. A request that the upstream
    refused can be sent again without what it refused."""
    legs, status = view.pair.upstream, view.record.about.get("status", 500)
    if len(legs) < 2 or (400 <= status < 500 and status not in RETRIED):
        raise DoesNotApply("the request was sent once, or refused")
    if view.record.about.get("together") or any(not isinstance(leg.json, dict) for leg in legs):
        raise CannotEvaluate("the upstream requests cannot be assigned to one of the client")
    sent, *others = (conversation.of(leg.json, view.dialect) for leg in legs)
    return [(at, change) for at, one in enumerate(others, 1) for change in of_requests(sent, one, True)]


for _name in (
    "request.texts", "request.roles-and-order", "request.nothing-added", "request.parameters", "request.tools",
):  # fmt: skip
    _sent_again(_name)
