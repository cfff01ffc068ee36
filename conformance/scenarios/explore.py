"""Random legal requests: a table of factors, and the request that a choice of their values makes.

A choice gives every factor one of its values; the first value of each is the simplest, and most often leaves a member
out. Any two values may occur together, so that every choice is a documented request. Which choices a run sends:
:mod:`conformance.scenarios.drawing`; how a failing one is reduced: :mod:`conformance.engine.shrinking`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from conformance.contract.revisions import Contract
from conformance.scenarios.inputs import prose
from conformance.scenarios.ordinary import NO_REASONING
from conformance.scenarios.rich_tools import RICH
from conformance.scenarios.scenario import Body, Scenario
from conformance.scenarios.templates import Cap, Effort, fill
from conformance.scenarios.tools import CLOCK, PING, WEATHER

#: Tag of every random request, and of those that fit the request schema.
EXPLORED, LEGAL = "explored", "explored-legal"

#: Failures that are reduced, and requests that each may take: the failing one once more, smaller ones, and at the end
#: the smallest failing one, which is then evaluated.
SHRUNK, MOST_SMALLER = 3, 12

#: The content of the final message, and of each text of the conversation, by the value of ``text``. ``random``
#: is drawn for each request.
TEXTS: Mapping[str, str] = {
    "ascii": "a short text",
    "lines": "first line\nsecond line\r\n\n\tthe fourth, indented\n",
    "cjk": "你好世界。こんにちは。안녕하세요",
    "emoji": "👩\u200d💻👨\u200d👩\u200d👧🏳️\u200d🌈👍🏽 and 🇨🇭",
    "right-to-left": "שלום עולם, مرحبا بالعالم, 12 abc",
    "escapes": '"quoted" \\n C:\\dir\\ {"a": [1, "\\u0041"]} </b> &amp; \'$HOME\' %s',
    "long": prose(4_000),
    "random": "",
}

#: The values of each factor, the simplest first.
FACTORS: Mapping[str, tuple[str, ...]] = {
    "stream": ("false", "true"),
    "form": ("string", "message", "parts", "typed-message"),
    "text": tuple(TEXTS),
    "tools": ("none", "one", "several", "rich", "no-parameters"),
    "tool_choice": ("none", "auto"),
    "round": ("none", "output-string", "output-parts"),
    "history": ("none", "messages", "output-message"),
    "role": ("none", "system", "developer", "developer-parts"),
    "reasoning_item": ("none", "content", "no-content"),
    "instructions": ("none", "short", "text"),
    "effort": ("off", "none", "light", "usual"),
    "format": ("none", "text", "json_object"),
    "temperature": ("none", "0", "0.7", "1.5"),
    "top_p": ("none", "0.01", "0.5", "1"),
    "max_output_tokens": ("word", "cut", "line"),
    "auth": ("usual", "other"),
}

#: A value of each factor, and the text that is drawn under :data:`WORDS`.
Choice = Mapping[str, str]
WORDS = "words"

#: The choice of the simplest values.
SIMPLEST: Choice = {name: values[0] for name, values in FACTORS.items()}

_TOOLS: Mapping[str, tuple[dict[str, Any], ...]] = {
    "one": (WEATHER,),
    "several": (PING, WEATHER, CLOCK),
    "rich": (RICH,),
    "no-parameters": (PING,),
}

#: The features that a value needs, by which a profile leaves the request out.
_CLAIMS: Mapping[str, str] = {
    "stream": "streaming", "tools": "tools", "round": "tools", "reasoning_item": "reasoning",
}  # fmt: skip

_ARRAY = ("round", "history", "role", "reasoning_item")


def possible(contract: Contract, lacks: frozenset[str]) -> dict[str, list[str]]:
    """The values of each factor that need nothing which a profile excludes; the simplest ones always."""
    return {
        name: [value for value in values if not _claims({**SIMPLEST, name: value}, contract) & lacks]
        for name, values in FACTORS.items()
    }


def is_set(choice: Choice) -> dict[str, str]:
    """The values of a choice that are not the simplest ones."""
    return {name: choice[name] for name, simplest in SIMPLEST.items() if choice[name] != simplest}


def scenario_of_choice(number: int, choice: Choice, contract: Contract) -> Scenario:
    """The random request of that number; its choice is what it is ``about``."""
    body = body_of(choice, contract)
    return Scenario(
        f"explore.{number}" + (".stream" if choice["stream"] == "true" else ""),
        f"a random documented request: {described(choice)}",
        body,
        auth=auth_of(choice, contract),
        about=dict(choice),
        tags=frozenset({EXPLORED, LEGAL}),
        claims=_claims(choice, contract),
    )


def smallest() -> list[Scenario]:
    """The requests that represent the smallest forms of failing random requests; what they send is known only then."""
    return [
        Scenario(
            f"explore.smallest.{number}",
            f"the smallest request that fails as the {word} random one that fails",
            expect="either",
            tags=frozenset({EXPLORED, LEGAL}),
            tries=MOST_SMALLER,
            searches=True,
        )
        for number, word in zip(range(1, SHRUNK + 1), ("first", "second", "third"), strict=True)
    ]


def random_requests(scenarios: Iterable[Scenario], tag: str = EXPLORED) -> tuple[str, ...]:
    """The names of the random requests with a tag; first the smallest failing ones, where a finding is read fastest."""
    found = [one for one in scenarios if tag in one.tags]
    return tuple(one.name for one in sorted(found, key=lambda one: not one.searches))


def described(choice: Choice) -> str:
    """The values that are not the simplest, in words."""
    return ", ".join(f"{name} {value}" for name, value in is_set(choice).items()) or "the simplest one"


def auth_of(choice: Choice, contract: Contract) -> str:
    """The way to authenticate."""
    ways = contract.authentication
    return ways[-1].name if choice["auth"] == "other" else ways[0].name


def _claims(choice: Choice, contract: Contract) -> frozenset[str]:
    chosen = is_set(choice)
    claims = {feature for name, feature in _CLAIMS.items() if name in chosen}
    if chosen.get("effort") in ("light", "usual"):
        claims.add("reasoning")
    if choice["format"] == "json_object":
        claims.add("json-object")
    if choice["form"] != "string" or any(name in chosen for name in _ARRAY):
        claims.add("input-array")
    if choice["auth"] == "other":
        claims.add(auth_of(choice, contract))
    return frozenset(claims)


def body_of(choice: Choice, contract: Contract) -> dict[str, Any]:
    """The body that a choice makes, without the model."""
    body: dict[str, Any] = {}
    if choice["effort"] == "off":
        body.update(NO_REASONING)
    elif choice["effort"] != "none":
        body["reasoning"] = {"effort": Effort.LIGHT if choice["effort"] == "light" else Effort.USUAL}
    # Reasoning needs tokens.
    body["max_output_tokens"] = Cap.CALL if choice["effort"] != "off" else Cap[choice["max_output_tokens"].upper()]
    for name in ("temperature", "top_p"):
        if choice[name] != "none":
            body[name] = json.loads(choice[name])
    if choice["instructions"] != "none":
        body["instructions"] = "Be brief." if choice["instructions"] == "short" else _text(choice)
    if choice["format"] != "none":
        body["text"] = {"format": {"type": choice["format"]}}
    if choice["tools"] != "none":
        body["tools"] = list(_TOOLS[choice["tools"]])
        if choice["tool_choice"] == "auto":
            body["tool_choice"] = "auto"
    body["input"] = _input(choice)
    if choice["stream"] == "true":
        body["stream"] = True
    filled: dict[str, Any] = fill(body, contract)
    return filled


def _text(choice: Choice) -> str:
    return choice[WORDS] if choice["text"] == "random" else TEXTS[choice["text"]]


def _question(choice: Choice) -> str:
    if choice["tools"] != "none":
        question = f"Use {_TOOLS[choice['tools']][0]['name']} once, for Bern."
        question += f" The text is: {_text(choice)}" if choice["text"] != "ascii" else ""
    elif choice["text"] == "ascii":
        question = "Reply with one short sentence about the sea."
    else:
        question = f"Repeat exactly: {_text(choice)}"
    # OpenAI wants the word where the model is to write JSON.
    return f"Reply with one JSON object. {question}" if choice["format"] == "json_object" else question


def _input(choice: Choice) -> str | list[dict[str, Any]]:
    question, form = _question(choice), choice["form"]
    earlier = [*_role(choice), *_history(choice), *_reasoning(choice), *_round(choice)]
    if form == "string" and not earlier:
        return question
    content: Any = question if form in ("string", "message") else [_part(question)]
    last = {"role": "user", "content": content}
    return [*earlier, {"type": "message", **last} if form == "typed-message" else last]


def _part(text: str) -> dict[str, str]:
    return {"type": "input_text", "text": text}


def _role(choice: Choice) -> list[dict[str, Any]]:
    role, _, parts = choice["role"].partition("-")
    if role == "none":
        return []
    return [{"role": role, "content": [_part(_text(choice)), _part("Be kind.")] if parts else _text(choice)}]


def _history(choice: Choice) -> list[dict[str, Any]]:
    if choice["history"] == "none":
        return []
    question = {"role": "user", "content": f"Remember this: {_text(choice)}"}
    if choice["history"] == "messages":
        return [question, {"role": "assistant", "content": _text(choice)}]
    content = [{"type": "output_text", "text": _text(choice), "annotations": []}]
    return [
        question,
        {"type": "message", "id": "msg_e1", "role": "assistant", "status": "completed", "content": content},
    ]


def _reasoning(choice: Choice) -> list[dict[str, Any]]:
    """A returned reasoning item between a user message and its response, or before the call that it led to."""
    if choice["reasoning_item"] == "none":
        return []
    reasoning: dict[str, Any] = {"type": "reasoning", "id": "rs_e1"}
    if choice["reasoning_item"] == "content":
        reasoning["content"] = [{"type": "reasoning_text", "text": _text(choice)}]
    reply: list[dict[str, Any]] = [{"role": "assistant", "content": "Yes."}] if choice["round"] == "none" else []
    return [{"role": "user", "content": "Look it up."}, reasoning, *reply]


def _round(choice: Choice) -> list[dict[str, Any]]:
    """A call and its output."""
    if choice["round"] == "none":
        return []
    arguments = json.dumps({"city": "Bern", "days": 1, "unit": "celsius"})
    call = {"type": "function_call", "call_id": "call_e1", "name": "get_weather", "arguments": arguments}
    output: Any = _text(choice) if choice["round"] == "output-string" else [_part(_text(choice)), _part("18 °C")]
    return [call, {"type": "function_call_output", "call_id": "call_e1", "output": output}]


def to_json(scenario: Scenario) -> dict[str, Any]:
    """A random request as it is kept in the run folder."""
    return {
        "name": scenario.name,
        "description": scenario.description,
        "body": dict(scenario.body),
        "raw": None if scenario.raw is None else scenario.raw.decode(),
        "auth": scenario.auth,
        "expect": scenario.expect,
        "about": dict(scenario.about),
        "tags": sorted(scenario.tags),
        "claims": sorted(scenario.claims),
        "wrong": scenario.wrong,
        "tries": scenario.tries,
        "searches": scenario.searches,
    }


def from_json(value: Body) -> Scenario:
    """The random request that :func:`to_json` gave. ``KeyError`` or ``TypeError`` if it is none."""
    sets = {name: frozenset(value[name]) for name in ("tags", "claims")}
    raw = value["raw"]
    return Scenario(**{**value, **sets, "raw": None if raw is None else raw.encode()})
