"""Hypothesis strategies: an order's action, and return lines on it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st
from reconcile_makers import action, adjustment, cancellation, item, line

from clawback.reconcile.facts import Action, Item, Line

SKUS = ("A", "B", "C")
cents = st.integers(0, 20_000).map(lambda n: Decimal(n) / 100)


@st.composite
def actions(draw: st.DrawFn, **more: Any) -> Action:
    """An action of one to three items, of which one may be free."""
    items = [
        item(sku, draw(st.integers(1, 5)), draw(cents))
        for sku in SKUS[: draw(st.integers(1, len(SKUS)))]
    ]
    return action(*items, **more)


@st.composite
def sound_lines(draw: st.DrawFn, of: Action) -> list[Line]:
    """Lines that nobody could object to: never more than was sold, nothing withdrawn."""
    lines: list[Line] = []
    for held in of.items:
        left, worth = held.quantity, held.amount
        for _ in range(draw(st.integers(0, 3))):
            if not left:
                break
            units = draw(st.integers(1, left))
            share = worth * units / left
            amount = draw(st.sampled_from([None, share.quantize(Decimal("0.01"))]))
            left, worth = left - units, worth - (share if amount is None else amount)
            lines.append(line(len(lines) + 1, held.sku, units, amount))
    if draw(st.booleans()):
        part = draw(st.integers(1, 20))
        sku = draw(st.sampled_from(["", *[i.sku for i in of.items]]))
        whole = of.amount if not sku else next(i.amount for i in of.items if i.sku == sku)
        amount = (whole * part / 100).quantize(Decimal("0.01"))
        lines.append(adjustment(len(lines) + 1, sku, amount))
    if draw(st.integers(0, 9)) == 0:
        lines.append(cancellation(len(lines) + 1))
    return lines


@st.composite
def any_lines(draw: st.DrawFn, skus: tuple[str, ...] = (*SKUS, "X", "")) -> list[Line]:
    """Lines as they come: over-returned, voided, vanished, of unknown SKUs, in other currencies."""
    lines = []
    for n in range(1, draw(st.integers(1, 6)) + 1):
        more = {
            "voided": draw(st.integers(0, 9)) == 0,
            "vanished": draw(st.integers(0, 9)) == 0,
            "currency": draw(st.sampled_from(["USD"] * 9 + ["EUR"])),
            "reason": draw(st.sampled_from(["returned", "late", "exchange"])),
        }
        kind = draw(st.integers(0, 9))
        sku = draw(st.sampled_from(skus))
        if kind == 0:
            lines.append(cancellation(n, **more))
        elif kind <= 2:
            lines.append(adjustment(n, sku, draw(cents), **more))
        else:
            amount = draw(cents) if not sku else draw(st.one_of(st.none(), cents))
            lines.append(line(n, sku, draw(st.integers(1, 6)), amount, **more))
    return lines


@st.composite
def touched(draw: st.DrawFn, of: Action) -> Action:
    """The same action after another hand has lowered some of it."""
    items: list[Item] = []
    for held in of.items:
        quantity = draw(st.integers(0, held.quantity))
        amount = held.amount * draw(st.integers(0, 100)) / 100
        items.append(
            item(
                held.sku,
                held.quantity,
                held.amount,
                now=(quantity, amount.quantize(Decimal("0.01"))),
            )
        )
    return action(*items)
