"""Return lines that the ledger knows and the warehouse does not hold any more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import RowMapping, select

from clawback.ledger.store import chunks
from clawback.ledger.tables import return_lines
from clawback.steps.runtime import Runtime
from clawback.warehouse.contract import parse_row
from clawback.warehouse.source import Connect, read, render


def vanished_lines(rt: Runtime, connect: Connect, keys: Sequence[str]) -> Iterator[RowMapping]:
    """The lines of some orders that a fresh read of these orders lacks; those known to be gone not.

    Raises WarehouseError if the statement fails.
    """
    for some in chunks(keys):
        with rt.ledger.read() as conn:
            here = select(return_lines).where(
                return_lines.c.program == rt.program.name,
                return_lines.c.order_key.in_(some),
                return_lines.c.status == "valid",
                return_lines.c.vanished.is_(False),
                return_lines.c.voided.is_(False),
            )
            rows = list(conn.execute(here.order_by(return_lines.c.id)).mappings())
        held = _held(rt, connect, sorted({row["order_id"] for row in rows}))
        for row in rows:
            if (row["order_id"], row["return_id"], row["sku"]) not in held:
                yield row


def _held(rt: Runtime, connect: Connect, orders: list[str]) -> set[tuple[str, str, str]]:
    """The keys of all rows that the warehouse holds of some orders."""
    if not orders:
        return set()
    now, program = rt.clock.now(), rt.program
    statement = render(
        program.statement,
        window_start=now,
        window_end=now,
        order_ids=orders,
        extras={"returns_files": program.warehouse.files, **program.warehouse.variables},
    )
    held = set()
    for batch in read(connect, statement, batch=program.warehouse.batch):
        for raw in batch:
            row = parse_row(raw, timezone=program.zone, currency=program.currency)
            held.add((row.order_id, row.return_id, row.sku))
    return held
