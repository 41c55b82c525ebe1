"""How rows that are read meet the return lines that are known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, func, select

from clawback.ledger import bulk
from clawback.ledger.store import insert_missing
from clawback.ledger.tables import reads, return_lines
from clawback.warehouse.contract import BadRow, ReturnRow

Key = tuple[str, str, str]
_CONTENT = (
    *("kind", "quantity", "amount", "currency", "reason", "returned_at", "updated_at"),
    *("ordered_at", "ordered_quantity", "ordered_amount", "voided", "parent_sku", "content"),
)
_INSERTED = (
    *("program", "order_id", "return_id", "sku", "variant", "order_key", "status"),
    *_CONTENT,
    *("vanished", "errors", "raw", "read_no", "seen_no"),
)
_LOADED = (
    *("order_id", "return_id", "sku", "variant", "id", "order_key", "content", "updated_at"),
    *("read_no", "seen_no", "vanished"),
)
_content_of: Callable[[ReturnRow], tuple[Any, ...]] = attrgetter(*_CONTENT)
_SAME_TIME = (
    "updated_at: another row with this order_id, return_id and sku has the same updated_at and "
    "other content; give the row that counts a newer updated_at"
)


@dataclass(slots=True)
class _Kept:
    """A row of the ledger, as far as the merge needs it.

    `values` are the columns of _CONTENT; None in a row from the ledger that has not changed.
    """

    id: int | None
    order_key: str
    content: str
    updated_at: datetime | None
    read_no: int
    seen_no: int
    vanished: bool
    status: str = ""
    values: tuple[Any, ...] | None = None
    errors: list[str] | None = None
    raw: str | None = None


Known = dict[tuple[Key, str], _Kept]


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
        merge = _Merge(conn, self._program, self._read_no, {row.order_id for _, row in rows})
        counts: Counter[str] = Counter()
        for order_key, row in rows:
            if isinstance(row, BadRow):
                counts[merge.bad(order_key, row)] += 1
            else:
                counts[merge.valid(order_key, row)] += 1
        merge.write()
        return dict(counts)


class _Merge:
    """One batch: what is known of its orders, and what is to be written of it."""

    def __init__(self, conn: Connection, program: str, read_no: int, orders: Iterable[str]) -> None:
        self._conn, self._program, self._read_no = conn, program, read_no
        self._known = self._load(sorted(orders))
        self._new: list[tuple[Key, str, _Kept]] = []
        self._touched: dict[int, _Kept] = {}

    def valid(self, order_key: str, row: ReturnRow) -> str:
        """Merge a row that keeps the contract; returns what becomes of it."""
        key = (row.order_id, row.return_id, row.sku)
        main = self._known.get((key, ""))
        if main is None:
            self._put(key, "", self._fresh(order_key, row, "valid"))
            return "valid"
        if row.updated_at == main.updated_at and row.content != main.content:
            return self._conflict(order_key, row)
        if main.updated_at is not None and row.updated_at < main.updated_at:
            self._see(main)
            return self._aside(key, self._fresh(order_key, row, "superseded"))
        again = main.read_no == self._read_no
        if again and row.content == main.content:
            return self._aside(key, self._fresh(order_key, row, "duplicate"))
        if again:
            self._aside(key, self._copy(main, "superseded"))
        self._renew(main, order_key, row)
        return "valid"

    def bad(self, order_key: str, row: BadRow) -> str:
        """Merge a row that breaks the contract; it hides no line of its key."""
        key = (row.order_id, row.return_id, row.sku)
        kept = self._fresh(order_key, row, "invalid")
        kept.errors, kept.raw = list(row.errors), row.raw
        if main := self._known.get((key, "")):
            self._see(main)
        return self._aside(key, kept)

    def write(self) -> None:
        """Write what the batch does, and which lines this extract has read."""
        highest = self._conn.scalar(select(func.max(return_lines.c.id))) or 0
        rows = (self._row(*new) for new in self._new)
        bulk.insert_rows(self._conn, return_lines, _INSERTED, rows)
        self._refresh()
        self._remember(highest)

    def _load(self, orders: list[str]) -> Known:
        if not orders:
            return {}
        columns = [return_lines.c[name] for name in _LOADED]
        mine = select(*columns).where(
            return_lines.c.program == self._program,
            bulk.among(self._conn, return_lines.c.order_id, orders),
        )
        return {
            ((row[0], row[1], row[2]), row[3]): _Kept(*row[4:])
            for row in bulk.fetch(self._conn, mine)
        }

    def _fresh(self, order_key: str, row: ReturnRow | BadRow, status: str) -> _Kept:
        if isinstance(row, BadRow):
            updated_at, values = None, _of_bad(row)
        else:
            updated_at, values = row.updated_at, _content_of(row)
        read_no = self._read_no
        return _Kept(
            *(None, order_key, row.content, updated_at, read_no, read_no, False, status, values)
        )

    def _copy(self, main: _Kept, status: str) -> _Kept:
        """A line as it stands, to be kept beside the one that takes its place."""
        read_no, values = self._read_no, main.values or self._stored(main)
        return _Kept(
            *(None, main.order_key, main.content, main.updated_at, read_no, read_no, False),
            *(status, values),
        )

    def _stored(self, main: _Kept) -> tuple[Any, ...]:
        columns = [return_lines.c[name] for name in _CONTENT]
        here = select(*columns).where(return_lines.c.id == main.id)
        return next(iter(bulk.fetch(self._conn, here)))

    def _renew(self, main: _Kept, order_key: str, row: ReturnRow) -> None:
        """Let a line say what the row says; where it does already, only that it was read."""
        same = (main.content, main.updated_at) == (row.content, row.updated_at)
        if not same or main.order_key != order_key or main.vanished:
            main.order_key, main.content, main.updated_at = order_key, row.content, row.updated_at
            main.values, main.vanished = _content_of(row), False
        main.read_no = self._read_no
        main.seen_no = max(main.seen_no, self._read_no)
        self._touch(main)

    def _see(self, main: _Kept) -> None:
        """Note that the key of the row that counts was read, if only in a row that does not."""
        if main.seen_no != self._read_no:
            main.seen_no = max(main.seen_no, self._read_no)
            self._touch(main)

    def _conflict(self, order_key: str, row: ReturnRow) -> str:
        bad = BadRow(
            order_id=row.order_id,
            return_id=row.return_id,
            sku=row.sku,
            errors=(_SAME_TIME,),
            raw="",
            content=row.content,
        )
        return self.bad(order_key, bad)

    def _aside(self, key: Key, kept: _Kept) -> str:
        """Keep a row that does not count: beside the one that does, under a variant of its own."""
        status, n = kept.status, 0
        while True:
            variant = f"{status}:{kept.content[:32]}:{n}"
            there = self._known.get((key, variant))
            if there is None:
                self._put(key, variant, kept)
                return status
            if there.read_no != self._read_no:
                there.read_no = there.seen_no = self._read_no
                self._touch(there)
                return status
            n += 1

    def _put(self, key: Key, variant: str, kept: _Kept) -> None:
        self._known[key, variant] = kept
        self._new.append((key, variant, kept))

    def _touch(self, kept: _Kept) -> None:
        if kept.id is not None:
            self._touched[kept.id] = kept

    def _row(self, key: Key, variant: str, kept: _Kept) -> tuple[Any, ...]:
        return (
            *(self._program, *key, variant, kept.order_key, kept.status, *(kept.values or ())),
            *(kept.vanished, kept.errors, kept.raw, kept.read_no, kept.seen_no),
        )

    def _refresh(self) -> None:
        """Bring the lines that were known up to date: those that changed, and those only read."""
        changed, read = [], []
        for line_id, kept in self._touched.items():
            numbers = (kept.read_no, kept.seen_no)
            if kept.values is None:
                read.append((line_id, *numbers))
            else:
                changed.append((line_id, *numbers, kept.vanished, kept.order_key, *kept.values))
        names = ("read_no", "seen_no", "vanished", "order_key", *_CONTENT)
        bulk.update_rows(self._conn, return_lines, ["id"], names, changed)
        bulk.update_rows(self._conn, return_lines, ["id"], names[:2], read)

    def _remember(self, highest: int) -> None:
        """Say which lines this extract has read; another one may read them before its run ends."""
        names = ("program", "read_no", "line_id")
        new = select(return_lines.c.program, return_lines.c.read_no, return_lines.c.id).where(
            return_lines.c.program == self._program,
            return_lines.c.read_no == self._read_no,
            return_lines.c.id > highest,
        )
        insert_missing(self._conn, reads, names, new)
        again = [
            (self._program, self._read_no, line_id)
            for line_id, kept in self._touched.items()
            if kept.read_no == self._read_no
        ]
        bulk.insert_rows(self._conn, reads, names, again, on_conflict="nothing")


def _of_bad(row: BadRow) -> tuple[Any, ...]:
    """What is kept of the content of a row that breaks the contract: that it was this row."""
    plain = {"voided": False, "parent_sku": "", "content": row.content}
    return tuple(plain.get(name) for name in _CONTENT)
