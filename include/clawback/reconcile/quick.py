"""The commonest order in few steps: one line that returns units of one item nobody touched.

It says nothing of its own: `plan_order` gives the same for every order that passes here (a
property test holds the two together). It only spares a million such orders the general way.
"""

from __future__ import annotations

from decimal import Decimal

from clawback.money import ZERO, quantize
from clawback.reconcile.answers import Context
from clawback.reconcile.changes import build, is_locked
from clawback.reconcile.claims import tolerance
from clawback.reconcile.diff import REVERSE
from clawback.reconcile.facts import (
    Action,
    ActionState,
    Desired,
    Item,
    ItemTarget,
    Kind,
    Line,
    LineVerdict,
    OrderPlan,
    Rules,
    Source,
)
from clawback.reconcile.outcomes import Outcome
from clawback.reconcile.reasons import Taken

_PLANNED, _RETURN, _REVERSED = Outcome.PLANNED, Kind.RETURN, ActionState.REVERSED
_FIRST_SIGHT = Source.FIRST_SIGHT
_ROOM = 10
"""Modifications that must be left; with fewer the general way counts its requests."""


def quick_plan(plan: Context) -> OrderPlan | None:
    """The plan of a simple order, None for any other."""
    order, rules = plan.order, plan.rules
    line, action = order.lines[0], order.actions[0]
    if not (_plain_rules(rules) and _plain_line(line, rules) and _open(action, plan)):
        return None
    item = _item_of(line, action, rules)
    if item is None:
        return None
    returned = line.quantity or 0
    left = item.quantity - returned
    currency = action.currency
    money = item.amount * returned / item.quantity
    if line.amount is not None and rules.trust_amounts:
        money = line.amount
    desired, drop = _desired(item, left, money, action, rules)
    if desired is None:
        return None
    taken = Taken(line.id, line.reason, drop)
    change = build(action, desired, action.amount - drop, (taken,), plan)
    payout = quantize((action.original_payout or ZERO) * money / action.amount, currency)
    worth = quantize(money, currency) if line.amount is None else line.amount
    verdict = LineVerdict(line.id, action.id, _PLANNED, None, "", worth, payout, currency)
    return OrderPlan(order.order_id, (verdict,), (change,))


def _plain_rules(rules: Rules) -> bool:
    skus = rules.skus
    return (
        not (skus.trim or skus.case or skus.prefix or skus.pattern or rules.sku_map)
        and rules.tracking == "auto"
        and rules.full_return == "reverse"
    )


def _plain_line(line: Line, rules: Rules) -> bool:
    """Whether a line returns units of a SKU, and nothing about it needs a second look."""
    return (
        line.kind is _RETURN
        and bool(line.quantity and line.key.sku)
        and not (line.voided or line.vanished or line.parent_sku)
        and line.reason not in rules.ignored_reasons
    )


def _open(action: Action, plan: Context) -> bool:
    """Whether an action stands as it was created, and may be changed."""
    rules = plan.rules
    return (
        action.state is not _REVERSED
        and action.settled_by_us is None
        and not (action.open_change or action.rejected_identity)
        and action.original_payout is not None
        and bool(action.amount)
        and action.original_amount == action.amount
        and action.modifications + _ROOM < rules.modification_limit
        and (not rules.trackers or action.tracker_id in rules.trackers)
        and not is_locked(action, plan.now)
    )


def _item_of(line: Line, action: Action, rules: Rules) -> Item | None:
    """The one item that the line is about, if it is as it was and the warehouse agrees."""
    found = None
    for item in action.items:
        if item.sku == line.key.sku:
            if found is not None:
                return None
            found = item
    if found is None or line.currency != action.currency or found.sku in rules.placeholder_skus:
        return None
    quantity, amount = found.original_quantity, found.original_amount
    as_created = found.quantity == quantity and found.amount == amount
    sold = quantity or 0
    agreed = line.ordered_quantity is None or (
        line.ordered_quantity == quantity
        and (line.ordered_amount is None or line.ordered_amount == amount)
    )
    possible = as_created and agreed and bool(amount) and (line.quantity or 0) <= sold
    return found if possible and found.source is not _FIRST_SIGHT else None


def _desired(
    item: Item, left: int, money: Decimal, action: Action, rules: Rules
) -> tuple[Desired | None, Decimal]:
    """What is asked for and what it takes off; nothing where only the amount would be left."""
    if left:
        amount = quantize(max(item.amount - money, ZERO), action.currency)
        if item.amount - amount <= tolerance(action.currency, rules):
            return None, ZERO
        return Desired(False, (ItemTarget(item.sku, left, amount),)), item.amount - amount
    if any(i.quantity and i.amount for i in action.items if i is not item):
        if item.amount <= tolerance(action.currency, rules):
            return None, ZERO
        return Desired(False, (ItemTarget(item.sku, 0, ZERO),)), item.amount
    return REVERSE, action.amount
