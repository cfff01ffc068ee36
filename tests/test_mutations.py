"""A member changed at random in a served response is reported, unless the change is legal for a stated reason."""

from __future__ import annotations

import re

import pytest

from conformance.contract.revisions import DEFAULT
from tests.mutations import Mutation, is_reported, mutations

#: Changes that the contract allows: where (a pattern over the pointer), of which kind, and why.
LEGAL = (
    (r"/metadata", "delete null type value", "not in the page's table: null, absent or an object"),
    (r".*/input_tokens_details", "value", "the page's own example is empty"),
    (r".*/cached_tokens", "delete value", "the page's own example has none, and the count is the server's"),
    (r".*/reasoning_tokens", "value", "how many tokens the thoughts took is the server's count"),
    (r"/created_at", "value", "a second earlier or later, or some minutes, is still now"),
    (r"(/output/\*)?/(id|call_id)", "value", "any other text is an id as well"),
    (r"/output/\*/content/\*/text", "value", "what the model thinks is not evaluated"),
    (r"/output/\*/content(/\*)?", "delete value", "the thoughts may stand in any number of parts"),
    (r"/output/\*/status", "null", "the status of a reasoning item may be null"),
    (r"/output/\*/status", "delete", "the status of a reasoning item may be absent"),
    (r".*/annotations", "delete value", "expected in the final output only, and any objects may stand there"),
    (r"(/item|/output/\*)/namespace", "delete null", "an optional member of a call"),
    (r"/output/\*/arguments", "value", "what a call asks for is the model's affair"),
    (r"(/item|/part|/response/output/\*)?.*/(summary|logprobs|obfuscation)", "delete null type value", "undocumented"),
)  # fmt: skip

#: Members of a snapshot that need not be there: what it carries beside its id, time, model and status is not said.
_OF_SNAPSHOTS = re.compile(r"/response/(error|incomplete_details|metadata|output_text|usage)")


def why_legal(mutation: Mutation) -> str:
    """Why a change is legal; empty if it is not."""
    pointer = mutation.pointer
    if mutation.type in DEFAULT.table.of("begin") and _OF_SNAPSHOTS.match(pointer):
        return "what a snapshot carries is not said"
    where = pointer.removeprefix("/response") if mutation.type else pointer
    if where == "/output/*" and mutation.kind == "delete" and mutation.before.get("type") == "reasoning":
        return "counted reasoning may be hidden: it is compared only where the request is about reasoning"
    for pattern, kinds, reason in LEGAL:
        if mutation.kind in kinds.split() and re.fullmatch(pattern, where):
            return reason
    return ""


@pytest.mark.parametrize(("seed", "revision"), [(11, "2026-06-24"), (12, "2026-06-24"), (13, "2026-10")])
def test_what_is_changed_is_reported_or_legal(seed: int, revision: str) -> None:
    survivors = [
        str(mutation)
        for mutation, exchange in mutations(seed, 60, revision)
        if not why_legal(mutation) and not is_reported(exchange, revision)
    ]
    assert survivors == []


def test_most_changes_are_not_legal() -> None:
    drawn = [mutation for mutation, _ in mutations(1, 400, "2026-06-24")]
    assert sum(bool(why_legal(one)) for one in drawn) < len(drawn) / 4
