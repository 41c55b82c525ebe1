"""Which lines of a program wait for a person, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import Connection, select

from clawback.ledger.tables import return_lines, run_lines, runs
from clawback.reconcile.outcomes import Outcome

PAGE = 100
LOOKED_AT = 20_000
"""Of so many held lines those of one reason are picked while a reader waits."""


@dataclass(frozen=True, slots=True)
class Held:
    """A line that is held; `note` is what the last run that saw it said of it."""

    order_id: str
    return_id: str
    sku: str
    amount: Decimal | None
    currency: str
    hold: str
    note: str


def held_lines(conn: Connection, program: str, hold: str, page: int) -> tuple[Sequence[Held], bool]:
    """A page (from 1) of the lines held now, of one reason or ('') any; whether there are more."""
    columns = ("id", "order_id", "return_id", "sku", "amount", "currency", "hold")
    waiting = select(*(return_lines.c[name] for name in columns)).where(
        return_lines.c.program == program, return_lines.c.outcome == Outcome.HELD
    )
    some = waiting.limit(LOOKED_AT).subquery()
    here = select(some).order_by(some.c.hold, some.c.id)
    if hold:
        here = here.where(some.c.hold == hold)
    rows = conn.execute(here.limit(PAGE + 1).offset((page - 1) * PAGE)).mappings().all()
    notes = _notes(conn, [row["id"] for row in rows[:PAGE]])
    found = [
        Held(
            **{name: row[name] for name in columns[1:5]},
            currency=row["currency"] or "",
            hold=row["hold"] or "",
            note=notes.get(row["id"], ""),
        )
        for row in rows[:PAGE]
    ]
    return found, len(rows) > PAGE


def _notes(conn: Connection, ids: Sequence[int]) -> dict[int, str]:
    """What was said last of each line."""
    rows = conn.execute(
        select(run_lines.c.line_id, run_lines.c.note)
        .join(runs, runs.c.id == run_lines.c.run_id)
        .where(run_lines.c.line_id.in_(ids), run_lines.c.outcome == Outcome.HELD)
        .order_by(runs.c.opened_at)
    )
    return {row.line_id: row.note for row in rows}
