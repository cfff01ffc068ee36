"""The catalogue: well formed, and every rule in it is judged by a check."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import replace
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import conformance
from conformance.contract.clauses import clauses
from conformance.contract.consequences import Blocked, Consequence, across, blocked, blocking, consequences, follows
from conformance.contract.needs import need_for, needs
from conformance.contract.rules import FIRST_RELEASE, Requirement, catalogue, proxy_catalogue, requirement
from conformance.contract.schemas import REVISIONS
from conformance.report.catalogue import explain
from conformance.report.coverage import covered, gaps
from conformance.results.obstacles import KINDS
from conformance.results.results_file import case_record
from tools import pages
from tools.in_process import cases, client_cases, evaluated

ROOT = Path(__file__).parent.parent
ROWS = list(catalogue().values())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_row_is_well_formed(row: Requirement) -> None:
    assert re.fullmatch(r"[a-z]+(\.([a-z0-9_-]+|\{\w+\}(-[a-z]+)?))+|\w+\.\w+-\{\w+\}", row.id)
    assert row.says.endswith(".")
    assert len(row.says) <= 140
    if row.level == "MUST":
        assert set(re.split(r"[ ;,]+", row.source)) != {"observed"}


@pytest.mark.parametrize("row", [row for row in ROWS if not row.excluded], ids=lambda row: row.id)
def test_row_is_judged_somewhere(row: Requirement) -> None:
    evaluated = {case.requirement.id for revision in REVISIONS for case in (*cases(revision), *client_cases(revision))}
    assert row.id in evaluated


def test_case_ids_are_unique() -> None:
    ids = [case.id for case in cases()]
    twice = {one for one in ids if ids.count(one) > 1} if len(ids) != len(set(ids)) else set()
    assert twice == set()


def test_a_row_without_placeholders_goes_before_one_with() -> None:
    assert requirement("request.missing-model").id == "request.missing-model"
    assert requirement("request.temperature-accepted").id == "request.{parameter}-accepted"


def test_an_unknown_rule_has_no_row() -> None:
    with pytest.raises(KeyError):
        requirement("nonsense.rule")


def test_who_breaks_and_what_clients_need_agree() -> None:
    unexplained = [(row.id, client) for row in ROWS for client in row.breaks if need_for(client, row.id) is None]
    assert unexplained == []
    for need in needs():
        named = [row.id for row in ROWS if need.client in row.breaks]
        assert [glob for glob in need.rules if not fnmatch.filter(named, glob)] == [], need.client


def test_a_need_of_a_row_explains_the_rules_that_it_makes() -> None:
    rules = {(case.rule, client) for case in cases("2026-10") for client in case.requirement.breaks}
    assert [one for one in rules if need_for(one[1], one[0]) is None] == []
    assert need_for("litellm", "item.function_call.schema") == need_for("litellm", "item.{type}.schema") is not None
    assert need_for("codex", "no.such-rule") is None


def test_causes_never_run_in_a_circle() -> None:
    rules = {case.rule for revision in ("2026-06-24", "2026-10") for case in cases(revision)}
    causes = {rule: {cause for cause in rules if follows(rule, cause)} for rule in rules}
    list(TopologicalSorter(causes).static_order())  # Raises CycleError.


@pytest.mark.parametrize("row", consequences(), ids=lambda row: row.why)
def test_every_consequence_names_rules(row: Consequence) -> None:
    rules = {case.rule for revision in ("2026-06-24", "2026-10") for case in cases(revision)}
    assert [glob for glob in (*row.rules, *row.follow) if not fnmatch.filter(rules, glob)] == []


def test_the_rows_about_both_sides_of_a_proxy_join_one_of_its_rules_and_one_of_an_endpoint() -> None:
    rules = {case.rule for revision in ("2026-06-24", "2026-10") for case in cases(revision)}
    for row in across():
        sides = [[fnmatch.filter(proxy_catalogue(), glob) for glob in globs] for globs in (row.rules, row.follow)]
        endpoint = [[fnmatch.filter(rules, glob) for glob in globs] for globs in (row.rules, row.follow)]
        assert (all(sides[0]) and all(endpoint[1])) or (all(sides[1]) and all(endpoint[0])), row.why


@pytest.mark.parametrize("row", blocked(), ids=lambda row: f"{row.rules[0]}: {row.why}")
def test_every_row_about_what_could_not_be_judged_names_rules_and_obstacles(row: Blocked) -> None:
    rules = {case.rule for revision in ("2026-06-24", "2026-10") for case in cases(revision)}
    globs = [glob.replace("{type}", "*") for glob in (*row.rules, *row.follow)]
    assert [glob for glob in globs if not fnmatch.filter(rules, glob)] == []
    kinds = [*KINDS, "HTTP 401", "HTTP 403"]
    assert [glob for glob in row.by if not fnmatch.filter(kinds, glob)] == []


def test_the_type_of_an_event_is_one_in_rule_and_cause() -> None:
    seen, other = (f"event.seen.response.{name}" for name in ("created", "completed"))
    assert blocking("event.response.created.schema", seen, "comparison") != ()
    assert blocking("event.response.created.schema", other, "comparison") == ()


@pytest.mark.parametrize("revision", REVISIONS)
def test_every_clause_of_the_contract_is_judged_and_every_rule_belongs_to_one(revision: str) -> None:
    results, recorded = evaluated(None, revision)
    lines = [case_record(result, recorded, 0) for result in results]
    assert gaps(covered(lines), lines, revision) == []


def test_every_glob_of_a_clause_names_a_rule() -> None:
    rules = {case.rule for revision in REVISIONS for case in (*cases(revision), *client_cases(revision))}
    assert [(one.id, glob) for one in clauses() for glob in one.rules if not fnmatch.filter(rules, glob)] == []


def test_the_page_of_the_rules_is_that_of_the_catalogue() -> None:
    for page, made in pages.PAGES.items():
        assert page.read_text(encoding="utf-8") == made(), page.name


def test_a_gap_is_seen() -> None:
    results, recorded = evaluated(None)
    lines = [case_record(one, recorded, 0) for one in results if one.case.requirement.area != "usage"]
    assert "clause 5.usage has no evaluated case" in gaps(covered(lines), lines, "2026-06-24")
    odd = replace(lines[0], requirement="odd.rule", level="MUST", verdict="pass")
    assert {
        "rule odd.rule belongs to no clause",
        "no fault of the built-in endpoint violates rule odd.rule",
    } <= set(gaps(covered([*lines, odd]), [*lines, odd], "2026-06-24"))


def test_each_rule_came_with_a_version_of_the_suite() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## ([\d.]+)$", text, re.MULTILINE)
    assert (versions[0], versions[-1]) == (conformance.__version__, FIRST_RELEASE)
    unknown = {row.id: row.since for row in catalogue().values() if row.since not in versions}
    assert unknown == {}
    named = {row.id for row in catalogue().values() if row.since == versions[0]}
    section = text.partition(f"## {versions[0]}\n")[2].partition("\n## ")[0]
    assert [one for one in named if f"`{one}`" not in section] == [], "a new rule that the changelog does not name"


def test_a_rule_that_names_a_revision_has_cases_in_it_only() -> None:
    rows = {row.id: row.revision for row in catalogue().values() if row.revision}
    assert set(rows.values()) <= set(REVISIONS)
    for revision in REVISIONS:
        evaluated = {case.requirement.id for case in cases(revision)}
        assert [one for one, since in rows.items() if since > revision and one in evaluated] == []


@pytest.mark.parametrize("columns", [60, 132])
def test_an_explanation_follows_the_width_of_the_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = (explain("sum.text-deltas", "2026-06-24") or "").splitlines()
    assert columns - 15 < max(map(len, lines)) <= columns
