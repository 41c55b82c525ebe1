"""submit_changes: sends a shard's changes, and what was planned again on the way."""

from __future__ import annotations

from datetime import timedelta

from clawback.impact.budget import BudgetSpent
from clawback.impact.client import ImpactClient
from clawback.impact.errors import RateLimited
from clawback.steps.fresh import ListingBusyError, keep_fresh
from clawback.steps.known import what_is_known
from clawback.steps.runtime import Progress, Runtime
from clawback.steps.sender import Sender

AT_START = timedelta(minutes=2)
"""How old the listing may be when a shard begins; prove_account has just repeated it."""


def submit(
    rt: Runtime, client: ImpactClient, shard: int | None, *, urgent: bool = False
) -> Progress:
    """Send the approved changes of one shard (None: of all), those that lock first first.

    With `urgent` only those that lock soon. Not done when the budget is spent: called again, it
    goes on where it was. What an earlier attempt left in doubt is read back before anything of it
    is sent again. What turns out to have moved since it was planned is dropped and planned again.
    Raises AuthenticationError or PermissionDenied with every unsent change still planned.
    """
    run = rt.run()
    with rt.ledger.read() as conn:
        known = what_is_known(conn, rt, run.account)
    sender = Sender(rt, client, run, known)
    try:
        sender.finish(shard)
        keep_fresh(rt, client, run, AT_START)
        sender.send_due(shard, urgent=urgent)
        sender.send_due(shard, urgent=urgent)  # what was planned again on the way
        sender.finish(shard)
    except ListingBusyError as busy:
        return sender.later(busy.until, "listing")
    except BudgetSpent as spent:
        return sender.later(spent.until)
    except RateLimited as limited:
        return sender.later(limited.retry_at + rt.clock.offset)
    return Progress(done=True, counts=dict(sender.counts))
