"""The runs of the ledger that one Dag run makes: cleared as a whole, it makes another one.

Closed books stay as they are, so a Dag run that is done again (cleared from its first task, or
processed again by a backfill) needs a run of its own, with its own window, dry or not.
"""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from clawback.ledger.tables import runs

MARK = "#"


def latest(conn: Connection, run_id: str) -> str:
    """The newest run made under an id: `run_id` itself, or the last `run_id#N`."""
    last = _last(conn, run_id)
    return run_id if last is None else last[0]


def begun(conn: Connection, run_id: str) -> str:
    """The run that a first task works for: the newest if it is open, else another one."""
    last = _last(conn, run_id)
    if last is None:
        return run_id
    name, closed = last
    if not closed:
        return name
    number = int(name.removeprefix(f"{run_id}{MARK}")) if name != run_id else 1
    return f"{run_id}{MARK}{number + 1}"


def _last(conn: Connection, run_id: str) -> tuple[str, bool] | None:
    again = runs.c.id.startswith(f"{run_id}{MARK}", autoescape=True)
    newest = select(runs.c.id, runs.c.closed_at).where((runs.c.id == run_id) | again)
    # Of two numbers the longer is the larger, and of equally long ones the later in the alphabet.
    row = conn.execute(newest.order_by(func.length(runs.c.id).desc(), runs.c.id.desc())).first()
    return None if row is None else (row.id, row.closed_at is not None)
