"""The base request: in which form the target serves an ordinary request, found by the first requests of a run.

The contract documents several members and ways that nearly every request of a run shares: the ``api-key`` header,
``reasoning.effort`` ``none``, ``max_output_tokens`` and a string as ``input``. A server that refuses one of them would
refuse nearly every request, each for a reason that is not its own. So the first request (:data:`BASE`) is sent in other
forms if it is refused, until one is served: each form is a sample of that scenario. The served sample is the evidence:
:func:`form_of` reads the form from its recorded request, and :func:`adapted` gives every later request that form.

A scenario that asks about a part of the base itself (:func:`asks_about`) keeps that part; so each refused part is
reported by its own rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from conformance.decode.events import mapping, text
from conformance.decode.response import CannotEvaluate, Received
from conformance.exchange.exchange import Exchange
from conformance.scenarios.scenario import Body, Scenario

#: Names of the scenarios whose requests are the base, plain and streaming.
BASE, STREAM_BASE = BASES = ("text", "text.stream")

API_KEY, BEARER = "api-key", "bearer"

#: The parts of the base that a form may leave out or write otherwise.
EFFORT, CAP, STRING = PARTS = ("effort none", "max_output_tokens", "string input")

#: Output tokens that a request may have where it cannot turn thinking off: as many as those that are to think.
THINKING_CAP = 2000

#: Statuses by which servers refuse a credential.
_DENIED = (401, 403)

#: Words of a message that name a part.
_NAMED = {
    EFFORT: re.compile(r"reasoning|effort", re.IGNORECASE),
    CAP: re.compile(r"max_(?:output_|completion_)?tokens", re.IGNORECASE),
    STRING: re.compile(r"\binput\b", re.IGNORECASE),
}


@dataclass(frozen=True)
class Form:
    """How requests are sent: ``auth`` is the usual header (:data:`API_KEY` or :data:`BEARER`), ``without`` are the
    parts (:data:`PARTS`) that are not sent."""

    auth: str = API_KEY
    without: frozenset[str] = frozenset()

    @property
    def says(self) -> str:
        """What differs from the documented form, in words; empty if nothing does."""
        words = ["with Authorization: Bearer"] * (self.auth == BEARER)
        words += [f"without {part}" for part in PARTS[:2] if part in self.without]
        words += ["with input as a list of messages"] * (STRING in self.without)
        return ", ".join(words)


DOCUMENTED = Form()


def profile_form(lacks: frozenset[str]) -> Form:
    """The form with which a run begins: the documented one, except what the target's profile lacks."""
    bearer = "api-key" in lacks and "bearer" not in lacks
    return Form(BEARER if bearer else API_KEY, frozenset({EFFORT} if "reasoning" in lacks else ()))


def form_of(exchange: Exchange, first: Form) -> Form:
    """The form of a served base request, ``first`` where it was not served: then no form is known to be better."""
    return form_sent(exchange, first) if exchange.ok else first


def form_sent(exchange: Exchange, first: Form) -> Form:
    """The form in which a base request was sent; the header is that of ``first`` where the record has none."""
    sent = Received(exchange, BASE).sent
    names = {name.lower() for name, _ in exchange.request.headers}
    auth = API_KEY if "api-key" in names else BEARER if "authorization" in names else first.auth
    missing = {EFFORT: "reasoning" not in sent, CAP: "max_output_tokens" not in sent}
    without = {part for part, is_missing in missing.items() if is_missing}
    return Form(auth, frozenset(without | ({STRING} if isinstance(sent.get("input"), list) else set())))


def next_form(samples: Sequence[Exchange], forms: Sequence[Form], most: int = len(PARTS)) -> Form | None:
    """The form to try after these samples of the base, each with its form; None if one was served, or none is left that
    may be. A target that does not know the path refuses every form alike. ``most`` parts are left out at once."""
    last = samples[-1]
    if not refuses(last) or last.status in (404, 405):
        return None
    denied = [form for form, one in zip(forms, samples, strict=True) if one.status in _DENIED]
    if last.status in _DENIED:
        if len({form.auth for form in denied}) > 1:
            return None
        return replace(forms[-1], auth=BEARER if forms[-1].auth == API_KEY else API_KEY)
    named = _named(last)
    if len(samples) == 1 and re.search(r"\bauthorization\b|\bbearer\b|api.?key", named, re.IGNORECASE):
        return replace(forms[-1], auth=BEARER if forms[-1].auth == API_KEY else API_KEY)
    auth = next((form.auth for form, one in zip(forms, samples, strict=True) if one.status not in _DENIED), API_KEY)
    tried = {form.without for form in forms if form.auth == auth}
    left = [without for without in _omissions(named, forms[0].without, most) if without not in tried]
    return Form(auth, left[0]) if left else None


def _omissions(named: str, first: frozenset[str], most: int) -> Iterator[frozenset[str]]:
    """What to leave out, in the order to try: what the message names, each part alone, two of them, all."""
    order = sorted(PARTS, key=lambda part: not _NAMED[part].search(named))
    for many in range(most + 1):
        for parts in combinations(order, many):
            yield first | frozenset(parts)


def refuses(exchange: Exchange) -> bool:
    """Whether a request is refused for good: a 4xx except 429, or 500 or a reset every time it was sent."""
    if exchange.status is None:
        return exchange.ended == "reset" and bool(exchange.attempts)
    every_time = bool(exchange.attempts) and all(one.status == exchange.status for one in exchange.attempts)
    return exchange.refused or (exchange.status == 500 and every_time)


def _named(exchange: Exchange) -> str:
    """The server's words in which a part may be named."""
    try:
        error = mapping(Received(exchange, BASE).envelope).get("error")
    except CannotEvaluate:
        return exchange.body[:2000].decode("utf-8", "replace")
    words = " ".join(text(mapping(error).get(name)) for name in ("message", "param", "code")) or text(error)
    return words or exchange.body[:2000].decode("utf-8", "replace")


def evaluated(samples: Sequence[Exchange]) -> Sequence[Exchange]:
    """Of the samples of the base those up to the one to evaluate: the served one, or the documented one if none was
    served (or, in a recording of an earlier version, sent)."""
    return samples if samples[-1].ok else samples[:1]


# -- the other requests ------------------------------------------------------------------------------------------------


def asks_about(scenario: Scenario) -> frozenset[str]:
    """The parts of the base that a scenario asks about, and so keeps: names of :data:`PARTS`, or a way to
    authenticate."""
    body, about = scenario.body, scenario.about
    found = {API_KEY} if any(tag.startswith("auth-") for tag in scenario.tags) else set()
    if mapping(body.get("reasoning")) != {"effort": "none"} or about.get("effort") == "none":
        found.add(EFFORT)
    if "cut" in scenario.tags or about.get("parameter") == "max_output_tokens":
        found.add(CAP)
    if scenario.name.startswith("input.string"):
        found.add(STRING)
    return frozenset(found)


def adapted(scenario: Scenario, body: Body, form: Form, lacks_reasoning: bool, effort_refused: bool = False) -> Body:
    """The body in the form that the target serves. ``lacks_reasoning``: by its profile it takes no ``reasoning``;
    ``effort_refused``: it does not take the effort of this scenario."""
    without = form.without - asks_about(scenario)
    changed: dict[str, Any] = dict(body)
    effort = mapping(body.get("reasoning")).get("effort")
    if "reasoning" in body and (lacks_reasoning or effort_refused or (EFFORT in without and effort == "none")):
        del changed["reasoning"]
        if not lacks_reasoning:
            _raise_cap(scenario, changed)
    elif EFFORT in form.without and effort == "none" and "effort" not in scenario.about:
        changed["reasoning"] = {**body["reasoning"], "effort": "low"}
    if CAP in without:
        changed.pop("max_output_tokens", None)
    if STRING in without and isinstance(body.get("input"), str):
        changed["input"] = [{"role": "user", "content": body["input"]}]
    return changed


def _raise_cap(scenario: Scenario, body: dict[str, Any]) -> None:
    """Leave room for the thinking that cannot be turned off, unless the cap is what the scenario is about."""
    cap = body.get("max_output_tokens")
    if CAP not in asks_about(scenario) and isinstance(cap, int) and 1 < cap < THINKING_CAP:
        body["max_output_tokens"] = THINKING_CAP


def auth_of(scenario: Scenario, form: Form) -> str:
    """The credential that a scenario sends: the usual one in the form's header, any other as it is."""
    if "auth-first" in scenario.tags:  # A wrong key in whichever header: it asks what else is looked at.
        return scenario.auth.replace(API_KEY, form.auth)
    usual = scenario.auth == API_KEY and API_KEY not in asks_about(scenario)
    return form.auth if usual else scenario.auth


def speaks_for(scenario: Scenario, whole: Exchange) -> bool:
    """Whether a served request holds what a scenario within it asks about, however it was adapted."""
    asked = asks_about(scenario)
    form = form_of(whole, DOCUMENTED)
    return not (asked & form.without) and not (API_KEY in asked and form.auth != scenario.auth)
