"""A million actions in little memory: packed records, shared values kept once, sorted indexes."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from operator import itemgetter
from typing import Any

import orjson

from clawback.sandbox import fields as f
from clawback.sandbox.facts import Item, Standing
from clawback.sandbox.index import Interner, SortedIndex

_OWN = len(f.ACTION_OWN)
_OWN_AT = {name: i for i, name in enumerate(f.ACTION_OWN)}
_SHARED_AT = {name: i for i, name in enumerate(f.ACTION_SHARED)}
_PICK = {
    **{name: len(f.ACTION_SHARED) + i for name, i in _OWN_AT.items()},
    **_SHARED_AT,
    "State": len(f.ACTION_SHARED) + len(f.ACTION_OWN),
    "Uri": len(f.ACTION_SHARED) + len(f.ACTION_OWN) + 1,
}
in_wire_order = itemgetter(*(_PICK[name] for name in f.ACTION.names))
_own_of = itemgetter(*f.ACTION_OWN)
_shared_of = itemgetter(*f.ACTION_SHARED)
_item_shared_of = itemgetter(*f.ITEM_SHARED)
_item_own_of = itemgetter(*f.ITEM_OWN)
_CATEGORY = f.ITEM_SHARED.index("Category")
_CAMPAIGN = _SHARED_AT["CampaignId"]
_FIRST_UPDATE = 10_000_000
_MODIFIABLE = ("ClientCost", "Payout", "DeltaPayout", "Amount", "DeltaAmount")


class Store:
    """Every action as it was reported, and, for those that changed since, how they stand.

    A row is an action's number in the order of loading. Times are epoch seconds.
    """

    def __init__(self) -> None:
        self._records: list[bytes] = []
        self.shared = Interner()
        self._item_shared = Interner()
        self.group = array("l")
        self.states = array("b")
        self.created = array("q")
        self.event = array("q")
        self.locking = array("q")
        self.updated = array("q")
        self.first_update = array("q")
        self.item_count = array("H")
        self.by_id = SortedIndex()
        self.by_order = SortedIndex()
        self.by_created = SortedIndex()
        self.by_event = SortedIndex()
        self.by_locking = SortedIndex()
        self.by_updated = SortedIndex()
        self.changed: dict[int, Standing] = {}
        self.next_update = _FIRST_UPDATE
        self._campaigns: dict[str, set[int]] = {}
        self._grouped = 0
        self._last: tuple[int, list[Any]] = (-1, [])

    def __len__(self) -> int:
        return len(self._records)

    def append(self, action: Wired, items: Sequence[Wired], times: Times) -> int:
        """Take one action in bulk; `seal` must follow before anything is looked up."""
        row = self._pack(action, items, times)
        self.by_id.append(hash(action["Id"]), row)
        self.by_order.append(hash(action["Oid"]), row)
        return row

    def add(self, action: Wired, items: Sequence[Wired], times: Times) -> int:
        """Take one action while serving."""
        row = self._pack(action, items, times)
        self.by_id.add(hash(action["Id"]), row)
        self.by_order.add(hash(action["Oid"]), row)
        for index, key in self._dated(row):
            index.add(key, row)
        return row

    def seal(self) -> None:
        self.by_id.seal()
        self.by_order.seal()
        self.by_created.fill(self.created)
        self.by_event.fill(self.event)
        self.by_locking.fill(self.locking)
        self.by_updated.fill(self.updated)

    def _dated(self, row: int) -> tuple[tuple[SortedIndex, int], ...]:
        return (
            (self.by_created, self.created[row]),
            (self.by_event, self.event[row]),
            (self.by_locking, self.locking[row]),
            (self.by_updated, self.updated[row]),
        )

    def _pack(self, action: Wired, items: Sequence[Wired], times: Times) -> int:
        row = len(self._records)
        packed: list[Any] = [*_own_of(action)]
        for item in items:
            number = self._item_shared.number(_item_shared_of(item))
            packed += (number, *_item_own_of(item))
        self._records.append(orjson.dumps(packed)[1:-1])  # a copy: its own buffer is larger
        self.group.append(self.shared.number(_shared_of(action)))
        self.states.append(f.STATES.index(action["State"]))
        created, event, locking = times
        self.created.append(created)
        self.event.append(event)
        self.locking.append(locking)
        self.updated.append(created)
        self.first_update.append(self.next_update)
        self.item_count.append(len(items))
        self.next_update += len(items)
        return row

    # What was reported

    def own(self, row: int) -> list[Any]:
        """The packed values: those of ACTION_OWN, then five per item; not to be changed."""
        if self._last[0] != row:
            self._last = row, orjson.loads(b"[%b]" % self._records[row])
        return self._last[1]

    def reported_item(self, row: int, at: int) -> tuple[str, str, str, str, str]:
        """Category, Sku, Quantity, SaleAmount and Payout of one item as it was reported."""
        start = len(f.ACTION_OWN) + 5 * at
        number, sku, quantity, amount, payout = self.own(row)[start : start + 5]
        return self._item_shared.values[number][_CATEGORY], sku, quantity, amount, payout

    def shared_value(self, row: int, name: str) -> str:
        return self.shared.values[self.group[row]][_SHARED_AT[name]]

    def own_value(self, row: int, name: str) -> str:
        value: str = self.own(row)[_OWN_AT[name]]
        return value

    def campaigns(self) -> dict[str, set[int]]:
        """The numbers of campaigns, each with the groups of shared values that belong to it."""
        values = self.shared.values
        for number in range(self._grouped, len(values)):
            self._campaigns.setdefault(values[number][_CAMPAIGN], set()).add(number)
        self._grouped = len(values)
        return self._campaigns

    def currency(self, row: int) -> str:
        return self.shared_value(row, "Currency")

    def original_items(self, row: int) -> tuple[Item, ...]:
        return self._items(self.own(row))

    def _items(self, own: list[Any]) -> tuple[Item, ...]:
        start = len(f.ACTION_OWN)
        return tuple(
            _item(self._item_shared.values[own[i]], *own[i + 1 : i + 5])
            for i in range(start, len(own), 5)
        )

    def items_of(self, values: Sequence[Wired]) -> tuple[Item, ...]:
        """Items from values of the wire that are not stored."""
        return tuple(_item(_item_shared_of(value), *_item_own_of(value)) for value in values)

    def original(self, row: int) -> Standing:
        own = self.own(row)
        return Standing(
            items=self._items(own),
            state=f.STATES[self.states[row]] if row not in self.changed else f.PENDING,
            customer_status=self.shared_value(row, "CustomerStatus"),
            amount=money(own[_OWN_AT["Amount"]]),
            payout=money(own[_OWN_AT["Payout"]]),
            cost=money(own[_OWN_AT["ClientCost"]]),
            delta_amount=money(own[_OWN_AT["DeltaAmount"]]),
            delta_payout=money(own[_OWN_AT["DeltaPayout"]]),
            locking=self.locking[row],
            updated=self.updated[row],
        )

    # How it stands

    def standing(self, row: int) -> Standing:
        return self.changed.get(row) or self.original(row)

    def change(self, row: int, standing: Standing) -> None:
        """Let an action stand anew; the indexes follow."""
        self.changed[row] = standing
        self.states[row] = f.STATES.index(standing.state)
        if standing.updated != self.updated[row]:
            self.by_updated.remove(self.updated[row], row)
            self.by_updated.add(standing.updated, row)
            self.updated[row] = standing.updated
        if standing.locking != self.locking[row]:
            self.by_locking.remove(self.locking[row], row)
            self.by_locking.add(standing.locking, row)
            self.locking[row] = standing.locking

    def state_at(self, row: int, now: float) -> str:
        """The state that shows: a pending action is APPROVED from its locking date on."""
        state = self.states[row]
        return f.STATES[1 if state == 0 and self.locking[row] <= now else state]

    def find(self, action_id: str) -> int | None:
        key = hash(action_id)
        for row in self.by_id.between(key, key):
            if self.own(row)[0] == action_id:
                return row
        return None

    def find_order(self, order_id: str, tracker_id: str) -> list[int]:
        """The actions of an order under one event type, oldest first."""
        key = hash(order_id)
        rows = [
            row
            for row in self.by_order.between(key, key)
            if self.shared_value(row, "ActionTrackerId") == tracker_id
            and self.own_value(row, "Oid") == order_id
        ]
        return sorted(rows, key=lambda row: (self.created[row], row))

    def values(self, row: int, now: float, uri: str, locking: str | None) -> tuple[str, ...]:
        """An action in the order of the wire; `locking` replaces the reported locking date."""
        shared = self.shared.values[self.group[row]]
        own = self.own(row)[:_OWN]
        if row in self.changed:
            shared, own = self._present(self.changed[row], shared, own, locking)
        wire: tuple[str, ...] = in_wire_order(
            (*shared, *own, self.state_at(row, now), uri + own[0])
        )
        return wire

    def _present(
        self, standing: Standing, shared: tuple[str, ...], own: list[str], locking: str | None
    ) -> tuple[tuple[str, ...], list[str]]:
        present = (
            standing.cost,
            standing.payout,
            standing.delta_payout,
            standing.amount,
            standing.delta_amount,
        )
        for name, value in zip(_MODIFIABLE, present, strict=True):
            own[_OWN_AT[name]] = str(value)
        if locking is not None:
            own[_OWN_AT["LockingDate"]] = locking
        at = _SHARED_AT["CustomerStatus"]
        return (*shared[:at], standing.customer_status, *shared[at + 1 :]), own


Wired = Mapping[str, str]
"""Values of the wire by name."""
Times = tuple[int, int, int]
"""Creation, event and locking in epoch seconds."""


def money(text: str) -> Decimal:
    return Decimal(text) if text else Decimal(0)


@lru_cache(maxsize=4096)
def _item(shared: tuple[str, ...], sku: str, quantity: str, amount: str, payout: str) -> Item:
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
