"""The registry of checks, and the cases that each makes for a target."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from conformance.contract.rules import Requirement, requirement
from conformance.judge.applicability import COMPARES, UNKNOWN_SENDER, Where
from conformance.judge.findings import Findings
from conformance.scenarios.context import Context
from conformance.scenarios.explore import EXPLORED, random_requests


@dataclass(frozen=True)
class Group:
    """The scenarios of one case: ``label`` names it, ``about`` fills the placeholders of the rule's id.

    ``requires_all``: the case needs every scenario (a pair); otherwise those that the profile excludes are left out.
    ``where``: only exchanges to which it applies are evaluated, and a case without evidence is not applicable.
    ``beside``: further scenarios, of which a check of several responses receives those that the run has.
    """

    label: str
    scenarios: tuple[str, ...]
    about: Mapping[str, str] = field(default_factory=dict)
    requires_all: bool = False
    where: Where | None = None
    beside: tuple[str, ...] = ()


Selector = Callable[[Context], list[Group]]


@dataclass(frozen=True)
class Check:
    """A check: the rule's id (with placeholders), its selector, and its generator function.

    ``together``: the generator receives all responses of a group instead of one. ``takes_case``: it also receives the
    case. ``without_response``: it also evaluates exchanges without a response, which are no evidence for other checks.
    ``where``: the predicate for exchanges of any origin. ``not_for_captured``: why captured traffic is not evaluated.
    """

    rule: str
    over: Selector
    evaluate: Callable[..., Findings]
    together: bool
    takes_case: bool
    without_response: bool = False
    where: Where | None = None
    not_for_captured: str = ""

    @property
    def controlled(self) -> bool:
        """Whether it is about what a request causes, so that a response counts only beside a served control."""
        return self.not_for_captured in (UNKNOWN_SENDER, COMPARES)


@dataclass(frozen=True, repr=False)
class Case:
    """A requirement and the scenarios on which it is evaluated; it has one verdict."""

    requirement: Requirement
    rule: str
    label: str
    scenarios: tuple[str, ...]
    about: Mapping[str, str]
    check: Check
    context: Context
    requires_all: bool = False
    where: Where | None = None
    beside: tuple[str, ...] = ()

    @property
    def breaks(self) -> tuple[str, ...]:
        """The clients that the rule can affect: the client of the case, or all in the rule's ``breaks``.

        Codex only streams, so a plain response does not affect it. :mod:`conformance.results.affected_clients`
        decides which clients a finding affects.
        """
        streams = any(self.context.scenarios[name].streaming for name in self.scenarios)
        mine = self.about.get("client")
        return tuple(name for name in self.requirement.breaks if (name != "codex" or streams) and mine in (None, name))

    @property
    def id(self) -> str:
        """``<requirement>@<scenario>``: the key in results, baselines and comparisons."""
        return f"{self.rule}@{self.label}"

    def __repr__(self) -> str:
        """The id: reporters print test parameters, and the representation of the context takes megabytes."""
        return self.id


CHECKS: list[Check] = []


def check(
    rule: str, over: Selector, together: bool = False, without_response: bool = False,
    where: Where | None = None, not_for_captured: str = "",
) -> Callable[[Any], Any]:  # fmt: skip
    """Register a generator of findings as the check of a rule; pytest gets a function that takes one ``case``."""

    def register(evaluate: Callable[..., Findings]) -> Callable[..., None]:
        taken = len(inspect.signature(evaluate).parameters)
        registered = Check(rule, over, evaluate, together, taken > 1, without_response, where, not_for_captured)
        CHECKS.append(registered)

        def test(case: Case) -> None:
            raise NotImplementedError("the plugin evaluates the case instead of calling this function")

        test.__doc__ = evaluate.__doc__
        test.__name__ = evaluate.__name__
        test.__module__ = evaluate.__module__
        test.conformance_check = registered  # type: ignore[attr-defined]  # Functions take attributes.
        return test

    return register


def cases(check: Check, context: Context) -> list[Case]:
    """The cases of a check: those of its selector, and one over all other exchanges to which it applies; those of rules
    that the contract's revision does not have yet are left out."""
    groups = check.over(context)
    found = [_case(check, group, context) for group in (*groups, *_other_scenarios(check, groups, context))]
    known = {"", *(contract.revision for contract in context.contract.lineage)}
    return [case for case in found if case.requirement.revision in known]


def _case(check: Check, group: Group, context: Context) -> Case:
    rule = check.rule.format_map(dict(group.about))
    return Case(
        requirement(rule), rule, group.label, group.scenarios, group.about, check, context, group.requires_all,
        group.where, group.beside,
    )  # fmt: skip


#: Tag of requests that a gateway may refuse, with a body in its own format.
_UNUSUAL = "unusual-form"

#: The label of the case over exchanges of other scenarios, by kind of response.
_OTHER_SCENARIOS = {"streams": "lenient.stream", "plain": "lenient.plain", "answers": "lenient", "finished": "lenient"}


def _other_scenarios(check: Check, groups: Sequence[Group], context: Context) -> list[Group]:
    """The group of all scenarios that the check's selector does not contain and its predicate may match: requests that
    a server may serve or refuse, and refusals of any request."""
    if check.where is None or not check.where.other_scenarios or check.together:
        return []
    label = _OTHER_SCENARIOS.get(check.where.kind, "answers")
    taken = {name for group in groups for name in group.scenarios}
    names = tuple(
        one.name
        for one in context.scenarios.values()
        if one.name not in taken
        and one.method == "POST"
        and EXPLORED not in one.tags
        and not one.suffix.startswith("/")  # A path below the endpoint is another resource.
        and (_UNUSUAL not in one.tags if label == "answers" else one.expect != "refusal")
    )
    random = random_requests(context.scenarios.values())
    found = [Group(_RANDOM.get(check.where.kind, EXPLORE), random, where=check.where)] if random else []
    return [*([Group(label, names, where=check.where)] if names else []), *found]


#: The label of the case over the random requests, by the kind of response.
EXPLORE = "explore"
_RANDOM = {"streams": f"{EXPLORE}.stream", "plain": f"{EXPLORE}.plain"}
