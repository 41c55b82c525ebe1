"""While work is waiting, the budget that there is gets used: hardly any of it lies idle."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from ledger_rows import ACCOUNT, AT

from clawback.impact.budget import BudgetSpent, RequestKind
from clawback.ledger.budget import HOUR, LedgerGate
from clawback.ledger.store import Ledger
from lab import LabClock

ALLOWANCE, HOURS = 50, 6
USABLE = 40
TAKES = timedelta(seconds=0.2)
Say = Callable[[int, datetime, datetime], dict[str, str]]


def seconds(left: int, resets_at: datetime, now: datetime) -> dict[str, str]:
    wait = max(1, math.ceil((resets_at - now).total_seconds()))
    return {
        "X-RateLimit-Limit": str(ALLOWANCE),
        "X-RateLimit-Remaining": str(left),
        "X-RateLimit-Reset": str(wait),
    }


def epoch(left: int, resets_at: datetime, now: datetime) -> dict[str, str]:
    reset = str(math.ceil(resets_at.timestamp()))
    return seconds(left, resets_at, now) | {"X-RateLimit-Reset": reset}


def hourly(left: int, resets_at: datetime, now: datetime) -> dict[str, str]:
    plain = seconds(left, resets_at, now)
    return {
        "X-RateLimit-Limit-hour": plain["X-RateLimit-Limit"],
        "X-RateLimit-Remaining-hour": plain["X-RateLimit-Remaining"],
        "RateLimit-Reset": plain["X-RateLimit-Reset"],
    }


def limit_only(left: int, resets_at: datetime, now: datetime) -> dict[str, str]:
    del left, resets_at, now
    return {"X-RateLimit-Limit": str(ALLOWANCE)}


@pytest.mark.parametrize("database", ["sqlite"])
@pytest.mark.parametrize("say", [seconds, epoch, hourly, limit_only])
def test_less_than_two_percent_of_the_budget_lies_idle(ledger: Ledger, say: Say) -> None:
    """Always with work in hand, over hours, at least 98 % of what may be sent is sent."""
    clock = LabClock(AT)
    gate = LedgerGate(ledger, ACCOUNT, "run-1", clock, 0.2)
    opened, used, sent = AT - HOUR, 0, 0
    end = AT + HOURS * HOUR - timedelta(minutes=1)
    while clock.now() < end:
        try:
            gate.acquire(RequestKind.MODIFY)
        except BudgetSpent as spent:
            clock.set(spent.until)
            continue
        if clock.now() >= opened + HOUR:
            opened, used = clock.now(), 0
        used, sent = used + 1, sent + 1
        assert used <= USABLE
        said = say(ALLOWANCE - used, opened + HOUR, clock.now())
        gate.learn(RequestKind.MODIFY, 200, said, clock.now())
        clock.set(clock.now() + TAKES)
    idle = 1 - sent / (USABLE * HOURS)
    assert 0 <= idle < 0.02
