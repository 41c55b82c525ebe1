"""The commonest order in whole numbers: one line that returns units of one item nobody touched.

It says nothing of its own: `plan_order` comes to the same for every order that passes here, as
property tests see to. It only spares a million such orders the general way, with its objects and
decimals. Amounts are millionths of the currency's unit; times are as the ledger's driver gives
them, as long as they can be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, TypeAlias

from clawback.money import minor_unit
from clawback.reconcile.facts import ActionState, Kind, Rules, Source
from clawback.reconcile.record import record

LINE = (
    *("order_key", "id", "order_id", "return_id", "sku", "kind", "quantity", "amount", "currency"),
    *("reason", "returned_at", "ordered_at", "ordered_quantity", "ordered_amount"),
    *("voided", "vanished", "parent_sku"),
)
ACTION = (
    *("order_key", "id", "tracker_id", "partner_id", "state", "amount", "payout", "currency"),
    *("created_at", "locking_at", "cleared_at", "original_amount", "original_payout"),
    *("modifications", "generation", "settled", "refused"),
)
ITEM = (
    *("action_id", "sku", "quantity", "amount", "original_quantity", "original_amount"),
    *("source", "touched"),
)
"""What the rows that are looked at begin with."""
Row: TypeAlias = tuple[Any, ...]
_RETURN, _REVERSED = Kind.RETURN.value, ActionState.REVERSED.value
_FIRST_SIGHT = Source.FIRST_SIGHT.value
_NOTHING = (None, "null")
_ROOM = 10
"""Modifications that must be left; with fewer the general way counts its requests."""
_EXACT = 10**27
"""Products below this are the same in decimals, which keep 28 digits."""


@record
class Effect:
    """What a quick order's change takes off, in millionths.

    `left` and `amount` are what remains of the item, both None where the whole action is reversed;
    `drop` is what the change takes off the action, `payout_left` what it should pay afterwards;
    `worth` and `payout` are what the line is worth and the commission on it.
    """

    left: int | None
    amount: int | None
    drop: int
    payout_left: int
    worth: int
    payout: int


class Quick:
    """Looks at raw rows of one program's orders; `now` is as the ledger's driver gives times."""

    def __init__(self, rules: Rules, now: Any) -> None:
        self._now = now
        self._ignored, self._placeholders = rules.ignored_reasons, rules.placeholder_skus
        self._trackers, self._most = rules.trackers, rules.modification_limit - _ROOM
        self._trusting, self._tolerance = rules.trust_amounts, rules.tolerance_units
        self._units: dict[str, int] = {}
        skus = rules.skus
        self._plain = (
            not (skus.trim or skus.case or skus.prefix or skus.pattern or rules.sku_map)
            and rules.tracking == "auto"
            and rules.full_return == "reverse"
        )

    def effect(self, line: Row, action: Row, items: Sequence[Row]) -> Effect | None:
        """What becomes of a simple order, None for any other.

        The rows hold LINE, ACTION and ITEM. There is no other line or action of the order, and
        nothing is known of it besides: no decision, no change or reset on its way.
        """
        if not (self._plain and self._returns(line) and self._open(action)):
            return None
        item = self._item(line, action, items)
        return None if item is None else self._reckon(line, action, item, items)

    def _returns(self, line: Row) -> bool:
        """Whether a line returns units of a SKU, and nothing about it needs a second look."""
        _, _, _, _, sku, kind, quantity, amount, _, reason, *more = line
        _, _, _, _, voided, vanished, *_ = more
        return (
            kind == _RETURN
            and bool(sku and quantity and quantity > 0)
            and not (voided or vanished)
            and (reason or "") not in self._ignored
            and (amount is None or amount >= 0)
        )

    def _open(self, action: Row) -> bool:
        """Whether an action stands as it was created, and may be changed."""
        _, _, tracker, _, state, amount, payout, _, _, locking, cleared, had, paid, *more = action
        modifications, _, settled, refused, *_ = more
        return (
            state != _REVERSED
            and cleared is None
            and (locking is None or locking > self._now)
            and (settled in _NOTHING and refused in _NOTHING)
            and (had == amount and amount > 0)
            and (paid is not None and paid >= 0 and payout >= 0)
            and modifications < self._most
            and (not self._trackers or tracker in self._trackers)
        )

    def _item(self, line: Row, action: Row, items: Sequence[Row]) -> Row | None:
        """The one item that the line is about, if it is as it was and the warehouse agrees."""
        sku, found = line[4], None
        for item in items:
            if item[1] == sku:
                if found is not None:
                    return None
                found = item
        if found is None or line[8] != action[7] or sku in self._placeholders:
            return None
        _, _, quantity, amount, had, cost, source, *_ = found
        ordered, paid = line[12], line[13]
        agreed = ordered is None or (ordered == had and (paid is None or paid == cost))
        as_created = quantity == had and amount == cost and source != _FIRST_SIGHT
        possible = agreed and as_created and amount > 0 and line[6] <= quantity
        return found if possible else None

    def _reckon(self, line: Row, action: Row, item: Row, items: Sequence[Row]) -> Effect | None:
        """The figures; nothing where only the amount would be left, or figures might differ."""
        units, own, currency = line[6], line[7], action[7]
        quantity, cost, total, payout, paid = item[2], item[3], action[5], action[6], action[12]
        unit = self._units.get(currency) or self._unit(currency)
        if own is None or not self._trusting:
            money, parts = cost * units, quantity
        else:
            money, parts = own, 1
        left: int | None = quantity - units
        amount: int | None = 0
        if left:
            amount = nearest(max(cost * parts - money, 0), parts, unit)
            drop = cost - amount
        elif any(other[2] and other[3] for other in items if other is not item):
            drop = cost
        else:
            left = amount = None
            drop = total
        if left is not None and drop <= unit * self._tolerance:
            return None
        owed, after = paid * money, payout * (total - drop)
        if max(owed, after) >= _EXACT or (money % parts and _half(owed, parts * total, unit)):
            return None
        return Effect(
            left,
            amount,
            drop,
            nearest(after, total, unit),
            nearest(money, parts, unit) if own is None else own,
            nearest(owed, parts * total, unit),
        )

    def _unit(self, currency: str) -> int:
        unit = self._units[currency] = millionths(minor_unit(currency))
        return unit


def millionths(amount: Decimal) -> int:
    """An amount in millionths of the currency's unit."""
    return int(amount.scaleb(6))


def nearest(dividend: int, divisor: int, unit: int) -> int:
    """A quotient rounded half to even to a multiple of `unit`; neither is negative."""
    step = divisor * unit
    whole, rest = divmod(dividend, step)
    if rest * 2 > step or (rest * 2 == step and whole & 1):
        whole += 1
    return whole * unit


def _half(dividend: int, divisor: int, unit: int) -> bool:
    """Whether a quotient lies half-way: where a decimal was rounded before, it may not see that."""
    step = divisor * unit
    return dividend % step * 2 == step
