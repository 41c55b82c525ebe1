"""Connections from AIRFLOW_CONN_* values, as Airflow reads them and without Airflow."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

import pytest

from clawback.warehouse.connections import from_connection, parse
from clawback.warehouse.errors import WarehouseError
from clawback.warehouse.source import read


def test_both_forms_say_the_same() -> None:
    """The JSON form and the URI form of one connection are read alike."""
    as_json = parse(
        json.dumps(
            {
                "conn_type": "postgres",
                "host": "db.example",
                "login": "us er",
                "password": "p@:/ss",
                "port": "6543",
                "schema": "shop",
                "extra": '{"sslmode": "require"}',
            }
        )
    )
    as_uri = parse("postgresql://us%20er:p%40%3A%2Fss@db.example:6543/shop?sslmode=require")
    assert as_json == as_uri
    assert as_uri.password == "p@:/ss"
    extra = quote('{"a": {"b": 1}}')
    assert parse(f"google-cloud://h?__extra__={extra}").extra == {"a": {"b": 1}}
    assert parse(f"google-cloud://h?__extra__={extra}").kind == "google_cloud"


def test_a_password_is_never_shown() -> None:
    """Neither a connection's parts nor the error of one that fails show its password."""
    value = "postgres://user:s3cr3t-pw@127.0.0.1:1/shop?connect_timeout=1"
    assert "s3cr3t" not in repr(parse(value))
    with pytest.raises(WarehouseError) as caught:
        from_connection(value)()
    assert "s3cr3t" not in str(caught.value)
    assert caught.value.__suppress_context__
    assert str(caught.value).startswith("the warehouse postgres://127.0.0.1:1/shop: ")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "   ",
        "no uri",
        "{broken",
        '{"host": "s3cr3t"}',
        '{"conn_type": 7}',
        '{"conn_type": "postgres", "port": "s3cr3t"}',
        '{"conn_type": "postgres", "extra": "s3cr3t"}',
        '{"conn_type": "postgres", "extra": [1]}',
        "postgres://u:s3cr3t@h:notaport/x",
        "postgres://h/x?__extra__=s3cr3t",
        "postgres://[::1/x",
    ],
)
def test_an_unreadable_value_says_how_to_write_it(value: str) -> None:
    """A value that is no connection is refused with a pattern to follow, and never repeated."""
    with pytest.raises(WarehouseError, match=r"cannot be read: .*; write it like") as caught:
        from_connection(value)
    assert "s3cr3t" not in str(caught.value)


def test_an_unknown_type_names_the_known_ones() -> None:
    """A type without a driver here names those that have one, and the way through Airflow."""
    with pytest.raises(WarehouseError, match="'snowflake'; use duckdb, postgres, sqlite, or run"):
        from_connection("snowflake://user@account")


def test_duckdb_without_a_file_is_refused() -> None:
    """Airflow would open an empty database in memory for a connection without a host."""
    for value in ('{"conn_type": "duckdb"}', "duckdb:///tmp/warehouse.duckdb"):
        with pytest.raises(WarehouseError, match="names no file"):
            from_connection(value)


@pytest.mark.parametrize("kind", ["duckdb", "sqlite"])
def test_a_missing_file_is_not_created(kind: str, tmp_path: Path) -> None:
    """A warehouse that is not there is an error, never an empty new one."""
    path = tmp_path / "gone.db"
    connect = from_connection(json.dumps({"conn_type": kind, "host": str(path)}))
    with pytest.raises(WarehouseError, match=r"no warehouse at .*gone\.db; create it"):
        connect()
    assert not path.exists()


@pytest.mark.parametrize("kind", ["duckdb", "sqlite"])
def test_a_file_that_is_no_database_is_named(kind: str, tmp_path: Path) -> None:
    """A file of another kind is named as the warehouse that cannot be read."""
    path = tmp_path / "notes.db"
    path.write_text("not a database, but long enough to look like something else\n" * 100)
    connect = from_connection(json.dumps({"conn_type": kind, "host": str(path)}))
    with pytest.raises(WarehouseError, match=r"notes\.db|mine\.sql"):
        list(read(connect, "SELECT * FROM returns", name="mine.sql"))


def test_a_file_by_uri(duckdb_file: Path) -> None:
    """A DuckDB file's path is the host of its URI, percent-encoded as Airflow wants it."""
    connect = from_connection(f"duckdb://{quote(str(duckdb_file), safe='')}?read_only=true")
    with connect() as connection:
        assert connection.execute("SELECT count(*) FROM returns").fetchone() == (8,)
