"""submit_urgent: sends what locks soon and is approved while a person is asked about the rest."""

from __future__ import annotations

from sqlalchemy import func, select

from clawback.impact.client import ImpactClient
from clawback.ledger.changes import ChangeState
from clawback.ledger.tables import changes
from clawback.steps.approve import approve
from clawback.steps.prove import prove
from clawback.steps.runtime import Progress, Runtime
from clawback.steps.submit import submit


def submit_urgent(rt: Runtime, client: ImpactClient) -> Progress:
    """Send the urgent changes that stay within their own threshold while the others wait.

    Where nothing waits, nothing is sent here: submit_changes sends all of it, shard by shard. The
    canary comes first, as for every change. Not done while the budget is spent or the canary is
    not seen; called again, it goes on where it was.
    """
    if not (approve(rt)["waiting"] and _ready(rt)):
        return Progress(done=True)
    proved = prove(rt, client)
    return submit(rt, client, None, urgent=True) if proved.done else proved


def _ready(rt: Runtime) -> int:
    """How many urgent changes are approved and not sent yet."""
    here = select(func.count()).where(
        changes.c.run_id == rt.run_id,
        changes.c.state == ChangeState.PLANNED,
        changes.c.urgent.is_(True),
        changes.c.approved.is_(True),
    )
    with rt.ledger.read() as conn:
        return int(conn.scalar(here) or 0)
