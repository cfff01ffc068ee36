"""The cases that ``--only`` selects and ``--skip`` leaves out, and the message for a selection without a case.

A selection is a case id or a glob over case ids (``rule@scenario``). Without an ``@`` it may also be a rule or a glob
over rules (with every scenario), or an area (with every rule in it).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from conformance.config.target import Misconfigured
from conformance.contract.rules import CLIENT, catalogue

_GLOB = re.compile(r"[*?\[]")


def selects(case_id: str, selections: Iterable[str]) -> bool:
    """Whether any of the selections selects a case."""
    return any(_selects(case_id, one) for one in selections)


def _selects(case_id: str, one: str) -> bool:
    if case_id == one or fnmatchcase(case_id, one):  # Ids may contain brackets.
        return True
    rule = case_id.partition("@")[0]
    return "@" not in one and (_named(rule, one) or rule.partition(".")[0] == one)


def _named(rule: str, one: str) -> bool:
    return rule == one or fnmatchcase(rule, one) or _row(rule, one)


def _row(rule: str, one: str) -> bool:
    """Whether ``one`` is the id, with placeholders, of the catalogue row that matches the rule."""
    return "{" in one and one in catalogue() and catalogue()[one].matches(rule)


def check(selections: Sequence[str], case_ids: Sequence[str], where: str, option: str = "--only") -> None:
    """Raise :class:`Misconfigured` for the first selection that matches none of the cases, with a suggestion;
    ``where`` names the set of cases in the message, ``option`` the option."""
    for one in selections:
        if not any(_selects(case_id, one) for case_id in case_ids):
            raise Misconfigured(f"{option} {one!r} matches no case of {where}{_why(one, case_ids)}")


def _why(one: str, case_ids: Sequence[str]) -> str:
    rule, at, label = one.partition("@")
    rules = list(dict.fromkeys(case_id.partition("@")[0] for case_id in case_ids))
    areas = list(dict.fromkeys(name.partition(".")[0] for name in rules))
    if rule.partition(".")[0] == CLIENT and CLIENT not in areas:
        return ": client rules need --clients"
    here = [name for name in rules if _named(name, rule)]
    if not here and rule in catalogue():
        return ": the rule has no case there"
    if found := _nearest(rule, at, label, case_ids):
        return f"; did you mean {found!r}?"
    if here:
        return f"; an example is {next(one for one in case_ids if one.partition('@')[0] in here)!r}"
    return f"; areas: {', '.join(sorted(areas))}"


def _nearest(rule: str, at: str, label: str, case_ids: Sequence[str]) -> str:
    """The most similar selection that matches a case; empty if there is none."""
    rules = list(dict.fromkeys(case_id.partition("@")[0] for case_id in case_ids))
    areas = list(dict.fromkeys(name.partition(".")[0] for name in rules))
    if at and (here := {name for name in rules if _named(name, rule)}):
        labels = [label for name, _, label in (case_id.partition("@") for case_id in case_ids) if name in here]
        return next((f"{rule}@{near}" for near in _close(label, labels)), "")
    area, dot, rest = rule.partition(".")
    meant = [near + dot + rest for near in _close(area, areas) if dot or not at]
    meant += _close(rule, rules)
    if _GLOB.search(rest) and area in areas:  # The typo is in the part before the first wildcard.
        meant += [f"{area}.*"]
    tried = [name + at + label for name in meant] + [name for name in meant if at]
    return next((one for one in tried if any(_selects(case_id, one) for case_id in case_ids)), "")


def _close(text: str, names: Iterable[str]) -> list[str]:
    return difflib.get_close_matches(text, list(dict.fromkeys(names)), n=3)
