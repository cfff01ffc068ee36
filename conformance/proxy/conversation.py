"""The content of a request, in one form for both dialects: turns, tools and parameters.

What is legal for a translator is equal in this form: system and developer are one role, texts that follow one another
in one role are joined, a parameter has one name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from conformance.decode.events import mapping, objects

#: The role of system and developer messages, and of instructions.
SYSTEM = "system"

#: Schemas of a function without parameters.
_NO_PARAMETERS: tuple[Any, ...] = (None, {}, {"type": "object"}, {"type": "object", "properties": {}})


@dataclass
class Turn:
    """Consecutive contents of one role. ``texts`` are its texts in order; ``calls`` are (id, name, arguments),
    ``results`` (id of the call, its texts). ``media`` are URLs of images, audio and video, and ``order`` the order of
    texts and media, each ``text`` or a URL. ``reasoning`` are the texts of reasoning items."""

    role: str
    texts: list[str] = field(default_factory=list)
    calls: list[tuple[str, str, str]] = field(default_factory=list)
    results: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    media: list[str] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)

    @property
    def all_texts(self) -> list[str]:
        """The texts and the tool results."""
        return [*self.texts, *("".join(texts) for _, texts in self.results)]


@dataclass
class Conversation:
    """``system`` are the texts of instructions, system and developer messages in order; ``turns`` all others;
    ``tools`` by name; ``parameters`` by the names of the Responses API; ``problems`` are violations of the dialect;
    ``places`` are the numbers of other contents before each text of ``system``."""

    model: Any
    system: list[str]
    turns: list[Turn]
    tools: dict[str, dict[str, Any]]
    parameters: dict[str, Any]
    problems: list[str] = field(default_factory=list)
    places: list[int] = field(default_factory=list)

    @property
    def contents(self) -> int:
        """The number of contents of all turns."""
        return sum(len(one.texts) + len(one.calls) + len(one.results) + len(one.media) for one in self.turns)


def of_responses(body: dict[str, Any]) -> Conversation:
    """The content of a request of the Responses API."""
    made = Conversation(body.get("model"), [], [], {}, {})
    if isinstance(body.get("instructions"), str):
        made.system.append(body["instructions"])
        made.places.append(0)
    given = body.get("input")
    if isinstance(given, str):
        _turn(made, "user").texts.append(given)
    elif not isinstance(given, list):
        made.problems.append("input is neither a string nor an array")
    for item in objects(given):
        _add_item(made, item)
    for tool in objects(body.get("tools")):
        if tool.get("type") == "function" and not isinstance(tool.get("parameters"), dict):
            made.problems.append(f"the tool {tool.get('name')} has no parameters, which the contract requires")
        _add_tool(made, tool)
    for name in ("temperature", "top_p", "max_output_tokens", "tool_choice"):
        if body.get(name) is not None:
            made.parameters[name] = body[name]
    if (effort := mapping(body.get("reasoning")).get("effort")) is not None:
        made.parameters["effort"] = effort
    _set_format(made, mapping(body.get("text")).get("format"))
    _set_other(made, body)
    return made


def form_of_input(body: Any) -> str:
    """In which form the input of a request of the Responses API is: proxies that drop one serve the others."""
    given = mapping(body).get("input")
    if isinstance(given, str):
        return "a string"
    untyped = any("type" not in item for item in objects(given))
    return "messages without a type" if untyped else "items with a type"


def _turn(made: Conversation, role: str) -> Turn:
    """The last turn if it has this role, else a new one."""
    if not made.turns or made.turns[-1].role != role:
        made.turns.append(Turn(role))
    return made.turns[-1]


def _add_item(made: Conversation, item: dict[str, Any]) -> None:
    kind = item.get("type", "message")
    if kind == "function_call":
        call = (str(item.get("call_id")), str(item.get("name")), str(item.get("arguments")))
        _turn(made, "assistant").calls.append(call)
    elif kind == "function_call_output":
        _turn(made, "tool").results.append((str(item.get("call_id")), tuple(_texts(item.get("output")))))
    elif kind == "reasoning":
        parts = [*objects(item.get("content")), *objects(item.get("summary"))]
        _turn(made, "assistant").reasoning += [str(part.get("text", "")) for part in parts]
    elif kind == "message":
        _add_message(made, str(item.get("role")), item.get("content"))
    else:
        made.problems.append(f"an input item has the type {kind!r}")


def _add_message(made: Conversation, role: str, content: Any) -> None:
    if role in ("system", "developer"):
        texts = _texts(content)
        made.system += texts
        made.places += [made.contents] * len(texts)
        return
    turn = _turn(made, role)
    turn.texts += _texts(content)
    turn.media += media(content)
    turn.order += ["text"] * bool(content and isinstance(content, str))
    for part in objects(content):
        turn.order += [*media([part])] or ["text"] * bool(part.get("text"))


def _texts(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    return [part["text"] for part in objects(content) if isinstance(part.get("text"), str)]


def media(content: Any) -> Iterator[str]:
    for part in objects(content):
        for name in ("image_url", "audio_url", "video_url", "input_audio"):
            value = part.get(name)
            found = value if isinstance(value, str) else mapping(value).get("url") or mapping(value).get("data")
            if isinstance(found, str):
                yield found


def of_chat(body: dict[str, Any]) -> Conversation:
    """The content of a Chat Completions request."""
    made = Conversation(body.get("model"), [], [], {}, {})
    if not isinstance(body.get("messages"), list) or not body["messages"]:
        made.problems.append("messages is missing or empty")
    for message in objects(body.get("messages")):
        _add_chat_message(made, message)
    if waiting := _without_result(objects(body.get("messages"))):
        made.problems.append(waiting)
    if orphan := _without_call(objects(body.get("messages"))):
        made.problems.append(f"the tool message with the id {orphan} does not follow a message with that call")
    if body.get("stream_options") is not None and body.get("stream") is not True:
        made.problems.append("stream_options is set without stream: true")
    for tool in objects(body.get("tools")):
        if not isinstance(tool.get("function"), dict):
            made.problems.append("a tool has no member function")
        _add_tool(made, {**tool, **mapping(tool.get("function"))})
    for name, meant in _CHAT_PARAMETERS.items():
        if body.get(name) is not None:
            made.parameters[meant] = body[name]
    _set_effort(made, body)
    _set_format(made, body.get("response_format"))
    _set_other(made, body)
    return made


_CHAT_PARAMETERS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "max_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
    "tool_choice": "tool_choice",
}

#: Types of content parts in the dialect chat.
_CHAT_PARTS = ("text", "image_url", "input_audio", "file", "refusal", "video_url", "audio_url")

#: Parameters that change the output, with their neutral values, by which a proxy can state a default.
_OTHER: dict[str, tuple[Any, ...]] = {
    "n": (1,), "stop": ([], ""), "presence_penalty": (0,), "frequency_penalty": (0,), "seed": (), "logit_bias": ({},),
    "top_k": (0, -1), "min_p": (0,), "repetition_penalty": (1,), "prefix": (False,), "previous_response_id": (),
    "truncation": ("disabled",), "functions": ([],), "parallel_tool_calls": (True,),
}  # fmt: skip


def _add_chat_message(made: Conversation, message: dict[str, Any]) -> None:
    role, content = str(message.get("role")), message.get("content")
    if role not in ("system", "developer", "user", "assistant", "tool"):
        made.problems.append(f"a message has the role {role!r}")
    if not isinstance(content, str | list | None):
        made.problems.append(f"the content of a {role} message is neither a string nor an array")
    for part in objects(content):
        if part.get("type") not in _CHAT_PARTS:
            made.problems.append(f"a content part has the type {part.get('type')!r}, expected text or image_url")
    if role == "tool":
        _turn(made, "tool").results.append((str(message.get("tool_call_id")), tuple(_texts(content))))
        return
    _add_message(made, role, content)
    if role != "assistant":
        return
    turn = _turn(made, "assistant")
    if isinstance(message.get("reasoning_content"), str):
        turn.reasoning.append(message["reasoning_content"])
    for call in objects(message.get("tool_calls")):
        function = mapping(call.get("function"))
        if not isinstance(function.get("arguments"), str):
            made.problems.append("the arguments of a tool call are not a string")
        turn.calls.append((str(call.get("id")), str(function.get("name")), _string(function.get("arguments"))))


def _without_result(messages: list[dict[str, Any]]) -> str:
    """A call whose result is not in the tool messages that follow its message directly, as a problem; empty if there is
    none."""
    waiting: list[str] = []
    results: list[str] = []
    for message in [*messages, {}]:
        if message.get("role") == "tool":
            results.append(str(message.get("tool_call_id")))
        elif missing := [one for one in waiting if one not in results]:
            got = f"tool results with the ids {', '.join(results)}" if results else "no tool result"
            return f"the tool call {missing[0]} is followed by {got}, expected its own result"
        else:
            waiting, results = [str(call.get("id")) for call in objects(message.get("tool_calls"))], []
    return ""


def _without_call(messages: list[dict[str, Any]]) -> str:
    """The id of a tool message that does not follow a message with its call; empty if there is none."""
    ids: list[Any] = []
    for message in messages:
        if message.get("role") != "tool":
            ids = [call.get("id") for call in objects(message.get("tool_calls"))]
        elif message.get("tool_call_id") not in ids:
            return str(message.get("tool_call_id"))
    return ""


def _string(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _add_tool(made: Conversation, tool: dict[str, Any]) -> None:
    parameters = tool.get("parameters")
    made.tools[str(tool.get("name"))] = {
        "description": tool.get("description") or "",
        "parameters": None if parameters in _NO_PARAMETERS else parameters,
        "strict": tool.get("strict"),
    }


Texts = tuple[str, ...]


def results_by_id(sent: list[tuple[str, Texts]], received: list[tuple[str, Texts]]) -> list[tuple[str, Texts, Texts]]:
    """For each tool result the id of its call, its text and that which was received: the one with that id, in any
    order, or the one at its place where the ids are others, or the same texts have other ids (:func:`pairing`)."""
    ids, texts = ([sorted(one[at] for one in each) for each in (sent, received)] for at in (0, 1))
    if ids[0] == ids[1] and texts[0] != texts[1]:
        names = [one for one, _ in sent]
        received = sorted(received, key=lambda one: names.index(one[0]))
    elif texts[0] == texts[1]:
        received = sent
    return [(name, text, actual) for (name, text), (_, actual) in zip(sent, received, strict=True)]


def pairing(conversation: Conversation) -> list[tuple[Texts, int, str]]:
    """For each tool result its text, the number of the call that it belongs to by its id (-1: none), and its id."""
    ids = [call[0] for turn in conversation.turns for call in turn.calls]
    results = [result for turn in conversation.turns for result in turn.results]
    return [(text, ids.index(one) if one in ids else -1, one) for one, text in results]


def _set_effort(made: Conversation, body: dict[str, Any]) -> None:
    """The effort, by any of the parameters in use; ``on`` and ``off`` if reasoning is only switched."""
    nested, switch = mapping(body.get("reasoning")), mapping(body.get("thinking"))
    template = {**mapping(body.get("chat_template_kwargs")), **mapping(body.get("extra_body"))}
    flags = [one.get("enable_thinking") for one in (body, template)]
    flags += [template.get("thinking"), nested.get("enabled")]
    for effort in (body.get("reasoning_effort"), nested.get("effort"), template.get("reasoning_effort")):
        if effort is not None:
            made.parameters["effort"] = effort
            return
    kind = switch.get("type") or mapping(template.get("thinking")).get("type")
    if kind == "disabled" or False in flags:
        made.parameters["effort"] = "off"
    elif kind in ("enabled", "adaptive") or True in flags:
        made.parameters["effort"] = "on"


def _set_format(made: Conversation, value: Any) -> None:
    kind = mapping(value).get("type")
    if kind is not None and kind != "text":
        made.parameters["format"] = kind


def _set_other(made: Conversation, body: dict[str, Any]) -> None:
    for name, neutral in _OTHER.items():
        has_effect = name != "parallel_tool_calls" or bool(body.get("tools"))
        if has_effect and body.get(name) is not None and body[name] not in neutral:
            made.parameters[name] = body[name]


def of(body: dict[str, Any], dialect: str) -> Conversation:
    """The content of a request in a dialect."""
    return of_chat(body) if dialect == "chat" else of_responses(body)


def counted(turns: Iterable[Turn]) -> dict[str, int]:
    """The numbers of ``calls`` and of ``results``."""
    return {name: sum(len(getattr(one, name)) for one in turns) for name in ("calls", "results")}
