"""Invalid requests other than those derived from the schema."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from conformance.scenarios.derived import CHEAP
from conformance.scenarios.scenario import Scenario, same_body
from conformance.scenarios.templates import MODEL

GARBAGE = b'{"model": ' + MODEL + b', "input": "Say hello.", "max_output_tokens": ${cap.cut}} and more'

#: Deeper than the parsers of most languages go: it is refused like any array, and no reason for a server error.
DEEP = b"[" * 5_000 + b'"Say hello."' + b"]" * 5_000


def scenarios(nonce: str) -> list[Scenario]:
    """The invalid requests."""
    found = [
        _bad("unknown-model", "a model that does not exist", body={**CHEAP, "model": f"no-such-model-{nonce}"}),
        _bad("malformed-json", "a body that is not JSON", raw=b'{"model": ' + MODEL + b', "input": '),
        _bad("trailing-garbage", "a JSON object followed by other text", raw=GARBAGE, rule="malformed-json"),
        _bad(
            "not-utf8",
            "a body that is not UTF-8",
            raw=b'{"model": ' + MODEL + b', "input": "Say h\xe9llo.", "max_output_tokens": ${cap.cut}}',
            expect="either",
            rule="malformed-json",
        ),
        _bad(
            "not-a-number",
            "NaN, which is not JSON, as a number",
            raw=b'{"model": '
            + MODEL
            + b', "input": "Say hello.", "max_output_tokens": ${cap.cut}, "temperature": NaN}',
            expect="either",
            rule="malformed-json",
        ),
        _bad("empty-body", "an empty body", raw=b""),
        _bad("body-not-an-object", "a JSON array as body, nested 5,000 times", raw=DEEP),
        _bad("body-null", "null as body", raw=b"null", rule="body-not-an-object"),
        _bad("body-a-string", "a JSON string as body", raw=b'"Say hello."', rule="body-not-an-object"),
        *_empty_strings(),
        _bad(
            "nested-null",
            "null as members of optional objects",
            body={**CHEAP, "reasoning": {"effort": None}, "text": {"format": None}},
            expect="either",
            rule="wrong-input",
        ),
        _bad(
            "input-bad-part",
            "an input message with a part of an unknown type",
            body={**CHEAP, "input": [{"role": "user", "content": [{"type": f"part-{nonce}", "text": "Say hello."}]}]},
            expect="either",
            rule="wrong-input",
        ),
        _bad(
            "input-empty",
            "an empty array as input",
            body={**CHEAP, "input": []},
            expect="either",
            rule="wrong-input",
        ),
        _bad(
            "input-bad-role",
            "an input message with an unknown role",
            body={**CHEAP, "input": [{"role": f"role-{nonce}", "content": "Say hello."}]},
            expect="either",
            rule="wrong-input",
        ),
        _bad(
            "input-bad-item",
            "an input item of an unknown type",
            body={**CHEAP, "input": [{"type": f"type-{nonce}", "text": "Say hello."}]},
            expect="either",
            rule="wrong-input",
        ),
        _bad(
            "input-null-content",
            "an input message whose content is null",
            body={**CHEAP, "input": [{"role": "user", "content": None}]},
            expect="either",
            rule="wrong-input",
        ),
        _bad(
            "orphan-output",
            "a function_call_output without its call",
            body={
                **CHEAP,
                "input": [{"type": "function_call_output", "call_id": "call_none", "output": "18"}],
            },
            expect="either",
            rule="wrong-input",
            wrong=False,  # The schema cannot express that the call is missing.
        ),
    ]
    return [*found, found[0].streamed(), _again(found[0])]


def _empty_strings() -> list[Scenario]:
    """Two empty strings at once, and each alone if that is not served."""
    label, empty = "bad.empty-strings", {"instructions": "", "input": ""}
    combined = _bad(
        "empty-strings", "empty instructions and an empty string as input", body={**CHEAP, **empty}, expect="either",
        rule="wrong-input", wrong=False,
    )  # fmt: skip
    instructions = replace(
        combined, name="bad.instructions-empty", description="empty instructions",
        body={**CHEAP, "instructions": ""}, within=label,
    )  # fmt: skip
    string = replace(
        combined, name="bad.input-empty-string", description="an empty string as input", body={**CHEAP, "input": ""},
        within=label, needless=400,
    )  # fmt: skip
    return [combined, instructions, string]


def _again(one: Scenario) -> Scenario:
    """The same request once more, after it was refused: a gateway may remember which model failed."""
    return replace(
        one,
        name=f"{one.name}-again",
        description=f"{one.description}, the same request again",
        after=one.name,
        follow=same_body,
        tags=frozenset({"bad", "again"}),
    )


def _bad(name: str, description: str, rule: str = "", **more: Any) -> Scenario:
    tags = frozenset({"bad", "smoke"} if name in ("unknown-model", "malformed-json") else {"bad"})
    wrong = {"expect": "refusal", "wrong": name != "unknown-model", **more}
    return Scenario(f"bad.{name}", description, about={"rule": rule or name}, tags=tags, **wrong)
