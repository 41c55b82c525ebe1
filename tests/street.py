"""Shops for the live Airflow: each a program with a sandbox and a warehouse of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

import lab
from clawback.demo.world import create_warehouse, write_world
from clawback.program import PROGRAMS_ENV
from clawback.sandbox.server import SandboxServer
from clawback.sandbox.settings import Settings
from clawback.steps.scaffold import add_program

NOW = datetime.now(UTC)
ORDERED = NOW - timedelta(days=10)
NEVER = "0 0 1 1 *"
"""A schedule whose only run is the one that unpausing starts."""


def sold(oid: str, *items: tuple[str, int, str], **more: Any) -> dict[str, Any]:
    """An action of ten days ago that locks in a month."""
    dates = {
        "EventDate": lab.stamp(ORDERED),
        "CreationDate": lab.stamp(ORDERED + timedelta(minutes=5)),
        "LockingDate": lab.stamp(NOW + timedelta(days=30)),
    }
    return lab.action(oid, *items, **{**dates, **more})


def back(order: str, sku: str = "A", days: float = 1, **more: Any) -> dict[str, Any]:
    """A return row, so many days old."""
    at = NOW - timedelta(days=days)
    return lab.back(order, sku, at=at, **{"ordered_at": ORDERED, **more})


@dataclass
class Store:
    """A program of its own: sandbox, warehouse, program file, Dag file and connections."""

    name: str
    home: Path
    server: SandboxServer
    ids: dict[str, str]
    """ActionIds by order."""

    @property
    def dag(self) -> str:
        return f"returns_reconciliation__{self.name}"

    @property
    def reset_dag(self) -> str:
        return f"action_reset__{self.name}"

    @property
    def warehouse(self) -> Path:
        return self.home / f"{self.name}.duckdb"

    def put(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Put a new warehouse in the place of the old one."""
        create_warehouse(self.warehouse, rows)

    def control(self, method: str, path: str, body: Any = None, **params: str) -> Any:
        url = f"{self.server.base_url}/_sandbox/{path}"
        answer = httpx.request(method, url, json=body, params=params, timeout=60)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def act(self, act: str, order: str = "", **more: Any) -> None:
        """Let another person do something to the action of an order."""
        self.control("POST", "act", {"act": act, "action_id": self.ids.get(order, ""), **more})

    def writes(self) -> int:
        asked = self.control("GET", "requests")["by_kind"]
        return int(asked.get("modify", 0)) + int(asked.get("reverse", 0))

    def items(self, order: str) -> dict[str, int]:
        """The quantity of each SKU of an order's action, as impact.com truly holds it."""
        [found] = self.control("GET", "state", action_id=self.ids[order])["actions"]
        return {item["Sku"]: int(item["Quantity"]) for item in found["Items"]}


class Street:
    """Opens stores, before Airflow is started; knows the connections of all of them."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.dags, self.programs = home / "dags", home / "programs"
        self.connections: dict[str, dict[str, Any]] = {}
        self._servers: list[SandboxServer] = []
        for folder in (self.dags, self.programs):
            folder.mkdir()

    def serve(self, actions: Iterable[dict[str, Any]], **settings: Any) -> SandboxServer:
        """A sandbox of its own; each is another account."""
        number = len(self._servers) + 1
        world = self.home / f"world-{number}.jsonl"
        write_world(world, actions)
        plain = {"port": 0, "orders": 0, "world": world, "seed": number, "queue_latency": 0.3}
        server = SandboxServer(Settings(**{**plain, **settings}))
        server.__enter__()
        self._servers.append(server)
        return server

    def connect(self, name: str, server: SandboxServer | None, **changes: Any) -> None:
        """The two connections of a program; without a server, only the warehouse's."""
        if server is not None:
            self.connections[f"impact_{name}"] = {
                "conn_type": "impact",
                "host": server.base_url,
                "login": server.account_sid,
                "password": server.auth_token,
            } | changes
        path = self.home / f"{name}.duckdb"
        extra = {"read_only": True}
        self.connections[f"warehouse_{name}"] = {
            "conn_type": "duckdb",
            "host": str(path),
            "extra": extra,
        }

    def program(self, name: str, **choices: Any) -> None:
        """The program file as `clawback program add` writes it, with these choices on top."""
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv(PROGRAMS_ENV, str(self.programs))
            add_program(name, lab.CAMPAIGN, "USD", self.dags)
        path = self.programs / f"{name}.yaml"
        quick = {"schedule": NEVER, "confirm": {"poll_seconds": 1}}
        path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | quick | choices))

    def open(
        self,
        name: str,
        actions: list[dict[str, Any]],
        rows: Iterable[Mapping[str, Any]],
        **choices: Any,
    ) -> Store:
        """A store with everything that it takes."""
        server = self.serve(actions)
        self.connect(name, server)
        self.program(name, **choices)
        store = Store(name, self.home, server, {one["Oid"]: one["Id"] for one in actions})
        store.put(rows)
        return store

    def close(self) -> None:
        for server in self._servers:
            server.__exit__(None, None, None)
