"""The house: imports go one way, modules and checks stay small, the judged shares nothing with the judge."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "conformance"

#: Later may import earlier, never the other way round.
LAYERS = (
    ("contract.events",),
    ("schemas", "wire.codings", "wire.exchange", "emulator", "clients.drivers"),
    ("clients.outcome", "clients.table", "clients.evidence"),
    ("header_names", "loopback", "reasons"),
    ("target", "requirements", "consequences", "contract", "matrix", "needs"),
    ("stream",),
    ("unjudged",),
    ("findings",),
    ("answer",),
    ("tokens", "weight"),
    ("scenarios",),
    ("wire",),
    ("clients",),
    ("wording",),
    ("where",),
    ("evidence", "verdict", "run"),
    ("cases", "results"),
    ("preflight",),
    ("select", "baseline", "baseline_file", "only"),
    ("checks",),
    ("report",),
    ("engine",),
    ("history", "session", "traffic"),
    ("progress", "launch", "report.trend", "held"),
    ("runner",),
    ("reporter",),
    ("plugin", "nightly"),
    ("commands",),
    ("cli",),
)

LONGEST_MODULE = 320
LONGEST_CHECK = 15

MODULES = sorted(PACKAGE.rglob("*.py"))


def _name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = path.parent.relative_to(PACKAGE.parent).parts if node.level else ()
            base = base[: len(base) - node.level + 1] if node.level else base
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def _layer(name: str) -> int | None:
    found = [
        (len(room), index)
        for index, rooms in enumerate(LAYERS)
        for room in rooms
        if name == room or name.startswith(room + ".")
    ]
    return max(found)[1] if found else None


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_imports_go_one_way(path: Path) -> None:
    layer = _layer(_name(path))
    for name in _imports(path):
        imported = _layer(name.removeprefix("conformance.")) if name.startswith("conformance.") else None
        if imported is not None and layer is not None:
            assert imported <= layer, f"{_name(path)} imports {name}, which stands above it"


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_every_module_has_a_place(path: Path) -> None:
    assert _layer(_name(path)) is not None or _name(path) in ("", "__main__")


@pytest.mark.parametrize("path", [one for one in MODULES if "emulator" in one.parts], ids=_name)
def test_the_emulator_imports_nothing_of_the_judge(path: Path) -> None:
    ours = [name for name in _imports(path) if name.startswith("conformance.") and ".emulator" not in name]
    assert ours == []


def test_only_what_sends_imports_httpx() -> None:
    users = [_name(path) for path in MODULES if any(name.split(".")[0] == "httpx" for name in _imports(path))]
    assert users == ["wire.client", "wire.receive", "wire.transport", "wire.upstream"]


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_module_can_be_read_in_one_sitting(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_MODULE


@pytest.mark.parametrize("path", sorted((PACKAGE / "checks").glob("test_*.py")), ids=_name)
def test_checks_are_short(path: Path) -> None:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            assert node.end_lineno is not None
            lines = node.end_lineno - node.lineno + 1
            assert lines <= LONGEST_CHECK, f"{node.name} has {lines} lines"
