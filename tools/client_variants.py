"""What each real client does with legal variants: ``python -m tools.client_variants --install DIR --write``.

The clients that are installed in DIR (several may be given, such as one for each version of Node) receive responses of
the built-in endpoint with each variant. Their outcomes are compared with those of the plain endpoint and written to
``conformance/contract/client_variants.json``, by variant and by client with its version; outcomes of other versions
stay.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from conformance.clients.drive import ClientInput, client_input, drive
from conformance.contract.client_evidence import COPES, evidence
from conformance.contract.client_variants import FILE, outcomes
from conformance.contract.clients import CLIENTS, Client, client
from conformance.contract.schemas import REVISIONS
from conformance.decode.response import Received
from conformance.emulator.variants import VARIANTS
from conformance.exchange.client_outcomes import Outcomes
from conformance.scenarios.tools import turns
from tools import json_lines
from tools.client_evidence import PAGE, did, page
from tools.in_process import context, record

#: Variants that real servers send.
SENT = (
    "members.phase",
    "members.end-turn",
    "members.summary-and-encrypted-content",
    "members.summary-events",
    "framing.comments",
    "framing.done-marker",
    "framing.no-event-lines",
)

#: Requests whose responses are replayed, in the newest revision.
REQUESTS = ("text", "text.stream", "tools.call", "tools.call.stream", "effort.high", "effort.high.stream",
            "client.codex-lite.turn")  # fmt: skip

_REVISION, _CLEAN, _SECONDS = REVISIONS[-1], "clean", 8.0


def inputs() -> dict[str, ClientInput]:
    """The responses with each variant and without, by variant and scenario."""
    found: dict[str, ClientInput] = {}
    follows = turns(context(_REVISION).scenarios)
    for variant in (_CLEAN, *SENT):
        recorded = record(VARIANTS.get(variant), _REVISION)
        for name in REQUESTS:
            exchange = replace(recorded.received(name).exchange, key=f"{variant}/{name}")
            then = recorded.received(follows[name]).exchange if name in follows else None
            found[exchange.key] = client_input(exchange.key, exchange, then)
    return found


def compared(result: Outcomes, given: Mapping[str, ClientInput]) -> Iterator[tuple[str, str, str]]:
    """For each variant and client: variant, client with mode, and how it differs (empty: it does not)."""
    for variant in SENT:
        for one in CLIENTS:
            seen: list[str] = []
            for name in REQUESTS:
                keys = [f"{mark}/{name}" for mark in (variant, _CLEAN)]
                if given[keys[0]].exchange.body == given[keys[1]].exchange.body:
                    continue  # The variant does not occur in this response.
                outcome, right = (result.of(one.name, key) for key in keys)
                if outcome and right:
                    reported = did(outcome, right, _responses(given[f"{variant}/{name}"], one))
                    seen += [] if reported is None else [reported]
            if seen:
                yield variant, one.name, next((reported for reported in seen if reported not in COPES), "")


def _responses(what: ClientInput, one: Client) -> list[Received]:
    exchanges = [what.exchange, what.then] if one.turns and what.then else [what.exchange]
    return [Received(each, each.scenario) for each in exchanges]


def joined(
    before: Mapping[str, Any], found: Sequence[tuple[str, str, str]], versions: Mapping[str, str]
) -> dict[str, Any]:
    """The outcomes with those found now, by variant, and by client and version."""
    rows: dict[str, dict[str, str]] = {variant: dict(before.get(variant, {})) for variant in SENT}
    for variant, name, reported in found:
        rows[variant][f"{name} {versions[name]}"] = reported
    order = {one.name: place for place, one in enumerate(CLIENTS)}
    return {
        variant: dict(sorted(row.items(), key=lambda pair: (order.get(pair[0].partition(" ")[0], 99), pair[0])))
        for variant, row in rows.items()
    }


def main() -> int:
    """Run the clients and write their outcomes, or print what differs from the file."""
    parser = argparse.ArgumentParser(prog="python -m tools.client_variants", description=__doc__)
    parser.add_argument("--install", type=Path, action="append", required=True, metavar="DIR", help="the clients")
    parser.add_argument("--client", action="append", default=[], metavar="NAME", help="only this client")
    parser.add_argument("--write", action="store_true", help="write the file")
    options = parser.parse_args()
    before = after = outcomes()
    given = inputs()
    chosen = [
        one for one in CLIENTS if not options.client or one.name in options.client or one.client in options.client
    ]
    for folder in options.install:
        result = drive(chosen, list(given.values()), folder.absolute(), _SECONDS)
        versions = {one.client: one.version for one in result.clients.values() if not one.reason}
        after = joined(after, list(compared(result, given)), versions)
        for one in result.clients.values():
            print(f"{folder}: {one.client} {one.version}{one.reason}", flush=True)
    for variant, row in after.items():
        for name, reported in row.items():
            if reported and client(name.partition(" ")[0]):
                print(f"{variant}: {name}: {reported}")
    if options.write:
        json_lines.write(FILE, after, depth=2)
        outcomes.cache_clear()
        PAGE.write_text(page(evidence()), encoding="utf-8")
    return int(after != before and not options.write)


if __name__ == "__main__":
    sys.exit(main())
