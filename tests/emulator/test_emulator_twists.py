"""Faults and varieties: well named, none idle, none crashing, and every rule with a fault to break it."""

from __future__ import annotations

import fnmatch
import re
from functools import lru_cache

import pytest
from emulator_asks import COMMON, GROUPS, NOW, Request, endpoint

from conformance.contract.fault_matrix import matrix
from conformance.emulator import Behaviour, Context, Reply, combine
from conformance.emulator.faults import FAULTS, MODULES
from conformance.emulator.hooks import HOOKS, fault
from conformance.emulator.variants import MODULES as VARIANT_MODULES
from conformance.emulator.variants import VARIANTS

REVISIONS = ("2026-10", "2026-06-24")

#: What shows only after a stream that the client closed: tests/test_closed_streams.py has such streams.
AFTER_CLOSING = {"behaviour.closed-stream-occupies-slot-with-429"}
REQUESTS: list[Request] = [*COMMON, *(request for group in GROUPS.values() for request in group)]

# The rules of level MUST and SHOULD; a star stands for the names a rule is spelled out with.
RULES_TEXT = """
auth.api-key-header-accepted auth.bearer-accepted auth.header-names-case-insensitive
auth.scheme-case-insensitive auth.missing-key-refused auth.wrong-api-key-refused auth.wrong-bearer-refused
auth.empty-key-refused auth.empty-bearer-refused auth.other-scheme-refused auth.key-without-scheme-refused
auth.almost-right-key-refused auth.refused-when-streaming auth.refusal-is-enveloped
auth.refusal-never-echoes-key auth.refused-before-body-is-judged
http.success-is-200 http.json-content-type http.stream-content-type http.body-is-utf8-json
http.other-method-refused http.no-redirect
request.model-accepted request.input-accepted request.instructions-accepted
request.max_output_tokens-accepted request.stream-accepted request.reasoning-accepted
request.temperature-accepted request.top_p-accepted request.text.format-accepted
request.tool_choice-accepted request.tools-accepted effort.*-accepted
request.input-string request.input-messages request.input-parts request.input-roles request.untyped-message
request.reasoning-returned request.missing-model request.missing-input request.unknown-model
request.malformed-json request.empty-body request.body-not-an-object request.wrong-type request.out-of-range
request.null-optional request.error-names-parameter
unsupported.background unsupported.previous-response-id unsupported.context-management
unsupported.background-not-honoured unsupported.previous-response-id-not-honoured
undocumented.conversation undocumented.include undocumented.max-tool-calls undocumented.metadata
undocumented.moderation undocumented.parallel-tool-calls undocumented.prompt undocumented.prompt-cache-key
undocumented.prompt-cache-retention undocumented.safety-identifier undocumented.service-tier
undocumented.store undocumented.stream-options undocumented.top-logprobs undocumented.truncation
undocumented.user undocumented.reasoning.summary undocumented.reasoning.generate_summary
undocumented.text.verbosity undocumented.input_image.detail undocumented.input_file
undocumented.unknown-name undocumented.tool-choice-other undocumented.json-schema-format
undocumented.tool-types
response.schema response.id-unique response.created-at-is-now response.model-echoed
response.completed-is-clean response.items-finished response.output-text-matches
response.output-text-present response.message-shape response.annotations-array response.not-empty
usage.present usage.integers usage.total-is-sum usage.reasoning-within-output usage.cached-within-input
usage.nonzero usage.details-hold-integers
effort.none-does-not-think effort.low-thinks effort.medium-thinks effort.high-thinks effort.values-alike
effort.reasoning-precedes-answer effort.reasoning-item-shape effort.tokens-agree effort.no-markup-leak
effort.unknown-value effort.plain-equals-stream
tools.call-shape tools.arguments-are-json tools.arguments-fit-schema tools.call-ids-distinct
tools.no-markup-leak tools.output-accepted tools.output-parts-accepted tools.none-declared-none-called
truncation.incomplete truncation.usage-within-cap truncation.cap-not-needed
sse.utf8 sse.frames-parse sse.data-is-json-object sse.last-frame-complete sse.event-line-matches-type
sse.ends-after-terminal sse.not-cut sse.incremental sse.plain-stays-plain
event.documented-types-only sequence.present sequence.contiguous
lifecycle.created-first lifecycle.in-progress-second lifecycle.each-once lifecycle.one-terminal-last
lifecycle.terminal-agrees-with-status lifecycle.snapshots lifecycle.item-opened-before-use
lifecycle.item-closed-once lifecycle.nothing-after-item-closed lifecycle.part-opened-before-use
lifecycle.part-closed-once lifecycle.text-done-before-part-done lifecycle.part-done-before-item-done
lifecycle.deltas-before-done lifecycle.done-present lifecycle.all-closed-at-terminal
lifecycle.indexes-dense lifecycle.added-status-in-progress lifecycle.done-status-final
identity.response-id identity.item-id identity.call-id identity.name identity.model identity.created-at
identity.item-ids-distinct identity.index-belongs-to-item
sum.text-deltas sum.reasoning-deltas sum.arguments-deltas sum.part sum.item sum.final-output
sum.no-replacement-characters sum.starts-empty sum.plain-same-shape
error.envelope error.json-content-type error.no-internals error.real-status error.endpoint-survives
error.streaming-same-status
format.json-object turns.history-accepted turns.full-output-returned parallel.requests-do-not-mix
"""

TYPES_TEXT = """
created in_progress completed incomplete output_item.added output_item.done content_part.added
content_part.done output_text.delta output_text.done reasoning_text.delta reasoning_text.done
function_call_arguments.delta function_call_arguments.done custom_tool_call_input.delta
custom_tool_call_input.done
"""
RULES, TYPES = RULES_TEXT.split(), TYPES_TEXT.split()


@lru_cache
def clean(revision: str) -> list[Reply]:
    server = endpoint(revision=revision)
    return [server.respond(*request) for request in REQUESTS]


def first_difference(one: Behaviour, revision: str) -> int | None:
    """Where the twisted endpoint first answers otherwise; the common requests are all put to it."""
    server = endpoint(one, revision)
    found = None
    for place, (request, expected) in enumerate(zip(REQUESTS, clean(revision), strict=True)):
        if found is not None and place >= len(COMMON):
            break
        if server.respond(*request) != expected and found is None:
            found = place
    return found


@pytest.mark.parametrize("area", sorted({one.area for one in VARIANTS.values()} | {"faults"}))
def test_no_twist_is_idle(area: str) -> None:
    """Of the faults only those that no rule reports: tests/test_matrix.py shows that the others do something."""
    silent = [FAULTS[name] for name, broken in matrix().items() if not broken["causes"]]
    mine = silent if area == "faults" else [one for one in VARIANTS.values() if one.area == area]
    idle = [one.name for one in mine if all(first_difference(one, revision) is None for revision in REVISIONS)]
    assert [name for name in idle if name not in AFTER_CLOSING] == []


def test_the_clean_endpoint_repeats_itself() -> None:
    assert first_difference(combine([]), "2026-10") is None


def test_names_are_distinct_and_tidy() -> None:
    assert len(FAULTS) == sum(len(module.FAULTS) for module in MODULES)
    assert len(VARIANTS) == sum(len(module.VARIANTS) for module in VARIANT_MODULES)
    assert not set(FAULTS) & set(VARIANTS)
    for name, one in {**FAULTS, **VARIANTS}.items():
        assert re.fullmatch(r"[a-z]+\.[a-z0-9][a-z0-9.-]*[a-z0-9]", name), name
        assert one.area == name.partition(".")[0]
        assert one.says.endswith("."), name
        assert any(getattr(one, hook) for hook in HOOKS), name
    assert all(fault.rules for fault in FAULTS.values())
    assert not any(one.rules for one in VARIANTS.values())


def test_every_rule_has_a_fault() -> None:
    rules = [*RULES, *(f"event.response.{name}.schema" for name in TYPES)]
    rules += [f"event.seen.response.{name}" for name in TYPES]
    broken = {rule for fault in FAULTS.values() for rule in fault.rules}
    assert [rule for rule in rules if not fnmatch.filter(broken, rule)] == []


def test_there_are_enough() -> None:
    assert len(FAULTS) >= 220
    assert len(VARIANTS) >= 50


def test_twists_combine_layer_by_layer() -> None:
    both = combine([FAULTS["lifecycle.no-in-progress"], VARIANTS["shapes.numbers-from-one"]])
    reply = endpoint(both).respond(*COMMON[1])
    assert b"response.in_progress" not in reply.body
    assert b'"sequence_number":1,' in reply.chunks[0][1]
    assert both.name == "lifecycle.no-in-progress+shapes.numbers-from-one"


def test_hooks_see_the_request() -> None:
    seen: list[Context] = []

    def reply(ctx: Context, value: Reply) -> Reply:
        seen.append(ctx)
        return value

    server = endpoint(fault("test.looks", "Looks.", reply=reply))
    server.respond(*COMMON[0])
    server.respond("POST", "/nowhere", (), b"{")
    first, second = seen
    assert (first.number, first.responses, first.served, first.stream) == (1, 0, True, False)
    assert (second.number, second.served, second.body, second.now) == (2, False, {}, NOW)


def test_an_unknown_hook_is_an_error() -> None:
    with pytest.raises(TypeError):
        fault("test.typo", "Has a typo.", replly=None)
