"""The history of nightly runs of all targets in one SQLite file: one row for each case and run, without bodies.

``PRAGMA user_version`` contains the number of the format; a file of another format is refused.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from conformance.judge.verdict import FAIL, INCONCLUSIVE, NOT_APPLICABLE, PASS, WARNING
from conformance.results.measures import Measures
from conformance.results.records import CaseRecord
from conformance.results.results_file import ERROR, Results
from conformance.version import __version__

FORMAT = 1

#: The verdict of a case that failed and passed on retry.
FLAKY = "flaky"

#: The file contains the index of a verdict in this tuple: new verdicts are only appended.
VERDICTS = (PASS, FAIL, WARNING, INCONCLUSIVE, NOT_APPLICABLE, ERROR, FLAKY)

_TABLES = """
create table night (
  id integer primary key,
  target text not null,
  started_at text not null,
  suite text not null,
  revision text not null,
  endpoint text not null,
  model text not null,
  exit integer not null,
  seconds real not null,
  requests integer not null,
  input_tokens integer not null,
  output_tokens integer not null,
  first_byte real,
  token real,
  unique (target, started_at)
);
create table name (id integer primary key, requirement text not null, "case" text not null unique);
create table verdict (
  night integer not null references night (id),
  name integer not null references name (id),
  verdict integer not null,
  primary key (night, name)
) without rowid;
create table seen (target text not null, name text not null, since text not null, primary key (target, name))
  without rowid;
"""


class HistoryError(Exception):
    """The file cannot be used; the message is one line for the user."""


@dataclass(frozen=True)
class NightlyRun:
    """A nightly run of a target; ``counts`` is the number of its cases by verdict."""

    id: int
    target: str
    started_at: str
    exit: int
    counts: Mapping[str, int]

    @property
    def pass_rate(self) -> float | None:
        """The share of the evaluated cases that passed, from 0 to 1; None if no case was evaluated."""
        evaluated = sum(self.counts.get(name, 0) for name in (PASS, FAIL, WARNING, FLAKY))
        return self.counts.get(PASS, 0) / evaluated if evaluated else None


class History:
    """An open history file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def add(self, run: Results, code: int, flaky: Collection[str], measured: Measures | None) -> None:
        """Add a nightly run; one with the same target and time is replaced. Raises ``ValueError`` for an interrupted
        run."""
        head, end = run.head, run.end
        if end is None:
            raise ValueError(f"{run.path} is from an interrupted run")
        target, started = head.target.name, head.started_at
        with self._db as db:
            for (night,) in db.execute("select id from night where target = ? and started_at = ?", (target, started)):
                db.execute("delete from verdict where night = ?", (night,))
                db.execute("delete from night where id = ?", (night,))
            values = (
                target, started, head.suite, head.revision, head.target.endpoint, head.target.model,
                code, end.seconds, end.requests, end.tokens.input, end.tokens.output,
                measured.first_byte if measured else None, measured.token if measured else None,
            )  # fmt: skip
            marks = ", ".join("?" * len(values))
            night = db.execute(f"insert into night values (null, {marks})", values).lastrowid
            db.executemany(
                'insert or ignore into name (requirement, "case") values (?, ?)',
                [(line.requirement, line.id) for line in run.cases],
            )
            db.executemany(
                'insert into verdict select ?, id, ? from name where "case" = ?',
                [(night, VERDICTS.index(_verdict(line, flaky)), line.id) for line in run.cases],
            )
            if measured:
                db.executemany(
                    "insert or ignore into seen values (?, ?, ?)",
                    [(target, name, started) for name in sorted(measured.names)],
                )

    def add_without_results(
        self, target: str, endpoint: str, model: str, revision: str, started_at: str, code: int
    ) -> None:
        """Add a nightly run that evaluated no case, such as one whose endpoint could not be reached."""
        values = (target, started_at, __version__, revision, endpoint, model, code, 0.0, 0, 0, 0, None, None)
        with self._db as db:
            db.execute(f"insert or replace into night values (null, {', '.join('?' * len(values))})", values)

    def seen(self, target: str, names: Iterable[str]) -> set[str]:
        """The event types and members among ``names`` that occurred in an earlier nightly run of the target."""
        known = {name for (name,) in self._db.execute("select name from seen where target = ?", (target,))}
        return known.intersection(names)

    def flaky(self, target: str) -> dict[str, int]:
        """For each case that was flaky in a nightly run of the target, the number of these runs."""
        rows = self._db.execute(
            'select "case", count(*) from verdict join name on name.id = verdict.name join night on night.id = '
            "verdict.night where target = ? and verdict = ? group by 1",
            (target, VERDICTS.index(FLAKY)),
        )
        return dict(rows.fetchall())

    def targets(self) -> list[str]:
        """The names of all targets."""
        return [name for (name,) in self._db.execute("select distinct target from night order by target")]

    def last_runs(self, target: str, limit: int) -> list[NightlyRun]:
        """The last nightly runs of a target, at most ``limit``, the oldest first."""
        rows = self._db.execute(
            "select id, started_at, exit from night where target = ? order by started_at desc limit ?", (target, limit)
        ).fetchall()
        found = []
        for night, started, code in reversed(rows):
            counts = self._db.execute("select verdict, count(*) from verdict where night = ? group by 1", (night,))
            found.append(
                NightlyRun(night, target, started, code, {VERDICTS[number]: count for number, count in counts})
            )
        return found

    def by_rule(self, runs: Collection[NightlyRun]) -> dict[str, dict[int, dict[str, int]]]:
        """For each rule and each nightly run (by id) in which it was evaluated, the number of cases by verdict."""
        found: dict[str, dict[int, dict[str, int]]] = {}
        for night in runs:
            rows = self._db.execute(
                "select requirement, verdict, count(*) from verdict join name on name.id = verdict.name"
                " where night = ? group by 1, 2",
                (night.id,),
            )
            for rule, verdict, count in rows:
                found.setdefault(rule, {}).setdefault(night.id, {})[VERDICTS[verdict]] = count
        return dict(sorted(found.items()))


def _verdict(line: CaseRecord, flaky: Collection[str]) -> str:
    return FLAKY if line.id in flaky else line.own_verdict


@contextmanager
def opened(file: Path, create: bool = False) -> Iterator[History]:
    """The history in a file. Raises :class:`HistoryError` if the file does not exist (unless ``create``) or is not a
    history."""
    if not create and not file.exists():
        raise HistoryError(f"{file} does not exist; conformance nightly creates it")
    try:
        if create:
            file.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(file, timeout=60)
    except (OSError, sqlite3.Error) as error:
        raise HistoryError(f"{file} cannot be opened: {error}") from None
    try:
        _prepare(connection, file)
        yield History(connection)
    except sqlite3.Error as error:
        raise HistoryError(f"{file} cannot be used: {error}") from None
    finally:
        connection.close()


def _prepare(connection: sqlite3.Connection, file: Path) -> None:
    if not _version(connection, file):
        with connection:
            connection.execute("begin immediate")  # If two processes create the file, the second waits here,
            if not _version(connection, file):  # and then finds the tables.
                for statement in _TABLES.split(";"):
                    connection.execute(statement)
                connection.execute(f"pragma user_version = {FORMAT}")


def _version(connection: sqlite3.Connection, file: Path) -> int:
    """The number of the format; 0 for an empty file. Raises :class:`HistoryError` for another format or database."""
    # One statement, so that both values are consistent while another process creates the file.
    version, tables = connection.execute(
        "select user_version, (select count(*) from sqlite_master) from pragma_user_version"
    ).fetchone()
    if version not in (0, FORMAT):
        raise HistoryError(f"{file} has format {version}, expected {FORMAT}")
    if version == 0 and tables:
        raise HistoryError(f"{file} is an SQLite database, but not a history of nightly runs")
    return int(version)
