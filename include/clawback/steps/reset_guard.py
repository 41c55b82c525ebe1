"""What a reset would undo, and which actions it must leave alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import median, quantiles
from typing import Any

from sqlalchemy import Connection, RowMapping, or_, select

from clawback.errors import ClawbackError
from clawback.impact.client import ImpactClient
from clawback.impact.models import Action, ActionState
from clawback.ledger import actions as stock
from clawback.ledger.changes import SENT, ChangeState, open_changes
from clawback.ledger.resets import open_resets
from clawback.ledger.tables import actions, changes, return_lines, runs
from clawback.money import ZERO
from clawback.reconcile.books import money_text
from clawback.reconcile.facts import Item
from clawback.steps.runtime import Runtime

WARNING = (
    "impact.com warns that its reports may be off after a reset. A reset undoes every modification "
    "of the action, also those that other people made, and its commission is worked out again by "
    "the contract terms in force now."
)
MOST_TARGETS = 500
UNKNOWN_LATENCY = timedelta(hours=1)
"""Assumed of impact.com's queue, and of a run, until some have been observed."""
_OBSERVED = 200
_RUNS = 10
_TWENTIETHS = 20


class ResetError(ClawbackError):
    """A reset that cannot be made as asked for."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An action that is to be reset: as the ledger and as impact.com have it now.

    `why` is why it must not be reset; empty if it may. Amounts in the action's currency.
    """

    row: RowMapping
    now: Action
    original: Decimal | None
    items: tuple[Item, ...]
    why: str

    def to_json(self) -> dict[str, Any]:
        currency = self.now.currency
        return {
            "action_id": self.now.id,
            "order_id": self.now.oid,
            "partner": self.now.partner_name,
            "state": self.now.state.value,
            "amount": money_text(self.now.amount, currency),
            "payout": money_text(self.now.payout, currency),
            "original_amount": self.original and money_text(self.original, currency),
            "currency": currency,
            "items": [_item_text(item) for item in self.items if _lowered(item)],
            "locking_at": self.now.locking_date and self.now.locking_date.isoformat(),
            "why": self.why,
        }


def find_targets(conn: Connection, rt: Runtime, account: str, targets: Sequence[str]) -> list[str]:
    """The ActionIds that ActionIds and order ids name; raises ResetError for one that names none.

    An order id stands for every action of the order.
    """
    named = list(dict.fromkeys(t.strip() for t in targets if t.strip()))
    if not 0 < len(named) <= MOST_TARGETS:
        raise ResetError(
            f"{len(named)} targets are given; name 1 to {MOST_TARGETS} ActionIds or order ids"
        )
    keys = {rt.order_key(t): t for t in named}
    here = select(actions.c.id, actions.c.order_key).where(
        actions.c.account == account,
        actions.c.campaign_id == rt.program.campaign_id,
        or_(actions.c.id.in_(named), actions.c.order_key.in_(keys)),
    )
    rows = conn.execute(here.order_by(actions.c.id)).all()
    met = {row.id for row in rows} | {keys.get(row.order_key) for row in rows}
    missing = [t for t in named if t not in met]
    if missing:
        raise ResetError(
            f"the ledger knows neither an action nor an order {', '.join(missing[:10])}; check the "
            "spelling, or run the order first so that its actions are listed"
        )
    return [row.id for row in rows]


def order_ids_of(conn: Connection, rt: Runtime, account: str, ids: Sequence[str]) -> list[str]:
    """The order ids of some actions, as the warehouse writes them where it has them."""
    rows = stock.action_rows(conn, account, ids)
    oids = {row["order_key"]: row["oid"] for row in rows.values()}
    here = select(return_lines.c.order_key, return_lines.c.order_id).where(
        return_lines.c.program == rt.program.name, return_lines.c.order_key.in_(list(oids))
    )
    oids.update((row.order_key, row.order_id) for row in conn.execute(here))
    return sorted(oids.values())


def candidates(rt: Runtime, client: ImpactClient, targets: Sequence[str]) -> list[Candidate]:
    """The actions that are named, as they stand now (one read each), and why not to reset them."""
    account = client.account.account_sid
    with rt.ledger.read() as conn:
        ids = find_targets(conn, rt, account, targets)
        rows = stock.action_rows(conn, account, ids)
        items = stock.items_of(conn, account, ids)
        sent = {k for k, row in open_changes(conn, account, ids).items() if row["state"] in SENT}
        undone = open_resets(conn, account, ids)
        margin = needed(conn, rt.program.name, account)
    found = []
    for action_id in ids:
        now = client.get_action(action_id)
        known = items.get(action_id, ())
        original = original_of(rows[action_id], known)
        busy = action_id in sent or action_id in undone
        why = _why_not(now, original, rt.clock.now(), margin, busy=busy)
        found.append(Candidate(rows[action_id], now, original, known, why))
    return found


def original_of(row: RowMapping, items: Sequence[Item]) -> Decimal | None:
    """What an action held when it was first reported; None where nothing tells."""
    if row["original_amount"] is not None:
        amount: Decimal = row["original_amount"]
        return amount
    originals = [item.original_amount for item in items]
    known = [amount for amount in originals if amount is not None]
    return sum(known, ZERO) if known and len(known) == len(originals) else None


def _why_not(
    now: Action, original: Decimal | None, at: datetime, margin: timedelta, *, busy: bool
) -> str:
    """Why an action must not be reset; empty if it may be."""
    lock = now.locking_date
    if now.cleared_date is not None:
        return f"it was paid out on {now.cleared_date:%Y-%m-%d}; nothing can be undone any more"
    if lock is not None and lock <= at:
        return f"it locked on {lock:%Y-%m-%d %H:%M} UTC; nothing can be undone any more"
    if lock is not None and lock - at < margin:
        hours = margin / timedelta(hours=1)
        return (
            f"it locks on {lock:%Y-%m-%d %H:%M} UTC, within the {hours:.1f} hours that an undo and "
            "a new change take: it could lock undone, and the whole commission be paid"
        )
    if busy:
        return "a write to it is sent and not yet seen; wait until it is confirmed"
    if now.state is not ActionState.REVERSED and original is not None and now.amount == original:
        return "there is nothing to undo: it stands as it was first reported"
    return ""


def needed(conn: Connection, program: str, account: str) -> timedelta:
    """What an undo and a new change take: twice the observed queue latency, and a run."""
    return 2 * latency(conn, account) + _run_time(conn, program)


def latency(conn: Connection, account: str) -> timedelta:
    """How long impact.com's queue takes, from sending to seeing: 19 of 20 changes are quicker."""
    here = select(changes.c.sent_at, changes.c.settled_at).where(
        changes.c.account == account,
        changes.c.state == ChangeState.CONFIRMED,
        changes.c.sent_at.is_not(None),
        changes.c.settled_at.is_not(None),
    )
    rows = conn.execute(here.order_by(changes.c.settled_at.desc()).limit(_OBSERVED))
    spans = [(row.settled_at - row.sent_at).total_seconds() for row in rows]
    if not spans:
        return UNKNOWN_LATENCY
    worst = quantiles(spans, n=_TWENTIETHS)[-1] if len(spans) >= _TWENTIETHS else max(spans)
    return timedelta(seconds=max(worst, 0.0))


def _run_time(conn: Connection, program: str) -> timedelta:
    here = select(runs.c.opened_at, runs.c.closed_at).where(
        runs.c.program == program, runs.c.closed_at.is_not(None), runs.c.dry_run.is_(False)
    )
    rows = conn.execute(here.order_by(runs.c.closed_at.desc()).limit(_RUNS)).all()
    spans = [(row.closed_at - row.opened_at).total_seconds() for row in rows]
    return timedelta(seconds=median(spans)) if spans else UNKNOWN_LATENCY


def fingerprint_of(found: Sequence[Candidate]) -> str:
    """The same for the same actions in the same state."""
    parts = [f"{c.now.id} {c.now.state} {c.now.amount}" for c in found if not c.why]
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()[:32]


def _lowered(item: Item) -> bool:
    return item.original_quantity is not None and item.quantity != item.original_quantity


def _item_text(item: Item) -> str:
    return f"{item.sku}: {item.quantity} → {item.original_quantity}"
