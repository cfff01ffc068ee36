"""Whether a response is evidence for what its scenario is about: only if its control was served.

A response that is no 2xx may have any cause that the request contains. Its control
(:mod:`conformance.scenarios.controls`) contains the same except for what the scenario is about: if it was served, only
that cause is left; if it was not, the case is inconclusive and names the control. What is served, though it is
to be refused, needs no control.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from conformance.contract.revisions import Contract
from conformance.decode.events import mapping, text
from conformance.decode.response import CannotEvaluate, DoesNotApply, Received
from conformance.exchange.exchange import WITHHELD
from conformance.exchange.not_sent import NOT_RECORDED
from conformance.scenarios.base import BASE, STREAM_BASE, Form, form_sent
from conformance.scenarios.context import Context
from conformance.scenarios.controls import IMAGE, PARTS, control_of
from conformance.scenarios.scenario import Scenario

#: Members of a request whose names a message mentions only if it is about them; of others (``model``, ``text``) the
#: name is a common word too, and counts as ``param`` alone.
_TELLING = ("max_output_tokens", "max_tokens", "reasoning", "temperature", "top_p", "tool_choice", "instructions")

#: Members as other APIs name them.
_ALIASES = {"max_tokens": "max_output_tokens", "max_completion_tokens": "max_output_tokens",
            "reasoning_effort": "reasoning"}  # fmt: skip

#: A plain and a streamed response that are compared.
_PAIR = 2

#: Characters up to which a word is not divided where a text is shortened.
_WORD = 24

#: The response of a scenario; ``KeyError`` where the run does not have it.
Lookup = Callable[[str], Received]


def of_run(names: Iterable[str], recorded: Lookup) -> list[Received]:
    """The responses of those of these scenarios that the run has."""
    found = []
    for name in names:
        with contextlib.suppress(KeyError):
            found.append(recorded(name))
    return found


class NoControl(CannotEvaluate):
    """The control was not served either; ``control`` is the scenario whose response shows the cause."""

    def __init__(self, message: str, control: str) -> None:
        super().__init__(message)
        self.control = control


def need_control(received: Received, context: Context, recorded: Lookup) -> None:
    """:class:`NoControl` where the response may have a cause that the scenario does not ask about: its control was not
    served either, or the error names a member that is not in the control like this."""
    scenario = context.scenarios[received.scenario]
    name = control_of(scenario, context.scenarios, context.contract)
    if received.exchange.ok or received.exchange.ended == "not-sent" or name is None:
        return
    try:
        control = recorded(name)
        if name == PARTS and control.exchange.ended == "not-sent":  # The model called no tool.
            name = control_of(scenario, context.scenarios, context.contract, without=PARTS) or BASE
            control = recorded(name)
    except KeyError:
        return  # It is not planned: the profile excludes it.
    if name == BASE and not control.exchange.ok:
        control = _served_streaming(received, control, recorded)
    if control.exchange.detail == WITHHELD + NOT_RECORDED:
        return  # A recording of an earlier version, which sent none.
    if control.exchange.withheld:
        raise CannotEvaluate(control.exchange.detail)
    if name == IMAGE and control.exchange.refused:
        return  # A model need not take images: the same without the member is responded to as it may be.
    if not control.exchange.ok:
        raise NoControl(f"{name}, which contains nothing unusual, is not served either: {_outcome(control)}", name)
    if other := _others_named(received, control, scenario):
        raise NoControl(
            f"the error names {other}, which this case is not about: {_outcome(received)}", received.scenario
        )


def _served_streaming(received: Received, plain: Received, recorded: Lookup) -> Received:
    """The streaming base in place of the plain one, if it was served: where only streams are, requests that are not
    about that have ``stream: true``. What is no JSON object has no such member."""
    if received.request_json is not None and not received.streaming:
        return plain
    return next((one for one in of_run([STREAM_BASE], recorded) if one.exchange.ok), plain)


def need_controls(subject: Received | Sequence[Received], context: Context, recorded: Lookup) -> None:
    """The same for one response, for both of two that are compared, or for the first of many that were all refused."""
    responses = [subject] if isinstance(subject, Received) else subject
    many = len(responses) > _PAIR
    if len(responses) == _PAIR:
        _sent_equally(responses[0], responses[1], context.contract)
    for received in responses[:1] if many else responses:
        if not many or not any(one.exchange.ok for one in responses):
            need_control(received, context, recorded)


def _sent_equally(plain: Received, stream: Received, contract: Contract) -> None:
    """:class:`DoesNotApply` where a request and its streaming counterpart were sent in different forms of the base."""
    counterparts = stream.scenario == f"{plain.scenario}.stream"
    if counterparts and plain.streaming:
        raise DoesNotApply("the server does not serve plain requests")
    usual = Form(contract.way.name)
    without = {form_sent(one.exchange, usual, contract).without for one in (plain, stream)}
    if counterparts and len(without) > 1:
        raise DoesNotApply("the server does not serve the same form of the request plain and streaming")


def _outcome(received: Received) -> str:
    exchange = received.exchange
    if exchange.status is None:
        return f"{exchange.ended} ({exchange.detail})"
    words = message_of(received)
    return f"HTTP {exchange.status}{f': {words}' if words else ''}"


def message_of(received: Received, size: int = 160) -> str:
    """The server's message on one line, with its start and its end; empty without one."""
    try:
        error = mapping(received.envelope).get("error")
    except CannotEvaluate:
        return ""
    words = " ".join((text(error) or text(mapping(error).get("message"))).split())
    return shortened(words, size)


def shortened(words: str, size: int) -> str:
    """The words with their middle left out where they are longer: the cause is often at the end. No word or number is
    divided, unless it is a long one."""
    if len(words) <= size:
        return words
    end = size // 3
    begin, rest = words[: size - end - 5], words[-end:]
    if words[len(begin)] != " " and (cut := begin.rfind(" ", len(begin) - _WORD)) > 0:
        begin = begin[:cut]
    if words[-end - 1] != " ":
        rest = rest[rest.find(" ", 0, _WORD) + 1 :]
    return f"{begin.rstrip()} ... {rest.lstrip()}"


def _others_named(received: Received, control: Received, scenario: Scenario) -> str:
    """The member that an error names, if the scenario is not about it and the control had another value."""
    sent, usual = received.sent, control.sent
    named = _named(received, sent)
    own = {str(scenario.about.get(name, "")).partition(".")[0].partition("[")[0] for name in ("parameter", "of")}
    own |= {"input"} if scenario.tags & {"form", "turns"} else set()
    if not named or named & own or not own & sent.keys():
        return ""
    return next((name for name in sorted(named) if sent.get(name) != usual.get(name)), "")


def _named(received: Received, sent: Mapping[str, object]) -> set[str]:
    """The members of the request that its error names."""
    try:
        error = mapping(mapping(received.envelope).get("error"))
    except CannotEvaluate:
        return set()
    param = text(error.get("param")).removeprefix("body.").partition(".")[0].partition("[")[0]
    words = f"{text(error.get('message'))} {text(error.get('param'))}"  # Which may be a sentence with the reason.
    found = {param} | {name for name in (*_TELLING, *_ALIASES) if re.search(rf"\b{name}\b", words)}
    return {_ALIASES.get(name, name) for name in found} & sent.keys()
