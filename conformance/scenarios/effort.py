"""Each documented effort value, plain and streaming, with a question that needs reasoning."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from conformance.contract.schemas import Schemas
from conformance.decode.response import Received
from conformance.scenarios.ordinary import both
from conformance.scenarios.scenario import Body, Need, Scenario, same_body
from conformance.scenarios.templates import Cap

QUESTION: Body = {
    "max_output_tokens": Cap.THINKING,
    "input": "How many prime numbers lie between 20 and 60? Think it through, then answer in one short sentence.",
}


def has_reasoning(received: Received) -> bool:
    """Whether the response contains reasoning."""
    return received.has_reasoning


REASONS = Need("the model reasons", has_reasoning)


def effort_values(schemas: Schemas) -> list[str]:
    """The documented effort values of the revision."""
    reasoning = schemas.resolve(schemas.document("request.json")["properties"]["reasoning"])
    return list(reasoning["properties"]["effort"]["enum"])


def scenarios(schemas: Schemas) -> list[Scenario]:
    """A scenario for each effort value, and one without ``reasoning``."""
    found: list[Scenario] = []
    for value in effort_values(schemas):
        thinking = value != schemas.contract.effort.off
        scenario = Scenario(
            f"effort.{value}",
            f"a question that needs reasoning, at effort {value}",
            {**QUESTION, "reasoning": {"effort": value}},
            tags=frozenset({"core", "effort", "thinking" if thinking else "not-thinking"}),
            about={"effort": value, "parameter": "reasoning.effort"},
            claims=frozenset({"reasoning"}),
        )
        if value == schemas.contract.effort.usual:
            scenario = replace(scenario, tags=scenario.tags | {"smoke"})
        found += both(replace(scenario, need=REASONS, tries=2) if thinking else scenario)
    default = Scenario(
        "effort.default",
        "a question without the member reasoning, and without any ASCII character",
        {**QUESTION, "input": "请想清楚二十到六十之间有多少个素数并用一句话回答。"},
        tags=frozenset({"core", "effort-default"}),
    )
    return [*_after_no_reasoning(found, schemas.contract.effort.off), default]


def _after_no_reasoning(found: list[Scenario], off: str) -> Iterator[Scenario]:
    """The scenarios, of which two follow a request without reasoning on its connection, one streaming and one plain:
    the reasoning of neither may depend on the request before it."""
    reasoning = [one for one in found if "thinking" in one.tags]
    behind = {
        after: next((one for one in reasoning[place:] if one.streaming == streams), None)
        for after, place, streams in ((f"effort.{off}", 0, True), (f"effort.{off}.stream", 2, False))
    }
    for one in found:
        after = next((name for name, each in behind.items() if each is one), None)
        yield replace(one, after=after, follow=same_body, reuses=True) if after else one
