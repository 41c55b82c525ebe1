"""Rows for the tests of the warehouse side, and which of them a window must yield."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

SQL = Path(__file__).parents[2] / "include" / "sql"
NOW = datetime(2026, 11, 23, tzinfo=UTC)
DAY = timedelta(days=1)
COLUMNS = {
    "return_id": "VARCHAR",
    "order_id": "VARCHAR",
    "sku": "VARCHAR",
    "kind": "VARCHAR",
    "quantity": "INTEGER",
    "amount": "DECIMAL(12, 2)",
    "currency": "VARCHAR",
    "reason": "VARCHAR",
    "returned_at": "TIMESTAMPTZ",
    "updated_at": "TIMESTAMPTZ",
    "ordered_at": "TIMESTAMPTZ",
    "ordered_quantity": "INTEGER",
    "ordered_amount": "DECIMAL(12, 2)",
    "voided": "BOOLEAN",
    "parent_sku": "VARCHAR",
}


def line(order: str | None, number: int, updated: datetime | None, **cells: Any) -> dict[str, Any]:
    """A row of the warehouse."""
    row = dict.fromkeys(COLUMNS)
    row.update(
        return_id=f"R{number}",
        order_id=order,
        sku=f"S{number}",
        kind="return",
        quantity=1,
        amount="10.00",
        currency="USD",
        returned_at=updated,
        updated_at=updated,
        voided=False,
    )
    return {**row, **cells}


# Two days are looked at: one order is touched in them, one before, one at the very end.
LINES = [
    line("touched", 1, NOW - 30 * DAY),
    line("touched", 2, NOW - DAY),
    line("at the start", 3, NOW - 2 * DAY),
    line("at the end", 4, NOW),
    line("before", 5, NOW - 3 * DAY),
    line(None, 6, NOW - DAY),
    line("o'brien", 7, NOW - 20 * DAY),
    line("no time", 8, None),
]
IN_WINDOW = {"R1", "R2", "R3", "R6", "R8"}


def window(**extras: object) -> dict[str, Any]:
    """The two days up to NOW, as `render` takes them."""
    return {"window_start": NOW - 2 * DAY, "window_end": NOW, "extras": extras}
