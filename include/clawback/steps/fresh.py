"""Keeps a run from sending on stale facts: the incremental listing, repeated once per account."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

from clawback.errors import ClawbackError
from clawback.impact.client import ImpactClient
from clawback.ledger import actions as stock
from clawback.ledger.runs import Run
from clawback.steps.runtime import Runtime
from clawback.steps.sync import refresh

MAX_AGE = timedelta(minutes=10)
LEASE = timedelta(minutes=5)
SOON = timedelta(seconds=5)


class ListingBusyError(ClawbackError):
    """Another process is repeating the listing; nothing may be sent before it is there."""

    def __init__(self, until: datetime) -> None:
        super().__init__("impact.com is being listed by another process; come back when it is done")
        self.until = until


def keep_fresh(rt: Runtime, client: ImpactClient, run: Run, max_age: timedelta = MAX_AGE) -> bool:
    """Repeat the incremental listing if it is older than `max_age` and nobody else is at it.

    Returns whether this call listed. Freshness and the lease stand in the ledger, so that many
    shards make one listing. Raises ListingBusyError while another is at it.
    """
    holder = uuid4().hex
    key = (run.account, rt.program.campaign_id)
    now = rt.clock.now()
    with rt.ledger.begin() as conn:
        cursor = stock.cursor_of(conn, *key)
        if cursor is not None and now - cursor["fresh_at"] <= max_age:
            return False
        if cursor is not None and not stock.lease_cursor(conn, key, holder, (now, now + LEASE)):
            raise ListingBusyError(now + SOON)
    try:
        refresh(rt, client)
    finally:
        with rt.ledger.begin() as conn:
            stock.release_cursor(conn, key, holder)
    return True
