"""What a probe is, and the requests that most probes send."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from conformance.emulator.shapes import Plan
from conformance.proxy.kit import Kit, ProbeRequest, plan
from conformance.proxy.patience import IDLE
from conformance.proxy.script import Script

#: Text with what is often damaged: several scripts, emoji with joiners, quotes, escapes, line separators, both forms
#: of an accented letter, characters without a width, markup, and placeholders.
HARD = (
    "漢字かな 한국어 👩‍👩‍👧‍👦🏳️‍🌈 \"double\" 'single' back\\slash \\n literal\ttab\nline\r\nCRLF "
    "sep\u2028para\u2029next\u0085end é e\u0301 a\u00a0b \u200bzero <b>&amp;</b> %41 {{x}} ${HOME} `code` "
    "العربية\u200f soft\u00ad\ufeff \U0001d4b3 \ufb01 \u0001 \u201ccurly\u201d it\u2019s \uff12½ ada@example.com "
    "**bold** _it_ # h [a](b)…."
)


@dataclass(frozen=True)
class Probe:
    """A probe. ``kinds`` are the groups of rules that apply to it, ``about`` further facts for them. ``waits``: it
    takes as long as the silence of the upstream, so it is sent together with the others of this kind."""

    name: str
    run: Callable[[Kit], None]
    kinds: tuple[str, ...]
    about: Mapping[str, Any] = field(default_factory=dict)
    dialects: tuple[str, ...] = ()
    waits: bool = False


#: Makes the input, and other parameters, of a request from its canary.
Body = Callable[[str], dict[str, Any]]


def body_of(canary: str) -> dict[str, Any]:
    """A question in the form of a string."""
    return {"input": f"Write one sentence with the word {canary}."}


def simple(
    name: str,
    kinds: tuple[str, ...],
    body: Body = body_of,
    stream: bool = False,
    response: Callable[[str], Plan] = plan,
    script: Callable[[Plan], Script] = Script,
    about: Mapping[str, Any] | None = None,
    dialects: tuple[str, ...] = (),
    headers: Mapping[str, str] | None = None,
    waits: bool = False,
    limit: float = 0.0,
    idle: float = IDLE,
) -> Probe:
    """A probe of one request."""

    def run(kit: Kit) -> None:
        canary = kit.new_canary()
        sent = body(canary) | ({"stream": True} if stream else {})
        kit.send(ProbeRequest(canary, sent, script(response(canary)), headers or {}, limit=limit, idle=idle))

    return Probe(name, run, kinds, {"stream": stream, **(about or {})}, dialects, waits)


def both(name: str, kinds: tuple[str, ...], **options: Any) -> list[Probe]:
    """The same probe plain and streaming."""
    return [simple(name, kinds, **options), simple(f"{name}.stream", kinds, stream=True, **options)]
