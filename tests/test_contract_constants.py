"""What the contract decides stands in its data: no module holds a model, path, variable, revision or limit of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.contract.revisions import CONTRACTS, DEFAULT
from conformance.contract.schemas import Schemas

PACKAGE = Path(__file__).parent.parent / "conformance"

#: The emulator keeps tables of its own, and real clients are set up for MiMo, as its page says.
APART = ("emulator", "clients")

#: Values that the contract decides, and where one of them stands all the same, with the reason.
VALUES = {
    *(model for one in CONTRACTS.values() for model in (*one.models, one.near_miss)),
    *(one.api_key_env for one in CONTRACTS.values()),
    *CONTRACTS,
    *(one.base_path for one in CONTRACTS.values()),
    *(one.path for one in CONTRACTS.values()),
    *(way.name for one in CONTRACTS.values() for way in one.authentication),
    *(way.scheme for one in CONTRACTS.values() for way in one.authentication if way.scheme),
}
LIMITS = {Schemas(one).most_output_tokens for one in CONTRACTS.values()}
ALLOWED = {
    # Headers that hold a credential in whatever traffic, and what the files of recorded runs call the key.
    ("exchange/scrubbing.py", "api-key"), ("exchange/scrubbing.py", "MIMO_API_KEY"),
    ("exchange/credential_forms.py", "api-key"), ("report/failure.py", "api-key"),
    ("wire/playback.py", "api-key"), ("wire/playback.py", "bearer"),
    # What a profile calls the two headers, in a hint; the address of OpenAI's page.
    ("report/terminal.py", "api-key"), ("report/terminal.py", "bearer"), ("report/sources.py", "/responses"),
    # Documentation, hints about the address, and lines of a profile.
    ("api.py", "/responses"), ("api.py", "/v1"), ("commands/profile.py", "/v1"), ("commands/run.py", "/v1"),
    ("commands/watch.py", "/v1"), ("results/plain_words.py", "api-key"), ("results/plain_words.py", "bearer"),
    ("results/plain_words.py", "Bearer"),
    ("results/proposals.py", "api-key"), ("results/proposals.py", "bearer"),
    # The name of a fingerprint in SARIF; the credentials of the built-in endpoint and of a proxy's client.
    ("report/sarif.py", "/v1"), ("wire/alike.py", "api-key"), ("proxy/kit.py", "Bearer"),
    # Headers by which any proxy may authenticate to its upstream, and help texts.
    ("proxy/upstream.py", "api-key"), ("proxy/upstream.py", "bearer"), ("commands/proxy.py", "/v1"),
}  # fmt: skip


def constants(path: Path) -> Iterator[ast.Constant]:
    """The strings and numbers of a module that are no docstring."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    described = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and node.body
        if isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in described:
            yield node


@pytest.mark.parametrize(
    "path",
    [one for one in sorted(PACKAGE.rglob("*.py")) if one.relative_to(PACKAGE).parts[0] not in APART],
    ids=lambda one: one.relative_to(PACKAGE).as_posix(),
)
def test_no_module_holds_what_the_contract_decides(path: Path) -> None:
    name = path.relative_to(PACKAGE).as_posix()
    for one in constants(path):
        if isinstance(one.value, str):
            held = [value for value in sorted(VALUES) if _holds(one.value, value) and (name, value) not in ALLOWED]
        else:
            held = [value for value in LIMITS if one.value == value and one.value is not True]
        assert not held, f"line {one.lineno} holds {held[0]!r}, which schemas/*/contract.toml decides"


def _holds(text: str, value: str) -> bool:
    return value in text.split() or text == value or (value.startswith("/") and text.endswith(value))


def test_what_is_looked_for_is_there() -> None:
    assert {"mimo-v2.5-pro", "mimo-v2.6-pro", "MIMO_API_KEY", "/v1", "/responses", "api-key", "Bearer"} <= VALUES
    assert {131_072} == LIMITS
    assert DEFAULT.revision in VALUES
