"""What a write makes of an action: pure rules, no clock and no storage (reference §3)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

from clawback.money import minor_unit, share
from clawback.sandbox import fields as f
from clawback.sandbox.facts import Item, ItemChange, Refusal, Standing, Write
from clawback.sandbox.profile import Profile

ZERO = Decimal(0)
_TOO_MUCH = Decimal(10) ** 14
_ROUNDING = {"half_even": ROUND_HALF_EVEN, "half_up": ROUND_HALF_UP, "down": ROUND_DOWN}


@dataclass(frozen=True, slots=True)
class Terms:
    """The circumstances of one write.

    `factor` is the contract's rate now over the rate at the time of the action; `rate`, if the
    contract was replaced, is the new share of the amount. `at` is the time in epoch seconds;
    `written` is what gets written down for it, and `stamp` the same as the API writes it.
    """

    profile: Profile
    currency: str
    at: int
    written: int
    stamp: str
    factor: Decimal = Decimal(1)
    rate: Decimal | None = None


@dataclass(frozen=True, slots=True)
class RowDraft:
    """An action update to be written: item number (None for the whole action) and its deltas."""

    item: int | None
    delta_amount: Decimal
    delta_payout: Decimal


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the action stands after a write, the updates it leaves, and refusals in part."""

    standing: Standing
    rows: tuple[RowDraft, ...]
    refusals: tuple[Refusal, ...] = ()


def apply(write: Write, now: Standing, original: Standing, terms: Terms) -> Outcome:
    """The outcome of a write. Raises Refusal if the action cannot be changed so."""
    _admit(write, now, terms)
    if write.verb == "reverse":
        return _reverse(write, now, terms)
    if write.code == f.RESET:
        return _reset(now, original, terms)
    if write.code in terms.profile.approving_codes:
        return _approve(now, terms)
    return _modify(write, now, original, terms)


def _admit(write: Write, now: Standing, terms: Terms) -> None:
    profile = terms.profile
    if now.locking <= terms.at:
        raise Refusal("locked", "The action is past its locking date")
    if now.modifications >= profile.max_modifications:
        raise Refusal("modification_limit", f"{profile.max_modifications} modifications reached")
    if now.state == f.APPROVED and profile.put_on_approved == "refuse":
        raise Refusal("approved", "The action is approved")
    if now.state != f.REVERSED or write.code == f.RESET:
        return
    if write.verb == "reverse":
        if profile.repeated_delete == "refuse":
            raise Refusal("reversed", "The action is reversed already")
    elif profile.put_on_reversed == "refuse" and write.code not in profile.approving_codes:
        raise Refusal("reversed", "The action is reversed")


def _reverse(write: Write, now: Standing, terms: Terms) -> Outcome:
    if now.state == f.REVERSED:
        return Outcome(now, ())
    items = tuple(_valued(_adjusted(item, write.code, terms), 0, ZERO, ZERO) for item in now.items)
    after = _standing(now, items, f.REVERSED, terms)
    if terms.profile.delete_rows == "per_action":
        return Outcome(after, (_action_row(now, after),))
    return Outcome(after, _rows(now, after, range(len(items))))


def _reset(now: Standing, original: Standing, terms: Terms) -> Outcome:
    after = replace(
        original,
        state=f.PENDING,
        locking=now.locking,
        updated=terms.written,
        delta_amount=original.amount - now.amount,
        delta_payout=original.payout - now.payout,
        modifications=now.modifications + 1,
    )
    style = terms.profile.reset_rows
    if style == "none":
        return Outcome(after, ())
    if style == "per_action":
        return Outcome(after, (_action_row(now, after),))
    touched = [
        i
        for i, (a, b) in enumerate(zip(now.items, after.items, strict=True))
        if style == "all" or (a.quantity, a.amount) != (b.quantity, b.amount)
    ]
    return Outcome(after, _rows(now, after, touched))


def _approve(now: Standing, terms: Terms) -> Outcome:
    """The approving code: a pending action is approved, a reversed one is pending again (§3.3)."""
    state = f.PENDING if now.state == f.REVERSED else f.APPROVED
    after = replace(now, state=state, updated=terms.written, modifications=now.modifications + 1)
    return Outcome(after, ())


def _modify(write: Write, now: Standing, original: Standing, terms: Terms) -> Outcome:
    refusals: list[Refusal] = []
    if write.items:
        items, touched = _change_items(write, now, original, terms, refusals)
    elif write.amount is not None:
        if write.amount == 0 and original.amount != 0:
            return _reverse(write, now, terms)
        items, touched = _spread(write, now, original, terms), list(range(len(now.items)))
    else:
        items, touched = now.items, list(range(len(now.items)))
        items = tuple(_adjusted(item, write.code, terms) for item in items)
    state = f.PENDING
    if terms.profile.all_zero_reverses and _nothing_left(items, original):
        state = f.REVERSED
    after = _standing(now, items, state, terms)
    if write.customer_status is not None:
        after = replace(after, customer_status=write.customer_status)
    if terms.profile.untouched_rows:
        touched = list(range(len(items)))
    return Outcome(after, _rows(now, after, touched), tuple(refusals))


def _nothing_left(items: tuple[Item, ...], original: Standing) -> bool:
    return all(
        item.quantity == 0 or (item.amount == 0 and first.amount != 0)
        for item, first in zip(items, original.items, strict=True)
    )


def _change_items(
    write: Write,
    now: Standing,
    original: Standing,
    terms: Terms,
    refusals: list[Refusal],
) -> tuple[tuple[Item, ...], list[int]]:
    items = list(now.items)
    touched: list[int] = []
    for change in write.items:
        try:
            for at in _named(change.sku, items, terms.profile):
                items[at] = _changed(items[at], original.items[at], change, write.code, terms)
                touched.append(at)
        except Refusal as refusal:
            if terms.profile.partial_failure == "refuse_all":
                raise
            refusals.append(refusal)
    if refusals and not touched:
        raise refusals[0]
    return tuple(items), sorted(set(touched))


def _named(sku: str, items: list[Item], profile: Profile) -> list[int]:
    found = [at for at, item in enumerate(items) if item.sku == sku]
    if not found:
        raise Refusal("unknown_sku", f"The action has no item {sku}")
    if len(found) > 1 and profile.duplicate_sku == "refused":
        raise Refusal("duplicate_sku", f"The action has {len(found)} items {sku}")
    return found if profile.duplicate_sku == "all" else found[:1]


def _changed(item: Item, first: Item, change: ItemChange, reason: str, terms: Terms) -> Item:
    quantity = item.quantity if change.quantity is None else change.quantity
    amount = _cents(_new_amount(item, first, change, quantity, terms), item)
    payout = _payout(first, quantity, amount, terms)
    after = _valued(_adjusted(item, reason, terms), quantity, amount, payout)
    return after if change.category is None else replace(after, category=change.category)


def _cents(exact: Decimal, item: Item, rounding: str = ROUND_HALF_EVEN) -> Decimal:
    """Rounded to the currency's minor unit. Raises Refusal if no item can hold it (§1.3: 14,2)."""
    if not 0 <= exact < _TOO_MUCH:
        raise Refusal("out_of_range", f"Item {item.sku} would stand at {exact:f}")
    return exact.quantize(minor_unit(item.currency), rounding=rounding)


def _new_amount(
    item: Item, first: Item, change: ItemChange, quantity: int, terms: Terms
) -> Decimal:
    if change.amount is not None:
        per_unit = terms.profile.amount_meaning == "unit_price"
        return change.amount * (quantity if per_unit else 1)
    if change.quantity == 0:
        return ZERO
    base = item.amount
    if change.quantity is not None and terms.profile.quantity_rescales:
        of = item if item.quantity else first
        base = of.amount * quantity / of.quantity if of.quantity else of.amount
    return base + (change.delta or ZERO)


def _spread(write: Write, now: Standing, original: Standing, terms: Terms) -> tuple[Item, ...]:
    """A new total for the order, shared over its items (reference §9.8)."""
    total = (write.amount or ZERO).quantize(minor_unit(terms.currency))
    if terms.profile.order_amount_spread == "first":
        rest = sum((item.amount for item in now.items[1:]), ZERO)
        amounts = [total - rest, *(item.amount for item in now.items[1:])]
        if amounts[0] < 0:
            raise Refusal("out_of_range", "The first item would fall below 0")
    else:
        weights = [item.amount for item in now.items]
        amounts = share(total, weights, terms.currency)
    return tuple(
        _valued(
            _adjusted(item, write.code, terms),
            item.quantity,
            amount,
            _payout(first, item.quantity, amount, terms),
        )
        for item, first, amount in zip(now.items, original.items, amounts, strict=True)
    )


def _payout(first: Item, quantity: int, amount: Decimal, terms: Terms) -> Decimal:
    """The commission by the contract in force: a share of the amount, or a fee per unit."""
    if terms.rate is not None:
        exact = amount * terms.rate
    elif first.amount:
        exact = first.payout / first.amount * amount
    else:
        exact = first.payout * quantity / first.quantity if first.quantity else first.payout
    return _cents(exact * terms.factor, first, _ROUNDING[terms.profile.payout_rounding])


def _adjusted(item: Item, reason: str, terms: Terms) -> Item:
    return replace(item, adjusted=terms.stamp, adjustment=reason)


def _valued(item: Item, quantity: int, amount: Decimal, payout: Decimal) -> Item:
    unit = minor_unit(item.currency)
    return replace(
        item, quantity=quantity, amount=amount.quantize(unit), payout=payout.quantize(unit)
    )


def _standing(now: Standing, items: tuple[Item, ...], state: str, terms: Terms) -> Standing:
    unit = minor_unit(terms.currency)
    amount = sum((item.amount for item in items), ZERO).quantize(unit)
    payout = sum((item.payout for item in items), ZERO).quantize(unit)
    cost = payout if not now.payout else (now.cost / now.payout * payout).quantize(unit)
    return replace(
        now,
        items=items,
        state=state,
        amount=amount,
        payout=payout,
        cost=cost,
        delta_amount=amount - now.amount,
        delta_payout=payout - now.payout,
        updated=terms.written,
        modifications=now.modifications + 1,
    )


def _rows(now: Standing, after: Standing, touched: range | list[int]) -> tuple[RowDraft, ...]:
    return tuple(
        RowDraft(
            i,
            after.items[i].amount - now.items[i].amount,
            after.items[i].payout - now.items[i].payout,
        )
        for i in touched
    )


def _action_row(now: Standing, after: Standing) -> RowDraft:
    return RowDraft(None, after.amount - now.amount, after.payout - now.payout)
