"""close_books: gives every line of the run its one outcome, and freezes the books."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, func, insert, literal, select

from clawback.errors import ClawbackError
from clawback.ledger import lines as stock
from clawback.ledger import runs
from clawback.ledger.changes import ChangeState
from clawback.ledger.runs import Run
from clawback.ledger.store import Ledger, alone
from clawback.ledger.tables import changes, return_lines, run_lines
from clawback.reconcile.books import Head, Row, balance
from clawback.reconcile.outcomes import Outcome
from clawback.steps.closing import book_rows, lines_after, settle
from clawback.steps.recovered import unexplained_money
from clawback.steps.runtime import Runtime

_AFTER_PLAN = {
    *("approve_changes", "submit_urgent", "prove_account", "submit_changes", "confirm_changes")
}
"""Tasks whose failure leaves the plan whole."""
_NOT_PLANNED = "the run ended before its orders were planned; the next run takes them up"


class BooksDoNotBalanceError(ClawbackError):
    """The lines of a run do not add up; nothing about it can be believed until they do."""


class RunFailedError(ClawbackError):
    """The run's books are closed, but a part of it failed."""


def close(rt: Runtime, failed_tasks: Sequence[str] = ()) -> dict[str, Any]:
    """Close the run's books and return them; a run that is closed already keeps its books.

    Raises BooksDoNotBalanceError, or RunFailedError if a task of the run failed; the books are
    closed in either case.
    """
    run = rt.run()
    if run.books is None:
        _explain_unplanned(rt, run, broke_off=bool(set(failed_tasks) - _AFTER_PLAN))
        told = _count(rt, run)
        with rt.ledger.begin() as conn:
            runs.set_run(conn, run.id, books=told, closed_at=rt.clock.now())
            _advance(conn, run, rt, failed_tasks)
            stock.forget_read(conn, run.program, run.read_no)
            runs.note(conn, run.id, rt.clock.now(), ("run", run.id), "open", "closed")
    else:
        told = run.books
    if not balanced(told):
        raise BooksDoNotBalanceError(
            f"the books of {run.id} do not balance: {_unexplained(told)}; nothing of this run can "
            "be believed: see docs/runbook.md, and do not clear it"
        )
    if failed_tasks:
        raise RunFailedError(
            f"the books of {run.id} are closed, but {', '.join(failed_tasks)} failed; see the log "
            "there: the next run takes up what is open"
        )
    return told


def balanced(books: Mapping[str, Any]) -> bool:
    """Whether lines read and carried in are the sum over outcomes, and nothing is unexplained.

    Books of earlier versions say nothing of unexplained money.
    """
    ended = sum(part["lines"] for part in books["outcomes"].values())
    taken_up = books["read"] + books["carried_in"]
    whole = books["unexplained"] == 0 and not books.get("unexplained_money")
    return bool(whole and books["lines"] == ended == taken_up)


def _unexplained(books: Mapping[str, Any]) -> str:
    """What is wrong with some books."""
    off = books.get("unexplained_money") or {}
    money = "".join(f" and {amount} {currency}" for currency, amount in off.items())
    return f"{books['unexplained']} lines{money} are unexplained"


def load_books(ledger: Ledger, run_id: str) -> dict[str, Any]:
    """The frozen books of a run; raises UnknownRunError, or ClawbackError while it is open."""
    with ledger.read() as conn:
        run = runs.get_run(conn, run_id)
    if run.books is None:
        raise ClawbackError(f"the run {run_id!r} is still open; its books are written at its end")
    return run.books


def _explain_unplanned(rt: Runtime, run: Run, *, broke_off: bool) -> None:
    """Give the lines of a run that broke off before they were planned the outcome planned.

    What a plan that did not break off left out is a fault, and the books must show it.
    """
    if run.read_no is None:
        return
    there = select(run_lines.c.line_id).where(run_lines.c.run_id == run.id)
    rows = select(
        literal(run.id),
        return_lines.c.id,
        literal(""),
        literal(False),
        literal(Outcome.PLANNED.value),
        literal(_NOT_PLANNED),
        return_lines.c.amount,
        func.coalesce(return_lines.c.currency, ""),
    ).where(
        return_lines.c.program == run.program,
        return_lines.c.id.in_(stock.lines_read(run.program, run.read_no)),
        return_lines.c.id.not_in(there),
    )
    names = ["run_id", "line_id", "action_id", "carried", "outcome", "note"]
    with rt.ledger.begin() as conn:
        here = select(func.count()).select_from(run_lines).where(run_lines.c.run_id == run.id)
        if conn.scalar(here) and not broke_off:
            return
        conn.execute(insert(run_lines).from_select([*names, "amount", "currency"], rows))


def _count(rt: Runtime, run: Run) -> dict[str, Any]:
    """Settle the run's lines batch by batch, and add them up to its books."""
    with rt.ledger.read() as conn:
        head = Head(
            program=run.program,
            run_id=run.id,
            start=run.window_start,
            end=run.window_end,
            currency=rt.program.currency,
            read=stock.count_read(conn, run.program, run.read_no),
            carried_in=_carried_in(conn, run),
        )
        requests, tally = runs.requests_of(conn, run.id), _tally(conn, run)
    told = balance(head, _rows(rt, run), changes=tally, requests=requests).to_json()
    with rt.ledger.read() as conn:
        off = unexplained_money(conn, run, told)
    return told | {"unexplained_money": off}


def _rows(rt: Runtime, run: Run) -> Iterator[Row]:
    last = 0
    while True:
        with rt.ledger.begin() as conn:
            alone(conn, f"lines of {run.program}")
            lines = lines_after(conn, run, last)
            fresh = settle(conn, run, lines)
        if not lines:
            return
        yield from book_rows(lines, fresh)
        last = lines[-1].id


def _carried_in(conn: Connection, run: Run) -> int:
    here = (run_lines.c.run_id == run.id) & run_lines.c.carried
    return int(conn.scalar(select(func.count(run_lines.c.line_id.distinct())).where(here)) or 0)


def _tally(conn: Connection, run: Run) -> dict[str, int]:
    """How many of the run's changes were planned, sent, confirmed, rejected."""
    rows = conn.execute(
        select(changes.c.state, func.count()).where(changes.c.run_id == run.id).group_by("state")
    )
    by_state = {ChangeState(state): n for state, n in rows}
    sent = (ChangeState.SENDING, ChangeState.QUEUED, ChangeState.CONFIRMED)
    refused = (ChangeState.REJECTED, ChangeState.LOCKED)
    return {
        "planned": sum(by_state.values()),
        "submitted": sum(by_state.get(state, 0) for state in (*sent, *refused)),
        "confirmed": by_state.get(ChangeState.CONFIRMED, 0),
        "rejected": sum(by_state.get(state, 0) for state in refused),
    }


def _advance(conn: Connection, run: Run, rt: Runtime, failed_tasks: Sequence[str]) -> None:
    """Move the program's watermark to the end of this window, if nothing before it is missing."""
    if run.dry_run or run.order_ids or run.read_no is None or "extract_returns" in failed_tasks:
        return
    reached = runs.watermark(conn, run.program)
    first = reached is None and run.kind in {"scheduled", "manual"}
    if first or (reached is not None and run.window_start <= reached < run.window_end):
        runs.set_watermark(conn, run.program, min(run.window_end, rt.clock.now()))
