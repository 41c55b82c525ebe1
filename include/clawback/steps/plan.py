"""plan_changes: works out, order by order, what each line comes to and which changes are due."""

from __future__ import annotations

import gc
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, case, delete, func, insert, literal, select, update

from clawback.ledger import actions as stock
from clawback.ledger.bulk import roomy
from clawback.ledger.changes import ChangeState, Step, move
from clawback.ledger.lines import lines_read
from clawback.ledger.runs import Run
from clawback.ledger.store import alone, chunks
from clawback.ledger.tables import change_lines, changes, return_lines, run_lines
from clawback.reconcile.outcomes import Outcome
from clawback.steps import crew, scope
from clawback.steps.known import what_is_known
from clawback.steps.runtime import Runtime
from clawback.steps.sheet import Brief, Planner
from clawback.steps.write import Writer

_BATCH = 2000
"""Orders that are read and planned together."""
_TOGETHER = 25
"""Batches that are written in one transaction: some seconds' work."""
_WORTH_A_CREW = 20_000
"""Orders from which starting further processes pays."""
_SELDOM = 500_000
"""Objects made between two looks of the garbage collector."""
_ASIDE = {
    "superseded": "a newer row with this order_id, return_id and sku counts",
    "duplicate": "the same row was read twice; one counts",
}


def plan(rt: Runtime, *, workers: int | None = None) -> dict[str, Any]:
    """Plan every order in scope; returns the shards to map over and counts.

    Planning twice gives the same changes: what this run planned before and has not sent is
    dropped first, and so is what another run has planned for the same actions and not sent.
    `workers` are processes that plan while this one writes; None: as many as there are processors
    where there is work enough. The plan does not depend on it.
    """
    run, now = rt.run(), rt.clock.now()
    with rt.ledger.read() as conn:
        keys = scope.order_keys(conn, run, rt.program)
        brief = brief_of(conn, rt, run, now)
    with rt.ledger.begin() as conn:
        _start_over(conn, run, now)
        _aside(conn, run)
    writer = Writer(run, now)
    if workers is None:
        workers = min(crew.cores(), crew.MOST) if len(keys) >= _WORTH_A_CREW else 0
    with _collecting_seldom():
        if workers > 1:
            _plan_together(rt, brief, keys, writer, workers)
        else:
            _plan_alone(rt, brief, keys, writer)
    with rt.ledger.begin() as conn:
        shards = _shards(conn, rt, run, writer.changes)
    return {
        "orders": len(keys),
        "changes": writer.changes,
        "shards": [] if run.dry_run else list(range(shards)),
        "outcomes": dict(writer.outcomes),
        "urgent": writer.urgent,
    }


def brief_of(conn: Connection, rt: Runtime, run: Run, now: datetime) -> Brief:
    """What planning needs to know besides the orders themselves."""
    covered = stock.covered(conn, run.account, rt.program.campaign_id)
    cursor = stock.cursor_of(conn, run.account, rt.program.campaign_id)
    listed_to = now if cursor is None else cursor["listed_to"]
    known = what_is_known(conn, rt, run.account)
    return Brief(run, rt.program, known, now, covered, listed_to)


def _plan_alone(rt: Runtime, brief: Brief, keys: Sequence[str], writer: Writer) -> None:
    """Read, plan and write in this process, batch by batch."""
    planner = Planner(brief)
    for many in chunks(keys, _BATCH * _TOGETHER):
        with rt.ledger.begin() as conn, roomy(conn):
            for some in chunks(many, _BATCH):
                writer.write(conn, planner.sheet(conn, some, many=_many(rt, writer)))


def _plan_together(
    rt: Runtime, brief: Brief, keys: Sequence[str], writer: Writer, workers: int
) -> None:
    """Let other processes read and plan, and write in this one."""

    def work() -> Iterator[tuple[Sequence[str], bool]]:
        for some in chunks(keys, _BATCH):
            yield some, _many(rt, writer)

    with crew.crew(rt.ledger, brief, workers) as hands:
        sheets = hands.sheets(work())
        for _ in range(0, len(keys), _BATCH * _TOGETHER):
            with rt.ledger.begin() as conn, roomy(conn):
                for sheet in islice(sheets, _TOGETHER):
                    writer.write(conn, sheet)


@contextmanager
def _collecting_seldom() -> Iterator[None]:
    """Let the garbage collector look less often: rows come by the million and hold no circles."""
    usual = gc.get_threshold()
    gc.set_threshold(_SELDOM, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def _many(rt: Runtime, writer: Writer) -> bool:
    """Whether the changes written so far fill every shard there may be."""
    size = rt.program.shards
    return writer.changes > size.most * size.size


def _start_over(conn: Connection, run: Run, now: datetime) -> None:
    """Drop what an earlier attempt of this run has planned and not sent."""
    alone(conn, run.account)
    conn.execute(delete(run_lines).where(run_lines.c.run_id == run.id))
    planned = select(changes.c.id).where(
        changes.c.run_id == run.id, changes.c.state == ChangeState.PLANNED
    )
    for change_id in conn.scalars(planned).all():
        move(conn, change_id, Step(run.id, now, ChangeState.PLANNED, ChangeState.DROPPED))
    dry = select(changes.c.id).where(changes.c.run_id == run.id, changes.c.state == ChangeState.DRY)
    conn.execute(delete(change_lines).where(change_lines.c.change_id.in_(dry)))
    conn.execute(
        delete(changes).where(changes.c.run_id == run.id, changes.c.state == ChangeState.DRY)
    )


def _aside(conn: Connection, run: Run) -> None:
    """The rows that were read and do not count: invalid, superseded, duplicate."""
    row = return_lines.c
    outcome = case((row.status == "invalid", Outcome.INVALID.value), else_=Outcome.IGNORED.value)
    said = case(*((row.status == status, text) for status, text in _ASIDE.items()), else_="")
    rows = select(
        literal(run.id),
        row.id,
        literal(""),
        literal(False),
        outcome,
        said,
        row.amount,
        func.coalesce(row.currency, ""),
    ).where(
        row.program == run.program,
        row.id.in_(lines_read(run.program, run.read_no)),
        row.status != "valid",
    )
    names = ("run_id", "line_id", "action_id", "carried", "outcome", "note")
    conn.execute(insert(run_lines).from_select([*names, "amount", "currency"], rows))


def _shards(conn: Connection, rt: Runtime, run: Run, n: int) -> int:
    """Cut the run's `n` changes into shards by a hash of their ActionId; returns how many."""
    size = rt.program.shards
    count = min(size.most, math.ceil(n / size.size))
    if count:
        here = (changes.c.run_id == run.id) & (changes.c.shard >= count)
        mine = here & (changes.c.state == ChangeState.PLANNED)
        conn.execute(update(changes).where(mine).values(shard=changes.c.shard % count))
    return count
