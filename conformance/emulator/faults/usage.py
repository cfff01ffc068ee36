"""Faults in the bill."""

from __future__ import annotations

from collections.abc import Callable

from ..event_edits import change, cut, final, put, response
from ..hooks import Behaviour, fault
from ..shapes import Dict

PRESENT, WHOLE, SUM = "usage.present", "usage.integers", "usage.total-is-sum"
WITHIN, NONZERO, DETAILS = "usage.reasoning-within-output", "usage.nonzero", "usage.details-hold-integers"


def counted(name: str, says: str, *rules: str, how: Callable[[Dict], object]) -> Behaviour:
    """Changes the usage object of finished responses."""

    def edit(one: Dict) -> None:
        how(one["usage"])

    return fault(f"usage.{name}", says, *rules, response=final(edit))


def chat_names(usage: Dict) -> None:
    usage["prompt_tokens"], usage["completion_tokens"] = usage.pop("input_tokens"), usage.pop("output_tokens")


def zero(*names: str) -> Callable[[Dict], object]:
    def how(usage: Dict) -> None:
        usage.update(dict.fromkeys(names, 0))
        usage["total_tokens"] = usage["input_tokens"] + usage["output_tokens"]
        if usage["output_tokens"] == 0:
            usage["output_tokens_details"] = {"reasoning_tokens": 0}

    return how


def without_thoughts(usage: Dict) -> None:
    """Bills the visible text only, and says nevertheless how much thought there was."""
    usage["output_tokens"] -= usage["output_tokens_details"]["reasoning_tokens"]
    usage["output_tokens_details"]["reasoning_tokens"] += usage["output_tokens"]
    usage["total_tokens"] = usage["input_tokens"] + usage["output_tokens"]


def thoughts_off_total(usage: Dict) -> None:
    usage["total_tokens"] -= usage["output_tokens_details"]["reasoning_tokens"]


def in_all(how: Callable[[object], object]) -> Callable[[Dict], object]:
    """Changes the three main counts alike."""
    names = ("input_tokens", "output_tokens", "total_tokens")
    return lambda usage: usage.update({name: how(usage[name]) for name in names})


def cached_too_many(usage: Dict) -> None:
    usage["input_tokens_details"]["cached_tokens"] = usage["input_tokens"] + 64


def thought_too_many(usage: Dict) -> None:
    usage["output_tokens_details"]["reasoning_tokens"] = usage["output_tokens"] + 1


FAULTS = [
    fault("usage.missing", "Sends no usage.", PRESENT, response=final(cut("usage"))),
    fault("usage.null", "Sends null for usage.", PRESENT, response=final(put(usage=None))),
    fault("usage.missing-streaming", "Sends no usage at the end of a stream.", PRESENT,
          response=response(cut("usage"), "terminal")),
    fault("usage.null-streaming", "Sends null for usage at the end of a stream.", PRESENT,
          response=response(put(usage=None), "terminal")),
    fault("usage.missing-plain", "Sends usage only in streams.", PRESENT,
          response=response(cut("usage"), "plain")),
    fault("usage.empty", "Sends an empty usage object.", PRESENT, response=final(put(usage={}))),
    counted("chat-names", "Uses the names of chat completions.", PRESENT, how=chat_names),
    counted("total-missing", "Leaves the total out.", PRESENT, how=cut("total_tokens")),
    counted("output-missing", "Leaves the output count out.", PRESENT, how=cut("output_tokens")),
    counted("strings", "Writes the counts as text.", WHOLE, how=in_all(str)),
    counted("fractions", "Writes the counts with half a token.", WHOLE,
            how=in_all(lambda count: count + 0.5 if isinstance(count, int) else count)),
    counted("nulls", "Writes null for each count.", WHOLE, how=in_all(lambda _: None)),
    counted("negative", "Counts the input below zero.", WHOLE, how=lambda usage: usage.update(
        input_tokens=-usage["input_tokens"], total_tokens=usage["output_tokens"] - usage["input_tokens"])),
    counted("reasoning-is-a-string", "Writes the reasoning count as text.", WHOLE, how=lambda usage: usage[
        "output_tokens_details"].update(reasoning_tokens="0")),
    counted("total-off-by-one", "Is one off in the total.", SUM, how=change("total_tokens", lambda n: n + 1)),
    counted("total-without-input", "Bills only the output as total.", SUM, how=lambda usage: usage.update(
        total_tokens=usage["output_tokens"])),
    counted("total-without-reasoning", "Leaves the thoughts out of the total.", SUM, how=thoughts_off_total),
    counted("reasoning-counted-twice", "Adds the thoughts once more to the total.", SUM,
            how=lambda usage: usage.update(total_tokens=usage["total_tokens"] + usage[
                "output_tokens_details"]["reasoning_tokens"])),
    counted("reasoning-beyond-output", "Counts more thought than output.", WITHIN, how=thought_too_many),
    counted("reasoning-outside-output", "Bills thoughts beside the output.", WITHIN, how=without_thoughts),
    counted("cached-beyond-input", "Counts more cached tokens than input.", "usage.cached-within-input",
            how=cached_too_many),
    counted("all-zero", "Counts nothing.", NONZERO, how=zero("input_tokens", "output_tokens")),
    counted("input-zero", "Counts no input.", NONZERO, how=zero("input_tokens")),
    counted("output-is-one", "Counts one token of output, however long the text.", "usage.output-covers-text",
            how=lambda usage: usage.update(output_tokens=1, total_tokens=usage["input_tokens"] + 1,
                                           output_tokens_details={"reasoning_tokens": 0})),
    counted("output-zero", "Counts no output.", NONZERO, how=zero("output_tokens")),
    counted("input-details-empty", "Leaves the details of the input empty.", DETAILS,
            how=put(input_tokens_details={})),
    counted("input-details-null-count", "Gives null for cached tokens.", WHOLE,
            how=put(input_tokens_details={"cached_tokens": None})),
    counted("output-details-empty", "Leaves the details of the output empty.", "usage.reasoning-tokens-present",
            how=put(output_tokens_details={})),
    fault("usage.output-details-missing", "Leaves the details of the output out.", "response.schema",
          evidence="ggml-org/llama.cpp#22659",
          response=final(lambda one: one["usage"].pop("output_tokens_details"))),
    counted("lists", "Wraps each count in a list.", WHOLE, how=in_all(lambda count: [count])),
]  # fmt: skip
