"""What a line of ``watch`` says: a cause that was shown before is only named."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from conformance.traffic.evaluation import Evaluation
from conformance.traffic.summary import brief
from tests.support.runs import line


def evaluated(*cases: Any) -> Evaluation:
    made = SimpleNamespace(cases=list(cases), unjudged={}, text=lambda one: f"{one.id}   MUST")
    return cast(Evaluation, made)


def test_a_known_cause_is_named_once_more_and_not_shown() -> None:
    known: set[tuple[str, str]] = set()
    total, order = line("usage.total-is-sum@x", message="wrong"), line("sequence.contiguous@x", message="gap")
    first = list(brief("exchange 1", evaluated(total), known))
    assert first[:2] == ["exchange 1: 1 fail", "usage.total-is-sum@x   MUST"]
    assert list(brief("exchange 2", evaluated(total), known)) == ["exchange 2: 1 fail; again: usage.total-is-sum"]
    third = list(brief("exchange 3", evaluated(total, order), known))
    assert third[0] == "exchange 3: 2 fail; again: usage.total-is-sum"
    assert third[1] == "sequence.contiguous@x   MUST"
