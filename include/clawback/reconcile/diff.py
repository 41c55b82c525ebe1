"""From desired to change: what is lower than observed, never higher, and which lines it covers."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from clawback.money import ZERO
from clawback.reconcile.claims import Claim, Draft, Holding, tolerance
from clawback.reconcile.facts import Action, ActionState, Desired, ItemTarget, Rules
from clawback.reconcile.outcomes import Hold
from clawback.reconcile.resolve import by_sku

REVERSE = Desired(reverse=True)
_REVERSED = ActionState.REVERSED
_STAYS = (Hold.OVER_RETURNED, Hold.RESTORE_NEEDED)


def difference(made: Draft, rules: Rules) -> Desired | None:
    """The state to ask for, None if the action stands at or below what it should hold.

    Only components that fall are named. Every claim that counts comes out either `covered` by
    earlier reductions or with what it still `takes`.
    """
    slack = tolerance(made.action.currency, rules)
    if made.action.state is _REVERSED:
        desired = None
        _release(made.claims)
    elif made.by_item:
        desired = _of_items(made, rules, slack)
    else:
        desired = _of_order(made, slack)
    if made.cancels:
        _release(made.claims)
    _close(made, desired)
    return desired


def _release(claims: Iterable[Claim]) -> None:
    """Drop the holds of claims where nothing is left to decide: the action ends at nothing."""
    for claim in claims:
        if claim.hold is not None and claim.hold not in _STAYS:
            claim.hold, claim.note = None, ""


def _of_order(made: Draft, slack: Decimal) -> Desired | None:
    action = made.action
    if made.nothing_left:
        worthless = action.amount <= slack and not action.payout and not made.cancels
        return None if worthless else REVERSE
    if not made.first:
        return None
    _cover(made.whole, 0, made.first - action.amount, slack)
    if action.amount - made.left <= slack:
        return None
    return Desired(amount=made.left)


def _of_items(made: Draft, rules: Rules, slack: Decimal) -> Desired | None:
    targets = []
    for held in made.holdings:
        if held.unknown:
            if not held.quantity and not held.amount:
                _release(held.claims)
            continue
        _cover(
            held.claims, held.first_quantity - held.quantity, held.first_amount - held.amount, slack
        )
        if held.held:
            _hold_duplicates(held, made.action)
        elif target := lower(held, slack):
            targets += [target] if len(held.skus) == 1 else _each(held)
    if made.whole:
        _cover_whole(made, slack)
    if made.nothing_left:
        return _all(made, targets, rules)
    return Desired(items=tuple(targets)) if targets else None


def lower(held: Holding, slack: Decimal) -> ItemTarget | None:
    """The components of an item that fall: quantity, amount, both, or None."""
    quantity = held.left_quantity if held.left_quantity < held.quantity else None
    amount = held.left_amount if held.amount - held.left_amount > slack else None
    if quantity is None and amount is None:
        return None
    return ItemTarget(held.skus[0], quantity, amount)


def _each(held: Holding) -> list[ItemTarget]:
    """All lines of one SKU are gone: each spelling of it is set to nothing."""
    return [ItemTarget(sku, 0, ZERO) for sku in held.skus]


def _all(made: Draft, targets: list[ItemTarget], rules: Rules) -> Desired | None:
    """Nothing of value is left: the whole action is reversed, or item by item if so chosen."""
    settled = not targets and not made.cancels
    if rules.full_return != "items" or not made.first:
        return None if settled and not made.action.payout else REVERSE
    if made.cancels:
        targets = _emptied(made.action)
    return Desired(items=tuple(targets)) if targets else None


def _emptied(action: Action) -> list[ItemTarget]:
    """Every item that still holds something, set to nothing; lines of one SKU together."""
    quantities: dict[str, int] = {}
    amounts: dict[str, Decimal] = {}
    for item in action.items:
        quantities[item.sku] = quantities.get(item.sku, 0) + item.quantity
        amounts[item.sku] = amounts.get(item.sku, ZERO) + item.amount
    return [
        ItemTarget(sku, 0 if quantity else None, ZERO if amounts[sku] else None)
        for sku, quantity in quantities.items()
        if quantity or amounts[sku]
    ]


def _cover(claims: list[Claim], units: int, money: Decimal, slack: Decimal) -> None:
    """Match claims, in order, with `units` and `money` that earlier reductions took off."""
    wanted_units, wanted = 0, ZERO
    for claim in claims:
        if claim.hold is not None:
            continue
        wanted_units += claim.units
        wanted += claim.money
        if (wanted_units <= units or not claim.units) and wanted - money <= slack:
            claim.covered = True
        else:
            claim.takes = max(min(claim.money, wanted - money), ZERO)


def _cover_whole(made: Draft, slack: Decimal) -> None:
    """Match claims on the order as such with what is off each item beyond its own claims."""
    beyond = sum((_beyond(held) for held in made.holdings), ZERO)
    _cover(made.whole, 0, beyond, slack * len(made.holdings))


def _beyond(held: Holding) -> Decimal:
    own = sum((claim.money for claim in held.claims if claim.hold is None), ZERO)
    return max(held.first_amount - held.amount - own, ZERO)


def _hold_duplicates(held: Holding, action: Action) -> None:
    for claim in held.claims:
        if claim.hold is None and not claim.covered:
            claim.hold = Hold.DUPLICATE_SKU
            claim.note = (
                f"action {action.id} holds {held.sku} on several lines and only part of it came "
                "back; lower the right line by hand at impact.com, then answer ignore"
            )


def _close(made: Draft, desired: Desired | None) -> None:
    """See that a change has claims and that settled claims take nothing."""
    counted = [c for c in made.claims if c.hold is None]
    if desired is None:
        for claim in counted:
            claim.covered, claim.takes = True, ZERO
    elif desired.reverse and made.cancels:
        taken = sum((c.takes for c in counted), ZERO)
        made.cancels[0].takes = max(made.action.amount - taken, ZERO)
    elif counted and all(claim.covered for claim in counted):
        counted[-1].covered = False


def after(made: Draft, desired: Desired) -> Decimal:
    """The amount that the action should hold once the change has taken effect."""
    if desired.reverse:
        return ZERO
    if desired.amount is not None:
        return desired.amount
    amount = made.action.amount
    for target in desired.items:
        if target.amount is not None:
            now = sum((i.amount for i in made.action.items if i.sku == target.sku), ZERO)
            amount -= now - target.amount
    return amount


def above(action: Action, settled: Desired, slack: Decimal) -> bool:
    """Whether the action stands above what our own confirmed change had brought it to."""
    if action.state is _REVERSED:
        return False
    if settled.reverse:
        return True
    if settled.amount is not None and action.amount - settled.amount > slack:
        return True
    return any(_item_above(action, target, slack) for target in settled.items)


def _item_above(action: Action, target: ItemTarget, slack: Decimal) -> bool:
    mine = [item for item in action.items if item.sku == target.sku]
    if target.quantity is not None and sum(i.quantity for i in mine) > target.quantity:
        return True
    amount = sum((i.amount for i in mine), ZERO)
    return target.amount is not None and amount - target.amount > slack


def below(
    made: Draft, settled: Desired, slack: Decimal, rules: Rules, *, withdrawn: bool
) -> frozenset[str] | None:
    """Where our own confirmed change went below what is desired now, and still stands there.

    The comparable SKUs concerned; an empty set is the action as a whole; None is nowhere. Ask
    before `difference`. A reversed action with undecided claims counts only if a line is
    `withdrawn`: what is desired of it is not known.
    """
    action = made.action
    if settled.reverse:
        undecided = any(c.hold not in (None, Hold.OVER_RETURNED) for c in made.claims)
        lowered = action.state is _REVERSED and not made.nothing_left
        return frozenset() if lowered and (withdrawn or not undecided) else None
    if made.nothing_left or action.state is _REVERSED:
        return None
    if settled.amount is not None:
        lowest = max(settled.amount, action.amount)
        return frozenset() if made.first and made.left - lowest > slack else None
    counted = {sku: held for held in made.holdings for sku in held.skus}
    items = by_sku(action.items, rules)
    wide = {item.sku: sku for sku, group in items.items() for item in group}
    found = frozenset(
        wide.get(target.sku, target.sku)
        for target in settled.items
        if _too_far(target, *_standing(target.sku, counted, action), slack)
    )
    return found or None


def _standing(
    sku: str, counted: dict[str, Holding], action: Action
) -> tuple[int, int, Decimal, Decimal]:
    """Quantity wanted and now, amount wanted and now; without claims the originals are wanted."""
    held = counted.get(sku)
    if held is not None and not held.unknown:
        return held.left_quantity, held.quantity, held.left_amount, held.amount
    mine = [item for item in action.items if item.sku == sku] if held is None else []
    wanted = sum(i.original_quantity or 0 for i in mine)
    amount = sum((i.original_amount or ZERO for i in mine), ZERO)
    return wanted, sum(i.quantity for i in mine), amount, sum((i.amount for i in mine), ZERO)


def _too_far(  # noqa: PLR0913, PLR0917 - quantity and amount, wanted and now, of one item
    target: ItemTarget, wanted: int, now: int, amount: Decimal, amount_now: Decimal, slack: Decimal
) -> bool:
    if target.quantity is not None and max(target.quantity, now) < wanted:
        return True
    return target.amount is not None and amount - max(target.amount, amount_now) > slack
