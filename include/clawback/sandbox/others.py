"""What other people do to an account between a client's plan and its write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from clawback.sandbox.facts import Refusal, Standing
from clawback.sandbox.load import item_values, text
from clawback.sandbox.store import Store, money

if TYPE_CHECKING:
    from clawback.sandbox.history import History
    from clawback.sandbox.world import World


def meddle(world: World, form: Mapping[str, str], at: float, effects: Mapping[str, Any]) -> None:
    """The faults that move an action just before a write to it is accepted."""
    row = world.store.find(form.get("ActionId", ""))
    if row is None:
        return
    if "contract_factor" in effects:
        world.contract(form["ActionId"], factor=money(str(effects["contract_factor"])))
    if "other_person" in effects:
        _other_person(world, row, str(effects["other_person"]), at)
    if effects.get("lock"):
        world.set_locking(row, int(at))


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


def already_changed(
    store: Store, history: History, row: int, line: Mapping[str, Any]
) -> Standing | None:
    """How an action stands that a world line gives as modified: `_original`, `_updates`.

    Its updates are kept on the way. None for a line that says nothing of the kind.
    """
    updates = [history.read(row, update) for update in line.get("_updates", ())]
    for update in updates:
        history.append(update)
    if not (line.get("_original") or line.get("_modifications") or updates):
        return None
    first = store.original(row)
    items = store.items_of([item_values(item, store.currency(row)) for item in line["Items"]])
    amount = money(text(line.get("Amount"))) or sum((i.amount for i in items), Decimal(0))
    payout = money(text(line.get("Payout"))) or sum((i.payout for i in items), Decimal(0))
    return replace(
        first,
        items=items,
        amount=amount,
        payout=payout,
        cost=money(text(line.get("ClientCost"))) or payout,
        delta_amount=amount - first.amount,
        delta_payout=payout - first.payout,
        updated=max([store.updated[row], *(update.at for update in updates)]),
        modifications=int(line.get("_modifications", len({u.at for u in updates}))),
    )
