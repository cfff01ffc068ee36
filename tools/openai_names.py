"""The names of OpenAI's API in the openai package, and how the suite treats each.

``python -m tools.openai_names --install DIR`` compares the package that is installed with the clients in DIR with
``conformance/contract/openai_names.toml`` and exits with 1 if they differ. ``--write`` writes the version, adds new
names with an empty treatment, and removes those that are gone. A test fails on an empty treatment, and if the version
is not the pinned one. The package's source is read and not imported.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from conformance.contract.openai_names import FILE, GROUPS, Names, read

#: The type of each group in ``openai/types/responses``: a union (its members' ``type``), or a class (its fields).
_UNIONS = {
    "tool_types": ("tool", "Tool"),
    "input_items": ("response_input_item", "ResponseInputItem"),
    "output_items": ("response_output_item", "ResponseOutputItem"),
    "events": ("response_stream_event", "ResponseStreamEvent"),
}
_CLASSES = {
    "parameters": ("response_create_params", ("ResponseCreateParamsBase", "ResponseCreateParamsStreaming")),
    "tool_fields": ("function_tool", ("FunctionTool",)),
}

_HEAD = """\
# Names of OpenAI's Responses API, and how the suite treats each. `documented`: the schemas of the newest revision have
# it. `sent`: a request that may be served or refused has it. `reported`: in a response, rules about undocumented types
# report it as a type of OpenAI. Anything else is the reason why it is in no request.
# `python -m tools.openai_names --install DIR --write` adds the names of a newer package with an empty treatment.

"""


def installed(install: Path) -> tuple[str, dict[str, set[str]]]:
    """The version of the openai package in a directory of clients, and its names by group. Raises RuntimeError if it is
    not installed, or has another form."""
    packages = next(iter(sorted(install.glob("venv/lib/python*/site-packages"))), None)
    info = next(iter(packages.glob("openai-*.dist-info")), None) if packages else None
    if packages is None or info is None:
        raise RuntimeError(f"openai is not installed in {install}")
    version = info.name.removeprefix("openai-").removesuffix(".dist-info")
    folder = packages / "openai" / "types" / "responses"
    found = {group: set(_union(folder / f"{module}.py", name)) for group, (module, name) in _UNIONS.items()}
    for group, (module, names) in _CLASSES.items():
        classes = _parsed(folder / f"{module}.py")[1]
        found[group] = {field for name in names for field in _fields(classes[name])}
    if empty := sorted(group for group, names in found.items() if len(names) < 5):
        raise RuntimeError(f"openai {version}: few names in {', '.join(empty)}; is its source laid out otherwise?")
    return version, found


@cache
def _parsed(path: Path) -> tuple[ast.Module, dict[str, ast.ClassDef], dict[str, tuple[Path, str]]]:
    """The tree of a module, its classes, and the file and name of each imported name."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    imported: dict[str, tuple[Path, str]] = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module and node.level:
            base = path.parents[node.level - 1].joinpath(*node.module.split("."))
            imported |= {one.asname or one.name: (base.with_suffix(".py"), one.name) for one in node.names}
    return tree, classes, imported


def _union(path: Path, name: str) -> Iterator[str]:
    """The values of ``type`` of each member of a union, or of a class."""
    tree, classes, imported = _parsed(path)
    if name in classes:
        yield from _types(path, classes[name])
    elif name in imported:
        yield from _union(*imported[name])
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == name and node.value is not None:
            for inner in ast.walk(node.value):
                if isinstance(inner, ast.Name) and inner.id not in (name, "Annotated", "PropertyInfo"):
                    yield from _union(path, inner.id)


def _types(path: Path, node: ast.ClassDef) -> Iterator[str]:
    """The values of the field ``type`` of a class, or of its base classes if it has none of its own."""
    own = [one for one in node.body if isinstance(one, ast.AnnAssign) and getattr(one.target, "id", "") == "type"]
    for field in own:
        values = (one.value for one in ast.walk(field.annotation) if isinstance(one, ast.Constant))
        yield from (value for value in values if isinstance(value, str))
    for base in [] if own else node.bases:
        if isinstance(base, ast.Name):
            yield from _union(path, base.id)


def _fields(node: ast.ClassDef) -> Iterator[str]:
    for field in node.body:
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            yield field.target.id.rstrip("_")


def differences(listed: Names, version: str, found: dict[str, set[str]]) -> list[str]:
    """One line for each difference between the file and a package; empty if there is none."""
    lines = [] if listed.version == version else [f"version {version}, listed: {listed.version}"]
    for group in GROUPS:
        known = listed.groups[group].keys()
        lines += [f"{group}: {name} is new" for name in sorted(found[group] - known)]
        lines += [f"{group}: {name} is gone" for name in sorted(known - found[group])]
    return lines


def text_of(listed: Names, version: str, found: dict[str, set[str]]) -> str:
    """The file for a package, with the listed treatments."""
    lines = [f'version = "{version}"']
    for group in GROUPS:
        lines += ["", f"[{group}]"]
        lines += [f'"{name}" = "{listed.groups[group].get(name, "")}"' for name in sorted(found[group])]
    return _HEAD + "\n".join(lines) + "\n"


def main() -> int:
    """Compare, and write if requested; 1 if the file differs from the package."""
    parser = argparse.ArgumentParser(prog="python -m tools.openai_names", description=__doc__)
    parser.add_argument("--install", type=Path, required=True, metavar="DIR", help="the directory with the clients")
    parser.add_argument("--write", action="store_true", help="write the version and the names")
    options = parser.parse_args()
    try:
        version, found = installed(options.install)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 2
    listed = read()
    lines = differences(listed, version, found)
    print("\n".join(lines) or f"openai {version}: every name is listed")
    if options.write:
        FILE.write_text(text_of(listed, version, found), encoding="utf-8")
    return int(bool(lines) and not options.write)


if __name__ == "__main__":
    sys.exit(main())
