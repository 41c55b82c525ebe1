"""Times extract, sync and plan over N lines, actions and items, with their peak memory.

Run it alone: `python tests/benchmarks/steps.py 1000000 [--profile] [--url postgresql://…]`. Every
step runs in a process of its own, so that its peak memory is its own; `extract` may be named twice,
to time rows that are known already. Wall-clock time means little on a machine with other work: the
processor's seconds of the step and, for sync, of the sandbox are told beside it.
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
from contextlib import nullcontext
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
    each = next((shown[k] for k in ("read", "actions") if shown.get(k)), 1)
    print(  # noqa: T201 - a script tells on stdout
        f"{name:8} {seconds:7.1f} s ({used:.1f} s of processor, {used / each * 1e6:.1f} us each)  "
        f"peak {_peak()} MB (at start {before} MB)  {shown}"
    )
    if profile:
        pstats.Stats(watch, stream=sys.stdout).sort_stats("tottime").print_stats(45)


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
        url = args.url or f"sqlite:///{home / 'ledger.db'}"
        names = args.steps.split(",")
        with _sandbox(home, args.n) if "sync" in names else nullcontext() as sandbox:
            for name in names:
                facts = sandbox.facts if sandbox else {"account_sid": "IRbench"}
                before = _used(sandbox)
                _apart(partial(work, name, url, home, facts, profile=args.profile))
                if name == "sync":
                    told = f"sandbox  {_used(sandbox) - before:.1f} s of processor"
                    print(told)  # noqa: T201 - a script tells on stdout


def _sandbox(home: Path, actions: int) -> SandboxProcess:
    world(home / "world.jsonl", actions)
    options = ["--port", "0", "--world", str(home / "world.jsonl"), "--now", NOW.isoformat()]
    return SandboxProcess(*options, "--rate-limit", "1000000/3600")


def _used(sandbox: SandboxProcess | None) -> float:
    """Seconds of processor that the sandbox's process has used."""
    if sandbox is None:
        return 0.0
    figures = (
        Path(f"/proc/{sandbox.process.pid}/stat").read_text("ascii").rpartition(")")[2].split()
    )
    return (int(figures[11]) + int(figures[12])) / os.sysconf("SC_CLK_TCK")


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
