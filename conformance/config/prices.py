"""The prices of a target's tokens, as its profile gives them."""

from __future__ import annotations

from typing import Any

#: Prices of a million input and output tokens, and the currency.
Prices = tuple[float, float, str]


def prices(given: Any) -> Prices | None:
    """The prices of a profile: ``{ input = 0.5, output = 2.0, currency = "USD" }``; None without any. Raises ValueError
    for another form."""
    if given is None:
        return None
    if not isinstance(given, dict) or set(given) != {"input", "output", "currency"}:
        raise ValueError
    amounts, currency = [given["input"], given["output"]], given["currency"]
    if any(isinstance(one, bool) or not isinstance(one, int | float) or not 0 <= one < 1e9 for one in amounts):
        raise ValueError
    if not isinstance(currency, str) or not currency.strip().isalpha():
        raise ValueError
    return float(amounts[0]), float(amounts[1]), currency.strip()


def money(known: Prices | None, input_tokens: int, output_tokens: int) -> str:
    """The price of these tokens, such as ``0.21 USD``; empty without prices."""
    if known is None:
        return ""
    of_input, of_output, currency = known
    return f"{(input_tokens * of_input + output_tokens * of_output) / 1_000_000:.2g} {currency}"
