"""What will lock soon while it is unsettled, in money."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from clawback.money import ZERO
from clawback.reconcile.outcomes import Outcome


class AtStake(NamedTuple):
    """A line and the action it concerns: when that locks, and the commission on the line."""

    outcome: Outcome
    locking_at: datetime | None
    payout: Decimal | None
    currency: str


class LockingDay(NamedTuple):
    """The lines of one UTC day and currency that will lock unsettled, and their commission."""

    day: date
    currency: str
    lines: int
    payout: Decimal


def locking_soon(rows: Iterable[AtStake], now: datetime, within: timedelta) -> list[LockingDay]:
    """What locks after `now` and `within` that time, of lines that are not settled, by day."""
    days: dict[tuple[date, str], tuple[int, Decimal]] = {}
    for row in rows:
        if row.outcome.final or row.locking_at is None or not now < row.locking_at <= now + within:
            continue
        key = (row.locking_at.date(), row.currency)
        lines, payout = days.get(key, (0, ZERO))
        days[key] = (lines + 1, payout + (row.payout or ZERO))
    return [LockingDay(*key, *days[key]) for key in sorted(days)]
