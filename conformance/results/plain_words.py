"""One line for each cause, for a reader who knows neither rules nor cases: what is wrong, and what follows from it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from conformance.judge.control import shortened
from conformance.judge.normalise import without_numbers
from conformance.judge.verdict import FAIL, INCONCLUSIVE, WARNING
from conformance.results.causes import Cause, causes
from conformance.results.records import CaseRecord, FindingRecord
from conformance.results.score import many
from conformance.results.shared_traits import says
from conformance.scenarios import descriptions

#: Characters of a server's message that are shown, and of that of another outcome.
_MESSAGE, _OTHER_MESSAGE = 200, 60

#: What a rule about acceptance is about, by the rule; of others the parameter is the name between its first and its
#: last part.
_SUBJECTS = {
    "auth.api-key-header-accepted": "the api-key header",
    "auth.bearer-accepted": "Authorization: Bearer",
    "request.stream-accepted": "stream: true",
    "request.reasoning.effort-accepted": "reasoning.effort, with any value,",
    "request.tools-accepted": "a request with function tools",
    "request.input-string": "input as a string",
    "request.input-messages": "input as messages with a type",
    "request.untyped-message": "a message without type",
    "request.input-parts": "a message whose content is parts",
    "request.input-roles": "a message of one of the roles",
    "request.input-output-message": "an earlier output message in input",
    "request.reasoning-returned": "a returned reasoning item",
}

#: What a finding is about, before its message, by the rule.
_ABOUT = {"error.streaming-same-status": "an invalid request has another status with stream: true: "}

#: Rules whose messages contain more than what was sent and received.
_IN_OWN_WORDS = ("error.endpoint-survives",)

#: What is special about a request, by the scenario, where the rule does not name it.
_SPECIAL = {
    "bad.body-not-an-object": "an array nested 5,000 times as body",
    "undocumented.input_file": "a content part of the undocumented type input_file",
    "turns.output-returned": "the output of a response, returned unchanged,",
}

#: Topics of scenarios whose descriptions state what is sent.
_DESCRIBED = ("bad", "turns", "http", "input")

#: A value that is written as an integer, and words of a server that accepts only another form of the same number.
_INTEGER, _FRACTION = re.compile(r".*=-?\d+$"), re.compile(r"\b(?:float|double|decimal)\b", re.IGNORECASE)

#: What a request with tools is about, by the scenario: its rule has many.
_BY_SCENARIO = {
    "tools.no-arguments": "a tool without parameters and without description",
    "tools.long-name": "a tool whose name has 64 characters",
    "tools.rich": "a tool with parameters of each type",
    "tools.references": "a tool with $ref and lists of types in its parameters",
}

#: The findings of ``error.real-status``, and what they have in common.
_OF_MANY = re.compile(r"(invalid request: received|an error body with) HTTP (\d{3})(?:: (.*))?$", re.DOTALL)
_COMMON_WORDS = {
    "invalid request: received": "an invalid request, expected to be refused with a 4xx status, ends in",
    "an error body with": "an error is sent with status",
}

_STATUS = re.compile(
    r"(?:invalid request: received|an error (?:body )?with|received|refused with) HTTP (\d{3})(?:: (.*))?"
)

#: A status in any message, with the server's words behind it, without what the suite adds.
_STATUS_WORDS = re.compile(
    r"HTTP (\d{3})(?:: (.*?))?(?: \((?:the smallest refused combination|not reduced)[^()]*\))?$", re.DOTALL
)

#: What a difference between both sides of a proxy is about: a parameter, a counter.
_NAMED = re.compile(
    r"(?:the upstream received (?=[a-z_]+ = )|(?=[a-z_ ]+: the (?:client|upstream) sent ))([a-z_ ]+?)(?=:| =)"
)

#: The rule about one effort.
_EFFORT = r"effort\.(\w+)-accepted"

#: The findings about an absent member, with what precedes and follows its name; and how several names are listed.
_ABSENT = (
    (re.compile(r"((?:[\w. ]+: )?)(/\S+) is missing()$"), "and", "{0}{1} are missing{2}"),
    (re.compile(r"(.*? has no )(\w+)(; expected null or an object|)$"), "or", "{0}{1}{2}"),
)

#: Findings of a rule about a proxy that several defects can violate: with each failure of the upstream, form of its
#: response or end, the proxy may do something else. The groups are what the defect is known by.
_KINDS = (
    re.compile(r"the upstream.*?, and (the (?:client|proxy|response|stream) .*)"),
    re.compile(r"with (the form '[\w-]+')"),
    re.compile(r"the upstream's response is (\w+).*?, the client's is (\w+)"),
    re.compile(r"(the client received HTTP .* for a documented request)(?: with stream: true)?(, .*)"),
    re.compile(r"(the upstream request is not valid: .*)"),
)

#: The rule about the request that has nothing special, and the statuses that are not about its model.
_SIMPLEST, _FAILURE = "request.model-accepted", 500

#: The rule about failures of the upstream, and what the client receives, behind what the failure is.
_HONEST, _FAILURE_OF = "proxy.failure.honest", re.compile(", and (?:the client|the proxy|the stream) .*")

#: Other defects under one rule that are shown.
_OTHERS = 2

_RECEIVED = re.compile(r"(?:received |.*?: )HTTP (\d{3})(?:: (.*))?$", re.DOTALL)


def in_words(cause: Cause) -> str:
    """What is wrong, in one sentence without a full stop, and another status or 5xx that cases of the rule received."""
    first, *others = cause.cases
    return refused_in_words(first) + (_other_outcome(first, others) or _other_efforts(cause))


def _other_efforts(cause: Cause) -> str:
    """The other efforts that are refused like that one; empty if there are none."""
    refused = (re.fullmatch(_EFFORT, line.requirement) for line in cause.consequences)
    names = dict.fromkeys(one[1] for one in refused if one and re.fullmatch(_EFFORT, cause.rule))
    return f"; also {', '.join(names)}" if names else ""


def _other_outcome(first: CaseRecord, others: Sequence[CaseRecord]) -> str:
    """A response with another status than that of the first case, or with a 5xx in other words, which may be another
    defect (those of many requests differ anyway), or the other parameters that a proxy changes; empty if there is
    none."""
    if named := _NAMED.match(first.message):
        messages = (finding.message for one in (first, *others) for finding in one.findings)
        names = dict.fromkeys(found[1] for message in messages if (found := _NAMED.match(message)))
        more = [name for name in names if name != named[1]]
        return f"; also {', '.join(more)}" if more else ""
    if first.area == "proxy":
        return _other_kinds(first, others)
    shown = _status(first) or ("", "")
    of_many = _OF_MANY.match(first.message)
    for one in others:
        other = _status(one)
        if other and ((shown[0] and other[0] != shown[0]) or (other[0] >= "500" and other != shown and not of_many)):
            words = f": {shortened(other[1], _OTHER_MESSAGE)}" if other[1] else ""
            return f"; also HTTP {other[0]}{words} ({in_scenario(one.findings[0].scenario or one.scenario)})"
    if not shown[0]:
        return ""
    special = dict.fromkeys(filter(None, (_special(one.requirement, one.scenario) for one in (first, *others))))
    return f"; also {', '.join(list(special)[1:])}" if len(special) > 1 else ""


def _other_kinds(first: CaseRecord, others: Sequence[CaseRecord]) -> str:
    """The findings of other cases of a rule about a proxy that another defect shows; empty if there are none."""
    known, found = {_kind(first)}, _other_failures(first, others)
    for one in others:
        kind = _kind(one)
        if one.findings and kind and kind not in known and len(known) <= _OTHERS:
            known.add(kind)
            message = " ".join(one.message.split())
            groups = next(match.groups() for pattern in _KINDS if (match := pattern.match(message)))
            words = groups[0] if len(groups) == 1 else message
            found += f"; also {shortened(words, _MESSAGE)} ({in_scenario(one.findings[0].scenario or one.scenario)})"
    return found


def _other_failures(first: CaseRecord, others: Sequence[CaseRecord]) -> str:
    """How many other failures of the upstream end for the client as the first one does; empty for fewer than two."""
    # In the words of the rule, the failure is what precedes the end.
    equal = {_FAILURE_OF.sub("", one.message) for one in (first, *others) if _FAILURE_OF.search(one.message)
             and first.requirement == _HONEST and _kind(one) == _kind(first)}  # fmt: skip
    return f"; so it does after {len(equal) - 1} other failures of the upstream" if len(equal) > _OTHERS else ""


def _kind(line: CaseRecord) -> tuple[str, ...]:
    """What the defect of a proxy is known by, without numbers; empty if no other can violate the rule."""
    message = re.sub(r"\d+", "", " ".join(line.message.split()))
    return next((match.groups() for pattern in _KINDS if (match := pattern.match(message))), ())


def _status(line: CaseRecord) -> tuple[str, str] | None:
    """The status that the first finding of a case states, and the server's message without numbers; None without."""
    found = _STATUS.match(" ".join(line.message.split()))
    return (found[1], without_numbers(found[2] or "")) if found and line.findings else None


def refused_in_words(first: CaseRecord) -> str:
    """What a violated case found, in one sentence without a full stop."""
    finding = first.findings[0] if first.findings else FindingRecord(first.why)
    words, trait = _in_words(first, finding), finding.trait
    status = _STATUS_WORDS.search(" ".join(finding.message.split()))
    if not trait or not status or (" and " not in trait and says(words.partition(":")[0], trait)):
        return words
    does = "is refused with" if status[1] < "500" else "ends in"
    return f"a request with {trait} {does} {status[1]}{_server_words(status[2])}"


def _in_words(first: CaseRecord, finding: FindingRecord) -> str:
    message = _with_other_members(first) or " ".join(finding.message.split())
    if of_many := _OF_MANY.match(message):
        return f"{_COMMON_WORDS[of_many[1]]} {of_many[2]}{_server_words(of_many[3])} ({in_scenario(finding.scenario)})"
    actual = None if first.requirement in _IN_OWN_WORDS else _RECEIVED.match(message)
    subject = _subject(first.requirement, first.scenario)
    if not subject and actual and finding.scenario and isinstance(finding.want, int | str):
        return f"{_sent(finding.scenario)} receives {actual[1]}, expected {finding.want}{_server_words(actual[2])}"
    if not subject or not actual:
        place = f" ({in_scenario(finding.scenario)})" if finding.scenario else ""
        return f"{_ABOUT.get(first.requirement, '')}{shortened(message, _MESSAGE)}{place}"
    if _INTEGER.match(subject) and _FRACTION.search(actual[2] or ""):
        subject += ", as an integer,"
    status = int(actual[1])
    if status >= _FAILURE and first.requirement == _SIMPLEST:
        subject = "the simplest request"  # Its model is that of all others.
    does = f"is refused with {status}" if status < 500 else f"ends in {status}"
    return f"{subject} {does}{_server_words(actual[2])}"


def in_scenario(name: str) -> str:
    """The place of a finding, in words: names such as ``text`` and ``cut`` are ordinary words. A captured exchange is
    named as one."""
    return f"in {name}" if " " in name else f"in scenario {name}"


def _with_other_members(line: CaseRecord) -> str:
    """The message about an absent member, with the others that are absent in the same response; empty without any."""
    here = [one.message for one in line.findings if one.scenario == line.findings[0].scenario]
    for pattern, joined, words in _ABSENT:
        found = [match for one in here if (match := pattern.match(one))]
        names = [one[2] for one in found if one.group(1, 3) == found[0].group(1, 3)]
        if len(names) > 1 and found[0].string == here[0]:
            return words.format(found[0][1], f"{', '.join(names[:-1])} {joined} {names[-1]}", found[0][3])
    return ""


def _sent(scenario: str) -> str:
    """What was sent: the description of the scenario, what is special about it, or the recorded request of a real
    client; its name if the description does not read as a request."""
    kind, _, name = scenario.partition(".")
    if kind == "client":
        return f"the request of the client {name}"
    if kind == "undocumented" and scenario not in _SPECIAL and name.removesuffix(".stream").isidentifier():
        return f"a request with the undocumented parameter {name.removesuffix('.stream')}"
    plain = scenario.removesuffix(".stream")
    if scenario in _SPECIAL or "=" in scenario:
        return _SPECIAL.get(scenario, scenario)
    if kind in _DESCRIBED and plain in descriptions():
        return descriptions()[plain] + " with stream: true" * (plain != scenario)
    return f"scenario {scenario}"


def _server_words(words: str | None) -> str:
    """A server's message, as the end of a sentence."""
    return f": {shortened(words, _MESSAGE)}" if words else ""


def _subject(rule: str, scenario: str) -> str:
    """What a rule about acceptance is about; empty for other rules."""
    if "=" in scenario and rule.endswith("-accepted"):
        return scenario.removesuffix(".stream")
    if special := _special(rule, scenario):
        return special
    if rule in _SUBJECTS:
        # Of the ways to authenticate, streaming requests may have a code path of their own.
        return _SUBJECTS[rule] + " with stream: true" * (rule.startswith("auth.") and scenario.endswith(".stream"))
    if effort := re.fullmatch(_EFFORT, rule):
        return f'effort "{effort[1]}"'
    if parameter := re.fullmatch(r"request\.(.+)-accepted", rule):
        return scenario.removesuffix(".stream") if "=" in scenario else parameter[1]
    return ""


def _special(rule: str, scenario: str) -> str:
    """What is special about a request of a rule that has many; empty for other rules and requests."""
    plain = scenario.removesuffix(".stream")
    if rule == "request.input-roles" and plain.startswith("input."):
        return descriptions().get(plain, "")
    return _BY_SCENARIO.get(plain, "") if rule == "request.tools-accepted" else ""


def listed(lines: Sequence[CaseRecord]) -> Iterator[str]:
    """A line a cause, numbered in the order of the report: its words, its cases, and how many follow from it."""
    found = [one for one in causes(lines) if one.verdict in (FAIL, WARNING)]
    for number, (cause, numbers) in enumerate(zip(found, case_numbers(found, lines), strict=True), 1):
        mark = "" if cause.verdict == FAIL else "warning: "
        yield f"{number}  {mark}{in_words(cause)} ({', '.join(numbers)})"


def case_numbers(found: Sequence[Cause], lines: Sequence[CaseRecord]) -> Iterator[list[str]]:
    """For each cause the numbers of its cases, of their consequences, and of cases not evaluated because of them."""
    not_evaluated = Counter(line.cause for line in lines if line.verdict == INCONCLUSIVE and line.cause)
    for cause in found:
        lost = sum(not_evaluated[line.id] for line in (*cause.cases, *cause.consequences))
        numbers = [many(len(cause.cases), "case")]
        numbers += [many(len(cause.consequences), "consequence")] * bool(cause.consequences)
        yield [*numbers, *([f"{lost:,} not evaluated"] * bool(lost))]


def not_evaluated(lines: Sequence[CaseRecord]) -> str:
    """How many cases could not be evaluated, and how many of them because of which cause; empty if there are none."""
    open_cases = [line for line in lines if line.verdict == INCONCLUSIVE]
    of: dict[str, int] = {}
    for number, cause in enumerate((one for one in causes(lines) if one.verdict in (FAIL, WARNING)), 1):
        of |= {line.id: number for line in (*cause.cases, *cause.consequences)}
    counts = Counter(of[line.cause] for line in open_cases if line.cause in of)
    parts = [f"{number:,} because of cause {cause}" for cause, number in counts.most_common()]
    rest = len(open_cases) - sum(counts.values())
    parts += [f"{rest:,} for other reasons"] * bool(rest and counts)
    consequences = ": " + ", ".join(parts) if parts else ""
    return f"{many(len(open_cases), 'case')} not evaluated{consequences}" if open_cases else ""
