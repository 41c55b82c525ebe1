"""Changes and their submissions: the one place where a change passes from state to state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, RowMapping, exists, insert, or_, select, update

from clawback.errors import ClawbackError
from clawback.ledger.runs import note
from clawback.ledger.store import chunks
from clawback.ledger.tables import (
    actions,
    change_lines,
    changes,
    evidence,
    return_lines,
    runs,
    submissions,
)
from clawback.reconcile.facts import Request


class ChangeState(StrEnum):
    """Where a change stands. DRY changes are shown and never sent."""

    DRY = "dry"
    PLANNED = "planned"
    SENDING = "sending"
    QUEUED = "queued"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    LOCKED = "locked"
    REFUSED = "refused"
    DROPPED = "dropped"


OPEN = (ChangeState.PLANNED, ChangeState.SENDING, ChangeState.QUEUED)
SENT = (ChangeState.SENDING, ChangeState.QUEUED)
_ALLOWED: dict[ChangeState, frozenset[ChangeState]] = {
    ChangeState.PLANNED: frozenset(
        {ChangeState.SENDING, ChangeState.DROPPED, ChangeState.REFUSED, ChangeState.PLANNED}
    ),
    ChangeState.SENDING: frozenset(
        {
            ChangeState.QUEUED,
            ChangeState.PLANNED,
            ChangeState.REJECTED,
            ChangeState.LOCKED,
            ChangeState.SENDING,
            ChangeState.DROPPED,
        }
    ),
    ChangeState.QUEUED: frozenset(
        {
            ChangeState.CONFIRMED,
            ChangeState.REJECTED,
            ChangeState.LOCKED,
            ChangeState.SENDING,  # a canary whose merged form was not honoured: the rest follows
            ChangeState.DROPPED,  # its submission is lost
            ChangeState.REFUSED,  # somebody undid it before it was seen: a person must decide
        }
    ),
    ChangeState.DROPPED: frozenset({ChangeState.PLANNED}),
    ChangeState.REFUSED: frozenset({ChangeState.PLANNED}),
    ChangeState.REJECTED: frozenset({ChangeState.PLANNED}),
}


class ImpossibleTransitionError(ClawbackError):
    """A change was to pass from a state to one that it cannot reach from there."""


@dataclass(frozen=True, slots=True)
class Step:
    """One transition: of which run, when, from what to what, and what else is said of it."""

    run_id: str
    at: datetime
    was: ChangeState
    became: ChangeState


def move(conn: Connection, change_id: str, step: Step, **values: object) -> bool:
    """Pass a change from one state to the next and write the event.

    Returns False, and changes nothing, where the change is no longer in the state it should
    leave: another process was quicker. Raises ImpossibleTransitionError for a transition that
    the rules do not know.
    """
    if step.became not in _ALLOWED.get(step.was, frozenset()):
        raise ImpossibleTransitionError(
            f"change {change_id}: from {step.was} to {step.became} is no possible transition; "
            "this is a fault of Clawback: report it with `clawback explain` of the order"
        )
    here = (changes.c.id == change_id) & (changes.c.state == step.was)
    moved = conn.execute(update(changes).where(here).values(state=step.became, **values))
    if moved.rowcount != 1:
        return False
    told = {k: v for k, v in values.items() if k in {"error", "run_id", "attempts"} and v}
    note(conn, step.run_id, step.at, ("change", change_id), step.was, step.became, told)
    return True


def get_change(conn: Connection, change_id: str) -> RowMapping:
    return conn.execute(select(changes).where(changes.c.id == change_id)).mappings().one()


def in_state(
    conn: Connection, run_id: str, states: Sequence[ChangeState], *, shard: int | None = None
) -> list[RowMapping]:
    """A run's changes in some states, in the order in which they are sent.

    Urgent ones first, then by locking date, then the largest payout at stake.
    """
    here = select(changes).where(changes.c.run_id == run_id, changes.c.state.in_(states))
    if shard is not None:
        here = here.where(changes.c.shard == shard)
    rows = conn.execute(here).mappings().all()
    return sorted(rows, key=_urgency)


def _urgency(row: RowMapping) -> tuple[object, ...]:
    locking = row["locking_at"]
    stake = row["before_payout"] - row["expected_payout"]
    return (not row["urgent"], locking is None, locking or row["created_at"], -stake, row["id"])


def awaiting(conn: Connection, account: str, program: str) -> list[RowMapping]:
    """Every change of a program that is sent and not yet seen, of whichever run."""
    here = select(changes).where(
        changes.c.account == account,
        changes.c.program == program,
        changes.c.state == ChangeState.QUEUED,
    )
    return list(conn.execute(here.order_by(changes.c.sent_at, changes.c.id)).mappings())


def doubtful(
    conn: Connection, account: str, program: str, run_id: str, before: datetime
) -> list[RowMapping]:
    """Changes left between intent and answer: by this run, by a closed run, or before a time."""
    closed = select(runs.c.id).where(runs.c.closed_at.is_not(None))
    left = or_(changes.c.run_id == run_id, changes.c.run_id.in_(closed), changes.c.sent_at < before)
    here = select(changes).where(
        changes.c.account == account,
        changes.c.program == program,
        changes.c.state == ChangeState.SENDING,
        left,
    )
    return list(conn.execute(here.order_by(changes.c.sent_at, changes.c.id)).mappings())


def confirmed_of(conn: Connection, line_ids: Sequence[int]) -> dict[tuple[int, str], str]:
    """The newest confirmed change that covers each of some lines, by line and ActionId."""
    found: dict[tuple[int, str], str] = {}
    for some in chunks(line_ids):
        here = (
            select(change_lines.c.line_id, changes.c.action_id, changes.c.id)
            .join(changes, changes.c.id == change_lines.c.change_id)
            .where(change_lines.c.line_id.in_(some), changes.c.state == ChangeState.CONFIRMED)
            .order_by(changes.c.settled_at)
        )
        found.update({(row.line_id, row.action_id): row.id for row in conn.execute(here)})
    return found


def unbooked_of(conn: Connection, line_ids: Sequence[int]) -> dict[tuple[int, str], str]:
    """The newest confirmed change of each of some lines whose share no books have counted."""
    found: dict[tuple[int, str], str] = {}
    for some in chunks(line_ids):
        here = (
            select(change_lines.c.line_id, changes.c.action_id, changes.c.id)
            .join(changes, changes.c.id == change_lines.c.change_id)
            .where(
                change_lines.c.line_id.in_(some),
                change_lines.c.booked_run.is_(None),
                changes.c.state == ChangeState.CONFIRMED,
            )
            .order_by(changes.c.settled_at)
        )
        found.update({(row.line_id, row.action_id): row.id for row in conn.execute(here)})
    return found


def ever_sent(conn: Connection, program: str, account: str, action_id: str) -> bool:
    """Whether a change of an action has ever been sent."""
    order = select(actions.c.order_key).where(
        actions.c.account == account, actions.c.id == action_id
    )
    here = exists().where(
        changes.c.program == program,
        changes.c.order_key == order.scalar_subquery(),
        changes.c.account == account,
        changes.c.action_id == action_id,
        changes.c.sent_at.is_not(None),
    )
    return bool(conn.scalar(select(here)))


def covers_withdrawn(conn: Connection, change_id: str) -> bool:
    """Whether the warehouse has voided a line of a change, or does not hold it any more."""
    here = (
        select(return_lines.c.id)
        .join(change_lines, change_lines.c.line_id == return_lines.c.id)
        .where(
            change_lines.c.change_id == change_id,
            or_(return_lines.c.voided, return_lines.c.vanished),
        )
    )
    return conn.scalar(here.limit(1)) is not None


def open_changes(
    conn: Connection, account: str, action_ids: Sequence[str]
) -> dict[str, RowMapping]:
    """The open change of each of some actions, by ActionId."""
    found: dict[str, RowMapping] = {}
    for some in chunks(action_ids):
        here = select(changes).where(
            changes.c.account == account,
            changes.c.action_id.in_(some),
            changes.c.state.in_(OPEN),
        )
        found.update({row["action_id"]: row for row in conn.execute(here).mappings()})
    return found


def lines_of(conn: Connection, change_ids: Sequence[str]) -> dict[str, list[RowMapping]]:
    """The lines that changes cover, with the amount each takes off, by change."""
    found: dict[str, list[RowMapping]] = {}
    for some in chunks(change_ids):
        here = select(change_lines).where(change_lines.c.change_id.in_(some))
        for row in conn.execute(here.order_by(change_lines.c.line_id)).mappings():
            found.setdefault(row["change_id"], []).append(row)
    return found


def begin_submission(
    conn: Connection, change_id: str, run_id: str, request: Request, at: datetime
) -> int:
    """Write the intent to send a request, before it leaves; returns the submission's id."""
    row = {
        "change_id": change_id,
        "run_id": run_id,
        "verb": request.verb.value,
        "form": dict(request.form),
        "shape": request.shape,
        "state": "sending",
        "sent_at": at,
    }
    done = conn.execute(insert(submissions).values(row).returning(submissions.c.id))
    return int(done.scalar_one())


def set_submission(conn: Connection, submission_id: int, **values: object) -> None:
    here = update(submissions).where(submissions.c.id == submission_id)
    conn.execute(here.values(**values))


def forget_submissions(conn: Connection, change_id: str) -> None:
    """What was sent for a change before it was planned anew says nothing of it any more."""
    told = submissions.c.state.in_(("sending", "queued", "complete", "refused"))
    here = update(submissions).where(submissions.c.change_id == change_id, told)
    conn.execute(here.values(state="past"))


def submissions_of(conn: Connection, change_ids: Sequence[str]) -> dict[str, list[RowMapping]]:
    """The submissions of changes, in the order in which they were sent, by change."""
    found: dict[str, list[RowMapping]] = {}
    for some in chunks(change_ids):
        here = select(submissions).where(submissions.c.change_id.in_(some))
        for row in conn.execute(here.order_by(submissions.c.id)).mappings():
            found.setdefault(row["change_id"], []).append(row)
    return found


def add_evidence(  # noqa: PLR0913, PLR0917 - a piece of evidence is these things
    conn: Connection,
    run_id: str,
    change_id: str,
    at: datetime,
    source: str,
    judgement: str,
    detail: Mapping[str, Any],
) -> None:
    """Append a piece of evidence: what was read, and what it says of a change."""
    conn.execute(
        insert(evidence).values(
            run_id=run_id,
            change_id=change_id,
            at=at,
            source=source,
            judgement=judgement,
            detail=dict(detail),
        )
    )
