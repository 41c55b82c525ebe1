"""How many small requests a second one sandbox answers through loopback, ten at a time.

Usage: python tests/benchmarks/sandbox/throughput.py [SECONDS]
The server is a process of its own, held to one core where the system allows it; the client sends
prepared bytes over ten connections from this process. Prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import tempfile
import time
from base64 import b64encode
from itertools import chain
from pathlib import Path

import psutil

from clawback.sandbox.server import SandboxProcess

CONNECTIONS = 10
ACTIONS = 2000
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


def world(path: Path) -> Path:
    with path.open("w") as file:
        for number in range(ACTIONS):
            action = {
                "Id": f"1000.4636.{number}",
                "CampaignId": "1000",
                "ActionTrackerId": "2240",
                "EventDate": "2026-11-10T10:00:00Z",
                "LockingDate": "2027-01-10T10:00:00Z",
                "Oid": f"ORDER-{number}",
                "Items": [{"Sku": "A", "Quantity": 9, "SaleAmount": "90.00", "Payout": "9.00"}],
            }
            file.write(json.dumps(action) + "\n")
    return path


def request(facts: dict[str, str], method: str, path: str, body: str = "") -> bytes:
    login = b64encode(f"{facts['account_sid']}:{facts['auth_token']}".encode()).decode()
    return (
        f"{method} /Advertisers/{facts['account_sid']}/{path} HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Basic {login}\r\nAccept: application/json\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
        f"{body}"
    ).encode()


async def ask(port: int, requests: list[bytes], until: float) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    taken: list[float] = []
    while time.perf_counter() < until:
        start = time.perf_counter()
        writer.write(requests[len(taken) % len(requests)])
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(head.decode())
        length = _LENGTH.search(head)
        await reader.readexactly(int(length[1]) if length else 0)
        taken.append(time.perf_counter() - start)
    writer.close()
    return taken


async def measure(
    server: psutil.Process, port: int, requests: list[bytes], seconds: float
) -> dict[str, float]:
    before = server.cpu_times()
    until = time.perf_counter() + seconds
    shares = [requests[at::CONNECTIONS] for at in range(CONNECTIONS)]
    lists = await asyncio.gather(*(ask(port, own, until) for own in shares))
    taken = sorted(chain.from_iterable(lists))
    after = server.cpu_times()
    used = after.user + after.system - before.user - before.system
    return {
        "server_cpu_ms_per_request": round(used * 1000 / len(taken), 3),
        "requests_per_second": round(len(taken) / seconds),
        "median_ms": round(taken[len(taken) // 2] * 1000, 2),
        "p99_ms": round(taken[len(taken) * 99 // 100] * 1000, 2),
    }


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    with tempfile.TemporaryDirectory() as folder:
        options = ["--port", "0", "--now", "2026-11-20T00:00:00Z", "--rate-limit", "100000000/3600"]
        path = world(Path(folder) / "w.jsonl")
        with SandboxProcess(*options, "--world", str(path), "--queue-latency", "0.5") as server:
            process = psutil.Process(server.process.pid)
            process.cpu_affinity([os.cpu_count() - 1])
            facts = server.facts
            port = int(facts["base_url"].rsplit(":", 1)[-1])
            reads = [request(facts, "GET", f"Actions/1000.4636.{n}") for n in range(ACTIONS)]
            body = "ActionId=1000.4636.{}&Sku=A&Quantity=8&Reason=ORDER_UPDATE"
            writes = [request(facts, "PUT", "Actions", body.format(n)) for n in range(ACTIONS)]
            figures = {
                "reads": asyncio.run(measure(process, port, reads, seconds)),
                "writes": asyncio.run(measure(process, port, writes, seconds)),
            }
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
