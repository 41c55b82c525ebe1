"""extract_returns: reads the window's return lines from the warehouse into the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from clawback.ledger import bulk, lines, runs
from clawback.ledger.merging import Merger
from clawback.ledger.store import alone
from clawback.steps.ahead import ahead, uncollected
from clawback.steps.runtime import Runtime
from clawback.warehouse.contract import BadRow, ReturnRow, parse_row
from clawback.warehouse.source import Connect, read, render

Batch = list[tuple[str, ReturnRow | BadRow]]


def extract(rt: Runtime, connect: Connect) -> dict[str, Any]:
    """Read every line of every order touched in the window; returns counts by status.

    Rows are read and kept in batches, one batch being read while the one before is written. A
    retry starts a read of its own number, so that rows of an attempt that broke off are not
    counted twice. Raises WarehouseError if the statement fails.
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
    merger = Merger(rt.program.name, read_no)
    counts = Counter(read=0, valid=0, invalid=0, superseded=0, duplicate=0)
    with uncollected(), closing(ahead(_batches(rt, connect, statement))) as batches:
        for batch in batches:
            with rt.ledger.begin() as conn, bulk.roomy(conn):
                alone(conn, f"lines of {rt.program.name}")
                counts.update(merger.add(conn, batch))
            counts["read"] += len(batch)
    with rt.ledger.begin() as conn:
        counts["vanished"] = lines.mark_vanished(conn, rt.program.name, read_no)
        runs.set_run(conn, rt.run_id, read_no=read_no)
    return dict(counts)


def _batches(rt: Runtime, connect: Connect, statement: str) -> Iterator[Batch]:
    """The statement's rows, judged by the contract, each with the key of its order."""
    program, order_key = rt.program, rt.order_keys()
    for batch in read(
        connect, statement, batch=program.warehouse.batch, name=program.statement.name
    ):
        parsed = [parse_row(row, timezone=program.zone, currency=program.currency) for row in batch]
        yield [(order_key(row.order_id)[:255], row) for row in parsed]


def _variables(rt: Runtime) -> dict[str, Any]:
    """What the statement may use besides the window: the program's zone, its files, its own."""
    warehouse = rt.program.warehouse
    named = {"timezone": rt.program.timezone, "returns_files": warehouse.files}
    return named | warehouse.variables
