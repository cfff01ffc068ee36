"""Documented parameters in combination: a covering array.

Servers fail on two things at once that they serve one at a time. :data:`FACTORS` is the table of what an ordinary
request varies, :data:`ROWS` the requests that, with the other documented ones of the plan, contain every pair of values
that one request may have (tests/test_combinations.py computes it). Each row also speaks for the single values in
it: those are sent alone only where the row is not served. A row that is refused is sent again with one factor less at a
time, until none can be left out: that smallest combination is the cause.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from conformance.contract.revisions import Contract
from conformance.contract.schemas import Schemas, schemas_of
from conformance.exchange.exchange import Headers
from conformance.scenarios.derived import CHEAP
from conformance.scenarios.inputs import prose
from conformance.scenarios.ordinary import MANY_SCRIPTS
from conformance.scenarios.rich_tools import REFERENCES, RICH, TOOLBOX
from conformance.scenarios.scenario import Body, Scenario, same_body
from conformance.scenarios.templates import BASE, Cap, Effort, fill
from conformance.scenarios.tools import PING, WEATHER

Levels = Mapping[str, str]

#: Each factor with its levels; the first one is what a request has that does not vary it.
FACTORS: dict[str, tuple[str, ...]] = {
    "form": ("string", "messages", "parts", "history", "round"),
    "text": ("plain", "scripts", "long"),
    "tools": ("none", "empty", "some", "rich"),
    "effort": ("none", "thinking", "absent"),
    "stream": ("no", "yes"),
    "temperature": ("absent", "lowest", "highest", "decimals"),
    "top_p": ("absent", "lowest", "highest"),
    "cap": ("given", "absent", "highest"),
    "format": ("absent", "empty", "text", "json"),
    "choice": ("absent", "auto"),
    "instructions": ("absent", "plain", "scripts"),
    "auth": ("usual", "other"),
    "headers": ("none", "sdk", "agent"),
}

#: Levels that count as one when pairs are counted: the values of a range, and two ways to ask for a text.
EQUIVALENT = {"lowest": "given", "highest": "given", "decimals": "given", "empty": "text"}

#: Levels that no request combines, and why. Reasoning without a cap may cost any number of tokens.
NOT_COMBINED: tuple[frozenset[tuple[str, str]], ...] = (
    *(
        frozenset({("cap", cap), ("effort", effort)})
        for cap in ("absent", "highest")
        for effort in ("thinking", "absent")
    ),
    frozenset({("headers", "agent"), ("stream", "no")}),  # Agents stream.
)

#: A request a line, the factors in their order: the level, or a point for the first one.
#  form     text    tools effort   stream temp    top_p   cap     format choice instr   auth  headers
_TABLE = """
parts    scripts empty .        .      lowest  lowest  highest empty  auto   plain   .     sdk
history  scripts rich  .        .      highest highest .       json   auto   scripts other sdk
messages long    empty .        .      .       .       absent  text   .      scripts other sdk
history  .       some  .        yes    lowest  highest absent  text   auto   .       other agent
round    long    empty absent   yes    .       highest .       json   auto   scripts other agent
parts    .       rich  thinking yes    lowest  highest .       empty  .      scripts .     agent
messages .       .     absent   yes    lowest  highest .       empty  auto   plain   other sdk
.        .       empty thinking .      .       lowest  .       .      auto   .       other sdk
parts    scripts some  .        yes    lowest  .       absent  json   .      plain   other agent
round    long    rich  .        .      decimals .      absent  empty  .      plain   .     sdk
.        scripts rich  absent   yes    .       .       .       empty  .      scripts other .
.        long    .     thinking yes    lowest  lowest  .       .      .      scripts .     agent
parts    long    some  absent   yes    .       lowest  .       text   .      scripts .     sdk
history  long    empty absent   yes    highest .       .       json   auto   .       other .
messages scripts some  thinking yes    highest .       .       json   auto   .       .     agent
"""


def _read(line: str) -> Levels:
    levels = zip(FACTORS, line.split(), strict=True)
    return {name: level for name, level in levels if level != "."}


#: What each row varies.
ROWS: tuple[Levels, ...] = tuple(_read(line) for line in _TABLE.split("\n") if line)

#: The refusals that some rows follow: what a server keeps of a refused request must not show in the next one.
_BEHIND = {3: "auth.refused.api-key-wrong", 6: "bad.malformed-json", 9: "bad.unknown-model", 12: "max_output_tokens=0"}

#: How messages call a factor at a level.
WORDS = {
    "form": "input as {level}", "text": "a text that is {level}", "tools": "tools ({level})",
    "effort": "reasoning.effort ({level})", "stream": "stream", "temperature": "temperature ({level})",
    "top_p": "top_p ({level})", "cap": "max_output_tokens ({level})", "format": "text.format ({level})",
    "choice": "tool_choice", "instructions": "instructions ({level})", "auth": "the other way to authenticate",
    "headers": "the headers of clients ({level})",
}  # fmt: skip

#: What a level contains that its name does not show, and that may be what a server refuses.
_CONTAINS = {
    ("form", "messages"): "messages, one with the role system",
    ("form", "parts"): "parts, one message with the role developer",
    ("form", "history"): "history, with messages of the assistant",
    ("form", "round"): "a tool round",
}

_SDK: Headers = (
    ("User-Agent", "OpenAI/Python 2.0.0"),
    ("X-Stainless-Lang", "python"),
    ("X-Stainless-Package-Version", "2.0.0"),
    ("X-Stainless-OS", "Linux"),
    ("X-Stainless-Arch", "x64"),
    ("X-Stainless-Runtime", "CPython"),
    ("X-Stainless-Retry-Count", "0"),
    ("X-Stainless-Read-Timeout", "600"),
)
#: What clients accept, by whether they stream: the official SDKs send the same header with every request.
_ACCEPT = {False: ("Accept", "application/json, text/event-stream"), True: ("Accept", "application/json")}
_AGENT: Headers = (
    ("Accept", "text/event-stream"),
    ("User-Agent", "codex_cli_rs/0.50.0"),
    ("OpenAI-Beta", "responses=experimental"),
    ("originator", "codex_cli_rs"),
    ("session_id", "0b6f7c1e-0000-4000-8000-000000000001"),
    ("conversation_id", "0b6f7c1e-0000-4000-8000-000000000001"),
    ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ("Cookie", "theme=dark"),
)
_HEADERS: dict[str, Headers] = {"none": (), "sdk": _SDK, "agent": _AGENT}


def _headers(levels: Levels, codeword: str) -> Headers:
    """The headers of a client. The key is that of one body: a server may refuse it with another one."""
    known = _HEADERS[levels.get("headers", "none")]
    key = hashlib.sha256(repr((codeword, sorted(levels.items()))).encode()).hexdigest()[:32]
    retry = ("Idempotency-Key", f"stainless-python-retry-{key}")
    return (_ACCEPT[levels.get("stream") == "yes"], *known, retry) if known is _SDK else known


_TOOLS: dict[str, list[dict[str, Any]]] = {"empty": [], "some": [WEATHER, PING], "rich": [RICH, REFERENCES, *TOOLBOX]}


def scenarios(schemas: Schemas, nonce: str) -> list[Scenario]:
    """The rows, each with a codeword of its own to repeat, unless it requests JSON."""
    return [_row(schemas, number, f"ibis-{nonce}-{number:02}", levels) for number, levels in enumerate(ROWS, 1)]


#: Scenarios that a row with these levels speaks for; for a single accepted value, any row that contains it does.
_SPEAKS_FOR: dict[str, Levels] = {
    "input.messages": {"form": "parts"},
    "input.parts": {"form": "parts"},
    "input.role-developer": {"form": "parts"},
    "input.output-message": {"form": "history"},
    "turns.history.stream": {"form": "history"},
    "auth.bearer.stream": {"auth": "other"},
}


def covered_by(rows: Sequence[Scenario], scenario: Scenario) -> str | None:
    """The first row that speaks for a scenario, by its name: its response can be evaluated in place of the scenario's,
    as both stream or not and neither reasons."""
    levels = _SPEAKS_FOR.get(scenario.name)
    own = {name: value for name, value in scenario.body.items() if name != "input" and CHEAP.get(name) != value}
    if levels is None and not (own and "accepted" in scenario.tags):
        return None
    for row in rows:
        fits = levels.items() <= row.factors.items() if levels else _contains(row.body, own)
        if fits and row.streaming == scenario.streaming and "effort" not in row.factors:
            return row.name
    return None


def _contains(body: Body, members: Body) -> bool:
    return all(
        name in body and type(body[name]) is type(value) and body[name] == value for name, value in members.items()
    )


def reduced(scenario: Scenario, levels: Levels, contract: Contract) -> Scenario:
    """The request of a row with these levels only."""
    schemas = schemas_of(contract)
    body = _body(schemas, levels, scenario.about.get("codeword", ""))
    auth = scenario.auth if levels.get("auth") == "other" else contract.way.name
    return replace(scenario, body=fill(body, contract), headers=_headers(levels, scenario.about["row"]), auth=auth)


def in_words(levels: Levels) -> str:
    """The combination as messages name it."""
    named = [WORDS[name].format(level=_CONTAINS.get((name, level), level)) for name, level in levels.items()]
    return " and ".join([", ".join(named[:-1]), named[-1]] if len(named) > 1 else named)


def _row(schemas: Schemas, number: int, codeword: str, levels: Levels) -> Scenario:
    contract = schemas.contract
    streams = levels.get("stream") == "yes"
    word = "" if levels.get("format") == "json" else codeword
    other = [way.name for way in contract.authentication if way.name != contract.way.name]
    auth = other[0] if other and levels.get("auth") == "other" else contract.way.name
    behind = _BEHIND.get(number)
    return Scenario(
        f"combination.{number}" + (".stream" if streams else ""),
        "a combination of documented parameters: " + in_words(levels),
        _body(schemas, levels, word),
        auth=auth,
        headers=_headers(levels, codeword),
        after=behind,
        follow=same_body if behind else None,
        reuses=bool(behind),
        about={"row": codeword, **({"codeword": word} if word else {})},
        tags=frozenset({"combination", "codeword"} if word else {"combination"}),
        claims=frozenset(_claims(levels, auth)),
        factors=levels,
    )


def _claims(levels: Levels, auth: str) -> Iterator[str]:
    """The features that a profile may exclude."""
    yield auth
    if levels.get("form", "string") != "string":
        yield "input-array"
    if levels.get("form") == "round" or levels.get("tools", "none") != "none":
        yield "tools"
    if levels.get("effort") == "thinking":
        yield "reasoning"
    if levels.get("format") == "json":
        yield "json-object"
    if levels.get("stream") == "yes":
        yield "streaming"


def _body(schemas: Schemas, levels: Levels, codeword: str) -> Body:
    """The body with each factor at its level, or at its first one."""
    at = {name: levels.get(name, known[0]) for name, known in FACTORS.items()}
    documented = schemas.document("request.json")["properties"]
    properties = {name: schemas.resolve(part) for name, part in documented.items()}
    efforts: dict[str, Body] = {"none": {BASE: True}, "thinking": {"reasoning": {"effort": Effort.USUAL}}, "absent": {}}
    body: dict[str, Any] = {**efforts[at["effort"]]}
    if at["cap"] != "absent":
        usual = Cap.LINE if at["effort"] == "none" else Cap.THINKING
        body["max_output_tokens"] = usual if at["cap"] == "given" else properties["max_output_tokens"]["maximum"]
    if at["instructions"] != "absent":
        body["instructions"] = "Be brief." if at["instructions"] == "plain" else f"{MANY_SCRIPTS}\nBe brief."
    for name in ("temperature", "top_p"):
        if at[name] != "absent" and name in properties:
            low, high = properties[name]["minimum"], properties[name]["maximum"]
            body[name] = {"lowest": low, "highest": high, "decimals": (low + high) / 2}[at[name]]
    body["input"] = _input(at["form"], _TEXTS[at["text"]] + _question(at["format"], codeword))
    if at["format"] != "absent":
        body["text"] = _FORMATS[at["format"]]
    if at["tools"] != "none":
        body["tools"] = _TOOLS[at["tools"]]
    if at["choice"] == "auto":
        body["tool_choice"] = "auto"
    body["stream"] = at["stream"] == "yes"
    return {name: value for name, value in body.items() if name == BASE or name in properties}


_TEXTS = {"plain": "", "scripts": f"{MANY_SCRIPTS}\n", "long": prose(8_000)}

_FORMATS: dict[str, Any] = {
    "empty": {}, "text": {"format": {"type": "text"}}, "json": {"format": {"type": "json_object"}},
}  # fmt: skip


def _question(wanted: str, codeword: str) -> str:
    if wanted == "json":
        return "Say hello as a JSON object."
    return f"The codeword is {codeword}. Repeat exactly: {codeword}"


def _input(form: str, text: str) -> Any:
    """The text in a form of input, as the last message of the user."""
    user = {"role": "user", "content": "Read this."}
    last = {"role": "user", "content": text}
    reply = {
        "type": "message", "id": "msg_1c", "role": "assistant", "status": "completed",
        "content": [{"type": "output_text", "text": "Noted."}],  # Clients return it without annotations.
    }  # fmt: skip
    call = {"type": "function_call", "id": "fc_1c", "call_id": "call_1c", "name": "ping", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "call_1c", "output": [_part("pong")]}
    forms: dict[str, Any] = {
        "string": text,
        "messages": [{"role": "system", "content": "Be kind."}, user, last],
        "parts": [
            {"role": "user", "content": [_part("Read this.")]},
            {"role": "developer", "content": [_part("Be kind.")]},
            {"type": "message", "status": "completed", "role": "user", "content": [_part("Read this."), _part(text)]},
        ],
        "history": [user, {"role": "assistant", "content": "Noted."}, user, reply, last],
        "round": [user, {**call, "status": "completed"}, output, last],
    }
    return forms[form]


def _part(text: str) -> dict[str, str]:
    return {"type": "input_text", "text": text}
