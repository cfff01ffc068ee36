"""Facts about what the contract leaves open, the bundle of a run, and the drift between two runs."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.cli import main
from conformance.emulator.variants import VARIANTS
from conformance.exchange.bundle import MOST, read_bundle
from conformance.exchange.exchange import Exchange
from conformance.exchange.run_directory import RunDirectory
from conformance.results.fact_readings import QUESTIONS, id_form
from conformance.results.facts import Fact, differences, facts, facts_of
from conformance.results.sharing import bundle
from tests.support.runs import HEAD, folder_at
from tests.support.traffic import FEW, traffic

ROOT = Path(__file__).parent.parent
NAMES = FEW | {
    "undocumented.unsupported-together", "undocumented.tools.custom", "optional=null", "bad.unknown-model.stream"
}  # fmt: skip


def exchanges(variant: str = "") -> list[Exchange]:
    return [one.exchange for one in traffic(VARIANTS[variant] if variant else None, NAMES)]


def by_name(found: list[Fact]) -> dict[str, set[str]]:
    return {one.name: set(one.values) for one in found}


CLEAN = by_name(facts(exchanges()))


def run_folder(path: Path, found: list[Exchange]) -> RunDirectory:
    folder = folder_at(path)
    (path / "run.json").write_text(json.dumps({"format": 2, "head": HEAD.to_json()}))
    for one in found:
        folder.write(one)
    return folder


def test_the_facts_of_the_built_in_endpoint() -> None:
    assert CLEAN["stream.event-lines"] == {"for every event"}
    assert CLEAN["stream.data-lines"] == {"data: with a space"}
    assert CLEAN["stream.done-marker"] == {"none"}
    assert CLEAN["stream.first-sequence-number"] == {"0"}
    assert CLEAN["created.usage"] == {"null"}
    assert CLEAN["created.output"] == {"[]"}
    assert CLEAN["id.response"] == {"resp_ + 32 hex digits"}
    assert CLEAN["error.prefix"] == {"data: before the JSON"}
    assert CLEAN["outcome undocumented.unsupported-together"] == {"served"}
    (custom,) = CLEAN["outcome undocumented.tools.custom"]
    assert custom.startswith('HTTP 400, code "responses_feature_not_supported", type "unsupported_feature"')
    assert CLEAN.keys() >= QUESTIONS.keys() - {"http.trace-headers"}


@pytest.mark.parametrize(
    ("variant", "fact", "value"),
    [
        ("framing.no-event-lines", "stream.event-lines", "none"),
        ("framing.done-marker", "stream.done-marker", "[DONE]"),
        ("framing.crlf", "stream.line-ends", "CRLF"),
        ("framing.no-space-after-colon", "stream.data-lines", "data: without a space"),
        ("framing.comments", "stream.keep-alive", "comments"),
        ("members.summary-and-encrypted-content", "reasoning.summary", "[]"),
    ],
)
def test_a_variant_changes_its_fact(variant: str, fact: str, value: str) -> None:
    found = by_name(facts(exchanges(variant)))
    assert value in found[fact]
    assert found[fact] != CLEAN[fact]


def test_the_number_of_exchanges_is_no_difference() -> None:
    once, more = Fact("a", {"x": 1}, "k"), Fact("a", {"x": 9}, "k")
    assert differences([once], [more]) == []
    assert differences([once, Fact("b", {}, "")], [Fact("a", {"y": 1}, "k")]) == [("a", "x", "y")]


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("resp_" + "0f" * 16, "resp_ + 32 hex digits"),
        ("call_2025306790300011", "call_ + 16 digits"),
        ("fc-AbZ", "fc- + 3 characters"),
        ("875980d5837b130c", "16 hex digits"),
        ("", "0 characters"),
        (None, "null"),
        (5, "5"),
        ([], "[]"),
    ],
)
def test_the_form_of_an_id(value: object, form: str) -> None:
    assert id_form(value) == form


def test_a_bundle_is_small_redacted_and_shows_the_same_facts(tmp_path: Path) -> None:
    found = exchanges()
    private = [("x-request-id", "req_private"), ("set-cookie", "sid=private"), ("openai-organization", "private")]
    found = [replace(one, headers=(*one.headers, *private)) for one in found]
    folder = run_folder(tmp_path / "run", found)
    text = bundle(folder)
    assert "private" not in text
    file = tmp_path / "bundle.json"
    file.write_text(text)
    document = json.loads(text)
    assert document["run"] == HEAD.to_json()
    assert 0 < len(document["exchanges"]) <= MOST
    whole, shared = by_name(facts_of(folder.path)), by_name(facts_of(file))
    general = QUESTIONS.keys() & whole.keys()
    assert {name: shared[name] for name in general} == {name: whole[name] for name in general}
    assert [one["name"] for one in document["facts"]] == [one.name for one in facts(read_bundle(file))]


def test_a_changed_bundle_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, file = run_folder(tmp_path / "run", exchanges()), tmp_path / "bundle.json"
    assert main(["share", str(folder.path), "--output", str(file)]) == 0
    assert main(["facts", str(file), "--json"]) == 0
    capsys.readouterr()
    file.write_text(file.read_text().replace("resp_", "resp-"))
    assert main(["facts", str(file)]) == 2
    assert "was changed: the digest of exchange 0 differs" in capsys.readouterr().err
    for text in ("{}", "[]", "x", '{"kind": "mimo-responses-bundle", "format": 9}'):
        file.write_text(text)
        assert main(["facts", str(file)]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"conformance: {file} ")
    assert main(["share", str(tmp_path / "none")]) == 2
    assert "contains no response to share" in capsys.readouterr().err


def test_the_facts_are_printed_with_their_questions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = run_folder(tmp_path / "run", exchanges())
    assert main(["facts", str(folder.path)]) == 0
    said = capsys.readouterr().out
    assert "stream.done-marker  Is data: [DONE] sent at the end?\n    none\n" in said
    assert re.search(r"^not recorded: ", said, re.MULTILINE)


def test_the_page_of_unknowns_lists_every_fact() -> None:
    page = (ROOT / "docs" / "unknowns.md").read_text(encoding="utf-8")
    assert [name for name in QUESTIONS if f"`{name}`" not in page] == []
    named = set(
        re.findall(r"`((?:stream|created|in-progress|response|terminal|item|part|id|usage|error|http)\.[a-z-]+)`", page)
    )
    assert named - {"response.created", "response.failed", "http.get"} <= QUESTIONS.keys()
