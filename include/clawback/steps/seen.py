"""What impact.com's lists, as the ledger keeps them, show of a change that was sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import Connection, RowMapping

from clawback.ledger import actions as stock
from clawback.ledger.codec import desired_from_json, items_from_json
from clawback.money import ZERO, minor_unit
from clawback.reconcile.facts import Action, Item
from clawback.steps.load import load_action


def as_listed(conn: Connection, row: RowMapping, units: int) -> tuple[Action | None, bool]:
    """The action as last listed, its items as far as the update rows since tell them.

    Also whether its items are known to be newer than the change. `units` is the tolerance in
    minor units of the currency.
    """
    account, action_id = row["account"], row["action_id"]
    action = load_action(conn, account, action_id)
    history = stock.update_rows(conn, account, [action_id]).get(action_id, [])
    stored = stock.action_rows(conn, account, [action_id]).get(action_id)
    if action is None or stored is None:
        return None, False
    if not stored["stale"]:
        return action, _touched_since(history, row)
    items = _told(items_from_json(row["before_items"]), history, row)
    if items is None or not agrees(row, action, items, units):
        return action, False
    return replace(action, items=items), True


def agrees(row: RowMapping, action: Action, now: Sequence[Item], units: int) -> bool:
    """Whether the listed amount has moved as the items have since a change was planned.

    The two lists are read one after the other: a change may take effect in between, and then
    the updates show it while the action still stands as it was, payout and all.
    """
    before = items_from_json(row["before_items"])
    moved = sum((i.amount for i in before), ZERO) - sum((i.amount for i in now), ZERO)
    listed: Decimal = row["before_amount"] - action.amount
    return abs(listed - moved) <= units * minor_unit(row["currency"]) * len(now)


def was_undone(conn: Connection, row: RowMapping) -> bool:
    """Whether the updates show that a change took effect, and that the action rose after it."""
    found = stock.update_rows(conn, row["account"], [row["action_id"]])
    since = [u for u in found.get(row["action_id"], ()) if u["updated_at"] >= row["sent_at"]]
    ours = [n for n, u in enumerate(since) if _lowers(u) and u["disposition"] == row["reason"]]
    return bool(ours) and any(u["delta_amount"] > 0 for u in since[ours[0] + 1 :])


def _lowers(update: RowMapping) -> bool:
    return bool(update["delta_amount"] < 0 or update["delta_payout"] < 0)


def _touched_since(history: Sequence[RowMapping], row: RowMapping) -> bool:
    return any(update["updated_at"] >= _sent(row) for update in history)


def _sent(row: RowMapping) -> datetime:
    """When a change was sent, less what two clocks may differ by."""
    sent: datetime = row["sent_at"]
    return sent - timedelta(minutes=2)


def _told(
    before: Sequence[Item], history: Sequence[RowMapping], row: RowMapping
) -> tuple[Item, ...] | None:
    """The items after a change, as the update rows since then tell them; None if they do not.

    A row's amount is a difference. Its quantity is taken for the new one only where it is the one
    that was asked for, since what it says of a modification is open (reference §9.24); anything
    else leaves doubt, which the action's Items settle.
    """
    since = [u for u in history if u["updated_at"] >= _sent(row)]
    targets = {t.sku: t for t in desired_from_json(row["desired"]).items}
    items = []
    for item in before:
        mine = [u for u in since if u["sku"] == item.sku and u["disposition"] != "IR_BLANK"]
        if not mine:
            items.append(item)
            continue
        target, said = targets.get(item.sku), mine[-1]["quantity"]
        wanted = item.quantity if target is None or target.quantity is None else target.quantity
        if target is None or said != wanted:
            return None
        amount = item.amount + sum(u["delta_amount"] for u in mine)
        items.append(replace(item, quantity=wanted, amount=amount, touched=True))
    return tuple(items)
