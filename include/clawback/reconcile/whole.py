"""Claims on an order as such: spread over its items, or taken off its amount."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from clawback.money import ZERO, quantize, share
from clawback.reconcile.claims import (
    Claim,
    Draft,
    hold_all,
    money_of,
    over,
    tolerance,
    unvalued,
)
from clawback.reconcile.facts import Kind, Line
from clawback.reconcile.outcomes import Hold


def spread(made: Draft) -> None:
    """Spread what came back on the order as such over what is left of its items, pro rata.

    `made.holdings` are all of its items.
    """
    action = made.action
    if any(held.unknown for held in made.holdings):
        why = (
            "an item's original figures are not known, so an amount off the order cannot be spread"
        )
        hold_all(made.whole, Hold.BASELINE_UNKNOWN, f"{why}; accept a baseline for it first")
        return
    if any(held.held for held in made.holdings):
        why = f"action {action.id} holds one SKU twice, so an amount off the order cannot be spread"
        hold_all(made.whole, Hold.DUPLICATE_SKU, f"{why}; settle it by hand, then answer ignore")
        return
    first = sum((held.first_amount for held in made.holdings), ZERO)
    total = _count_whole(made, first)
    lefts = [held.left_amount for held in made.holdings]
    off = share(min(quantize(total, action.currency), sum(lefts, ZERO)), lefts, action.currency)
    for held, amount in zip(made.holdings, off, strict=True):
        held.left_amount -= amount


def _count_whole(made: Draft, first: Decimal) -> Decimal:
    """Count the claims on the order as such, up to what was sold; the sum they take off."""
    currency, rules, part, total = made.action.currency, made.rules, made.part, ZERO
    for claim in made.whole:
        amount = money_of(claim, currency, first, rules, in_units=False)
        if claim.hold:
            continue
        if amount is None:
            unvalued(claim)
            continue
        if part.weights:
            amount = share(amount, part.weights, currency)[part.nth]
        if total + amount > first + tolerance(currency, rules):
            over(claim, f"{amount} off the order was paid back where {first - total} was left")
            continue
        total += amount
        claim.money = amount
    return total


def off_order(made: Draft, lines: Sequence[Line]) -> Draft:
    """Take the lines off the amount of an action that is tracked without items."""
    action = made.action
    for line in lines:
        claim = Claim(line)
        made.claims.append(claim)
        (made.cancels if line.kind is Kind.CANCELLATION else made.whole).append(claim)
    if made.first is None:
        why = f"action {action.id} was changed before it was first seen"
        hold_all(made.whole, Hold.BASELINE_UNKNOWN, f"{why}; settle it by hand, then answer ignore")
    elif made.first:
        _over_units(made.whole)
        total = _count_whole(made, made.first)
        made.left = quantize(max(made.first - total, ZERO), action.currency)
        made.nothing_left = bool(total) and made.left <= tolerance(action.currency, made.rules)
    made.nothing_left = made.nothing_left or bool(made.cancels)
    return made


def _over_units(claims: Sequence[Claim]) -> None:
    """Hold what goes over the ordered quantity of its SKU, where the warehouse gives one."""
    seen: dict[str, int] = {}
    for claim in claims:
        line = claim.line
        if line.kind is not Kind.RETURN or line.ordered_quantity is None:
            continue
        units = seen.get(line.key.sku, 0) + (line.quantity or 0)
        if units > line.ordered_quantity:
            over(claim, f"{units} of {line.key.sku} came back of {line.ordered_quantity} ordered")
        else:
            seen[line.key.sku] = units
