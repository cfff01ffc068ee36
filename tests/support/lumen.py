"""A second, made-up contract and an endpoint that fulfils it: see ``tests/contracts/lumen``."""

from __future__ import annotations

import importlib
import json
import pkgutil
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from conformance import checks
from conformance.config.target import Target, resolve
from conformance.contract.revisions import DEFAULT, Contract, contracts
from conformance.emulator import Behaviour, Endpoint, Service, combine
from conformance.emulator import Context as Request
from conformance.emulator.hooks import variant
from conformance.emulator.refusals import bad_parameter
from conformance.emulator.shapes import Refusal
from conformance.judge.cases import context_of
from conformance.scenarios.context import Context
from tools.in_process import KEY, NOW

OWN = Path(__file__).parent.parent / "contracts" / "lumen"
LANGUAGE = "response.output_text.language"

#: The most output tokens of a request.
MOST = 65_536

Event = dict[str, Any]

SERVICE = Service(
    revision=DEFAULT.revision,
    models=("lumen-1", "lumen-1-mini"),
    efforts=("brief", "deep"),
    base="/llm/api",
    unthinking=(None,),
    most_tokens=MOST,
    ways=(("x-lumen-authorization", "token"),),
    envelope=lambda members: {"fault": {"reason": members["message"], "where": str(members["param"])}},
)


@cache
def contract() -> Contract:
    """The contract: MiMo's schemas with another form of an error, other efforts and limits, and an event type more."""
    family = Path(mkdtemp(prefix="lumen-"))
    shutil.copytree(DEFAULT.folder, family / "1", ignore=shutil.ignore_patterns("*.toml"))
    request = json.loads((family / "1" / "request.json").read_text(encoding="utf-8"))
    request["properties"]["reasoning"]["properties"]["effort"]["enum"] = list(SERVICE.efforts)
    request["properties"]["max_output_tokens"] |= {"maximum": MOST, "default": MOST}
    (family / "1" / "request.json").write_text(json.dumps(request), encoding="utf-8")
    shutil.copytree(OWN, family, dirs_exist_ok=True)
    return contracts(family)["1"]


def target(endpoint: str = "http://127.0.0.1:9/llm/api") -> Target:
    """A target that is to fulfil it."""
    return resolve({"endpoint": endpoint}, {}, "5eed5eed", None, contracts(contract().folder.parent))


@cache
def context() -> Context:
    """Its scenarios and schemas."""
    for module in pkgutil.iter_modules(checks.__path__):
        importlib.import_module(f"{checks.__name__}.{module.name}")
    return context_of(target())


def named(_: Request, stream: list[Event]) -> list[Event]:
    """Each text of a message is followed by its language."""
    found: list[Event] = []
    for one in stream:
        found.append(one)
        if one["type"] == "response.output_text.done":
            place = {name: one[name] for name in ("item_id", "output_index", "content_index")}
            found.append({"type": LANGUAGE, **place, "language": "en"})
    return found


NAMED = variant("lumen.named", "Names the language of each text.", events=named)


def endpoint(*faults: Behaviour) -> Endpoint:
    """An endpoint that fulfils the contract but for these faults."""
    return Endpoint(key=KEY, service=SERVICE, behaviour=combine([NAMED, *faults]), clock=lambda: NOW)


def languages(how: Callable[[list[Event], int], list[Event]]) -> Callable[[Request, list[Event]], list[Event]]:
    """A hook that changes a stream at each of its language events, the last one first."""

    def hook(_: Request, stream: list[Event]) -> list[Event]:
        for at in reversed([at for at, one in enumerate(stream) if one["type"] == LANGUAGE]):
            stream = how(stream, at)
        return stream

    return hook


def refusal(where: str) -> Refusal:
    """A refusal of a parameter that nothing is wrong with."""
    return bad_parameter(where, "is not supported").refusal
