"""What another hand has done to an action while a change of ours was on its way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import Connection, RowMapping

from clawback.ledger import actions as stock
from clawback.ledger import changes as book
from clawback.ledger.codec import items_from_json
from clawback.money import ZERO, minor_unit
from clawback.reconcile.facts import Action, Item

_ASKED = frozenset({"sending", "queued", "complete"})


class Money(NamedTuple):
    """An amount and a payout, in the action's currency."""

    amount: Decimal
    payout: Decimal


def others_took(conn: Connection, row: RowMapping, action: Action) -> Money:
    """What others have taken off an action between its two readings; below zero, what they gave.

    The update rows in between are those that lead from the payout of before to that of now. A row
    is ours that says what a request of this change has asked for: its reason, its item, and the
    amount or quantity. Nothing is others' where the rows do not lead there.
    """
    rows = stock.update_rows(conn, row["account"], [row["action_id"]]).get(row["action_id"], [])
    between = _between(rows, row["before_payout"] - action.payout)
    if all(update["disposition"] == row["reason"] for update in between) and len(between) == 1:
        return Money(ZERO, ZERO)
    sent = book.submissions_of(conn, [row["id"]]).get(row["id"], [])
    wishes = [wish for s in sent if s["state"] in _ASKED for wish in _wishes(s["form"])]
    before = items_from_json(row["before_items"])
    slack = minor_unit(row["currency"])
    theirs = [
        update
        for update, left in _with_what_was_left(between, action.items)
        if not any(_says(update, left, wish, before, slack) for wish in wishes)
    ]
    return Money(
        -sum((update["delta_amount"] for update in theirs), ZERO),
        -sum((update["delta_payout"] for update in theirs), ZERO),
    )


def _between(rows: Sequence[RowMapping], gone: Decimal) -> list[RowMapping]:
    """The newest rows that together have taken `gone` off the payout; none if no rows have."""
    taken = ZERO
    for count, update in enumerate(reversed(rows), start=1):
        taken -= update["delta_payout"]
        if update["disposition"] == "IR_BLANK":
            break
        if taken == gone:
            return list(rows[-count:])
    return []


class _Wish(NamedTuple):
    """What a request asked of one item; without a SKU, of the whole action."""

    reason: str
    sku: str
    quantity: int | None
    amount: Decimal | None


def _wishes(form: Mapping[str, str]) -> Iterator[_Wish]:
    reason = form.get("Reason") or form.get("DispositionCode", "")
    skus = [name for name in form if name.startswith("Sku")]
    for name in skus:
        number = name.removeprefix("Sku")
        quantity, amount = form.get(f"Quantity{number}"), form.get(f"Amount{number}")
        yield _Wish(
            reason,
            form[name],
            None if quantity is None else int(quantity),
            None if amount is None else Decimal(amount),
        )
    if not skus:
        yield _Wish(reason, "", None, None)


def _with_what_was_left(
    rows: Sequence[RowMapping], items: Sequence[Item]
) -> Iterator[tuple[RowMapping, Decimal]]:
    """Each row, and the amount that it left of its item."""
    left: dict[str, Decimal] = {}
    for item in items:
        left[item.sku] = left.get(item.sku, ZERO) + item.amount
    for update in reversed(rows):
        now = left.get(update["sku"], ZERO)
        yield update, now
        left[update["sku"]] = now - update["delta_amount"]


def _says(
    update: RowMapping, left: Decimal, wish: _Wish, before: Iterable[Item], slack: Decimal
) -> bool:
    """Whether an update row is what a request brought about."""
    if update["disposition"] != wish.reason or wish.sku not in {"", update["sku"]}:
        return False
    if not wish.sku:
        return True
    if wish.amount is not None and abs(left - wish.amount) <= slack:
        return True
    had = sum(item.quantity for item in before if item.sku == wish.sku)
    if wish.quantity is None or wish.quantity >= had:
        return wish.amount is None
    return update["quantity"] in {None, wish.quantity, wish.quantity - had, had - wish.quantity}
