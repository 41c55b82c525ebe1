"""Return lines in the ledger: how rows that are read meet the rows that are known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    Connection,
    RowMapping,
    Select,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from clawback.ledger.store import chunks, insert_missing
from clawback.ledger.tables import reads, return_lines
from clawback.warehouse.contract import BadRow, ReturnRow

Key = tuple[str, str, str]
Known = dict[tuple[Key, str], dict[str, Any]]
_CONTENT = (
    *("kind", "quantity", "amount", "currency", "reason", "returned_at", "updated_at"),
    *("ordered_at", "ordered_quantity", "ordered_amount", "voided", "parent_sku", "content"),
)
_SAME_TIME = (
    "updated_at: another row with this order_id, return_id and sku has the same updated_at and "
    "other content; give the row that counts a newer updated_at"
)


@dataclass(slots=True)
class Merge:
    """What a batch of rows does to the ledger."""

    inserts: list[dict[str, Any]] = field(default_factory=list)
    refreshes: list[dict[str, Any]] = field(default_factory=list)


class Merger:
    """Merges the rows of one extract, batch by batch, into the ledger's return lines.

    Every row that is read becomes or refreshes exactly one ledger row with this extract's number,
    so that rows read and rows explained can be counted against each other.
    """

    def __init__(self, program: str, read_no: int) -> None:
        self._program = program
        self._read_no = read_no

    def add(
        self, conn: Connection, rows: Sequence[tuple[str, ReturnRow | BadRow]]
    ) -> dict[str, int]:
        """Merge rows given as (order key, row); returns how many of each status were read."""
        known = self._known(conn, {row.order_id for _, row in rows})
        merge = Merge()
        counts: dict[str, int] = {}
        for order_key, row in rows:
            if isinstance(row, BadRow):
                status = self._bad(known, merge, order_key, row)
            else:
                status = self._valid(known, merge, order_key, row)
            counts[status] = counts.get(status, 0) + 1
        self._write(conn, merge)
        self._remember(conn, {row.order_id for _, row in rows})
        return counts

    def _known(self, conn: Connection, orders: Iterable[str]) -> Known:
        found: Known = {}
        for some in chunks(sorted(orders)):
            rows = conn.execute(
                select(return_lines).where(
                    return_lines.c.program == self._program, return_lines.c.order_id.in_(some)
                )
            )
            for row in rows.mappings():
                key = (row["order_id"], row["return_id"], row["sku"])
                found[key, row["variant"]] = dict(row)
        return found

    def _valid(
        self,
        known: Known,
        merge: Merge,
        order_key: str,
        row: ReturnRow,
    ) -> str:
        key = (row.order_id, row.return_id, row.sku)
        main = known.get((key, ""))
        fresh = self._row(order_key, key, "valid", "") | {n: getattr(row, n) for n in _CONTENT}
        if main is None:
            self._put(known, merge, key, fresh)
            return "valid"
        again = main["read_no"] == self._read_no
        if row.updated_at == main["updated_at"] and row.content != main["content"]:
            return self._conflict(known, merge, order_key, row)
        if row.updated_at < main["updated_at"]:
            self._see(merge, main)
            return self._aside(known, merge, key, fresh, "superseded")
        if again and row.content == main["content"]:
            return self._aside(known, merge, key, fresh, "duplicate")
        if again:
            old = {n: main[n] for n in (*_CONTENT, "order_key")}
            self._aside(
                known, merge, key, self._row(order_key, key, "valid", "") | old, "superseded"
            )
        main.update({n: fresh[n] for n in (*_CONTENT, "order_key", "read_no")}, vanished=False)
        main["seen_no"] = max(main["seen_no"], self._read_no)
        self._refresh(merge, main)
        return "valid"

    def _see(self, merge: Merge, main: dict[str, Any]) -> None:
        """Note that the key of the row that counts was read, if only in a row that does not."""
        if main["seen_no"] != self._read_no:
            main["seen_no"] = max(main["seen_no"], self._read_no)
            self._refresh(merge, main)

    def _conflict(
        self,
        known: Known,
        merge: Merge,
        order_key: str,
        row: ReturnRow,
    ) -> str:
        bad = BadRow(
            order_id=row.order_id,
            return_id=row.return_id,
            sku=row.sku,
            errors=(_SAME_TIME,),
            raw="",
            content=row.content,
        )
        return self._bad(known, merge, order_key, bad)

    def _bad(
        self,
        known: Known,
        merge: Merge,
        order_key: str,
        row: BadRow,
    ) -> str:
        key = (row.order_id, row.return_id, row.sku)
        fresh = self._row(order_key, key, "invalid", "") | {
            "content": row.content,
            "errors": list(row.errors),
            "raw": row.raw,
        }
        if main := known.get((key, "")):
            self._see(merge, main)
        return self._aside(known, merge, key, fresh, "invalid")

    def _aside(
        self,
        known: Known,
        merge: Merge,
        key: Key,
        fresh: dict[str, Any],
        status: str,
    ) -> str:
        """Keep a row that does not count: beside the one that does, under a variant of its own."""
        n = 0
        while True:
            variant = f"{status}:{fresh['content'][:32]}:{n}"
            there = known.get((key, variant))
            if there is None:
                self._put(known, merge, key, fresh | {"variant": variant, "status": status})
                return status
            if there["read_no"] != self._read_no:
                there.update(read_no=self._read_no, seen_no=self._read_no)
                self._refresh(merge, there)
                return status
            n += 1

    def _row(self, order_key: str, key: Key, status: str, variant: str) -> dict[str, Any]:
        empty = dict.fromkeys(_CONTENT)
        return empty | {
            "program": self._program,
            "order_id": key[0],
            "return_id": key[1],
            "sku": key[2],
            "variant": variant,
            "order_key": order_key,
            "status": status,
            "voided": False,
            "vanished": False,
            "parent_sku": "",
            "errors": None,
            "raw": None,
            "read_no": self._read_no,
            "seen_no": self._read_no,
        }

    def _put(
        self,
        known: Known,
        merge: Merge,
        key: Key,
        fresh: dict[str, Any],
    ) -> None:
        known[key, fresh["variant"]] = fresh
        merge.inserts.append(fresh)

    def _refresh(self, merge: Merge, row: dict[str, Any]) -> None:
        if row.get("id") is not None:
            merge.refreshes.append(row)

    def _remember(self, conn: Connection, orders: Iterable[str]) -> None:
        """Say which lines this extract has read; another one may read them before its run ends."""
        for some in chunks(sorted(orders)):
            mine = select(return_lines.c.program, return_lines.c.read_no, return_lines.c.id).where(
                return_lines.c.program == self._program,
                return_lines.c.read_no == self._read_no,
                return_lines.c.order_id.in_(some),
            )
            insert_missing(conn, reads, ("program", "read_no", "line_id"), mine)

    def _write(self, conn: Connection, merge: Merge) -> None:
        if merge.inserts:
            conn.execute(insert(return_lines), merge.inserts)
        if merge.refreshes:
            changed = (*_CONTENT, "order_key", "read_no", "seen_no", "vanished")
            by_id = {row["id"]: row for row in merge.refreshes}
            statement = update(return_lines).where(return_lines.c.id == bindparam("at_id"))
            conn.execute(
                statement.values({name: bindparam(f"new_{name}") for name in changed}),
                [
                    {"at_id": i, **{f"new_{name}": row[name] for name in changed}}
                    for i, row in by_id.items()
                ],
            )


def mark_vanished(conn: Connection, program: str, read_no: int) -> int:
    """Mark known lines that an extract of their whole order no longer holds; returns how many.

    A line that a later extract has seen meanwhile is there.
    """
    orders = select(return_lines.c.order_id).where(
        return_lines.c.id.in_(lines_read(program, read_no))
    )
    gone = (
        update(return_lines)
        .where(
            return_lines.c.program == program,
            return_lines.c.status == "valid",
            return_lines.c.seen_no < read_no,
            return_lines.c.vanished.is_(False),
            return_lines.c.order_id.in_(orders),
        )
        .values(vanished=True)
    )
    return conn.execute(gone).rowcount


def lines_read(program: str, read_no: int | None) -> Select[tuple[int]]:
    """The ids of the lines that an extract has read."""
    return select(reads.c.line_id).where(reads.c.program == program, reads.c.read_no == read_no)


def forget_read(conn: Connection, program: str, read_no: int | None) -> None:
    """Forget which lines an extract has read: the books of its run are closed."""
    conn.execute(delete(reads).where(reads.c.program == program, reads.c.read_no == read_no))


def count_read(conn: Connection, program: str, read_no: int | None) -> int:
    """How many rows an extract read."""
    rows = lines_read(program, read_no).subquery()
    return int(conn.scalar(select(func.count()).select_from(rows)) or 0)


def rows_by_id(conn: Connection, ids: Sequence[int]) -> list[RowMapping]:
    """The ledger's rows of some lines."""
    found: list[RowMapping] = []
    for some in chunks(ids):
        rows = conn.execute(select(return_lines).where(return_lines.c.id.in_(some)))
        found.extend(rows.mappings())
    return found
