"""Plain technical English: no private word where the field has a term of its own.

Checked are docstrings, comments and string literals with a space of the Python packages, the sentences of the rules,
and the pages. Text in backticks (names, commands, code) is not checked. The glossary is in ``PRIVATE``: each expression
with the term to use instead. Legitimate uses are in ``ALLOWED``, each with its reason.
"""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_readme import ROOT

#: Expression -> the term to use instead.
PRIVATE = {
    r"answer(s|ed|ing)?": "response, respond, serve",
    r"asked?( again| for)?|asks": "requested, sent, retried",
    r"came|comes?( back)?|coming": "is received, is returned",
    r"tells?|told|telling": "report, detect",
    r"says?|said|saying": "require, contain, define, the name of the member",
    r"nobody|whoever|somebody|anybody": "the actor: the client, the server, the user",
    r"judg(e|es|ed|ing|ement)": "evaluate, check",
    r"holds?|held(?! by)": "contains, passes, is true",
    r"lacks?|lacking": "does not contain, excluded by the profile",
    r"blank(s|ed)?(?! line)": "space, redacted",
    r"thoughts?|thinks|thinking": "reasoning",
    r"strangers?|strange(ly)?|strays?": "undocumented, unexpected",
    r"whole": "complete, all",
    r"alike|apart|anew": "equal, separately, again",
    r"stands?|stood": "is at, is in",
    r"twins?": "counterpart",
    r"variet(y|ies)|twists?": "variant, fault",
    r"folded|folds?": "grouped",
    r"nights?": "nightly run",
    r"but for": "except",
    r"broke off|breaks off": "interrupted",
    r"parted by": "separated by",
    r"(shy|chatty) model": "a model that calls no tool",
    r"broken rules?|breaks a rule": "violated rule, violates a rule",
    r"spoken for|settle[sd]?": "the state, in a technical term",
    r"stations?": "stage",
}

#: Words that nothing in the code is named by: no function, class, constant, parameter or variable.
PRIVATE_NAMES = re.compile(
    r"(?:^|_)(?:answers?|answered|asks?|asked|tells?|told|came|comes?|holds|judged|strange|strays?|settled?|shy|twists?"
    r"|fed|said|whole|alike|apart|anew|stands?|twins?|nobody|blanked|thoughts?|variety|folded)(?:_|$)"
)

#: (file or folder, expression, why it is legitimate).
ALLOWED = (
    ("conformance/results/history.py", r"\bnight\b", "the name of a table and column in history.sqlite"),
    ("conformance/results/proposals.py", "lacks = ", "the key of a profile"),
    ("conformance/results/records.py", "profile lacks|responses hold nothing", "in results of earlier versions"),
    ("conformance/scenarios/combinations.py", r"\bthinking\b", "a level of a factor"),
    ("conformance/scenarios", r"\b[Ss]ay\b", "a prompt: changing it changes the request and its digest"),
    ("conformance/scenarios", r"[Aa]nswer (in|with) one", "a prompt"),
    ("conformance/scenarios", r"Tell me more|old mill stands|whole village", "a prompt"),
    ("conformance/emulator/model.py", r"nobody else|slowly comes|tool answered", "output of the built-in model"),
    ("conformance/emulator/faults", r"wants an answer|what was asked|answer was cut", "output of the built-in model"),
    ("conformance/emulator/variants", r"all I have to say", "output of the built-in model"),
    ("conformance/emulator/faults/rare.py", "holds an escape", "an error message of a fault"),
    ("conformance/exchange", "lock", "locks are held, the term of POSIX"),
    ("conformance/wire", r"lock", "locks are held, the term of POSIX"),
    ("conformance/exchange/exchange.py", "not asked: ", "in recordings of earlier versions"),
    ("conformance/traffic/captured.py", "the answer", "in recordings of earlier versions"),
    ("conformance/commands", "conformance judge", "the name of the command"),
    ("conformance/commands/new_rule.py", "says =", "the key of a row"),
    ("conformance/clients/drivers/codex.py", "Say hello", "a prompt"),
    ("conformance/report/bug.py", "conformance judge", "the name of the command"),
    ("docs/guides.md", "conformance judge|every night", "the name of the command; when the run starts"),
    ("docs/faults.md", "Thinks at effort none", "the sentence of a fault"),
    ("tools/capture", "say hello", "a prompt: changing it changes the captured requests"),
)

#: (module, name, why it is legitimate).
ALLOWED_NAMES = (
    ("client_outcomes", "asked", "a member of clients.jsonl"),
    ("consequences", "alike", "a key of consequences.toml"),
)

_PRIVATE = re.compile(rf"(?<![\w.{{-])(?:{'|'.join(PRIVATE)})(?![\w-])", re.IGNORECASE)
_CODE = re.compile(r"``.*?``|`[^`\n]*`|\{[^{}]*\}", re.DOTALL)


def _python(path: Path) -> Iterator[tuple[int, str]]:
    """The comments, and the string literals with a space, of a module, each with its line."""
    for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
        if token.type == tokenize.COMMENT or (token.type == tokenize.STRING and " " in token.string):
            yield token.start[0], token.string


def _sentences(value: object) -> Iterator[tuple[int, str]]:
    """The sentences in a document: of rules, clauses, consequences and schemas."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("says", "why", "description", "title") and isinstance(inner, str):
                yield 0, inner
            else:
                yield from _sentences(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _sentences(inner)


def _texts(path: Path) -> Iterator[tuple[int, str]]:
    if path.suffix == ".py":
        return _python(path)
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return iter([(1, text)])
    return _sentences(tomllib.loads(text) if path.suffix == ".toml" else json.loads(text))


def _files() -> list[Path]:
    found = [*ROOT.glob("conformance/**/*.py"), *ROOT.glob("conformance/contract/**/*.toml")]
    found += [*ROOT.glob("tools/**/*.py"), *ROOT.glob("docs/*.md"), *ROOT.glob("schemas/**/*.json")]
    found += [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    return sorted(found)


def _is_below(name: str, folders: tuple[str, ...]) -> bool:
    return any(name == folder or name.startswith(folder + "/") for folder in folders)


def private_words(path: Path) -> list[str]:
    """Each private word of a file, with its line and the term to use instead."""
    name = path.relative_to(ROOT).as_posix()
    allowed = [pattern for where, pattern, _ in ALLOWED if _is_below(name, (where,))]
    found = []
    for line, text in _texts(path):
        for match in _PRIVATE.finditer(_CODE.sub(lambda code: re.sub(r"[^\n]", "_", code[0]), text)):
            around = text[max(0, match.start() - 60) : match.end() + 60]
            if not any(re.search(pattern, around) for pattern in allowed):
                place = line + text.count("\n", 0, match.start())
                found.append(f"{name}:{place}: {match[0]!r} in {' '.join(around.split())!r}: {_instead(match[0])}")
    return found


def _instead(word: str) -> str:
    return next(use for pattern, use in PRIVATE.items() if re.fullmatch(pattern, word, re.IGNORECASE))


@pytest.mark.parametrize("path", _files(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_private_words(path: Path) -> None:
    assert private_words(path) == []


def _named(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """What a module names, each with its line: functions, classes, parameters, variables and fields."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id


def test_no_private_names() -> None:
    found, allowed = [], {(module, name) for module, name, _ in ALLOWED_NAMES}
    for folder in ("conformance", "tools", "targets", "benchmarks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for line, name in _named(ast.parse(path.read_text(encoding="utf-8"))):
                word = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
                if PRIVATE_NAMES.search(word) and (path.stem, name) not in allowed:
                    found.append(f"{path.relative_to(ROOT).as_posix()}:{line}: {name}")
    assert found == []


def test_references_exist() -> None:
    """A name that a docstring or a comment refers to occurs in the code of its module, or of the one it names."""
    missing = []
    for path in sorted((ROOT / "conformance").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        for name in set(re.findall(r":(?:func|class|data):`(\w+(?:\.\w+)*)`", text)):
            *parts, last = name.split(".")
            if parts and parts[0] != "conformance":
                continue  # A member, or a name of another package.
            where = ROOT.joinpath(*parts).with_suffix(".py") if parts else path
            where = where if where.is_file() else ROOT.joinpath(*parts) / "__init__.py"
            known = where.read_text(encoding="utf-8") if where.is_file() else ""
            if not re.search(rf"(?<![`.]){last}\b(?!`)", known):
                missing.append(f"{path.relative_to(ROOT).as_posix()}: {name}")
    assert missing == []
