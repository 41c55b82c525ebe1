"""Clients from elsewhere, each in an environment of its own, and the world they read."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from clawback.sandbox.limits import RateLimit
from clawback.sandbox.server import SandboxServer
from clawback.sandbox.settings import Settings

HERE = Path(__file__).parent
CACHE = HERE.parents[2] / "var" / "elsewhere"
ACTIONS = 50_000
CHANGES = 2_500
DAYS = 100


@dataclass(frozen=True, slots=True)
class World:
    """A running sandbox and the day its world begins; it ends on the day before today."""

    server: SandboxServer
    start: datetime


def environment(name: str) -> Path:
    """The Python of a client's own environment, made once from its hash-pinned requirements.

    Skips the test where they cannot be had.
    """
    pins = HERE / f"{name}.txt"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    digest = hashlib.sha256(pins.read_bytes()).hexdigest()[:12]
    folder = CACHE / f"{name}-{version}-{digest}"
    python = folder / "bin" / "python"
    if (folder / "ready").exists():
        return python
    venv.create(folder, with_pip=True, clear=True)
    install = [python, "-m", "pip", "install", "-q", "--require-hashes", "-r", pins]
    done = subprocess.run(install, capture_output=True, text=True, check=False)  # noqa: S603  # pip
    if done.returncode:
        pytest.skip(
            f"{name} cannot be installed here; where a package index can be reached, this test "
            f"gets it from {pins.name} by itself and keeps it in var/elsewhere "
            f"({done.stderr.splitlines()[-1]})"
        )
    (folder / "ready").touch()
    return python


@pytest.fixture(name="environment_of", scope="session")
def _environment_of() -> Callable[[str], Path]:
    return environment


@pytest.fixture(name="world", scope="session")
def _world(tmp_path_factory: Any, make_action: Any, make_item: Any) -> Iterator[World]:
    """50,000 actions over 97 days, 2,500 of them changed two days before the clients come.

    Every date is half a minute past a full minute, so that none lies on the bound of a window
    that a client's two neighbouring windows share: there a row rightly belongs to both.
    """
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    start = today - timedelta(days=DAYS)
    path = tmp_path_factory.mktemp("world") / "w.jsonl"
    _write(path, start, make_action(0, [make_item("A", 2, "40.00", "4.00")], Oid="@ID"))
    then = today - timedelta(days=2, seconds=-30)
    settings = Settings(
        world=path, port=0, now=then, speed=0, queue_latency=0, rate_limit=RateLimit(10**6)
    )
    with SandboxServer(settings) as server:
        for number in range(CHANGES):
            form = {"ActionId": f"1000.4636.{number}", "Sku": "A", "Quantity": "1"}
            server.sandbox.submit(
                "modify", {**form, "Reason": "ORDER_UPDATE"}, then.timestamp(), {}
            )
        server.sandbox.set_clock(datetime.now(UTC).timestamp(), 1.0)
        yield World(server, start)


def _write(path: Path, start: datetime, action: dict[str, Any]) -> None:
    dates = dict.fromkeys(("EventDate", "CreationDate", "ReferringDate"), "@AT")
    locking = (start + timedelta(days=DAYS + 40)).isoformat()
    template = json.dumps({**action, **dates, "Id": "@ID", "LockingDate": locking})
    minutes = (DAYS - 3) * 24 * 60
    with path.open("w", encoding="utf-8") as file:
        for number in range(ACTIONS):
            at = start + timedelta(minutes=number * minutes // ACTIONS, seconds=30)
            line = template.replace("@ID", f"1000.4636.{number}").replace("@AT", at.isoformat())
            file.write(line + "\n")
