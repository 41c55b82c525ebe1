"""What the ledger tells of runs: the latest of each program, and one with its books."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from clawback.ledger import passes
from clawback.ledger.runs import Run, get_run, requests_of
from clawback.ledger.tables import changes, programs, runs
from clawback.steps.close import balanced

LATEST = 5
PAGE = 50
COUNTED = 20_000
"""Up to so many changes of a run are counted by their state, and sorted, while a reader waits."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A run in a list; `books` is empty while it is open. Money is text in `currency`."""

    id: str
    program: str
    kind: str
    dry_run: bool
    opened_at: datetime
    closed_at: datetime | None
    books: Mapping[str, Any]

    @property
    def sound(self) -> bool:
        """Whether its books, if it has any, balance."""
        return not self.books or balanced(self.books)

    def lines(self, *outcomes: str) -> int:
        """How many lines ended so; all of them without a name."""
        if not self.books:
            return 0
        if not outcomes:
            return int(self.books["lines"])
        return sum(self.books["outcomes"][name]["lines"] for name in outcomes)


@dataclass(frozen=True, slots=True)
class Latest:
    """A program with its newest runs; `more` says that it has others."""

    program: str
    runs: Sequence[Listed]
    more: bool


@dataclass(frozen=True, slots=True)
class Told:
    """One run: as the ledger holds it, its requests so far, and its changes.

    `states` counts the changes by state; it is None where they are too many to count.
    """

    run: Run
    requests: Mapping[str, int]
    changes: int
    states: Mapping[str, int] | None


def program_names(conn: Connection) -> list[str]:
    """The programs that have run."""
    return list(conn.scalars(select(programs.c.name).order_by(programs.c.name)))


def latest_runs(conn: Connection, names: Collection[str]) -> list[Latest]:
    """The newest runs of some programs, by program."""
    place = func.row_number().over(
        partition_by=runs.c.program, order_by=(runs.c.opened_at.desc(), runs.c.id)
    )
    ranked = select(runs.c.id, place.label("place")).where(runs.c.program.in_(list(names)))
    inner = ranked.subquery()
    ids = list(conn.scalars(select(inner.c.id).where(inner.c.place <= LATEST + 1)))
    found: dict[str, list[Listed]] = {name: [] for name in sorted(names)}
    for run in _listed(conn, runs.c.id.in_(ids)):
        found[run.program].append(run)
    return [Latest(name, own[:LATEST], len(own) > LATEST) for name, own in found.items()]


def runs_of(conn: Connection, program: str, page: int) -> tuple[list[Listed], bool]:
    """A page (from 1) of a program's runs, the newest first, and whether there are older ones."""
    order = (runs.c.opened_at.desc(), runs.c.id)
    here = select(runs.c.id).where(runs.c.program == program).order_by(*order)
    ids = list(conn.scalars(here.limit(PAGE + 1).offset((page - 1) * PAGE)))
    return _listed(conn, runs.c.id.in_(ids[:PAGE])), len(ids) > PAGE


def runs_of_dag_run(conn: Connection, dag_id: str, run_id: str) -> list[Listed]:
    """The ledger's runs that one Dag run has made, the newest first: its passes, its windows."""
    name = f"{dag_id}/{run_id}"
    parts = [runs.c.id.startswith(f"{name}{mark}", autoescape=True) for mark in (passes.MARK, "/")]
    here = (runs.c.id == name) | parts[0] | parts[1]
    return _listed(conn, here, PAGE * 10)


def _listed(conn: Connection, here: ColumnElement[bool], most: int | None = None) -> list[Listed]:
    columns = [runs.c[name] for name in Listed.__slots__]
    order = (runs.c.opened_at.desc(), runs.c.id.desc())
    rows = conn.execute(select(*columns).where(here).order_by(*order).limit(most)).mappings()
    return [Listed(**{**row, "books": row["books"] or {}}) for row in rows]


def tell_run(conn: Connection, run_id: str) -> Told:
    """One run; raises UnknownRunError where there is none."""
    run = get_run(conn, run_id)
    here = changes.c.run_id == run_id
    total = int(conn.scalar(select(func.count()).select_from(changes).where(here)) or 0)
    states = _states(conn, here) if total <= COUNTED else None
    return Told(run, requests_of(conn, run_id), total, states)


def _states(conn: Connection, here: ColumnElement[bool]) -> dict[str, int]:
    counted = select(changes.c.state, func.count().label("n")).where(here).group_by("state")
    return {row.state: row.n for row in conn.execute(counted.order_by("state"))}
