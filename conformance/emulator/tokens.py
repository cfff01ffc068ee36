"""A simple tokenizer, and the effect of max_output_tokens on a list of items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .shapes import Item, Usage

CHARS = 4


def count(text: str) -> int:
    """Tokens of a text: one for every four characters begun."""
    return -(-len(text) // CHARS)


def of_item(item: Item) -> int:
    """The tokens of an item, at least 1, so that the number of items is limited."""
    return max(1, sum(count(text) for text in item.texts))


def truncate(items: Sequence[Item], cap: int | None) -> tuple[list[Item], bool]:
    """The items that fit into `cap` tokens, and whether anything was removed.

    The item that exceeds the limit is truncated and `incomplete`; if the limit is reached exactly between two items,
    the later ones are removed and the earlier ones stay complete. The result has exactly `cap` tokens.
    """
    if cap is None:
        return list(items), False
    kept: list[Item] = []
    left = cap
    for item in items:
        if of_item(item) <= left:
            kept.append(item)
            left -= of_item(item)
            continue
        if left > 0:
            kept.append(replace(item, texts=_cut(item.texts, left), status="incomplete"))
        return kept, True
    return kept, False


def usage(items: Sequence[Item], input_tokens: int) -> Usage:
    """The bill for these items."""
    reasoning = sum(of_item(item) for item in items if item.kind == "reasoning")
    return Usage(input_tokens, sum(of_item(item) for item in items), reasoning)


def _cut(texts: Sequence[str], tokens: int) -> tuple[str, ...]:
    kept: list[str] = []
    for text in texts:
        if tokens <= 0:
            break
        kept.append(text[: tokens * CHARS])
        tokens -= count(text)
    return tuple(kept)
