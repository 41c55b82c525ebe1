"""close_books: gives every line of the run its one outcome, and freezes the books."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, func, insert, literal, select, update

from clawback.errors import ClawbackError
from clawback.ledger import lines as stock
from clawback.ledger import runs
from clawback.ledger.changes import ChangeState
from clawback.ledger.runs import Run
from clawback.ledger.store import Ledger, chunks
from clawback.ledger.tables import change_lines, changes, return_lines, run_lines
from clawback.money import ZERO
from clawback.reconcile.books import Head, Row, balance
from clawback.reconcile.outcomes import Hold, Outcome, combine
from clawback.steps.runtime import Runtime

_BY_STATE = {
    ChangeState.DRY: Outcome.PLANNED,
    ChangeState.PLANNED: Outcome.PLANNED,
    ChangeState.DROPPED: Outcome.PLANNED,
    ChangeState.SENDING: Outcome.PENDING,
    ChangeState.QUEUED: Outcome.PENDING,
    ChangeState.CONFIRMED: Outcome.CONFIRMED,
    ChangeState.REJECTED: Outcome.REJECTED,
    ChangeState.LOCKED: Outcome.LOCKED,
    ChangeState.REFUSED: Outcome.HELD,
}
_NOT_PLANNED = "the run ended before its orders were planned; the next run takes them up"
_BATCH = 1000


class BooksDoNotBalanceError(ClawbackError):
    """The lines of a run do not add up; nothing about it can be believed until they do."""


class RunFailedError(ClawbackError):
    """The run's books are closed, but a part of it failed."""


@dataclass(frozen=True, slots=True)
class _Closing:
    """A line's end in this run, over all its actions."""

    line_id: int
    outcome: Outcome
    hold: str | None
    note: str
    amount: Decimal | None
    payout: Decimal | None
    currency: str
    carried: bool


def close(rt: Runtime, failed_tasks: Sequence[str] = ()) -> dict[str, Any]:
    """Close the run's books and return them; a run that is closed already keeps its books.

    Raises BooksDoNotBalanceError, or RunFailedError if a task of the run failed; the books are
    closed in either case.
    """
    run = rt.run()
    if run.books is None:
        _explain_unplanned(rt, run)
        told = _count(rt, run)
        with rt.ledger.begin() as conn:
            runs.set_run(conn, run.id, books=told, closed_at=rt.clock.now())
            _advance(conn, run, rt, failed_tasks)
            runs.note(conn, run.id, rt.clock.now(), ("run", run.id), "open", "closed")
    else:
        told = run.books
    if told["unexplained"] or not balanced(told):
        raise BooksDoNotBalanceError(
            f"the books of {run.id} do not balance: {told['unexplained']} lines are unexplained; "
            "nothing of this run can be believed: see docs/runbook.md, and do not clear it"
        )
    if failed_tasks:
        raise RunFailedError(
            f"the books of {run.id} are closed, but {', '.join(failed_tasks)} failed; see the log "
            "there: the next run takes up what is open"
        )
    return told


def balanced(books: Mapping[str, Any]) -> bool:
    """Whether lines read and carried in are the sum over outcomes, and nothing is unexplained."""
    ended = sum(part["lines"] for part in books["outcomes"].values())
    taken_up = books["read"] + books["carried_in"]
    return bool(books["unexplained"] == 0 and books["lines"] == ended == taken_up)


def load_books(ledger: Ledger, run_id: str) -> dict[str, Any]:
    """The frozen books of a run; raises UnknownRunError, or ClawbackError while it is open."""
    with ledger.read() as conn:
        run = runs.get_run(conn, run_id)
    if run.books is None:
        raise ClawbackError(f"the run {run_id!r} is still open; its books are written at its end")
    return run.books


def _explain_unplanned(rt: Runtime, run: Run) -> None:
    """Give the lines of a run that broke off before they were planned the outcome planned."""
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
        return_lines.c.read_no == run.read_no,
        return_lines.c.id.not_in(there),
    )
    names = ["run_id", "line_id", "action_id", "carried", "outcome", "note"]
    with rt.ledger.begin() as conn:
        if conn.scalar(
            select(func.count()).select_from(run_lines).where(run_lines.c.run_id == run.id)
        ):
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
    return balance(head, _rows(rt, run), changes=tally, requests=requests).to_json()


def _rows(rt: Runtime, run: Run) -> Iterator[Row]:
    last = 0
    while True:
        with rt.ledger.begin() as conn:
            batch = list(_batch(conn, run, last))
            fresh = _settle(conn, run, batch)
        if not batch:
            return
        for line in batch:
            yield Row(
                outcome=line.outcome,
                hold=Hold(line.hold) if line.hold else None,
                amount=line.amount,
                payout=line.payout,
                currency=line.currency,
                counted=line.line_id in fresh,
                carried=line.carried,
            )
        last = batch[-1].line_id


def _carried_in(conn: Connection, run: Run) -> int:
    here = (run_lines.c.run_id == run.id) & run_lines.c.carried
    return int(conn.scalar(select(func.count(run_lines.c.line_id.distinct())).where(here)) or 0)


def _batch(conn: Connection, run: Run, after: int) -> Iterator[_Closing]:
    """The next lines of the run, each with all its actions put together."""
    ids = conn.scalars(
        select(run_lines.c.line_id)
        .where(run_lines.c.run_id == run.id, run_lines.c.line_id > after)
        .distinct()
        .order_by(run_lines.c.line_id)
        .limit(_BATCH)
    ).all()
    if not ids:
        return
    rows = conn.execute(
        select(
            run_lines,
            changes.c.state,
            changes.c.error,
            changes.c.hold.label("change_hold"),
            change_lines.c.amount.label("share_amount"),
            change_lines.c.payout.label("share_payout"),
        )
        .outerjoin(changes, changes.c.id == run_lines.c.change_id)
        .outerjoin(
            change_lines,
            (change_lines.c.change_id == changes.c.id)
            & (change_lines.c.line_id == run_lines.c.line_id),
        )
        .where(
            run_lines.c.run_id == run.id,
            run_lines.c.line_id > after,
            run_lines.c.line_id <= ids[-1],
        )
        .order_by(run_lines.c.line_id, run_lines.c.action_id)
    ).mappings()
    group: list[_Closing] = []
    frozen: list[dict[str, Any]] = []
    for row in rows.all():
        ended = _ended(row)
        if row["state"] is not None:
            frozen.append(_frozen(row, ended))
        if group and group[0].line_id != ended.line_id:
            yield _together(group)
            group = []
        group.append(ended)
    yield _together(group)
    _freeze(conn, frozen)


def _frozen(row: RowMapping, ended: _Closing) -> dict[str, Any]:
    at = {f"at_{name}": row[name] for name in ("run_id", "line_id", "action_id")}
    names = ("outcome", "hold", "note", "amount", "payout")
    return at | {f"new_{name}": getattr(ended, name) for name in names}


def _freeze(conn: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Write what lines with a change came to over what was planned for them."""
    if not rows:
        return
    keys = ("run_id", "line_id", "action_id")
    names = ("outcome", "hold", "note", "amount", "payout")
    here = [run_lines.c[name] == bindparam(f"at_{name}") for name in keys]
    conn.execute(
        update(run_lines).where(*here).values({name: bindparam(f"new_{name}") for name in names}),
        list(rows),
    )


def _ended(row: RowMapping) -> _Closing:
    """What a line came to on one action, now that its change has come to where it is."""
    outcome, hold, note = Outcome(row["outcome"]), row["hold"], row["note"]
    amount, payout = row["amount"], row["payout"]
    if row["state"] is not None:
        outcome = _BY_STATE[ChangeState(row["state"])]
        note = row["error"] or note
        if outcome is Outcome.HELD:
            hold = row["change_hold"] or Hold.APPROVAL_REFUSED.value
        if outcome is Outcome.CONFIRMED:
            amount, payout = row["share_amount"], row["share_payout"]
    return _Closing(
        line_id=row["line_id"],
        outcome=outcome,
        hold=hold if outcome is Outcome.HELD else None,
        note=note,
        amount=amount,
        payout=payout,
        currency=row["currency"],
        carried=row["carried"],
    )


def _together(group: Sequence[_Closing]) -> _Closing:
    """One line over its actions: the outcome that counts, with the money of all that share it."""
    if len(group) == 1:
        return group[0]
    outcome = combine(line.outcome for line in group)
    same = [line for line in group if line.outcome is outcome]
    first = same[0]
    return _Closing(
        line_id=first.line_id,
        outcome=outcome,
        hold=first.hold,
        note=first.note,
        amount=_sum(line.amount for line in same),
        payout=_sum(line.payout for line in same),
        currency=first.currency,
        carried=first.carried,
    )


def _sum(amounts: Iterator[Decimal | None]) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known, ZERO) if known else None


def _settle(conn: Connection, run: Run, batch: Sequence[_Closing]) -> set[int]:
    """Write what each line came to where the next run looks for it; a dry run settles nothing.

    Returns the lines that became final in this run; a line becomes final once, whichever of two
    runs is quicker.
    """
    if run.dry_run:
        return set()
    groups: dict[tuple[Outcome, str | None], list[int]] = {}
    for line in batch:
        groups.setdefault((line.outcome, line.hold), []).append(line.line_id)
    fresh: set[int] = set()
    for (outcome, hold), ids in groups.items():
        for some in chunks(ids):
            here = update(return_lines).where(return_lines.c.id.in_(some))
            if outcome.final:
                new = here.where(return_lines.c.final_run.is_(None)).values(final_run=run.id)
                fresh.update(conn.scalars(new.returning(return_lines.c.id)))
                conn.execute(here.values(outcome=outcome.value, hold=None))
            else:
                conn.execute(here.values(outcome=outcome.value, hold=hold, final_run=None))
    return fresh


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
