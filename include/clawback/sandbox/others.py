"""What other people do to an account between a client's plan and its write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from clawback.sandbox.extensions import Extension
from clawback.sandbox.facts import BadRequest, Refusal, Standing
from clawback.sandbox.items import items_of, money

if TYPE_CHECKING:
    from clawback.sandbox.world import World


def meddle(world: World, form: Mapping[str, str], at: float, effects: Mapping[str, Any]) -> None:
    """The faults that move an action just before a write to it is accepted."""
    try:
        row = world.target(form, at)
    except BadRequest:
        return  # the write names no action, so nobody can get in its way
    if row is None:
        return
    if "contract_factor" in effects:
        scope = world.store.own_value(row, "Id")
        world.contract(scope, factor=money(str(effects["contract_factor"])))
    if "other_person" in effects:
        _other_person(world, row, str(effects["other_person"]), at)
    if effects.get("lock"):
        world.lock(row, int(at))


def _other_person(world: World, row: int, what: str, at: float) -> None:
    target = {"ActionId": world.store.own_value(row, "Id")}
    if what == "reverse":
        verb, form = "reverse", {"DispositionCode": "OTHER"}
    else:
        item = world.store.standing(row).items[0]
        quantity = str(item.quantity // 2 if what == "lower" else item.quantity + 1)
        verb, form = "modify", {"Reason": "OTHER", "Sku": item.sku, "Quantity": quantity}
    try:
        world.change(verb, {**target, **form}, at)
    except Refusal:
        return  # the other person was refused too


def already_changed(first: Standing, said: Extension) -> Standing | None:
    """How an action stands that a world line gives as modified; None for any other line."""
    if said.items is None:
        return None
    items = items_of(said.items)
    sums = (sum((i.amount for i in items), Decimal(0)), sum((i.payout for i in items), Decimal(0)))
    amount = money(said.amount) if said.amount else sums[0]
    payout = money(said.payout) if said.payout else sums[1]
    return replace(
        first,
        items=items,
        amount=amount,
        payout=payout,
        cost=money(said.cost) if said.cost else payout,
        delta_amount=amount - first.amount,
        delta_payout=payout - first.payout,
        updated=max([first.updated, *(update.at for update in said.updates)]),
        modifications=said.modifications,
    )
