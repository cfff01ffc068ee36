"""A project's own rules: rows and scenarios from the TOML files of a folder, and check functions from its modules."""

from __future__ import annotations

import difflib
import importlib
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from conformance.config.target import Misconfigured
from conformance.contract import rules
from conformance.contract.rules import Requirement
from conformance.judge.verdict import CHECKS
from conformance.scenarios import OWN
from conformance.scenarios.scenario import Scenario

_ROW = {"id": str, "level": str, "says": str, "source": str}
_SCENARIO = {"name": str, "description": str, "body": dict, "expect": str, "tags": list, "wrong": bool}
_EXPECT = ("answer", "refusal", "either")

#: The folders that are loaded in this process.
_loaded: set[Path] = set()


def load(folder: Path) -> list[Path]:
    """Add the rules, scenarios and checks of a folder, once in a process. Returns its modules with checks.

    Raises :class:`Misconfigured`, with one line, for a file that cannot be used.
    """
    folder = folder.absolute()
    modules = sorted(folder.glob("test_*.py"))
    if not modules:
        raise Misconfigured(f"--rules {folder}: no module test_*.py with checks in it")
    if folder in _loaded:
        return modules
    for file in sorted(folder.glob("*.toml")):
        _read(file)
    before = len(CHECKS)
    sys.path.insert(0, str(folder))  # pytest imports these modules by the same names, and finds them loaded.
    for module in modules:
        try:
            importlib.import_module(module.stem)
        except Exception as error:
            raise Misconfigured(f"{module} cannot be imported: {type(error).__name__}: {error}") from None
    known = rules.catalogue()
    for check in CHECKS[before:]:
        if check.rule not in known:
            near = difflib.get_close_matches(check.rule, known, n=1)
            offer = f"; did you mean {near[0]!r}?" if near else ""
            raise Misconfigured(f"--rules {folder}: the check of {check.rule!r} has no [[requirement]]{offer}")
    _loaded.add(folder)
    return modules


def _read(file: Path) -> None:
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Misconfigured(f"{file} cannot be read: {error}") from None
    if unknown := sorted(set(document) - {"requirement", "scenario"}):
        raise Misconfigured(f"{file}: {unknown[0]!r} is not known; expected [[requirement]] and [[scenario]]")
    for row in document.get("requirement", []):
        _check(row, _ROW, f"{file}, [[requirement]]", {"id", "level", "says"})
        try:
            rules.add(Requirement(**{"source": file.name, **row}))
        except ValueError as error:
            raise Misconfigured(f"{file}: {error}") from None
    for row in document.get("scenario", []):
        where = f"{file}, [[scenario]]"
        _check(row, _SCENARIO, where, {"name", "body"})
        if row.get("expect", "answer") not in _EXPECT:
            raise Misconfigured(f"{where}: expect is {row['expect']!r}; expected one of {', '.join(_EXPECT)}")
        OWN.append(_scenario(row))


def _scenario(row: Mapping[str, Any]) -> Scenario:
    return Scenario(
        name=row["name"],
        description=row.get("description", f"own scenario {row['name']}"),
        body=row["body"],
        expect=row.get("expect", "answer"),
        tags=frozenset(row.get("tags", [])),
        wrong=row.get("wrong", False),
    )


def _check(row: Any, members: Mapping[str, type], where: str, needed: set[str]) -> None:
    if not isinstance(row, dict):
        raise Misconfigured(f"{where}: {row!r} is no table")
    for name, value in row.items():
        if name not in members:
            raise Misconfigured(f"{where}: {name!r} is not known; expected one of {', '.join(members)}")
        if not isinstance(value, members[name]):
            raise Misconfigured(f"{where}: {name} is {value!r}, which has the wrong type")
    if missing := sorted(needed - set(row)):
        raise Misconfigured(f"{where}: {missing[0]!r} is missing")
