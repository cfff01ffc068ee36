"""The Python API: captured exchanges and whole runs, without pytest, and the examples of the documentation."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import conformance
from tests.support.running import KEY, ROOT, environment, run, timeless
from tests.support.traffic import traffic
from tools.in_process import NOW

EXAMPLE = re.compile(r"```python\n(.*?)```", re.DOTALL)

PROMPT = {"model": "mimo-v2.5-pro", "input": "Say hello."}
RESPONSE = {"id": "resp_1", "object": "response", "created_at": int(NOW), "status": "completed", "output": []}


def captured(**more: object) -> conformance.CapturedExchange:
    body = json.dumps({**RESPONSE, **more}).encode()
    return conformance.CapturedExchange(PROMPT, 200, {"Content-Type": "application/json"}, body)


def test_captured_exchanges_are_evaluated() -> None:
    results = conformance.evaluate([captured(), captured(status="wrong")], only=["response.*"])
    assert results.exit_code == 1
    assert results.counts["fail"] == sum(case.verdict == "fail" for case in results.cases) > 1
    assert {"response.schema"} <= {cause.rule for cause in results.causes}
    assert any(finding.pointer == "/status" and finding.got == "wrong" for finding in results.findings)


def test_what_a_server_serves_right_passes() -> None:
    exchanges = [
        conformance.CapturedExchange(
            one.exchange.request.body, one.exchange.status or 0, one.exchange.headers,
            [chunk.data for chunk in one.exchange.chunks],
        )
        for one in traffic(None, ("text", "text.stream"))
    ]  # fmt: skip
    results = conformance.evaluate(exchanges)
    assert (results.exit_code, results.findings) == (0, [])
    assert results.counts["pass"] > 50


def test_a_key_is_neither_kept_nor_shown() -> None:
    key = "sk-9fQ2mXv7Lr4TzW8kHd3N"
    body = json.dumps({**RESPONSE, "metadata": {"x": key}}).encode()
    one = conformance.CapturedExchange(PROMPT, 200, {}, body, {"Authorization": f"Bearer {key}"})
    results = conformance.evaluate([one])
    assert "auth.key-never-echoed" in {cause.rule for cause in results.causes}
    assert key not in json.dumps(list(results.lines()))


def test_a_run_is_that_of_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIMO_API_KEY", KEY)
    run("--run-dir", str(tmp_path / "first"))
    seen: list[str] = []
    results = conformance.run(
        replay=tmp_path / "first", run_dir=tmp_path / "again", evaluated=lambda case: seen.append(case.id)
    )
    assert timeless(tmp_path / "again") == timeless(tmp_path / "first")
    assert (results.exit_code, sorted(seen)) == (0, sorted(case.id for case in results.cases))
    assert results.path == tmp_path / "again" / "results.jsonl"
    assert conformance.evaluate(tmp_path / "again").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"modle": "x"}, "unknown setting modle; expected one of endpoint, model"),
        ({"only": ["nothing.at-all"]}, "'nothing.at-all' matches no case"),
        ({"target": "no-such.toml"}, "no-such.toml"),
        ({"revision": "1999-01-01"}, "revision '1999-01-01' is not known"),
    ],
)
def test_what_cannot_be_used_is_one_line(arguments: dict[str, object], says: str) -> None:
    with pytest.raises(conformance.Misconfigured) as told:
        conformance.run(**arguments)  # type: ignore[arg-type]
    assert says in str(told.value)
    assert "\n" not in str(told.value)


def test_neither_imports_pytest(tmp_path: Path) -> None:
    code = (
        "import sys, conformance\n"
        "conformance.evaluate([conformance.CapturedExchange({}, 400, {}, b'{}')])\n"
        "conformance.run(only=['usage.present@text'], run_dir=sys.argv[1])\n"
        "print('pytest' in sys.modules)\n"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "run")]
    done = subprocess.run(words, cwd=ROOT, env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout == "False\n", done.stdout + done.stderr


def test_the_package_says_that_it_is_typed() -> None:
    assert (ROOT / "conformance" / "py.typed").exists()
    assert set(conformance.__all__) <= set(dir(conformance))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = conformance.nothing


@pytest.mark.parametrize("page", ["docs/python.md"])
def test_the_examples_of_the_documentation_run(page: str, tmp_path: Path) -> None:
    examples = EXAMPLE.findall((ROOT / page).read_text(encoding="utf-8"))
    assert examples
    for example in examples:
        words = [sys.executable, "-c", example]
        env = environment(PYTHONPATH=str(ROOT))
        done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert done.stdout
