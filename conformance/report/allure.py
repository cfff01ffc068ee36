"""Allure results of the cases: labels, severity, and the exchange as attachments.

allure-pytest writes the results; this module fills each from the case's line before it is written. The history ids of
allure-pytest hash the test's path and its parameter, which contains the target. Here they are hashes of the case id, so
that Allure's history compares nightly runs and targets.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from hashlib import md5
from pathlib import Path
from typing import Any
from uuid import uuid4

import allure_commons
import pytest
from allure_commons.model2 import ATTACHMENT_PATTERN, Attachment, Label, Link, Status, StatusDetails, TestResult
from allure_commons.types import LabelType, LinkType, Severity

from conformance.contract.rules import requirement
from conformance.decode.response import CannotEvaluate, Received
from conformance.exchange.exchange import Exchange
from conformance.exchange.run_directory import RunDirectory, write_atomically
from conformance.judge.verdict import INCONCLUSIVE, NOT_APPLICABLE, PASS, WARNING
from conformance.report.failure import curl, printable
from conformance.report.sources import link
from conformance.results.baseline import own_verdict
from conformance.results.causes import Line, broken, reason
from conformance.results.results_file import ERROR

_SEVERITY = {"MUST": Severity.CRITICAL, "SHOULD": Severity.NORMAL, "MAY": Severity.TRIVIAL}

#: A warning does not fail the run, so its status is passed; a tag marks it.
_STATUS = {
    PASS: Status.PASSED, WARNING: Status.PASSED, INCONCLUSIVE: Status.SKIPPED, NOT_APPLICABLE: Status.SKIPPED,
    "expected": Status.SKIPPED, ERROR: Status.BROKEN,
}  # fmt: skip

#: Labels of allure-pytest that are kept; its other labels describe the test function.
_KEPT = (LabelType.HOST, LabelType.THREAD, LabelType.FRAMEWORK, LabelType.LANGUAGE)

#: Maximum number of events in a timeline.
_EVENTS = 2_000


class Allure:
    """A plugin of pytest, which receives a case's line, and of allure-pytest, whose result it then fills."""

    def __init__(self, folder: RunDirectory, revision: str) -> None:
        self._folder = folder
        self._revision = revision
        self._line: dict[str, Any] | None = None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Store the line of the last evaluated case; a process evaluates one case at a time."""
        report = yield
        if kept := getattr(report, "conformance", None):
            self._line = json.loads(kept)
        return report

    @allure_commons.hookimpl(tryfirst=True)
    def report_result(self, result: TestResult) -> None:
        """Fill a result from the stored line before it is written."""
        line, self._line = self._line, None
        if line is None:
            return
        key = next((one["exchange"] for one in line["findings"]), line["exchange"])
        shown = broken(line) or line["verdict"] == INCONCLUSIVE
        exchange = self._folder.read(key) if shown and key else None
        fill(result, line, self._revision)
        for name, text, kind in evidence(line, exchange) if exchange else ():
            file = ATTACHMENT_PATTERN.format(prefix=uuid4(), ext="json" if kind == "application/json" else "txt")
            result.attachments.append(Attachment(name=name, source=file, type=kind))
            allure_commons.plugin_manager.hook.report_attached_data(body=text, file_name=file)


def fill(result: TestResult, line: Line, revision: str) -> None:
    """Fill a result from the case's line."""
    identity = md5(line["id"].encode(), usedforsecurity=False).hexdigest()
    result.name = result.fullName = line["id"]
    result.historyId = result.testCaseId = identity
    result.titlePath = [line["area"], line["requirement"]]
    result.parameters = []
    result.labels = [one for one in result.labels if one.name in _KEPT] + list(_labels(line, revision))
    try:
        row = requirement(line["requirement"])
    except KeyError:  # A check without a rule is a bug that the tests detect.
        return
    result.description = f"{row.says}\n\nSource: {row.source}"
    address = link(row.source)
    result.links = [Link(LinkType.LINK, address, row.source)] if address else []
    result.status = _STATUS.get(line["verdict"], Status.FAILED)
    message = line["findings"][0]["message"] if line["findings"] else reason(line)
    if message:
        result.statusDetails = StatusDetails(message=printable(message), trace=line.get("text") or None)


def amend(folder: Path, lines: Sequence[Line]) -> None:
    """Mark expected failures in the written results: they are known only when all cases are evaluated."""
    expected = {line["id"]: line for line in lines}
    for file in folder.glob("*-result.json"):
        made = json.loads(file.read_text(encoding="utf-8"))
        line = expected.get(made.get("fullName", ""))
        verdict = {"name": LabelType.TAG, "value": own_verdict(line) if line else ""}
        if line is None or verdict not in made["labels"]:
            continue
        made["labels"] = [one for one in made["labels"] if one != verdict]
        made["labels"].append({"name": LabelType.TAG, "value": line["verdict"]})
        made["status"] = Status.SKIPPED
        made["statusDetails"] = {**made.get("statusDetails", {}), "message": printable(reason(line))}
        write_atomically(file, json.dumps(made))


def _labels(line: Line, revision: str) -> Iterator[Label]:
    yield Label(LabelType.EPIC, f"Responses API {revision}")
    yield Label(LabelType.FEATURE, line["area"])
    yield Label(LabelType.STORY, line["requirement"])
    yield Label(LabelType.SEVERITY, _SEVERITY[line["level"]].value)
    yield Label(LabelType.PARENT_SUITE, line["area"])
    yield Label(LabelType.SUITE, line["requirement"])
    for tag in (line["level"], line["verdict"], *(line["breaks"] if line["findings"] else ())):
        yield Label(LabelType.TAG, tag)


def evidence(line: Line, exchange: Exchange) -> Iterator[tuple[str, str, str]]:
    """The attachments: name, text and media type. Never HTML, which Allure would render."""
    received = Received(exchange, line["scenario"])
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
    yield (
        "reproduce",
        f"#!/bin/sh\n# {line['id']}; the key is read from an environment variable.\n{curl(received)}\n",
        "text/plain",
    )
    yield "finding", json.dumps(line["findings"], indent=2), "application/json"


def _timeline(received: Received, line: Line) -> Iterator[str]:
    marked = {one["event"] for one in line["findings"] if one["exchange"] == received.exchange.key}
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
