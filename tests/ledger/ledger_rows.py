"""Rows for the ledger's tests: runs, changes, return rows and whole filled ledgers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, insert

from clawback.ledger import changes as book
from clawback.ledger import runs
from clawback.ledger.changes import ChangeState
from clawback.ledger.runs import Run
from clawback.ledger.store import Ledger
from clawback.ledger.tables import changes, metadata
from clawback.reconcile.facts import Request, Verb
from clawback.warehouse.contract import BadRow, ReturnRow

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
ACCOUNT = "IRtest"


def open_run(conn: Connection, run_id: str = "run-1", program: str = "lab") -> None:
    run = Run(
        id=run_id,
        program=program,
        account=ACCOUNT,
        kind="manual",
        dry_run=False,
        window_start=AT - timedelta(days=3),
        window_end=AT,
        order_ids=(),
        read_no=None,
        opened_at=AT,
        closed_at=None,
        deadline=None,
        books=None,
    )
    runs.open_run(conn, run, "1000")


def add_change(conn: Connection, change_id: str = "c1", **more: Any) -> None:
    row = {
        "id": change_id,
        "account": ACCOUNT,
        "program": "lab",
        "run_id": "run-1",
        "action_id": "1000.1.1",
        "order_key": "O-1",
        "verb": "modify",
        "desired": {"reverse": False, "items": [["A", 1, "20.00"]], "amount": None},
        "reason": "ORDER_UPDATE",
        "reasons": [],
        "currency": "USD",
        "before_amount": Decimal(100),
        "before_payout": Decimal(10),
        "before_items": [],
        "expected_amount": Decimal(80),
        "expected_payout": Decimal(8),
        "locking_at": None,
        "urgent": False,
        "generation": 0,
        "shard": 0,
        "canary": False,
        "approved": None,
        "state": ChangeState.PLANNED,
        "attempts": 0,
        "created_at": AT,
    }
    conn.execute(insert(changes).values(row | more))


def valid_row(
    content: str = "a", updated: int = 0, *, order: str = "O-1", return_id: str = "R-1"
) -> ReturnRow:
    """A row of key (order, return_id, A), updated so many hours after AT."""
    return ReturnRow(
        return_id=return_id,
        order_id=order,
        sku="A",
        kind="return",
        quantity=1,
        amount=Decimal("12.34"),
        currency="USD",
        reason="damaged",
        returned_at=AT,
        updated_at=AT + timedelta(hours=updated),
        ordered_at=None,
        ordered_quantity=None,
        ordered_amount=None,
        voided=False,
        parent_sku="",
        content=content,
    )


def broken_row(content: str = "x", *, order: str = "O-1", return_id: str = "R-1") -> BadRow:
    return BadRow(order, return_id, "A", ("quantity: -1 is negative",), "{}", content)


def fill(ledger: Ledger) -> None:
    """A row or more in the tables that a run writes."""
    with ledger.begin() as conn:
        open_run(conn)
        add_change(conn)
        request = Request(Verb.MODIFY, (("ActionId", "1000.1.1"),), "item")
        book.begin_submission(conn, "c1", "run-1", request, AT)
        book.add_evidence(conn, "run-1", "c1", AT, "actions", "confirmed", {"amount": "80"})
        runs.count_requests(conn, "run-1", "modify", 3)


def content_of(ledger: Ledger) -> Mapping[str, int]:
    """How many rows each table holds."""
    with ledger.read() as conn:
        return {t.name: len(conn.execute(t.select()).all()) for t in metadata.sorted_tables}
