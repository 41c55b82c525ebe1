"""Whether a change is still what its action needs, and how much of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import RowMapping

from clawback.impact.errors import Refused
from clawback.money import ZERO
from clawback.reconcile.facts import Action, Desired, Judgement
from clawback.steps.settle import View, judged


def said_of(error: Refused) -> str:
    """What impact.com said when it refused."""
    return f"{error.status}: {error.body}" if error.body else f"HTTP {error.status}"


def never_up(desired: Desired, action: Action | None) -> Desired:
    """`desired` without what an action that was just read already holds, or holds less of."""
    if action is None or not desired.items:
        return desired
    targets = []
    for target in desired.items:
        mine = [item for item in action.items if item.sku == target.sku]
        quantity, amount = target.quantity, target.amount
        if mine and quantity is not None and sum(i.quantity for i in mine) <= quantity:
            quantity = None
        if mine and amount is not None and sum((i.amount for i in mine), ZERO) <= amount:
            amount = None
        if quantity is not None or amount is not None:
            targets.append(replace(target, quantity=quantity, amount=amount))
    return replace(desired, items=tuple(targets))


def stands(row: RowMapping, action: Action) -> bool:
    """Whether an action that was just read stands where a change wants it."""
    return judged(row, action, View(items_current=True)) is Judgement.CONFIRMED


def is_stale(row: RowMapping, action: Action | None) -> bool:
    return action is None or action.generation != row["generation"]


def has_locked(action: Action | None, now: datetime) -> bool:
    return action is not None and action.locking_at is not None and action.locking_at <= now
