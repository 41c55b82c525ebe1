"""What an item is worth after a change: its amount, its payout, and cents (reference §3.1, §8)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

from clawback.money import minor_unit, share
from clawback.sandbox.facts import Item, ItemChange, Refusal, Write
from clawback.sandbox.profile import Profile

ZERO = Decimal(0)
_TOO_MUCH = Decimal(10) ** 14
_ROUNDING = {"half_even": ROUND_HALF_EVEN, "half_up": ROUND_HALF_UP, "down": ROUND_DOWN}


@dataclass(frozen=True, slots=True)
class Terms:
    """The circumstances of one write.

    `factor` is the contract's rate now over the rate at the time of the action; `rate`, if the
    contract was replaced, is the new share of the amount. `written` is the time that is written
    down for it, in epoch seconds, and `stamp` the same as the API writes it.
    """

    profile: Profile
    currency: str
    locked: bool
    written: int
    stamp: str
    factor: Decimal = Decimal(1)
    rate: Decimal | None = None


def in_currency(write: Write, terms: Terms) -> Write:
    """The write with its amounts in the currency of its action (reference §8, §9.18)."""
    rate = terms.profile.exchange_rates.get(terms.currency)
    if terms.profile.amount_currency == "action" or rate is None:
        return write

    def converted(amount: Decimal | None) -> Decimal | None:
        return None if amount is None else amount / rate

    items = tuple(
        replace(change, amount=converted(change.amount), delta=converted(change.delta))
        for change in write.items
    )
    return replace(write, amount=converted(write.amount), items=items)


def changed(item: Item, first: Item, change: ItemChange, reason: str, terms: Terms) -> Item:
    """The item after a PUT named it. Raises Refusal if no item can hold the amounts."""
    quantity = item.quantity if change.quantity is None else change.quantity
    amount = _cents(_new_amount(item, first, change, quantity, terms), item)
    if change.quantity is None:
        quantity = _refilled(item, first, amount)
    payout = payout_of(first, quantity, amount, terms)
    after = valued(adjusted(item, reason, terms), quantity, amount, payout)
    return after if change.category is None else replace(after, category=change.category)


def _refilled(item: Item, first: Item, amount: Decimal) -> int:
    """Its quantity, or the reported one where it had gone and is worth something again."""
    return first.quantity if not item.quantity and amount else item.quantity


def _cents(exact: Decimal, item: Item, rounding: str = ROUND_HALF_EVEN) -> Decimal:
    """Rounded to the currency's minor unit. Raises Refusal if no item can hold it (§1.3: 14,2)."""
    if not 0 <= exact < _TOO_MUCH:
        raise Refusal("out_of_range", f"Item {item.sku} would stand at {exact:f}")
    return exact.quantize(minor_unit(item.currency), rounding=rounding)


def _new_amount(
    item: Item, first: Item, change: ItemChange, quantity: int, terms: Terms
) -> Decimal:
    if change.amount is not None:
        if terms.profile.amount_meaning == "line_total":
            return change.amount
        all_back = change.quantity is None and not quantity
        return change.amount * (first.quantity if all_back else quantity)
    if change.quantity == 0:
        return ZERO
    base = item.amount
    if change.quantity is not None:
        of = item if item.quantity else first
        rescaled = terms.profile.quantity_rescales and of.quantity
        base = of.amount * quantity / of.quantity if rescaled else of.amount
    return base + (change.delta or ZERO)


def spread(
    total: Decimal,
    items: tuple[Item, ...],
    original: tuple[Item, ...],
    reason: str,
    terms: Terms,
) -> tuple[Item, ...]:
    """A new total for the order, shared over its items (reference §9.8)."""
    total = total.quantize(minor_unit(terms.currency))
    if terms.profile.order_amount_spread == "first":
        rest = sum((item.amount for item in items[1:]), ZERO)
        amounts = [total - rest, *(item.amount for item in items[1:])]
        if amounts[0] < 0:
            raise Refusal("out_of_range", "The first item would fall below 0")
    else:
        standing = items if any(item.amount for item in items) else original
        amounts = share(total, [item.amount for item in standing], terms.currency)
    return tuple(
        changed(item, first, ItemChange(item.sku, amount=amount), reason, _by_line(terms))
        for item, first, amount in zip(items, original, amounts, strict=True)
    )


def _by_line(terms: Terms) -> Terms:
    """The same terms, where an amount is known to be a line's total."""
    plain = terms.profile.model_copy(update={"amount_meaning": "line_total"})
    return replace(terms, profile=plain)


def payout_of(first: Item, quantity: int, amount: Decimal, terms: Terms) -> Decimal:
    """The commission by the contract in force: a share of the amount, or a fee per unit."""
    if terms.rate is not None:
        exact = amount * terms.rate
    elif first.amount:
        exact = first.payout / first.amount * amount
    else:
        exact = first.payout * quantity / first.quantity if first.quantity else first.payout
    return _cents(exact * terms.factor, first, _ROUNDING[terms.profile.payout_rounding])


def repriced(item: Item, first: Item, reason: str, terms: Terms) -> Item:
    """The item by the contract in force (§8); itself if that leaves its payout as it is."""
    payout = payout_of(first, item.quantity, item.amount, terms)
    if payout == item.payout:
        return item
    return valued(adjusted(item, reason, terms), item.quantity, item.amount, payout)


def adjusted(item: Item, reason: str, terms: Terms) -> Item:
    return replace(item, adjusted=terms.stamp, adjustment=reason)


def valued(item: Item, quantity: int, amount: Decimal, payout: Decimal) -> Item:
    unit = minor_unit(item.currency)
    return replace(
        item, quantity=quantity, amount=amount.quantize(unit), payout=payout.quantize(unit)
    )
