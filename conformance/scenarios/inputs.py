"""Long texts in each form of input, empty containers, similar model ids, and a request without max_output_tokens.

All long texts consist of the same sentences, so that the tokens of two requests can be compared.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

from conformance.contract.revisions import Contract
from conformance.scenarios.derived import CHEAP
from conformance.scenarios.ordinary import CORE, NO_REASONING, SHORT
from conformance.scenarios.scenario import Body, Scenario, same_body
from conformance.scenarios.templates import Cap

_SENTENCES = (
    "The old mill stands by the river, and nobody has turned its wheel for years.",
    "A small boat brings bread to the island every second morning.",
    "In autumn the whole village meets under the big tree and counts the apples.",
    "My grandmother wrote down the weather of each day in a blue book.",
    "The train stops here for two minutes, long enough to buy a newspaper.",
)

QUESTION = "Reply with the one word: done."

#: The scenario with whose tokens those of other long requests are compared.
MEASURE = "input.long-string.stream"


def prose(size: int) -> str:
    """A text of at least ``size`` characters, its lines numbered so that no passage occurs twice."""
    lines: list[str] = []
    length = 0
    for number, sentence in enumerate(itertools.cycle(_SENTENCES), 1):
        lines.append(f"{number}. {sentence}")
        length += len(lines[-1]) + 1
        if length >= size:
            return "\n".join(lines) + "\n"
    raise AssertionError("cycle never ends")


def scenarios(contract: Contract) -> list[Scenario]:
    """The requests of this module."""
    count = Scenario(
        "count.uncapped",
        "an output of several hundred tokens without max_output_tokens",
        {**NO_REASONING, "input": "Count from 1 to 450, separated by commas, without leaving any number out."},
        after="cut",  # What a server keeps of that cap must not truncate this response.
        follow=same_body,
        reuses=True,
        tags=CORE,
    )
    return [*_long(), count, *_empty(), *_models(contract)]


def _long() -> list[Scenario]:
    """A text of 40,000 characters as a string and in parts, and one of 150,000, which exceeds small contexts."""
    short = {**SHORT, "max_output_tokens": Cap.LINE}
    text = prose(40_000)
    lines = text.splitlines(keepends=True)
    size = len(lines) // 4 + 1
    pieces = ["".join(lines[start : start + size]) for start in range(0, len(lines), size)]
    parts = [{"type": "input_text", "text": piece} for piece in (*pieces, QUESTION)]
    string = Scenario(
        MEASURE,
        "a string of 40,000 characters, streaming",
        {**short, "input": f"{text}{QUESTION}", "stream": True},
        tags=frozenset({"form", "sizable"}),
        about={"form": "input-string"},
        claims=frozenset({"streaming"}),
    )
    return [
        string,
        replace(
            string,
            name="input.long-parts",
            description="the same 40,000 characters in five parts",
            body={**short, "input": [{"role": "user", "content": parts}]},
            about={"form": "input-parts"},
            claims=frozenset({"input-array"}),
        ),
        replace(
            string,
            name="input.very-long",
            description="150,000 characters in a message without type",
            body={**short, "input": [{"role": "user", "content": f"{prose(150_000)}{QUESTION}"}]},
            expect="either",
            tags=frozenset({"harmless"}),
            about={"rule": "long-input"},
            claims=frozenset({"input-array"}),
        ),
    ]


def _empty() -> list[Scenario]:
    """Empty containers that are allowed; a combination contains both."""
    empty: Body = {"tools": [], "text": {}}
    return [
        Scenario(
            f"{name}={value}",
            f"{name} as {value}",
            {**CHEAP, name: value},
            about={"parameter": name},
            tags=frozenset({"accepted"}),
        )
        for name, value in empty.items()
    ]


def _models(contract: Contract) -> list[Scenario]:
    empty = Scenario(
        "bad.empty-model",
        "an empty string as model",
        {**CHEAP, "model": ""},
        expect="refusal",
        about={"rule": "unknown-model"},
        tags=frozenset({"bad"}),
        wrong=True,
    )
    description = "a prefix of a model id"
    prefix = replace(
        empty,
        name="bad.model-prefix",
        description=description,
        body={**CHEAP, "model": contract.near_miss},
        wrong=False,
    )
    return [empty, prefix]
