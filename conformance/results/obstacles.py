"""The obstacles of an inconclusive case: why the received responses were not sufficient to evaluate it.

They are the evidence by which the case is grouped under a root cause. The kinds of obstacle in a response are:

- ``HTTP 401``: the status, if it is not 200;
- ``time-out``, ``reset`` and so on (:data:`conformance.exchange.exchange.Ended`): no status was received;
- ``body``: HTTP 200, but the body does not contain what the case reads;
- ``need``: HTTP 200, but the model did not do what the scenario requires, such as call a tool;
- ``earlier``: the request is built from an earlier response, whose body was unusable or malformed. If the reason was
  the status of the earlier response, or what the model did there, that is the obstacle;
- ``comparison``: the case compares many responses, some of them with HTTP 200, and together they do not contain what it
  reads: that one of them was refused need not be the reason.

A request that was not sent because of a limit has no obstacle: no violation of the server explains it.
"""

from __future__ import annotations

from conformance.decode.response import CannotEvaluate, Received
from conformance.judge.control import of_run
from conformance.judge.verdict import INCONCLUSIVE, Record, Result
from conformance.results.records import Obstacle
from conformance.scenarios.context import Context
from conformance.scenarios.controls import control_of
from conformance.scenarios.scenario import Scenario, schema_violation

BODY, NEED, EARLIER, COMPARISON = KINDS = ("body", "need", "earlier", "comparison")

#: The number of responses compared by a case that needs both: a plain and a streamed one.
_PAIR = 2


def obstacles(result: Result, record: Record) -> list[Obstacle]:
    """The obstacles of a case, one for each kind, with the scenarios whose responses have it. ``any`` is set for cases
    that compare responses: which of these responses was the reason is unknown."""
    if result.verdict != INCONCLUSIVE:
        return []
    case = result.case
    found: dict[str, list[str]] = {}
    for name in result.blocked:
        kind, scenario_name = _obstacle(case.context.scenarios[name], case.context, record)
        if kind and scenario_name not in found.setdefault(kind, []):
            found[kind].append(scenario_name)
    if not case.check.together or len(result.blocked) == 1:
        return [Obstacle(kind, tuple(names)) for kind, names in found.items()]
    if len(result.blocked) > _PAIR and found.keys() & {BODY, NEED}:
        found = {COMPARISON: list(dict.fromkeys(name for names in found.values() for name in names))}
    return [Obstacle(kind, tuple(names), any=True) for kind, names in found.items()]


def _obstacle(scenario: Scenario, context: Context, record: Record) -> tuple[str, str]:
    """The kind of the obstacle (empty: not sent because of a limit) and the scenario whose response has it."""
    received = record.received(scenario.name)
    exchange = received.exchange
    if exchange.withheld:
        return "", ""
    if scenario.after and (exchange.ended == "not-sent" or _sent_back_malformed(scenario, received, context)):
        kind, scenario_name = _obstacle(context.scenarios[scenario.after], context, record)
        return EARLIER if kind == BODY else kind, scenario_name
    control = control_of(scenario, context.scenarios, context.contract)
    # A profile may exclude the control, which then has no response.
    for known in () if exchange.ok or control is None else of_run([control], record.received):
        if not known.exchange.ok and known.exchange.ended != "not-sent":
            return _obstacle(context.scenarios[known.scenario], context, record)
    if exchange.status is None:
        return exchange.ended, scenario.name
    if exchange.status != 200:
        return f"HTTP {exchange.status}", scenario.name
    return BODY if _need_is_met(scenario, received) else NEED, scenario.name


def _sent_back_malformed(scenario: Scenario, received: Received, context: Context) -> bool:
    """Whether the request was refused and contains a malformed part of an earlier response."""
    if not (received.exchange.refused and scenario.follow and scenario.must_fit_schema):
        return False
    return bool(schema_violation(context.contract, received.exchange.request.body))


def _need_is_met(scenario: Scenario, received: Received) -> bool:
    """Whether the model did what the scenario requires; also True if the body is malformed and does not show it."""
    try:
        return scenario.need is None or scenario.need.met(received)
    except CannotEvaluate:
        return True
