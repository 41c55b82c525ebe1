"""Books as the steps close them, and programs that behave badly."""

from __future__ import annotations

from typing import Any

import pytest

STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setpgid(0, 0)                      # a task process of Airflow: a group of its own
elif os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)                       # its child is an orphan from now on
os.write(1, b'%d\\n' % os.getpid())
while True:
    time.sleep(60)
"""
"""Prints three process ids, a line each; all three ignore SIGTERM, one has lost its parent."""


@pytest.fixture
def stubborn() -> str:
    return STUBBORN


@pytest.fixture
def books() -> dict[str, Any]:
    """Balanced books of a run."""
    return {
        "program": "demo",
        "run_id": "returns_reconciliation/manual__1",
        "window": {"start": "2026-09-24T00:00:00Z", "end": "2026-11-23T00:00:00Z"},
        "lines": 10,
        "read": 9,
        "carried_in": 1,
        "outcomes": {
            "confirmed": {"lines": 7, "amount": "12.34", "payout": "1.23"},
            "held": {"lines": 3, "amount": "3.00", "payout": "0.20"},
            "pending": {"lines": 0, "amount": "0.00", "payout": "0.00"},
        },
        "held": {"unknown_sku": 2, "over_returned": 1, "contested": 0},
        "unexplained": 0,
        "changes": {"planned": 7, "submitted": 7, "confirmed": 6, "rejected": 1},
        "requests": {
            "total": 9,
            "by_kind": {
                "list_actions": 1,
                "list_action_updates": 1,
                "list_items": 0,
                "modify": 5,
                "reverse": 2,
                "get_submission": 0,
            },
        },
        "requests_per_confirmed_change": 1.5,
        "currency": "USD",
        "commission_recovered": "123.45",
        "commission_lost_to_locking": "6.78",
        "lines_without_money": 0,
        "other_currencies": {},
    }
