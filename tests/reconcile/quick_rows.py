"""Orders as raw rows of the ledger, and whether the quick way says of them what the rules say."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from clawback.money import ZERO
from clawback.reconcile.facts import (
    Action,
    Desired,
    Item,
    ItemTarget,
    Line,
    Order,
    OrderPlan,
    Rules,
)
from clawback.reconcile.outcomes import Outcome
from clawback.reconcile.quick import Effect, Quick
from clawback.reconcile.verdicts import UNMAPPED


def quick_way(order: Order, rules: Rules, now: datetime) -> Effect | None:
    """What the quick way makes of an order, if it may look at it and takes it."""
    if len(order.lines) != 1 or len(order.actions) != 1 or order.decisions:
        return None
    (line,), (action,) = order.lines, order.actions
    if action.open_change:
        return None
    return Quick(rules, now).effect(_line(line), _action(action), list(map(_item, action.items)))


def agree(order: Order, rules: Rules, now: datetime, made: OrderPlan) -> bool:
    """Whether an order takes the quick way; if so, both ways must agree, figure by figure."""
    effect = quick_way(order, rules, now)
    if effect is None:
        return False
    (line,), (action,) = order.lines, order.actions
    (verdict,), (change,) = made.verdicts, made.changes
    assert (verdict.line_id, verdict.action_id) == (line.id, action.id)
    assert (verdict.outcome, verdict.hold) == (Outcome.PLANNED, None)
    unsaid = effect.left is None and line.reason and line.reason not in rules.reasons
    assert verdict.note == (UNMAPPED.format(line.reason) if unsaid else "")
    assert (_m(verdict.amount), _m(verdict.payout)) == (effect.worth, effect.payout)
    assert verdict.currency == action.currency
    assert change.desired == _desired(line, effect)
    assert (change.line_ids, tuple(map(_m, change.line_amounts))) == ((line.id,), (effect.drop,))
    assert _m(change.expected_amount) == _m(action.amount, 0) - effect.drop
    assert _m(change.expected_payout) == effect.payout_left
    assert change.notes == ()
    return True


def _desired(line: Line, effect: Effect) -> Desired:
    if effect.left is None or effect.amount is None:
        return Desired(reverse=True)
    amount = Decimal(effect.amount).scaleb(-6)
    return Desired(items=(ItemTarget(line.key.sku, effect.left, amount),))


def _m(amount: Decimal | None, default: Any = None) -> Any:
    """Millionths, exactly."""
    if amount is None:
        return default
    whole = int(amount.scaleb(6))
    assert Decimal(whole).scaleb(-6) == amount + ZERO
    return whole


def _line(one: Line) -> tuple[Any, ...]:
    return (
        *("O1", one.id, *one.key, one.kind.value, one.quantity, _m(one.amount), one.currency),
        *(one.reason, one.returned_at, one.ordered_at, one.ordered_quantity),
        *(_m(one.ordered_amount), one.voided, one.vanished, one.parent_sku, None, None, one.id),
    )


def _action(one: Action) -> tuple[Any, ...]:
    refused = "{}" if one.refused_final or one.rejected_identity else None
    return (
        *("O1", one.id, one.tracker_id, one.partner_id, one.state.value, _m(one.amount)),
        *(_m(one.payout), one.currency, one.created_at, one.locking_at, one.cleared_at),
        *(_m(one.original_amount), _m(one.original_payout), one.modifications, one.generation),
        *("{}" if one.settled_by_us else "null", refused, None),
    )


def _item(one: Item) -> tuple[Any, ...]:
    return (
        *("1.2.3", one.sku, one.quantity, _m(one.amount), one.original_quantity),
        *(_m(one.original_amount), one.source.value if one.source else None, one.touched),
    )
