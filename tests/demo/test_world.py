"""The demo world on disk: what was generated comes back, and never half of it."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest

from clawback.demo.world import create_warehouse, write_world
from clawback.sandbox.seed import generate
from clawback.warehouse.contract import parse_row
from clawback.warehouse.source import from_connection, read, render

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
WORLD = generate(seed=7, orders=300, now=NOW)
STATEMENT = Path(__file__).parents[2] / "include" / "sql" / "returns.duckdb.sql"


def rows_of(path: Path) -> list[dict[str, object]]:
    value = json.dumps({"conn_type": "duckdb", "host": str(path), "extra": {"read_only": True}})
    window = {"window_start": NOW - timedelta(days=30), "window_end": NOW}
    batches = read(from_connection(value), render(STATEMENT, **window), batch=100)
    return [row for batch in batches for row in batch]


def test_the_warehouse_gives_back_what_was_generated(tmp_path: Path) -> None:
    """Every generated row, broken ones included, is read back with its content unchanged."""
    path = tmp_path / "new" / "warehouse.duckdb"
    create_warehouse(path, WORLD.returns)
    found, made = (
        Counter(
            (type(row), row.return_id, row.sku, getattr(row, "updated_at", None), row.content)
            if hasattr(row, "updated_at")
            else (type(row), row.return_id, row.errors)
            for row in (parse_row(row, timezone=ZoneInfo("UTC"), currency="USD") for row in rows)
        )
        for rows in (rows_of(path), [plain(row) for row in WORLD.returns])
    )
    assert found == made
    assert found.total() == len(WORLD.returns)


def plain(row: dict[str, object]) -> dict[str, object]:
    """A generated row with a negative amount as four places show it."""
    return {**row, "amount": round(row["amount"], 4)} if row["amount"] is not None else row  # type: ignore[call-overload]


def test_an_older_warehouse_is_replaced(tmp_path: Path) -> None:
    """Writing again replaces the file and leaves nothing else beside it."""
    path = tmp_path / "warehouse.duckdb"
    create_warehouse(path, WORLD.returns)
    create_warehouse(path, WORLD.returns[:5])
    assert len(rows_of(path)) == 5
    create_warehouse(path, [])
    assert rows_of(path) == []
    assert [file.name for file in tmp_path.iterdir()] == ["warehouse.duckdb"]


def test_a_failure_leaves_the_old_warehouse(tmp_path: Path) -> None:
    """If writing fails, the old file stands and no part of the new one is left."""
    path = tmp_path / "warehouse.duckdb"
    create_warehouse(path, WORLD.returns[:5])
    with pytest.raises(duckdb.Error):
        create_warehouse(path, [{"quantity": "two"}])
    assert len(rows_of(path)) == 5
    assert [file.name for file in tmp_path.iterdir()] == ["warehouse.duckdb"]


@pytest.mark.parametrize("name", ["world.jsonl", "world.jsonl.gz"])
def test_the_world_file_holds_one_action_a_line(tmp_path: Path, name: str) -> None:
    """A world file, gzipped or not, reads back as the actions that were generated."""
    path = tmp_path / name
    write_world(path, WORLD.actions)
    text = path.read_bytes()
    lines = (gzip.decompress(text) if name.endswith(".gz") else text).splitlines()
    assert [json.loads(line) for line in lines] == WORLD.actions
