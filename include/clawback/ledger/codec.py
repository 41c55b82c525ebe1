"""Desired states and items as JSON, and back: decimals travel as strings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from clawback.reconcile.facts import Desired, Item, ItemTarget, Source


def desired_to_json(desired: Desired) -> dict[str, Any]:
    return {
        "reverse": desired.reverse,
        "items": [[t.sku, t.quantity, _text(t.amount)] for t in desired.items],
        "amount": _text(desired.amount),
    }


def desired_from_json(data: Mapping[str, Any]) -> Desired:
    return Desired(
        reverse=data["reverse"],
        items=tuple(ItemTarget(sku, n, _money(amount)) for sku, n, amount in data["items"]),
        amount=_money(data["amount"]),
    )


def items_to_json(items: Sequence[Item]) -> list[list[Any]]:
    return [
        [
            item.sku,
            item.quantity,
            str(item.amount),
            item.original_quantity,
            _text(item.original_amount),
            item.source.value if item.source else None,
            item.touched,
        ]
        for item in items
    ]


def items_from_json(data: Sequence[Sequence[Any]]) -> tuple[Item, ...]:
    return tuple(
        Item(
            sku=sku,
            quantity=quantity,
            amount=Decimal(amount),
            original_quantity=original_quantity,
            original_amount=_money(original_amount),
            source=Source(source) if source else None,
            touched=touched,
        )
        for sku, quantity, amount, original_quantity, original_amount, source, touched in data
    )


def merge_settled(before: Mapping[str, Any] | None, confirmed: Desired) -> dict[str, Any]:
    """What our confirmed changes have brought an action to, with one more confirmed."""
    if before is None or confirmed.reverse:
        return desired_to_json(confirmed)
    known = desired_from_json(before)
    items = {target.sku: target for target in (*known.items, *confirmed.items)}
    amount = confirmed.amount if confirmed.amount is not None else known.amount
    return desired_to_json(Desired(known.reverse, tuple(items.values()), amount))


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)


def _money(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
