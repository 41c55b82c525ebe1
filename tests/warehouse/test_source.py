"""Reading rows: every driver, in batches, with errors that say what to mend."""

from __future__ import annotations

import gc
import json
import tracemalloc
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import psycopg2
import pytest
from warehouse_rows import COLUMNS, IN_WINDOW, LINES, SQL, window

from clawback.warehouse.contract import ReturnRow, parse_row
from clawback.warehouse.source import Connect, WarehouseError, from_connection, read, render

STATEMENT = SQL / "returns.duckdb.sql"
MANY = "SELECT " + ", ".join(f"'{name}' || i AS {name}" for name in COLUMNS)


def ids(connect: Connect, statement: str, **options: int) -> list[str]:
    return [str(row["return_id"]) for batch in read(connect, statement, **options) for row in batch]


def test_the_window_yields_every_line_of_every_touched_order(warehouse: Connect) -> None:
    """All lines of an order touched in [start, end) come, and rows without order or time."""
    found = ids(warehouse, render(STATEMENT, **window()))
    assert sorted(found) == sorted(IN_WINDOW)


def test_the_postgres_statement_reads_the_same(postgres: str) -> None:
    """PostgreSQL's own statement yields the same lines, with their times as times."""
    statement = render(SQL / "returns.postgres.sql", **window())
    rows = [row for batch in read(from_connection(postgres), statement) for row in batch]
    assert {row["return_id"] for row in rows} == IN_WINDOW
    assert all(isinstance(row["updated_at"], datetime | None) for row in rows)


def test_named_orders_are_read_whatever_their_dates(warehouse: Connect) -> None:
    """Given order ids, exactly their lines come; a quote in an id is only a character."""
    statement = render(STATEMENT, **window(), order_ids=["o'brien", "before", "x' OR 'a'='a"])
    assert sorted(ids(warehouse, statement)) == ["R5", "R7"]


def test_no_named_order_is_no_line(warehouse: Connect) -> None:
    """An empty list of orders reads nothing; it is not the same as no list."""
    assert ids(warehouse, render(STATEMENT, **window(), order_ids=[])) == []


def test_rows_come_in_batches_of_dicts(warehouse: Connect) -> None:
    """No batch is larger than asked for, none is empty, and none is left out."""
    batches = list(read(warehouse, "SELECT * FROM returns", batch=3))
    assert [len(batch) for batch in batches] == [3, 3, 2]
    assert set(batches[0][0]) == set(COLUMNS)


def test_rows_read_as_their_contract(warehouse: Connect) -> None:
    """What a driver gives is what the contract takes, whichever driver it is."""
    statement = render(STATEMENT, **window(), order_ids=["touched"])
    rows = [row for batch in read(warehouse, statement) for row in batch]
    parsed = {parse_row(row, timezone=ZoneInfo("UTC"), currency="USD") for row in rows}
    assert {row.returned_at.tzname() for row in parsed if isinstance(row, ReturnRow)} == {"UTC"}
    assert {row.return_id for row in parsed if isinstance(row, ReturnRow)} == {"R1", "R2"}


def test_unknown_columns_are_left_out_and_names_may_shout(warehouse: Connect) -> None:
    """Columns of no concern are dropped; names count in lower case, as some warehouses shout."""
    statement = 'SELECT r.*, 1 AS extra, return_id AS "RETURN_ID" FROM returns r'
    first = next(read(warehouse, statement))[0]
    assert set(first) == set(COLUMNS)


def test_missing_columns_are_named(warehouse: Connect) -> None:
    """A statement without a column of the contract is told which, even if it yields no row."""
    columns = ", ".join(name for name in COLUMNS if name not in ("kind", "currency"))
    with pytest.raises(WarehouseError, match=r"mine\.sql: it yields no column kind, currency; "):
        list(read(warehouse, f"SELECT {columns} FROM returns WHERE 1 = 0", name="mine.sql"))  # noqa: S608 - columns of ours


@pytest.mark.parametrize(
    ("statement", "mend"),
    [
        ("SELECT * FROM nowhere", r"create the table, or name the right one in mine\.sql"),
        ("SELECT nonesuch FROM returns", r"name the right column in mine\.sql"),
        ("SELEC 1", r"mend the SQL in mine\.sql"),
    ],
)
def test_a_refusal_is_one_sentence(warehouse: Connect, statement: str, mend: str) -> None:
    """What the database refuses names the file, what it said and what to mend, on one line."""
    with pytest.raises(WarehouseError, match=mend) as caught:
        list(read(warehouse, statement, name="mine.sql"))
    said = str(caught.value)
    assert said.startswith("mine.sql: the warehouse says: ")
    assert "\n" not in said


def test_parameters_reach_the_driver(duckdb_file: Path) -> None:
    """A statement may bind parameters in its driver's own style."""
    connect = from_connection(json.dumps({"conn_type": "duckdb", "host": str(duckdb_file)}))
    rows = next(read(connect, "SELECT * FROM returns WHERE return_id = ?", ["R3"]))
    assert [row["order_id"] for row in rows] == ["at the start"]


def test_the_connection_is_closed_when_reading_ends_early(postgres: str) -> None:
    """Whoever stops reading after the first batch leaves no connection open."""
    opened = []

    def connect() -> object:
        opened.append(from_connection(postgres)())
        return opened[-1]

    batches = read(connect, "SELECT * FROM returns", batch=1)
    next(batches)
    batches.close()
    assert opened[0].closed


def test_many_rows_are_never_in_memory_at_once(postgres: str) -> None:
    """60,000 rows of PostgreSQL pass through in the memory of a batch."""
    rows = 60_000
    statement = f"{MANY} FROM generate_series(1, {rows}) AS g(i)"
    count = 0
    gc.collect()
    tracemalloc.start()
    try:
        for batch in read(from_connection(postgres), statement, batch=1000):
            count += len(batch)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == rows
    assert peak < 8e6


def test_postgres_reads_through_a_cursor_on_the_server(postgres: str) -> None:
    """The first batch arrives without the rest: a row that fails at the end fails at the end."""
    connect = from_connection(postgres)
    statement = f"{MANY}, 1 / (1000 - i) AS later FROM generate_series(1, 1000) AS g(i)"
    batches = read(connect, statement, batch=100, name="mine.sql")
    assert len(next(batches)) == 100
    with pytest.raises(WarehouseError, match="division by zero"):
        list(batches)


def test_two_readers_share_a_duckdb_file(duckdb_file: Path) -> None:
    """Several runs read one DuckDB file at once."""
    connect = from_connection(json.dumps({"conn_type": "duckdb", "host": str(duckdb_file)}))
    one, other = (read(connect, "SELECT * FROM returns", batch=1) for _ in range(2))
    assert next(one) == next(other)
    with pytest.raises(duckdb.Error), connect() as connection:
        connection.execute("DELETE FROM returns")
    assert len(list(one)) == len(LINES) - 1


def test_a_connection_that_drops_is_a_warehouse_error(postgres: str) -> None:
    """A server that goes away in the middle of reading is told as such."""
    batches = read(from_connection(postgres), f"{MANY} FROM generate_series(1, 90000) AS g(i)")
    next(batches)
    given = json.loads(postgres)
    with (
        psycopg2.connect(host=given["host"], user=given["login"], dbname=given["schema"]) as other,
        other.cursor() as cursor,
    ):
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND query LIKE '%clawback_returns%'"
        )
    other.close()
    with pytest.raises(WarehouseError, match="the warehouse says"):
        list(batches)
