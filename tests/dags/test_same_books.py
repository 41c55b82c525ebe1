"""The Dag and `clawback run` are one thing: the same world gives the same books."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest
import yaml
from typer.testing import CliRunner

from clawback.cli import app
from clawback.sandbox.limits import RateLimit
from clawback.sandbox.server import SandboxServer
from clawback.sandbox.settings import Settings
from clawback.steps.close import balanced

pytestmark = pytest.mark.airflow

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "tpcds-web"
PRESENT = datetime(2026, 11, 23, tzinfo=UTC)
OWN = {"run_id", "window", "requests", "requests_per_confirmed_change"}
"""What two runs of one world may differ in: their names, their time, how often they looked."""


@contextmanager
def another(shop: Any, **settings: Any) -> Iterator[SandboxServer]:
    """A second sandbox and an empty ledger, which the connections lead to from now on."""
    plain = {"port": 0, "queue_latency": 0.3, "rate_limit": RateLimit(requests=1_000_000)}
    with SandboxServer(Settings(**{**plain, **settings})) as server:
        shop.server = server
        shop.impact()
        shop.monkeypatch.setenv("CLAWBACK_LEDGER_URL", f"sqlite:///{shop.home}/another.db")
        yield server


def test_the_same_world_gives_the_same_books(shop: Any) -> None:
    """Outcomes, holds, changes and money are the same with Airflow and without."""
    by_dag = shop.books(shop.run())
    with another(shop, world=shop.home / "world.jsonl"):
        done = CliRunner().invoke(app, ["run", "demo", "--json"])
    assert done.exit_code == 0, done.output
    by_hand = json.loads(done.stdout)
    assert {k: v for k, v in by_dag.items() if k not in OWN} == {
        k: v for k, v in by_hand.items() if k not in OWN
    }
    assert by_dag["changes"]["confirmed"] > 20


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(
    not DATA.is_dir(), reason="the TPC-DS case is not beside this repository (../shared/data)"
)
def test_the_dag_settles_data_that_nobody_wrote_for_it(shop: Any) -> None:
    """Through Airflow, too, every item of the TPC-DS case ends as the case says."""
    program = yaml.safe_load((shop.home / "programs" / "demo.yaml").read_text())
    files = {"statement": "returns.files.sql", "files": str(DATA / "returns.parquet")}
    changed = yaml.safe_dump(program | {"warehouse": files})
    (shop.home / "programs" / "demo.yaml").write_text(changed)
    clock = f"{PRESENT.isoformat()}@{datetime.now(UTC).isoformat()}"
    shop.monkeypatch.setenv("CLAWBACK_NOW", clock)
    with another(shop, world=DATA / "world.jsonl.gz", now=PRESENT) as server:
        ended = shop.run(window_start="2026-11-01T00:00:00Z", window_end="2026-11-23T00:00:00Z")
        assert str(ended.state) == "success"
        books = shop.books(ended)
        assert balanced(books)
        assert (books["read"], books["changes"]["confirmed"]) == (6671, 1349)
        state = httpx.get(f"{server.base_url}/_sandbox/state", timeout=60).json()["actions"]
    assert wrong(state) == []


def wrong(state: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """The items that do not stand as expected, within a cent of amount."""
    shown = {
        (action["Id"], item["Sku"]): (
            0 if action["State"] == "REVERSED" else int(item["Quantity"]),
            Decimal(item["SaleAmount"]),
        )
        for action in state
        for item in action["Items"]
    }
    with duckdb.connect() as db:
        expected = db.execute(
            "SELECT action_id, sku, expected, expected_amount FROM read_parquet(?)",
            [str(DATA / "expected.parquet")],
        ).fetchall()
    return [
        row
        for row in expected
        if shown[row[0], row[1]][0] != row[2]
        or abs(shown[row[0], row[1]][1] - Decimal(str(row[3]))) > Decimal("0.011")
    ]
