"""Ordinary requests: a text, a text in many scripts, a long one, one that is cut, JSON, input in every form."""

from __future__ import annotations

from dataclasses import replace

from conformance.contract.revisions import Caps, Contract
from conformance.decode.json_text import Reader
from conformance.decode.response import Received
from conformance.scenarios.scenario import Body, Need, Scenario
from conformance.scenarios.templates import BASE, Cap, Effort

NO_THINKING: Body = {BASE: True}

SHORT: Body = {**NO_THINKING, "max_output_tokens": Cap.TEXT}
TEXT: Body = {**SHORT, "input": "Reply with one short sentence about the sea."}

#: Characters of two, three and four bytes, joined ones, separators that only some readers take for line ends, and
#: what HTML, JSON and shells escape.
MANY_SCRIPTS = (
    "Grüße, 你好世界, Привет, naïve café, 😀👍🏽🌍👩\u200d💻, a\u2028b, "
    '<b>&amp; "quoted" C:\\dir</b>\nSecond line,\tstill the same text.\n'
    'שלום, العربية, 👨\u200d👩\u200d👧🏳️\u200d🌈 {"a": [1, "\\u0041\\n"]}'
)

SMOKE = frozenset({"smoke"})
CORE = frozenset({"core"})


def both(scenario: Scenario) -> list[Scenario]:
    """A scenario and the same one streaming."""
    return [scenario, scenario.streamed()]


CUT = Need("the answer ends incomplete", lambda received: received.response.get("status") == "incomplete")


def _is_json(received: Received) -> bool:
    try:
        return isinstance(Reader().load(received.words), dict)
    except ValueError:
        return False


IS_JSON = Need("the text is a JSON object", _is_json)


def scenarios(contract: Contract, nonce: str) -> list[Scenario]:
    """The ordinary requests."""
    text = Scenario(
        "text",
        "a short text without thinking",
        TEXT,
        tags=CORE | SMOKE | {"form", "text"},
        about={"form": "input-string", "parameter": "model"},
    )
    unicode = Scenario(
        "unicode",
        "a text in many scripts",
        {**SHORT, "input": f"Repeat exactly: {MANY_SCRIPTS}"},
        tags=CORE,
    )
    count = Scenario(
        "count",
        "a text of some thousand characters",
        {**NO_THINKING, "max_output_tokens": Cap.LONG, "input": "Count from 1 to 900, separated by commas."},
        tags=CORE | {"long"},
    )
    return [
        *both(text),
        unicode,
        unicode.streamed(escaped=True),
        *both(count),
        *_truncated(contract.caps),
        *_format(),
        *_forms(),
        *(_codeword(nonce, number) for number in range(1, 5)),
    ]


def last() -> list[Scenario]:
    """The first request once more, byte for byte, when all others have been answered."""
    asks = "the first request again, after all others"
    return [Scenario("good.last", asks, TEXT, tags=frozenset({"survives"}), last=True)]


def _truncated(caps: Caps) -> list[Scenario]:
    long = "Count from 1 to 300, separated by commas, without leaving any number out."
    cut = Scenario(
        "cut",
        f"a long text under a cap of {caps.cut} tokens",
        {**NO_THINKING, "max_output_tokens": Cap.CUT, "input": long},
        need=CUT,
        tries=2,
        tags=CORE | SMOKE | {"cut"},
    )
    thinking = Scenario(
        "cut.thinking",
        f"thinking under a cap of {caps.cut} tokens",
        {"reasoning": {"effort": Effort.USUAL}, "max_output_tokens": Cap.CUT, "input": long},
        need=CUT,
        tries=2,
        tags=CORE | {"cut"},
        claims=frozenset({"reasoning"}),
    )
    return [*both(cut), *both(thinking)]


#: A conversation in messages of role and content alone, a long one among them.
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
        {"role": "user", "content": "Name another one."},
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
        description=f"{plain.description}, thinking",
        body={**body, "reasoning": {"effort": Effort.LIGHT}, "max_output_tokens": Cap.THINKING, "temperature": 0.7},
        claims=plain.claims | {"reasoning"},
    )
    return [*both(plain), thinking]


def _forms() -> list[Scenario]:
    """Each documented form of input, in requests that an endpoint should find easy."""
    user = {"role": "user", "content": "Say hello."}
    part = {"type": "input_text", "text": "Say hello."}
    assistant = {
        "id": "msg_00000000000000000000000000000001",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": "Hello!", "annotations": []}],
    }
    forms = {
        "input-messages": [{"type": "message", "status": "completed", "role": "user", "content": [part]}],
        "input-role-developer": [
            user,
            {"role": "developer", "content": [{**part, "text": "Be brief."}]},
            {"type": "message", "role": "user", "content": [part, {**part, "text": "Twice, please."}]},
        ],
        "input-output-message": [user, assistant, {**user, "content": "Again."}, {**user, "content": "Be brief."}],
    }
    bodies: dict[str, Body] = {
        form: {**SHORT, "max_output_tokens": Cap.LINE, "input": content} for form, content in forms.items()
    }
    # Sent once, with others of that form.
    bodies |= {"input-parts": bodies["input-role-developer"], "untyped-message": HISTORY, "input-role-system": HISTORY}
    return [
        Scenario(
            f"input.{form.removeprefix('input-')}",
            f"input in the form {form}",
            body,
            tags=frozenset({"form"}),
            about={"form": "input-roles" if "role" in form else form},
            claims=frozenset({"input-array"}),
        )
        for form, body in bodies.items()
    ]


#: What the concurrent requests say they accept, an empty header being none: all of it is fine for a plain client.
_ACCEPT = {1: "", 2: "text/event-stream", 3: "application/json", 4: "*/*"}


def _codeword(nonce: str, number: int) -> Scenario:
    word, accept = f"heron-{nonce}-{number}", _ACCEPT[number]
    scenario = Scenario(
        f"parallel.{number}",
        f"one of four concurrent requests, each with a codeword of its own, {accept or 'no'} Accept header",
        {**SHORT, "max_output_tokens": Cap.LINE, "input": f"The codeword is {word}. Repeat exactly: {word}"},
        headers=(("Accept", accept),),
        tags=frozenset({"parallel", "accept"}),
        about={"codeword": word},
    )
    return scenario if number % 2 else scenario.streamed()
