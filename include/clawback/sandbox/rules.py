"""What a write makes of an action: pure rules, no clock and no storage (reference §3)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from clawback.money import minor_unit
from clawback.sandbox import fields as f
from clawback.sandbox import pricing
from clawback.sandbox.facts import Item, Refusal, Standing, Write
from clawback.sandbox.pricing import ZERO, Terms
from clawback.sandbox.profile import Profile


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
        return reset(write, now, original, terms)
    if write.approves:
        return _approve(write, now, original, terms)
    return _modify(write, now, original, terms)


def _admit(write: Write, now: Standing, terms: Terms) -> None:
    profile = terms.profile
    if terms.locked:
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
    elif profile.put_on_reversed == "refuse" and not write.approves:
        raise Refusal("reversed", "The action is reversed")


def _reverse(write: Write, now: Standing, terms: Terms) -> Outcome:
    if now.state == f.REVERSED:
        counted = terms.profile.repeated_delete == "count"
        return Outcome(replace(now, modifications=now.modifications + counted), ())
    items = tuple(
        pricing.valued(pricing.adjusted(item, write.code, terms), 0, ZERO, ZERO)
        for item in now.items
    )
    after = _standing(now, items, f.REVERSED, terms)
    return Outcome(after, _rows(now, after, range(len(items)), terms.profile.delete_rows))


def reset(write: Write, now: Standing, original: Standing, terms: Terms) -> Outcome:
    """The action as it was reported and pending, its payout as the profile says (§3.3)."""
    pairs = zip(now.items, original.items, strict=True)
    items = tuple(_reset_item(was, first, write.code, terms) for was, first in pairs)
    after = replace(original, items=items)
    if terms.profile.reset_payout == "contract":
        after = _standing(original, items, f.PENDING, terms)
    after = replace(
        after,
        state=f.PENDING,
        locking=now.locking,
        updated=terms.written,
        delta_amount=after.amount - now.amount,
        delta_payout=after.payout - now.payout,
        modifications=now.modifications + 1,
    )
    style = terms.profile.reset_rows
    touched = [at for at, item in enumerate(items) if item is not now.items[at]]
    if style == "all" or after.customer_status != now.customer_status:
        touched = list(range(len(items)))
    return Outcome(after, _rows(now, after, touched, style))


def _reset_item(was: Item, first: Item, code: str, terms: Terms) -> Item:
    """The item as it was reported; the very same one if nothing about it had changed."""
    wanted = first
    if terms.profile.reset_payout == "contract":
        payout = pricing.payout_of(first, first.quantity, first.amount, terms)
        wanted = replace(first, payout=payout)
    if replace(wanted, adjusted=was.adjusted, adjustment=was.adjustment) == was:
        return was
    return pricing.adjusted(wanted, code, terms)


def _approve(write: Write, now: Standing, original: Standing, terms: Terms) -> Outcome:
    """The approving code approves what is pending, and brings back what is reversed (§3.3).

    An approval is a state transition, which is no update (§2.3): it has no date of its own.
    """
    if now.state == f.REVERSED:
        return reset(write, now, original, terms)
    after = replace(now, state=f.APPROVED, modifications=now.modifications + 1)
    return Outcome(after, _rows(now, after, range(len(now.items)), terms.profile.approval_rows))


def _modify(write: Write, now: Standing, original: Standing, terms: Terms) -> Outcome:
    if _empties(write, original, terms.profile):
        return _reverse(write, now, terms)
    refusals: list[Refusal] = []
    items, touched = _change(write, now, original, terms, refusals)
    pairs = zip(items, original.items, strict=True)
    priced = tuple(pricing.repriced(item, first, write.code, terms) for item, first in pairs)
    touched |= {at for at, item in enumerate(priced) if item is not items[at]}
    gone = terms.profile.all_zero_reverses and _nothing_left(priced, original)
    after = _standing(now, priced, f.REVERSED if gone else f.PENDING, terms)
    if write.customer_status is not None:
        after = replace(after, customer_status=write.customer_status)
    if terms.profile.untouched_rows:
        touched = set(range(len(priced)))
    return Outcome(after, _rows(now, after, sorted(touched)), tuple(refusals))


def _empties(write: Write, original: Standing, profile: Profile) -> bool:
    """Whether an Amount of 0 reverses the action: one without a Sku, or any (§3.1, §9.10)."""
    amounts = [write.amount]
    if profile.item_amount_zero == "action":
        amounts += [change.amount for change in write.items]
    return original.amount != 0 and any(amount == 0 for amount in amounts if amount is not None)


def _nothing_left(items: tuple[Item, ...], original: Standing) -> bool:
    """Whether every item has gone: worth nothing, and no unit left or once worth something."""
    return all(
        item.amount == 0 and (item.quantity == 0 or first.amount != 0)
        for item, first in zip(items, original.items, strict=True)
    )


def _change(
    write: Write, now: Standing, original: Standing, terms: Terms, refusals: list[Refusal]
) -> tuple[tuple[Item, ...], set[int]]:
    """The items after the change, and which of them it was about."""
    if write.items:
        return _change_items(write, now, original, terms, refusals)
    whole = set(range(len(now.items)))
    if write.amount is not None:
        of = original.items
        return pricing.spread(write.amount, now.items, of, write.code, terms), whole
    # A PUT that names no amount leaves them, or, of a reversed action, brings all of them back.
    items = original.items if now.state == f.REVERSED else now.items
    return tuple(pricing.adjusted(item, write.code, terms) for item in items), whole


def _change_items(
    write: Write, now: Standing, original: Standing, terms: Terms, refusals: list[Refusal]
) -> tuple[tuple[Item, ...], set[int]]:
    items = list(now.items)
    touched: set[int] = set()
    for change in write.items:
        try:
            for at in _named(change.sku, items, terms.profile):
                first = original.items[at]
                items[at] = pricing.changed(items[at], first, change, write.code, terms)
                touched.add(at)
        except Refusal as refusal:
            if terms.profile.partial_failure == "refuse_all":
                raise
            refusals.append(refusal)
    if refusals and not touched:
        raise refusals[0]
    return tuple(items), touched


def _named(sku: str, items: list[Item], profile: Profile) -> list[int]:
    found = [at for at, item in enumerate(items) if item.sku == sku]
    if not found:
        raise Refusal("unknown_sku", f"The action has no item {sku}")
    if len(found) > 1 and profile.duplicate_sku == "refused":
        raise Refusal("duplicate_sku", f"The action has {len(found)} items {sku}")
    return found if profile.duplicate_sku == "all" else found[:1]


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


def _rows(
    now: Standing, after: Standing, touched: Iterable[int], style: str = "per_item"
) -> tuple[RowDraft, ...]:
    """The updates of a change: one for each item it touched, one for the action, or none."""
    if style == "none":
        return ()
    if style == "per_action":
        return (RowDraft(None, after.amount - now.amount, after.payout - now.payout),)
    return tuple(
        RowDraft(
            i,
            after.items[i].amount - now.items[i].amount,
            after.items[i].payout - now.items[i].payout,
        )
        for i in touched
    )
