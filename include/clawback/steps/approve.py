"""approve_changes: writes into the ledger which of the run's changes may be sent, and who said so.

A change that is planned again is not approved: an approval holds only for what was shown. A refusal
holds for the same change until someone decides to retry its order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from clawback.errors import ClawbackError
from clawback.ledger import changes as book
from clawback.ledger import runs
from clawback.ledger.changes import ChangeState, Step
from clawback.ledger.decisions import RETRY, in_force
from clawback.ledger.runs import Run
from clawback.ledger.store import alone, chunks
from clawback.ledger.tables import approvals, changes, events
from clawback.reconcile.facts import Decision
from clawback.reconcile.outcomes import Hold
from clawback.steps.runtime import Runtime
from clawback.steps.weigh import fingerprint_of, planned, weigh

__all__ = ["PlanMovedError", "approve", "ask", "keep_refusals", "refuse", "time_out", "weigh"]

ASKED = "approval asked"
APPROVED = "approved"
REFUSED = "refused"
TIMED_OUT = "approval timed out"
_WAIT = (
    "the plan is over the program's thresholds; {n} changes stay planned until a person approves "
    "them: approve the run in Airflow, or repeat `clawback run` with --yes"
)


class PlanMovedError(ClawbackError):
    """The plan is not the one that was shown when approval was asked for."""


def ask(rt: Runtime) -> dict[str, Any]:
    """Weigh the plan and note that a person is asked about it as it stands now.

    Changes that were refused before are held again and not asked about.
    """
    keep_refusals(rt)
    told = weigh(rt)
    kept = {name: told[name] for name in ("changes", "amount", "payout", "why", "fingerprint")}
    _note(rt, ASKED, kept)
    return told


def approve(rt: Runtime, by: str | None = None) -> dict[str, Any]:
    """Approve what the run has planned; only approved changes are ever sent.

    Without a name it approves what stays within the thresholds (urgent changes by their own) and
    leaves the rest planned. A person's word approves all that is planned; where they were asked
    and the plan has changed since, raises PlanMovedError and approves nothing.
    """
    keep_refusals(rt)
    if by is not None:
        return _approve_all(rt, by)
    told = weigh(rt) if rt.program.approval.waits else {}
    parts = {False: "ordinary", True: "urgent"}
    within = [urgent for urgent, part in parts.items() if not told.get(part)]
    account = rt.run().account
    with rt.ledger.begin() as conn:
        alone(conn, account)
        open_ = _unanswered(rt) & changes.c.urgent.in_(within)
        n = conn.execute(update(changes).where(open_).values(approved=True)).rowcount
        waiting = _count(conn, _unanswered(rt))
        if n:
            detail = {"approved": n, "by": "no threshold", "waiting": waiting}
            runs.note(conn, rt.run_id, rt.clock.now(), ("run", rt.run_id), "", APPROVED, detail)
    return _told(n, waiting, told["why"] if waiting else [])


def _approve_all(rt: Runtime, by: str) -> dict[str, Any]:
    run = rt.run()
    with rt.ledger.begin() as conn:
        alone(conn, run.account)
        _same_as_asked(rt, conn, run)
        _sign(rt, conn, run, Answer(APPROVED, by, ""))
        n = conn.execute(update(changes).where(planned(run)).values(approved=True)).rowcount
        # What urgent changes have used up of the time to wait for proof is given back.
        runs.set_run(conn, rt.run_id, deadline=None)
        detail = {"approved": n, "by": by}
        runs.note(conn, rt.run_id, rt.clock.now(), ("run", rt.run_id), "", APPROVED, detail)
    return _told(n, 0, []) | {"by": by}


def _told(approved: int, waiting: int, why: list[str]) -> dict[str, Any]:
    told: dict[str, Any] = {"approved": approved, "waiting": waiting}
    if waiting:
        told |= {"why": why, "said": _WAIT.format(n=waiting) + ": " + "; ".join(why)}
    return told


def refuse(rt: Runtime, by: str, why: str = "") -> dict[str, Any]:
    """Hold the changes that a person was asked about as approval_refused, with who refused them."""
    run = rt.run()
    with rt.ledger.begin() as conn:
        _sign(rt, conn, run, Answer(REFUSED, by, why))
        ids = conn.scalars(select(changes.c.id).where(planned(run))).all()
        n = _hold(rt, conn, dict.fromkeys(ids, _refusal(by, why)))
        detail = {"refused": n, "by": by, "why": why}
        runs.note(conn, rt.run_id, rt.clock.now(), ("run", rt.run_id), "", REFUSED, detail)
    return {"refused": n, "by": by}


def keep_refusals(rt: Runtime) -> int:
    """Hold again the planned changes that a person refused before; returns how many.

    A retry decision on the order lifts the refusal; so does anything that makes it another change.
    """
    run = rt.run()
    refused = select(approvals.c.change_id).where(approvals.c.answer == REFUSED)
    with rt.ledger.begin() as conn:
        here = select(changes).where(_unanswered(rt), changes.c.id.in_(refused))
        rows = list(conn.execute(here).mappings())
        lifted = in_force(conn, run.program, sorted({row["order_key"] for row in rows}))
        last = _last_answers(conn, [row["id"] for row in rows])
        kept = {
            row["id"]: _refusal(last[row["id"]]["answered_by"], last[row["id"]]["reason"])
            for row in rows
            if last[row["id"]]["answer"] == REFUSED
            and not _retried(lifted.get(row["order_key"], ()), row["action_id"])
        }
        return _hold(rt, conn, kept)


def _retried(decisions: Iterable[Decision], action_id: str) -> bool:
    return any(d.verb == RETRY and d.value in {"", action_id} for d in decisions)


def _last_answers(conn: Connection, ids: Sequence[str]) -> dict[str, RowMapping]:
    found: dict[str, RowMapping] = {}
    for some in chunks(ids):
        here = select(approvals).where(approvals.c.change_id.in_(some)).order_by(approvals.c.id)
        found.update({row["change_id"]: row for row in conn.execute(here).mappings()})
    return found


def _refusal(by: str, why: str) -> str:
    reason = f": {why}" if why else ""
    return f"{by} refused this change{reason}; answer retry to let it go after all"


def _hold(rt: Runtime, conn: Connection, said: Mapping[str, str]) -> int:
    """Hold planned changes as refused; `said` is why, by change."""
    step = Step(rt.run_id, rt.clock.now(), ChangeState.PLANNED, ChangeState.REFUSED)
    held = {"hold": Hold.APPROVAL_REFUSED.value, "approved": False}
    return sum(book.move(conn, i, step, **held, error=text) for i, text in said.items())


def time_out(rt: Runtime) -> dict[str, Any]:
    """Nobody answered: the changes stay planned and unapproved, and the next run asks again."""
    with rt.ledger.read() as conn:
        waiting = _count(conn, _unanswered(rt))
    _note(rt, TIMED_OUT, {"waiting": waiting})
    return {"approved": 0, "waiting": waiting, "timed_out": True}


def _unanswered(rt: Runtime) -> ColumnElement[bool]:
    mine = (changes.c.run_id == rt.run_id) & (changes.c.state == ChangeState.PLANNED)
    return mine & or_(changes.c.approved.is_(None), changes.c.approved.is_(False))


def _count(conn: Connection, which: ColumnElement[bool]) -> int:
    return int(conn.scalar(select(func.count()).select_from(changes).where(which)) or 0)


class Answer(NamedTuple):
    """What a person said about a plan, who, and why."""

    said: str
    by: str
    why: str


def _sign(rt: Runtime, conn: Connection, run: Run, answer: Answer) -> None:
    """Keep a person's answer beside every change that it is about."""
    names = ("change_id", "run_id", "answer", "answered_by", "answered_at", "reason")
    at = literal(rt.clock.now(), approvals.c.answered_at.type)
    rows = select(
        *(changes.c.id, changes.c.run_id, literal(answer.said)),
        *(literal(answer.by[:255]), at, literal(answer.why)),
    ).where(planned(run))
    conn.execute(insert(approvals).from_select(list(names), rows))


def _same_as_asked(rt: Runtime, conn: Connection, run: Run) -> None:
    asked = conn.scalar(
        select(events.c.detail)
        .where(
            events.c.run_id == rt.run_id,
            events.c.subject == "run",
            events.c.subject_id == rt.run_id,
            events.c.became == ASKED,
        )
        .order_by(events.c.id.desc())
        .limit(1)
    )
    if not _count(conn, planned(run)):
        return
    if asked is not None and asked["fingerprint"] != fingerprint_of(conn, run):
        raise PlanMovedError(
            f"the plan of {rt.run_id} is not the one that was shown ({asked['changes']} changes); "
            "nothing was approved: look at the new plan and answer again"
        )


def _note(rt: Runtime, became: str, detail: dict[str, Any]) -> None:
    with rt.ledger.begin() as conn:
        runs.note(conn, rt.run_id, rt.clock.now(), ("run", rt.run_id), "", became, detail)
