"""The base request: in which form the target serves an ordinary request, found by the first requests of a run.

The contract documents several members and ways that nearly every request of a run shares: the ``api-key`` header,
``reasoning.effort`` ``none``, ``max_output_tokens`` and a string as ``input``. A server that refuses one of them would
refuse nearly every request, each for a reason that is not its own. So the first request (:data:`BASE`) is sent in other
forms if it is refused, until one is served: each form is a sample of that scenario. The served sample is the evidence:
:func:`form_of` reads the form from its recorded request, and :func:`adapted` gives every later request that form.

A scenario that is about a part of the base itself (:func:`parts_about`) keeps that part; so each refused part is
reported by its own rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from conformance.contract.revisions import Contract
from conformance.decode.events import mapping, text
from conformance.decode.response import CannotEvaluate, Received
from conformance.exchange.exchange import Exchange
from conformance.scenarios.scenario import Body, Scenario

#: Names of the scenarios whose requests are the base, plain and streaming.
BASE, STREAM_BASE = BASES = ("text", "text.stream")

#: The parts of the base that a form may leave out or write otherwise.
EFFORT, CAP, STRING = PARTS = ("effort none", "max_output_tokens", "string input")

#: The subject of a scenario that is about a way to authenticate.
AUTH = "authentication"

#: Statuses by which servers refuse a credential.
_DENIED = (401, 403)

#: A refused credential in the body of a 2xx: its words, and the status of a Response that was served nevertheless.
_CREDENTIAL = re.compile(rb"\b401\b|\bunauthorized\b|\bapi.?key\b", re.IGNORECASE)
_SERVED = re.compile(rb'"status"\s*:\s*"(?:completed|incomplete)"')

#: The bytes of a body in which a server's words are sought.
_WORDS = 2000

#: Words of a message that name a part.
_NAMED = {
    EFFORT: re.compile(r"reasoning|effort", re.IGNORECASE),
    CAP: re.compile(r"max_(?:output_|completion_)?tokens", re.IGNORECASE),
    STRING: re.compile(r"\binput\b", re.IGNORECASE),
}


@dataclass(frozen=True)
class Form:
    """How requests are sent: ``auth`` is the usual way to authenticate (a name of the contract's), ``without`` are the
    parts (:data:`PARTS`) that are not sent, ``stream`` is the value of that member with which alone the base is served
    (None: with both, or unknown)."""

    auth: str
    without: frozenset[str] = frozenset()
    stream: bool | None = None


def profile_form(lacks: frozenset[str], contract: Contract) -> Form:
    """The form with which a run begins: the documented one, except what the target's profile excludes."""
    usual = contract.way.name
    ways = [one.name for one in contract.authentication if one.name not in lacks] if usual in lacks else [usual]
    return Form(next(iter(ways), usual), frozenset({EFFORT} if "reasoning" in lacks else ()))


def form_of(exchange: Exchange, first: Form, contract: Contract) -> Form:
    """The form of a served base request, ``first`` where it was not served: then no form is known to be better."""
    if not exchange.ok:
        return first
    sent = form_sent(exchange, first, contract)
    # In the usual case both are equal, and the body need not be searched: this is called for each scenario.
    return first if sent != first and _is_denied(exchange) else sent


def stream_served(bases: Sequence[Exchange]) -> bool | None:
    """The value of ``stream`` with which the plain and the streaming base are served, if only one of them is."""
    if len(bases) != len(BASES):
        return None
    plain, stream = bases
    if refuses(plain) and stream.ok:
        return True
    return False if plain.ok and refuses(stream) else None


def form_sent(exchange: Exchange, first: Form, contract: Contract) -> Form:
    """The form in which a base request was sent; the header is that of ``first`` where the record has none."""
    sent = Received(exchange, BASE).sent
    names = {name.lower() for name, _ in exchange.request.headers}
    auth = next((one.name for one in contract.authentication if one.header.lower() in names), first.auth)
    missing = {EFFORT: "reasoning" not in sent, CAP: "max_output_tokens" not in sent}
    without = {part for part, is_missing in missing.items() if is_missing}
    return Form(auth, frozenset(without | ({STRING} if isinstance(sent.get("input"), list) else set())))


def next_form(
    samples: Sequence[Exchange], forms: Sequence[Form], contract: Contract, most: int = len(PARTS)
) -> Form | None:
    """The form to try after these samples of the base, each with its form; None if one was served, or none is left that
    may be. A target that does not know the path refuses every form. ``most`` parts are left out at once."""
    last = samples[-1]
    if not refuses(last) or last.status in (404, 405):
        return None
    other = next((one.name for one in contract.authentication if one.name != forms[-1].auth), None)
    allowed = [form.auth for form, one in zip(forms, samples, strict=True) if not _is_denied(one)]
    if _is_denied(last):
        tried = {form.auth for form in forms}
        return replace(forms[-1], auth=other) if other and other not in tried else None
    named = _named(last)
    if other and len(samples) == 1 and re.search(r"\bauthorization\b|\bbearer\b|api.?key", named, re.IGNORECASE):
        return replace(forms[-1], auth=other)
    done = {form.without for form in forms if form.auth == allowed[0]}
    left = [without for without in _omissions(named, forms[0].without, most) if without not in done]
    return Form(allowed[0], left[0]) if left else None


def _omissions(named: str, first: frozenset[str], most: int) -> Iterator[frozenset[str]]:
    """What to leave out, in the order to try: what the message names, each part alone, two of them, all."""
    order = sorted(PARTS, key=lambda part: not _NAMED[part].search(named))
    for many in range(most + 1):
        for parts in combinations(order, many):
            yield first | frozenset(parts)


def _is_denied(exchange: Exchange) -> bool:
    """Whether the credential is refused; by a proxy also in a stream with HTTP 200, in the words of its upstream."""
    body = exchange.body
    return exchange.status in _DENIED or bool(
        exchange.ok and _CREDENTIAL.search(body[:_WORDS]) and not _SERVED.search(body)
    )


def refuses(exchange: Exchange) -> bool:
    """Whether a request is refused for good: a 4xx except 429, 501, or 500 or a reset every time it was sent."""
    if _is_denied(exchange):
        return True
    if exchange.status is None:
        return exchange.ended == "reset" and bool(exchange.attempts)
    every_time = bool(exchange.attempts) and all(one.status == exchange.status for one in exchange.attempts)
    return exchange.refused or exchange.status == 501 or (exchange.status == 500 and every_time)


def _named(exchange: Exchange) -> str:
    """The server's words in which a part may be named."""
    try:
        error = mapping(Received(exchange, BASE).envelope).get("error")
    except CannotEvaluate:
        return exchange.body[:_WORDS].decode("utf-8", "replace")
    words = " ".join(text(mapping(error).get(name)) for name in ("message", "param", "code")) or text(error)
    return words or exchange.body[:_WORDS].decode("utf-8", "replace")


def evaluated(samples: Sequence[Exchange]) -> Sequence[Exchange]:
    """Of the samples of the base those up to the one to evaluate: the served one, or the documented one if none was
    served (or, in a recording of an earlier version, sent)."""
    return samples if samples[-1].ok else samples[:1]


# -- the other requests ------------------------------------------------------------------------------------------------


def parts_about(scenario: Scenario, contract: Contract) -> frozenset[str]:
    """The parts of the base that a scenario is about, and so keeps: names of :data:`PARTS`, or :data:`AUTH`."""
    body, about = scenario.body, scenario.about
    found = {AUTH} if any(tag.startswith("auth-") for tag in scenario.tags) else set()
    off = contract.effort.off
    if mapping(body.get("reasoning")) != {"effort": off} or about.get("effort") == off:
        found.add(EFFORT)
    if "cut" in scenario.tags or about.get("parameter") == "max_output_tokens":
        found.add(CAP)
    if scenario.name.startswith("input.string"):
        found.add(STRING)
    return frozenset(found)


def adapted(
    scenario: Scenario, body: Body, form: Form, contract: Contract, lacks_reasoning: bool, effort_refused: bool = False
) -> Body:
    """The body in the form that the target serves. ``lacks_reasoning``: by its profile it takes no ``reasoning``;
    ``effort_refused``: it does not take the effort of this scenario."""
    without = form.without - parts_about(scenario, contract)
    changed: dict[str, Any] = dict(body)
    effort = mapping(body.get("reasoning")).get("effort")
    left_out = lacks_reasoning or effort_refused or (EFFORT in without and effort == contract.effort.off)
    if "reasoning" in body and left_out:
        del changed["reasoning"]
        if not lacks_reasoning:
            _raise_cap(scenario, changed, contract)
    elif EFFORT in form.without and effort == contract.effort.off and "effort" not in scenario.about:
        changed["reasoning"] = {**body["reasoning"], "effort": contract.effort.light}
    if CAP in without:
        changed.pop("max_output_tokens", None)
    if STRING in without and isinstance(body.get("input"), str):
        changed["input"] = [{"role": "user", "content": body["input"]}]
    if form.stream is not None and form.stream != scenario.streaming and not _is_about_stream(scenario):
        changed["stream"] = form.stream
    return changed


def _is_about_stream(scenario: Scenario) -> bool:
    """Whether a scenario is about ``stream``, or is to be sent as a client sends it: agents only stream."""
    is_of_client = "captured" in scenario.tags or scenario.factors.get("headers") == "agent"
    return scenario.name in BASES or scenario.about.get("parameter") == "stream" or is_of_client


def _raise_cap(scenario: Scenario, body: dict[str, Any], contract: Contract) -> None:
    """Leave room for the reasoning that cannot be turned off, unless the cap is what the scenario is about."""
    cap = body.get("max_output_tokens")
    if CAP not in parts_about(scenario, contract) and isinstance(cap, int) and 1 < cap < contract.caps.thinking:
        body["max_output_tokens"] = contract.caps.thinking


def auth_of(scenario: Scenario, form: Form, contract: Contract) -> str:
    """The credential that a scenario sends: the usual one in the form's way, any other as it is."""
    usual = contract.way.name
    if "auth-first" in scenario.tags:  # A wrong key in either header: it tests what else the server reads.
        return scenario.auth.replace(usual, form.auth)
    return form.auth if scenario.auth == usual and AUTH not in parts_about(scenario, contract) else scenario.auth


def speaks_for(scenario: Scenario, served: Exchange, contract: Contract) -> bool:
    """Whether a served request contains what a scenario within it is about, however it was adapted."""
    tested, form = parts_about(scenario, contract), form_sent(served, Form(contract.way.name), contract)
    return not (tested & form.without) and not (AUTH in tested and form.auth != scenario.auth)
