"""How the capture replaces a client's prose: what is replaced, what stays, and that what is left is found."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.capture import shingles
from tools.capture.__main__ import PROGRAMS, QUESTION, Recorder
from tools.capture.prose import Ours, client_texts, reworded

_PROMPT = "Work through the list, and don't stop before every box has its mark."


def _said(text: str, ours: Ours | None = None, **body: Any) -> str:
    """A text of a request's only message, after the replacement."""
    [new] = reworded([{**body, "input": [{"role": "developer", "content": text}]}], ours or Ours())
    said = new["input"][0]["content"]
    assert isinstance(said, str)
    return said


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


@given(st.text(alphabet=st.characters(codec="utf-8")).map(lambda text: f"one two three four {text}"))
def test_lengths_and_kinds_of_characters_stay(text: str) -> None:
    said = _said(text)
    assert (len(said), len(said.encode()), len(json.dumps(said))) == (
        len(text),
        len(text.encode()),
        len(json.dumps(text)),
    )
    for old, new in zip(text, said, strict=True):
        assert unicodedata.category(old) == unicodedata.category(new)
        assert old == new or old.isalnum()


@pytest.mark.parametrize(
    "text",
    [
        _PROMPT,
        "# Title of All\n\n- **Every** line\tcounts: `cat file.txt` (e.g. 12, 0.50)…\n  - NEVER “quote” it 🎉",
        "Antidisestablishmentarianism-and-its-supercalifragilisticexpialidocious friends visit often",
        "Пиши коротко и по делу, без лишних слов",
        "请使用简体中文回答所有问题并且保持简短不要解释",
    ],
)
def test_no_word_of_more_than_one_letter_stays(text: str) -> None:
    assert len(_words(_said(text))) == len(_words(text))
    assert not [old for old, new in zip(_words(text), _words(_said(text)), strict=True) if old == new and len(old) > 1]


def test_a_replacement_depends_on_nothing_but_its_line() -> None:
    first = _said(_PROMPT)
    assert first == _said(_PROMPT) != _PROMPT
    assert _said(f"# Another heading over it\n{_PROMPT}").splitlines()[1] == first


@pytest.mark.parametrize("text", ["", "Be brief.", "Only three words", "https://example.com/a/b/c/d?e=f", "12 + 30"])
def test_a_few_words_are_no_text(text: str) -> None:
    assert _said(text) == text
    assert client_texts([{"instructions": text}], Ours()) == []


def test_what_is_ours_stays() -> None:
    said = Ours([QUESTION, "say hello"], ["Our endpoint says: so and so."])
    assert _said(QUESTION, said) == QUESTION
    assert _said("Our endpoint says: so and so.", said) == "Our endpoint says: so and so."
    assert _said("The output is as follows\nhello\n", said).endswith("\nhello\n")
    wrapped = f"<user_query>Mind what the user says now: {QUESTION}</user_query>"
    assert QUESTION in _said(wrapped, said)
    assert _said("The output is so and so.", said) != "The output is so and so."  # What the endpoint says is quoted.
    assert client_texts([{"a": wrapped, "b": QUESTION}], said) == [
        "<user_query>Mind what the user says now: ",
        "</user_query>",
    ]


def test_the_endpoint_notes_what_it_generates() -> None:
    recorder = Recorder()
    body = json.dumps({"model": "any", "input": "Say hello."}).encode()
    reply = recorder.respond("POST", "/v1/responses", [("Authorization", "Bearer built-in-key")], body)
    assert recorder.generated
    assert recorder.generated[-1] in json.dumps(json.loads(reply.body), ensure_ascii=False)


def test_names_markup_and_ids_stay() -> None:
    tools = [{"type": "function", "name": "apply_patch", "parameters": {"properties": {"cmd": {"type": "string"}}}}]
    text = (
        "<environment_context>\n  <cwd>/some/folder of it</cwd>\n  <roots><root kind='x'>/folder</root></roots>\n"
        "Use apply_patch with `cmd`, not cmd nor other_tool, on 00000000-0000-4000-8000-000000000001.\n"
        "</environment_context>"
    )
    said = _said(text, tools=tools)
    assert said.startswith("<environment_context>\n  <cwd>/")
    assert said.endswith("\n</environment_context>")
    assert "</cwd>\n  <roots><" in said
    start, end = re.findall(r"<roots><(\w+) [^>]*>[^<]*</(\w+)></roots>", said)[0]
    assert start == end != "root"
    kept = (" apply_patch ", "`cmd`", "00000000-0000-4000-8000-000000000001")
    assert [one for one in (*kept, " cmd ", "other_tool") if one in said] == list(kept)


def test_structure_is_no_text() -> None:
    choices = ["as soon as it is possible", "never"]
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "What to call it from now on", "pattern": "^a b c d e$"},
            "when": {"enum": choices, "const": choices[0]},
        },
        "required": ["the name of this thing"],
    }
    [new] = reworded([{"tools": [{"name": "f", "parameters": schema}]}], Ours())
    kept = new["tools"][0]["parameters"]
    assert kept["properties"]["name"].pop("description") != schema["properties"]["name"].pop("description")  # type: ignore[index]
    assert kept == schema


def test_a_document_in_a_string_stays_one() -> None:
    document = '{"a key of many words": "Say \\"this\\" and that\\u2014slowly", "n": 12, "few": ["Be brief."]}'
    said = _said(document)
    new = json.loads(said)
    text = new.pop("a key of many words")
    assert (len(said), new) == (len(document), {"n": 12, "few": ["Be brief."]})
    assert re.fullmatch(r'\w{3} "\w{4}" \w{3} \w{4}—\w{6}', text)
    assert "\\u2014" in said
    assert "Say" not in said


@pytest.mark.parametrize("size", [0, 1, 3, 5, 6, 40, 900])
def test_a_grammar_becomes_one_of_the_same_length(size: int) -> None:
    theirs = ('start: begin hunk+ end\nbegin: "*** Begin" LF\n' * 20)[: 16 + size]
    format_ = {"type": "grammar", "syntax": "lark", "definition": theirs}
    [new] = reworded([{"tools": [{"type": "custom", "format": format_}]}], Ours())
    ours = new["tools"][0]["format"]["definition"]
    assert len(ours) == len(theirs)
    assert re.fullmatch(r"start: /\(\.\|\\n\)\+/(?:\n// ?[a-z ]*|\n*)", ours)
    kept = {"type": "grammar", "syntax": "regex", "definition": "a b c d e"}
    assert reworded([{"format": kept}], Ours()) == [{"format": kept}]


def test_what_is_left_is_found_however_it_is_written() -> None:
    text = "Work through the list,\nand don\N{RIGHT SINGLE QUOTATION MARK}t stop before “every” box has its mark."
    digests = {shingles.digest(one) for one in shingles.shingles([text])}
    assert len(digests) == 14 - 8 + 1
    assert shingles.left(text.upper(), digests)
    for depth in range(1, 4):
        quoted = text
        for _ in range(depth):
            quoted = json.dumps(quoted)
        assert len(shingles.left(f'"body": {quoted}', digests)) == len(digests)
    assert shingles.left(
        'x = (\n    "Work through the list, "\n    "and don\N{RIGHT SINGLE QUOTATION MARK}t stop before every box"\n)',
        digests,
    )
    assert not shingles.left("Work through the list, and then stop before every box has its mark", digests)


def test_digests_are_only_ever_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shingles, "STORED", tmp_path / "shingles.txt")
    assert shingles.stored() == set()
    shingles.store({"b", "a"})
    shingles.store({"c", "a"})
    assert shingles.STORED.read_text(encoding="utf-8") == "a\nb\nc\n"


def test_what_the_programs_say_is_ours() -> None:
    sources = Ours([path.read_text(encoding="utf-8") for path in PROGRAMS.iterdir() if path.is_file()])
    for text in ("Get the current weather of a city.", "12 degrees, light rain", "Name of the city"):
        assert _said(text, sources) == text
