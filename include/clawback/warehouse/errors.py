"""The one error of the warehouse side, and what each database driver calls its own."""

from __future__ import annotations

import re
import sqlite3
import sys

import duckdb

from clawback.errors import ClawbackError

_DRIVERS = (
    "psycopg2",
    "psycopg",
    "snowflake.connector",
    "google.cloud.bigquery.dbapi",
    "redshift_connector",
    "databricks.sql",
    "pymysql",
    "MySQLdb",
    "trino.dbapi",
    "oracledb",
    "pyodbc",
)
_MENDS = (
    (
        re.compile(
            r"(table|relation|catalog).*does not exist|no such table|unknown table", re.IGNORECASE
        ),
        "create the table, or name the right one in {name}",
    ),
    (
        re.compile(r"column.*(not found|does not exist)|no such column", re.IGNORECASE),
        "name the right column in {name}",
    ),
    (re.compile(r"syntax error|parser error", re.IGNORECASE), "mend the SQL in {name}"),
    (
        re.compile(r"csv error|error when sniffing", re.IGNORECASE),
        "mend the file: UTF-8, as many cells in each line as in the header, commas only quoted",
    ),
    (
        re.compile(r"no files found|no such file|cannot open file", re.IGNORECASE),
        "check the path of the export",
    ),
    (
        re.compile(r"permission denied|not authorized|insufficient privilege", re.IGNORECASE),
        "let the connection's user read it",
    ),
)
_LONGEST = 400
_CSV_DETAIL = ("Expected Number of Columns", "Value with unterminated quote", "Invalid unicode")


class WarehouseError(ClawbackError):
    """The warehouse cannot be read; the message says where, what it answered and what to mend."""


def driver_errors(connection: object = None) -> tuple[type[Exception], ...]:
    """The base errors of the drivers in use: PEP 249 gives every driver one of its own."""
    loaded = [getattr(sys.modules.get(name), "Error", None) for name in _DRIVERS]
    found = [sqlite3.Error, duckdb.Error, getattr(connection, "Error", None), *loaded]
    return tuple(e for e in found if isinstance(e, type) and issubclass(e, Exception))


def explained(error: Exception, name: str) -> WarehouseError:
    """A driver's error as one sentence: where, what the database said, what to mend."""
    said = _first_line(str(error)) or type(error).__name__
    mend = next((m for pattern, m in _MENDS if pattern.search(said)), "mend {name}")
    return WarehouseError(f"{name}: the warehouse says: {said}; {mend.format(name=name)}")


def _first_line(message: str) -> str:
    """What a driver says first; of a broken CSV also what is wrong with the line."""
    lines = [" ".join(line.split()) for line in message.strip().splitlines()]
    more = [line for line in lines[1:] if line.startswith(_CSV_DETAIL)]
    return ", ".join(lines[:1] + more[:1])[:_LONGEST].rstrip(".;:")
