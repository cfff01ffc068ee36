"""The schemas themselves: well formed, traceable, strict where the contract is and open where it is not.

Schemas are found on disk. Each needs an examples file, ``tests/schemas/<revision>/<path>.examples.json``:
``valid`` and ``invalid`` instances with a ``why``; an invalid one is wrong in one place, its ``pointer``. That of the
request holds the documented ``limits`` of each parameter too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from jsonschema import Draft202012Validator

from conformance.contract.schemas import ABSENT, REVISIONS, SchemaProblem, Schemas, schema_dir

EXAMPLES = Path(__file__).parent / "schemas"
PLACES = [
    (rev, f.relative_to(schema_dir() / rev).as_posix())
    for rev in REVISIONS
    for f in sorted((schema_dir() / rev).rglob("*.json"))
]
SOURCE = re.compile(r"(doc 2026-06-24|doc 2026-10|openai), [^;]+")
STRENGTH = ("doc 2026-06-24", "doc 2026-10", "openai")
LIMITS = ("type", "minimum", "maximum", "enum", "const", "pattern", "default")
each_schema = pytest.mark.parametrize(
    ("revision", "path"), PLACES, ids=[f"{revision}/{path}" for revision, path in PLACES]
)
each_revision = pytest.mark.parametrize("revision", REVISIONS)


def load(revision: str, path: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((schema_dir() / revision / path).read_text(encoding="utf-8"))
    return schema


def examples(revision: str, path: str) -> dict[str, Any]:
    file = (EXAMPLES / revision / path).with_suffix(".examples.json")
    cases: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return cases


def nodes(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        yield part
    for each in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from nodes(each)


def demanded(schema: dict[str, Any], at: str = "") -> Iterator[str]:
    """Where a schema itself, no reference followed, wants a member: pointers, ``*`` a place in an array."""
    yield from (f"{at}/{name}" for name in schema.get("required", ()))
    for name, member in schema.get("properties", {}).items():
        yield from demanded(member, f"{at}/{name}") if isinstance(member, dict) else ()
    if isinstance(schema.get("items"), dict):
        yield from demanded(schema["items"], f"{at}/*")


def test_the_folders_are_the_revisions() -> None:
    assert sorted(each.name for each in schema_dir().iterdir() if each.is_dir()) == sorted(REVISIONS)
    assert len(PLACES) > 50


@each_schema
def test_a_schema_is_well_formed(revision: str, path: str) -> None:
    Draft202012Validator.check_schema(load(revision, path))


@each_schema
def test_a_schema_says_what_it_is_and_where_it_comes_from(revision: str, path: str) -> None:
    schema = load(revision, path)
    assert list(schema)[:5] == ["$schema", "$id", "title", "description", "$comment"]
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"https://schemas.invalid/mimo-responses/{revision}/{path}"
    assert schema["title"].strip()
    assert schema["description"].endswith(".")
    sources = schema["$comment"].split("; ")
    assert all(SOURCE.fullmatch(source) for source in sources)
    ranks = [STRENGTH.index(source.split(",")[0]) for source in sources]
    assert ranks == sorted(ranks), "the strongest source comes first"


@each_schema
def test_every_reference_resolves_by_id_and_on_disk(revision: str, path: str) -> None:
    schema = load(revision, path)
    for reference in (node["$ref"] for node in nodes(schema) if "$ref" in node):
        file, _, fragment = reference.partition("#")
        target = (schema_dir() / revision / path).parent / file if file else schema_dir() / revision / path
        assert target.resolve().is_file(), reference
        assert json.loads(target.read_text(encoding="utf-8"))["$id"] == urljoin(schema["$id"], file)
        assert Schemas(revision).resolve({"$ref": urljoin(schema["$id"], file) + "#" + fragment})
    older = REVISIONS[: REVISIONS.index(revision) + 1]
    assert all(
        each.split("/")[4] in older for each in re.findall(r"https://schemas\.invalid/\S+?(?=\")", json.dumps(schema))
    )


@each_schema
def test_the_file_is_formatted(revision: str, path: str) -> None:
    text = (schema_dir() / revision / path).read_text(encoding="utf-8")
    assert text.endswith("}\n")
    assert all((len(line) - len(line.lstrip(" "))) % 2 == 0 and "\t" not in line for line in text.splitlines())


@each_schema
def test_every_member_is_explained(revision: str, path: str) -> None:
    """A member has a description of its own, or is a constant, a reference, or only repeated beside one."""
    schema = load(revision, path)
    if "required" not in schema:
        return
    for name, member in schema["properties"].items():
        assert {"description", "const", "$ref"} & set(member), name


@each_schema
def test_valid_examples_pass(revision: str, path: str) -> None:
    cases = examples(revision, path)["valid"]
    assert cases
    for case in cases:
        assert Schemas(revision).errors(path, case["instance"]) == [], case["why"]


@each_schema
def test_invalid_examples_fail_in_the_one_wrong_place(revision: str, path: str) -> None:
    cases = examples(revision, path)["invalid"]
    assert cases
    for case in cases:
        found = Schemas(revision).errors(path, case["instance"])
        assert [problem.pointer for problem in found] == [case["pointer"]], case["why"]
        assert found[0].message.startswith("is ")


@each_schema
def test_each_required_member_has_an_example_without_it(revision: str, path: str) -> None:
    missing = {
        re.sub(r"/\d+(?=/|$)", "/*", problem.pointer)
        for case in examples(revision, path)["invalid"]
        for problem in Schemas(revision).errors(path, case["instance"])
        if problem.keyword == "required"
    }
    assert set(demanded(load(revision, path))) <= missing


def test_no_example_is_left_without_its_schema() -> None:
    found = {f.relative_to(EXAMPLES).as_posix().replace(".examples", "") for f in EXAMPLES.rglob("*.json")}
    assert found == {"/".join(place) for place in PLACES}


PAGE_TEXT = (
    "Hello! I am MiMo, a large language model developed by Xiaomi's LLM Core Team. I'm here to help answer "
    "your questions, generate text, and assist with various tasks. How can I assist you today?"
)
PAGE = """{
    "id": "resp_5fcaac1af26a4b449f30e1eeeaa8c48f",
    "object": "response",
    "created_at": 1782215659,
    "status": "completed",
    "error": null,
    "incomplete_details": null,
    "model": "mimo-v2.5-pro",
    "metadata": null,
    "output": [
        {
            "id": "msg_1fa8f5011ebf47adb158ecf13c99d06c",
            "type": "message",
            "status": "completed",
            "role": "assistant",
            "content": [
                {
                    "type": "output_text",
                    "text": "TEXT",
                    "annotations": []
                }
            ]
        }
    ],
    "output_text": "TEXT",
    "usage": {
        "input_tokens": 57,
        "input_tokens_details": {},
        "output_tokens": 46,
        "output_tokens_details": {
            "reasoning_tokens": 0
        },
        "total_tokens": 103
    }
}""".replace("TEXT", PAGE_TEXT)


@each_revision
def test_the_example_of_the_page_is_valid(revision: str) -> None:
    assert Schemas(revision).errors("response.json", json.loads(PAGE)) == []


@each_revision
def test_the_documented_limits_stand_on_each_parameter(revision: str) -> None:
    """One reference away at most, so that cases can be derived from them."""
    schemas = Schemas(revision)
    parameters = schemas.document("request.json")["properties"]
    effort = ["none", "low", "medium", "high"]
    if revision == "2026-10":
        effort = ["none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra"]
    want = examples(revision, "request.json")["limits"]
    found = {name: schemas.resolve(member) for name, member in parameters.items()}
    assert {n: {k: m[k] for k in LIMITS if k in m} for n, m in found.items()} == want
    assert all(member["description"] for member in found.values())
    assert schemas.document("request.json")["required"] == ["model", "input"]
    assert schemas.resolve(found["reasoning"]["properties"]["effort"])["enum"] == effort
    assert found["reasoning"]["required"] == ["effort"]
    form = schemas.resolve(found["text"]["properties"]["format"])
    assert form["default"] == {"type": "text"}
    assert form["properties"]["type"]["enum"] == ["text", "json_object"]


def test_the_limits_inside_the_input_and_the_tools() -> None:
    schemas = Schemas()
    fps = schemas.document("input/parts/input_video.json")["properties"]["fps"]
    assert (fps["minimum"], fps["maximum"], fps["default"]) == (0.1, 10, 2)
    tool = schemas.document("request.json")["properties"]["tools"]["items"]
    assert tool["properties"]["name"]["pattern"] == "^[a-zA-Z0-9_-]{1,64}$"


def test_the_types_of_each_revision() -> None:
    june, october = (Schemas(revision) for revision in REVISIONS)
    # In the order of the page: the ends of a stream follow its beginnings, and all else comes behind.
    assert june.event_types[:4] == tuple(
        f"response.{name}" for name in ("created", "in_progress", "completed", "incomplete")
    )
    assert october.event_types[: len(june.event_types)] == june.event_types
    assert {"response.custom_tool_call_input.delta", "response.custom_tool_call_input.done"} <= set(october.event_types)
    assert {"function_call", "message", "reasoning"} <= set(june.item_types)
    assert set(october.item_types) >= {*june.item_types, "custom_tool_call"}


@each_schema
def test_an_event_is_of_the_type_its_file_is_named_after(revision: str, path: str) -> None:
    if path.startswith("events/"):
        for case in examples(revision, path)["valid"]:
            assert case["instance"]["type"] == Path(path).name.removesuffix(".json")


def test_a_document_is_the_newest_at_or_before_the_revision() -> None:
    june, october = (Schemas(revision) for revision in REVISIONS)
    assert october.document("usage.json") is june.document("usage.json")
    assert october.document("response.json")["$id"].endswith("/2026-10/response.json")
    assert june.document("response.json")["$id"].endswith("/2026-06-24/response.json")
    with pytest.raises(LookupError, match="2026-06-24 has no schema"):
        june.document("items/custom_tool_call.json")
    with pytest.raises(LookupError):
        june.errors("events/response.failed.json", {})
    with pytest.raises(ValueError, match="not one of"):
        Schemas("2025-01")


def test_a_reference_is_followed_with_what_stands_beside_it() -> None:
    schemas = Schemas("2026-10")
    model = schemas.resolve(schemas.document("request.json")["properties"]["model"])
    assert model["type"] == "string"
    assert "mimo-v2.6-pro" in model["examples"]
    assert schemas.resolve({"type": "null"}) == {"type": "null"}


def test_a_validator_is_made_once() -> None:
    schemas = Schemas()
    assert schemas.validator("usage.json") is schemas.validator("usage.json")


@pytest.mark.parametrize(
    ("path", "pointer", "value", "problem"),
    [
        ("usage.json", "total_tokens", ABSENT, ("required", "is missing", "integer", ABSENT)),
        ("usage.json", "total_tokens", None, ("type", "is null, not an integer", "integer", None)),
        ("usage.json", "total_tokens", -1, ("minimum", "is -1, less than 0", 0, -1)),
        ("response.json", "object", "list", ("const", "is 'list', not 'response'", "response", "list")),
        ("response.json", "object", ABSENT, ("required", "is missing", "response", ABSENT)),
        ("response.json", "error", "e", ("type", "is 'e', not an object or null", ["object", "null"], "e")),
        ("response.json", "output", {}, ("type", "is an object, not an array", "array", {})),
        ("response.json", "id", "", ("minLength", "is empty", 1, "")),
        ("request.json", "top_p", 2, ("maximum", "is 2, more than 1.0", 1.0, 2)),
        ("request.json", "store", True, ("additionalProperties", "is not documented", ABSENT, True)),
    ],
)
def test_a_problem_in_plain_words(path: str, pointer: str, value: object, problem: tuple[Any, ...]) -> None:
    instance = json.loads(json.dumps(examples("2026-06-24", path)["valid"][0]["instance"]))
    instance.pop(pointer, None)
    if value != ABSENT:
        instance[pointer] = value
    assert Schemas().errors(path, instance) == [SchemaProblem("/" + pointer, *problem)]


def test_an_enum_names_its_values_and_a_long_text_is_cut() -> None:
    item = {**examples("2026-06-24", "items/function_call.json")["valid"][0]["instance"], "status": "x" * 99}
    (problem,) = Schemas().errors("items/item.json", item)
    assert problem.message == f"is '{'x' * 60}...', not one of 'in_progress', 'completed', 'incomplete'"
    assert problem.want == ["in_progress", "completed", "incomplete"]


def test_one_problem_a_member_and_the_deepest_first() -> None:
    wrong = json.loads(PAGE)
    wrong["status"] = None
    wrong["usage"]["total_tokens"] = "103"
    del wrong["output"][0]["content"][0]["text"]
    for revision in REVISIONS:
        found = [(each.pointer, each.keyword) for each in Schemas(revision).errors("response.json", wrong)]
        assert found == [
            ("/output/0/content/0/text", "required"),
            ("/usage/total_tokens", "type"),
            ("/status", "enum"),
        ]


def test_a_pointer_escapes_what_it_must() -> None:
    found = Schemas().errors("request.json", {"model": "m", "input": "Hi", "a/b~c": 1})
    assert [each.pointer for each in found] == ["/a~1b~0c"]
