"""``conformance proxy``: check both sides of a proxy, as its client and its upstream at once."""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from conformance.commands import CommandError
from conformance.config.output_files import check_output_files
from conformance.config.target import Misconfigured, Target, resolve
from conformance.contract.rules import proxy_catalogue
from conformance.emulator.proxy import FAULTS, VARIANTS, ReferenceProxy
from conformance.emulator.proxy.habit import CLEAN, Habit
from conformance.engine.assembly import assemble
from conformance.engine.session import run_head
from conformance.engine.setup import open_run_folder
from conformance.exchange.run_directory import RESULTS, write_atomically
from conformance.judge import case_selection
from conformance.proxy import DIALECTS, records, report, run, stopping
from conformance.proxy import profile as profiles
from conformance.proxy.evaluation import Evaluated, evaluate
from conformance.proxy.kit import Settings
from conformance.proxy.process import NotStarted
from conformance.proxy.records import FILE, Recording
from conformance.proxy.serving import PAGE
from conformance.proxy.setup import CLIENT_KEY, REFERENCE_LIMITS, Limits, settings_of
from conformance.report import terminal
from conformance.results import baseline_file
from conformance.results.records import RunEnd, Tokens
from conformance.results.results_file import Results
from conformance.traffic.summary import Screen

HELP = "check both sides of a proxy: the suite is its client and its upstream at once"

#: The mode of these runs in results.
MODE = "proxy"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options: the proxy, the upstream, the limits and the reports."""
    add = parser.add_argument
    add("--endpoint", metavar="URL", help="base URL of the proxy, ending in /v1 (default: the reference proxy)")
    add("--upstream-port", type=int, default=0, metavar="P", help="port of the upstream on 127.0.0.1 (default: any)")
    add("--dialect", choices=DIALECTS, help="dialect of the upstream (default: that of the profile, or responses)")
    add("--start", metavar="COMMAND", help="shell command that starts the proxy; {upstream} is the base URL of the "
        "upstream, ending in /v1, and {key} its key")  # fmt: skip
    add("--wait", type=float, metavar="S", help="seconds for what a proxy should do at once (default: 5)")
    add("--model", metavar="NAME", help="model that the client names")
    add("--profile", type=Path, metavar="FILE", help="TOML file whose table [proxy] states what the proxy changes")
    add("--only", action="append", default=[], metavar="GLOB", help="evaluate only these cases: rule@probe, a rule, an "
        "area or a glob, such as '*@failure.429'; may be repeated")  # fmt: skip
    add("--skip", action="append", default=[], metavar="GLOB", help="do not evaluate these cases: rule@probe, a rule, "
        "an area or a glob; may be repeated")  # fmt: skip
    add("--run-dir", type=Path, metavar="DIR", help="run folder for the records of both sides, with keys redacted")
    add("--overwrite", action="store_true", help="replace an earlier run in the run folder")
    add("--replay", type=Path, metavar="DIR", help="evaluate the records of a run again, and send nothing")
    add("--baseline", action="append", default=[], type=Path, metavar="FILE", help="TOML file of expected failures; "
        "may be repeated")  # fmt: skip
    add("--strict", action="store_true", help="warnings fail the run too")
    add("--html", type=Path, metavar="FILE", help=f"HTML report (default: {PAGE} in the run folder)")
    add("--markdown", type=Path, metavar="FILE", help="Markdown report")
    add("--fault", choices=sorted(FAULTS), metavar="NAME", help="a fault of the reference proxy")
    add("--variant", choices=sorted(VARIANTS), metavar="NAME", help="a legal variant of the reference proxy")
    add("--list-faults", action="store_true", help="list the faults of the reference proxy and exit")
    add("--list-variants", action="store_true", help="list its legal variants and exit")
    add("--list-rules", action="store_true", help="list the rules of the area and exit")


def main(options: argparse.Namespace) -> int:
    """Check the proxy; the exit code is that of a run."""
    if options.list_rules:
        return _list([f"{row.id}  {row.level}  {row.says}" for row in proxy_catalogue().values()])
    if options.list_faults or options.list_variants:
        shown = FAULTS if options.list_faults else VARIANTS
        return _list([f"{name}  {habit.says}" for name, habit in shown.items()])
    if (options.fault or options.variant) and options.endpoint:
        raise CommandError("--fault and --variant are those of the reference proxy; leave out --endpoint")
    if options.start and not options.endpoint:
        raise CommandError("--start needs --endpoint, the base URL on which the proxy listens")
    try:
        check_output_files((options.html, options.markdown))
        return _replay(options) if options.replay else _run(options)
    except (Misconfigured, NotStarted, OverflowError) as error:
        raise CommandError(str(error)) from None
    except KeyboardInterrupt:
        raise CommandError("the run was interrupted") from None


def _list(lines: Sequence[str]) -> int:
    print("\n".join(lines))
    return 0


@dataclass(frozen=True)
class _Ended:
    """A recorded run: its recording, the target, the run folder (None: none is written), and the seconds."""

    recording: Recording
    target: Target
    folder: Path | None
    seconds: float


def _run(options: argparse.Namespace) -> int:
    begun = time.monotonic()
    settings, target = _settings(options)
    chosen = run.selected(settings.dialect, _probes(options.only))
    screen = Screen()
    with contextlib.ExitStack() as stack:
        opened = stack.enter_context(run.opened(settings, options.upstream_port))
        with open_run_folder(options.run_dir, options.overwrite) as folder:
            folder.create(run_head(target, MODE).to_json(), target.nonce, [], "either", options.overwrite)
        stack.callback(folder.close)
        opened = _with_proxy(options, opened, folder.path, stack)
        endpoint = opened.settings.endpoint
        for line in (
            f"proxy           {endpoint}",
            f"upstream        {opened.upstream.url}, dialect {settings.dialect}",
        ):
            screen.line(line)
        recording = opened.record(chosen)
        write_atomically(folder.path / FILE, records.to_text(recording))
        ended = _Ended(recording, replace(target, endpoint=endpoint), folder.path, time.monotonic() - begun)
        return _report(options, ended, screen)


def _settings(options: argparse.Namespace) -> tuple[Settings, Target]:
    profile = profiles.read(options.profile) if options.profile else profiles.Profile()
    named = {"endpoint": options.endpoint, "model": options.model}
    target = resolve(named, {}, "00000000", None)
    limits = REFERENCE_LIMITS if not options.endpoint else Limits()
    settings = settings_of(
        options.endpoint, options.dialect, target.model, profile, options.wait, os.environ.get(CLIENT_KEY, ""), limits
    )
    return settings, replace(target, name=profile.name or options.endpoint or _name(options))


def _name(options: argparse.Namespace) -> str:
    return f"the reference proxy{f' with {habit}' if (habit := options.fault or options.variant) else ''}"


def _with_proxy(options: argparse.Namespace, opened: run.Run, folder: Path, stack: contextlib.ExitStack) -> run.Run:
    """The run with the endpoint of the proxy, which listens from now on."""
    if options.endpoint:
        stack.enter_context(opened.proxy(options.start, folder, options.wait or 0))
        return opened
    habit: Habit = FAULTS.get(options.fault) or VARIANTS.get(options.variant) or CLEAN
    made = opened.settings
    proxy = ReferenceProxy(opened.upstream.url, made.dialect, made.client_key, made.upstream_key, habit)
    stack.enter_context(proxy)
    return opened.at(proxy.url)


def _probes(only: Sequence[str]) -> list[str]:
    """The globs of probes in the selections: the part after ``@``; none if a selection has no such part, or is about
    the end of a run that a proxy caused."""
    named = [one.partition("@")[2] for one in only]
    return named if named and all(named) and stopping.KIND not in named else []


def _replay(options: argparse.Namespace) -> int:
    begun = time.monotonic()
    recording = records.read(options.replay / FILE)
    target = resolve(
        {"endpoint": recording.settings["endpoint"], "model": recording.settings["model"]}, {}, "00000000", None
    )
    return _report(options, _Ended(recording, target, None, time.monotonic() - begun), Screen())


def _report(options: argparse.Namespace, ended: _Ended, screen: Screen) -> int:
    found = evaluate(ended.recording)
    known, evaluated = [case.id for case in found.cases], _selected(found, options.only, options.skip)
    assembled = assemble((), baseline_file.read(options.baseline), known, grouped=evaluated.cases)
    evaluated, code = replace(evaluated, cases=assembled.cases), assembled.exit_code(options.strict)
    requests = sum(len(one.pairs) for one in ended.recording.records)
    counts = {
        name: sum(case.verdict == name for case in evaluated.cases)
        for name in sorted({one.verdict for one in evaluated.cases})
    }
    end = RunEnd(counts, requests, requests, Tokens(), round(ended.seconds, 3), code)
    end = replace(end, baseline=tuple(one.record for one in assembled.problems))
    path = (ended.folder or options.replay) / RESULTS
    results = Results(path, run_head(ended.target, MODE), evaluated.cases, end)
    written = _write(options, ended, results, evaluated)
    again = shlex.join(["conformance", "proxy", *_again(options)])
    what = f"{ended.target.name}, both sides, dialect {ended.recording.settings['dialect']}"
    terminal.show(screen, what, results, lambda case: report.text_of(case, evaluated), again, written,
                  assembled.problems)  # fmt: skip
    return code


def _again(options: argparse.Namespace) -> list[str]:
    words = []
    for name in ("endpoint", "upstream_port", "dialect", "start", "fault", "variant", "profile"):
        if value := getattr(options, name):
            words += [f"--{name.replace('_', '-')}", str(value)]
    return words


def _selected(evaluated: Evaluated, only: Sequence[str], skip: Sequence[str]) -> Evaluated:
    known = [case.id for case in evaluated.cases]
    case_selection.check(only, known, "this run")
    case_selection.check(skip, known, "this run", "--skip")
    wanted = {one for one in known if not only or case_selection.selects(one, only)}
    wanted -= {one for one in known if case_selection.selects(one, skip)}
    return replace(evaluated, cases=[case for case in evaluated.cases if case.id in wanted])


def _write(options: argparse.Namespace, ended: _Ended, results: Results, evaluated: Evaluated) -> dict[str, str]:
    files = {options.markdown: report.markdown, options.html: report.page}
    if ended.folder and not options.html:
        files[ended.folder / PAGE] = report.page
    written = {"records": str(ended.folder / FILE)} if ended.folder else {}
    try:
        if ended.folder:
            results.write(results.path)
            written["results"] = str(results.path)
        for path, render in files.items():
            if path:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(path, render(results, evaluated))
                written[path.suffix.lstrip(".")] = str(path)
    except OSError as error:
        written["NOT WRITTEN"] = f"{error.filename} ({error.strerror})"
    return written
