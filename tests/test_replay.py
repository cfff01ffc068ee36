"""A recorded run is judged again without network or key, with the same verdicts; what it lacks is said."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from conformance.config.target import Misconfigured, resolve
from conformance.emulator import Endpoint, serve
from conformance.emulator.faults import FAULTS
from conformance.engine import setup
from conformance.exchange.planned import OutgoingRequest
from conformance.exchange.run_directory import FORMAT, RunDirectory
from conformance.judge.cases import all_cases
from conformance.judge.verdict import Result, evaluate
from conformance.scenarios.plan import Plan
from conformance.wire import replay
from conformance.wire.replay import open_recording
from tests.support.running import KEY, lines_of, run, timeless
from tools.in_process import context

RECORDINGS = Path(__file__).parent / "recordings"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a whole run against an endpoint with a fault, under a profile of its own."""
    folder = tmp_path_factory.mktemp("whole")
    behaviour = FAULTS["lifecycle.no-in-progress"]
    with serve(Endpoint(key=KEY, behaviour=behaviour)) as server:
        profile = '[profile]\nlacks = ["json-object"]\nunknown_parameters = "filter"\n'
        (folder / "mine.toml").write_text(f'name = "mine"\nendpoint = "{server.url}"\n{profile}')
        done = run("--target", str(folder / "mine.toml"), "--run-dir", str(folder / "run"))
    assert done.returncode == 1, done.stdout
    return folder / "run"


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A recording that a test may spoil."""
    return shutil.copytree(RECORDINGS / f"format-{FORMAT}", tmp_path / "recording")


def test_a_whole_run_is_judged_again_to_the_same_bytes(whole: Path, tmp_path: Path) -> None:
    before = {file: file.read_bytes() for file in whole.rglob("*") if file.is_file()}
    done = run("--replay", str(whole), "--run-dir", str(tmp_path / "again"), key=None)
    assert done.returncode == 1, done.stdout
    assert timeless(tmp_path / "again") == timeless(whole)
    assert sum(line.get("verdict") == "fail" for line in lines_of(whole)) > 5
    assert lines_of(tmp_path / "again")[0]["mode"] == "replay"
    assert "evaluated a recording of mine, mimo-v2.5-pro, revision 2026-06-24" in done.stdout
    assert {file: file.read_bytes() for file in whole.rglob("*") if file.is_file()} == before


def test_a_part_of_a_run_can_be_judged_again_by_workers(whole: Path, tmp_path: Path) -> None:
    arguments = ("--replay", str(whole), "--only", "*@tools.*", "-n", "2", "--run-dir", str(tmp_path / "again"))
    run(*arguments, key=None, checks=["tools"])
    some = [line for line in timeless(whole)[1:-1] if json.loads(line)["id"] in _ids(tmp_path / "again")]
    assert len(some) > 10
    assert timeless(tmp_path / "again")[1:-1] == some


def _ids(folder: Path) -> set[str]:
    return {line["id"] for line in lines_of(folder)[1:-1]}


def again(folder: Path, into: Path, only: str = "") -> dict[str, Result]:
    """The results of a replay by case, judged in this process."""
    session, _ = setup.create_session({}, None, into, plan_only=False, replay=folder)
    context()  # It has all checks registered.
    every = all_cases(session.context)
    cases = [case for case in every if (fnmatchcase(case.id, only) if only else session.selects(case))]
    session.start(cases)
    results = {case.id: evaluate(case, session.record()) for case in cases}
    session.folder.close()
    return results


@pytest.mark.parametrize("number", replay._READERS)
def test_every_format_that_landed_is_read(number: int, tmp_path: Path) -> None:
    folder = RECORDINGS / f"format-{number}"
    assert json.loads((folder / "run.json").read_text()).get("format", 1) == number
    results = again(folder, tmp_path / "run")
    assert {result.verdict for result in results.values()} == {"pass", "not-applicable"}
    assert "response.items-finished@tools.output.stream" in results
    # Of format 1 nobody knows which cases were judged: those whose requests are there.
    scenarios = {case.partition("@")[2] for case in results}
    assert scenarios == {"tools.output.stream", *(["tools.call"] if number == 1 else [])}


def test_the_newest_format_is_written() -> None:
    assert max(replay._READERS) == FORMAT


def test_a_part_is_judged_as_the_part_it_was(copied: Path, tmp_path: Path) -> None:
    assert again(copied, tmp_path / "run").keys() == set(json.loads((copied / "cases.json").read_text())["cases"])


@pytest.mark.parametrize("lost", ["tools.output.stream", "tools.call"])
def test_what_is_not_recorded_is_inconclusive(lost: str, copied: Path, tmp_path: Path) -> None:
    next((copied / "exchanges").glob(f"{lost}-*")).unlink()
    results = again(copied, tmp_path / "run").values()
    assert {result.verdict for result in results} == {"inconclusive"}
    assert {result.reason.text for result in results} == {"not sent: the recording does not contain this request"}


def test_only_may_name_what_was_not_recorded(copied: Path, tmp_path: Path) -> None:
    results = again(copied, tmp_path / "run", only="response.items-finished@t*")
    assert results["response.items-finished@tools.output.stream"].verdict == "pass"
    assert results["response.items-finished@text"].verdict == "inconclusive"


def test_a_replay_can_be_replayed(copied: Path, tmp_path: Path) -> None:
    first, second = (again(folder, tmp_path / name) for folder, name in ((copied, "one"), (tmp_path / "one", "two")))
    assert {case: result.verdict for case, result in first.items()} == {
        case: result.verdict for case, result in second.items()
    }
    assert set(RunDirectory(tmp_path / "two").recorded()) >= set(RunDirectory(copied).recorded())


def test_a_plan_of_a_replay_makes_nothing(copied: Path, tmp_path: Path) -> None:
    session, server = setup.create_session({}, None, tmp_path / "run", plan_only=True, replay=copied)
    assert (session.context.target.nonce, server) == (open_recording(copied).nonce, None)
    assert not (tmp_path / "run").exists()


def test_a_run_without_a_folder_of_its_own_gets_a_fresh_one(
    copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folders = [setup.create_session({}, None, None, plan_only=False, replay=copied)[0].folder.path for _ in range(3)]
    assert len({path.name for path in folders}) == 3
    assert {path.parent for path in folders} == {tmp_path / "reports" / "runs"}


@pytest.mark.parametrize(
    ("options", "into", "says"),
    [
        ({"model": "other"}, "run", "model cannot be set with --replay: recording {path} has mimo-v2.5-pro"),
        ({"revision": "2026-10"}, "run", "revision cannot be set with --replay: recording {path} has 2026-06-24"),
        ({"endpoint": "http://h/v1"}, "run", "endpoint cannot be set with --replay: recording {path} has built-in"),
        ({}, "recording", "--run-dir {path} is the recording to replay; expected another folder"),
    ],
)
def test_what_was_recorded_cannot_be_set(
    options: dict[str, str], into: str, says: str, copied: Path, tmp_path: Path
) -> None:
    with pytest.raises(Misconfigured) as raised:
        setup.create_session(options, None, tmp_path / into, plan_only=False, replay=copied)
    assert str(raised.value) == says.format(path=copied)


def test_what_is_no_recording_ends_a_run_in_one_line(tmp_path: Path) -> None:
    done = run("--replay", str(tmp_path / "none"), key=None, checks=["response"])
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"conformance: {tmp_path / 'none'} is not a recording: run.json is missing\n"


def test_the_environment_and_equal_options_do_not_matter(copied: Path) -> None:
    recording = open_recording(copied)
    environ = {"CONFORMANCE_ENDPOINT": "https://api.example.com/v1", "CONFORMANCE_MODEL": "other"}
    got = recording.target(resolve({"revision": "2026-06-24"}, environ, "fresh", None))
    assert (got.endpoint, got.model, got.nonce, got.rpm) == ("built-in", "mimo-v2.5-pro", recording.nonce, None)
    assert not got.built_in
    assert got.sources["model"] == f"recording {copied}"


def test_a_profile_in_a_target_file_must_be_the_recorded_one(copied: Path, tmp_path: Path) -> None:
    (tmp_path / "t.toml").write_text('[profile]\nlacks = ["tools"]\n')
    with pytest.raises(Misconfigured, match=r"^lacks cannot be set with --replay: recording .* has nothing$"):
        open_recording(copied).target(resolve({}, {}, "fresh", tmp_path / "t.toml"))


def _no_folder(path: Path) -> None:
    shutil.rmtree(path)


def _no_head(path: Path) -> None:
    (path / "run.json").unlink()


def _later_format(path: Path) -> None:
    (path / "run.json").write_text('{"format": 99}')


def _later_exchange(path: Path) -> None:
    (path / "exchanges" / "x-000000000000.json").write_text('{"format": 99}')


def _half_an_exchange(path: Path) -> None:
    (path / "exchanges" / "x-000000000000.json").write_text('{"format": 1, "key": "x')


def _no_object(path: Path) -> None:
    (path / "run.json").write_text("[]")


def _unknown_revision(path: Path) -> None:
    text = (path / "run.json").read_text()
    (path / "run.json").write_text(text.replace("2026-06-24", "2031-01-01"))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_no_folder, "is not a recording: run.json is missing"),
        (_no_head, "is not a recording: run.json is missing"),
        (_later_format, "run.json has format 99; this version reads [1, 2]"),
        (_later_exchange, "recording has format 99; this version reads"),
        (_half_an_exchange, "cannot be read: "),
        (_no_object, "cannot be read: "),
        (_unknown_revision, "has the unknown revision '2031-01-01'"),
    ],
)
def test_what_is_no_recording_is_one_line(spoil: object, says: str, copied: Path) -> None:
    spoil(copied)  # type: ignore[operator]
    with pytest.raises(Misconfigured) as raised:
        open_recording(copied)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_exchange_is_found_by_its_request_under_another_name(copied: Path) -> None:
    kept = next((copied / "exchanges").glob("tools.call-*"))
    kept.rename(kept.with_name(kept.name.replace("tools.call-", "tools.renamed-")))
    recording = open_recording(copied)
    assert recording.selects("response.items-finished@tools.output.stream", {})
    assert [exchange.scenario for exchange in recording.exchanges.values()] == ["tools.output.stream", "tools.call"]


@pytest.mark.parametrize(
    ("sent", "same"), [(b'{"model": "mimo", "input": ', True), (b'{"model": "mimo", "output": ', False)]
)
def test_a_malformed_body_that_named_another_model_is_found(sent: bytes, same: bool, copied: Path) -> None:
    """Older versions wrote a model of their own into malformed bodies; now it is the target's."""
    scenario = context().scenarios["bad.malformed-json"]
    recording = open_recording(copied)
    one = next(iter(recording.exchanges.values()))
    older = replace(one, scenario=scenario.name, sample=0, request=replace(one.request, body=sent))
    outgoing = Plan(context(), [scenario.name]).requests[-1].build([])
    assert outgoing is not None
    assert f'"model": "{context().target.model}"'.encode() in outgoing.body
    found = replace(recording, exchanges={("0123456789ab", 1): older}).find(outgoing)
    assert found is (older if same else None)


def test_a_new_run_takes_the_old_one_out(tmp_path: Path) -> None:
    folder = RunDirectory(tmp_path / "run")
    for overwrite in (False, True):
        folder.create({}, "nonce", [], "either", overwrite)
        assert folder.selected() == (False, None)
        folder.file("a").write_text("{}")
        assert folder.selected() == (True, None), "killed before its cases were selected: all are evaluated"
        assert not (folder.path / "results.jsonl").exists()
        folder.select(False, ["a@b"])
        (folder.path / "results.jsonl").write_text("")
        assert folder.selected() == (False, frozenset({"a@b"}))
        folder.close()
    folder.select(True, ["a@b"])
    assert folder.selected() == (True, None)


def test_a_request_that_had_another_limit_is_the_same_request(copied: Path) -> None:
    recording = open_recording(copied)
    (place, one), *_ = recording.exchanges.items()
    body = json.dumps({**json.loads(one.request.body), "max_output_tokens": 12345}).encode()
    sent = OutgoingRequest(f"{one.scenario}-0123456789ab", one.scenario, place[1] - 1, "POST", body, "api-key", (), 1)
    assert recording.find(sent) == one
    other = replace(sent, body=json.dumps({**json.loads(body), "top_p": 0.5}).encode())
    assert recording.find(other) is None


@pytest.mark.parametrize(("version", "left_out"), [("0.0.1", True), ("", False)])
def test_a_scenario_that_an_earlier_version_did_not_have_is_left_out(
    version: str, left_out: bool, whole: Path, tmp_path: Path
) -> None:
    """A recording of this version without a request has lost it: that stays inconclusive."""
    recording = shutil.copytree(whole, tmp_path / "recording")
    for lost in (recording / "exchanges").glob("effort.high.stream-*"):
        lost.unlink()
    if version:
        document = json.loads((recording / "run.json").read_text())
        document["head"]["suite"] = version
        (recording / "run.json").write_text(json.dumps(document))
    results = again(recording, tmp_path / "run", only="auth.key-never-echoed@*")
    assert (results["auth.key-never-echoed@answers"].verdict == "pass") is left_out
    alone = again(recording, tmp_path / "alone", only="lifecycle.created-first@effort.high.stream")
    assert [result.verdict for result in alone.values()] == ["inconclusive"]
