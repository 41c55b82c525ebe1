"""Return lines in the ledger: which ones an extract has read, and which have vanished."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, Select, delete, func, select, update

from clawback.ledger.store import chunks
from clawback.ledger.tables import reads, return_lines


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
