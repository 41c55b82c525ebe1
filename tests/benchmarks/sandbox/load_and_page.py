"""Loads a world of a million actions and serves a 20,000-row page of it.

Usage: python tests/benchmarks/sandbox/load_and_page.py [ACTIONS]
Prints one JSON object: seconds to load, peak memory in MB, seconds per page (the first, and the
median of five), and beside each time the seconds of CPU that the server spent on it.
"""

from __future__ import annotations

import gzip
import json
import statistics
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

import psutil

from clawback.sandbox.server import SandboxProcess

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = "2026-11-20T00:00:00Z"
PAGE = 20_000


def line(number: int, total: int) -> bytes:
    """One action of two items, spread over 300 days, with every documented field filled."""
    moment = START + timedelta(seconds=number * 300 * 86400 // total)
    amount = 20 + number % 90
    made = moment.isoformat()
    return json.dumps(
        {
            "Id": f"1000.4636.{number}",
            "CampaignId": "1000",
            "CampaignName": "Acme Campaign",
            "ActionTrackerId": "2240",
            "ActionTrackerName": "Sale",
            "EventCode": "",
            "MediaPartnerId": str(10000 + number % 300),
            "MediaPartnerName": f"Partner {number % 300}",
            "State": "PENDING",
            "AdId": "506720",
            "ClientCost": f"{amount * 3 / 10:.2f}",
            "Payout": f"{amount * 3 / 10:.2f}",
            "DeltaPayout": f"{amount * 3 / 10:.2f}",
            "IntendedPayout": f"{amount * 3 / 10:.2f}",
            "Amount": f"{amount * 3}.00",
            "DeltaAmount": f"{amount * 3}.00",
            "IntendedAmount": f"{amount * 3}.00",
            "Currency": "USD",
            "ReferringDate": made,
            "EventDate": made,
            "CreationDate": made,
            "LockingDate": (moment + timedelta(days=45)).isoformat(),
            "ClearedDate": "",
            "ReferringType": "CLICK_COOKIE",
            "ReferringDomain": "",
            "PromoCode": "SUMMER",
            "Oid": f"ORDER-{number:09d}",
            "CustomerId": f"C{number % 400_000:09d}",
            "CustomerStatus": "NEW" if number % 3 else "EXISTING",
            "CustomerPostCode": f"{number % 90000:05d}",
            "CustomerArea": "n/a",
            "CustomerCity": f"City {number % 5000}",
            "CustomerRegion": "California",
            "CustomerCountry": "US",
            "IpAddress": f"{number * 7919:032x}",
            "SharedId": f"RT-{number % 1000}",
            "CallerId": "",
            "Note": "",
            "Items": [
                item(f"SKU-{number % 2000}", 1, amount),
                item(f"SKU-{(number * 7) % 2000}-B", 2, 2 * amount),
            ],
        }
    ).encode()


def item(sku: str, quantity: int, amount: int) -> dict[str, str]:
    return {
        "Sku": sku,
        "ItemName": f"Item {sku}",
        "Category": "Sports",
        "Quantity": str(quantity),
        "SaleAmount": f"{amount}.00",
        "SaleAmountCurrency": "USD",
        "Payout": f"{amount / 10:.2f}",
        "PayoutCurrency": "USD",
        "Rebate": "0.00",
        "RebateCurrency": "USD",
        "AdjustmentDate": "",
        "AdjustmentReason": "",
    }


def spent(process: psutil.Process) -> float:
    """Seconds of CPU that a process has used."""
    times = process.cpu_times()
    return times.user + times.system


def pages(
    server: SandboxProcess, path: str, accept: str, **window: str
) -> list[tuple[float, float]]:
    """Wall and CPU seconds of each of the first five pages."""
    facts = server.facts
    host = facts["base_url"].removeprefix("http://")
    login = b64encode(f"{facts['account_sid']}:{facts['auth_token']}".encode()).decode()
    headers = {"Authorization": f"Basic {login}", "Accept": accept}
    connection = HTTPConnection(host)
    process = psutil.Process(server.process.pid)
    taken = []
    for page in range(1, 6):
        query = urlencode({"CampaignId": 1000, "PageSize": PAGE, "Page": page, **window})
        start, used = time.perf_counter(), spent(process)
        connection.request(
            "GET", f"/Advertisers/{facts['account_sid']}/{path}?{query}", headers=headers
        )
        response = connection.getresponse()
        body = response.read()
        taken.append((time.perf_counter() - start, spent(process) - used))
        if response.status != 200:
            raise SystemExit(body.decode())
    return taken


def main() -> None:
    total = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        world = Path(folder) / "world.jsonl.gz"
        with gzip.open(world, "wb", compresslevel=1) as file:
            for number in range(total):
                file.write(line(number, total) + b"\n")
        start = time.perf_counter()
        with SandboxProcess("--port", "0", "--world", str(world), "--now", NOW) as server:
            loaded = time.perf_counter() - start
            recent = {
                "ActionDateStart": "2026-08-15T00:00:00Z",
                "ActionDateEnd": "2026-09-14T00:00:00Z",
            }
            updated = {"StartDate": "2026-08-15T00:00:00Z", "EndDate": "2026-08-29T00:00:00Z"}
            figures: dict[str, object] = {"actions": total, "load_seconds": round(loaded, 1)}
            process = psutil.Process(server.process.pid)
            figures["loaded_mb"] = process.memory_info().rss >> 20
            figures["load_cpu_s"] = round(spent(process), 1)
            asks: dict[str, Callable[[], list[tuple[float, float]]]] = {
                "actions_json": lambda: pages(server, "Actions", "application/json", **recent),
                "actions_xml": lambda: pages(server, "Actions", "text/xml", **recent),
                "updates_json": lambda: pages(
                    server, "ActionUpdates", "application/json", **updated
                ),
            }
            for name, ask in asks.items():
                taken = ask()
                for kind, seconds in zip(("", "cpu_"), zip(*taken, strict=True), strict=True):
                    figures[f"{name}_first_{kind}s"] = round(seconds[0], 3)
                    figures[f"{name}_median_{kind}s"] = round(statistics.median(seconds), 3)
            status = Path(f"/proc/{server.process.pid}/status").read_text("utf-8")
            peak = next(row for row in status.splitlines() if row.startswith("VmHWM"))
            figures["peak_mb"] = int(peak.split()[1]) >> 10
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
