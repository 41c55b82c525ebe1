"""Items as the rules reckon with them, made of values of the wire."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache

from clawback.sandbox.facts import Item
from clawback.sandbox.values import ItemValues


def items_of(values: Sequence[ItemValues]) -> tuple[Item, ...]:
    """Items from values of the wire that are not stored."""
    return tuple(item_of(shared, *own) for shared, own in values)


def money(text: str) -> Decimal:
    return Decimal(text) if text else Decimal(0)


@lru_cache(maxsize=4096)
def item_of(shared: tuple[str, ...], sku: str, quantity: str, amount: str, payout: str) -> Item:
    name, category, currency, payout_currency, rebate, rebate_currency, adjusted, why = shared
    return Item(
        sku=sku,
        quantity=int(money(quantity)),
        amount=money(amount),
        payout=money(payout),
        name=name,
        category=category,
        currency=currency,
        payout_currency=payout_currency,
        rebate=rebate,
        rebate_currency=rebate_currency,
        adjusted=adjusted,
        adjustment=why,
    )
