"""What kept a case from being judged, by what was received."""

from __future__ import annotations

from functools import cache

import pytest

from conformance.emulator import Behaviour, Context, Reply
from conformance.emulator.faults import FAULTS
from conformance.results.obstacles import obstacles
from conformance.results.records import Obstacle
from tools.in_process import evaluated

BUSY = Behaviour(
    "busy", "busy", "Is busy for whoever asks for a JSON object.", reply=lambda context, reply: _busy(context, reply)
)


def _busy(context: Context, reply: Reply) -> Reply:
    return reply.coded(503) if context.body.get("text") == {"format": {"type": "json_object"}} else reply


@cache
def told(name: str) -> dict[str, list[dict[str, object]]]:
    """The obstacles of each inconclusive case of a run against an endpoint with this fault."""
    results, recorded = evaluated(FAULTS.get(name, BUSY))
    return {one.case.id: obstacles(one, recorded) for one in results if one.verdict == "inconclusive"}


@pytest.mark.parametrize(
    ("fault", "case", "by", "where"),
    [
        ("request.top-p-refused", "usage.present@turns.history", "HTTP 400", "turns.history"),
        ("http.body-with-comment", "usage.present@count", "body", "count"),
        ("usage.null-streaming", "effort.reasoning-item-shape@effort.high.stream", "body", "effort.high.stream"),
        ("tools.arguments-are-null", "usage.present@tools.output", "earlier", "tools.call"),
        ("request.stream-true-refused", "usage.present@tools.output.stream", "HTTP 400", "text.stream"),
        ("response.thoughts-only", "usage.present@tools.output", "need", "tools.call"),
        ("unsupported.context-management-hangs", "error.envelope@undocumented.context_management", "time-out",
         "undocumented.context_management"),
        ("busy", "usage.present@json", "HTTP 503", "json"),
    ],
)  # fmt: skip
def test_an_obstacle_is_what_stood_in_the_way(fault: str, case: str, by: str, where: str) -> None:
    assert told(fault)[case] == [Obstacle(by, (where,))]


def test_of_a_pair_either_may_be_what_stood_in_the_way() -> None:
    (obstacle,) = told("format.json-array")["sum.plain-same-kinds@json"]
    assert obstacle == Obstacle("need", ("json", "json.stream"), any=True)


def test_of_many_responses_compared_none_is_blamed() -> None:
    (obstacle,) = told("lifecycle.no-created")["event.response.created.schema@streams"]
    assert (obstacle.by, obstacle.any) == ("comparison", True)


def test_what_was_judged_has_no_obstacle() -> None:
    results, recorded = evaluated(FAULTS["lifecycle.no-created"])
    assert not any(obstacles(one, recorded) for one in results if one.verdict != "inconclusive")
