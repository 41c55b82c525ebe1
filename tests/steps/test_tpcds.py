"""Whole runs on data that nobody wrote for this project: TPC-DS web returns."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from clawback.warehouse.connections import from_files
from lab import counted, held

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "tpcds-web"
PRESENT = datetime(2026, 11, 23, tzinfo=UTC)
FLOOR = 1349

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        not DATA.is_dir(), reason="the TPC-DS case is not beside this repository (../shared/data)"
    ),
]


@pytest.fixture(scope="module")
def runs(shared_lab: Any) -> Iterator[Any]:
    """The lab, the books of two runs, the state after the first, and its writes."""
    with shared_lab(
        world=DATA / "world.jsonl.gz", now=PRESENT, rate_limit="1000000/3600", queue_latency=1
    ) as lab:
        lab.choices = {
            "warehouse": {
                "statement": "returns.files.sql",
                "files": str(DATA / "returns.parquet"),
            }
        }
        world = lab.world(connect=from_files())
        books = lab.run(world=world)
        state, writes = lab.state(), lab.writes
        lab.pass_time(hours=1)
        yield lab, books, lab.run(world=world), state, writes


def test_the_books_balance(runs: Any) -> None:
    """All 6,671 lines are read and explained."""
    _, books, again, *_ = runs
    for one in (books, again):
        assert one["unexplained"] == 0
        assert one["lines"] == one["read"] + one["carried_in"] == sum(counted(one).values())
    assert (books["read"], books["carried_in"]) == (6671, 0)
    assert held(books) == {"over_returned": 19}
    assert counted(books)["not_attributed"] == 6671 - 2300


def test_every_item_is_as_expected(runs: Any) -> None:
    """Each of 24,544 items ends with the quantity and amount that the case names."""
    *_, state, _ = runs
    shown = {
        (action_id, item["Sku"]): (int(item["Quantity"]), Decimal(item["SaleAmount"]))
        if action["State"] != "REVERSED"
        else (0, Decimal(0))
        for action_id, action in state.items()
        for item in action["Items"]
    }
    with duckdb.connect() as db:
        rows = db.execute(
            "SELECT action_id, sku, expected, expected_amount "  # noqa: S608 - our own path
            f"FROM '{DATA / 'expected.parquet'}'"
        ).fetchall()
    assert len(rows) == len(shown)
    wrong = [
        (action_id, sku, shown[action_id, sku], quantity, amount)
        for action_id, sku, quantity, amount in rows
        if shown[action_id, sku][0] != quantity
        or abs(shown[action_id, sku][1] - Decimal(amount)) > Decimal("0.01")
    ]
    assert wrong == []


def test_the_writes_are_few(runs: Any) -> None:
    """Not more than one write an item, and once it is learned that they may be merged, far less."""
    _, books, _, _, writes = runs
    assert FLOOR <= len(writes) <= 2166
    assert books["changes"]["confirmed"] == FLOOR


def test_the_second_run_writes_nothing(runs: Any) -> None:
    """Over settled data nothing is written."""
    lab, _, again, _, writes = runs
    assert len(lab.writes) == len(writes)
    assert again["commission_recovered"] == "0.00"
