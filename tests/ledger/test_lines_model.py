"""Whatever is read in whatever order and batches, the ledger agrees with a simple model."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_rows import broken_row, open_run, valid_row
from sqlalchemy import delete, select

from clawback.ledger import lines, runs
from clawback.ledger.merging import Merger
from clawback.ledger.store import Ledger
from clawback.ledger.tables import programs, reads, return_lines
from clawback.ledger.tables import runs as run_table
from clawback.warehouse.contract import BadRow, ReturnRow

Row = ReturnRow | BadRow
Key = tuple[str, str]

sound = st.builds(
    valid_row,
    st.sampled_from("ab"),
    st.integers(0, 2),
    order=st.sampled_from(["O-1", "O-2"]),
    return_id=st.sampled_from(["R-1", "R-2"]),
)
broken = st.builds(
    broken_row,
    st.sampled_from("xy"),
    order=st.sampled_from(["O-1", "O-2"]),
    return_id=st.sampled_from(["R-1", "R-2"]),
)
batches = st.lists(st.lists(st.one_of(sound, sound, broken), max_size=5), max_size=3)
extracts = st.lists(st.tuples(batches, st.booleans()), max_size=4)


class Model:
    """What the ledger should hold: of each key the newest valid row, and whether it is there."""

    def __init__(self) -> None:
        self.newest: dict[Key, tuple[int, str]] = {}
        self.gone: dict[Key, bool] = {}

    def read(self, rows: list[Row], *, whole: bool) -> None:
        """One extract of these rows."""
        now: set[Key] = set()
        for row in rows:
            if isinstance(row, ReturnRow):
                self._meet((row.order_id, row.return_id), row, now)
        if whole:
            orders = {row.order_id for row in rows}
            keys = {(row.order_id, row.return_id) for row in rows}
            absent = {key for key in self.newest if key[0] in orders and key not in keys}
            self.gone |= dict.fromkeys(absent, True)

    def _meet(self, key: Key, row: ReturnRow, now: set[Key]) -> None:
        hour, known = row.updated_at.hour, self.newest.get(key)
        if known is not None:
            older = hour < known[0]
            conflict = hour == known[0] and row.content != known[1]
            duplicate = key in now and row.content == known[1]
            if older or conflict or duplicate:
                return
        self.newest[key] = (hour, row.content)
        self.gone[key] = False
        now.add(key)


@pytest.fixture(scope="module")
def shared(upgraded_sqlite: Path) -> Iterator[Ledger]:
    home = Path(tempfile.mkdtemp(prefix="clawback-model-"))
    shutil.copy(upgraded_sqlite, home / "ledger.db")
    with Ledger.open(f"sqlite:///{home / 'ledger.db'}") as ledger:
        yield ledger
    shutil.rmtree(home)


def extract(ledger: Ledger, parts: list[list[Row]], *, whole: bool) -> int:
    """One extract into the ledger; gives how many rows it ascribes to it."""
    with ledger.begin() as conn:
        number = runs.next_read(conn, "lab")
        merger = Merger("lab", number)
        for batch in parts:
            merger.add(conn, [(row.order_id, row) for row in batch])
        if whole:
            lines.mark_vanished(conn, "lab", number)
        return lines.count_read(conn, "lab", number)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(extracts=extracts)
def test_the_ledger_agrees_with_the_model(
    shared: Ledger, extracts: list[tuple[list[list[Row]], bool]]
) -> None:
    """Rows read are rows ascribed, the newest of each key counts, what is absent has vanished."""
    with shared.begin() as conn:
        for table in (reads, return_lines, run_table, programs):
            conn.execute(delete(table))
        open_run(conn)
    model = Model()
    for parts, whole in extracts:
        rows = [row for batch in parts for row in batch]
        model.read(rows, whole=whole)
        assert extract(shared, parts, whole=whole) == len(rows)
    with shared.read() as conn:
        here = select(return_lines).where(return_lines.c.status == "valid")
        found = {
            (r["order_id"], r["return_id"]): (r["content"], r["vanished"])
            for r in conn.execute(here).mappings()
        }
    assert found == {key: (content, model.gone[key]) for key, (_, content) in model.newest.items()}
