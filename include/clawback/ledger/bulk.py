"""Many rows at once: bulk writes and streamed reads without SQLAlchemy's cost per row.

The tables, types and statements are SQLAlchemy Core's; only the rows pass it by. Values are
encoded and decoded by the column's type as `clawback.ledger.types` says (money as millionths on
SQLite, aware UTC times, JSON as text), a column at a time. Everything happens in the transaction of
the connection that is given. SQLite takes `executemany`; PostgreSQL takes COPY, through a temporary
table where rows may be there already.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, Literal, TypeAlias

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    Dialect,
    Select,
    String,
    Table,
    column,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.selectable import TableValuedAlias

from clawback.ledger.values import (
    Row,
    convert,
    decoder,
    encoder,
    from_plain,
    plain_to_driver,
    to_plain,
)

Conflict: TypeAlias = Literal["nothing"] | Sequence[str] | None
_BATCH = 20_000
_CACHE_MB = 128
_SMALL_CACHE_KB = 2000  # what SQLite gives a connection by itself


# --- writing --------------------------------------------------------------------------------


def insert_rows(  # noqa: PLR0913 - a table, its columns, the rows, and how they are to be taken
    conn: Connection,
    table: Table,
    columns: Sequence[str],
    rows: Iterable[Row],
    *,
    on_conflict: Conflict = None,
    encoded: bool = False,
) -> int:
    """Insert tuples that hold the values of `columns`, in that order; returns how many went in.

    Columns that are not named take the database's default, so name every column that has only a
    Python-side one. `on_conflict`: None lets a duplicate key raise, "nothing" leaves the row that
    is there whichever unique key it meets (and does not count the new one), a list of column names
    sets these columns of the row with the same primary key. Give a primary key at most once in a
    call that updates. With `encoded` the rows come from `encode_rows` and are taken as they are.

    Raises what the database raises: sqlalchemy.exc.IntegrityError on SQLite, psycopg.Error on
    PostgreSQL.
    """
    write = _insert_sqlite if conn.dialect.name == "sqlite" else _insert_postgres
    done = 0
    for some in _batches(rows):
        ready = some if encoded else encode_rows(conn.dialect, table, columns, some)
        done += write(conn, table, columns, ready, on_conflict)
    return done


def update_rows(  # noqa: PLR0913 - what to find, what to set, and the rows
    conn: Connection,
    table: Table,
    keys: Sequence[str],
    columns: Sequence[str],
    rows: Iterable[Row],
    *,
    encoded: bool = False,
) -> int:
    """Set `columns` of the rows found by `keys`; returns how many were there.

    A tuple holds the key's values and then the new ones. Name the columns of a unique key.
    """
    names = [*keys, *columns]
    write = _update_sqlite if conn.dialect.name == "sqlite" else _update_postgres
    done = 0
    for some in _batches(rows):
        ready = some if encoded else encode_rows(conn.dialect, table, names, some)
        done += write(conn, table, keys, columns, ready)
    return done


def encode_rows(
    dialect: Dialect, table: Table, columns: Sequence[str], rows: Sequence[Row]
) -> list[Row]:
    """Rows as the driver takes them; another process may do this for the one that writes."""
    converts = [encoder(table.c[name].type, dialect) for name in columns]
    return convert(rows, converts)


def encode_plain(
    dialect: Dialect, table: Table, columns: Sequence[str], rows: Sequence[Row]
) -> list[Row]:
    """Rows as the driver takes them, of values that are its own already but for millionths."""
    return convert(rows, [plain_to_driver(table.c[name].type, dialect) for name in columns])


def _insert_sqlite(
    conn: Connection, table: Table, columns: Sequence[str], rows: list[Row], conflict: Conflict
) -> int:
    marks = ", ".join("?" * len(columns))
    into = f"INSERT INTO {_names(conn, [table.name])} ({_names(conn, columns)})"
    text = f"{into} VALUES ({marks}){_on_conflict(conn, table, conflict)}"
    return _executemany(conn, text, rows)


def _update_sqlite(
    conn: Connection, table: Table, keys: Sequence[str], columns: Sequence[str], rows: list[Row]
) -> int:
    # Numbered marks, because a tuple gives the key first and the statement asks for it last.
    first = len(keys) + 1
    new = ", ".join(f"{_names(conn, [c])} = ?{n}" for n, c in enumerate(columns, start=first))
    here = " AND ".join(f"{_names(conn, [k])} = ?{n}" for n, k in enumerate(keys, start=1))
    text = f"UPDATE {_names(conn, [table.name])} SET {new} WHERE {here}"  # noqa: S608 - our names
    return _executemany(conn, text, rows)


def _executemany(conn: Connection, text: str, rows: list[Row]) -> int:
    done = conn.exec_driver_sql(text, rows, execution_options={"preserve_rowcount": True})
    return done.rowcount


def _insert_postgres(
    conn: Connection, table: Table, columns: Sequence[str], rows: list[Row], conflict: Conflict
) -> int:
    into = f"{_names(conn, [table.name])} ({_names(conn, columns)})"
    if conflict is None:
        _copy(conn, into, rows)
        return len(rows)
    names = _names(conn, columns)
    with _beside(conn, table, columns, rows) as beside:
        text = f"INSERT INTO {into} SELECT {names} FROM {beside}"  # noqa: S608 - our names
        text += _on_conflict(conn, table, conflict)
        return conn.exec_driver_sql(text, execution_options={"preserve_rowcount": True}).rowcount


def _update_postgres(
    conn: Connection, table: Table, keys: Sequence[str], columns: Sequence[str], rows: list[Row]
) -> int:
    here = _names(conn, [table.name])
    with _beside(conn, table, [*keys, *columns], rows) as beside:
        new = ", ".join(f"{q} = {beside}.{q}" for q in (_names(conn, [c]) for c in columns))
        same = " AND ".join(f"{here}.{q} = {beside}.{q}" for q in (_names(conn, [k]) for k in keys))
        text = f"UPDATE {here} SET {new} FROM {beside} WHERE {same}"  # noqa: S608 - our names
        return conn.exec_driver_sql(text).rowcount


@contextmanager
def _beside(
    conn: Connection, table: Table, columns: Sequence[str], rows: list[Row]
) -> Iterator[str]:
    """A temporary table that holds some rows, for one statement of this transaction."""
    name, names = _names(conn, [f"bulk_{table.name}"]), _names(conn, columns)
    source = _names(conn, [table.name])
    conn.exec_driver_sql(
        f"CREATE TEMPORARY TABLE {name} ON COMMIT DROP "  # noqa: S608 - our names
        f"AS SELECT {names} FROM {source} WITH NO DATA"
    )
    _copy(conn, f"{name} ({names})", rows)
    yield name
    conn.exec_driver_sql(f"DROP TABLE {name}")


def _copy(conn: Connection, into: str, rows: list[Row]) -> None:
    if not conn.in_transaction():
        conn.begin()
    driver: Any = conn.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY {into} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def _on_conflict(conn: Connection, table: Table, conflict: Conflict) -> str:
    if conflict is None:
        return ""
    if conflict == "nothing" or not conflict:
        return " ON CONFLICT DO NOTHING"
    key = _names(conn, [one.name for one in table.primary_key])
    new = ", ".join(f"{q} = excluded.{q}" for q in (_names(conn, [c]) for c in conflict))
    return f" ON CONFLICT ({key}) DO UPDATE SET {new}"


def _names(conn: Connection, names: Sequence[str]) -> str:
    quote = conn.dialect.identifier_preparer.quote
    return ", ".join(quote(name) for name in names)


# --- reading --------------------------------------------------------------------------------


def fetch(conn: Connection, statement: Select[Any], *, batch: int = _BATCH) -> Iterator[Row]:
    """The rows of a query as plain tuples, decoded, streamed `batch` at a time.

    On PostgreSQL the rows come through a server-side cursor. Read it to its end or close the
    generator before the connection is used for anything that ends the transaction.
    """
    result = conn.execute(statement, execution_options={"stream_results": True})
    cursor: Any = result.cursor
    converts = [
        decoder(one.type, conn.dialect, told[1])
        for one, told in zip(statement.selected_columns, cursor.description, strict=True)
    ]
    try:
        # SQLAlchemy reads one row ahead where it streams; the driver's cursor holds the others.
        first = result.fetchmany(1)
        yield from map(tuple, first)
        while first and (rows := cursor.fetchmany(batch)):
            yield from convert(rows, converts)
    finally:
        result.close()


def fetch_plain(conn: Connection, statement: Select[Any]) -> list[Row]:
    """All rows of a query as the driver gives them, but money in millionths.

    To look at many rows of which few are needed: `decode_rows` makes of them what `fetch` gives.
    """
    result = conn.execute(statement)
    cursor: Any = result.cursor
    rows: list[Row] = cursor.fetchall()
    result.close()
    return convert(rows, [to_plain(one.type, conn.dialect) for one in statement.selected_columns])


def decode_rows(
    dialect: Dialect, columns: Sequence[ColumnElement[Any]], rows: Sequence[Row]
) -> list[Row]:
    """Rows that came plain, as `fetch` gives them."""
    return convert(rows, [from_plain(one.type, dialect) for one in columns])


def among(conn: Connection, here: ColumnElement[str], values: Sequence[str]) -> ColumnElement[bool]:
    """Whether a column of text holds one of `values`.

    One parameter whatever the length: quicker than a long IN, and without its limit.
    """
    return here.in_(select(listed(conn.dialect, values).c.value))


def listed(dialect: Dialect, values: Sequence[str], name: str = "listed") -> TableValuedAlias:
    """A list of texts as a table to join, with one column, `value`."""
    if dialect.name == "sqlite":
        each = func.json_each(literal(orjson.dumps(list(values)).decode(), String))
        return each.table_valued(column("value", String), name=name)
    each = func.unnest(literal(list(values), ARRAY(String)))
    return each.table_valued(column("value", String), name=name).render_derived()


@contextmanager
def roomy(conn: Connection, megabytes: int = _CACHE_MB) -> Iterator[None]:
    """Let a SQLite connection keep the indexes of a large run in memory, while this lasts."""
    sqlite = conn.dialect.name == "sqlite"
    if sqlite:
        conn.exec_driver_sql(f"PRAGMA cache_size=-{megabytes * 1024}")
    try:
        yield
    finally:
        if sqlite:
            conn.exec_driver_sql(f"PRAGMA cache_size=-{_SMALL_CACHE_KB}")


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    every = iter(rows)
    while some := list(islice(every, _BATCH)):
        yield some
