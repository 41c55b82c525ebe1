"""Prepares Airflow's home before the first test imports Airflow, and a small shop to reconcile."""

from __future__ import annotations

import json
import runpy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest

from clawback.demo.world import create_warehouse, write_world
from clawback.impact.budget import RequestKind
from clawback.ledger import runs
from clawback.ledger.store import Ledger
from clawback.sandbox.limits import RateLimit
from clawback.sandbox.seed import SeededWorld, generate
from clawback.sandbox.server import SandboxServer
from clawback.sandbox.settings import Settings
from clawback.steps.close import load_books

ROOT = Path(__file__).resolve().parents[2]
DAG_ID = "returns_reconciliation"
WRITES = ("modify", "reverse")

runpy.run_path(str(ROOT / "tests" / "airflow_home.py"))["prepare"]()


def pytest_configure(config: pytest.Config) -> None:
    """Let Airflow's own use of what others have deprecated pass; ours stays an error."""
    for noise in (
        "ignore:GitWildMatchPattern:DeprecationWarning",
        "ignore:Using `httpx` with `starlette.testclient`",
    ):
        config.addinivalue_line("filterwarnings", noise)


@pytest.fixture(scope="session")
def airflow_db() -> None:
    """Airflow's metadata database, once for all runs."""
    from airflow.utils.db import initdb

    initdb()


@dataclass
class Shop:
    """A small world: warehouse, sandbox, ledger and program, and the Dag that reconciles them."""

    home: Path
    server: SandboxServer
    world: SeededWorld
    monkeypatch: pytest.MonkeyPatch
    started: datetime

    @property
    def warehouse(self) -> Path:
        return self.home / "warehouse.duckdb"

    @property
    def dags(self) -> Path:
        return ROOT / "dags"

    def impact(self, **changes: Any) -> None:
        """Set the Airflow connection to the sandbox; keywords change its fields."""
        fields = {
            "conn_type": "impact",
            "host": self.server.base_url,
            "login": self.server.account_sid,
            "password": self.server.auth_token,
            "extra": {"campaign_id": self.server.campaign_id},
        }
        self.connection("impact_demo", fields | changes)

    def connection(self, conn_id: str, fields: dict[str, Any] | None) -> None:
        name = f"AIRFLOW_CONN_{conn_id.upper()}"
        if fields is None:
            self.monkeypatch.delenv(name)
        else:
            self.monkeypatch.setenv(name, json.dumps(fields))

    def dag(self) -> Any:
        from airflow.dag_processing.dagbag import DagBag

        bag = DagBag(dag_folder=str(ROOT / "dags" / "returns_reconciliation.py"))
        assert bag.import_errors == {}
        dag = bag.dags[DAG_ID]
        dag.deadline = None  # dag.test() of Airflow 3.3.2 breaks off over it; see deadline.py
        return dag

    def run(self, *, logical_date: datetime | None = None, **params: Any) -> Any:
        """A run of the Dag in this process, by hand; returns Airflow's Dag run."""
        return self.dag().test(logical_date=logical_date, run_conf=params or None)

    def ledger_run(self, dag_run: Any) -> runs.Run:
        with Ledger.open() as ledger, ledger.read() as conn:
            return runs.get_run(conn, f"{DAG_ID}/{dag_run.run_id}")

    def books(self, dag_run: Any) -> dict[str, Any]:
        with Ledger.open() as ledger:
            return load_books(ledger, f"{DAG_ID}/{dag_run.run_id}")

    def forget_requests(self) -> None:
        httpx.delete(f"{self.server.base_url}/_sandbox/requests")

    def requests(self) -> dict[str, int]:
        """What the sandbox was asked, by the kinds that the ledger counts."""
        log = httpx.get(f"{self.server.base_url}/_sandbox/requests").json()
        found: Counter[str] = Counter()
        for kind, n in log["by_kind"].items():
            found[kind if kind in set(RequestKind) else RequestKind.OTHER.value] += n
        return {kind: n for kind, n in found.items() if n}

    def writes(self) -> int:
        return sum(self.requests().get(kind, 0) for kind in WRITES)

    def faults(self, *rules: dict[str, Any]) -> None:
        answer = httpx.post(f"{self.server.base_url}/_sandbox/faults", json=list(rules))
        assert answer.status_code == 200, answer.text

    def action(self, action_id: str) -> dict[str, Any]:
        state = httpx.get(
            f"{self.server.base_url}/_sandbox/state", params={"action_id": action_id}
        ).json()
        found: dict[str, Any] = state["actions"][0]
        return found

    def later(self, by: timedelta) -> datetime:
        """Let time pass for sandbox and Clawback alike; returns the new time."""
        answer = httpx.post(
            f"{self.server.base_url}/_sandbox/clock", json={"advance": by.total_seconds()}
        )
        assert answer.status_code == 200, answer.text
        real, now = datetime.now(UTC), datetime.fromisoformat(answer.json()["now"])
        self.monkeypatch.setenv("CLAWBACK_NOW", f"{now.isoformat()}@{real.isoformat()}")
        return now

    def untouched(self) -> list[dict[str, Any]]:
        """Actions of orders that nobody has returned yet, open for a while still."""
        return [
            action
            for action in self.world.actions
            if self.world.expectations.get(action["Oid"]) == "no_return"
            and action["State"] == "PENDING"
            and datetime.fromisoformat(action["LockingDate"]) > self.started + timedelta(days=10)
        ]

    def cancelled(self, action: dict[str, Any], at: datetime) -> None:
        """The order of `action` is cancelled: the row says so from now on, with this time."""
        row = {
            "return_id": f"R-{action['Oid']}",
            "order_id": action["Oid"],
            "kind": "cancellation",
            "currency": "USD",
            "reason": "cancelled",
            "returned_at": at,
            "updated_at": at,
        }
        names, places = ", ".join(row), ", ".join("?" for _ in row)
        with duckdb.connect(str(self.warehouse)) as connection:
            connection.execute(
                f"INSERT INTO returns ({names}) VALUES ({places})",  # noqa: S608 - our own names
                list(row.values()),
            )


@pytest.fixture
def options() -> dict[str, Any]:
    """What a test wants its sandbox to be like; overridden by parametrisation."""
    return {}


@pytest.fixture
def shop(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    airflow_db: None,  # noqa: ARG001 - it must stand
    options: dict[str, Any],
) -> Iterator[Shop]:
    now = datetime.now(UTC)
    world = generate(seed=7, orders=200, now=now)
    write_world(tmp_path / "world.jsonl", world.actions)
    create_warehouse(tmp_path / "warehouse.duckdb", world.returns)
    programs = tmp_path / "programs"
    programs.mkdir()
    demo = (ROOT / "include" / "programs" / "demo.yaml").read_text()
    (programs / "demo.yaml").write_text(demo.replace("poll_seconds: 3", "poll_seconds: 0.5"))
    monkeypatch.setenv("CLAWBACK_PROGRAMS", str(programs))
    monkeypatch.setenv("CLAWBACK_LEDGER_URL", f"sqlite:///{tmp_path}/ledger.db")
    monkeypatch.delenv("CLAWBACK_NOW", raising=False)
    settings = Settings(
        port=0,
        world=tmp_path / "world.jsonl",
        **{"queue_latency": 0.3, "rate_limit": RateLimit(requests=100_000), **options},
    )
    with SandboxServer(settings) as server:
        made = Shop(tmp_path, server, world, monkeypatch, now)
        made.impact()
        made.connection(
            "warehouse_demo",
            {"conn_type": "duckdb", "host": str(made.warehouse), "extra": {"read_only": True}},
        )
        yield made
