"""Cases whose findings have the messages of an earlier case: they report the same violation again."""

from __future__ import annotations

import re
from collections.abc import Mapping

from conformance.judge.normalise import without_numbers
from conformance.results.records import CaseRecord, FindingRecord

#: The location in a schema's message: the event or item and the path. The same member is the same violation anywhere.
_MEMBER = re.compile(r"^(?:[\w.]+: )?(?:/\S*)?(/\w+ (?:is|has) )")

_SERVED = re.compile(r"received HTTP 200")
_INVALID = "invalid request: "
_SERVER_ERROR = re.compile(rf"(?:{_INVALID})?received HTTP (5\d\d)")

#: Maximum number of rules with 5xx responses that are separate root causes; with more, the server is assumed to fail on
#: every invalid request, which is one violation.
_MAX_SEPARATE_SERVER_ERRORS = 6

#: The same, where only streaming requests fail like that: few of the invalid requests are sent with ``stream`` too.
_MAX_IN_STREAMS = 3

#: Different messages of a server that breaks on many requests, up to which each is a defect of its own.
_MESSAGES = 5

#: What precedes the fact that a documented request ended in a 5xx.
_DOCUMENTED = "documented: "

_REFUSED_4XX = re.compile(r"received HTTP 4")

#: A refusal with another status than expected: it is no number of a message, as the statuses of keys and bodies differ.
_OTHER_STATUS = re.compile(r"refused with HTTP \d{3}$")

#: Kinds of text in a stream: a server that handles one of them wrongly usually handles each like that.
_KIND_OF_TEXT = re.compile(r"\b(?:output_text|reasoning_text|function_call_arguments|custom_tool_call_input)\b")


def group_same_messages(roots: list[CaseRecord], causes: dict[str, str]) -> None:
    """Group a case all of whose findings were reported before under the one that reported the first of them."""
    first: dict[str, str] = {}
    requests = [one for one in roots if one.area != "auth"]  # A lock that breaks is a defect of its own.
    failing = [one for one in requests if any(map(_is_server_error, one.findings))]
    in_streams = all(name.endswith(".stream") for one in failing for name in one.found_in)
    most = _MAX_IN_STREAMS if in_streams else _MAX_SEPARATE_SERVER_ERRORS
    fails_always = len({one.requirement for one in failing}) > most
    server_error = [each.message for one in failing for each in one.findings if _is_server_error(each)]
    different = {without_location(_SERVER_ERROR.sub("", message)) for message in server_error}
    few = len(different) <= _MESSAGES and not in_streams
    for one in roots:
        # An unusual conversation is a valid request: that a server fails on it is not a failure on invalid ones.
        always = fails_always and one.area != "turns"
        words = [f"{_about(one)}{_fact(finding, one.area, always, few)}" for finding in one.findings]
        if any(_SERVED.match(finding.message) for finding in one.findings):
            continue  # Of two wrong requests that are served each is a defect of its own.
        own = [word + _of_a_refusal(one, finding) for word, finding in zip(words, one.findings, strict=True)]
        if own and all(word in first for word in own):
            causes[one.id] = first[own[0]]
        elif documented := _of_documented(one, own, first):
            causes[one.id] = documented
            continue  # What is only invalid follows from no request that is documented.
        for word in (*words, *own):
            first.setdefault(word, one.id)
            if word.startswith(_DOCUMENTED) and (parameter := _parameter(one)):
                first.setdefault(f"{parameter}{word.removeprefix(_DOCUMENTED)}", one.id)


def _of_documented(one: CaseRecord, words: list[str], first: Mapping[str, str]) -> str:
    """The case of a documented request with the same 5xx, where this one may be served too, or where it has an invalid
    value of the same parameter; empty without one."""
    before = _DOCUMENTED if _may_be_served(one) else _parameter(one)
    found = [first.get(f"{before}{word}", "") for word in words] if before else []
    return found[0] if all(found) and found else ""


def _parameter(one: CaseRecord) -> str:
    """The name of the parameter that a request is about, with a mark behind it; empty if it is about none."""
    name, mark, _ = one.scenario.partition("=")
    return f"{name}{mark}" if mark else ""


def _about(one: CaseRecord) -> str:
    """What a 5xx is about, where requests of other kinds that end in one have another reason: the reasoning."""
    served = all(finding.want == 200 for finding in one.findings)
    is_reasoning = one.area == "effort" or one.requirement.startswith("request.reasoning.")
    return "reasoning: " if served and is_reasoning and any(map(_is_server_error, one.findings)) else ""


def _is_server_error(finding: FindingRecord) -> bool:
    return _SERVER_ERROR.match(finding.message) is not None


def _may_be_served(one: CaseRecord) -> bool:
    """Whether its request may be refused or be served, and is no documented one with an invalid value."""
    return one.area != "request" and all("200" in str(finding.want) for finding in one.findings)


def _of_a_refusal(one: CaseRecord, finding: FindingRecord) -> str:
    """The complete message, where it reports that a request with one special member was refused: its numbers are the
    server's. A server that counts what is wrong refuses different requests in words that differ only in them."""
    special = finding.want == 200 and one.area in ("request", "effort", "tools")
    return f" {finding.message}" if special and _REFUSED_4XX.match(finding.message) else ""


def _fact(finding: FindingRecord, area: str, always: bool, few: bool) -> str:
    """The message without its location; of a server that breaks ``always``, only that it does, and with which
    words where they are ``few``. That it breaks on a documented request is another defect than on invalid ones."""
    message, valid = finding.message, _DOCUMENTED if finding.want == 200 else ""
    if _OTHER_STATUS.match(message):
        return message
    if (server_error := _SERVER_ERROR.match(message)) and (always or area == "auth"):
        words = without_location(message[server_error.end() :]) if few else ""
        return "the lock broke" if area == "auth" else f"{valid}broke with {server_error[1]}{words}"
    return f"{valid if server_error else ''}{without_location(message.removeprefix(_INVALID))}"


def without_location(message: str) -> str:
    """The message without its location and numbers."""
    return _KIND_OF_TEXT.sub("text", _MEMBER.sub(r"\1", without_numbers(message)))
