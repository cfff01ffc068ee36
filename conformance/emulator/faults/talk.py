"""Faults in JSON output, in conversations and with concurrent requests."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..event_edits import is_a
from ..hooks import Context, Hook, fault
from ..request_hooks import crash, input_items, refuse
from ..shapes import Dict, Item, ParsedRequest

FORMAT, HISTORY, RETURNED = "format.json-object", "turns.history-accepted", "turns.full-output-returned"
MIXED = "parallel.requests-do-not-mix"
# Requests within this time count as concurrent.
TOGETHER = 0.25


def formatted(how: Callable[[str], str]) -> Hook[list[Item]]:
    """Changes the text of responses that should be a JSON object."""

    def hook(ctx: Context, items: list[Item]) -> list[Item]:
        wanted = (ctx.body.get("text") or {}).get("format") or {}
        if wanted.get("type") != "json_object":
            return items
        return [replace(one, texts=tuple(map(how, one.texts))) if one.kind == "message" else one
                for one in items]  # fmt: skip

    return hook


def unformatted(_: Context, parsed: ParsedRequest) -> ParsedRequest:
    return replace(parsed, json_object=False)


def any_item(test: Callable[[Dict], object]) -> Callable[[Dict], bool]:
    return lambda body: any(test(one) for one in input_items(body))


def returned(one: Dict) -> bool:
    """Whether an item has an id and a status, as only output items have."""
    return "id" in one and "status" in one


def annotated(one: Dict) -> bool:
    content = one.get("content")
    return isinstance(content, list) and any("annotations" in part for part in content)


def many_turns(body: Dict) -> bool:
    return sum(one.get("role") in ("user", "assistant") for one in input_items(body)) >= 3


def neighbour(ctx: Context, name: str, own: Any) -> Any:
    """Stores a value and returns that of the previous request if it was concurrent."""
    with ctx.lock:
        at, value = ctx.memory.get(name, (float("-inf"), own))
        ctx.memory[name] = (ctx.now, own)
    return value if ctx.now - at < TOGETHER else own


def same_second(ctx: Context, one: Dict) -> Dict:
    """Derives the id from the clock: equal for requests of one second."""
    ident = hashlib.sha256(str(int(ctx.now)).encode()).hexdigest()[:32]
    return {**one, "id": f"resp_{ident}"}


def kept_metadata(ctx: Context, one: Dict) -> Dict:
    """Sends the metadata of the last request that had any."""
    with ctx.lock:
        kept = ctx.memory["metadata"] = ctx.body.get("metadata") or ctx.memory.get("metadata")
    return {**one, "metadata": kept}


def foreign_model(ctx: Context, parsed: ParsedRequest) -> ParsedRequest:
    """Sends the model of a concurrent request."""
    return replace(parsed, model=neighbour(ctx, "model", parsed.model))


def foreign_text(ctx: Context, items: list[Item]) -> list[Item]:
    """Sends the texts of a concurrent request."""
    return [*neighbour(ctx, f"items {ctx.stream}", items)]


def foreign_delta(ctx: Context, stream: list[Dict]) -> list[Dict]:
    """Adds a delta of a concurrent stream."""
    own = [copy.deepcopy(event) for event in stream if is_a(event, "output_text.delta")][:1]
    foreign = neighbour(ctx, "delta", own)
    return stream if foreign is own else [*stream[:-1], *copy.deepcopy(foreign), stream[-1]]


def foreign_terminal(ctx: Context, stream: list[Dict]) -> list[Dict]:
    """Ends a stream with the Response of a concurrent request."""
    return [*stream[:-1], copy.deepcopy(neighbour(ctx, "terminal", stream[-1]))]


FAULTS = [
    fault("format.json-object-ignored", "Sends prose for text.format json_object.", FORMAT,
          parsed=unformatted),
    fault("format.json-object-in-a-fence", "Wraps the JSON object in a code fence.", FORMAT,
          draft=formatted(lambda text: f"```json\n{text}\n```")),
    fault("format.json-object-introduced", "Sends a sentence before the JSON object.", FORMAT,
          draft=formatted(lambda text: f"Here is the JSON: {text}")),
    fault("format.json-array", "Wraps the JSON object in an array.", FORMAT,
          draft=formatted(lambda text: f"[{text}]")),
    fault("format.json-with-nan", "Sends NaN in the JSON object.", FORMAT,
          draft=formatted(lambda text: f'{text[:-1]}, "area": NaN}}')),
    fault("format.json-unclosed", "Omits the last brace of the JSON object.", FORMAT,
          draft=formatted(lambda text: text[:-1])),
    fault("turns.history-refused", "Refuses more than one turn.", HISTORY,
          validate=refuse(many_turns, "input")),
    fault("turns.history-is-500", "Responds with HTTP 500 to a conversation.", HISTORY, validate=crash(many_turns)),
    fault("turns.second-user-turn-refused", "Refuses more than one user turn.", HISTORY, validate=refuse(
        lambda body: sum(one.get("role") == "user" for one in input_items(body)) > 1, "input")),
    fault("turns.output-items-refused", "Refuses items with an id and a status.", RETURNED,
          validate=refuse(any_item(returned), "input[1].id")),
    fault("turns.annotations-refused", "Refuses parts with annotations.", RETURNED,
          validate=refuse(any_item(annotated), "input[1].content[0].annotations")),
    fault("turns.output-message-is-500", "Responds with HTTP 500 to a returned message.", RETURNED, validate=crash(
        any_item(lambda one: one.get("type") == "message" and returned(one)))),
    fault("turns.function-call-refused", "Refuses returned calls.", RETURNED,
          "request.reasoning-returned", validate=refuse(any_item(
              lambda one: one.get("type") == "function_call"), "input[1].type")),
    fault("parallel.ids-from-the-clock", "Derives ids from the current second.", MIXED,
          "response.id-unique", response=same_second),
    fault("parallel.metadata-kept", "Sends the metadata of an earlier request.", MIXED, response=kept_metadata),
    fault("parallel.models-mix", "Sends the model of a concurrent request.", MIXED,
          parsed=foreign_model),
    fault("parallel.texts-mix", "Sends the items of a concurrent request.", MIXED,
          draft=foreign_text),
    fault("parallel.deltas-mix", "Sends a delta in the stream of a concurrent request.", MIXED,
          events=foreign_delta),
    fault("parallel.ends-mix", "Sends the Response of a concurrent stream in the terminal event.", MIXED,
          events=foreign_terminal),
]  # fmt: skip
