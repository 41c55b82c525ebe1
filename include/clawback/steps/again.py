"""Plans orders again whose actions have moved since their run was planned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, delete, select, update

from clawback.ledger.changes import ChangeState
from clawback.ledger.runs import Run
from clawback.ledger.store import chunks
from clawback.ledger.tables import actions, changes, return_lines, run_lines
from clawback.reconcile.facts import ActionState
from clawback.steps.plan import brief_of
from clawback.steps.runtime import Runtime
from clawback.steps.sheet import Planner
from clawback.steps.write import Writer


def plan_again(rt: Runtime, run: Run, shards: Mapping[str, int]) -> int:
    """Plan some orders of a run once more, on what is known now; returns how many changes.

    What comes of an order is approved, and belongs to its shard, so that the same run sends it.
    Does nothing where a plan must be shown to a person first: an approval holds only for what was
    shown, and the next run asks again.
    """
    if rt.program.approval.waits:
        return 0
    now = rt.clock.now()
    with rt.ledger.read() as conn:
        planner = Planner(brief_of(conn, rt, run, now))
    writer = Writer(run, now)
    for some in chunks(sorted(shards)):
        with rt.ledger.begin() as conn:
            _forget(conn, run, some)
            writer.write(conn, planner.sheet(conn, some))
            for order_key in some:
                _release(conn, run, order_key, shards[order_key])
    return writer.changes


def stale_actions(rt: Runtime, run: Run, order_keys: Iterable[str]) -> list[str]:
    """The actions of some orders whose items are older than their listing."""
    here = select(actions.c.id).where(
        actions.c.account == run.account,
        actions.c.campaign_id == rt.program.campaign_id,
        actions.c.order_key.in_(list(order_keys)),
        actions.c.stale,
        actions.c.state != ActionState.REVERSED.value,
    )
    with rt.ledger.read() as conn:
        return list(conn.scalars(here.order_by(actions.c.id)))


def _forget(conn: Connection, run: Run, order_keys: Sequence[str]) -> None:
    """What the run has made of the lines of these orders so far."""
    lines = select(return_lines.c.id).where(
        return_lines.c.program == run.program,
        return_lines.c.order_key.in_(order_keys),
        return_lines.c.status == "valid",
    )
    here = (run_lines.c.run_id == run.id) & run_lines.c.line_id.in_(lines)
    conn.execute(delete(run_lines).where(here))


def _release(conn: Connection, run: Run, order_key: str, shard: int) -> None:
    """Let what was just planned be sent with the rest of its shard."""
    new = (
        (changes.c.run_id == run.id)
        & (changes.c.state == ChangeState.PLANNED)
        & (changes.c.order_key == order_key)
        & changes.c.approved.is_(None)
    )
    conn.execute(update(changes).where(new).values(approved=True, shard=shard))
