"""Times extract, sync and plan over N lines, actions and items, with their peak memory.

Run it alone: `python tests/benchmarks/steps.py 1000000 [--profile] [--url postgresql://…]`. Every
step runs in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import multiprocessing
import os
import pstats
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from clawback.clock import Clock
from clawback.impact.account import Account
from clawback.impact.client import ImpactClient
from clawback.ledger.store import Ledger
from clawback.program import Program
from clawback.sandbox.server import SandboxProcess
from clawback.steps.extract import extract
from clawback.steps.plan import plan
from clawback.steps.preflight import preflight
from clawback.steps.runtime import RunKind, RunRequest, Runtime
from clawback.steps.sync import sync
from clawback.warehouse.connections import from_connection

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SPREAD = 40
"""Days over which the orders lie."""
PROGRAM = Program.model_validate({"name": "bench", "campaign_id": "1000", "currency": "USD"})


def warehouse(path: Path, lines: int) -> None:
    """One line on each of so many orders, each the return of one of two units."""
    with duckdb.connect(str(path)) as db:
        db.execute(f"""CREATE TABLE returns AS SELECT
            'R' || i AS return_id, 'O' || i AS order_id, 'S' || (i % 500) AS sku, 'return' AS kind,
            1 AS quantity, NULL::DECIMAL(18, 4) AS amount, 'USD' AS currency, 'damaged' AS reason,
            TIMESTAMPTZ '{NOW:%Y-%m-%d} 00:00:00Z' AS returned_at,
            TIMESTAMPTZ '{NOW:%Y-%m-%d} 00:00:00Z' AS updated_at,
            TIMESTAMPTZ '{NOW - timedelta(days=SPREAD):%Y-%m-%d} 12:00:00Z'
                + to_minutes((i * {SPREAD * 1440 - 1440} // {lines})::INT) AS ordered_at,
            2 AS ordered_quantity, 40.00::DECIMAL(18, 4) AS ordered_amount,
            false AS voided, NULL::VARCHAR AS parent_sku FROM range({lines}) t(i)""")  # noqa: S608 - numbers of our own


def world(path: Path, actions: int) -> None:
    """An action of two items for each order."""
    start = NOW - timedelta(days=SPREAD)
    with path.open("w", encoding="utf-8") as file:
        for i in range(actions):
            at = start + timedelta(minutes=i * (SPREAD * 1440 - 1440) // actions)
            items = [_item(f"S{i % 500}", "40.00"), _item(f"S{(i + 1) % 500}", "60.00")]
            line = {"Id": f"1000.4636.{i}", "CampaignId": "1000", "ActionTrackerId": "2240"}
            line |= {"MediaPartnerId": "10000", "State": "PENDING", "Currency": "USD"}
            line |= {"EventDate": at.isoformat(), "CreationDate": at.isoformat()}
            line |= {"LockingDate": (NOW + timedelta(days=30)).isoformat(), "Oid": f"O{i}"}
            file.write(json.dumps(line | {"Items": items}) + "\n")


def _item(sku: str, amount: str) -> dict[str, str]:
    return {"Sku": sku, "Quantity": "2", "SaleAmount": amount, "Payout": "4.00"}


def _extract(rt: Runtime, home: Path, facts: dict[str, str]) -> dict[str, Any]:
    del facts
    value = {"conn_type": "duckdb", "host": str(home / "warehouse.duckdb")}
    return extract(rt, from_connection(json.dumps(value)))


def _sync(rt: Runtime, home: Path, facts: dict[str, str]) -> dict[str, Any]:
    del home
    account = Account(
        facts["base_url"], facts["account_sid"], facts["auth_token"], PROGRAM.campaign_id
    )
    with ImpactClient(account, gate=rt.gate(account.account_sid)) as client:
        return sync(rt, client)


def _plan(rt: Runtime, home: Path, facts: dict[str, str]) -> dict[str, Any]:
    del home, facts
    return plan(rt)


STEPS: dict[str, Callable[[Runtime, Path, dict[str, str]], dict[str, Any]]] = {
    "extract": _extract,
    "sync": _sync,
    "plan": _plan,
}


def work(name: str, url: str, home: Path, facts: dict[str, str], *, profile: bool) -> None:
    """Run one step in this process and tell what it took."""
    with Ledger.open(url) as ledger:
        rt = Runtime(ledger, PROGRAM, Clock.at(NOW), "bench")
        preflight(rt, RunRequest(RunKind.MANUAL), facts["account_sid"])
        step, watch = partial(STEPS[name], rt, home, facts), cProfile.Profile()
        before, began, cpu = _peak(), time.perf_counter(), time.process_time()
        told = watch.runcall(step) if profile else step()
        seconds, used = time.perf_counter() - began, time.process_time() - cpu
    shown = {k: v for k, v in told.items() if isinstance(v, int)}
    print(  # noqa: T201 - a script tells on stdout
        f"{name:8} {seconds:7.1f} s ({used:.1f} s of processor)  peak {_peak()} MB "
        f"(at start {before} MB)  {shown}"
    )
    if profile:
        pstats.Stats(watch, stream=sys.stdout).sort_stats("cumulative").print_stats(45)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("n", type=int, nargs="?", default=100_000)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--steps", default="extract,sync,plan")
    parser.add_argument("--url", default="")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="clawback-bench-") as folder:
        home = Path(folder)
        warehouse(home / "warehouse.duckdb", args.n)
        world(home / "world.jsonl", args.n)
        url = args.url or f"sqlite:///{home / 'ledger.db'}"
        options = ["--port", "0", "--world", str(home / "world.jsonl"), "--now", NOW.isoformat()]
        with SandboxProcess(*options, "--rate-limit", "1000000/3600") as sandbox:
            for name in args.steps.split(","):
                _apart(partial(work, name, url, home, sandbox.facts, profile=args.profile))


def _apart(job: Callable[[], None]) -> None:
    """Run a job in a fresh process; ends this one if it failed."""
    process = multiprocessing.get_context("spawn").Process(target=job)
    process.start()
    process.join()
    if process.exitcode:
        sys.exit(process.exitcode)


if __name__ == "__main__":
    os.environ.setdefault("CLAWBACK_NOW", "")
    main()
