"""What it takes to add a rule, a parameter or a type of event, in a copy of the checkout: the files that are edited by
hand. All else is generated (the matrix for the new faults only: the whole takes minutes).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from conformance.emulator.faults import FAULTS
from tests.test_new_rule import RULE, copy_of_the_checkout, generated, run, write_rule

#: By file: what is replaced by what; a file that is not there is made.
Edits = Mapping[str, Sequence[tuple[str, str]]]

#: A parameter of the newest revision.
PARAMETER: Edits = {
    "schemas/2026-10/request.json": [
        (
            '    "top_p": {',
            '    "seed": {\n      "type": "integer",\n      "minimum": 0,\n      "maximum": 1000,\n'
            '      "description": "Makes samples repeat."\n    },\n'
            '    "top_p": {',
        ),
    ],
    "conformance/emulator/validate.py": [
        (
            '    "top_p": (0.01, 1.0, False),\n',
            '    "top_p": (0.01, 1.0, False),\n    "seed": (0, 1000, True),\n',
        ),
    ],
    "conformance/contract/clauses.toml": [
        (
            '[[clause]]\nid = "2.temperature"',
            '[[clause]]\nid = "2.seed"\nsays = "seed: integer from 0 to 1000."\nrules = ["request.seed-accepted"]\n'
            'since = "2026-10"\n\n[[clause]]\nid = "2.temperature"',
        ),
    ],
    "tests/schemas/2026-10/request.examples.json": [
        ('    "top_p":', '    "seed": {"type": "integer", "minimum": 0, "maximum": 1000},\n    "top_p":'),
        (
            '  "valid": [\n',
            '  "valid": [\n    {"why": "a seed", "instance": {"model": "m", "input": "Hi", "seed": 7}},\n',
        ),
        (
            '  "invalid": [\n',
            '  "invalid": [\n'
            '    {"why": "a large seed", "pointer": "/seed", "instance":'
            ' {"model": "m", "input": "Hi", "seed": 1001}},\n',
        ),
    ],
}

KIND = "response.output_text.language"

_SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": f"https://schemas.invalid/mimo-responses/2026-06-24/events/{KIND}.json",
    "title": "Output text language",
    "description": "Names the language of a text.",
    "$comment": "openai, ResponseTextDoneEvent",
    "type": "object",
    "properties": {
        "type": {"const": KIND},
        "sequence_number": {"type": "integer", "minimum": 0, "description": "The event's place in the stream."},
        "item_id": {"type": "string", "minLength": 1, "description": "The item the event belongs to."},
        "output_index": {"type": "integer", "minimum": 0, "description": "The item's place in the output."},
        "content_index": {"type": "integer", "minimum": 0, "description": "The part's place in the item."},
        "language": {"type": "string", "minLength": 2, "description": "A language tag."},
    },
    "required": ["type", "sequence_number", "item_id", "output_index", "content_index", "language"],
}
_EVENT = {
    "type": KIND, "sequence_number": 4, "item_id": "msg_01", "output_index": 0, "content_index": 0, "language": "en",
}  # fmt: skip
_EXAMPLES = {
    "valid": [{"why": "the ordinary form", "instance": _EVENT}],
    "invalid": [
        {"why": f"without {name}", "pointer": f"/{name}", "instance": {k: v for k, v in _EVENT.items() if k != name}}
        for name in _EVENT
    ],
}

#: A type of event of every revision.
EVENT: Edits = {
    "schemas/2026-06-24/contract.toml": [
        (
            '[[event]]\ntype = "response.function_call_arguments.delta"',
            f'[[event]]\ntype = "{KIND}"\nstep = "mark"\ntext = "text"\n\n'
            '[[event]]\ntype = "response.function_call_arguments.delta"',
        ),
    ],
    f"schemas/2026-06-24/events/{KIND}.json": [("", json.dumps(_SCHEMA, indent=2) + "\n")],
    "conformance/emulator/events.py": [
        (
            '    "reasoning_text.delta": (',
            '    "output_text.language": ("item_id", "output_index", "content_index", "language"),\n'
            '    "reasoning_text.delta": (',
        ),
        (
            '    yield {"type": "response.content_part.done", **at,',
            '    if kind == "output_text":\n'
            '        yield {"type": "response.output_text.language", **at, "language": "en"}\n'
            '    yield {"type": "response.content_part.done", **at,',
        ),
    ],
    f"tests/schemas/2026-06-24/events/{KIND}.examples.json": [("", json.dumps(_EXAMPLES, indent=2) + "\n")],
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the checkout."""
    return copy_of_the_checkout(tmp_path)


def edit(checkout: Path, edits: Edits) -> None:
    for name, changes in edits.items():
        file = checkout / name
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        for old, new in changes:
            assert text.count(old) == 1, (name, old)
            text = text.replace(old, new)
        file.write_text(text, encoding="utf-8")


def passes(checkout: Path, *words: str) -> None:
    done = run(checkout, ["pytest", "-q", "-p", "no:cacheprovider", *words])
    assert done.returncode == 0, done.stdout[-5000:]


FILES = [
    f"tests/test_{name}.py"
    for name in ("schemas", "catalogue", "scenarios", "events", "lifecycle", "architecture", "matrix")
]
HEAVY = "not affected and not circle and not two_faults"

#: Of the tests of the matrix, those that a new rule needs; the others take minutes.
OF_MATRIX = "well_formed or somewhere or page or short or imports or sitting or clean"


def test_three_edited_files_make_a_rule_four_a_parameter_and_four_a_type_of_event(checkout: Path) -> None:
    """All three in one copy. A fifth file of an event is the scenario, where none of the present ones causes it."""
    assert len(PARAMETER) <= 4
    assert len(EVENT) <= 4
    write_rule(checkout)
    edit(checkout, {"CHANGELOG.md": [("### Rules\n", f"### Rules\n\n- New: `{RULE}`.\n")]})  # As for each change.
    edit(checkout, PARAMETER)
    edit(checkout, EVENT)
    noted = json.loads((checkout / "conformance" / "contract" / "fault_matrix.json").read_text(encoding="utf-8"))
    ends = [f"request.seed-{end}-refused" for end in ("zero", "1000")]
    word = "output-text-language"
    without = [f"event.{word}-without-{member}" for member in ("item-id", "output-index", "content-index", "language")]
    causes = {
        f"{RULE}-violated": {RULE: "fail"},
        **{one: {"request.seed-accepted": "fail"} for one in ends},
        f"event.{word}-never-sent": {f"event.seen.{KIND}": "fail"},
        **{name: {f"event.{KIND}.schema": "fail"} for name in without},
    }
    found = generated(checkout, [*causes, *(FAULTS.keys() - noted.keys())])
    assert {name: found[name] for name in causes} == causes
    passes(checkout, "-k", f"(not test_matrix and {HEAVY}) or ({OF_MATRIX})", *FILES)
    assert f"| {RULE} | MUST |" in (checkout / "docs" / "rules.md").read_text(encoding="utf-8")
    listed = run(checkout, ["conformance", "explain", "request.seed-accepted", "--revision", "2026-10"]).stdout
    assert "seed=0, seed=1000" in listed
    assert f"| {KIND} | mark | message |" in (checkout / "docs" / "lifecycle.md").read_text(encoding="utf-8")
