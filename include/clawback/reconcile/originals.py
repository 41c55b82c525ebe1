"""What an item held at first: from impact.com's update rows, the item itself, the warehouse."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from clawback.money import ZERO
from clawback.reconcile.facts import Item, Line, Source
from clawback.reconcile.record import record

CREATED = "IR_BLANK"


@record
class UpdateRow:
    """A row of the ActionUpdates list, for one item of one action (reference §5).

    `quantity` is the row's figure; what it means in a modification is not documented (§9.24).
    """

    id: str
    sku: str
    quantity: int | None
    delta_amount: Decimal
    delta_payout: Decimal
    disposition: str
    at: datetime


@record
class Rebuilt:
    """An action's items as its update rows tell them.

    `unknown` are the SKUs whose present quantity (or amount) the rows do not settle; where it is
    not empty, or `adds_up` is False, read the action's Items and `merge_items`. `modifications`
    counts the distinct moments at which it was changed.
    """

    items: tuple[Item, ...]
    adds_up: bool
    unknown: frozenset[str]
    original_amount: Decimal | None
    original_payout: Decimal | None
    modifications: int


def items_from_updates(
    updates: Iterable[UpdateRow], amount_now: Decimal, created_at: datetime | None = None
) -> Rebuilt:
    """The items of one action from its update rows; rows with the same id count once.

    The creation record of an item is its earliest row (reference §5: IR_BLANK, at CreationDate).
    Given `created_at`, an earliest row that is later and not IR_BLANK is no creation record.
    """
    rows = sorted({u.id: u for u in updates}.values(), key=lambda u: (u.at, u.id))
    by_sku: dict[str, list[UpdateRow]] = {}
    for row in rows:
        by_sku.setdefault(row.sku, []).append(row)
    created = {sku: _creation(group, created_at) for sku, group in by_sku.items()}
    whole = _action_rows(by_sku, created)
    items: list[Item] = []
    unknown: set[str] = set()
    for sku, group in by_sku.items():
        if sku in whole:
            continue
        items += _items(sku, group, created[sku])
        if (
            len(group) > len(created[sku])
            or not created[sku]
            or items[-1].original_quantity is None
        ):
            unknown.add(sku)
    if whole:
        unknown.update(item.sku for item in items)
    first = [row for sku, group in created.items() if sku not in whole for row in group]
    complete = bool(first) and all(created[sku] for sku in by_sku if sku not in whole)
    return Rebuilt(
        items=tuple(items),
        adds_up=sum((r.delta_amount for r in rows), ZERO) == amount_now,
        unknown=frozenset(unknown),
        original_amount=sum((r.delta_amount for r in first), ZERO) if complete else None,
        original_payout=sum((r.delta_payout for r in first), ZERO) if complete else None,
        modifications=len({r.at for r in rows if r not in first}),
    )


def _creation(group: list[UpdateRow], created_at: datetime | None) -> list[UpdateRow]:
    """The creation records of one SKU; two at one instant are two lines of that SKU."""
    earliest = [row for row in group if row.at == group[0].at]
    marked = [row for row in earliest if row.disposition == CREATED]
    if marked:
        return marked
    late = created_at is not None and group[0].at > created_at
    return [] if late else earliest[:1]


def _action_rows(
    by_sku: dict[str, list[UpdateRow]], created: dict[str, list[UpdateRow]]
) -> frozenset[str]:
    """The empty SKU, where its rows speak of the action as a whole and not of an item."""
    rows = by_sku.get("")
    if rows is None or len(by_sku) == 1:
        return frozenset()
    return frozenset() if any(r.disposition == CREATED for r in created[""]) else frozenset(("",))


def _items(sku: str, group: list[UpdateRow], created: list[UpdateRow]) -> list[Item]:
    touched = len(group) > len(created)
    moved = sum((row.delta_amount for row in group if row not in created), ZERO)
    if not created:
        return [Item(sku, 0, moved, None, None, None, touched=True)]
    items = [
        Item(
            sku=sku,
            quantity=row.quantity or 0,
            amount=row.delta_amount,
            original_quantity=row.quantity,
            original_amount=row.delta_amount,
            source=Source.CREATION,
            touched=touched,
        )
        for row in created
    ]
    if moved:
        items[0] = replace(items[0], amount=items[0].amount + moved)
    return items


def merge_items(
    known: Sequence[Item], listed: Sequence[Item], *, ours: bool = False
) -> tuple[Item, ...]:
    """The items as just listed, with the originals that are known; lines of one SKU by position.

    A listed item that nobody touched is its own original. What it held then is no more than the
    ledger's first sight once it is touched by another hand; `ours` says that we have sent a change
    of the action, whose baseline must stay what it was. A known item that is not listed any more
    is kept as gone, so that its originals are not lost.
    """
    waiting: dict[str, list[Item]] = {}
    for item in known:
        waiting.setdefault(item.sku, []).append(item)
    merged = []
    for item in listed:
        before = waiting.get(item.sku)
        merged.append(_with_originals(item, before.pop(0) if before else None, ours=ours))
    for rest in waiting.values():
        merged += [replace(item, quantity=0, amount=ZERO, touched=True) for item in rest]
    return tuple(merged)


def _with_originals(listed: Item, known: Item | None, *, ours: bool) -> Item:
    if known is not None and known.original_quantity is not None:
        lowered = known.source is Source.UNTOUCHED and listed.touched and not ours
        return replace(
            listed,
            original_quantity=known.original_quantity,
            original_amount=known.original_amount,
            source=Source.FIRST_SIGHT if lowered else known.source,
        )
    if listed.original_quantity is None and not listed.touched:
        return replace(
            listed,
            original_quantity=listed.quantity,
            original_amount=listed.amount,
            source=Source.UNTOUCHED,
        )
    return listed


class Baseline(NamedTuple):
    """What an item held at first. `conflict` says why a person must decide, `note` what to know."""

    quantity: int
    amount: Decimal
    source: Source | None
    conflict: str = ""
    note: str = ""


class _Ordered(NamedTuple):
    quantity: int | None = None
    amount: Decimal | None = None
    conflict: str = ""


_NOTHING = _Ordered()


def _ordered(lines: Sequence[Line], currency: str) -> _Ordered:
    """What the warehouse says was ordered of one SKU; lines that disagree are a conflict."""
    quantity: int | None = None
    amount: Decimal | None = None
    for line in lines:
        if line.ordered_quantity is None:
            continue
        if quantity is not None and quantity != line.ordered_quantity:
            return _Ordered(
                None, None, f"the warehouse gives both {quantity} and {line.ordered_quantity}"
            )
        quantity = line.ordered_quantity
        if line.ordered_amount is not None and line.currency == currency:
            amount = line.ordered_amount
    return _Ordered(quantity, amount) if quantity is not None else _NOTHING


def baseline(item: Item, lines: Sequence[Line], currency: str, accept: str = "") -> Baseline:
    """An item's original quantity and amount, from the best source there is.

    impact.com's creation record, then an untouched item, then the warehouse's ordered figures of
    `lines` (those of this SKU), then first sight if the item was untouched then. Quantities that
    conflict make `conflict`; amounts alone that differ make a `note`. `accept` is a person's
    choice between the two: "impact" or "warehouse"; empty is none.
    """
    ordered = _ordered(lines, currency)
    known = _known(item)
    if accept:
        return _accepted(item, ordered, known, accept)
    if known is None:
        return _from_warehouse(item, ordered)
    if ordered.conflict or ordered.quantity not in (None, known.quantity):
        return known._replace(conflict=_both(item, known, ordered))
    if ordered.amount is None or ordered.amount == known.amount:
        return known
    return _amounts_differ(item, known, ordered.amount)


def _amounts_differ(item: Item, known: Baseline, ordered: Decimal) -> Baseline:
    """Amounts that differ are no conflict; the warehouse's is better than a first sight."""
    note = (
        f"{item.sku}: impact.com recorded {known.amount}, the warehouse {ordered}; "
        "their basis may differ (tax, shipping, discount)"
    )
    if known.source is Source.FIRST_SIGHT:
        return Baseline(known.quantity, ordered, Source.WAREHOUSE, note=note)
    return known._replace(note=note)


def _known(item: Item) -> Baseline | None:
    """What impact.com or the ledger tell; a first sight of a touched item tells nothing."""
    if item.original_quantity is not None and item.original_amount is not None:
        return Baseline(item.original_quantity, item.original_amount, item.source)
    if not item.touched:
        return Baseline(item.quantity, item.amount, Source.UNTOUCHED)
    return None


def _from_warehouse(item: Item, ordered: _Ordered) -> Baseline:
    if ordered.quantity is None or ordered.amount is None:
        why = ordered.conflict or "the warehouse gives no ordered quantity and amount"
        return Baseline(
            item.quantity,
            item.amount,
            None,
            f"{item.sku} was changed before it was first seen (now {item.quantity} for "
            f"{item.amount}) and {why}; supply ordered_quantity and ordered_amount, or accept a "
            "baseline with clawback decide",
        )
    given = Baseline(ordered.quantity, ordered.amount, Source.WAREHOUSE)
    if ordered.quantity < item.quantity:
        return given._replace(conflict=_both(item, given, ordered))
    return given


def _accepted(item: Item, ordered: _Ordered, known: Baseline | None, accept: str) -> Baseline:
    if accept == "warehouse" and ordered.quantity is not None:
        amount = ordered.amount
        if amount is None:
            amount = known.amount if known else item.amount
        return Baseline(ordered.quantity, amount, Source.WAREHOUSE, note="baseline accepted")
    return known or Baseline(item.quantity, item.amount, None, note="baseline accepted")


def _both(item: Item, known: Baseline, ordered: _Ordered) -> str:
    theirs = known.quantity if known.source is not Source.WAREHOUSE else item.quantity
    ours = ordered.conflict or f"the warehouse {ordered.quantity}"
    return (
        f"{item.sku}: impact.com says {theirs} were sold, {ours}; find out which is right and "
        "accept a baseline with clawback decide"
    )
