"""Errors that are the text of a completed Response: what shows that a text is the server's and not the model's.

A model does not see the credential, the name of a parameter or the name of an unknown model. A text that states it, in
the response to a request whose parameter, model or credential is invalid, is an error message. The request must not
contain it either: a server may repeat the input.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from conformance.decode.response import CannotEvaluate, Received
from conformance.scenarios.scenario import Scenario

#: Words about credentials.
_CREDENTIAL = re.compile(r"\b(?:api[ _-]?key|unauthori[sz]ed|authentication|credentials?)\b", re.IGNORECASE)

#: The shortest name of a model that no text contains by chance, and the shortest beginning that texts share.
_LONG_NAME, _BEGINNING = 10, 5

#: From so many such texts on they are no chance.
_TEXTS = 3


def error_texts(responses: Sequence[Received], scenarios: Mapping[str, Scenario]) -> list[tuple[Received, str]]:
    """The completed responses to invalid requests whose text is an error message, each with it: those whose text shows
    it, and those with the beginning that all of these have. None if too few show it, or none of those that must be
    refused: a server may serve a value that is out of range, and state that."""
    texts = [(one, text) for one in responses if (text := _text(one))]
    shown = [(one, text) for one, text in texts if _states_what_is_invalid(one, text, scenarios[one.scenario])]
    if len(shown) < _TEXTS or not any(_must_be_refused(one, scenarios[one.scenario]) for one, _ in shown):
        return []
    begins = _common_beginning([text for _, text in shown])
    if len(begins) < _BEGINNING:
        return shown
    return [(one, text) for one, text in texts if text.startswith(begins)]


def _common_beginning(texts: Sequence[str]) -> str:
    first, last = min(texts), max(texts)
    return first[: next((at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))]


def _text(one: Received) -> str:
    """The text of a completed Response; empty for any other response."""
    try:
        return one.words if one.exchange.ok and one.response.get("status") == "completed" else ""
    except CannotEvaluate:
        return ""


def _must_be_refused(one: Received, scenario: Scenario) -> bool:
    return "auth-refused" in scenario.tags or bool(_unknown_model(one, scenario))


def _unknown_model(one: Received, scenario: Scenario) -> str:
    model = one.sent.get("model")
    is_bad = "bad" in scenario.tags and scenario.about.get("rule") == "unknown-model"
    return model if is_bad and isinstance(model, str) and len(model) >= _LONG_NAME else ""


def _states_what_is_invalid(one: Received, text: str, scenario: Scenario) -> bool:
    given = json.dumps([one.sent.get("input"), one.sent.get("instructions")], ensure_ascii=False)
    if any(words in text for words in re.findall(r'"([^"]{10,})"', given)):
        return False  # The server repeats the request.
    if "auth-refused" in scenario.tags:
        return _CREDENTIAL.search(text) is not None and not _CREDENTIAL.search(given)
    names = re.findall(r"\w+_\w+", str(scenario.about.get("parameter", "")))
    return any(name in text and name not in given for name in (*names, _unknown_model(one, scenario)) if name)
