"""Works out what an action holds from impact.com's update rows, many actions at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import NamedTuple

from sqlalchemy import Connection

from clawback.ledger import actions as stock
from clawback.ledger.standing import Standing, WorkedOut, histories
from clawback.money import ZERO
from clawback.reconcile.facts import Item, Source
from clawback.reconcile.originals import CREATED, UpdateRow, items_from_updates


class Subject(NamedTuple):
    """An action to be worked out: what it stands at now, and what was known of it."""

    amount: Decimal
    created_at: datetime
    before: Standing | None


def work_out(
    conn: Connection, account: str, subjects: Mapping[str, Subject]
) -> dict[str, WorkedOut]:
    """Work out the items of some actions from their update rows, and keep the items.

    Where the rows do not add up to the action's amount, or leave a quantity open, the action is
    stale, and its Items are read if an order in scope needs them.
    """
    old = [action_id for action_id, subject in subjects.items() if subject.before is not None]
    known = stock.items_of(conn, account, old)
    told = {
        action_id: _told(rows, subjects[action_id], known.get(action_id, ()))
        for action_id, rows in histories(conn, account, list(subjects))
    }
    for action_id in subjects.keys() - told.keys():
        told[action_id] = _told([], subjects[action_id], known.get(action_id, ()))
    items = {action_id: one.items for action_id, one in told.items()}
    stock.save_items(conn, account, items, new=subjects.keys() - set(old))
    return told


def _told(rows: Sequence[UpdateRow], subject: Subject, known: Sequence[Item]) -> WorkedOut:
    if fresh := _as_created(rows, subject.amount):
        return fresh
    found = items_from_updates(rows, subject.amount, subject.created_at)
    whole = found.adds_up and not found.unknown and bool(found.items)
    before = subject.before
    amount, payout = found.original_amount, found.original_payout
    if amount is None and before is not None:
        amount, payout = before.original_amount, before.original_payout
    items = found.items if whole else known or found.items
    return WorkedOut(not whole, found.modifications, amount, payout, items)


def _as_created(rows: Sequence[UpdateRow], amount: Decimal) -> WorkedOut | None:
    """An action of which nothing but its creation is told, as most are; None for every other.

    The same as the rules of `items_from_updates` say of such rows, at a fraction of their cost.
    """
    items, skus, total, payout = [], set(), ZERO, ZERO
    for row in sorted(rows, key=attrgetter("at", "id")):
        if row.disposition != CREATED or row.quantity is None:
            return None
        skus.add(row.sku)
        total += row.delta_amount
        payout += row.delta_payout
        quantity, worth = row.quantity, row.delta_amount
        items.append(Item(row.sku, quantity, worth, quantity, worth, Source.CREATION))
    if total != amount or len(skus) < len(items) or not items:
        return None
    return WorkedOut(
        stale=False,
        modifications=0,
        original_amount=total,
        original_payout=payout,
        items=tuple(items),
    )
