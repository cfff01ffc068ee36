"""The rules that each real client needs: faults violate each rule, and the clients receive the responses.

``python -m tools.client_evidence --install DIR --write`` runs the clients that are installed in DIR, and writes
``conformance/contract/client_evidence.json`` and its page; the results of other clients stay.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from conformance.clients.differences import canonical, expected, raised
from conformance.clients.drive import ClientInput, client_input, drive
from conformance.contract import client_evidence as kept
from conformance.contract import client_variants
from conformance.contract.clients import CLIENTS, Client
from conformance.contract.fault_matrix import matrix
from conformance.contract.needs import needs
from conformance.contract.rules import CLIENTS as NAMES
from conformance.contract.rules import catalogue, requirement
from conformance.decode.events import integer
from conformance.decode.response import CannotEvaluate, DoesNotApply, Received
from conformance.emulator.faults import FAULTS
from conformance.exchange.client_outcomes import Outcome, Outcomes, read, write
from conformance.exchange.exchange import Exchange
from conformance.judge.recorded import Recorded
from conformance.judge.verdict import FAIL, WARNING, evaluate
from conformance.results.client_trials import STOPS, Effect, EffectsByRule, Trial, effects_by_rule, finding_kind, trials
from conformance.results.grouping import group_by_cause
from conformance.results.records import CaseRecord
from conformance.results.results_file import case_record
from conformance.scenarios.tools import turns
from tools import json_lines
from tools.fault_matrix import revisions
from tools.in_process import cases, context, evaluated, record

PAGE = Path(__file__).parent.parent / "docs" / "clients.md"

#: Rules about requests, refusals and keys, which a response that a client receives cannot show.
_ELSEWHERE = ("auth", "request", "error", "undocumented", "unsupported", "client")

#: Rules about the text itself, which every client passes on unchanged.
_WORDS = ("format.json-object", "tools.arguments-fit-schema")

#: The most faults for each rule (for a rule with a placeholder, for each value), and responses of each kind.
_FAULTS, _RESPONSES = 5, 2

#: The responses to use first: text, a call, reasoning, several calls.
_FIRST = ("text", "tools.call", "effort.high", "tools.parallel", "tools.thinking")

#: The conformant response, and that of a fault, by name.
_CLEAN = "clean"

_SECONDS = 6.0


def plan() -> dict[str, list[str]]:
    """The faults to try by rule: those that break it alone, or with the fewest others if there are none."""
    rows = matrix()
    reported: dict[str, list[tuple[int, str]]] = {}
    for fault, broken in rows.items():
        for rule in broken["causes"]:
            if requirement(rule).area not in _ELSEWHERE and rule not in _WORDS:
                reported.setdefault(rule, []).append((len(broken["causes"]), fault))
    return {
        rule: [fault for causes, fault in faults if causes == min(faults)[0]][:_FAULTS]
        for rule, faults in reported.items()
    }


Job = tuple[str, str, str, str]
"""Rule, fault, revision, scenario."""


def broken(fault: str, rules: Sequence[str]) -> list[tuple[Job, ClientInput, ClientInput]]:
    """The endpoint's responses with this fault for which these rules fail, and those without it."""
    revision = revisions(fault)[0]
    recorded, clean = record(FAULTS[fault], revision), _right(revision)
    results = [evaluate(case, recorded) for case in cases(revision) if case.rule in rules]
    found: list[tuple[Job, ClientInput, ClientInput]] = []
    for rule in rules:
        wrong = [one for one in results if one.case.rule == rule and one.verdict in (FAIL, WARNING)]
        names = {name for one in wrong for each in one.findings for name in (each.scenario, *each.also)}
        for name in _chosen(names, revision, recorded.received, clean.received):
            pair = [
                _replayed(f"{mark}/{revision}/{name}", where.received(name), _then(name, revision, where, clean))
                for mark, where in ((fault, recorded), (_CLEAN, clean))
            ]
            found.append(((rule, fault, revision, name), pair[0], pair[1]))
    return found


@cache
def _right(revision: str) -> Recorded:
    return record(None, revision)


def _then(name: str, revision: str, recorded: Recorded, clean: Recorded) -> Exchange | None:
    """The response to a client's follow-up request: the endpoint's, or the conformant one if that is unusable."""
    follows = turns(context(revision).scenarios).get(name)
    if follows is None:
        return None
    got = recorded.received(follows).exchange
    return got if got.ok and got.ended != "time-out" else clean.received(follows).exchange


def _replayed(key: str, received: Received, then: Exchange | None) -> ClientInput:
    return client_input(key, replace(received.exchange, key=key), then)


def _chosen(names: Iterable[str], revision: str, got: Any, clean: Any) -> list[str]:
    """Some responses of each kind that a client can receive and would accept if they were conformant, and one of the
    lite mode of Codex."""
    scenarios = context(revision).scenarios

    def usable(name: str) -> bool:
        expected_served = scenarios[name].expect == "answer" or is_lite(name)
        if not expected_served or not got(name).exchange.ok or got(name).exchange.ended == "time-out":
            return False
        try:
            return bool(clean(name).final_status == "completed")
        except CannotEvaluate:
            return False

    def place(name: str) -> tuple[int, str]:
        bare = name.removesuffix(".stream")
        return (_FIRST.index(bare) if bare in _FIRST else len(_FIRST), name)

    def is_lite(name: str) -> bool:
        return "lite" in scenarios[name].tags

    ordered = sorted(filter(usable, names), key=place)
    streams = [name for name in ordered if scenarios[name].streaming and not is_lite(name)]
    plain = [name for name in ordered if not scenarios[name].streaming]
    return streams[:_RESPONSES] + plain[:_RESPONSES] + [name for name in ordered if is_lite(name)][:1]


def did(outcome: Outcome, right: Outcome, responses: Sequence[Received]) -> str | None:
    """How the outcome of a client differs from the conformant response although the bytes contain it; empty if it does
    not, None if the conformant response or an undocumented member stops the client too.

    If other text, reasoning or calls were sent, complete and well formed, a client that shows them works.
    """
    if raised(right) or right.text is None or (outcome.error and not raised(outcome) and outcome.text is None):
        return None
    if raised(outcome):
        return raised(outcome)[:140]
    for name, part in (("text", "text"), ("shown", "text"), ("reasoning", "reasoning"), ("calls", "calls")):
        got, wanted = _content(outcome, name), _content(right, name)
        if got != wanted and (_held(wanted, responses) or got != _sent(responses, part)):
            return f"other {part}"
    if outcome.usage != right.usage:
        complete = isinstance(outcome.usage, dict) and all(integer(one) is not None for one in outcome.usage.values())
        return kept.NUMBERS if complete else kept.NO_NUMBERS
    return ""


def _content(outcome: Outcome, name: str) -> Any:
    """Name and arguments of calls, without their ids."""
    value = getattr(outcome, name)
    if name != "calls" or not isinstance(value, list):
        return value
    return [(one.get("name"), canonical(one.get("arguments"))) for one in value if isinstance(one.get("call_id"), str)]


def _sent(responses: Sequence[Received], part: str) -> Any:
    """The expected outcome by the recording."""
    try:
        wanted = expected(*responses)
    except (CannotEvaluate, DoesNotApply):
        return None
    return [call[1:] for call in wanted.calls] if part == "calls" else getattr(wanted, part)


def _held(wanted: Any, responses: Sequence[Received]) -> bool:
    """Whether the bytes contain the conformant text, or the arguments of each conformant call, anywhere."""
    sought = [arguments for _, arguments in wanted] if isinstance(wanted, list) else [wanted]
    texts = [text for received in responses for text in _texts(_read(received))]
    texts += [text for one in texts if (text := canonical(one)) != one]
    return any(sought) and all(any(one in text for text in texts) for one in sought if one)


def _read(received: Received) -> Any:
    try:
        return [event.data for event in received.events] if received.looks_like_stream else received.json
    except CannotEvaluate:
        return None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(one)


def gathered(
    jobs: Sequence[Job], outcomes: Outcomes, given: Mapping[str, ClientInput]
) -> dict[str, dict[str, dict[str, str]]]:
    """The outcome of each client, by row of the catalogue and fault: the worst over all responses."""
    rules: dict[str, dict[str, dict[str, str]]] = {}
    for rule, fault, revision, scenario in jobs:
        row = rules.setdefault(requirement(rule).id, {}).setdefault(fault, {})
        key = f"{fault}/{revision}/{scenario}"
        for one in CLIENTS:
            outcome = outcomes.of(one.name, key)
            right = outcomes.of(one.name, f"{_CLEAN}/{revision}/{scenario}")
            reported = (
                did(outcome, right, _responses_of(given[key], one)) if outcome and right and key in given else None
            )
            if reported is not None and row.get(one.name, "") in kept.COPES:
                row[one.name] = reported or row.get(one.name, "")
    return rules


def _responses_of(what: ClientInput, client: Client) -> list[Received]:
    exchanges = [what.exchange, what.then] if client.turns and what.then else [what.exchange]
    return [Received(one, one.scenario) for one in exchanges]


def findings(fault: str, rows: Sequence[str]) -> dict[str, dict[str, dict[str, dict[str, list[str]]]]]:
    """The kinds of finding in the responses of these rows: by row, mode, part and rule, where the part is whether the
    finding is a root cause or a consequence."""
    revision = revisions(fault)[0]
    results, recorded = evaluated(FAULTS[fault], revision)
    lines = group_by_cause([case_record(one, recorded, 0) for one in results if one.verdict in (FAIL, WARNING)])
    return findings_in(lines, recorded, revision, rows)


def findings_in(
    lines: Sequence[CaseRecord], recorded: Recorded, revision: str, rows: Sequence[str]
) -> dict[str, dict[str, dict[str, dict[str, list[str]]]]]:
    """The same for the grouped case lines of a run."""
    clean, scenarios = _right(revision), context(revision).scenarios
    kinds: dict[str, dict[str, dict[str, dict[str, list[str]]]]] = {}
    for row in rows:
        names: set[str] = set()
        for rule in {one.requirement for one in lines if requirement(one.requirement).id == row}:
            reported = {name for one in lines if one.requirement == rule for name in _places(one)}
            names |= {*_chosen(reported, revision, recorded.received, clean.received)}
        for streams, mode in kept.MODES.items():
            replayed_here = {name for name in names if scenarios[name].streaming == streams}
            if any(replayed_here & _places(one) for one in lines):
                parts = {kept.CAUSES: False, kept.FOLLOWS: True}
                by_part = {part: _kinds(lines, replayed_here, follows) for part, follows in parts.items()}
                kinds.setdefault(row, {})[mode] = by_part
    return kinds


def _places(line: CaseRecord) -> set[str]:
    return {name for one in line.findings for name in (one.scenario, *one.also)}


def _kinds(lines: Sequence[CaseRecord], scenarios: Set[str], follows: bool) -> dict[str, list[str]]:
    """The kinds in these responses; what follows from a finding in other responses is a root cause here."""
    found: dict[str, set[str]] = {}
    causes = {line.requirement for line in lines if not line.is_consequence and scenarios & _places(line)}
    for line in lines:
        is_consequence = line.is_consequence and line.cause.partition("@")[0] in causes
        for one in line.findings if is_consequence == follows else ():
            if scenarios & {one.scenario, *one.also}:
                found.setdefault(line.requirement, set()).add(finding_kind(line.requirement, one.message, one.pointer))
    return {rule: sorted(kinds) for rule, kinds in sorted(found.items())}


def all_findings(rules: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The kinds of finding of every trial, by row and fault; the responses are generated and evaluated again."""
    by_fault: dict[str, list[str]] = {}
    for row, faults in rules.items():
        for fault in faults:
            by_fault.setdefault(fault, []).append(row)
    with ProcessPoolExecutor() as pool:
        found = dict(zip(by_fault, pool.map(findings, by_fault, by_fault.values(), chunksize=8), strict=True))
    return {row: {fault: found[fault][row] for fault in faults if row in found[fault]} for row, faults in rules.items()}


def with_findings(evidence: Mapping[str, Any]) -> dict[str, Any]:
    """The evidence with the kinds of finding of its trials; a trial whose fault no longer violates its rule is left
    out."""
    found = all_findings(evidence["rules"])
    rules = {
        row: {one: by for one, by in faults.items() if one in found[row]} for row, faults in evidence["rules"].items()
    }
    return {**evidence, "rules": {row: faults for row, faults in rules.items() if faults},
            "findings": {row: faults for row, faults in found.items() if faults}}  # fmt: skip


def run(
    install: Path, only: Sequence[str], file: Path | None, most: int, some: Sequence[str]
) -> tuple[dict[str, str], dict[str, dict[str, dict[str, str]]]]:
    """Versions, and what the clients that are installed there did when these rules (none: all) were broken."""
    by_fault: dict[str, list[str]] = {}
    for rule, faults in plan().items():
        for fault in faults if not some or requirement(rule).id in some else ():
            by_fault.setdefault(fault, []).append(rule)
    with ProcessPoolExecutor() as pool:
        responses = list(pool.map(broken, by_fault, by_fault.values(), chunksize=8))
    given = {one.key: one for found in responses for _, *pair in found for one in pair}
    jobs = [job for found in responses for job, *_ in found]
    print(f"{len(by_fault)} faults, {len(given)} responses, {len(jobs)} jobs", flush=True)
    clients = [one for one in CLIENTS if not only or one.client in only or one.name in only]
    if most < len(jobs):
        few = _few(jobs, most)
        given = {key: one for key, one in given.items() if key in few}
    if file and file.exists():
        outcomes = read(file)
    else:
        outcomes = drive(clients, list(given.values()), install, _SECONDS)
        if file:
            write(file, outcomes)
    for one in outcomes.clients.values():
        print(f"{one.client} {one.version}{one.reason}", flush=True)
    versions = {one.client: one.version for one in outcomes.clients.values() if not one.reason}
    return versions, gathered(jobs, outcomes, given)


def expected_breaks(known: EffectsByRule) -> dict[str, tuple[str, ...]]:
    """What the catalogue's ``breaks`` must be: by row the clients that some finding of it affects."""
    hit: dict[str, set[str]] = {row.id: set() for row in catalogue().values()}
    for (rule, _), rows in known.items():
        hit[requirement(rule).id] |= {row.effect.client for row in rows}
    for need in needs():
        for rule in hit if need.finding else ():
            if any(fnmatchcase(rule, glob) for glob in need.rules):
                hit[rule].add(need.client)
    for one in CLIENTS:
        hit[f"client.{one.name}"].add(one.breaks)
    return {rule: tuple(name for name in NAMES if name in clients) for rule, clients in hit.items()}


def _few(jobs: Sequence[Job], most: int) -> set[str]:
    """The keys of the first responses of each rule and kind, and of the conformant ones in their place."""
    found: set[str] = set()
    counted: Counter[tuple[str, bool]] = Counter()
    for rule, fault, revision, scenario in jobs:
        kind = (rule, scenario.endswith(".stream"))
        counted[kind] += 1
        if counted[kind] <= most:
            found |= {f"{mark}/{revision}/{scenario}" for mark in (fault, _CLEAN)}
    return found


def joined(before: Mapping[str, Any], versions: Mapping[str, str], rules: Mapping[str, Any]) -> dict[str, Any]:
    """The evidence with what was seen now in place of what the same clients did before. Trials of other clients stay,
    also with faults that are no longer chosen."""
    old = before["rules"]
    rules = _with_trials_of_others(old, versions, rules)
    rows = {
        rule: {
            fault: {
                one.name: row[one.name] if one.name in versions else old.get(rule, {}).get(fault, {})[one.name]
                for one in CLIENTS
                if one.name in (row if one.name in versions else old.get(rule, {}).get(fault, {}))
            }
            for fault, row in faults.items()
        }
        for rule, faults in sorted(rules.items())
    }
    known = {**before["versions"], **versions}
    return {"versions": {one.name: known[one.name] for one in CLIENTS if one.name in known}, "rules": rows}


def _with_trials_of_others(
    old: Mapping[str, Any], versions: Mapping[str, str], rules: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {rule: dict(faults) for rule, faults in rules.items()}
    for rule, faults in old.items():
        for fault, row in faults.items():
            if row.keys() - versions.keys():
                found.setdefault(rule, {}).setdefault(fault, {})
    return found


def page(evidence: Mapping[str, Any]) -> str:
    """The evidence as a page: a table, a row a rule, a column a client."""
    return "\n".join(_page(evidence)) + "\n"


def _page(evidence: Mapping[str, Any]) -> Iterator[str]:
    ran = {one.client: evidence["versions"][one.name] for one in CLIENTS if one.name in evidence["versions"]}
    columns = [name for name in NAMES if any(one.breaks == name and one.client in ran for one in CLIENTS)]
    every = list(trials(evidence))
    effects = _effects(effects_by_rule(evidence))
    yield "# Real clients and the rules they need\n"
    yield "Made by `python -m tools.client_evidence --install DIR --write`: each rule is violated by up to five faults"
    yield "of the built-in endpoint, and the responses are sent to each client. `python -m tools.client_evidence"
    yield "--write` evaluates the responses again without running the clients.\n"
    yield f"Versions: {', '.join(f'{name} {version}' for name, version in ran.items())}. Strict Rust clients were not"
    yield "run: no report names them.\n"
    yield "- **stops**: it raises an exception, or ends its turn as failed, at some kind of finding of the rule"
    yield "- **other**: it ends with other text, reasoning or calls than with the conformant response, though"
    yield "  these were sent"
    yield "- copes: it ends as with the conformant response (or only passes on other token counts, or none)"
    yield "- undecided: it did not cope with some fault, but did with another one of the same kind of finding"
    yield "- empty: not tried\n"
    yield "A report names a client only for a kind of finding (the second table) at which it coped in no trial. Some"
    yield "clients ask for what MiMo's page does not have. That is no failure of an endpoint, and does not count:\n"
    for one in CLIENTS:
        if one.waived:
            yield f"- {one.name}: {', '.join(sorted(one.waived))}"
    yield "- LiteLLM streams only with models that are configured to stream; the driver configures them"
    yield "- langchain-openai and the AI SDK pass reasoning_text on in some forms only: the rest is not compared"
    yield "- a response that ends incomplete makes some raise, and is not fed\n"
    yield "## By rule\n"
    yield f"| rule | faults | {' | '.join(NAMES[name] for name in columns)} |"
    yield f"| --- | --- |{' --- |' * len(columns)}"
    for row in catalogue().values():
        faults = evidence["rules"].get(row.id, {})
        if faults:
            mine = [one for one in every if one.row == row.id]
            cells = [_cell(name, mine, effects.get((row.id, name), [])) for name in columns]
            yield f"| {row.id} | {', '.join(faults)} | {' | '.join(cells)} |"
    yield from _kinds_page(evidence)
    yield "\n## By construction\n"
    yield "Requests and keys cannot be tried so. These findings stop a client without a trial:\n"
    for need in needs():
        if need.finding:
            rules = ", ".join(need.rules)
            yield f"- {rules}, `{need.finding}`: {NAMES[need.client]} {need.says}; {need.unshown}"
    yield from _needs_page()
    without = [row.id for row in catalogue().values() if row.id not in evidence["rules"] and row.area != "client"]
    yield "\n## Not tried\n"
    yield "Rules about requests, refusals, keys and words, and those that no fault violates in what clients are fed:\n"
    yield ", ".join(without) + "."
    yield from _variants_page(client_variants.outcomes())
    yield "\n## How they stop\n"
    for row_id, faults in evidence["rules"].items():
        for fault, by_client in faults.items():
            numbers = _ways(by_client)
            if numbers:
                yield f"- {row_id}, by {fault}: {numbers}"


def _needs_page() -> Iterator[str]:
    """A row a need: client and version, the need, and the trial that shows it."""
    yield "\n## By need\n"
    yield "Each need with the version of the client and the first trial that shows it; the number of others.\n"
    yield "| client | version | need | trial |"
    yield "| --- | --- | --- | --- |"
    for need in needs():
        shown = list(need.trials())
        trial = (
            f"{shown[0][0]}, by {shown[0][1]}"
            if shown
            else need.unshown or "none: trials replay responses, and this is about requests"
        )
        more = f" (+{len(shown) - 1})" if len(shown) > 1 else ""
        yield f"| {NAMES[need.client]} | {need.version} | {need.says} | {trial}{more} |"


def _variants_page(rows: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """The outcomes as a section of a page: a table, a row a client and version, a column a variant."""
    yield "\n## Legal variants\n"
    yield "Made by `python -m tools.client_variants --install DIR --write`: responses of the built-in endpoint with"
    yield "variants that real servers send. copes: it ends as without the variant.\n"
    yield f"| client | {' | '.join(rows)} |"
    yield f"| --- |{' --- |' * len(rows)}"
    for name in dict.fromkeys(name for row in rows.values() for name in row):
        cells = [row[name].replace("|", "\\|") or "copes" if name in row else "" for row in rows.values()]
        yield f"| {name} | {' | '.join(cells)} |"


def _effects(known: EffectsByRule) -> dict[tuple[str, str], list[Effect]]:
    """The effects by row of the catalogue and client."""
    found: dict[tuple[str, str], list[Effect]] = {}
    for (rule, _), rows in known.items():
        for row in rows:
            found.setdefault((requirement(rule).id, row.effect.client), []).append(row.effect)
    return found


def _cell(name: str, mine: Sequence[Trial], effects: Sequence[Effect]) -> str:
    if effects:
        return "**stops**" if any(one.does == STOPS for one in effects) else "**other**"
    client_input = [one for one in mine if one.client == name]
    return "" if not client_input else "copes" if all(one.coped for one in client_input) else "undecided"


def _kinds_page(evidence: Mapping[str, Any]) -> Iterator[str]:
    """A row a kind of finding that affects a client."""
    yield "\n## By kind of finding\n"
    yield "`#` is a number or an id, `_` a quoted value; several kinds in one row affect only together.\n"
    yield "| rule | response | kind of finding | affected clients |"
    yield "| --- | --- | --- | --- |"
    for (rule, streams), rows in sorted(effects_by_rule(evidence).items()):
        for kinds in dict.fromkeys(row.kinds for row in rows):
            hit = {row.effect.client: row.effect.does for row in rows if row.kinds == kinds}
            numbers = ", ".join(f"{NAMES[name]} {hit[name]}" for name in NAMES if name in hit)
            reported = "; ".join(f"`{one}`".replace("|", "\\|") for one in sorted(kinds))
            yield f"| {rule} | {kept.MODES[streams]} | {reported} | {numbers} |"


def _ways(by_client: Mapping[str, str]) -> str:
    ways: dict[str, list[str]] = {}
    for name, reported in by_client.items():
        if reported not in kept.COPES:
            ways.setdefault(reported.partition(":")[0], []).append(name)
    return "; ".join(f"{', '.join(names)} {way}" for way, names in ways.items())


def _of_today(evidence: Mapping[str, Any]) -> dict[str, Any]:
    """The evidence without rules and faults that were removed."""
    rules = {rule: faults for rule, faults in evidence["rules"].items() if rule in catalogue()}
    existing = {
        rule: {fault: row for fault, row in faults.items() if fault in FAULTS} for rule, faults in rules.items()
    }
    return {**evidence, "rules": existing}


def main() -> int:
    """Run the clients, and write their outcomes or report differences from the file."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--install", type=Path, help="the folder that conformance clients --install made")
    parser.add_argument("--client", action="append", default=[], help="only this client; may be given several times")
    parser.add_argument("--rule", action="append", default=[], help="only this rule; the others stay as they are")
    parser.add_argument("--outcomes", type=Path, help="write the outcomes to this file, or read them from it")
    parser.add_argument(
        "--answers", dest="responses", type=int, default=99, help="the most responses of each kind for a rule"
    )
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    before = after = _of_today(kept.evidence())
    if options.install:
        versions, rules = run(options.install, options.client, options.outcomes, options.responses, options.rule)
        after = joined(before, versions, {**before["rules"], **rules} if options.rule else rules)
    after = with_findings(after)
    if options.write:
        json_lines.write(kept.FILE, after, depth=3)
        PAGE.write_text(page(after), encoding="utf-8")
        return 0
    for rule in sorted(after["rules"].keys() | before["rules"].keys()):
        if any(before[part].get(rule) != after[part].get(rule) for part in ("rules", "findings")):
            print(f"{rule} differs")
    for rule, breaks in expected_breaks(effects_by_rule(after)).items():
        if catalogue()[rule].breaks != breaks:
            print(f"{rule}: the catalogue's breaks are {list(catalogue()[rule].breaks)}, expected {list(breaks)}")
    return int(after != before)


if __name__ == "__main__":
    sys.exit(main())
