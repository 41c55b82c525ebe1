"""Which rows a run reads, and that nothing is lost between two runs."""

from __future__ import annotations

from datetime import timedelta

import pytest

from clawback.steps.preflight import WindowError
from clawback.steps.runtime import RunKind
from lab import NOW, ORDERED, Maker, action, back, cancelled, counted, stamp

DAY = timedelta(days=1)


def test_a_second_run_sends_nothing(lab_of: Maker) -> None:
    """Over settled data the second run writes nothing, and its books balance."""
    lab = lab_of(
        [action("O-1"), action("O-2"), action("O-3", ("A", 2, "40.00"), ("B", 3, "60.00"))]
    )
    lab.rows = [back("O-1"), cancelled("O-2"), back("O-3", "A", 2), back("O-3", "B", 1, id="R-b")]
    books = lab.run()
    assert counted(books) == {"confirmed": 4}
    assert (books["changes"]["confirmed"], books["commission_recovered"]) == (3, "18.00")
    sent = len(lab.writes)
    lab.pass_time(hours=1)
    books = lab.run()
    assert counted(books) == {"already_settled": 4}
    assert (books["commission_recovered"], len(lab.writes)) == ("0.00", sent)


def test_a_pause_of_four_days_loses_nothing(lab_of: Maker) -> None:
    """The run after a pause reads from where the last one ended."""
    lab = lab_of([action(f"O-{n}") for n in range(5)])
    lab.rows = [back("O-0")]
    lab.run(RunKind.SCHEDULED)
    for n in range(1, 5):
        lab.pass_time(days=1)
        lab.rows.append(back(f"O-{n}", at=lab.clock.now() - timedelta(hours=5)))
    lab.pass_time(hours=1)
    assert counted(lab.run(RunKind.SCHEDULED))["confirmed"] == 4


def test_a_row_loaded_six_hours_late_is_read(lab_of: Maker) -> None:
    """A row whose updated_at lies before the last window's end is read by the next run."""
    lab = lab_of([action("O-1"), action("O-2")])
    lab.rows = [back("O-1")]
    lab.run(RunKind.SCHEDULED)
    lab.rows.append(back("O-2", at=lab.clock.now() - timedelta(hours=6)))
    lab.pass_time(days=1)
    lab.run(RunKind.SCHEDULED)
    assert lab.outcomes()["O-2", "A"] == "confirmed"


def test_a_backfill_reads_its_own_window(lab_of: Maker) -> None:
    """An explicit window takes up its own rows and moves no watermark."""
    lab = lab_of([action("O-1"), action("O-2")])
    lab.rows = [back("O-1", at=NOW - 5 * DAY), back("O-2", at=NOW - DAY)]
    books = lab.run(RunKind.BACKFILL, start=NOW - 6 * DAY, end=NOW - 4 * DAY)
    assert (books["read"], counted(books)) == (1, {"confirmed": 1})
    assert books["window"] == {"start": stamp(NOW - 6 * DAY), "end": stamp(NOW - 4 * DAY)}
    assert lab.run(RunKind.SCHEDULED)["read"] == 2


def test_a_list_of_orders_is_all_that_is_taken_up(lab_of: Maker) -> None:
    """Named orders are reconciled whatever their dates, and nothing else is."""
    lab = lab_of([action(f"O-{n}") for n in range(3)])
    lab.rows = [back("O-0", at=NOW - 90 * DAY), back("O-1"), back("O-2")]
    books = lab.run(order_ids=("O-0", "O-2"))
    assert (books["read"], counted(books)) == (2, {"confirmed": 2})
    assert set(lab.outcomes()) == {("O-0", "A"), ("O-2", "A")}


def test_all_lines_of_a_touched_order_are_read(lab_of: Maker) -> None:
    """An old line of an order with a new one counts: desired states are of whole orders."""
    lab = lab_of([one := action("O-1", ("A", 3, "60.00"))])
    lab.rows = [back("O-1", at=NOW - 8 * DAY), back("O-1", at=NOW - DAY, id="R-2")]
    lab.run(RunKind.BACKFILL, start=NOW - 2 * DAY, end=NOW)
    assert lab.items(one["Id"]) == {"A": (1, 20)}


@pytest.mark.parametrize("ends", [{"start": NOW}, {"end": NOW}, {"start": NOW, "end": NOW - DAY}])
def test_a_window_that_is_none_is_refused(lab_of: Maker, ends: dict[str, object]) -> None:
    """One end alone, or an end before the start, is told before anything is read."""
    lab = lab_of()
    with pytest.raises(WindowError):
        lab.run(**ends)
    assert lab.requests() == []


def test_a_conversion_reported_after_its_return_is_caught(lab_of: Maker) -> None:
    """What was not attributed is watched: when the action appears, a later run settles it."""
    later = NOW + timedelta(days=2)
    one = action("O-1") | {"_visible_from": stamp(later), "EventDate": stamp(ORDERED)}
    lab = lab_of([one])
    lab.rows = [back("O-1")]
    assert counted(lab.run()) == {"not_attributed": 1}
    lab.pass_time(days=1)
    lab.rows = []
    assert counted(lab.run()) == {"not_attributed": 1}
    lab.pass_time(days=2)
    books = lab.run()
    assert (counted(books), books["carried_in"]) == ({"confirmed": 1}, 1)
    assert lab.items(one["Id"])["A"] == (1, 20)


def test_the_watch_ends(lab_of: Maker) -> None:
    """After `watch_days` an order without an action is no longer taken up."""
    lab = lab_of([action("O-other")])
    lab.choices = {"watch_days": 20}
    lab.rows = [back("O-1")]
    lab.run()
    lab.rows = []
    lab.pass_time(days=9)
    assert lab.run()["carried_in"] == 1
    lab.pass_time(days=2)
    assert lab.run()["carried_in"] == 0


def test_a_run_that_read_nothing_keeps_the_watermark(lab_of: Maker) -> None:
    """A run that fails before its extract ended leaves the next one to read the same again."""
    lab = lab_of([action("O-1")])
    lab.rows = [back("O-1")]

    def broken() -> None:
        raise AssertionError

    with pytest.raises(AssertionError):
        lab.run(RunKind.SCHEDULED, world=lab.world(connect=broken))
    lab.pass_time(days=5)
    assert counted(lab.run(RunKind.SCHEDULED)) == {"confirmed": 1}
