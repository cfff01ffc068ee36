"""The hooks of the faults: functions that change one layer of the reference proxy."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from typing import Any

from ..shapes import Dict, to_json
from .habit import Context, Failure


def texts(change: Callable[[str], str], *roles: str) -> Any:
    """A hook that changes the texts of messages of these roles (all without any)."""

    def sent(ctx: Context, body: Dict) -> Dict:
        if ctx.dialect == "chat":
            for one in body["messages"]:
                if not roles or one["role"] in roles:
                    one["content"] = _changed(one["content"], change)
            return body
        if not roles or "system" in roles:
            body = {**body, **({"instructions": change(body["instructions"])} if body.get("instructions") else {})}
        given = body.get("input")
        if isinstance(given, str):
            return {**body, "input": change(given)} if not roles or "user" in roles else body
        return {**body, "input": [_item(one, change, roles) for one in given or ()]}

    return sent


def _changed(content: Any, change: Callable[[str], str]) -> Any:
    if isinstance(content, str):
        return change(content)
    if isinstance(content, list):
        return [{**part, "text": change(part["text"])} if "text" in part else part for part in content]
    return content


def _item(one: Dict, change: Callable[[str], str], roles: tuple[str, ...]) -> Dict:
    role = one.get("role", "tool" if one.get("type") == "function_call_output" else "")
    if roles and ("system" if role == "developer" else role) not in roles:
        return one
    name = "output" if role == "tool" else "content"
    return {**one, name: _changed(one[name], change)} if name in one else one


def messages(change: Callable[[list[Dict]], list[Dict]]) -> Any:
    """A hook that changes the list of messages, or of input items."""

    def sent(ctx: Context, body: Dict) -> Dict:
        name = "messages" if ctx.dialect == "chat" else "input"
        return {**body, name: change([dict(one) for one in body[name]])} if isinstance(body.get(name), list) else body

    return sent


def without(*names: str) -> Any:
    """A hook that removes parameters."""
    return lambda ctx, body: {name: value for name, value in body.items() if name not in names}


def given(**values: Any) -> Any:
    """A hook that adds parameters that are absent."""
    return lambda ctx, body: {**values, **body}


def tools(change: Callable[[Dict], Dict]) -> Any:
    """A hook that changes each function."""

    def sent(ctx: Context, body: Dict) -> Dict:
        if "tools" in body and ctx.dialect == "chat":
            body["tools"] = [{**one, "function": change(dict(one["function"]))} for one in body["tools"]]
        elif "tools" in body:
            body["tools"] = [change(dict(one)) for one in body["tools"]]
        return body

    return sent


def deltas(kind: str, change: Callable[[str], str | None]) -> Any:
    """A hook for the events of a stream: changes each delta of a kind (None: the event is left out)."""

    def events(ctx: Context, event: Dict) -> list[Dict]:
        if event.get("type") != f"response.{kind}.delta":
            return [event]
        made = change(event["delta"])
        return [] if made is None else [{**event, "delta": made}]

    return events


def final(change: Callable[[Dict], Dict], stream: bool = True, plain: bool = True) -> dict[str, Any]:
    """Hooks that change the final Response."""

    def events(ctx: Context, event: Dict) -> list[Dict]:
        if event.get("type") in ("response.completed", "response.incomplete"):
            made = change(json.loads(to_json(event["response"])))
            return [{**event, "type": f"response.{made['status']}", "response": made}]
        return [event]

    hooks: dict[str, Any] = {"plain": lambda ctx, body: change(body)} if plain else {}
    return {**hooks, "events": events} if stream else hooks


def failing(change: Callable[[Failure], Failure]) -> Any:
    """A hook that changes an error for the client."""
    return lambda ctx, failure: change(failure)


def usage(**values: Any) -> Callable[[Dict], Dict]:
    return lambda body: {**body, "usage": {**(body.get("usage") or {}), **values}}


def calls(change: Callable[[Dict], Dict]) -> Callable[[Dict], Dict]:
    def made(body: Dict) -> Dict:
        items = [change(dict(one)) if one["type"] == "function_call" else one for one in body["output"]]
        return {**body, "output": items}

    return made


def statuses(mapping: Callable[[int], int]) -> Any:
    return failing(lambda one: Failure(mapping(one.status), one.message, one.headers))


def leak(ctx: Context, failure: Failure) -> Failure:
    message = f"{failure.message}: POST {ctx.upstream} with Authorization Bearer {ctx.keys['upstream']}"
    return Failure(failure.status, message, failure.headers)


def address(ctx: Context, failure: Failure) -> Failure:
    return Failure(failure.status, f"{failure.message}: cannot connect to {ctx.upstream}", failure.headers)


def system_text(text: str) -> Any:
    def sent(ctx: Context, body: Dict) -> Dict:
        if ctx.dialect == "chat":
            return {**body, "messages": [{"role": "system", "content": text}, *body["messages"]]}
        return {**body, "instructions": f"{text}\n{body.get('instructions') or ''}"}

    return sent


def stale(ctx: Context, body: Dict) -> Dict:
    """Sends the messages of the request before too."""
    name = "messages" if ctx.dialect == "chat" else "input"
    now = body[name] if isinstance(body[name], list) else [{"role": "user", "content": body[name]}]
    with ctx.lock:
        before = ctx.memory.get("messages", [])
        ctx.memory["messages"] = now
    return {**body, name: [*before, *now]}


def mixed(kind: str) -> Any:
    """A hook for the events of a stream: sends the latest delta of a kind of any stream, while there are several."""

    def events(ctx: Context, event: Dict) -> list[Dict]:
        with ctx.lock:
            running = ctx.memory.setdefault("running", set())
            running.add(id(ctx))
            if event.get("type") in ("response.completed", "response.incomplete"):
                running.discard(id(ctx))
            if event.get("type") != f"response.{kind}.delta" or len(running) < 2:
                return [event]
            made, ctx.memory["delta"] = ctx.memory.get("delta", event["delta"]), event["delta"]
        return [{**event, "delta": made}]

    return events


def kept_text(ctx: Context, event: Dict) -> list[Dict]:
    """Keeps the text of a stream that does not end."""
    with ctx.lock:
        if event.get("type") == "response.output_text.delta":
            ctx.memory["kept"] = ctx.memory.get("kept", "") + event["delta"]
        elif event.get("type") in ("response.completed", "response.incomplete"):
            ctx.memory.pop("kept", None)
    return [event]


def kept_text_next(ctx: Context, body: Dict) -> Dict:
    """Sends the text that was kept in the next response."""
    with ctx.lock:
        kept = ctx.memory.pop("kept", "")
    return message_text(lambda text: kept or text)(body)


def renamed_calls(ctx: Context, body: Dict) -> Dict:
    return calls(lambda one: {**one, "call_id": "call_" + secrets.token_hex(8)})(body)


def renamed_events(ctx: Context, event: Dict) -> list[Dict]:
    def new(one: Dict) -> Dict:
        return {**one, "call_id": "new_" + one["call_id"]} if one.get("type") == "function_call" else one

    if "item" in event:
        event = {**event, "item": new(event["item"])}
    if event.get("response", {}).get("output"):
        event = {
            **event,
            "response": {**event["response"], "output": [new(one) for one in event["response"]["output"]]},
        }
    return [event]


def results_by_order(items: list[Dict]) -> list[Dict]:
    """Gives the results the ids of the calls in the order of the calls."""
    ids = [call["id"] for one in items for call in one.get("tool_calls") or ()]
    ids += [one["call_id"] for one in items if one.get("type") == "function_call"]
    places = iter(ids)
    for one in items:
        if one.get("role") == "tool" or one.get("type") == "function_call_output":
            one["tool_call_id" if "role" in one else "call_id"] = next(places)
    return items


def untranslated(ctx: Context, body: Dict) -> Dict:
    for one in body["messages"]:
        if isinstance(one["content"], list):
            one["content"] = [{**part, "type": f"input_{part['type']}"} for part in one["content"]]
    return body


def key_of_client(ctx: Context, headers: dict[str, str]) -> dict[str, str]:
    return {**headers, "Authorization": ctx.headers.get("authorization", "")}


def _first_part(content: Any) -> Any:
    return content[:1] if isinstance(content, list) else content


def only_first_parts(items: list[Dict]) -> list[Dict]:
    return [{**one, "content": _first_part(one["content"])} if "content" in one else one for one in items]


def no_assistant(items: list[Dict]) -> list[Dict]:
    return [one for one in items if not (one.get("role") == "assistant" and not one.get("tool_calls"))]


def system_as_user(items: list[Dict]) -> list[Dict]:
    return [{**one, "role": "user"} if one.get("role") == "developer" else one for one in items]


def first_system_only(items: list[Dict]) -> list[Dict]:
    return [one for at, one in enumerate(items) if at < 2 or one.get("role") not in ("system", "developer")]


def low_temperature(ctx: Context, body: Dict) -> Dict:
    return {**body, **({"temperature": min(1, body["temperature"])} if "temperature" in body else {})}


def no_images(items: list[Dict]) -> list[Dict]:
    for one in items:
        if isinstance(one.get("content"), list):
            one["content"] = [part for part in one["content"] if "text" in part]
    return items


def no_reasoning(items: list[Dict]) -> list[Dict]:
    kept = [{k: v for k, v in one.items() if k != "reasoning_content"} for one in items]
    return [one for one in kept if one.get("type") != "reasoning"]


def truthy(ctx: Context, body: Dict) -> Dict:
    """Leaves out parameters that are zero."""
    return {name: value for name, value in body.items() if value != 0 or isinstance(value, bool)}


def flat(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    made = {name: value for name, value in schema.items() if name not in ("anyOf", "$defs", "minItems")}
    return {
        name: {k: flat(v) for k, v in value.items()} if name == "properties" else value for name, value in made.items()
    }


def no_cap(ctx: Context, body: Dict) -> Dict:
    return without("max_completion_tokens", "max_output_tokens")(ctx, body)  # type: ignore[no-any-return]


def one_effort(ctx: Context, body: Dict) -> Dict:
    if "reasoning_effort" in body:
        body["reasoning_effort"] = "medium"
    if "reasoning" in body:
        body["reasoning"] = {"effort": "medium"}
    return body


def no_effort(ctx: Context, body: Dict) -> Dict:
    return without("reasoning_effort", "reasoning")(ctx, body)  # type: ignore[no-any-return]


def no_format(ctx: Context, body: Dict) -> Dict:
    return without("response_format", "text")(ctx, body)  # type: ignore[no-any-return]


def no_items(kind: str) -> Callable[[Dict], Dict]:
    return lambda body: {**body, "output": [one for one in body["output"] if one["type"] != kind]}


def message_text(change: Callable[[str], str]) -> Callable[[Dict], Dict]:
    def made(body: Dict) -> Dict:
        for one in body["output"]:
            for part in one.get("content") or () if one["type"] == "message" else ():
                part["text"] = change(part["text"])
        body["output_text"] = change(body.get("output_text") or "")
        return body

    return made


def completed(body: Dict) -> Dict:
    return {**body, "status": "completed", "incomplete_details": None}
