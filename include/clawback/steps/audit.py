"""reconciliation_audit: whether impact.com still says what ledger and returns say.

Reads in bulk and compares; it writes nothing at impact.com, plans nothing, and leaves the ledger's
view of the actions as it is, so that what has moved comes into the next run's scope as ever. What
it finds stands in the ledger as events.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select

from clawback.impact.client import ImpactClient
from clawback.impact.codes import RESET
from clawback.impact.windows import Span, merge_windows, reach_of
from clawback.ledger import actions as stock
from clawback.ledger import runs
from clawback.ledger.runs import Run
from clawback.ledger.store import chunks
from clawback.ledger.tables import actions, events, return_lines
from clawback.money import ZERO, minor_unit
from clawback.reconcile.books import money_text
from clawback.reconcile.facts import Action, ActionState, LineVerdict, Order
from clawback.reconcile.outcomes import Outcome
from clawback.reconcile.plan import plan_order
from clawback.steps.known import what_is_known
from clawback.steps.load import Loaded, Loader
from clawback.steps.present import Present, read_present
from clawback.steps.runtime import RunKind, Runtime
from clawback.steps.vanished import vanished_lines
from clawback.warehouse.source import Connect

NAMED = 100
"""At most so many order ids stand with each cause; the events in the ledger name them all."""
MOST_ORDERS = 1000
"""At most so many drifted orders are handed on to a backfill."""


class Cause(StrEnum):
    """Why impact.com and the ledger differ on an action, or the warehouse on a line."""

    CHANGED = "changed_by_someone_else"
    RESET = "reset"
    LOCKED = "locked"
    CONTRACT = "contract_change"
    MISSING = "missing_at_impact"
    VANISHED = "vanished_from_warehouse"
    UNSETTLED = "not_what_the_returns_ask"


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference; the money is what stands at impact.com less what the ledger says."""

    cause: Cause
    subject: tuple[str, str]
    order_id: str
    was: str
    now: str
    amount: Decimal
    payout: Decimal
    currency: str


def audit(
    rt: Runtime, client: ImpactClient, depth_days: float, connect: Connect | None = None
) -> dict[str, Any]:
    """Compare the actions of the last `depth_days` (by event date) with the ledger; small JSON.

    Given `connect`, the return lines of these orders are looked up in the warehouse again, so
    that rows which vanished there are found. Raises what the client and the warehouse raise.
    """
    now = rt.clock.now()
    account = client.account.account_sid
    span = (max(now - timedelta(days=depth_days), reach_of(now) + timedelta(hours=1)), now)
    with rt.ledger.read() as conn:
        known = _known(conn, rt, account, span)
    present = read_present(client, merge_windows([span]), {row["id"] for row in known})
    auditor = _Auditor(rt, account, present, now)
    orders = sorted({row["order_key"] for row in known})
    rows = {row["id"]: row for row in known}
    for some in chunks(orders):
        with rt.ledger.read() as conn:
            auditor.compare(conn, some, rows)
    if connect is not None:
        auditor.found += _vanished(rt, connect, orders)
    _keep(rt, auditor.found, now)
    told = _told(rt, auditor.found, span, requests=_requests(rt))
    return told | {"orders_compared": len(orders), "actions_compared": len(known)}


def _known(conn: Connection, rt: Runtime, account: str, span: Span) -> list[RowMapping]:
    """The ledger's actions in a span whose orders have return lines."""
    lines = select(return_lines.c.order_key).where(return_lines.c.program == rt.program.name)
    here = select(actions).where(
        actions.c.account == account,
        actions.c.campaign_id == rt.program.campaign_id,
        actions.c.event_at >= span[0],
        actions.c.event_at <= span[1],
        actions.c.order_key.in_(lines),
    )
    if rt.program.action_trackers:
        here = here.where(actions.c.tracker_id.in_(rt.program.action_trackers))
    return list(conn.execute(here.order_by(actions.c.id)).mappings())


class _Auditor:
    """Compares orders, some at a time, and gathers what has drifted."""

    def __init__(self, rt: Runtime, account: str, present: Present, now: datetime) -> None:
        self._rt, self._account, self._present, self._now = rt, account, present, now
        self._rules = rt.rules(account)
        self.found: list[Drift] = []

    def compare(
        self, conn: Connection, keys: Sequence[str], rows: Mapping[str, RowMapping]
    ) -> None:
        """Compare some orders; `rows` are the ledger's actions of the span, by ActionId."""
        learned = what_is_known(conn, self._rt, self._account)
        for loaded in self._loader(conn).load(conn, keys):
            moved = {a.id for a in loaded.order.actions if self._action(a, rows, loaded)}
            present = self._as_present(loaded.order)
            plan = plan_order(present, self._rules, learned, self._now)
            for verdict in plan.verdicts:
                if verdict.action_id in rows and verdict.action_id not in moved:
                    self._line(loaded, verdict, rows[verdict.action_id])

    def _loader(self, conn: Connection) -> Loader:
        program = self._rt.program
        covered = stock.covered(conn, self._account, program.campaign_id)
        run = Run(
            id=self._rt.run_id,
            program=program.name,
            account=self._account,
            kind=RunKind.MANUAL.value,
            dry_run=True,
            window_start=self._now,
            window_end=self._now,
            order_ids=(),
            read_no=None,
            opened_at=self._now,
            closed_at=None,
            deadline=None,
            books=None,
        )
        return Loader(run, program, covered, self._now)

    def _as_present(self, order: Order) -> Order:
        """The order with its actions as impact.com holds them now."""
        shown = tuple(self._present.apply(action) for action in order.actions)
        return replace(order, actions=shown)

    def _action(self, action: Action, rows: Mapping[str, RowMapping], loaded: Loaded) -> bool:
        """Note how an action has drifted from the ledger; whether it has."""
        row = rows.get(action.id)
        if row is None or action.open_change:
            return False
        now = self._present.actions.get(action.id)
        if now is None:
            gone = (-action.amount, -action.payout)
            self._add(Cause.MISSING, row, loaded, "not listed", gone)
            return True
        cause = self._cause(row, action)
        if cause is None:
            return False
        moved = (now.amount - action.amount, now.payout - action.payout)
        said = f"{now.state.value} {now.amount} (payout {now.payout})"
        self._add(cause, row, loaded, said, moved)
        return True

    def _cause(self, row: RowMapping, action: Action) -> Cause | None:
        """Why an action is not what the ledger says; None if it is."""
        now = self._present.actions[action.id]
        slack = minor_unit(action.currency)
        # That a pending action is approved as it locks is nobody's change (reference §2.3).
        gone = ActionState.REVERSED.value
        turned = (now.state.value == gone) is not (action.state.value == gone)
        same = not turned and abs(now.amount - action.amount) <= slack
        if same:
            return Cause.CONTRACT if abs(now.payout - action.payout) > slack else None
        raised = now.amount - action.amount > slack
        original = row["original_amount"]
        whole = original is not None and abs(now.amount - original) <= slack
        told = self._present.last_disposition(action.id)
        silent = raised and whole and not self._present.explained(action.id)
        return Cause.RESET if told == RESET or silent else Cause.CHANGED

    def _line(self, loaded: Loaded, verdict: LineVerdict, row: RowMapping) -> None:
        """Note a line whose action does not hold what its return asks for, and no run knows it."""
        line = loaded.rows[verdict.line_id]
        booked = Outcome(line["outcome"]) if line["outcome"] else None
        if booked is None or booked is verdict.outcome:
            return
        lost = verdict.outcome is Outcome.LOCKED
        unmet = verdict.outcome is Outcome.PLANNED and booked.final
        if not (lost or unmet):
            return
        self.found.append(
            Drift(
                cause=Cause.LOCKED if lost else Cause.UNSETTLED,
                subject=("line", str(verdict.line_id)),
                order_id=line["order_id"],
                was=booked.value,
                now=verdict.note or verdict.outcome.value,
                amount=verdict.amount or ZERO,
                payout=verdict.payout or ZERO,
                currency=verdict.currency or row["currency"],
            )
        )

    def _add(
        self,
        cause: Cause,
        row: RowMapping,
        loaded: Loaded,
        now: str,
        off: tuple[Decimal, Decimal],
    ) -> None:
        was = f"{row['state']} {row['amount']} (payout {row['payout']})"
        subject, order = ("action", row["id"]), loaded.order.order_id
        self.found.append(Drift(cause, subject, order, was, now, *off, row["currency"]))


def _vanished(rt: Runtime, connect: Connect, keys: Sequence[str]) -> list[Drift]:
    return [
        Drift(
            cause=Cause.VANISHED,
            subject=("line", str(row["id"])),
            order_id=row["order_id"],
            was=f"{row['outcome']}: return {row['return_id']} {row['sku']}".strip(),
            now="the warehouse does not hold it any more",
            amount=row["amount"] or ZERO,
            payout=ZERO,
            currency=row["currency"] or rt.program.currency,
        )
        for row in vanished_lines(rt, connect, keys)
    ]


def _keep(rt: Runtime, found: Sequence[Drift], now: datetime) -> None:
    """Write every difference to the event log."""
    rows = [
        {
            "at": now,
            "run_id": rt.run_id,
            "subject": drift.subject[0],
            "subject_id": drift.subject[1],
            "was": drift.was[:64],
            "became": f"drift: {drift.cause.value}",
            "detail": {
                "order_id": drift.order_id,
                "now": drift.now,
                "amount": str(drift.amount),
                "payout": str(drift.payout),
                "currency": drift.currency,
            },
        }
        for drift in found
    ]
    with rt.ledger.begin() as conn:
        if rows:
            conn.execute(insert(events), rows)


def _requests(rt: Runtime) -> int:
    with rt.ledger.read() as conn:
        return sum(runs.requests_of(conn, rt.run_id).values())


def _told(rt: Runtime, found: Sequence[Drift], span: Span, *, requests: int) -> dict[str, Any]:
    orders = list(dict.fromkeys(drift.order_id for drift in found))
    return {
        "program": rt.program.name,
        "run_id": rt.run_id,
        "start": span[0].isoformat(),
        "end": span[1].isoformat(),
        "currency": rt.program.currency,
        "drifted": len(found),
        "drift": {cause.value: _sum(rt, found, cause) for cause in Cause},
        "order_ids": orders[:MOST_ORDERS],
        "all_named": len(orders) <= MOST_ORDERS,
        "requests": requests,
    }


def _sum(rt: Runtime, found: Sequence[Drift], cause: Cause) -> dict[str, Any]:
    mine = [drift for drift in found if drift.cause is cause]
    own = [drift for drift in mine if drift.currency == rt.program.currency]
    orders = list(dict.fromkeys(drift.order_id for drift in mine))
    return {
        "count": len(mine),
        "orders": len(orders),
        "amount": money_text(sum((d.amount for d in own), ZERO), rt.program.currency),
        "payout": money_text(sum((d.payout for d in own), ZERO), rt.program.currency),
        "order_ids": orders[:NAMED],
    }
