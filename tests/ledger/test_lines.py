"""Rows that are read meet the rows that are known, and none is lost or counted twice."""

from __future__ import annotations

from typing import Any

import pytest
from ledger_rows import broken_row, open_run, valid_row
from sqlalchemy import select

from clawback.ledger import lines, runs
from clawback.ledger.merging import Merger
from clawback.ledger.store import Ledger
from clawback.ledger.tables import return_lines
from clawback.warehouse.contract import BadRow, ReturnRow

Row = ReturnRow | BadRow


class Desk:
    """Extracts into one program's lines: each call of `read` is one extract, batch by batch."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        with ledger.begin() as conn:
            open_run(conn)

    def read(self, *batches: list[Row], whole: bool = True) -> dict[str, int]:
        """One extract; `whole` is false where it broke off before its end."""
        with self.ledger.begin() as conn:
            self.read_no = runs.next_read(conn, "lab")
        merger, counts = Merger("lab", self.read_no), dict[str, int]()
        for batch in batches:
            with self.ledger.begin() as conn:
                for status, n in merger.add(conn, [(r.order_id, r) for r in batch]).items():
                    counts[status] = counts.get(status, 0) + n
        if whole:
            with self.ledger.begin() as conn:
                counts["vanished"] = lines.mark_vanished(conn, "lab", self.read_no)
        return {status: n for status, n in counts.items() if n}

    def rows(self) -> list[dict[str, Any]]:
        with self.ledger.read() as conn:
            found = conn.execute(select(return_lines).order_by(return_lines.c.id)).mappings()
            return [dict(row) for row in found]

    @property
    def counted(self) -> int:
        """How many rows the ledger ascribes to the last extract."""
        with self.ledger.read() as conn:
            return lines.count_read(conn, "lab", self.read_no)

    def main(self) -> dict[str, Any]:
        """The row that counts."""
        (found,) = [row for row in self.rows() if row["status"] == "valid"]
        return found


@pytest.fixture
def desk(ledger: Ledger) -> Desk:
    return Desk(ledger)


def test_a_new_row_is_kept_whole(desk: Desk) -> None:
    """Every column of a valid row stands in the ledger as it was read."""
    row = valid_row()
    assert desk.read([row]) == {"valid": 1}
    main = desk.main()
    for name in ReturnRow.__slots__:
        assert main[name] == getattr(row, name), name
    assert desk.counted == 1


def test_the_same_row_in_a_later_read_is_the_same_line(desk: Desk) -> None:
    """What is read again refreshes its line and makes no second one."""
    desk.read([valid_row()])
    before = desk.main()["id"]
    assert desk.read([valid_row()]) == {"valid": 1}
    assert (desk.main()["id"], len(desk.rows()), desk.counted) == (before, 1, 1)


def test_a_newer_row_takes_the_place_of_the_older(desk: Desk) -> None:
    """In a later read, the newer content stands in the same line."""
    desk.read([valid_row("a")])
    desk.read([valid_row("b", 1)])
    assert (desk.main()["content"], len(desk.rows())) == ("b", 1)


@pytest.mark.parametrize("split", [False, True], ids=["one batch", "two batches"])
@pytest.mark.parametrize("newest_first", [False, True])
def test_two_versions_in_one_read_are_both_explained(
    desk: Desk, *, split: bool, newest_first: bool
) -> None:
    """The newest counts and the other is superseded, in whatever order and batches they come."""
    rows: list[Row] = [valid_row("a"), valid_row("b", 1)]
    if newest_first:
        rows.reverse()
    desk.read(*([[row] for row in rows] if split else [rows]))
    assert desk.main()["content"] == "b"
    assert {row["status"] for row in desk.rows()} == {"valid", "superseded"}
    assert desk.counted == 2


def test_an_older_row_stands_aside(desk: Desk) -> None:
    """A row older than what is known does not count, is explained, and does not hide the line."""
    desk.read([valid_row("b", 1)])
    assert desk.read([valid_row("a")]) == {"superseded": 1}
    assert (desk.main()["content"], desk.main()["vanished"], desk.counted) == ("b", False, 1)


def test_same_time_other_content_is_invalid(desk: Desk) -> None:
    """Of two rows of one key and time that differ, the second is invalid, with the mend."""
    assert desk.read([valid_row("a"), valid_row("b")]) == {"valid": 1, "invalid": 1}
    (bad,) = [row for row in desk.rows() if row["status"] == "invalid"]
    assert bad["errors"] is not None
    assert bad["errors"][0].startswith("updated_at: ")
    assert "newer updated_at" in bad["errors"][0]
    assert desk.counted == 2


def test_a_row_changed_without_a_new_time_does_not_hide_its_line(desk: Desk) -> None:
    """Other content at the same time is invalid later too, and what was known still counts."""
    desk.read([valid_row("a")])
    assert desk.read([valid_row("b")]) == {"invalid": 1}
    assert (desk.main()["content"], desk.main()["vanished"], desk.counted) == ("a", False, 1)


def test_a_row_that_breaks_the_contract_does_not_hide_its_line(desk: Desk) -> None:
    """A key that is read as an invalid row is there: its earlier row has not vanished."""
    desk.read([valid_row("a")])
    assert desk.read([broken_row()]) == {"invalid": 1}
    assert (desk.main()["vanished"], desk.counted) == (False, 1)


def test_the_same_row_twice_is_a_duplicate(desk: Desk) -> None:
    """One of two equal rows counts; the other is explained; a third is too."""
    assert desk.read([valid_row()] * 3) == {"valid": 1, "duplicate": 2}
    assert desk.counted == 3
    assert desk.read([valid_row()] * 3) == {"valid": 1, "duplicate": 2}
    assert (desk.counted, len(desk.rows())) == (3, 3)


def test_invalid_rows_are_kept_with_their_faults(desk: Desk) -> None:
    """A broken row is kept once per time that it is read, and again as the same row later."""
    assert desk.read([broken_row(), broken_row()]) == {"invalid": 2}
    assert desk.read([broken_row(), broken_row()]) == {"invalid": 2}
    assert (desk.counted, len(desk.rows())) == (2, 2)
    assert all(row["errors"] == ["quantity: -1 is negative"] for row in desk.rows())


def test_a_retried_extract_counts_nothing_twice(desk: Desk) -> None:
    """Rows of an attempt that broke off belong to the next attempt's read alone."""
    rows: list[Row] = [
        valid_row("a"),
        valid_row("b", 1),
        valid_row("b", 1),
        broken_row(),
        valid_row("c", return_id="R-2"),
    ]
    desk.read(rows[:3], rows[3:4], whole=False)
    once = desk.read(rows)
    assert sum(once.values()) == desk.counted == 5
    assert {row["read_no"] for row in desk.rows()} == {2}


def test_a_line_that_is_gone_has_vanished_and_may_come_back(desk: Desk) -> None:
    """A known line absent from an extract of its order has vanished, until it is read again."""
    desk.read([valid_row("a"), valid_row("b", return_id="R-2")])
    assert desk.read([valid_row("b", return_id="R-2")]) == {"valid": 1, "vanished": 1}
    gone = {row["return_id"]: row["vanished"] for row in desk.rows()}
    assert gone == {"R-1": True, "R-2": False}
    assert desk.read([valid_row("b", return_id="R-2")]) == {"valid": 1}
    assert desk.read([valid_row("a"), valid_row("b", return_id="R-2")]) == {"valid": 2}
    assert not any(row["vanished"] for row in desk.rows())


def test_orders_that_were_not_read_do_not_vanish(desk: Desk) -> None:
    """An extract says nothing about the lines of other orders."""
    desk.read([valid_row("a"), valid_row("b", order="O-2")])
    assert desk.read([valid_row("b", order="O-2")]) == {"valid": 1}


def test_programs_do_not_see_each_others_lines(desk: Desk, ledger: Ledger) -> None:
    """The same key of another program is another line."""
    desk.read([valid_row("a")])
    with ledger.begin() as conn:
        open_run(conn, "run-2", "other")
        number = runs.next_read(conn, "other")
        assert Merger("other", number).add(conn, [("O-1", valid_row("b"))]) == {"valid": 1}
    assert sorted(row["content"] for row in desk.rows()) == ["a", "b"]
