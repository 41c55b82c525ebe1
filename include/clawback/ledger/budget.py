"""The request budget of an account, shared by every process through the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, select, update

from clawback.clock import Clock
from clawback.impact.budget import BudgetSpent, RequestKind, read_limits
from clawback.ledger.runs import count_requests
from clawback.ledger.store import Ledger, upsert
from clawback.ledger.tables import budget_uses, budgets

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
DEFAULT_ALLOWANCE = 1000
"""Requests an hour for everything that is not listed otherwise (reference §6)."""
_TOO_MANY = 429


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
            until = self._spent_until(conn, now)
            if until is None:
                _use(conn, self.account, now)
                count_requests(conn, self.run_id, kind.value)
        if until is not None:
            raise BudgetSpent(until)

    def learn(
        self, kind: RequestKind, status: int, headers: Mapping[str, str], now: datetime
    ) -> None:
        """Keep what an answer says of the allowance; `now` is real time, kept as this clock's."""
        del kind
        limits = read_limits(headers, now)
        said = {
            "allowance": limits.limit,
            "remaining": limits.remaining,
            "resets_at": self._mine(limits.resets_at),
            "said_at": self._mine(now),
            "blocked_until": self._mine(limits.retry_at(now)) if status == _TOO_MANY else None,
        }
        values = {name: value for name, value in said.items() if value is not None}
        if limits.limit is None and limits.remaining is None and status != _TOO_MANY:
            return
        with self.ledger.begin() as conn:
            upsert(conn, budgets, [{"account": self.account, "allowance": DEFAULT_ALLOWANCE}])
            conn.execute(update(budgets).where(budgets.c.account == self.account).values(**values))

    def _mine(self, moment: datetime | None) -> datetime | None:
        return None if moment is None else moment + self.clock.offset

    def _spent_until(self, conn: Connection, now: datetime) -> datetime | None:
        """When the next request may leave, or None if it may leave now."""
        here = select(budgets).where(budgets.c.account == self.account)
        said = conn.execute(here).mappings().one_or_none()
        blocked: datetime | None = said["blocked_until"] if said is not None else None
        if blocked is not None and blocked > now:
            return blocked
        allowance = said["allowance"] if said is not None else DEFAULT_ALLOWANCE
        reserve = int(allowance * self.reserve_share)
        resets_at: datetime | None = said["resets_at"] if said is not None else None
        if said is not None and said["remaining"] is not None and resets_at and resets_at > now:
            return resets_at if said["remaining"] <= reserve else None
        since = max(now - HOUR, resets_at or now - HOUR)
        used = _used(conn, self.account, since)
        return _free_at(conn, self.account, now) if used >= allowance - reserve else None


def _use(conn: Connection, account: str, now: datetime) -> None:
    minute = now.replace(second=0, microsecond=0)
    upsert(conn, budget_uses, [{"account": account, "minute": minute, "n": 0}])
    here = (budget_uses.c.account == account) & (budget_uses.c.minute == minute)
    conn.execute(update(budget_uses).where(here).values(n=budget_uses.c.n + 1))
    old = now - 2 * HOUR
    conn.execute(
        delete(budget_uses).where(budget_uses.c.account == account, budget_uses.c.minute < old)
    )


def _used(conn: Connection, account: str, since: datetime) -> int:
    here = (budget_uses.c.account == account) & (
        budget_uses.c.minute > since - timedelta(minutes=1)
    )
    return int(conn.scalar(select(func.coalesce(func.sum(budget_uses.c.n), 0)).where(here)) or 0)


def _free_at(conn: Connection, account: str, now: datetime) -> datetime:
    """When the oldest minute of the hour no longer counts."""
    here = (budget_uses.c.account == account) & (budget_uses.c.minute > now - HOUR)
    oldest = conn.scalar(select(func.min(budget_uses.c.minute)).where(here)) or now
    return oldest + HOUR + MINUTE
