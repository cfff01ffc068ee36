"""From a plan to the documented Response object and its items."""

from __future__ import annotations

from dataclasses import replace

from .shapes import Dict, Item, ParsedRequest, Plan, Usage


def part(item: Item, text: str) -> Dict:
    """A content part of a message or of a reasoning item."""
    if item.kind == "reasoning":
        return {"type": "reasoning_text", "text": text}
    return {"type": "output_text", "text": text, "annotations": []}


def item(one: Item) -> Dict:
    """An item as in `output` and in output_item.done."""
    if not one.is_call:
        shell: Dict = {"id": one.id, "type": one.kind, "status": one.status}
        if one.kind == "message":
            shell["role"] = "assistant"
        shell["content"] = [part(one, text) for text in one.texts]
        return shell
    call: Dict = {"id": one.id, "type": one.kind, "status": one.status}
    call.update(call_id=one.call_id, name=one.name)
    call["arguments" if one.kind == "function_call" else "input"] = one.texts[0]
    if one.namespace is not None:
        call["namespace"] = one.namespace
    return call


def opened(one: Item) -> Dict:
    """The same item as in output_item.added: in progress and empty."""
    return item(replace(one, texts=("",) if one.is_call else (), status="in_progress"))


def usage(bill: Usage) -> Dict:
    """The usage object."""
    return {
        "input_tokens": bill.input,
        "input_tokens_details": {"cached_tokens": bill.cached},
        "output_tokens": bill.output,
        "output_tokens_details": {"reasoning_tokens": bill.reasoning},
        "total_tokens": bill.input + bill.output,
    }


def response(ident: str, created_at: int, parsed: ParsedRequest, plan: Plan | None) -> Dict:
    """The Response object of a finished plan; without a plan, the snapshot of a response under way."""
    done = plan is not None
    cut = plan is not None and plan.cut
    items = plan.items if plan is not None else ()
    return {
        "id": ident,
        "object": "response",
        "created_at": created_at,
        "status": plan.status if plan is not None else "in_progress",
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "model": parsed.model,
        "metadata": None,
        "output": [item(one) for one in items],
        "output_text": "".join(text for one in items if one.kind == "message" for text in one.texts),
        "usage": usage(plan.usage) if plan is not None and done else None,
    }
