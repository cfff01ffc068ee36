"""The deterministic model of the built-in endpoint: equal requests have equal output, plain or streamed."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Callable, Iterator

from .arguments import fit
from .shapes import Item, Kind, ParsedRequest, Tool, to_json

OPENERS = ("Most evenings", "In early spring", "Before the storm", "After a long walk", "By the old bridge")
WHO = ("the patient gardener", "a young carpenter", "our neighbour", "the lighthouse keeper", "one student")
DOES = ("counts", "paints", "repairs", "describes", "collects", "measures")
WHAT = ("seven copper bells", "the broken clock", "small wooden boats", "letters from the sea", "river maps")
WHY = (
    "because nobody else remembers how it was done",
    "while the kettle slowly comes to the boil",
    "until the lamps along the harbour are lit",
    "so that the children will find it in summer",
)

REPEAT = re.compile(r"repeat exactly:\s*(.*)", re.IGNORECASE | re.DOTALL)
COUNT = re.compile(r"count from (\d{1,6}) to (\d{1,6})", re.IGNORECASE)
CODEWORD_QUESTION = re.compile(r"\b(what|which|tell|say|recall|repeat|give)\b[^.!?]*\bcodeword", re.IGNORECASE)
CODEWORD_STATEMENT = re.compile(r"\bcodeword is[:\s]+[\"'“]?([\w-]+)", re.IGNORECASE)
QUOTES = ('""', "''", "“”", "``", "«»")
# The highest number that it counts to.
FARTHEST = 5000


def draft(parsed: ParsedRequest, new_id: Callable[[str], str]) -> list[Item]:
    """The output items before max_output_tokens applies: reasoning if it is enabled, then calls or one message."""
    items: list[Item] = []
    if parsed.thinking:
        items.append(Item("reasoning", new_id("rs_"), (reasoning_text(parsed),)))
    wanted = calls(parsed)
    for tool, text in wanted:
        kind: Kind = "custom_tool_call" if tool.kind == "custom" else "function_call"
        ident = new_id("ctc_" if tool.kind == "custom" else "fc_")
        items.append(Item(kind, ident, (text,), "completed", tool.name, new_id("call_"), tool.namespace))
    if not wanted:
        items.append(Item("message", new_id("msg_"), (respond(parsed),)))
    return items


def reasoning_text(parsed: ParsedRequest) -> str:
    """The reasoning text: never empty, and different from the output text."""
    start = " ".join(last_text(parsed).split())[:40]
    tools = "A tool may help here. " if parsed.tools else ""
    return f"Let me think: the request begins with “{start}”. {tools}I will keep the reply short and plain."


def calls(parsed: ParsedRequest) -> list[tuple[Tool, str]]:
    """The calls, in order: one for each occurrence of a declared tool's name in the last user message."""
    if not parsed.tools or not parsed.turns or parsed.turns[-1].who != "user":
        return []
    text = parsed.turns[-1].text
    by_name = {tool.name: tool for tool in reversed(parsed.tools)}
    names = "|".join(re.escape(name) for name in sorted(by_name, key=len, reverse=True))
    hits = list(re.finditer(rf"(?<![\w-])(?:{names})(?![\w-])", text))
    made: list[tuple[Tool, str]] = []
    for hit, following in itertools.zip_longest(hits, hits[1:]):
        tool = by_name[hit.group()]
        rest = text[hit.end() : following.start() if following else None]
        if tool.kind == "custom":
            made.append((tool, " ".join(rest.split()) or "example"))
        else:
            made.append((tool, to_json(fit(tool.parameters, _capitalised(rest)))))
    return made


def respond(parsed: ParsedRequest) -> str:
    """The output text, never empty; a JSON object if that format was requested."""
    text = _plain(parsed)
    if not parsed.json_object:
        return text
    try:
        is_object = isinstance(json.loads(text), dict)
    except ValueError:
        is_object = False
    return text if is_object else to_json({"answer": text, "words": len(text.split())})


def last_text(parsed: ParsedRequest) -> str:
    """The text of the last user message, or the instructions if there is none."""
    return next((turn.text for turn in reversed(parsed.turns) if turn.who == "user"), parsed.instructions)


def sentence(seed: str) -> str:
    """An ordinary sentence of 12 to 25 words that depends on the seed."""
    bits = hashlib.sha256(seed.encode("utf-8", "replace")).digest()
    words = (OPENERS, WHO, DOES, WHAT, WHY)
    return " ".join(pool[bit % len(pool)] for pool, bit in zip(words, bits, strict=False)) + "."


def _plain(parsed: ParsedRequest) -> str:
    latest = itertools.takewhile(lambda turn: turn.who == "output", reversed(parsed.turns))
    if outputs := [turn.text for turn in latest]:
        return f"The tool answered: {'; '.join(reversed(outputs)) or 'nothing'}"
    text = last_text(parsed)
    if (repeat := REPEAT.search(text)) and (wanted := _unquoted(repeat.group(1).strip())):
        return wanted
    if count := COUNT.search(text):
        first, last = int(count.group(1)), int(count.group(2))
        if first <= last <= first + FARTHEST:
            return ", ".join(str(value) for value in range(first, last + 1))
    if "codeword" in text.lower() and CODEWORD_QUESTION.search(text):  # The first is fast in a long text.
        codewords = [
            found for place in (parsed.instructions, *_texts_of(parsed)) for found in CODEWORD_STATEMENT.findall(place)
        ]
        return f"The codeword is {codewords[-1]}." if codewords else "I do not know any codeword."
    return sentence("\n".join((parsed.instructions, *_texts_of(parsed))))


def _texts_of(parsed: ParsedRequest) -> Iterator[str]:
    return (turn.text for turn in parsed.turns)


def _capitalised(text: str) -> Iterator[str]:
    words = [word for word in re.findall(r"[^\W\d_][\w'-]*", text) if word[0].isupper()]
    # If a schema has more strings than the text has names, the last name is repeated.
    return itertools.chain(words, itertools.repeat(words[-1])) if words else iter(())


def _unquoted(text: str) -> str:
    quoted = len(text) > 2 and text[0] + text[-1] in QUOTES
    return text[1:-1] if quoted else text
