"""Each documented effort value, plain and streaming, with a question that needs reasoning."""

from __future__ import annotations

from dataclasses import replace

from conformance.contract.schemas import Schemas
from conformance.decode.response import Received
from conformance.scenarios.ordinary import both
from conformance.scenarios.scenario import Body, Need, Scenario
from conformance.scenarios.templates import Cap

QUESTION: Body = {
    "max_output_tokens": Cap.THINKING,
    "input": "How many prime numbers lie between 20 and 60? Think it through, then answer in one short sentence.",
}


def has_reasoning(received: Received) -> bool:
    """Whether the response contains reasoning."""
    return received.has_reasoning


REASONS = Need("the model thinks", has_reasoning)


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
        "the question without reasoning",
        QUESTION,
        tags=frozenset({"core", "effort-default"}),
    )
    return [*found, default]
