"""The request budget of an account, shared by every process through the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import overload

from sqlalchemy import Connection, RowMapping, bindparam, delete, func, select, update

from clawback.clock import Clock
from clawback.impact.budget import BudgetSpent, RequestKind, read_limits
from clawback.ledger.runs import count_requests
from clawback.ledger.store import Ledger, count_up, upsert
from clawback.ledger.tables import budget_uses, budgets

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
DEFAULT_ALLOWANCE = 1000
"""Requests an hour for everything that is not listed otherwise (reference §6)."""
_TOO_MANY = 429
# Every request of an account passes here: the statements are built once.
_MINE = budget_uses.c.account == bindparam("whose")
_HELD = select(budgets).where(budgets.c.account == bindparam("whose")).with_for_update()
_SAY = (
    update(budgets)
    .where(budgets.c.account == bindparam("whose"))
    .values(
        allowance=bindparam("allowance"),
        remaining=bindparam("remaining"),
        resets_at=bindparam("resets_at"),
        said_at=bindparam("said_at"),
        blocked_until=bindparam("blocked_until"),
    )
)
_TAKE = (
    update(budgets)
    .where(budgets.c.account == bindparam("whose"))
    .values(remaining=bindparam("left"))
)
_FORGET = delete(budget_uses).where(_MINE, budget_uses.c.second < bindparam("before"))
_SUM = select(func.coalesce(func.sum(budget_uses.c.n), 0)).where(
    _MINE, budget_uses.c.second > bindparam("since")
)
_OLDEST = select(func.min(budget_uses.c.second)).where(
    _MINE, budget_uses.c.second > bindparam("since")
)


@dataclass(frozen=True, slots=True)
class LedgerGate:
    """Lets a request pass if the account's hour still holds one, and counts it for the run.

    `reserve_share` of the allowance is left to other users of the account. What impact.com says
    in its headers wins over what was counted here, since others spend the same budget.
    """

    ledger: Ledger
    account: str
    run_id: str
    clock: Clock
    reserve_share: float = 0.2

    def acquire(self, kind: RequestKind) -> None:
        """Count one request; raises BudgetSpent with the time to come back."""
        now = self.clock.now()
        with self.ledger.begin() as conn:
            said = _held(conn, self.account)
            until = self._spent_until(conn, said, now)
            if until is None:
                _use(conn, said, now)
                count_requests(conn, self.run_id, kind.value)
        if until is not None:
            raise BudgetSpent(until)

    def learn(
        self, kind: RequestKind, status: int, headers: Mapping[str, str], now: datetime
    ) -> None:
        """Keep what an answer says of the allowance; `now` is real time, kept as this clock's."""
        del kind
        limits, mine = read_limits(headers, now), self._mine(now)
        if limits.limit is None and limits.remaining is None and status != _TOO_MANY:
            return
        with self.ledger.begin() as conn:
            before = _held(conn, self.account)
            resets_at, left = self._mine(limits.resets_at), limits.remaining
            if resets_at is not None:
                resets_at = min(resets_at, mine + HOUR)
            if left is not None and before["remaining"] is not None:
                left = min(left, before["remaining"]) if _same(before, resets_at, mine) else left
            said = {
                "allowance": limits.limit,
                "remaining": left,
                "resets_at": resets_at,
                "said_at": mine,
                "blocked_until": self._mine(limits.retry_at(now)) if status == _TOO_MANY else None,
            }
            told = {name: before[name] if value is None else value for name, value in said.items()}
            conn.execute(_SAY, {"whose": self.account, **told})

    @overload
    def _mine(self, moment: datetime) -> datetime: ...
    @overload
    def _mine(self, moment: None) -> None: ...
    def _mine(self, moment: datetime | None) -> datetime | None:
        return None if moment is None else moment + self.clock.offset

    def _spent_until(self, conn: Connection, said: RowMapping, now: datetime) -> datetime | None:
        """When the next request may leave, or None if it may leave now."""
        blocked: datetime | None = said["blocked_until"]
        if blocked is not None and blocked > now:
            return blocked
        allowance: int = said["allowance"]
        reserve = int(allowance * self.reserve_share)
        resets_at: datetime | None = said["resets_at"]
        if said["remaining"] is not None and resets_at and resets_at > now:
            return resets_at if said["remaining"] <= reserve else None
        since = max(now - HOUR, resets_at or now - HOUR)
        used = _used(conn, self.account, since)
        return _free_at(conn, self.account, since) if used >= allowance - reserve else None


def left_of(conn: Connection, account: str, now: datetime, reserve_share: float) -> int:
    """How many requests of the account's hour Clawback may still send; 0 while it is blocked."""
    here = select(budgets).where(budgets.c.account == account)
    said = conn.execute(here).mappings().one_or_none()
    allowance = DEFAULT_ALLOWANCE if said is None else said["allowance"]
    mine = int(allowance) - int(allowance * reserve_share)
    if said is None:
        return mine
    if said["blocked_until"] is not None and said["blocked_until"] > now:
        return 0
    resets_at = said["resets_at"]
    if said["remaining"] is not None and resets_at and resets_at > now:
        return max(0, int(said["remaining"]) - int(allowance * reserve_share))
    return max(0, mine - _used(conn, account, max(now - HOUR, resets_at or now - HOUR)))


def _held(conn: Connection, account: str) -> RowMapping:
    """What is known of an account's allowance; held until the transaction ends.

    So that of several processes each counts before the next one asks.
    """
    found = conn.execute(_HELD, {"whose": account}).mappings().one_or_none()
    if found is None:
        upsert(conn, budgets, [{"account": account, "allowance": DEFAULT_ALLOWANCE}])
        found = conn.execute(_HELD, {"whose": account}).mappings().one()
    return found


def _same(before: RowMapping, resets_at: datetime | None, now: datetime) -> bool:
    """Whether an answer speaks of the window that is known: less may be left of it, never more."""
    known: datetime | None = before["resets_at"]
    if known is None or known <= now:
        return False
    return resets_at is None or resets_at <= known + MINUTE


def _use(conn: Connection, said: RowMapping, now: datetime) -> None:
    """Count a request, and take it off what impact.com said was left: it is not known there yet."""
    account = said["account"]
    if said["remaining"] is not None:
        left = max(said["remaining"] - 1, 0)
        conn.execute(_TAKE, {"whose": account, "left": left})
    second = now.replace(microsecond=0)
    first = count_up(conn, budget_uses, {"account": account, "second": second}) == 1
    if first:
        conn.execute(_FORGET, {"whose": account, "before": now - 2 * HOUR})


def _used(conn: Connection, account: str, since: datetime) -> int:
    return int(conn.scalar(_SUM, {"whose": account, "since": since - SECOND}) or 0)


def _free_at(conn: Connection, account: str, since: datetime) -> datetime:
    """When the oldest second that counts no longer does."""
    oldest: datetime = conn.scalar(_OLDEST, {"whose": account, "since": since - SECOND}) or since
    return oldest + HOUR + SECOND
