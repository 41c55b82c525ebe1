"""Times planning from ledger to ledger: `python tests/benchmarks/plan_million.py --lines 1000000`.

Builds a ledger of so many return lines and actions with two items each. Of twenty orders twelve
return a unit, four an item, one everything; one has two lines, one no action, one is locked. Tells
wall time, processor time and the peak memory of all processes together. `--url postgresql://…`
plans in an empty PostgreSQL database, `--workers 0` in one process, `--profile` tells where time
goes in this process.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import Connection

from clawback.clock import Clock
from clawback.ledger import runs
from clawback.ledger.actions import Listing, cover, set_cursor
from clawback.ledger.bulk import insert_rows
from clawback.ledger.store import Ledger
from clawback.ledger.tables import actions, items, reads, return_lines
from clawback.program import Program
from clawback.steps.plan import plan
from clawback.steps.preflight import preflight
from clawback.steps.runtime import RunKind, RunRequest, Runtime

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ORDERED = NOW - timedelta(days=30)
ACCOUNT = "IRbench"
PROGRAM = Program.model_validate({"name": "bench", "campaign_id": "1000", "currency": "USD"})
Rows = Iterator[tuple[Any, ...]]
_LINE = (
    *("program", "order_id", "return_id", "sku", "variant", "order_key", "status", "kind"),
    *("quantity", "amount", "currency", "reason", "returned_at", "updated_at", "ordered_at"),
    *("ordered_quantity", "ordered_amount", "voided", "vanished", "parent_sku", "content"),
    *("read_no", "seen_no"),
)
_ACTION = (
    *("account", "id", "campaign_id", "tracker_id", "partner_id", "partner_name", "oid"),
    *("order_key", "state", "amount", "payout", "currency", "event_at", "created_at"),
    *("locking_at", "original_amount", "original_payout", "modifications", "generation"),
    *("stale", "moved_run", "seen_at"),
)
_ITEM = (
    *("account", "action_id", "position", "sku", "quantity", "amount"),
    *("original_quantity", "original_amount", "source", "touched"),
)
TWO_LINES, NO_ACTION, LOCKED, EVERYTHING = 19, 18, 17, 16


def lines(n: int) -> Rows:
    """The return lines; every twentieth is the second one of an order before."""
    day = NOW.replace(hour=0)
    for i in range(n):
        kind = i % 20
        order = f"O{i - 4 if kind == TWO_LINES else i:09}"
        sku = "" if kind == EVERYTHING else f"S{(i - 3 if kind == TWO_LINES else i) % 500}"
        quantity = None if kind == EVERYTHING else 2 if kind % 4 == 0 else 1
        yield (
            *("bench", order, f"R{i}", sku, "", order, "valid"),
            *("cancellation" if kind == EVERYTHING else "return", quantity, None, "USD"),
            *(("damaged", "too small", "late")[i % 3], day - timedelta(days=i % 3)),
            *(day, _ordered(i, n), None, None, False, False, "", f"{i:064x}", 1, 1),
        )


def _ordered(i: int, n: int) -> datetime:
    return ORDERED + timedelta(seconds=i * 2_000_000 // n)


def actions_of(n: int) -> Rows:
    """An action for each order; that of one in twenty belongs to an order nobody returned."""
    for i in range(n):
        kind, at = i % 20, _ordered(i, n)
        amount, payout = _price(i) + Decimal("60.00"), Decimal("8.00")
        locking = NOW - timedelta(days=1) if kind == LOCKED else at + timedelta(days=60)
        order = f"{'X' if kind == NO_ACTION else 'O'}{i:09}"
        yield (
            *(ACCOUNT, f"1000.4636.{i:09}", "1000", "2240", f"{10000 + i % 300}", "Partner", order),
            *(order, "PENDING", amount, payout, "USD", at, at, locking, amount, payout, 0, 0),
            *(False, "run", NOW),
        )


def _price(i: int) -> Decimal:
    return Decimal(2000 + i * 37 % 9000).scaleb(-2)


def items_of(n: int) -> Rows:
    """Two items for each action, as they were created."""
    for i in range(n):
        for position, amount in enumerate((_price(i), Decimal("60.00"))):
            sku = f"S{(i + position) % 500}"
            yield (
                *(ACCOUNT, f"1000.4636.{i:09}", position, sku, 2, amount, 2, amount),
                *("creation_record", False),
            )


def build(conn: Connection, rt: Runtime, n: int) -> None:
    """Fill the ledger as extract and sync leave it."""
    insert_rows(conn, return_lines, _LINE, lines(n))
    insert_rows(conn, actions, _ACTION, actions_of(n))
    insert_rows(conn, items, _ITEM, items_of(n))
    read = (("bench", 1, number) for number in range(1, n + 1))
    insert_rows(conn, reads, ("program", "read_no", "line_id"), read)
    listing = Listing(ACCOUNT, rt.run_id, NOW, rt.order_key)
    cover(conn, listing, "1000", [(NOW - timedelta(days=100), NOW)])
    set_cursor(conn, ACCOUNT, "1000", NOW)
    runs.set_run(conn, rt.run_id, read_no=1)
    if conn.dialect.name != "sqlite":
        conn.exec_driver_sql("ANALYZE")


class Memory(threading.Thread):
    """Watches the resident memory of this process and its children together, in MB."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak, self._done = 0, threading.Event()

    def run(self) -> None:
        me = psutil.Process()
        while not self._done.wait(0.1):
            self.peak = max(self.peak, sum(map(_resident, [me, *me.children(recursive=True)])))

    def stop(self) -> None:
        self._done.set()
        self.join()


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss) // 2**20
    except psutil.NoSuchProcess:
        return 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--url", default="")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="clawback-bench-") as folder:
        url = args.url or f"sqlite:///{Path(folder) / 'ledger.db'}"
        with Ledger.open(url) as ledger:
            rt = Runtime(ledger, PROGRAM, Clock.at(NOW), "run")
            preflight(rt, RunRequest(RunKind.MANUAL), ACCOUNT)
            with ledger.begin() as conn:
                build(conn, rt, args.lines)
        _fresh(url, args)


def _fresh(url: str, args: argparse.Namespace) -> None:
    """Plan, and tell what it took."""
    with Ledger.open(url) as ledger:
        rt = Runtime(ledger, PROGRAM, Clock.at(NOW), "run")
        memory, watch = Memory(), cProfile.Profile()
        memory.start()
        began, used = time.perf_counter(), sum(os.times()[:4])
        more = {} if args.workers is None else {"workers": args.workers}
        told = watch.runcall(plan, rt, **more) if args.profile else plan(rt, **more)
        wall, cpu = time.perf_counter() - began, sum(os.times()[:4]) - used
        memory.stop()
    sys.stdout.write(
        f"{args.lines} lines: {wall:.1f} s, {cpu:.1f} s of processor, peak {memory.peak} MB, "
        f"{wall / args.lines * 1e6:.0f} µs a line ({cpu / args.lines * 1e6:.0f} of processor)\n"
        f"{told}\n"
    )
    if args.profile:
        pstats.Stats(watch, stream=sys.stdout).sort_stats("tottime").print_stats(40)


if __name__ == "__main__":
    main()
