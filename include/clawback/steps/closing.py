"""What every line of a run came to, on each action of its order, and which money is new."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import groupby

from sqlalchemy import Connection, RowMapping, bindparam, or_, select, update

from clawback.ledger.changes import ChangeState
from clawback.ledger.runs import Run
from clawback.ledger.store import chunks
from clawback.ledger.tables import change_lines, changes, return_lines, run_lines
from clawback.money import ZERO
from clawback.reconcile.books import Row
from clawback.reconcile.outcomes import Hold, Outcome, combine

BATCH = 500
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
_KEYS = ("run_id", "line_id", "action_id")
_FROZEN = ("outcome", "hold", "note", "amount", "payout")


@dataclass(frozen=True, slots=True)
class Part:
    """A line's end on one action (`action_id` empty: on none). Money in `currency`."""

    line_id: int
    action_id: str
    change_id: str | None
    outcome: Outcome
    hold: str | None
    note: str
    amount: Decimal | None
    payout: Decimal | None
    currency: str
    carried: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A line over all its actions."""

    parts: tuple[Part, ...]

    @property
    def id(self) -> int:
        return self.parts[0].line_id

    @property
    def outcome(self) -> Outcome:
        if len(self.parts) == 1:
            return self.parts[0].outcome
        return combine(part.outcome for part in self.parts)

    @property
    def hold(self) -> str | None:
        outcome = self.outcome
        return next(part.hold for part in self.parts if part.outcome is outcome)


@dataclass(frozen=True, slots=True)
class Fresh:
    """What no books have counted before: lines that became final, and shares of changes."""

    lines: set[int] = field(default_factory=set)
    shares: set[tuple[str, int]] = field(default_factory=set)


def lines_after(conn: Connection, run: Run, after: int) -> list[Line]:
    """The run's next lines, each with its end; what their changes came to is written over plans."""
    ids = conn.scalars(
        select(run_lines.c.line_id)
        .where(run_lines.c.run_id == run.id, run_lines.c.line_id > after)
        .distinct()
        .order_by(run_lines.c.line_id)
        .limit(BATCH)
    ).all()
    if not ids:
        return []
    rows = _rows(conn, run, (after, ids[-1]))
    parts = [_part(row) for row in rows]
    _freeze(conn, run, [p for row, p in zip(rows, parts, strict=True) if row["state"] is not None])
    return [Line(tuple(group)) for _, group in groupby(parts, key=lambda part: part.line_id)]


def _rows(conn: Connection, run: Run, span: tuple[int, int]) -> Sequence[RowMapping]:
    share = (change_lines.c.change_id == changes.c.id) & (
        change_lines.c.line_id == run_lines.c.line_id
    )
    found = (
        select(
            run_lines,
            changes.c.state,
            changes.c.error,
            changes.c.hold.label("change_hold"),
            change_lines.c.amount.label("share_amount"),
            change_lines.c.payout.label("share_payout"),
        )
        .outerjoin(changes, changes.c.id == run_lines.c.change_id)
        .outerjoin(change_lines, share)
        .where(
            run_lines.c.run_id == run.id,
            run_lines.c.line_id > span[0],
            run_lines.c.line_id <= span[1],
        )
        .order_by(run_lines.c.line_id, run_lines.c.action_id)
    )
    return conn.execute(found).mappings().all()


def _part(row: RowMapping) -> Part:
    """What a line came to on one action, now that its change has come to where it is."""
    outcome, hold, note = Outcome(row["outcome"]), row["hold"], row["note"]
    amount, payout = row["amount"], row["payout"]
    if row["state"] is not None:
        outcome = _BY_STATE[ChangeState(row["state"])]
        note = row["error"] or note
        hold = row["change_hold"] or Hold.APPROVAL_REFUSED.value
        if outcome is Outcome.CONFIRMED:
            amount, payout = row["share_amount"], row["share_payout"]
    return Part(
        line_id=row["line_id"],
        action_id=row["action_id"],
        change_id=row["change_id"],
        outcome=outcome,
        hold=hold if outcome is Outcome.HELD else None,
        note=note,
        amount=amount,
        payout=payout,
        currency=row["currency"],
        carried=row["carried"],
    )


def _freeze(conn: Connection, run: Run, parts: Sequence[Part]) -> None:
    """Write what lines with a change came to over what was planned for them."""
    if not parts:
        return
    here = [run_lines.c[name] == bindparam(f"at_{name}") for name in _KEYS]
    statement = update(run_lines).where(*here)
    conn.execute(
        statement.values({name: bindparam(f"new_{name}") for name in _FROZEN}),
        [
            {"at_run_id": run.id, "at_line_id": part.line_id, "at_action_id": part.action_id}
            | {f"new_{name}": getattr(part, name) for name in _FROZEN}
            for part in parts
        ],
    )


def settle(conn: Connection, run: Run, lines: Sequence[Line]) -> Fresh:
    """Write what each line came to where the next run looks for it; a dry run settles nothing.

    Money counts once, whichever of two runs is quicker, and again for the same run, so that a
    closing that broke off can be repeated.
    """
    if run.dry_run:
        return Fresh()
    groups: dict[tuple[Outcome, str | None], list[int]] = {}
    for line in lines:
        groups.setdefault((line.outcome, line.hold), []).append(line.id)
    final: set[int] = set()
    for (outcome, hold), ids in groups.items():
        for some in chunks(ids):
            here = update(return_lines).where(return_lines.c.id.in_(some))
            if not outcome.final:
                conn.execute(here.values(outcome=outcome.value, hold=hold, final_run=None))
                continue
            mine = or_(return_lines.c.final_run.is_(None), return_lines.c.final_run == run.id)
            new = here.where(mine).values(final_run=run.id).returning(return_lines.c.id)
            final.update(conn.scalars(new))
            conn.execute(here.values(outcome=outcome.value, hold=None))
    return Fresh(final, _book(conn, run, lines))


def _book(conn: Connection, run: Run, lines: Sequence[Line]) -> set[tuple[str, int]]:
    """Mark the shares of confirmed changes that no other run's books have counted."""
    parts = [p for line in lines for p in line.parts if p.outcome is Outcome.CONFIRMED]
    wanted = {(part.change_id, part.line_id) for part in parts if part.change_id}
    free = or_(change_lines.c.booked_run.is_(None), change_lines.c.booked_run == run.id)
    found: set[tuple[str, int]] = set()
    for some in chunks(sorted({change for change, _ in wanted})):
        here = select(change_lines.c.change_id, change_lines.c.line_id)
        rows = conn.execute(here.where(change_lines.c.change_id.in_(some), free).with_for_update())
        found.update((row.change_id, row.line_id) for row in rows)
    booked = found & wanted
    if booked:
        at = (change_lines.c.change_id == bindparam("at_change")) & (
            change_lines.c.line_id == bindparam("at_line")
        )
        conn.execute(
            update(change_lines).where(at).values(booked_run=run.id),
            [{"at_change": change, "at_line": line} for change, line in sorted(booked)],
        )
    return booked


def book_rows(lines: Iterable[Line], fresh: Fresh) -> Iterator[Row]:
    """The lines as the books count them: each once, and the money of every action."""
    for line in lines:
        outcome, told = line.outcome, False
        for (kind, counted), parts in _by_money(line, fresh).items():
            own = kind is outcome and not told
            told = told or own
            hold = line.hold if own else None
            yield Row(
                outcome=kind,
                hold=Hold(hold) if hold else None,
                amount=_sum(part.amount for part in parts),
                payout=_sum(part.payout for part in parts),
                currency=parts[0].currency,
                counted=counted,
                carried=parts[0].carried,
                own=own,
            )


def _by_money(line: Line, fresh: Fresh) -> dict[tuple[Outcome, bool], list[Part]]:
    """A line's parts by outcome, and by whether their money is counted now."""
    groups: dict[tuple[Outcome, bool], list[Part]] = {}
    for part in line.parts:
        if part.outcome is Outcome.CONFIRMED:
            counted = (part.change_id or "", part.line_id) in fresh.shares
        else:
            counted = part.line_id in fresh.lines
        groups.setdefault((part.outcome, counted), []).append(part)
    return groups


def _sum(amounts: Iterable[Decimal | None]) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known, ZERO) if known else None
