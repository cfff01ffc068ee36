"""What real clients did in trials: ``evidence.json``, made by ``python -m tools.client_evidence --write``.

A trial breaks one rule by a fault of the built-in endpoint and feeds the responses to a client. ``versions``: the
version of each client, with its mode. ``rules``: by row of the catalogue and fault, the outcome of every client that
was fed: empty if it ended as with the conformant response, else what it did instead. ``findings``: by row, fault and
mode of the responses that were fed (plain, stream), the kinds of finding by rule, those that stand for themselves apart
from consequences.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_suffix(".json")

#: Outcomes of a client that works: it ended the same, or passed on other token counts, or none.
NUMBERS, NO_NUMBERS = "other usage", "no usage"
COPES = ("", NUMBERS, NO_NUMBERS)

#: How ``findings`` names responses, by whether their request streams.
MODES = {False: "plain", True: "stream"}

#: The two parts of the findings of a mode.
CAUSES, FOLLOWS = "causes", "follows"


@cache
def evidence() -> Mapping[str, Any]:
    """The file; its members are empty where it was never made."""
    empty: dict[str, Any] = {"versions": {}, "rules": {}, "findings": {}}
    return {**empty, **json.loads(FILE.read_text(encoding="utf-8"))} if FILE.exists() else empty


def faults_that_stop(client: str) -> list[str]:
    """The faults at which this client (with its mode) did not end as it should."""
    found = [
        fault for row in evidence()["rules"].values() for fault, by in row.items() if by.get(client, "") not in COPES
    ]
    return list(dict.fromkeys(found))
