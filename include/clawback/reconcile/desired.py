"""What an action should hold: what was sold minus everything that came back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from clawback.money import ZERO, quantize
from clawback.reconcile.claims import (
    Claim,
    Draft,
    Holding,
    hold_all,
    money_of,
    ordered_share,
    over,
    tolerance,
    unvalued,
)
from clawback.reconcile.facts import Action, Item, Kind, Line, Rules
from clawback.reconcile.originals import Baseline, baseline
from clawback.reconcile.outcomes import Hold
from clawback.reconcile.resolve import Part, base_of, by_sku, impact_sku, tracked_by_item
from clawback.reconcile.whole import off_order, spread

# Members of an enum are looked up anew each time; these are used for every line.
_RETURN, _CANCELLATION = Kind.RETURN, Kind.CANCELLATION


def draft(part: Part, lines: Sequence[Line], rules: Rules, accept: str) -> Draft:
    """The desired state of one action, given its lines in the order of returned_at.

    `accept` is a person's choice of baseline ("impact", "warehouse"), empty for none.
    """
    action = part.action
    first, payout = base_of(action)
    by_item = tracked_by_item(action, rules)
    made = Draft(part, action, rules, accept, by_item, first, payout)
    return _off_items(made, lines) if by_item else off_order(made, lines)


def _off_items(made: Draft, lines: Sequence[Line]) -> Draft:
    """Take the lines off the items of an action."""
    rules = made.rules
    items = by_sku(made.action.items, rules)
    grouped: dict[str, list[Claim]] = {}
    for line in lines:
        claim = Claim(line)
        made.claims.append(claim)
        if line.kind is _CANCELLATION:
            made.cancels.append(claim)
        else:
            _place(claim, made, items, grouped)
    wanted = items if made.whole else grouped
    made.holdings = [
        _holding(sku, group, grouped.get(sku, []), made)
        for sku, group in items.items()
        if sku in wanted
    ]
    made.others = _others(made.action, items, wanted)
    if made.whole:
        spread(made)
    made.nothing_left = bool(made.cancels) or _nothing_left(made)
    return made


def _place(
    claim: Claim, made: Draft, items: dict[str, list[Item]], grouped: dict[str, list[Claim]]
) -> None:
    """Put a claim with the item it is about, with the order's own, or on hold."""
    line, rules = claim.line, made.rules
    if not line.key.sku:
        made.whole.append(claim)
        return
    sku = impact_sku(line.key.sku, rules)
    if sku not in items and line.parent_sku:
        sku = impact_sku(line.parent_sku, rules)
    if sku in items:
        grouped.setdefault(sku, []).append(claim)
    elif rules.unknown_sku == "amount" and ordered_share(line) is not None:
        made.whole.append(claim)
    else:
        claim.hold = Hold.UNKNOWN_SKU
        claim.note = (
            f"action {made.action.id} holds no SKU {line.key.sku!r}; map it in the program's "
            "sku_map, name its parent_sku, or set unknown_sku: amount"
        )


def _others(action: Action, items: dict[str, list[Item]], grouped: Iterable[str]) -> list[Item]:
    """The items of an action that none of the `grouped` SKUs is about."""
    taken = {id(item) for sku in grouped for item in items[sku]}
    return [item for item in action.items if id(item) not in taken]


def _holding(sku: str, items: list[Item], claims: list[Claim], made: Draft) -> Holding:
    """What the claims leave of one SKU."""
    action, rules, accept = made.action, made.rules, made.accept
    own = [c.line for c in claims if _own(c, sku, rules)]
    if len(items) == 1:
        base = baseline(items[0], own, action.currency, accept)
        quantity, amount = items[0].quantity, items[0].amount
        skus: tuple[str, ...] = (items[0].sku,)
    else:
        base, quantity, amount = _duplicates(items, action.currency, accept)
        skus = tuple(dict.fromkeys(item.sku for item in items))
    made_of = Holding(
        sku, quantity, amount, base.quantity, base.amount, claims, base.quantity, base.amount, skus
    )
    if base.note and base.note not in made.notes:
        made.notes.append(base.note)
    for claim in claims if base.note else ():
        claim.note = claim.note or base.note
    if base.conflict:
        made_of.unknown = True
        hold_all(claims, Hold.BASELINE_UNKNOWN, base.conflict)
    else:
        _count(made_of, action.currency, rules)
    if len(items) > 1 and not made_of.unknown and not made_of.gone:
        made_of.held = True
    return made_of


def _own(claim: Claim, sku: str, rules: Rules) -> bool:
    """Whether a claim's ordered figures are about this SKU, not about a part of a bundle."""
    line = claim.line
    return not line.parent_sku or impact_sku(line.key.sku, rules) == sku


def _duplicates(items: list[Item], currency: str, accept: str) -> tuple[Baseline, int, Decimal]:
    """Several lines of one SKU as one: their sums; each line's own baseline must be known."""
    bases = [baseline(item, (), currency, accept) for item in items]
    conflict = next((b.conflict for b in bases if b.conflict), "")
    return (
        Baseline(
            sum(b.quantity for b in bases), sum((b.amount for b in bases), ZERO), None, conflict
        ),
        sum(i.quantity for i in items),
        sum((i.amount for i in items), ZERO),
    )


@dataclass(slots=True)
class _Tally:
    """What a holding's claims add up to: units, amounts, units valued in proportion, kept goods."""

    units: int = 0
    money: Decimal = ZERO
    in_proportion: int = 0
    kept: Decimal = ZERO


def _count(held: Holding, currency: str, rules: Rules) -> None:
    """Take each claim off a holding, in order; the one that goes over what was sold is held."""
    tally = _Tally()
    for claim in held.claims:
        in_units = claim.line.kind is _RETURN and _own(claim, held.sku, rules)
        amount = money_of(claim, currency, held.first_amount, rules, in_units=in_units)
        if claim.hold:
            continue
        if in_units:
            _count_units(claim, amount, held, tally)
        else:
            _count_money(claim, amount, held, tally, tolerance(currency, rules))
    held.left_quantity = held.first_quantity - tally.units
    if tally.units and not held.left_quantity:
        held.left_amount = ZERO
        return
    left = held.first_amount - tally.money
    if tally.in_proportion:
        left -= held.first_amount * tally.in_proportion / held.first_quantity
    held.left_amount = quantize(max(left, ZERO), currency) or ZERO  # nothing is written 0


def _count_units(claim: Claim, amount: Decimal | None, held: Holding, tally: _Tally) -> None:
    units = claim.line.quantity or 0
    if tally.units + units > held.first_quantity:
        left = held.first_quantity - tally.units
        over(claim, f"{units} of {held.sku} came back where {left} were left")
        return
    tally.units += units
    claim.units = units
    if amount is None:
        tally.in_proportion += units
        claim.money = held.first_amount * units / held.first_quantity if units else ZERO
    else:
        tally.money += amount
        claim.money = amount


def _count_money(
    claim: Claim, amount: Decimal | None, held: Holding, tally: _Tally, slack: Decimal
) -> None:
    if amount is None:
        unvalued(claim)
    elif tally.kept + amount > held.first_amount + slack:
        left = held.first_amount - tally.kept
        over(claim, f"{amount} off {held.sku} was paid back where {left} was left")
    else:
        tally.kept += amount
        tally.money += amount
        claim.money = amount


def _nothing_left(made: Draft) -> bool:
    """Whether every unit came back, or every item that cost anything.

    Money paid back on goods that the customer keeps never makes an order worth nothing.
    """
    if not any(c.line.kind is _RETURN and not c.hold for c in made.claims):
        return False
    if not (made.first or any(held.first_amount for held in made.holdings)):
        return all(h.gone for h in made.holdings) and not any(i.quantity for i in made.others)
    if any(item.quantity and item.amount for item in made.others):
        return False
    kept = any(c.line.kind is Kind.ADJUSTMENT and not c.hold for c in made.claims)
    return all(_worthless(held, kept=kept) for held in made.holdings)


def _worthless(held: Holding, *, kept: bool) -> bool:
    if held.unknown:
        return not held.quantity and not held.amount
    if held.gone or not held.first_amount:
        return True
    in_money = not kept and not held.held and not any(claim.units for claim in held.claims)
    return in_money and not held.left_amount
