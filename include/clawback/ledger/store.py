"""Opening the ledger: engine, transactions, migrations, and upserts that suit both databases."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self, TypeVar

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import (
    Connection,
    Engine,
    Executable,
    Select,
    Table,
    bindparam,
    create_engine,
    event,
    func,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError

from clawback.errors import ClawbackError

URL_ENV = "CLAWBACK_LEDGER_URL"
# Alembic tells which database it looks at, every time; that is noise in a task's log.
logging.getLogger("alembic").setLevel(logging.WARNING)
_MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_SECONDS = 60
_CHUNK = 500
T = TypeVar("T")


class LedgerError(ClawbackError):
    """The ledger cannot be reached or is not at the right migration."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """A ledger at its present migration; `begin()` is one transaction, `read()` a plain look."""

    engine: Engine

    @classmethod
    def open(cls, url: str | None = None, *, upgrade: bool = True) -> Self:
        """The ledger at `url` (default: CLAWBACK_LEDGER_URL), brought to the newest migration.

        Raises LedgerError if there is no url, it cannot be reached, or `upgrade` is false and
        migrations are missing.
        """
        ledger = cls(_engine(url or os.environ.get(URL_ENV, "")))
        try:
            ledger._ready(upgrade=upgrade)
        except BaseException:
            ledger.close()
            raise
        return ledger

    def _ready(self, *, upgrade: bool) -> None:
        try:
            with self.read() as conn:
                current = MigrationContext.configure(conn).get_current_revision()
        except DatabaseError as error:
            reason = str(error.orig).strip().splitlines()[0]
            raise LedgerError(
                f"the ledger at {self.engine.url.render_as_string()} cannot be opened: "
                f"{reason}; check {URL_ENV} and that the database runs"
            ) from None
        if current == head():
            return
        if current is not None and current not in _revisions():
            raise LedgerError(
                f"the ledger at {self.engine.url.render_as_string()} is at migration {current}, "
                "which this version does not know; install the version of Clawback that wrote it"
            )
        if not upgrade:
            raise LedgerError(
                f"the ledger is at migration {current or 'none'}, this version needs {head()}; "
                "run `clawback ledger upgrade`"
            )
        self.upgrade()

    def upgrade(self, revision: str = "head") -> None:
        """Bring the ledger to a migration; two processes at once do it one after the other."""
        self._migrate(command.upgrade, revision)

    def downgrade(self, revision: str) -> None:
        self._migrate(command.downgrade, revision)

    def _migrate(self, step: Any, revision: str) -> None:
        with self.begin() as conn:
            if self.engine.dialect.name == "postgresql":
                conn.exec_driver_sql("SELECT pg_advisory_xact_lock(7232011)")
            config = _config()
            config.attributes["connection"] = conn
            step(config, revision)

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """One transaction: committed at the end, rolled back on an error."""
        with self.engine.begin() as conn:
            yield conn

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection to read with; rows may be streamed."""
        with self.engine.connect().execution_options(clawback_read=True) as conn:
            yield conn

    def close(self) -> None:
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _revisions() -> set[str]:
    return {one.revision for one in ScriptDirectory.from_config(_config()).walk_revisions()}


def head() -> str:
    """The newest migration."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    if revision is None:
        raise LedgerError("the installation has no migrations; install Clawback again")
    return revision


def upsert(
    conn: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    update: Sequence[str] | None = None,
) -> None:
    """Insert rows by primary key; where one exists, set the `update` columns (none: leave it)."""
    if not rows:
        return
    dialect = sqlite if conn.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(table)
    keys = [column.name for column in table.primary_key]
    if update:
        changed = {name: statement.excluded[name] for name in update}
        statement = statement.on_conflict_do_update(index_elements=keys, set_=changed)
    else:
        statement = statement.on_conflict_do_nothing()
    conn.execute(statement, [dict(row) for row in rows])


def alone(conn: Connection, name: str) -> None:
    """Let no other process pass here with the same name before this transaction ends.

    On SQLite a transaction that writes is alone anyway. Take it before any row is locked.
    """
    if conn.dialect.name == "postgresql":
        key = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), signed=True)
        conn.execute(select(func.pg_advisory_xact_lock(key)))


def count_up(conn: Connection, table: Table, key: Mapping[str, Any], by: int = 1) -> int:
    """Add to the column `n` of the row with a key, which need not be there; gives what it is."""
    more = _counting(conn.dialect.name, table, tuple(key))
    return int(conn.execute(more, {**key, "n": by}).scalar_one())


@cache
def _counting(database: str, table: Table, names: tuple[str, ...]) -> Executable:
    """The statement of `count_up`, built once for each table."""
    dialect = sqlite if database == "sqlite" else postgresql
    new = dialect.insert(table).values({name: bindparam(name) for name in (*names, "n")})
    more = new.on_conflict_do_update(index_elements=names, set_={"n": table.c.n + new.excluded.n})
    counting: Executable = more.returning(table.c.n)
    return counting


def insert_missing(conn: Connection, table: Table, names: Sequence[str], rows: Select[Any]) -> None:
    """Insert what a query finds, leaving rows that are there already."""
    dialect = sqlite if conn.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(table).from_select(list(names), rows)
    conn.execute(statement.on_conflict_do_nothing())


def chunks(values: Sequence[T], size: int = _CHUNK) -> Iterator[Sequence[T]]:
    """`values` in slices, small enough for an IN list on every database."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    return config


def _engine(url: str) -> Engine:
    if not url:
        raise LedgerError(
            f"no ledger is named; set {URL_ENV}, for instance to sqlite:////var/lib/clawback.db "
            "or postgresql://user:password@host/clawback"
        )
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise LedgerError(
            f"{URL_ENV} is no database URL; write it like sqlite:////path/ledger.db "
            "or postgresql://user:password@host/clawback"
        ) from None
    if parsed.drivername in {"postgresql", "postgres"}:
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed)
    return create_engine(parsed, pool_pre_ping=True, pool_size=2)


def _make_room(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LedgerError(
            f"the ledger's folder {folder} cannot be made: {error.strerror}; "
            f"name another place in {URL_ENV}"
        ) from None


def _sqlite(url: Any) -> Engine:
    if url.database:
        _make_room(Path(url.database).parent)
    engine = create_engine(url, connect_args={"timeout": _BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def _prepare(dbapi: Any, _record: object) -> None:
        # The driver's own transaction control is off: BEGIN IMMEDIATE below takes the write lock
        # at once, so that two writers queue instead of failing half-way.
        dbapi.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            "synchronous=NORMAL",
            f"busy_timeout={_BUSY_SECONDS}000",
        ):
            dbapi.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(conn: Connection) -> None:
        lazy = conn.get_execution_options().get("clawback_read")
        conn.exec_driver_sql("BEGIN" if lazy else "BEGIN IMMEDIATE")

    return engine
