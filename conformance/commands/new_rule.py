"""``conformance new-rule``: write the stubs of a rule in a source checkout: row, check, fault and clause."""

from __future__ import annotations

import argparse
import ast
import difflib
import inspect
import re
from collections.abc import Iterable
from pathlib import Path

import conformance
from conformance.commands import CommandError
from conformance.contract.clauses import clauses
from conformance.contract.revisions import DEFAULT
from conformance.contract.rules import CLIENT, LEVELS, catalogue, requirement
from conformance.emulator.faults import MODULES

HELP = "write the stubs of a new rule (in a source checkout)"

PACKAGE = Path(inspect.getfile(conformance)).parent

#: Areas whose rules mostly read the events of a stream.
_STREAM_AREAS = frozenset({"event", "identity", "lifecycle", "sequence", "sse", "sum"})

_NAME = re.compile(r"[a-z]+(\.[a-z0-9]+([_-][a-z0-9]+)*)+")

_ROW = """[[requirement]]
id = "{rule}"
level = "{level}"
says = "TODO: what must be true, in one sentence."
source = "TODO: doc {revision}, the section"
since = "{since}"
"""

_CHECK = '''

@check("{rule}", over={over}, where={where})
def {function}(received: Received) -> Findings:
    """TODO: yield a Finding for each violation, with what was expected and received and where."""
    yield EXAMINED  # TODO: only for what was evaluated
'''

_STREAM_CHECK = '''

@check("{rule}", over={over}, where={where})
def {function}(received: Received) -> Findings:
    """TODO: yield finding_at(event, ...) for each violation, with what was expected and received and where."""
    for _event in received.events:
        yield EXAMINED  # TODO: only for events that were evaluated
'''

_FAULT = """    fault("{rule}-violated", "TODO: what the server does, in one sentence.",
          "{rule}", {hook}=lambda _, value: value),
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments: the rule's id, level and clause."""
    parser.add_argument("rule", metavar="area.name", help="id of the new rule, such as usage.total-is-positive")
    parser.add_argument("--level", choices=LEVELS, default="MUST", help="level of the rule (default: MUST)")
    parser.add_argument("--clause", help="clause of the contract that the rule checks (default: chosen by area)")


def main(options: argparse.Namespace) -> int:
    """Write the stubs and print the next steps."""
    root = PACKAGE.parent
    if not (root / "tools" / "fault_matrix.py").is_file():
        raise CommandError(f"new-rule needs a source checkout of the suite, but {PACKAGE} is an installed package")
    _check_id(options.rule)
    texts, clause = stubs(options.rule, options.level, options.clause)
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path.relative_to(root)}")
    print(f"clause: {clause} (conformance/contract/clauses.toml)")
    print("next: replace each TODO in these files, and name the rule in CHANGELOG.md; then run `make generate`, read")
    print("      `git diff`, and run `make test`")
    print("help: CONTRIBUTING.md, docs/adding-a-rule.md")
    return 0


def _check_id(rule: str) -> None:
    """Raise :class:`CommandError` for a malformed id, an existing rule or an unknown area."""
    if not _NAME.fullmatch(rule):
        raise CommandError(
            f"{rule!r} is not a rule id; expected area.name in lower case, such as usage.total-is-positive"
        )
    try:
        row = requirement(rule).id
    except KeyError:
        pass
    else:
        raise CommandError(f"rule {rule!r} already exists" + (f": it is covered by {row}" if row != rule else ""))
    area = rule.partition(".")[0]
    areas = list(dict.fromkeys(row.area for row in catalogue().values() if row.area != CLIENT))
    if area not in areas:
        near = difflib.get_close_matches(area, areas, n=1)
        offer = f"did you mean {near[0]!r}?" if near else f"areas: {', '.join(sorted(areas))}"
        raise CommandError(f"unknown area {area!r}; {offer}")


def stubs(rule: str, level: str, clause: str | None = None) -> tuple[dict[Path, str], str]:
    """The new content of each file that the rule changes, and the id of its clause. Writes nothing."""
    texts = dict([_with_row(rule, level), _with_check(rule)])
    if level != "MAY":  # A MAY rule is only recorded and needs no fault.
        texts.update([_with_fault(rule)])
    chosen, changed = _with_clause(rule, clause)
    return texts | changed, chosen


def _area(rule: str) -> str:
    return rule.partition(".")[0]


def _most(paths: Iterable[Path], sought: str) -> Path:
    """The file that contains a string most often."""
    return max(sorted(paths), key=lambda path: path.read_text(encoding="utf-8").count(sought))


def _with_row(rule: str, level: str) -> tuple[Path, str]:
    """The row, after the last one of its area."""
    start = f'id = "{_area(rule)}.'
    path = _most((PACKAGE / "contract" / "rules").glob("*.toml"), start)
    blocks = path.read_text(encoding="utf-8").split("[[requirement]]\n")
    at = max(index for index, block in enumerate(blocks) if block.startswith(start))
    blocks[at] = blocks[at].rstrip("\n") + "\n\n"
    row = _ROW.format(rule=rule, level=level, revision=DEFAULT.revision, since=conformance.__version__)
    blocks.insert(at + 1, row.partition("\n")[2] + "\n")
    return path, "[[requirement]]\n".join(blocks).rstrip("\n") + "\n"


def _with_check(rule: str) -> tuple[Path, str]:
    """The check, at the end of the module with most checks of its area, and the imports it needs."""
    path = _most((PACKAGE / "checks").glob("test_*.py"), f'"{_area(rule)}.')
    streams = _area(rule) in _STREAM_AREAS
    over, where = ("STREAMS", "STREAM") if streams else ("RESPONSES", "FINAL_RESPONSE")
    text = path.read_text(encoding="utf-8")
    function = "test_" + re.sub(r"\W", "_", rule.partition(".")[2])
    if f"def {function}(" in text:
        function = "test_" + re.sub(r"\W", "_", rule)
    for module, names in (
        ("conformance.decode.response", {"Received"}),
        ("conformance.judge.selectors", {over}),
        ("conformance.judge.verdict", {"EXAMINED", "Findings", "check"}),
        ("conformance.judge.applicability", {where}),
    ):
        text = _importing(text, module, names)
    stub = _STREAM_CHECK if streams else _CHECK
    return path, text + stub.format(rule=rule, over=over, where=where, function=function)


def _importing(text: str, module: str, names: set[str]) -> str:
    """The module's source with these names imported too, in ruff's import order."""
    lines = text.splitlines(keepends=True)
    imports = [node for node in ast.parse(text).body if isinstance(node, ast.ImportFrom)]
    found = next((node for node in imports if node.module == module), None)
    if found is None:
        after = max(node.end_lineno or 0 for node in imports if (node.module or "") < module or node.level)
        return "".join([*lines[:after], _import(module, names), *lines[after:]])
    present = {one.name for one in found.names}
    if names <= present:
        return text
    return "".join([*lines[: found.lineno - 1], _import(module, names | present), *lines[found.end_lineno :]])


def _import(module: str, names: Iterable[str]) -> str:
    """An import statement of at most 120 columns: constants first, then classes, then functions."""
    ordered = sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    line = f"from {module} import {', '.join(ordered)}\n"
    return line if len(line) <= 121 else f"from {module} import (\n    {f',{chr(10)}    '.join(ordered)},\n)\n"


def _with_fault(rule: str) -> tuple[Path, str]:
    """The fault, at the end of the list of the module with most faults of the area."""
    area = _area(rule)

    def share(module: object) -> tuple[int, int]:
        faults = list(module.FAULTS)  # type: ignore[attr-defined]
        named = sum(one.area == area for one in faults)
        return named, sum(_area(each) == area for one in faults for each in one.rules)

    path = Path(inspect.getfile(max(MODULES, key=share)))
    text = path.read_text(encoding="utf-8")
    assigned = [node for node in ast.parse(text).body if isinstance(node, ast.Assign | ast.AnnAssign)]
    found = next(node for node in assigned if ast.unparse(node).startswith(("FAULTS =", "FAULTS: ")))
    lines = text.splitlines(keepends=True)
    at = (found.end_lineno or 0) - 1  # The line of the closing bracket.
    hook = "events" if area in _STREAM_AREAS else "response"
    return path, "".join([*lines[:at], _FAULT.format(rule=rule, hook=hook), *lines[at:]])


def _with_clause(rule: str, wanted: str | None) -> tuple[str, dict[Path, str]]:
    """The clause of the rule and the changed file: ``wanted``, else one whose globs match, else the one with most rules
    of the area. No file changes if the clause matches already."""
    known = {one.id: one for one in clauses()}
    if wanted is not None and wanted not in known:
        near = difflib.get_close_matches(wanted, known, n=1)
        raise CommandError(
            f"unknown clause {wanted!r}; " + (f"did you mean {near[0]!r}?" if near else "see clauses.toml")
        )
    path = PACKAGE / "contract" / "clauses.toml"
    naming = [one.id for one in known.values() if one.covers(rule)]
    if naming and wanted in (None, *naming):
        return wanted or naming[0], {}
    chosen = wanted or max(known, key=lambda name: sum(_area(glob) == _area(rule) for glob in known[name].rules))
    text = path.read_text(encoding="utf-8")
    start = text.index(f'id = "{chosen}"\n')
    end = text.find("[[clause]]", start) if "[[clause]]" in text[start:] else len(text)
    block = re.sub(r"^(rules = \[.*?)(,?\s*)\]", rf'\1, "{rule}"\2]', text[start:end], flags=re.MULTILINE | re.DOTALL)
    return chosen, {path: text[:start] + block + text[end:]}
