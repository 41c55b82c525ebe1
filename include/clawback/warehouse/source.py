"""Streams the rows of the returns statement from any DB-API connection, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

from clawback.warehouse.connections import Connect, from_connection, from_files
from clawback.warehouse.contract import contract_columns
from clawback.warehouse.errors import WarehouseError, driver_errors, explained
from clawback.warehouse.template import render

__all__ = ["Connect", "WarehouseError", "from_connection", "from_files", "read", "render"]

_KNOWN = {column.name for column in contract_columns()}
_REQUIRED = [column.name for column in contract_columns() if column.required]
_CURSOR = "clawback_returns"


def read(
    connect: Connect,
    statement: str,
    parameters: Any = None,
    batch: int = 5000,
    *,
    name: str = "the returns statement",
) -> Iterator[list[dict[str, object]]]:
    """The statement's rows as lists of at most `batch` dicts of the contract's columns.

    Columns that the contract does not know are left out; names are compared in lower case. Only
    one batch is in memory at a time: on PostgreSQL through a cursor on the server. `name` is the
    statement's file, for errors. Raises WarehouseError if the database refuses, or if a column
    that the contract needs is missing.
    """
    connection = connect()
    try:
        with closing(connection), closing(_cursor(connection)) as cursor:
            if parameters is None:
                cursor.execute(statement)
            else:
                cursor.execute(statement, parameters)
            yield from _batches(cursor, batch, name)
    except driver_errors(connection) as error:
        raise explained(error, name) from None


def _cursor(connection: Any) -> Any:
    """A cursor that streams: PostgreSQL's drivers fetch everything at once unless it is named."""
    roots = {cls.__module__.partition(".")[0] for cls in type(connection).__mro__}
    if not roots & {"psycopg2", "psycopg"}:
        return connection.cursor()
    if connection.autocommit:
        return connection.cursor(_CURSOR, withhold=True)
    return connection.cursor(_CURSOR)


def _batches(cursor: Any, batch: int, name: str) -> Iterator[list[dict[str, object]]]:
    rows = cursor.fetchmany(batch)
    places = _places(cursor.description, name)
    while rows:
        yield [{column: row[place] for column, place in places} for row in rows]
        rows = cursor.fetchmany(batch)


def _places(description: Sequence[Sequence[Any]] | None, name: str) -> list[tuple[str, int]]:
    """Where each column of the contract stands in a row; the first of two alike counts."""
    found: dict[str, int] = {}
    for place, column in enumerate(description or ()):
        found.setdefault(str(column[0]).lower(), place)
    missing = [column for column in _REQUIRED if column not in found]
    if missing:
        raise WarehouseError(
            f"{name}: it yields no column {', '.join(missing)}; select every required column of "
            "the contract, as NULL where there is nothing to say"
        )
    return [(column, place) for column, place in found.items() if column in _KNOWN]
