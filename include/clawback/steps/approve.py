"""approve_changes: writes into the ledger which of the run's changes may be sent."""

from __future__ import annotations

from sqlalchemy import update

from clawback.ledger import runs
from clawback.ledger.changes import ChangeState
from clawback.ledger.tables import changes
from clawback.steps.runtime import Runtime


def approve(rt: Runtime, by: str = "no threshold") -> dict[str, int]:
    """Approve what the run has planned; only approved changes are ever sent."""
    with rt.ledger.begin() as conn:
        mine = (changes.c.run_id == rt.run_id) & (changes.c.state == ChangeState.PLANNED)
        n = conn.execute(update(changes).where(mine).values(approved=True)).rowcount
        if n:
            told = {"approved": n, "by": by}
            runs.note(conn, rt.run_id, rt.clock.now(), ("run", rt.run_id), "", "approved", told)
    return {"approved": n}
