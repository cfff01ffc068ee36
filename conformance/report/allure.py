"""Allure results of the cases: labels, severity, and the exchange as attachments.

allure-pytest writes the results; this module fills each from the case's line before it is written. The history ids of
allure-pytest hash the test's path and its parameter, which contains the target. Here they are hashes of the case id, so
that Allure's history compares nightly runs and targets.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from hashlib import md5
from pathlib import Path
from uuid import uuid4

import allure_commons
import pytest
from allure_commons.model2 import ATTACHMENT_PATTERN, Attachment, Label, Link, Status, StatusDetails, TestResult
from allure_commons.types import LabelType, LinkType, Severity

from conformance.config.target import Target
from conformance.contract.rules import requirement
from conformance.decode.response import CannotEvaluate, Received
from conformance.exchange.exchange import Exchange
from conformance.exchange.run_directory import RunDirectory, write_atomically
from conformance.judge.verdict import INCONCLUSIVE, NOT_APPLICABLE, PASS, WARNING
from conformance.report.failure import curl, printable, show
from conformance.report.sources import link
from conformance.results.causes import Cause, causes
from conformance.results.records import CaseRecord
from conformance.results.results_file import ERROR
from conformance.version import __version__

_SEVERITY = {"MUST": Severity.CRITICAL, "SHOULD": Severity.NORMAL, "MAY": Severity.TRIVIAL}

#: A warning does not fail the run, so its status is passed; a tag marks it.
_STATUS = {
    PASS: Status.PASSED, WARNING: Status.PASSED, INCONCLUSIVE: Status.SKIPPED, NOT_APPLICABLE: Status.SKIPPED,
    "expected": Status.SKIPPED, ERROR: Status.BROKEN,
}  # fmt: skip

#: Maximum number of events in a timeline.
_EVENTS = 2_000


class Allure:
    """A plugin of pytest, which receives a case's line, and of allure-pytest, whose result it then fills."""

    def __init__(self, folder: RunDirectory, revision: str) -> None:
        self._folder = folder
        self._revision = revision
        self._case: CaseRecord | None = None
        self._text = ""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Store the record of the last evaluated case; a process evaluates one case at a time."""
        report = yield
        if isinstance(record := getattr(report, "conformance", None), CaseRecord):
            self._case = record
            self._text = report.longreprtext if self._case.has_problem else ""
        return report

    @allure_commons.hookimpl(tryfirst=True)
    def report_result(self, result: TestResult) -> None:
        """Fill a result from the stored record before it is written."""
        case, self._case = self._case, None
        if case is None:
            return
        key = next((one.exchange for one in case.findings), case.exchange)
        exchange = self._folder.read(key) if key and (case.has_problem or case.verdict == INCONCLUSIVE) else None
        fill(result, case, self._revision, self._text)
        result.stop = max(result.start, int(time.time() * 1000))  # allure-pytest rounds the start up.
        for name, text, kind in evidence(case, exchange) if exchange else ():
            file = ATTACHMENT_PATTERN.format(prefix=uuid4(), ext="json" if kind == "application/json" else "txt")
            result.attachments.append(Attachment(name=name, source=file, type=kind))
            allure_commons.plugin_manager.hook.report_attached_data(body=text, file_name=file)


def fill(result: TestResult, line: CaseRecord, revision: str, text: str = "") -> None:
    """Fill a result from the case's record; ``text`` is shown below its message."""
    identity = md5(line.id.encode(), usedforsecurity=False).hexdigest()
    result.name = result.fullName = line.id
    result.historyId = result.testCaseId = identity
    result.titlePath = [line.area, line.requirement]
    result.parameters = []
    result.labels = list(_labels(line, revision))  # Those of the machine would only divide the cases of one run.
    try:
        row = requirement(line.requirement)
    except KeyError:  # A check without a rule is a bug that the tests detect.
        return
    result.description = f"{row.says}\n\nSource: {row.source}"
    address = link(row.source)
    result.links = [Link(LinkType.LINK, address, row.source)] if address else []
    result.status = _STATUS.get(line.verdict, Status.FAILED)
    result.statusDetails = StatusDetails(message=printable(line.message), trace=text or None) if line.message else None


def amend(folder: Path, cases: Sequence[CaseRecord], texts: Mapping[str, str]) -> None:
    """Complete the written results with what is known only when all cases are evaluated.

    That is the mark of a baseline, the full text of each root cause (``texts``, by id of the case), and the root cause
    of each other case that is not conformant, as a tag.
    """
    found = causes(cases)
    rules = {case.id: cause.rule for cause in found for case in (*cause.cases, *cause.consequences)}
    changed = {case.id: case for case in cases if case.baseline or case.id in rules}
    for file in folder.glob("*-result.json") if changed else ():
        made = json.loads(file.read_text(encoding="utf-8"))
        case = changed.get(made.get("fullName", ""))
        if case is None:
            continue
        details = made.get("statusDetails", {})
        if case.baseline:
            made["labels"].remove({"name": LabelType.TAG, "value": case.own_verdict})
            made["labels"].append({"name": LabelType.TAG, "value": case.verdict})
            made["status"] = _STATUS.get(case.verdict, Status.FAILED)
            details["message"] = printable(case.why)
        if case.is_consequence and not case.baseline:
            details["message"] = f"consequence of {case.cause}: {details.get('message', '')}"
            made["labels"].append({"name": LabelType.TAG, "value": "consequence"})
        if case.id in rules:
            made["labels"].append({"name": LabelType.TAG, "value": f"cause {rules[case.id]}"})
            # A category selects its cases by the first word of the trace, which a warning does not have.
            details["trace"] = texts.get(case.id) or details.get("trace") or case.id
        made["statusDetails"] = details
        write_atomically(file, json.dumps(made))
    write_atomically(folder / "categories.json", json.dumps(list(_categories(found))))


def _categories(found: Sequence[Cause]) -> Iterator[dict[str, str]]:
    """A category of Allure for each violated rule, and one for its consequences."""
    for cause in found:
        if any(one.rule == cause.rule for one in found[: found.index(cause)]):
            continue  # The same rule with another verdict.
        name = f"{cause.level} {cause.rule}: {show(cause.cases[0].message, 160)}"
        yield {"name": name, "traceRegex": f"{re.escape(cause.rule)}@.*"}
        if rules := {re.escape(case.cause.partition("@")[0]) for case in cause.consequences}:
            regex = f"consequence of ({'|'.join(sorted(rules))})@.*"
            yield {"name": f"consequences of {cause.rule}", "messageRegex": regex}


def describe(folder: Path, target: Target) -> None:
    """Write what Allure shows about the run: the target, and the suite as its executor unless a CI server has named
    itself as that."""
    facts = {"endpoint": target.endpoint, "model": target.model, "revision": target.revision, "suite": __version__}
    lines = [f"{name} = {printable(value)}\n".replace("\\", "\\\\") for name, value in facts.items()]
    write_atomically(folder / "environment.properties", "".join(lines))
    if not (folder / "executor.json").exists():
        executor = {"name": f"conformance {__version__}", "type": "conformance", "buildName": target.name}
        write_atomically(folder / "executor.json", json.dumps(executor))


def _labels(line: CaseRecord, revision: str) -> Iterator[Label]:
    yield Label(LabelType.EPIC, f"Responses API {revision}")
    yield Label(LabelType.FEATURE, line.area)
    yield Label(LabelType.STORY, line.requirement)
    yield Label(LabelType.SEVERITY, _SEVERITY[line.level].value)
    yield Label(LabelType.PARENT_SUITE, line.area)
    yield Label(LabelType.SUITE, line.requirement)
    yield Label("package", line.requirement)  # Without it Allure 2 lists all cases of the run in one level.
    for tag in (line.level, line.verdict, *(line.breaks if line.findings else ())):
        yield Label(LabelType.TAG, tag)


def evidence(line: CaseRecord, exchange: Exchange) -> Iterator[tuple[str, str, str]]:
    """The attachments: name, text and media type. Never HTML, which Allure would render."""
    received = Received(exchange, line.scenario)
    request = exchange.request
    yield (
        "request",
        f"{request.method} {request.url}\n{_headers(request.headers)}\n\n{_text(request.body)}",
        "text/plain",
    )
    status = f"HTTP {exchange.status}" if exchange.status is not None else "no status"
    head = f"{status}, ended: {exchange.ended} {exchange.detail}".rstrip()
    yield "response", f"{head}\n{_headers(exchange.headers)}\n\n{_text(exchange.body)}", "text/plain"
    with suppress(CannotEvaluate):  # Only a stream has a timeline.
        yield "timeline", "\n".join(_timeline(received, line)), "text/plain"
    comment = f"{line.id}; the key is read from an environment variable."
    yield "reproduce", f"#!/bin/sh\n# {comment}\n{curl(received)}\n", "text/plain"
    yield "finding", json.dumps([one.to_json() for one in line.findings], indent=2), "application/json"


def _timeline(received: Received, line: CaseRecord) -> Iterator[str]:
    marked = {one.event for one in line.findings if one.exchange == received.exchange.key}
    for event in received.events[:_EVENTS]:
        mark = ">" if event.index in marked else " "
        place = "".join(
            f" {value}" for value in (event.output_index, event.data.get("content_index")) if value is not None
        )
        yield printable(f"{mark}{event.index:>5} {event.frame.at:>9.1f} ms  {event.type}{place}")
    if len(received.events) > _EVENTS:
        yield f"... and {len(received.events) - _EVENTS} more"


def _headers(headers: tuple[tuple[str, str], ...]) -> str:
    return "\n".join(printable(f"{name}: {value}") for name, value in headers)


def _text(body: bytes) -> str:
    return body.decode("utf-8", "replace")


def watch(config: pytest.Config, folder: RunDirectory, revision: str) -> None:
    """Register the plugin if Allure results are requested (``--alluredir``)."""
    if config.getoption("allure_report_dir", None):
        plugin = Allure(folder, revision)
        config.pluginmanager.register(plugin, "conformance-allure")
        name = allure_commons.plugin_manager.register(plugin)
        config.add_cleanup(lambda: allure_commons.plugin_manager.unregister(name=name))
