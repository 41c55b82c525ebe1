"""Several processes on one account and one ledger: nothing is done twice, nobody is in the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import pytest

from clawback.ledger.tables import change_lines, return_lines, runs
from clawback.sandbox.limits import RateLimit
from clawback.steps.close import balanced
from lab import NOW, Lab, Maker, action, back, cancelled
from workers import Workers

ORDERS = 6
ALLOWANCE, WINDOW = 20, 2
"""So many requests in so many seconds, of which a fifth is left to others."""


def returned(number: int) -> dict[str, Any]:
    oid = f"O-{number}"
    return cancelled(oid) if number % 3 == 0 else back(oid, "A" if number % 3 == 1 else "B")


def full(lab_of: Callable[..., Lab], **settings: Any) -> Lab:
    """A lab whose clock is the real one, with half a dozen returns of the last days."""
    lab = lab_of(
        [action(f"O-{n}") for n in range(ORDERS)], speed=1.0, queue_latency=0.2, **settings
    )
    lab.choices = {"confirm": {"poll_seconds": 0.5, "poll_seconds_most": 2}}
    lab.rows = [returned(n) for n in range(ORDERS)]
    return lab


def jobs(lab: Lab) -> list[dict[str, Any]]:
    """A daily run, two backfills over the same days, and an audit."""
    window = {"start": (NOW - timedelta(days=4)).isoformat(), "end": NOW.isoformat()}
    backfill = {"kind": "backfill", "request": window}
    plain = {"now": NOW.isoformat(), "ticking": True, "warehouse": lab.warehouse()}
    return [
        plain | {"kind": "scheduled", "run_id": "daily"},
        plain | backfill | {"run_id": "backfill-1"},
        plain | backfill | {"run_id": "backfill-2"},
        plain | {"kind": "audit", "run_id": "audit"},
    ]


@pytest.mark.timeout(600)
def test_daily_run_backfills_and_audit_at_once(workers: Workers, lab_of: Maker) -> None:
    """Four processes over the same days: no double change, no deadlock, and all books balance."""
    lab = full(lab_of)
    before = sum(Decimal(shown["Payout"]) for shown in lab.state().values())
    ended = workers.all(lab, jobs(lab))
    assert not (failed := [one.said for one in ended if one.status]), failed
    closed = {row["id"]: row["books"] for row in lab.table(runs) if row["books"]}
    assert set(closed) == {"daily", "backfill-1", "backfill-2"}
    assert all(balanced(books) for books in closed.values())
    last = workers.do(lab, **jobs(lab)[0] | {"run_id": "later"})
    assert (last.status, last.said) == (0, "")
    one_write_each(lab)
    settled = Counter(row["outcome"] for row in lab.table(return_lines))
    assert set(settled) <= {"confirmed", "already_settled"}
    assert settled.total() == ORDERS
    gone = before - sum(Decimal(shown["Payout"]) for shown in lab.state().values())
    books = [row["books"] for row in lab.table(runs) if row["books"]]
    assert sum(Decimal(one["commission_recovered"]) for one in books) == gone > 0
    assert sum(r["payout"] for r in lab.table(change_lines) if r["booked_run"]) == gone


@pytest.mark.timeout(300)
@pytest.mark.parametrize("database", ["sqlite"])
def test_four_processes_share_a_small_budget(workers: Workers, lab_of: Maker) -> None:
    """They wait for their turns, end, and never ask once too often."""
    limit = RateLimit(ALLOWANCE, WINDOW)
    lab = full(lab_of, rate_limit=limit)
    ended = workers.all(lab, [job | {"deadline": 120} for job in jobs(lab)])
    assert not (failed := [one.said for one in ended if one.status]), failed
    log = lab.requests()
    assert {entry["status"] for entry in log} <= {200, 404}
    assert len(log) > ALLOWANCE, "one window held it all"
    one_write_each(lab)


def one_write_each(lab: Lab) -> None:
    """Every action was modified once, and to one effect."""
    written = Counter(dict(parse_qsl(entry["body"]))["ActionId"] for entry in lab.writes)
    assert set(written.values()) == {1}, written
    assert {shown["_modifications"] for shown in lab.state().values()} == {1}
