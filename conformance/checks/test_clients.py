"""Real clients, fed the recorded bytes, end with what the record says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from conformance.answer import Answer
from conformance.clients.compare import differences, expected
from conformance.clients.table import client
from conformance.select import answers
from conformance.verdict import Case, Finding, Group, World, check


def _fed(world: World) -> list[Group]:
    """Each client of the lane at each ordinary request of the kind that it takes."""
    return [
        replace(group, about={**group.about, "fed": name})
        for name in world.clients
        for group in answers(client(name).streams)(world)
    ]


@check("client.{fed}", over=_fed)
def test_a_client_ends_with_what_was_sent(answer: Answer, case: Case) -> Iterator[Finding]:
    name = case.about["fed"]
    outcome = answer.ended(name)
    for one in differences(outcome, expected(answer)):
        yield Finding(f"{name} {one.message}", want=one.want, got=one.got)
