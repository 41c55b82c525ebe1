"""Resets in the ledger: actions that are put back to what was first reported for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

from sqlalchemy import Connection, RowMapping, insert, select, update

from clawback.ledger.store import chunks
from clawback.ledger.tables import resets


class ResetState(StrEnum):
    """Where a reset stands. LOST was accepted and never seen; UNSENT certainly never left."""

    SENDING = "sending"
    QUEUED = "queued"
    DONE = "done"
    REFUSED = "refused"
    LOST = "lost"
    UNSENT = "unsent"


OPEN = (ResetState.SENDING, ResetState.QUEUED)


def add(conn: Connection, row: Mapping[str, object]) -> None:
    """Write the intent to reset an action, before the request leaves."""
    conn.execute(insert(resets).values(**row))


def set_reset(conn: Connection, reset_id: str, was: Sequence[ResetState], **values: object) -> bool:
    """Change a reset that is in one of the given states; false if it no longer is."""
    here = (resets.c.id == reset_id) & resets.c.state.in_(was)
    return conn.execute(update(resets).where(here).values(**values)).rowcount == 1


def of_run(conn: Connection, run_id: str) -> list[RowMapping]:
    """A run's resets, oldest first."""
    here = select(resets).where(resets.c.run_id == run_id)
    return list(conn.execute(here.order_by(resets.c.sent_at, resets.c.id)).mappings())


def open_resets(conn: Connection, account: str, action_ids: Sequence[str]) -> set[str]:
    """Which of some actions have a reset that is sent and not yet seen."""
    found: set[str] = set()
    for some in chunks(action_ids):
        here = select(resets.c.action_id).where(
            resets.c.account == account,
            resets.c.action_id.in_(some),
            resets.c.state.in_(OPEN),
        )
        found.update(conn.scalars(here))
    return found
