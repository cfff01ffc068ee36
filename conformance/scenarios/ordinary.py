"""Documented requests: a text, one in many scripts, a long one, an incomplete one, JSON, input in every form."""

from __future__ import annotations

from dataclasses import replace

from conformance.contract.revisions import Caps, Contract
from conformance.decode.json_text import Reader
from conformance.decode.response import Received
from conformance.scenarios.scenario import Body, Need, Scenario, same_body
from conformance.scenarios.templates import BASE, Cap, Effort

NO_REASONING: Body = {BASE: True}

SHORT: Body = {**NO_REASONING, "max_output_tokens": Cap.TEXT}
TEXT: Body = {**SHORT, "input": "Reply with one short sentence about the sea."}

#: Characters of two, three and four bytes, joined ones, separators that only some parsers treat as line ends, and
#: characters that HTML, JSON and shells escape.
MANY_SCRIPTS = (
    "Grüße, 你好世界, Привет, naïve café, 😀👍🏽🌍👩\u200d💻, a\u2028b, "
    '<b>&amp; "quoted" C:\\dir</b>\nSecond line,\tstill the same text.\n'
    'שלום, العربية, 👨\u200d👩\u200d👧🏳️\u200d🌈 {"a": [1, "\\u0041\\n"]}'
)

SMOKE = frozenset({"smoke"})
CORE = frozenset({"core"})


def both(scenario: Scenario) -> list[Scenario]:
    """A scenario and its streaming counterpart."""
    return [scenario, scenario.streamed()]


CUT = Need("the status is incomplete", lambda received: received.response.get("status") == "incomplete")


def _is_json(received: Received) -> bool:
    try:
        return isinstance(Reader().load(received.words), dict)
    except ValueError:
        return False


IS_JSON = Need("the text is a JSON object", _is_json)


def scenarios(contract: Contract, nonce: str) -> list[Scenario]:
    """The documented requests."""
    text = Scenario(
        "text",
        "a short text without reasoning",
        TEXT,
        tags=CORE | SMOKE | {"form", "text"},
        about={"form": "input-string", "parameter": "model"},
    )
    count = Scenario(
        "count",
        "an output of several thousand characters",
        {**NO_REASONING, "max_output_tokens": Cap.LONG, "input": "Count from 1 to 900, separated by commas."},
        tags=CORE | {"long"},
    )
    return [
        *both(text),
        _unicode(),
        *both(count),
        *_truncated(contract.caps),
        *_format(),
        *_forms(),
        *(_codeword(nonce, number) for number in range(1, 5)),
    ]


def _unicode() -> Scenario:
    return Scenario(
        "unicode",
        "a text in many scripts",
        {**SHORT, "input": f"Repeat exactly: {MANY_SCRIPTS}"},
        tags=CORE | {"repeats"},
    )


def last() -> list[Scenario]:
    """The first request once more, byte for byte, after all others and after a stream that the client closes; and the
    first stream after that one: events that were left of it would be in front of its own."""
    description = "the first request again, after all others and a stream that the client closed"
    closes = {**SHORT, "stream": True, "input": "Count from 1 to 300, separated by commas."}
    good = Scenario("good.last", description, TEXT, tags=frozenset({"survives"}), last=True, closes=closes)
    stream = _unicode().streamed(escaped=True, after=good.name, follow=same_body, last=True)
    # The cap is higher than that of the plain request, which must not add to its tokens.
    return [good, replace(stream, body={**stream.body, "max_output_tokens": Cap.CALL})]


def _truncated(caps: Caps) -> list[Scenario]:
    long = "Count from 1 to 300, separated by commas, without leaving any number out."
    cut = Scenario(
        "cut",
        f"a long text under a cap of {caps.cut} tokens",
        {**NO_REASONING, "max_output_tokens": Cap.CUT, "input": long},
        need=CUT,
        tries=2,
        tags=CORE | SMOKE | {"cut"},
    )
    thinking = Scenario(
        "cut.thinking",
        f"reasoning under a cap of {caps.cut} tokens",
        {"reasoning": {"effort": Effort.USUAL}, "max_output_tokens": Cap.CUT, "input": long},
        need=CUT,
        tries=2,
        tags=CORE | {"cut"},
        claims=frozenset({"reasoning"}),
    )
    return [*both(cut), *both(thinking)]


#: A conversation of messages with only role and content, one of them long; its response has no ASCII character.
HISTORY: Body = {
    **SHORT,
    "instructions": "Be brief.",
    "temperature": 0.7,
    "top_p": 0.9,
    "input": [
        {"role": "system", "content": "Speak of plants only."},
        {
            "role": "user",
            "content": "My favourite colour is green. " + "I say it again so that this grows long. " * 200,
        },
        {"role": "assistant", "content": "Noted."},
        {"role": "user", "content": "Name one plant of that colour."},
        {"role": "assistant", "content": "Moss."},
        {"role": "user", "content": "Repeat exactly: 你好世界。"},
    ],
}


def _format() -> list[Scenario]:
    body = {
        **SHORT,
        "instructions": "Answer with one JSON object and nothing else.",
        "input": "Give the capital of France as JSON, with the members country and capital.",
        "text": {"format": {"type": "json_object"}},
    }
    plain = Scenario(
        "json",
        "text.format json_object, with the word JSON in the instructions",
        body,
        need=IS_JSON,
        tries=3,
        tags=CORE | {"json"},
        claims=frozenset({"json-object"}),
    )
    thinking = replace(
        plain,
        name="json.thinking",
        description=f"{plain.description}, with reasoning",
        body={**body, "reasoning": {"effort": Effort.LIGHT}, "max_output_tokens": Cap.THINKING, "temperature": 0.7},
        claims=plain.claims | {"reasoning"},
    )
    return [*both(plain), thinking]


def _forms() -> list[Scenario]:
    """Each documented form of input, in simple requests."""
    user = {"role": "user", "content": "Say hello."}
    part = {"type": "input_text", "text": "Say hello."}
    assistant = {
        "id": "msg_00000000000000000000000000000001",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": "Hello!", "annotations": []}],
    }
    system = {"role": "system", "content": "Be brief."}
    developer = {"role": "developer", "content": [{**part, "text": "Be brief."}]}
    parts = {"type": "message", "role": "user", "content": [part, {**part, "text": "Twice, please."}]}
    typed = {"type": "message", "status": "completed", "role": "user", "content": [part]}
    output = [user, assistant, {**user, "content": "Again."}, {**user, "content": "Be brief."}]
    # A form by its name, what is sent, in words and as input, and the request that contains it with others: it is sent
    # alone only where that one is not served, so that a refusal is one of this form.
    conversation = [user, {"role": "assistant", "content": "Hello!"}, user]
    forms: list[tuple[str, str, str, object, str | None]] = [
        ("messages", "input-messages", "input as messages with a type", [typed], None),
        ("role-developer", "input-roles", "a developer message behind one of the user", [user, developer, parts], None),
        ("output-message", "input-output-message", "an earlier output message in input", output, None),
        ("parts", "input-parts", "a message whose content is parts",
         [{"role": "user", "content": parts["content"]}], "input.role-developer"),
        ("developer", "input-roles", "a developer message", [developer, user], "input.role-developer"),
        ("untyped-message", "untyped-message", "a message without type", [user], "input.very-long"),
        ("role-system", "input-roles", "a system message", [system, user], "turns.history"),
        ("role-assistant", "input-roles", "a conversation with an earlier assistant message",
         conversation, "turns.history"),
        ("string", "input-string", "input as a string", "Say hello.", "text"),
    ]  # fmt: skip
    found = [
        Scenario(
            f"input.{name}",
            description,
            {**SHORT, "max_output_tokens": Cap.LINE, "input": content},
            tags=frozenset({"form"}),
            about={"form": form},
            claims=frozenset() if name == "string" else frozenset({"input-array"}),
            within=outer,
        )
        for name, form, description, content, outer in forms
    ]
    return [*found, replace(found[-1].streamed(), within="text.stream")]


#: The Accept headers of the concurrent requests (empty: none), each of which an endpoint must accept.
_ACCEPT = {1: "", 2: "text/event-stream", 3: "application/json", 4: "*/*"}


def _codeword(nonce: str, number: int) -> Scenario:
    word, accept = f"heron-{nonce}-{number}", _ACCEPT[number]
    scenario = Scenario(
        f"parallel.{number}",
        f"one of four concurrent requests, each with its own codeword; Accept header: {accept or 'none'}",
        {**SHORT, "max_output_tokens": Cap.LINE, "input": f"The codeword is {word}. Repeat exactly: {word}"},
        headers=(("Accept", accept),),
        tags=frozenset({"parallel", "accept"}),
        about={"codeword": word},
    )
    return scenario if number % 2 else scenario.streamed()
