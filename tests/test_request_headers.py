"""Further headers of a target file: sent with every request, and their secrets never stored or shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.config.request_headers import filled, request_headers
from conformance.config.target import Misconfigured
from conformance.decode.response import Received
from conformance.emulator import Behaviour, Context, Endpoint, serve
from conformance.emulator.shapes import Refusal
from conformance.exchange.run_directory import RunDirectory
from conformance.proxy import profile
from conformance.proxy.kit import Settings
from conformance.proxy.records import redacted, to_text
from conformance.report.failure import curl
from tests.proxy.both_sides import recorded
from tests.support.running import KEY, lines_of, run

SECRET = "gateway-secret-4f1b90c7"

TEXT = '[headers]\nx-provider = "mimo"\nx-gateway-key = "Key $GATEWAY_KEY"\n'


def gateway(context: Context, refusal: Refusal | None) -> Refusal | None:
    """Refuses every request that lacks one of the two headers; its message has the wrong key."""
    sent = context.sent("x-provider"), context.sent("x-gateway-key")
    if sent != ("mimo", f"Key {SECRET}"):
        return Refusal(403, {"message": f"unknown: {sent}", "type": "x", "param": None, "code": "x"})
    if refusal:
        return Refusal(refusal.status, {**refusal.members, "message": f"{sent[1]} is right, but"})
    return None


@pytest.fixture
def endpoint() -> Iterator[str]:
    behaviour = Behaviour("x.gateway", "x", "Needs two headers.", auth=gateway)
    with serve(Endpoint(key=KEY, behaviour=behaviour)) as server:
        yield server.url


@pytest.fixture
def target(tmp_path: Path) -> Path:
    file = tmp_path / "target.toml"
    file.write_text(TEXT)
    return file


@pytest.mark.parametrize("workers", ["0", "2"])
def test_every_request_has_them_and_no_file_their_secret(
    endpoint: str, target: Path, tmp_path: Path, workers: str
) -> None:
    folder = tmp_path / "run"
    done = run(
        *("--endpoint", endpoint, "--target", str(target), "--run-dir", str(folder), "-n", workers),
        checks=["auth", "request"], GATEWAY_KEY=SECRET,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr  # It sends the key of the gateway back.
    assert {line["requirement"] for line in lines_of(folder) if line.get("verdict") == "fail"} <= {
        "auth.refusal-never-echoes-key", "auth.key-never-echoed"
    }  # fmt: skip
    written = [file.read_bytes() for file in folder.rglob("*") if file.is_file()]
    assert [text for text in [*written, (done.stdout + done.stderr).encode()] if SECRET[5:15].encode() in text] == []
    for file in folder.glob("exchanges/*.json"):
        exchange = RunDirectory(folder).read(file.stem)
        assert exchange
        assert ("x-gateway-key", "Key $GATEWAY_KEY") in exchange.request.headers
        assert "-H 'x-provider: mimo' -H \"x-gateway-key: Key $GATEWAY_KEY\"" in curl(Received(exchange, "one"))


def test_a_variable_that_is_not_set_is_one_line(endpoint: str, target: Path) -> None:
    done = run("--endpoint", endpoint, "--target", str(target), checks=["auth"])
    assert done.returncode == 2
    assert "GATEWAY_KEY, which [headers] names, is not set to printable ASCII" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([], "headers is not a table of strings"),
        ({"a": 1}, "headers is not a table of strings"),
        ({"a b": "x"}, "'a b' is not the name of a header"),
        ({"Authorization": "x"}, "Authorization is set by the requests of the suite"),
        ({"content-type": "x"}, "content-type is set by the requests of the suite"),
        ({"a": "x\ny"}, "the value of a is not printable ASCII"),
        ({"a": "ä"}, "the value of a is not printable ASCII"),
    ],
)
def test_what_cannot_be_sent_is_refused(given: Any, says: str) -> None:
    with pytest.raises(Misconfigured, match=r"t\.toml") as raised:
        request_headers(given, "t.toml")
    assert says in str(raised.value)


def test_a_proxy_receives_them_too(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_KEY", SECRET)
    headers, secrets = filled(profile.read(target).headers)
    made = recorded("responses", only=["request.white-space"], headers=headers, header_secrets=secrets)
    sent = dict(made.records[0].pairs[0].client.headers)
    assert (sent["x-provider"], sent["x-gateway-key"]) == ("mimo", f"Key {SECRET}")
    kept = to_text(redacted(made, Settings("", "", "", "", "", header_secrets=secrets).redacted))
    assert SECRET[:10] not in kept


def test_a_value_names_variables() -> None:
    headers, secrets = filled((("a", "b"), ("c", "x $A_1 $B")), {"A_1": "one", "B": "two"})
    assert headers == (("a", "b"), ("c", "x one two"))
    assert secrets == ("one", "two")
