"""Builds a DB-API connection factory from an AIRFLOW_CONN_* value, without Airflow."""

from __future__ import annotations

import importlib
import json
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import parse_qsl, unquote, urlsplit

import duckdb

from clawback.warehouse.errors import WarehouseError, driver_errors, explained

Connect = Callable[[], Any]
"""Opens a new DB-API connection; the caller closes it."""

_ALIASES = {"postgresql": "postgres"}
_NOT_FOR_DRIVERS = frozenset(("__extra__", "cursor", "iam", "aws_conn_id", "sqlalchemy_query"))


@dataclass(frozen=True, slots=True)
class Settings:
    """The parts of an Airflow connection; the password is never shown."""

    kind: str
    host: str = ""
    login: str = ""
    password: str = field(default="", repr=False)
    port: int | None = None
    schema: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)


def from_connection(value: str) -> Connect:
    """A factory for the connection that `value` describes: Airflow's JSON or URI form.

    Knows duckdb, sqlite and postgres. Nothing is opened yet; opening raises WarehouseError if the
    database cannot be reached. Raises WarehouseError for a value that cannot be read.
    """
    settings = parse(value)
    opener = _OPENERS.get(settings.kind)
    if opener is None:
        raise WarehouseError(
            f"no driver here for a connection of type {settings.kind!r}; use "
            f"{', '.join(sorted(_OPENERS))}, or run it through Airflow, which has a hook for it"
        )
    return opener(settings)


def from_files() -> Connect:
    """A factory for an empty DuckDB in memory, to read CSV and Parquet files through."""
    return lambda: duckdb.connect(":memory:")


def parse(value: str) -> Settings:
    """The parts of an AIRFLOW_CONN_* value; its secrets never reach an error.

    Raises UnreadableConnectionError.
    """
    text = value.strip()
    return _from_json(text) if text.startswith("{") else _from_uri(text)


class UnreadableConnectionError(WarehouseError):
    """The value of a connection cannot be read; `why` says it without repeating the value."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"the warehouse connection cannot be read: {why}; write it like "
            '{"conn_type": "duckdb", "host": "/path/to/warehouse.duckdb"} or '
            "postgres://user:password@host:5432/database"
        )
        self.why = why


def _unreadable(why: str) -> NoReturn:
    raise UnreadableConnectionError(why) from None


def _from_json(text: str) -> Settings:
    try:
        found = json.loads(text)
        extra = found.get("extra") or {}
        extra = json.loads(extra) if isinstance(extra, str) else extra
        port = found.get("port")
        port = int(port) if port else None
    except (ValueError, TypeError, RecursionError):
        _unreadable("it is not valid JSON")
    if not isinstance(extra, dict):
        _unreadable("its extra is not an object")
    return Settings(
        kind=_kind(found.get("conn_type")),
        host=str(found.get("host") or ""),
        login=str(found.get("login") or ""),
        password=str(found.get("password") or ""),
        port=port,
        schema=str(found.get("schema") or ""),
        extra=extra,
    )


def _from_uri(text: str) -> Settings:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        _unreadable("it is not a URI")
    netloc = parts.netloc.rpartition("@")[2]
    host = netloc.partition(":")[0] if port or not netloc.startswith("[") else netloc
    extra: dict[str, Any] = dict(parse_qsl(parts.query, keep_blank_values=True))
    if "__extra__" in extra:
        extra = _extra_json(extra["__extra__"])
    return Settings(
        kind=_kind(parts.scheme),
        host=unquote(host),
        login=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        port=port,
        schema=unquote(parts.path[1:]),
        extra=extra,
    )


def _extra_json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        _unreadable("its __extra__ is not a JSON object")
    return found


def _kind(conn_type: object) -> str:
    if not isinstance(conn_type, str) or not conn_type:
        _unreadable("it names no type")
    kind = conn_type.replace("-", "_")
    return _ALIASES.get(kind, kind)


def _opened(opening: Callable[[], Any], what: str) -> Any:
    try:
        return opening()
    except driver_errors() as error:
        raise explained(error, what) from None


def _duckdb(settings: Settings) -> Connect:
    path = settings.host
    if not path:
        raise WarehouseError(
            "the duckdb connection names no file, and Airflow would open an empty database in "
            "memory; give the file's path as its host (as a URI: duckdb://%2Fpath%2Fto.duckdb)"
        )
    if path == ":memory:":
        return from_files()
    read_only = str(settings.extra.get("read_only", True)).lower() != "false"

    def opening() -> Any:
        if not Path(path).is_file():
            raise WarehouseError(f"no warehouse at {path}; create it, or mend the connection")
        return duckdb.connect(path, read_only=read_only)

    return lambda: _opened(opening, f"the warehouse {path}")


def _sqlite(settings: Settings) -> Connect:
    path = settings.host or settings.schema
    if not path:
        raise WarehouseError("the sqlite connection names no file; give its path as its host")

    def opening() -> Any:
        if not Path(path).is_file():
            raise WarehouseError(f"no warehouse at {path}; create it, or mend the connection")
        return sqlite3.connect(f"{Path(path).resolve().as_uri()}?mode=ro", uri=True)

    return lambda: _opened(opening, f"the warehouse {path}")


def _postgres(settings: Settings) -> Connect:
    driver = _postgres_driver()
    named = {
        "host": settings.host,
        "port": settings.port,
        "user": settings.login,
        "password": settings.password,
        "dbname": settings.schema,
        **{k: v for k, v in settings.extra.items() if k not in _NOT_FOR_DRIVERS},
    }
    given = {name: value for name, value in named.items() if value not in (None, "")}
    what = f"the warehouse postgres://{settings.host}:{settings.port or 5432}/{settings.schema}"
    return lambda: _opened(lambda: driver.connect(**given), what)


def _postgres_driver() -> Any:
    for name in ("psycopg2", "psycopg"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise WarehouseError(
        "reading PostgreSQL needs a driver; install psycopg2-binary or psycopg[binary]"
    )


_OPENERS: dict[str, Callable[[Settings], Connect]] = {
    "duckdb": _duckdb,
    "sqlite": _sqlite,
    "postgres": _postgres,
}
