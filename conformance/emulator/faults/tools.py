"""Faults in tool calls and in handling tool outputs."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..event_edits import change, cut, everywhere, put, texts_changed
from ..hooks import Behaviour, Context, fault
from ..request import declared_tools
from ..request_hooks import crash, input_items, refuse
from ..shapes import Dict, Item, ParsedRequest, to_json

SHAPE, JSON, FIT = "tools.call-shape", "tools.arguments-are-json", "tools.arguments-fit-schema"
DISTINCT, EITHER = "tools.call-ids-distinct", "tools.called-either-way"


def call(name: str, says: str, how: Callable[[Dict], object], *rules: str) -> Behaviour:
    """Changes every function call in events and output."""
    return fault(f"tools.{name}", says, *(rules or (SHAPE,)), **everywhere(how, "function_call"))


def arguments(name: str, says: str, rule: str, how: Callable[[str], str]) -> Behaviour:
    """Changes the arguments before rendering, so that deltas and done events still agree."""
    return fault(f"tools.{name}", says, rule, draft=texts_changed(how, "function_call"))


def object_of(how: Callable[[Dict], Any]) -> Callable[[str], str]:
    return lambda text: to_json(how(json.loads(text)))


def renamed(how: Callable[[str], str]) -> Callable[[Context, list[Item]], list[Item]]:
    return lambda _, items: [replace(one, name=how(one.name)) if one.is_call else one for one in items]


def as_object(item: Dict) -> None:
    try:
        item["arguments"] = json.loads(item["arguments"])
    except ValueError:
        # Calls in output_item.added and truncated calls have no complete arguments.
        item["arguments"] = {}


def chat_form(item: Dict) -> None:
    item["function"] = {"name": item.pop("name"), "arguments": item.pop("arguments")}


def same_call_id(_: Context, items: list[Item]) -> list[Item]:
    first = next((one.call_id for one in items if one.is_call), "")
    return [replace(one, call_id=first) if one.is_call else one for one in items]


def counted_call_ids(_: Context, items: list[Item]) -> list[Item]:
    return [replace(one, call_id=f"call_{place}") if one.is_call else one for place, one in enumerate(items)]


def call_id_is_id(_: Context, items: list[Item]) -> list[Item]:
    return [replace(one, call_id=one.id) if one.is_call else one for one in items]


def as_markup(_: Context, items: list[Item]) -> list[Item]:
    """Sends the call as markup in the text."""
    return [
        replace(one, kind="message", texts=(
            f'<tool_call>\n{{"name": "{one.name}", "arguments": {one.texts[0]}}}\n</tool_call>',))
        if one.is_call else one for one in items
    ]  # fmt: skip


def beside_markup(ctx: Context, items: list[Item]) -> list[Item]:
    calls = [one for one in items if one.is_call]
    leak = [Item("message", ctx.new_id("msg_"), ("</tool_call>",))] if calls else []
    return [*items, *leak]


def as_json_text(ctx: Context, items: list[Item]) -> list[Item]:
    """In streams, sends the call as the text of a message, without markup."""
    return [
        replace(one, kind="message", texts=(to_json({"name": one.name, "arguments": one.texts[0]}),))
        if one.is_call and ctx.stream else one for one in items
    ]  # fmt: skip


def without_tools(stream: bool) -> Callable[[Context, ParsedRequest], ParsedRequest]:
    return lambda ctx, parsed: replace(parsed, tools=()) if ctx.stream == stream else parsed


def uncalled(ctx: Context, items: list[Item]) -> list[Item]:
    """Calls an undeclared tool."""
    if declared_tools(ctx.body):
        return items
    return [*items, Item("function_call", ctx.new_id("fc_"), ('{"query":"news"}',), "completed", "web_search",
                         ctx.new_id("call_"))]  # fmt: skip


def output(kind: type) -> Callable[[Dict], bool]:
    return lambda body: any(
        one.get("type") == "function_call_output" and isinstance(one.get("output"), kind)
        for one in input_items(body)
    )  # fmt: skip


def wrong_types(values: Dict) -> Dict:
    """Replaces numbers by strings and strings by numbers."""
    return {name: 7 if isinstance(value, str) else str(value) for name, value in values.items()}


FAULTS = [
    call("type-is-tool-call", "Sends calls with type tool_call.", put(type="tool_call")),
    call("type-is-function", "Sends calls with type function.", put(type="function")),
    call("in-chat-form", "Nests name and arguments as chat completions do.", chat_form),
    call("call-id-missing", "Omits call_id.", cut("call_id")),
    call("call-id-empty", "Sends an empty call_id.", put(call_id="")),
    call("call-id-null", "Sends null as call_id.", put(call_id=None)),
    call("item-id-missing", "Omits the id of calls.", cut("id")),
    call("name-missing", "Omits the name of calls.", cut("name")),
    call("name-empty", "Sends an empty name of calls.", put(name="")),
    call("arguments-are-an-object", "Sends arguments as an object.", as_object),
    call("arguments-missing", "Omits the arguments of calls.", cut("arguments")),
    call("arguments-are-null", "Sends null as arguments.", put(arguments=None)),
    fault("tools.name-with-prefix", "Sends the name of the tool with the prefix functions.", SHAPE,
          draft=renamed(lambda name: f"functions.{name}")),
    fault("tools.name-in-capitals", "Changes the case of the name of the tool.", SHAPE,
          draft=renamed(str.upper)),
    fault("tools.name-truncated", "Truncates the name of the tool.", SHAPE,
          draft=renamed(lambda name: name[:-1])),
    fault("tools.name-with-blank", "Adds a space to the name of the tool.", SHAPE,
          draft=renamed(lambda name: f"{name} ")),
    arguments("arguments-in-single-quotes", "Sends the representation of a Python dictionary as arguments.", JSON,
              lambda text: repr(json.loads(text))),
    arguments("arguments-unclosed", "Omits the last brace of arguments.", JSON, lambda text: text[:-1]),
    arguments("arguments-doubled", "Sends arguments twice in a row.", JSON, lambda text: text * 2),
    arguments("arguments-with-comma", "Sends a trailing comma in arguments.", JSON,
              lambda text: text[:-1] + ",}"),
    arguments("arguments-in-a-fence", "Wraps arguments in a code fence.", JSON,
              lambda text: f"```json\n{text}\n```"),
    arguments("arguments-empty", "Sends an empty string as arguments.", JSON, lambda _: ""),
    arguments("arguments-with-markup", "Sends an end tag after arguments.", JSON,
              lambda text: f"{text}</tool_call>"),
    arguments("arguments-encoded-twice", "Encodes arguments twice.", FIT, to_json),
    arguments("arguments-are-null-text", "Sends the JSON value null in arguments.", FIT, lambda _: "null"),
    arguments("arguments-without-members", "Calls without the required arguments.", FIT, lambda _: "{}"),
    arguments("arguments-nested", "Nests arguments one level too deep.", FIT,
              object_of(lambda values: {"arguments": values})),
    arguments("arguments-of-wrong-type", "Swaps strings and numbers in arguments.", FIT,
              object_of(wrong_types)),
    arguments("arguments-in-a-list", "Wraps arguments in an array.", FIT, object_of(lambda values: [values])),
    fault("tools.call-ids-equal", "Sends the same call_id for parallel calls.", DISTINCT, draft=same_call_id),
    fault("tools.call-ids-start-anew", "Numbers call_ids from 0 in every response.",
          "tools.call-ids-unique-in-run", draft=counted_call_ids),
    fault("tools.call-id-is-item-id", "Sends the id of the item as call_id.", DISTINCT, draft=call_id_is_id),
    fault("tools.call-left-in-text", "Sends the call as markup in the text.", "tools.no-markup-leak",
          draft=as_markup),
    fault("tools.streamed-as-text", "Sends calls as the text of a message in streams.", EITHER, draft=as_json_text),
    fault("tools.not-in-streams", "Ignores tools in streaming requests.", EITHER, parsed=without_tools(True)),
    fault("tools.in-streams-only", "Ignores tools in plain requests.", EITHER, parsed=without_tools(False)),
    fault("tools.tag-beside-call", "Leaves a tag of the call in the text.", "tools.no-markup-leak",
          draft=beside_markup),
    fault("tools.output-string-refused", "Refuses tool outputs as strings.", "tools.output-accepted",
          validate=refuse(output(str), "input[0].output")),
    fault("tools.output-is-500", "Responds with HTTP 500 to tool outputs as strings.", "tools.output-accepted",
          validate=crash(output(str))),
    fault("tools.output-parts-refused", "Refuses tool outputs as parts.", "tools.output-parts-accepted",
          validate=refuse(output(list), "input[0].output")),
    fault("tools.output-parts-is-500", "Responds with HTTP 500 to tool outputs as parts.",
          "tools.output-parts-accepted",
          validate=crash(output(list))),
    fault("tools.undeclared-called", "Calls a tool although none is declared.",
          "tools.none-declared-none-called", draft=uncalled),
    fault("tools.other-tool-called", "Calls an undeclared tool.", SHAPE,
          draft=renamed(lambda _: "multi_tool_use.parallel")),
    call("status-unknown", "Sends calls with an unknown status.", change("status", lambda _: "called"),
         "response.schema"),
]  # fmt: skip
