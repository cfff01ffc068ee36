"""The house: imports go one way, modules and checks stay small, the judged shares nothing with the judge."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "conformance"
CONTRIBUTING = (PACKAGE.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")

#: The packages in the order of the data's flow, as CONTRIBUTING.md lists them: each imports only from those before it.
PACKAGES = re.findall(r"^\| `(\w+)/` \|", CONTRIBUTING, re.MULTILINE)

#: Modules beside the packages: the version, the command, the plugin by the name that users give, and the Python API.
LOOSE = {"", "__main__", "api", "cli", "plugin", "version"}

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


def _package(name: str) -> str:
    return name.partition(".")[0]


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_imports_go_one_way(path: Path) -> None:
    package = _package(_name(path))
    for name in _imports(path):
        imported = _package(name.removeprefix("conformance.")) if name.startswith("conformance.") else ""
        if package in PACKAGES and imported in PACKAGES:
            assert PACKAGES.index(imported) <= PACKAGES.index(package), f"{_name(path)} imports {name}, a later package"


def test_no_modules_import_each_other_in_a_circle() -> None:
    names = {f"conformance.{_name(path)}".rstrip("."): path for path in MODULES}
    faces = {name for name, path in names.items() if path.name == "__init__.py"}
    imports = {
        name: {one if one in names else one.rpartition(".")[0] for one in _imports(path)} & names.keys() - {name}
        for name, path in names.items()
        if name not in faces
    }
    TopologicalSorter(imports).prepare()  # Raises CycleError with the modules of a circle.


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_every_module_is_in_a_package(path: Path) -> None:
    assert _package(_name(path)) in PACKAGES or _name(path) in LOOSE


def test_the_list_of_packages_is_whole() -> None:
    assert sorted(PACKAGES) == sorted(path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file())


@pytest.mark.parametrize("path", [one for one in MODULES if "emulator" in one.parts], ids=_name)
def test_the_emulator_imports_nothing_of_the_judge(path: Path) -> None:
    ours = [name for name in _imports(path) if name.startswith("conformance.") and ".emulator" not in name]
    assert ours == []


def test_only_what_sends_imports_httpx() -> None:
    users = [_name(path) for path in MODULES if any(name.split(".")[0] == "httpx" for name in _imports(path))]
    assert users == ["traffic.upstream", "wire.client", "wire.receive", "wire.transport"]


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
