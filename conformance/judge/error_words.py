"""The message of an error body in the server's words, also of one in another form than that of the contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from conformance.decode.events import mapping
from conformance.decode.response import CannotEvaluate, Received
from conformance.judge.control import shortened

#: Members in which servers list what is wrong with a request, each with a text and a place.
_LISTS, _TEXTS, _PLACES = ("details", "detail", "errors"), ("message", "msg"), ("param", "loc", "path")


def words_of_error(received: Received) -> list[str]:
    """The message of the error, its reason, and the first of its details; without an error of the contract's
    form the details of the body, if it has any."""
    form = received.contract.error
    try:
        body = received.envelope
    except CannotEvaluate:
        return []
    error = mapping(form.of(body))
    words = [str(error[name]) for name in (form.message, *form.reason) if error.get(name)]
    return [*words, *first_detail(error)] or first_detail(mapping(body))


def without_repetition(words: Sequence[str]) -> list[str]:
    """The words of an error without those with which its message already begins, as where it starts with the place."""
    return [one for at, one in enumerate(words) if not at or not words[0].startswith(f"{one}:")]


def first_detail(error: Any) -> list[str]:
    """The first entry of a list of details, or their text; empty without any."""
    found = next((error[name] for name in _LISTS if error.get(name)), None)
    if isinstance(found, str):
        return [found]
    first = mapping(found[0]) if isinstance(found, list) else {}
    text = next((str(first[name]) for name in _TEXTS if first.get(name)), "")
    place = next((first[name] for name in _PLACES if first.get(name)), "")
    shown = ".".join(map(str, place)) if isinstance(place, list) else str(place)
    return [f"{text} ({shown})" if shown and shown not in text else text] if text else []


def failure_detail(response: Mapping[str, object]) -> str:
    """The message of a Response's error as ``": ..."``; empty without one."""
    error_text = mapping(response.get("error")).get("message")
    return f": {shortened(' '.join(error_text.split()), 160)}" if isinstance(error_text, str) and error_text else ""


def exception_of(received: Received) -> str:
    """The last line of a body that is a traceback, which states the exception; empty for any other body."""
    lines = received.exchange.body.decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:160] if lines and lines[0].startswith("Traceback (most recent call last)") else ""
