"""The contract as data: what a child inherits, what is refused, and how placeholders are filled in."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.contract.revisions import CONTRACTS, DEFAULT, REVISIONS, Contract, contracts, schema_dir
from conformance.scenarios.templates import BASE, Cap, Effort, fill
from tests.support import lumen

JUNE, OCTOBER = (CONTRACTS[revision] for revision in REVISIONS)


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Path]:
    """A copy of the revisions without their schemas."""
    for revision in REVISIONS:
        (tmp_path / revision).mkdir()
        shutil.copy(schema_dir() / revision / "contract.toml", tmp_path / revision)
    yield tmp_path
    contracts.cache_clear()


def changed(family: Path, revision: str, old: str, new: str) -> Path:
    file = family / revision / "contract.toml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    return family


def test_a_child_inherits_what_it_does_not_change() -> None:
    assert (OCTOBER.parent, OCTOBER.root, JUNE.parent) == (JUNE, JUNE, None)
    assert OCTOBER.lineage == (JUNE, OCTOBER)
    same = (
        "name",
        "base_path",
        "path",
        "api_key_env",
        "near_miss",
        "base_body",
        "effort",
        "caps",
        "authentication",
        "error",
    )
    assert [name for name in same if getattr(JUNE, name) != getattr(OCTOBER, name)] == []
    assert (JUNE.default_model, OCTOBER.default_model) == ("mimo-v2.5-pro", "mimo-v2.6-pro")
    assert OCTOBER.table.events[: len(JUNE.table.events)] == JUNE.table.events
    assert len(OCTOBER.table.events) == len(JUNE.table.events) + 2


def test_streams_are_decoded_by_the_newest_revision() -> None:
    """A server is ahead of the page that a run is about."""
    assert JUNE.decoding is OCTOBER.decoding is OCTOBER.table


def test_tables_of_a_child_are_laid_over(family: Path) -> None:
    changed(family, REVISIONS[1], 'parent = "2026-06-24"', 'parent = "2026-06-24"\ncaps = { word = 33 }')
    caps = contracts(family)[REVISIONS[1]].caps
    assert (caps.word, caps.line) == (33, 64)


@pytest.mark.parametrize(
    ("revision", "old", "new", "said"),
    [
        (0, 'path = "/responses"', "", "missing 1 required positional argument: 'path'"),
        (0, "[caps]", "[other]", "'caps'"),
        (0, "word = 32", "words = 32", "unexpected keyword argument 'words'"),
        (0, 'scheme = "Bearer"', "", "authentication has no way, or two of one kind"),
        (1, 'parent = "2026-06-24"', 'parent = "2025"', "no such parent, or revisions that inherit from each other"),
        (1, 'step = "delta"', 'step = "deltas"', "step is 'deltas', expected one of begin, "),
    ],
)
def test_what_is_not_well_formed_is_one_line(family: Path, revision: int, old: str, new: str, said: str) -> None:
    changed(family, REVISIONS[revision], old, new)
    with pytest.raises(ValueError, match=r"\A.+\Z") as caught:
        contracts(family)
    assert said in str(caught.value)


def test_a_folder_without_a_revision_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="contains no revision"):
        contracts(tmp_path)


# -- placeholders ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("contract", "body", "filled"),
    [
        (JUNE, {BASE: True, "max_output_tokens": Cap.CUT, "input": "Hi"},
         {"reasoning": {"effort": "none"}, "max_output_tokens": 16, "input": "Hi"}),
        (JUNE, {BASE: True, "input": "Hi", "reasoning": {"effort": Effort.USUAL}},
         {"reasoning": {"effort": "high"}, "input": "Hi"}),
        (JUNE, {"reasoning": {"effort": Effort.OFF}}, {"reasoning": {"effort": "none"}}),
        (JUNE, {"tools": [{"name": Cap.WORD}], "input": None}, {"tools": [{"name": 32}], "input": None}),
        (lumen.contract(), {BASE: True, "max_output_tokens": Cap.CUT_CALL}, {"max_output_tokens": 9}),
        (lumen.contract(), {"reasoning": {"effort": Effort.OFF}}, {"reasoning": {"effort": "brief"}}),
    ],
)  # fmt: skip
def test_a_body_is_filled_in_place(contract: Contract, body: dict[str, object], filled: dict[str, object]) -> None:
    """The order of the members decides the bytes that are sent."""
    made = fill(body, contract)
    assert (made, list(made)) == (filled, list(filled))


def test_raw_bytes_are_filled_too() -> None:
    assert fill(b'{"max_output_tokens": ${cap.cut}} and more', DEFAULT) == b'{"max_output_tokens": 16} and more'


def test_only_the_effort_that_is_off_turns_thinking_off() -> None:
    sent = [{"reasoning": {"effort": value}} for value in ("none", "high", None, 5)]
    assert [JUNE.turns_thinking_off(one) for one in sent] == [True, False, False, False]
    assert not JUNE.turns_thinking_off({"reasoning": "none"})
    assert not any(lumen.contract().turns_thinking_off(one) for one in (*sent, {"reasoning": {"effort": ""}}, {}))
