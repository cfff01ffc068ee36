"""Faults in usage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..event_edits import change, cut, final, put, response
from ..hooks import Behaviour, Context, Hook, fault
from ..request_hooks import input_items
from ..shapes import Dict, ParsedRequest
from ..tokens import count

PRESENT, COMPLETE, SUM = "usage.present", "usage.integers", "usage.total-is-sum"
WITHIN, NONZERO, DETAILS = "usage.reasoning-within-output", "usage.nonzero", "usage.details-hold-integers"


def counted(name: str, says: str, *rules: str, how: Callable[[Dict], object]) -> Behaviour:
    """Changes the usage object of final responses."""

    def edit(one: Dict) -> None:
        how(one["usage"])

    return fault(f"usage.{name}", says, *rules, response=final(edit))


def chat_names(usage: Dict) -> None:
    usage["prompt_tokens"], usage["completion_tokens"] = usage.pop("input_tokens"), usage.pop("output_tokens")


def chat_usage(document: Dict) -> None:
    """Sends the usage object of chat completions, without details."""
    chat_names(document["usage"])
    cut("input_tokens_details", "output_tokens_details")(document["usage"])


def zero(*names: str) -> Callable[[Dict], object]:
    def how(usage: Dict) -> None:
        usage.update(dict.fromkeys(names, 0))
        usage["total_tokens"] = usage["input_tokens"] + usage["output_tokens"]
        if usage["output_tokens"] == 0:
            usage["output_tokens_details"] = {"reasoning_tokens": 0}

    return how


def no_reasoning_tokens(usage: Dict) -> None:
    """Counts the output text only, but reports reasoning_tokens."""
    usage["output_tokens"] -= usage["output_tokens_details"]["reasoning_tokens"]
    usage["total_tokens"] = usage["input_tokens"] + usage["output_tokens"]


def reasoning_off_total(usage: Dict) -> None:
    usage["total_tokens"] -= usage["output_tokens_details"]["reasoning_tokens"]


def in_all(how: Callable[[object], object]) -> Callable[[Dict], object]:
    """Changes the three main counters in the same way."""
    names = ("input_tokens", "output_tokens", "total_tokens")
    return lambda usage: usage.update({name: how(usage[name]) for name in names})


def one_for_a_text(document: Dict) -> None:
    if any(item["type"] == "message" for item in document["output"]):
        usage = document["usage"]
        usage.update(
            output_tokens=1,
            total_tokens=usage["input_tokens"] + 1,
            output_tokens_details={"reasoning_tokens": 0},
        )


def as_capped(ctx: Context, document: Dict) -> Dict:
    cap = ctx.body.get("max_output_tokens")
    if ctx.stage in ("plain", "terminal") and document["status"] == "completed" and cap:
        usage = document["usage"]
        usage.update(output_tokens=cap, total_tokens=usage["input_tokens"] + cap)
    return document


def with_summaries(ctx: Context, parsed: ParsedRequest) -> ParsedRequest:
    """Reads the summaries of returned reasoning as input."""
    summaries = [part for item in input_items(ctx.body) for part in item.get("summary") or ()]
    more = sum(count(str(part.get("text"))) for part in summaries if isinstance(part, dict))
    return replace(parsed, input_tokens=parsed.input_tokens + more)


def cached_too_many(usage: Dict) -> None:
    usage["input_tokens_details"]["cached_tokens"] = usage["input_tokens"] + 64


def more_reasoning(usage: Dict) -> None:
    usage["output_tokens_details"]["reasoning_tokens"] = usage["output_tokens"] + 1


def outside_ascii(name: str, text: Callable[[Context, Dict], object]) -> Hook[Dict]:
    """Sends 0 as a counter of a text without ASCII characters."""

    def hook(ctx: Context, document: Dict) -> Dict:
        read = text(ctx, document) if ctx.stage in ("plain", "terminal") else None
        if isinstance(read, str) and read and not any(map(str.isascii, read)):
            zero(name)(document["usage"])
        return document

    return hook


def added(document: Dict, name: str, more: int) -> Dict:
    """Raises a counter of a final response, and the total."""
    usage = document["usage"]
    usage[name] += more
    usage["total_tokens"] += more
    return document


def instructions_stay(ctx: Context, document: Dict) -> Dict:
    if ctx.stage not in ("plain", "terminal"):
        return document
    with ctx.lock:
        kept = ctx.memory["instructions"] = ctx.body.get("instructions") or ctx.memory.get("instructions", "")
    return document if ctx.body.get("instructions") else added(document, "input_tokens", count(kept))


def accumulated(ctx: Context, document: Dict) -> Dict:
    if ctx.stage != "terminal":
        return document
    with ctx.lock:
        before = ctx.memory.get("output", 0)
        ctx.memory["output"] = before + document["usage"]["output_tokens"]
    return added(document, "output_tokens", before)


def all_accumulated(ctx: Context, document: Dict) -> Dict:
    if ctx.stage not in ("plain", "terminal"):
        return document
    for name in ("input_tokens", "output_tokens"):
        with ctx.lock:
            before = ctx.memory.get(name, 0)
            ctx.memory[name] = before + document["usage"][name]
        document = added(document, name, before)
    return document


FAULTS = [
    fault("usage.missing", "Sends no usage.", PRESENT, response=final(cut("usage"))),
    fault("usage.null", "Sends null as usage.", PRESENT, response=final(put(usage=None))),
    fault("usage.missing-streaming", "Omits usage in the terminal event.", PRESENT,
          response=response(cut("usage"), "terminal")),
    fault("usage.null-streaming", "Sends null as usage in the terminal event.", PRESENT,
          response=response(put(usage=None), "terminal")),
    fault("usage.missing-plain", "Sends usage only in streams.", PRESENT,
          response=response(cut("usage"), "plain")),
    fault("usage.empty", "Sends an empty usage object.", PRESENT, response=final(put(usage={}))),
    counted("chat-names", "Sends usage with the member names of chat completions.", PRESENT, how=chat_names),
    fault("usage.chat-usage-in-streams", "Sends the usage object of chat completions in streams.", PRESENT,
          response=response(chat_usage, "terminal")),
    counted("total-missing", "Omits total_tokens.", PRESENT, how=cut("total_tokens")),
    counted("output-missing", "Omits output_tokens.", PRESENT, how=cut("output_tokens")),
    counted("strings", "Sends the counters as strings.", COMPLETE, how=in_all(str)),
    counted("fractions", "Sends counters with a fraction of 0.5.", COMPLETE,
            how=in_all(lambda count: count + 0.5 if isinstance(count, int) else count)),
    counted("nulls", "Sends null for each counter.", COMPLETE, how=in_all(lambda _: None)),
    counted("negative", "Sends negative input_tokens.", COMPLETE, how=lambda usage: usage.update(
        input_tokens=-usage["input_tokens"], total_tokens=usage["output_tokens"] - usage["input_tokens"])),
    counted("reasoning-is-a-string", "Sends reasoning_tokens as a string.", COMPLETE, how=lambda usage: usage[
        "output_tokens_details"].update(reasoning_tokens="0")),
    counted("total-off-by-one", "Sends total_tokens one too high.", SUM, how=change("total_tokens", lambda n: n + 1)),
    counted("total-without-input", "Sends output_tokens as total_tokens.", SUM, how=lambda usage: usage.update(
        total_tokens=usage["output_tokens"])),
    counted("total-without-reasoning", "Omits reasoning tokens in total_tokens.", SUM, how=reasoning_off_total),
    counted("reasoning-counted-twice", "Adds reasoning tokens to total_tokens twice.", SUM,
            how=lambda usage: usage.update(total_tokens=usage["total_tokens"] + usage[
                "output_tokens_details"]["reasoning_tokens"])),
    counted("reasoning-beyond-output", "Sends more reasoning_tokens than output_tokens.", WITHIN, how=more_reasoning),
    counted("reasoning-outside-output", "Omits reasoning tokens in output_tokens.", WITHIN, how=no_reasoning_tokens),
    counted("cached-beyond-input", "Sends more cached_tokens than input_tokens.", "usage.cached-within-input",
            how=cached_too_many),
    counted("all-zero", "Sends 0 as input_tokens and output_tokens.", NONZERO, how=zero("input_tokens",
    "output_tokens")), counted("input-zero", "Sends 0 input_tokens.", NONZERO, how=zero("input_tokens")),
    fault("usage.output-is-one", "Sends 1 as output_tokens for any text.", "usage.output-covers-text",
          response=final(one_for_a_text)),
    fault("usage.output-is-the-cap", "Sends max_output_tokens as output_tokens.", "usage.cap-adds-no-tokens",
          response=as_capped),
    fault("usage.summaries-as-input", "Counts the summaries of returned reasoning items as input.",
          "usage.summary-costs-nothing", parsed=with_summaries),
    counted("output-zero", "Sends 0 output_tokens.", NONZERO, how=zero("output_tokens")),
    fault("usage.incomplete-output-zero", "Sends 0 output_tokens if the response is incomplete.", NONZERO,
          response=final(lambda one: zero("output_tokens")(one["usage"]) if one["status"] == "incomplete" else None)),
    counted("input-details-empty", "Sends empty input_tokens_details.", DETAILS,
            how=put(input_tokens_details={})),
    counted("input-details-null-count", "Sends null as cached_tokens.", COMPLETE,
            how=put(input_tokens_details={"cached_tokens": None})),
    counted("output-details-empty", "Sends empty output_tokens_details.", "usage.reasoning-tokens-present",
            how=put(output_tokens_details={})),
    fault("usage.output-details-missing", "Omits output_tokens_details.", "response.schema",
          evidence="ggml-org/llama.cpp#22659",
          response=final(lambda one: one["usage"].pop("output_tokens_details"))),
    fault("usage.output-outside-ascii-zero", "Counts no output without ASCII characters.", NONZERO,
          response=outside_ascii("output_tokens", lambda ctx, document: document["output_text"])),
    fault("usage.input-outside-ascii-zero", "Counts no input without ASCII characters.", NONZERO,
          response=outside_ascii("input_tokens", lambda ctx, document: ctx.body["input"])),
    fault("usage.instructions-stay", "Counts the instructions of an earlier request where there are none.",
          "usage.same-input-same-tokens", response=instructions_stay),
    fault("usage.output-accumulates", "Adds up the output_tokens of all streams.", "usage.of-one-response",
          response=accumulated),
    fault("usage.accumulates", "Adds up input_tokens and output_tokens of all responses.", "usage.of-one-response",
          response=all_accumulated),
    counted("lists", "Wraps each counter in an array.", COMPLETE, how=in_all(lambda count: [count])),
]  # fmt: skip
