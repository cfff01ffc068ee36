"""What kept an inconclusive case from being judged, by what was received: the evidence that ties it to a failure.

Of each response that the case could not be judged by, an obstacle says what stood in the way:

- ``HTTP 401``: the status, which is not 200;
- ``time-out``, ``reset`` and so on (:data:`conformance.exchange.exchange.Ended`): no status was received;
- ``body``: HTTP 200, and the body lacks what the case reads;
- ``need``: HTTP 200, and the model did not do what the scenario needs;
- ``earlier``: the request is built from an earlier response, whose body gave nothing to build on, or something
  malformed. Where it was the earlier response's status, or what the model did there, that is the obstacle;
- ``comparison``: the case compares many responses, some of them with HTTP 200, and together they do not hold what it
  reads: that one of them was refused need not be the reason.

What a limit of the suite held back has no obstacle: no failure of the server explains it.
"""

from __future__ import annotations

from conformance.decode.response import CannotEvaluate, Received
from conformance.judge.verdict import INCONCLUSIVE, Record, Result
from conformance.results.records import Obstacle
from conformance.scenarios.context import Context
from conformance.scenarios.controls import control_of
from conformance.scenarios.scenario import Scenario, schema_violation

BODY, NEED, EARLIER, COMPARISON = KINDS = ("body", "need", "earlier", "comparison")

#: A plain and a streamed response to one request are compared: each of them is needed.
_PAIR = 2


def obstacles(result: Result, record: Record) -> list[Obstacle]:
    """An entry for each kind of obstacle: ``by`` is the kind, ``scenarios`` are those whose responses have it. With
    ``any`` one of them is enough: the case compares responses, and does not say which of them it cannot use."""
    if result.verdict != INCONCLUSIVE:
        return []
    case = result.case
    found: dict[str, list[str]] = {}
    for name in result.blocked:
        by, where = _obstacle(case.context.scenarios[name], case.context, record)
        if by and where not in found.setdefault(by, []):
            found[by].append(where)
    if not case.check.together or len(result.blocked) == 1:
        return [Obstacle(by, tuple(names)) for by, names in found.items()]
    if len(result.blocked) > _PAIR and found.keys() & {BODY, NEED}:
        found = {COMPARISON: list(dict.fromkeys(name for names in found.values() for name in names))}
    return [Obstacle(by, tuple(names), any=True) for by, names in found.items()]


def _obstacle(scenario: Scenario, context: Context, record: Record) -> tuple[str, str]:
    """The kind of the obstacle (empty: a limit of the suite) and the scenario whose response has it."""
    received = record.received(scenario.name)
    exchange = received.exchange
    if exchange.withheld:
        return "", ""
    if scenario.after and (exchange.ended == "not-sent" or _sent_back_malformed(scenario, received, context)):
        by, where = _obstacle(context.scenarios[scenario.after], context, record)
        return EARLIER if by == BODY else by, where
    control = control_of(scenario, context.scenarios, context.contract)
    if (
        not exchange.ok
        and control
        and not (known := record.received(control).exchange).ok
        and known.ended != "not-sent"
    ):
        return _obstacle(context.scenarios[control], context, record)
    if exchange.status is None:
        return exchange.ended, scenario.name
    if exchange.status != 200:
        return f"HTTP {exchange.status}", scenario.name
    return BODY if _met(scenario, received) else NEED, scenario.name


def _sent_back_malformed(scenario: Scenario, received: Received, context: Context) -> bool:
    """Whether the request was refused because it holds what an earlier response had wrong."""
    if not (received.exchange.refused and scenario.follow and scenario.must_fit_schema):
        return False
    return bool(schema_violation(context.contract, received.exchange.request.body))


def _met(scenario: Scenario, received: Received) -> bool:
    """Whether the model did what the scenario needs; a body that does not show it is not the model's doing."""
    try:
        return scenario.need is None or scenario.need.met(received)
    except CannotEvaluate:
        return True
