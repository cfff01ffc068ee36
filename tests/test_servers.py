"""Third-party servers: what their files say, the upstream that feeds translators, the runner with servers of a line."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.config.target import resolve
from targets import __main__ as runner
from targets.servers import Recipe, Unusable, recipe, running
from targets.upstream import KEY, MODEL, Upstream
from tests.test_readme import ROOT

FILES = sorted(file for file in (ROOT / "targets").glob("*.toml") if not file.stem.startswith("built-in"))

WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_target_file_says_how_its_server_is_started(file: Path) -> None:
    one = recipe(file)
    assert one is not None
    assert (one.name, one.version[:1].isdigit()) == (file.stem, True)
    target = resolve({}, {}, "00000000", file)
    assert (target.endpoint.endswith(one.path), target.lacks) == (True, frozenset(one.profile.get("lacks", [])))
    assert target.endpoint.startswith("http://127.0.0.1:")


def test_the_table_has_a_server_a_file_and_each_has_its_own_port() -> None:
    assert len({resolve({}, {}, "00000000", file).endpoint for file in FILES}) == len(FILES) >= 9
    assert recipe(ROOT / "targets" / "built-in.toml") is None


@pytest.mark.parametrize(
    ("server", "says"),
    [
        ('pip = "a==1"\nnpm = "b@1"\nstart = ["a"]', "either pip or npm"),
        ('pip = "a==1"', "expected start"),
        ('pip = "a"\nstart = ["a"]', "a has no version"),
        ('npm = "@scope/a"\nstart = ["a"]', "@scope/a has no version"),
        ('pip = "a==1"\nstart = ["a"]\nstarts = 1', "unknown key starts"),
    ],
)
def test_a_file_that_is_not_understood_is_named(tmp_path: Path, server: str, says: str) -> None:
    file = tmp_path / "a.toml"
    file.write_text(f'name = "a"\nendpoint = "http://127.0.0.1:1/v1"\nmodel = "m"\n[server]\n{server}\n')
    with pytest.raises(ValueError, match=says):
        recipe(file)


def test_the_guide_and_the_readme_say_what_is_there(tmp_path: Path) -> None:
    guide, readme = ((ROOT / name).read_text(encoding="utf-8") for name in ("docs/servers.md", "README.md"))
    (example,) = re.findall(r"```toml\n(.*?)```", guide, re.DOTALL)
    (tmp_path / "a.toml").write_text(example)
    one = recipe(tmp_path / "a.toml")
    assert one is not None
    assert (one.name, one.version, one.path) == ("my-server", "1.2.3", "/v1")
    assert len(FILES) == 12
    assert "twelve third-party servers" in readme
    assert re.search(r"^matrix: .*\n\t@.*-m targets", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_the_published_table_is_of_the_versions_pinned() -> None:
    for name in ("matrix.md", "matrix.html"):
        text = (ROOT / "reports" / name).read_text(encoding="utf-8")
        for file in FILES:
            one = recipe(file)
            assert one is not None
            assert f"{one.name} {one.version}" in text
        assert "with the suite at commit" in text
        assert "built-in" in text
    built_in = [line.split("|")[2] for line in text_of_areas()]
    assert all("all" in cell and "pass" in cell for cell in built_in)


def text_of_areas() -> list[str]:
    """The rows of the published table of areas."""
    lines = (ROOT / "reports" / "matrix.md").read_text(encoding="utf-8").splitlines()
    first = next(at for at, line in enumerate(lines) if line.startswith("| area |")) + 2
    return lines[first : lines.index("", first)]


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    with Upstream() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.url
        server.shutdown()


def planned(url: str, key: str = KEY, **body: Any) -> tuple[int, Any]:
    """Status and body; of a stream the chunks, without the last ``[DONE]``."""
    data = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "hi"}], **body}).encode()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/v1/chat/completions", data, headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as received:
            text = received.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())
    if not body.get("stream"):
        return 200, json.loads(text)
    frames = text.strip().split("\n\n")
    assert frames.pop() == "data: [DONE]"
    return 200, [json.loads(frame.removeprefix("data: ")) for frame in frames]


def said(text: str) -> dict[str, Any]:
    """A request's messages."""
    return {"messages": [{"role": "user", "content": text}]}


def test_it_answers_thinks_and_counts_what_it_said(upstream: str) -> None:
    status, body = planned(upstream, **said("Repeat exactly: größer 😀"), reasoning_effort="high")
    (choice,) = body["choices"]
    assert (status, choice["message"]["content"], choice["finish_reason"]) == (200, "größer 😀", "stop")
    assert choice["message"]["reasoning_content"].startswith("Let me think")
    thought = body["usage"]["completion_tokens_details"]["reasoning_tokens"]
    assert 0 < thought < body["usage"]["completion_tokens"]
    assert "reasoning_content" not in planned(upstream, reasoning_effort="none")[1]["choices"][0]["message"]
    for asked in ({"thinking": {"type": "enabled"}}, {"reasoning": {"effort": "low"}}):
        assert "reasoning_content" in planned(upstream, **asked)[1]["choices"][0]["message"]


def test_a_cap_cuts_and_is_not_exceeded(upstream: str) -> None:
    for more in ({}, {"reasoning_effort": "high"}, {"tools": [WEATHER], **said("Use get_weather for the weather")}):
        body = planned(upstream, **{**said("Count from 1 to 300"), **more, "max_tokens": 8})[1]
        assert (body["choices"][0]["finish_reason"], body["usage"]["completion_tokens"]) == ("length", 8)
    assert planned(upstream, **said("Count from 1 to 3"), max_tokens=16)[1]["choices"][0]["finish_reason"] == "stop"


def test_it_calls_the_tool_that_is_named_and_answers_once_it_is_back(upstream: str) -> None:
    question = said("Call get_weather for Paris and Tokyo.")["messages"]
    (choice,) = planned(upstream, messages=question, tools=[WEATHER])[1]["choices"]
    calls = choice["message"]["tool_calls"]
    assert [json.loads(one["function"]["arguments"])["city"] for one in calls] == ["Paris", "Tokyo"]
    assert (len({one["id"] for one in calls}), choice["finish_reason"]) == (2, "tool_calls")
    back = [*question, choice["message"], {"role": "tool", "tool_call_id": calls[0]["id"], "content": "sunny"}]
    assert "tool_calls" not in planned(upstream, messages=back, tools=[WEATHER])[1]["choices"][0]["message"]


def test_a_stream_adds_up_to_the_plain_answer(upstream: str) -> None:
    asked = {**said("Use get_weather for the weather."), "tools": [WEATHER], "reasoning_effort": "low"}
    plain, chunks = planned(upstream, **asked)[1], planned(upstream, **asked, stream=True)[1]
    deltas = [one["choices"][0]["delta"] for one in chunks if one["choices"]]
    message = plain["choices"][0]["message"]
    assert "".join(one.get("reasoning_content", "") for one in deltas) == message["reasoning_content"]
    parts = [call["function"]["arguments"] for one in deltas for call in one.get("tool_calls", [])]
    assert "".join(parts) == message["tool_calls"][0]["function"]["arguments"]
    assert [one["choices"][0]["finish_reason"] for one in chunks if one["choices"]][-1] == "tool_calls"
    assert chunks[-1]["usage"] == plain["usage"]


@pytest.mark.parametrize(
    ("wrong", "status", "says"),
    [
        ({"model": "other"}, 400, "Unsupported model"),
        ({"temperature": 1.6}, 400, "temperature"),
        ({"max_tokens": "many"}, 400, "max_tokens"),
        ({"max_tokens": 1.5}, 400, "max_tokens"),
        ({"messages": []}, 400, "messages"),
        ({"messages": [{"role": "king", "content": ""}]}, 400, "role"),
        ({"messages": [{"role": "user", "content": 5}]}, 400, "content"),
        ({"tools": [{"function": {"name": "not a name"}}]}, 400, "name"),
        ({"tools": "all"}, 400, "tools"),
        ({"key": "wrong"}, 401, "Invalid"),
    ],
)
def test_what_is_wrong_is_refused_streaming_too(upstream: str, wrong: dict[str, Any], status: int, says: str) -> None:
    for stream in (False, True):
        code, body = planned(upstream, **{"stream": stream, **wrong})
        assert (code, says in body["error"]["message"]) == (status, True)


def test_only_the_models_can_be_got(upstream: str) -> None:
    with urllib.request.urlopen(f"{upstream}/v1/models", timeout=10) as received:
        assert [one["id"] for one in json.load(received)["data"]] == [MODEL]
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{upstream}/v1/responses", timeout=10)


# A server that listens, and starts another process that outlives it unless the group is stopped.
LISTENS = """
import http.server, os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open("pids", "w").write(f"{os.getpid()} {child.pid} {os.environ['SAYS']} {'SECRET_KEY' in os.environ}")
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.BaseHTTPRequestHandler).serve_forever()
"""


def gone(pids: list[int]) -> bool:
    """Whether all have ended, within seconds."""
    until = time.monotonic() + 5
    while any(map(alive, pids)) and time.monotonic() < until:
        time.sleep(0.02)
    return not any(map(alive, pids))


def made(*start: str, **files: str) -> Recipe:
    """A server that needs no package."""
    environ = {"SAYS": "{key}-{model}"}
    named = {name.replace("_", "."): text for name, text in files.items()}
    return Recipe("mine", "/v1", "m", {}, "pip", "mine==1", start, environ, named)


def alive(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_server_is_stopped_with_all_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "never")
    server = made(sys.executable, "server.py", "{port}", server_py=LISTENS)
    with running(server, tmp_path, "http://127.0.0.1:1", "k") as endpoint:
        first, second, said, leaked = (tmp_path / "pids").read_text().split()
        assert endpoint.startswith("http://127.0.0.1:")
        assert (endpoint.endswith("/v1"), said, leaked) == (True, "k-m", "False")
        assert [alive(int(one)) for one in (first, second)] == [True, True]
    assert gone([int(first), int(second)])


@pytest.mark.parametrize(
    ("start", "says"),
    [
        ((sys.executable, "-c", "print('no port'); raise SystemExit(3)"), "ended at once with 3: no port"),
        ((sys.executable, "-c", "print('ERROR: it broke\\nWARNING: so'); raise SystemExit(1)"), "1: ERROR: it broke$"),
        (("no-such-program",), "no-such-program cannot be started"),
    ],
)
def test_a_server_that_does_not_start_says_why(tmp_path: Path, start: tuple[str, ...], says: str) -> None:
    with pytest.raises(Unusable, match=says), running(made(*start), tmp_path, "", "k"):
        pass


def test_a_server_that_cannot_be_judged_is_a_line_and_the_others_are_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one server that ends at once, and with the judging itself left out."""
    (tmp_path / "targets").mkdir()
    for name, code in (("ends", "raise SystemExit('not | today')"), ("runs", LISTENS)):
        start = json.dumps([sys.executable, "-c", code, "{port}"])
        (tmp_path / "targets" / f"{name}.toml").write_text(
            f'name = "{name}"\nendpoint = "http://127.0.0.1:1/v1"\nmodel = "m"\n[profile]\nlacks = ["auth"]\n'
            f'[server]\npip = "{name}==1.2"\nstart = {start}\nenviron = {{ SAYS = "x" }}\n'
        )
        (tmp_path / "scratch" / name).mkdir(parents=True)
        (tmp_path / "scratch" / name / "installed").write_text(f"{name}==1.2")
    seen: list[str] = []

    def evaluate(options: list[str], run: Path) -> Path:
        seen.append(Path(options[1]).read_text())
        return run

    written: list[tuple[list[str], list[str]]] = []
    monkeypatch.setattr(runner, "_run", evaluate)
    monkeypatch.setattr(runner, "_write", lambda runs, notes, out: written.append(([r.name for r in runs], notes)) or 0)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    words = ["--targets", str(tmp_path / "targets"), "--scratch", str(tmp_path / "scratch"), "ends", "runs"]
    assert runner.main(words) == 1
    ((evaluated, (revision, why)),) = written
    assert (evaluated, why) == (["runs"], "ends was not checked: ended at once with 1: not | today")
    assert re.match(
        r"Generated by python -m targets, with the suite at (commit [0-9a-f]{12}|an unknown commit)", revision
    )
    (target,) = seen
    assert target.startswith('name = "runs 1.2"\nendpoint = "http://127.0.0.1:')
    assert 'lacks = ["auth"]' in target


def test_a_name_that_is_not_known_is_one_line() -> None:
    done = subprocess.run([sys.executable, "-m", "targets", "nobody"], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_an_interrupt_stops_the_server_too(tmp_path: Path) -> None:
    (tmp_path / "server.py").write_text(LISTENS)
    script = (
        "import signal, sys, time\nfrom pathlib import Path\nfrom targets.servers import Recipe, running\n"
        "from targets.__main__ import _stop\nsignal.signal(signal.SIGTERM, _stop)\n"
        "one = Recipe('a', '/v1', 'm', {}, 'pip', 'a==1', (sys.executable, 'server.py', '{port}'), {'SAYS': 'x'}, {})\n"
        f"with running(one, Path({str(tmp_path)!r}), '', 'k'):\n    print('up', flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(20) == 128 + signal.SIGTERM
    assert gone([int(one) for one in (tmp_path / "pids").read_text().split()[:2]])


def test_a_server_is_checked_by_the_revision_of_its_target_file() -> None:
    one = recipe(ROOT / "targets" / "litellm.toml")
    assert one is not None
    assert tomllib.loads(runner._target(one, "http://127.0.0.1:1/v1"))["revision"] == one.revision == "2026-10"


def test_it_calls_a_tool_with_arguments_that_fit(upstream: str) -> None:
    item = {"type": "object", "properties": {"of": {"$ref": "#/$defs/word"}, "more": {}}, "required": ["of"]}
    list_of, or_null = {"type": "array", "items": item, "minItems": 2}, {"type": ["integer", "null"]}
    members = {"a": list_of, "b": or_null, "c": {"enum": [7]}}
    parameters = {
        "type": "object",
        "properties": members,
        "required": [*members],
        "$defs": {"word": {"type": "string"}},
    }
    tools = [{"type": "function", "function": {"name": "book_trip", "parameters": parameters}}]
    body = planned(upstream, **said("Use book_trip."), tools=tools)[1]
    arguments = body["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(arguments) == {"a": [{"of": "Bern"}] * 2, "b": 2, "c": 7}
    more = planned(upstream, **said("Use none."), tools=tools)[1]["usage"]["prompt_tokens"]
    assert more > planned(upstream, **said("Use none."))[1]["usage"]["prompt_tokens"]


def test_a_question_about_the_weather_does_not_give_another_tool_its_arguments(upstream: str) -> None:
    parameters = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}
    wrapped = {"type": "function", "function": {"name": "run_query", "parameters": parameters}}
    body = planned(upstream, **said("Use run_query, then get_weather for the weather."), tools=[wrapped, WEATHER])[1]
    calls = body["choices"][0]["message"]["tool_calls"]
    assert [(one["function"]["name"], [*json.loads(one["function"]["arguments"])]) for one in calls] == [
        ("run_query", ["input"])
    ]
