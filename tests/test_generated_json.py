"""The generated JSON documents: one line an entry, written only where they change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.contract import client_evidence, fault_matrix
from tools.json_lines import dumps, write

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=4), st.integers(1, 4))
def test_nothing_is_lost(document: dict[str, Any], depth: int) -> None:
    assert json.loads(dumps(document, depth)) == document
    assert list(json.loads(dumps(document, depth))) == list(document)


def test_an_entry_is_a_line() -> None:
    document = {"a": {"x": 1, "y": [1, 2]}, "b": {}}
    assert dumps(document) == '{\n "a": {"x": 1, "y": [1, 2]},\n "b": {}\n}\n'
    assert dumps(document, 2) == '{\n "a": {\n  "x": 1,\n  "y": [1, 2]\n },\n "b": {}\n}\n'


def test_what_has_not_changed_is_not_written(tmp_path: Path) -> None:
    file = tmp_path / "one.json"
    assert write(file, {"a": 1})
    before = file.stat().st_mtime_ns
    assert not write(file, {"a": 1})
    assert file.stat().st_mtime_ns == before
    assert write(file, {"a": 2})


@pytest.mark.parametrize(("file", "depth"), [(fault_matrix.FILE, 1), (client_evidence.FILE, 3)])
def test_the_kept_documents_are_of_this_form(file: Path, depth: int) -> None:
    text = file.read_text(encoding="utf-8")
    assert dumps(json.loads(text), depth) == text
