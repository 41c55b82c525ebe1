"""The HTTP forms of a change: which fields, in how many requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

from clawback.money import ZERO, quantize
from clawback.reconcile.facts import Action, Desired, ItemTarget, Learned, Request, Verb
from clawback.reconcile.reasons import ITEM_REASON

REVERSE = "reverse"
ITEM = "item"
ITEM_GONE = "item_gone"
ITEMS = "items"
ORDER_AMOUNT = "order_amount"
QUANTITY = "quantity"
"""The probe: one item's quantity alone."""
_EVERYTHING = Learned(
    amount_follows_quantity=None,
    indexed_items=True,
    indexed_amounts=True,
)
_FOLLOWS = Learned(amount_follows_quantity=True)


def requests_for(  # noqa: PLR0913, PLR0917 - a change, the account's behaviour, the present state
    desired: Desired,
    action_id: str,
    reason: str,
    verb: Verb,
    learned: Learned,
    observed: Action | None = None,
) -> tuple[Request, ...]:
    """The requests that bring an action to `desired`, in the most careful form known to work.

    Items go into one request only where indexed names are known to be honoured (reference §3.1:
    Sku, Sku2, …), amounts of further items only where indexed amounts are. `observed` gives the
    currency, and the component to repeat where only the other one changes.
    """
    ident = ("ActionId", action_id)
    if verb is Verb.REVERSE:
        return (Request(verb, (ident, ("DispositionCode", reason)), REVERSE),)
    if desired.amount is not None:
        amount = ("Amount", _money(desired.amount, observed))
        return (Request(verb, (ident, amount, ("Reason", reason)), ORDER_AMOUNT),)
    fields = [_fields(target, learned, observed) for target in desired.items]
    return tuple(_request(ident, group) for group in _groups(fields, learned))


def canary_requests(
    desired: Desired, action_id: str, reason: str, verb: Verb, observed: Action | None = None
) -> tuple[Request, ...]:
    """The merged form of a change with all its fields, to be proved before others rely on it."""
    return requests_for(desired, action_id, reason, verb, _EVERYTHING, observed)


def probe_request(
    desired: Desired, action_id: str, reason: str, verb: Verb, observed: Action | None = None
) -> Request | None:
    """A change as its quantity alone, to learn whether the amount follows; None where it cannot.

    Only a change of one item whose amount must fall just as its quantity does: if the amount does
    not follow, the action still says too much and never too little, and is asked again in full.
    """
    if len(desired.items) != 1 or desired.items[0].amount is None:
        return None
    (request,) = requests_for(desired, action_id, reason, verb, _FOLLOWS, observed)
    alone = request.shape == ITEM and "Amount" not in dict(request.form)
    return replace(request, shape=QUANTITY) if alone else None


class _Fields(NamedTuple):
    """What one item says; empty text leaves a field out."""

    sku: str
    quantity: str
    amount: str
    in_proportion: bool
    """Its amount is the one that its quantity alone would give."""


def _fields(target: ItemTarget, learned: Learned, observed: Action | None) -> _Fields:
    quantity, amount = target.quantity, target.amount
    now_quantity: int | None = None
    now_amount = ZERO
    if observed is not None:
        mine = [item for item in observed.items if item.sku == target.sku]
        if mine:
            now_quantity = sum(item.quantity for item in mine)
            now_amount = sum((item.amount for item in mine), ZERO)
            quantity = now_quantity if quantity is None else quantity
            amount = now_amount if amount is None else amount
    if quantity == 0 and now_quantity != 0:
        return _Fields(target.sku, "0", "", in_proportion=True)
    even = bool(now_quantity) and _even(quantity, amount, now_quantity, now_amount, observed)
    leave_out = amount is None or (even and learned.amount_follows_quantity is True)
    return _Fields(
        target.sku,
        "" if quantity is None else str(quantity),
        "" if leave_out or amount is None else _money(amount, observed),
        even,
    )


def _even(
    quantity: int | None,
    amount: Decimal | None,
    now_quantity: int | None,
    now_amount: Decimal,
    observed: Action | None,
) -> bool:
    """Whether an amount is what the present one comes to at the new quantity."""
    if quantity is None or amount is None or not now_quantity or observed is None:
        return False
    if quantity == now_quantity:
        return False
    return quantize(now_amount * quantity / now_quantity, observed.currency) == amount


def _groups(fields: list[_Fields], learned: Learned) -> list[list[_Fields]]:
    """The items that may share a request; an unnumbered amount is always honoured."""
    if len(fields) == 1 or learned.indexed_items is not True:
        return [[field] for field in fields]
    bare = [field for field in fields if not field.amount or _mergeable(field, learned)]
    priced = [field for field in fields if field.amount and not _mergeable(field, learned)]
    return [priced[:1] + bare] + [[field] for field in priced[1:]]


def _mergeable(field: _Fields, learned: Learned) -> bool:
    if learned.indexed_amounts is True:
        return True
    return field.in_proportion and learned.indexed_proportional is True


def _request(ident: tuple[str, str], group: Sequence[_Fields]) -> Request:
    form = [ident]
    for number, field in enumerate(group, start=1):
        suffix = "" if number == 1 else str(number)
        form.append((f"Sku{suffix}", field.sku))
        if field.quantity:
            form.append((f"Quantity{suffix}", field.quantity))
        if field.amount:
            form.append((f"Amount{suffix}", field.amount))
    form.append(("Reason", ITEM_REASON))
    if len(group) > 1:
        shape = ITEMS
    else:
        shape = ITEM_GONE if group[0].quantity == "0" and not group[0].amount else ITEM
    return Request(Verb.MODIFY, tuple(form), shape)


def _money(amount: Decimal, observed: Action | None) -> str:
    """An amount with the digits of the action's currency."""
    return format(amount if observed is None else quantize(amount, observed.currency), "f")
