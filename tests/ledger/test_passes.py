"""Passes: which run of the ledger a Dag run that is done again works for."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Connection

from clawback.ledger import passes, runs
from clawback.ledger.runs import Run
from clawback.ledger.store import Ledger

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def run(conn: Connection, run_id: str, *, closed: bool) -> None:
    plain = dict.fromkeys(Run.__slots__)
    given = {
        "id": run_id,
        "program": "shop",
        "account": "IR1",
        "kind": "manual",
        "dry_run": False,
        "window_start": NOW,
        "window_end": NOW,
        "order_ids": (),
        "opened_at": NOW,
    }
    runs.open_run(conn, Run(**{**plain, **given}), "1000")
    if closed:
        runs.set_run(conn, run_id, closed_at=NOW)


def test_a_first_task_goes_on_with_what_is_open_and_begins_anew_behind_what_is_closed(
    ledger: Ledger,
) -> None:
    """A retry finds its run; after the books are closed, the same Dag run makes the next one."""
    with ledger.begin() as conn:
        assert passes.begun(conn, "d/r") == passes.latest(conn, "d/r") == "d/r"
        run(conn, "d/r", closed=False)
        assert passes.begun(conn, "d/r") == "d/r"
        runs.set_run(conn, "d/r", closed_at=NOW)
        assert passes.begun(conn, "d/r") == "d/r#2"
        assert passes.latest(conn, "d/r") == "d/r"
        for number in range(2, 11):
            run(conn, f"d/r#{number}", closed=True)
        assert passes.latest(conn, "d/r") == "d/r#10"
        assert passes.begun(conn, "d/r") == "d/r#11"


def test_other_runs_are_not_mistaken_for_passes(ledger: Ledger) -> None:
    """Signs that mean something to LIKE, and ids that only begin alike, are other runs."""
    with ledger.begin() as conn:
        run(conn, "d/r_1#2", closed=True)
        run(conn, "d/rx1", closed=True)
        run(conn, "d/r1/0.1", closed=True)
        assert passes.begun(conn, "d/r%1") == "d/r%1"
        assert passes.begun(conn, "d/r1") == "d/r1"
        assert passes.begun(conn, "d/r_1") == "d/r_1#3"
