"""Loads a world of a million actions and serves 20,000-row pages of it, in JSON and in XML.

Usage: python tests/benchmarks/sandbox/load_and_page.py [ACTIONS]
Prints one JSON object: seconds to load, peak memory in MB, seconds per page of actions, of updates
and of submissions (the first, and the median of five), and beside each time the seconds of CPU
that the server spent on it.
"""

from __future__ import annotations

import gzip
import json
import statistics
import sys
import tempfile
import time
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

import psutil

from clawback.sandbox.server import SandboxProcess

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = "2026-11-20T00:00:00Z"
PAGE = 20_000
WINDOWS = {
    "Actions": {
        "ActionDateStart": "2026-08-15T00:00:00Z",
        "ActionDateEnd": "2026-09-14T00:00:00Z",
    },
    "ActionUpdates": {"StartDate": "2026-08-15T00:00:00Z", "EndDate": "2026-08-29T00:00:00Z"},
    "APISubmissions": {},
}
"""What is listed, and from when; submissions have no windows, and a page of them is made first."""
FORMATS = {"json": "application/json", "xml": "text/xml"}


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


class Client:
    """One connection to a server, and the server's own use of CPU."""

    def __init__(self, server: SandboxProcess) -> None:
        facts = server.facts
        login = b64encode(f"{facts['account_sid']}:{facts['auth_token']}".encode()).decode()
        self._headers = {"Authorization": f"Basic {login}"}
        self._root = f"/Advertisers/{facts['account_sid']}"
        self._connection = HTTPConnection(facts["base_url"].removeprefix("http://"))
        self._process = psutil.Process(server.process.pid)

    def send(self, method: str, path: str, body: str = "", **headers: str) -> None:
        headers |= self._headers
        self._connection.request(method, f"{self._root}/{path}", body, headers)
        response = self._connection.getresponse()
        answer = response.read()
        if response.status != 200:
            raise SystemExit(answer.decode())

    def pages(self, path: str, accept: str, window: dict[str, str]) -> list[tuple[float, float]]:
        """Wall and CPU seconds of five pages: the first ones, or the one there is again."""
        taken = []
        for page in range(1, 6):
            paged = {"PageSize": PAGE, "Page": page if window else 1}
            query = urlencode({"CampaignId": 1000, **paged, **window})
            start, used = time.perf_counter(), spent(self._process)
            self.send("GET", f"{path}?{query}", Accept=accept)
            taken.append((time.perf_counter() - start, spent(self._process) - used))
        return taken

    def write(self, number: int) -> None:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        body = f"ActionId=1000.4636.{number}&DispositionCode=ITEM_RETURNED"
        self.send("DELETE", "Actions", body, **form)


def main() -> None:
    total = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        world = Path(folder) / "world.jsonl.gz"
        with gzip.open(world, "wb", compresslevel=1) as file:
            for number in range(total):
                file.write(line(number, total) + b"\n")
        start = time.perf_counter()
        options = ["--port", "0", "--now", NOW, "--rate-limit", "100000000/3600"]
        with SandboxProcess(*options, "--world", str(world)) as server:
            loaded = time.perf_counter() - start
            process = psutil.Process(server.process.pid)
            figures: dict[str, object] = {"actions": total, "load_seconds": round(loaded, 1)}
            figures["loaded_mb"] = process.memory_info().rss >> 20
            figures["load_cpu_s"] = round(spent(process), 1)
            client = Client(server)
            for path, window in WINDOWS.items():
                if not window:
                    for number in range(total - PAGE, total):
                        client.write(number)
                for name, accept in FORMATS.items():
                    taken = client.pages(path, accept, window)
                    figures |= summary(f"{path}_{name}", taken)
            status = Path(f"/proc/{server.process.pid}/status").read_text("utf-8")
            peak = next(row for row in status.splitlines() if row.startswith("VmHWM"))
            figures["peak_mb"] = int(peak.split()[1]) >> 10
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")


def summary(name: str, taken: list[tuple[float, float]]) -> dict[str, float]:
    """The first and the median of some pages, by the wall's clock and by the server's CPU."""
    found = {}
    for kind, seconds in zip(("", "cpu_"), zip(*taken, strict=True), strict=True):
        found[f"{name}_first_{kind}s"] = round(seconds[0], 3)
        found[f"{name}_median_{kind}s"] = round(statistics.median(seconds), 3)
    return found


if __name__ == "__main__":
    main()
