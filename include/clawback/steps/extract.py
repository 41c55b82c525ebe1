"""extract_returns: reads the window's return lines from the warehouse into the ledger."""

from __future__ import annotations

from typing import Any

from clawback.ledger import lines, runs
from clawback.steps.runtime import Runtime
from clawback.warehouse.contract import parse_row
from clawback.warehouse.source import Connect, read, render


def extract(rt: Runtime, connect: Connect) -> dict[str, Any]:
    """Read every line of every order touched in the window; returns counts by status.

    Rows are read and kept in batches. A retry starts a read of its own number, so that rows of
    an attempt that broke off are not counted twice. Raises WarehouseError if the statement fails.
    """
    run = rt.run()
    statement = render(
        rt.program.statement,
        window_start=run.window_start,
        window_end=run.window_end,
        order_ids=list(run.order_ids) or None,
        extras=_variables(rt),
    )
    with rt.ledger.begin() as conn:
        read_no = runs.next_read(conn, rt.program.name)
    merger = lines.Merger(rt.program.name, read_no)
    counts = {"read": 0, "valid": 0, "invalid": 0, "superseded": 0, "duplicate": 0}
    name = rt.program.statement.name
    for batch in read(connect, statement, batch=rt.program.warehouse.batch, name=name):
        parsed = [
            parse_row(row, timezone=rt.program.zone, currency=rt.program.currency) for row in batch
        ]
        keyed = [(rt.order_key(row.order_id)[:255], row) for row in parsed]
        with rt.ledger.begin() as conn:
            for status, n in merger.add(conn, keyed).items():
                counts[status] += n
        counts["read"] += len(batch)
    with rt.ledger.begin() as conn:
        counts["vanished"] = lines.mark_vanished(conn, rt.program.name, read_no)
        runs.set_run(conn, rt.run_id, read_no=read_no)
    return counts


def _variables(rt: Runtime) -> dict[str, Any]:
    """What the statement may use besides the window: the program's zone, its files, its own."""
    warehouse = rt.program.warehouse
    named = {"timezone": rt.program.timezone, "returns_files": warehouse.files}
    return named | warehouse.variables
