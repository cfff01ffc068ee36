"""The names of OpenAI's API: each is listed with a treatment that is true, for the pinned version of the package."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.clients.install import pinned
from conformance.contract.openai_names import FILE, GROUPS, is_openai, read, undocumented_event, undocumented_item
from conformance.contract.schemas import REVISIONS, Schemas
from tools.in_process import context
from tools.openai_names import differences, installed, text_of

NEWEST = Schemas(REVISIONS[-1])
LISTED = read()

#: What the schemas of the newest revision contain.
DOCUMENTED = {
    "parameters": {*NEWEST.document("request.json")["properties"]},
    "tool_fields": {*NEWEST.document("input/additional_tools.json")["$defs"]["function"]["properties"]},
    "tool_types": {*NEWEST.document("request.json")["$defs"]["tool"]["properties"]["type"]["enum"]},
    "input_items": {*NEWEST.input_types},
    "output_items": {*NEWEST.output_types},
    "events": {*NEWEST.event_types},
}


def _sent() -> Iterator[tuple[str, str]]:
    """The names in the requests of both revisions, with their groups."""
    for body in (one.body for revision in REVISIONS for one in context(revision).scenarios.values()):
        yield from (("parameters", name) for name in body)
        for tool in _objects(body.get("tools")):
            yield "tool_types", str(tool.get("type"))
            yield from (("tool_fields", name) for name in tool if tool.get("type") == "function")
        yield from (("input_items", str(item.get("type"))) for item in _objects(body.get("input")))


def _objects(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def test_the_names_are_those_of_the_pinned_package() -> None:
    """After a change of the pinned version: ``python -m tools.openai_names --install DIR --write``."""
    assert f"openai=={LISTED.version}" in pinned()
    assert FILE.read_text(encoding="utf-8") == text_of(LISTED, LISTED.version, {g: {*LISTED.groups[g]} for g in GROUPS})


@pytest.mark.parametrize("group", GROUPS)
def test_each_name_has_a_treatment_that_is_true(group: str) -> None:
    treatments = LISTED.groups[group]
    assert [name for name, treatment in treatments.items() if not treatment] == [], "list how the suite treats it"
    documented = {name for name, treatment in treatments.items() if treatment == "documented"}
    assert documented == DOCUMENTED[group] & treatments.keys()
    claimed = {name for name, treatment in treatments.items() if treatment == "sent"}
    assert claimed <= {name for found, name in _sent() if found == group}
    responses = group in ("output_items", "events")
    assert (
        {"reported"} == {*treatments.values()} - {"documented"} if responses else "reported" not in treatments.values()
    )


def test_a_new_name_is_red_until_it_has_a_treatment(tmp_path: Path) -> None:
    """A package with one event, one parameter and one type of item more."""
    folder = tmp_path / "venv" / "lib" / "python3.99" / "site-packages"
    types = folder / "openai" / "types" / "responses"
    types.mkdir(parents=True)
    (folder / "openai-9.9.9.dist-info").mkdir()
    numbers = range(6)

    def union(name: str) -> str:
        members = "\n".join(f'class {name}{at}:\n    type: Literal["{name.lower()}.{at}"]\n' for at in numbers)
        return f"{members}\n{name}: TypeAlias = Union[{', '.join(f'{name}{at}' for at in numbers)}]\n"

    for module, name in (("tool", "Tool"), ("response_input_item", "ResponseInputItem")):
        (types / f"{module}.py").write_text(union(name))
    (types / "base.py").write_text('class Base:\n    type: Literal["inherited"]\n')
    inherited = "from .base import Base\nclass ResponseOutputItem9(Base):\n    id: str\n" + union("ResponseOutputItem")
    (types / "response_output_item.py").write_text(inherited.replace("Union[", "Union[ResponseOutputItem9, "))
    (types / "response_stream_event.py").write_text(union("ResponseStreamEvent"))
    fields = "\n".join(f"    field_{at}: str" for at in numbers)
    (types / "function_tool.py").write_text(f"class FunctionTool:\n{fields}\n    async_: bool\n")
    (types / "response_create_params.py").write_text(
        f"class ResponseCreateParamsBase:\n{fields}\nclass ResponseCreateParamsStreaming:\n    stream: bool\n"
    )
    version, found = installed(tmp_path)
    assert (version, found["output_items"] >= {"inherited", "responseoutputitem.5"}) == ("9.9.9", True)
    assert {"async", "field_5"} <= found["tool_fields"]
    assert "stream" in found["parameters"]
    lines = differences(LISTED, version, found)
    assert lines[0] == f"version 9.9.9, listed: {LISTED.version}"
    assert {"events: responsestreamevent.5 is new", "events: response.queued is gone"} <= set(lines)
    assert '"responsestreamevent.5" = ""' in text_of(LISTED, version, found)


def test_a_package_that_is_missing_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="openai is not installed in"):
        installed(tmp_path)


def test_types_of_openai_are_known_by_name() -> None:
    assert is_openai("events", "response.queued")
    assert is_openai("output_items", "web_search_call")
    assert not is_openai("events", "response.heartbeat")
    assert undocumented_event("response.queued") == (
        "response.queued is an OpenAI event type that MiMo does not document"
    )
    assert undocumented_event("response.heartbeat") == "undocumented event type response.heartbeat"
    assert undocumented_item("mcp_call") == (
        "an output item has the type 'mcp_call', an OpenAI item type that MiMo does not document"
    )
