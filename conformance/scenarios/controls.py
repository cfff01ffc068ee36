"""The control of each scenario: a documented request that differs from it in little more than what it is about.

A response is evidence for what a scenario is about only if its control was served in the same run. Else the
cause may be anything that both requests share. Controls have controls of their own, up to the base request.
"""

from __future__ import annotations

from collections.abc import Mapping

from conformance.contract.revisions import Contract
from conformance.decode.events import mapping, objects
from conformance.scenarios.base import BASE
from conformance.scenarios.scenario import Scenario

#: The documented requests that serve as controls, plain and streaming.
_TOOLS = ("tools.unused", "tools.call.stream")
_MESSAGES = "input.untyped-message"

#: The request that returns the output of a call as parts, which some conversations contain too.
PARTS = "tools.output-parts"

#: A request with an image that has an undocumented member, and its control, which has not.
DETAIL, IMAGE = "undocumented.input_image.detail", "input.image"

#: How the names of scenarios that return reasoning begin, and a request with the items that are returned beside it.
_WITHOUT_REASONING = (("turns.reasoning-r", "turns.output-returned"), ("turns.", "input.output-message"))

#: Variants of a credential that are sent in the header of the contract's way with a scheme.
_WITH_SCHEME = ("lower-header", "upper-header", "lower-scheme", "other-scheme", "no-scheme")


def control_of(one: Scenario, scenarios: Mapping[str, Scenario], contract: Contract, without: str = "") -> str | None:
    """The name of a scenario's control; None for the base request, and where the context has no other request. The
    nearest one after ``without``, if that was not sent."""
    if one.name == BASE:
        return None
    wanted = [*_candidates(one, contract), BASE + ".stream" if one.streaming else BASE, BASE]
    return next((name for name in wanted if name in scenarios and name not in (one.name, without)), None)


def _way(auth: str, contract: Contract) -> str:
    """The name of the contract's way in whose header a credential is sent."""
    name = auth.partition("+")[0].partition(":")[0]
    way = contract.scheme_way if name in _WITH_SCHEME else None
    return way.name if way else name.lower()


def effort_of(one: Scenario, contract: Contract) -> str:
    """The scenario that sets only the reasoning effort that this one sets; empty if it sets none."""
    effort = mapping(one.body.get("reasoning")).get("effort")
    wanted = isinstance(effort, str) and effort != contract.effort.off and not one.tags & {"effort", "violation"}
    return f"effort.{effort}{'.stream' if one.streaming else ''}" if wanted else ""


def _candidates(one: Scenario, contract: Contract) -> list[str]:
    """The controls that fit, the nearest first; a control itself leads to a simpler one."""
    stream = ".stream" if one.streaming else ""
    ways = {f"auth.{way.name}" for way in contract.authentication}
    if one.name.removesuffix(".stream") in ways or one.name in _TOOLS:
        return []
    if one.name == DETAIL:
        return [IMAGE]
    if any(tag.startswith("auth-") for tag in one.tags) and "auth-first" not in one.tags and one.auth != "none":
        return [f"auth.{_way(one.auth, contract)}{stream}"]
    if "reasoning-returned" in one.tags:  # The same turn without the reasoning.
        turn = next((turn for start, turn in _WITHOUT_REASONING if one.name.startswith(start)), "tools.output")
        return [f"{turn}{stream}"]
    if effort := effort_of(one, contract):
        return [effort, effort.removesuffix(".stream")]
    if "added-item" in one.tags:  # A conversation with a call and its output.
        return ["tools.output.stream"]
    if "call" in one.tags:  # One about a special tool counts only if another tool is accepted.
        return [_TOOLS[one.streaming]] if "tools-accepted" in one.tags else []
    parts = [PARTS] if one.name != PARTS and "unusual" not in one.tags and _returns_parts(one) else []
    if one.body.get("tools"):
        return [*parts, _TOOLS[one.streaming]]
    array = isinstance(one.body.get("input"), list) and not one.within and one.name != _MESSAGES
    return parts + [_MESSAGES] * (array and not one.streaming and "turns" not in one.tags)


def _returns_parts(one: Scenario) -> bool:
    return any(isinstance(item.get("output"), list) for item in objects(one.body.get("input")))
