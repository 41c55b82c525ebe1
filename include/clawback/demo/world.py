"""Writes the demo world to disk: the warehouse as a DuckDB file, the actions as JSON lines."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb

# Wide types: a warehouse also holds rows that break the contract, such as half a unit.
_COLUMNS = {
    "return_id": "VARCHAR",
    "order_id": "VARCHAR",
    "sku": "VARCHAR",
    "kind": "VARCHAR",
    "quantity": "DOUBLE",
    "amount": "DECIMAL(18, 4)",
    "currency": "VARCHAR",
    "reason": "VARCHAR",
    "returned_at": "TIMESTAMPTZ",
    "updated_at": "TIMESTAMPTZ",
    "ordered_at": "TIMESTAMPTZ",
    "ordered_quantity": "DOUBLE",
    "ordered_amount": "DECIMAL(18, 4)",
    "voided": "BOOLEAN",
    "parent_sku": "VARCHAR",
}


def create_warehouse(path: Path, returns: Iterable[Mapping[str, Any]]) -> None:
    """A DuckDB file at `path` with these rows as table `returns`; an older file is replaced.

    Readers see the old file or the whole new one, never a part.
    """
    columns = ", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())
    places = ", ".join("?" for _ in _COLUMNS)
    rows = [[row.get(name) for name in _COLUMNS] for row in returns]

    def fill(file: Path) -> None:
        with duckdb.connect(str(file)) as connection:
            connection.execute(f"CREATE TABLE returns ({columns})")
            if rows:
                connection.begin()
                connection.executemany(f"INSERT INTO returns VALUES ({places})", rows)  # noqa: S608 - only question marks are put in
                connection.commit()

    _replacing(path, fill)


def write_world(path: Path, actions: Iterable[Mapping[str, Any]]) -> None:
    """These actions as JSON lines at `path` (gzipped if it ends in .gz), for `--world`."""

    def fill(file: Path) -> None:
        if path.suffix == ".gz":
            with gzip.open(file, "wt", encoding="utf-8") as stream:
                stream.writelines(_lines(actions))
        else:
            with file.open("w", encoding="utf-8") as stream:
                stream.writelines(_lines(actions))

    _replacing(path, fill)


def _lines(actions: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    return (json.dumps(action, ensure_ascii=False) + "\n" for action in actions)


def _replacing(path: Path, fill: Callable[[Path], None]) -> None:
    """Fill a new file beside `path` and put it in its place; nothing is left of a failure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    try:
        fill(fresh)
        fresh.replace(path)
    except BaseException:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise
