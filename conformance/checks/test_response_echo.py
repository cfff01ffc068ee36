"""Request parameters that a Response repeats."""

from __future__ import annotations

from conformance.decode.events import mapping, objects
from conformance.decode.response import Received
from conformance.judge.applicability import Where
from conformance.judge.selectors import RESPONSES
from conformance.judge.verdict import Examined, Finding, Findings, check

#: Members that OpenAI echoes from the request; if present they must equal what was sent.
_ECHOED = ("instructions", "max_output_tokens", "temperature", "top_p", "tool_choice", "tools")


@check("response.echo-honest", over=RESPONSES, where=Where("finished", depends_on=("*",)))
def test_echoed_parameters_are_those_sent(received: Received) -> Findings:
    has_reasoning = not received.contract.turns_thinking_off(received.sent)
    for member in (one for one in _ECHOED if one in received.sent):
        sent, actual = received.sent[member], received.response.get(member)
        compared = actual is not None and not (has_reasoning and member in ("temperature", "top_p"))
        yield Examined(compared)
        if compared and not _same(member, sent, actual):
            message = f"{member} in the response differs from the value sent"
            yield Finding(message, f"{received.pointer}/{member}", received.event, sent, actual)
    effort = mapping(received.response.get("reasoning")).get("effort")
    requested = mapping(received.sent.get("reasoning")).get("effort")
    yield Examined(requested is not None and effort is not None)
    if requested is not None and effort is not None and effort != requested:
        message = "reasoning.effort in the response differs from the value sent"
        yield Finding(message, received.pointer + "/reasoning/effort", received.event, requested, effort)


def _same(member: str, sent: object, actual: object) -> bool:
    if member == "tools":  # Servers add defaults to a tool, so only names are compared: its own, and its parameters'.
        pairs = list(zip(objects(sent), objects(actual), strict=False))
        count = len(objects(sent)) == len(objects(actual))
        return count and all(one.get("name") == two.get("name") and _parameters(one, two) for one, two in pairs)
    return sent == actual


def _parameters(sent: dict[str, object], actual: dict[str, object]) -> bool:
    """Whether a tool in the response has the parameters of the one sent; True if it has none at all."""
    named = [mapping(mapping(one.get("parameters")).get("properties")).keys() for one in (sent, actual)]
    return not isinstance(actual.get("parameters"), dict) or named[0] <= named[1]
