"""A million actions in little memory: packed records, shared values kept once, sorted indexes."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

import orjson

from clawback.sandbox import fields as f
from clawback.sandbox.facts import Item, Standing
from clawback.sandbox.index import Interner, SortedIndex
from clawback.sandbox.items import item_of, money
from clawback.sandbox.profile import Profile
from clawback.sandbox.ticking import lock_instant, locks_apart
from clawback.sandbox.values import ItemValues

_OWN = len(f.ACTION_OWN)
_OWN_AT = {name: i for i, name in enumerate(f.ACTION_OWN)}
_SHARED_AT = {name: i for i, name in enumerate(f.ACTION_SHARED)}
_CATEGORY = f.ITEM_SHARED.index("Category")
_CAMPAIGN = _SHARED_AT["CampaignId"]
_FIRST_UPDATE = 10_000_000
_ID, _OID = _OWN_AT["Id"], _OWN_AT["Oid"]


class Reported(NamedTuple):
    """An action as it was reported: values of the wire, and creation, event and locking.

    The values are those of ACTION_SHARED and ACTION_OWN, the times epoch seconds.
    """

    shared: tuple[str, ...]
    own: tuple[str, ...]
    items: Sequence[ItemValues]
    state: str
    times: tuple[int, int, int]


class Store:
    """Every action as it was reported, and, for those that changed since, how they stand.

    A row is an action's number in the order of loading. Times are epoch seconds: `locking` is the
    LockingDate that shows, `locks` the instant at which the profile lets the action lock by it.
    """

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._records: list[bytes] = []
        self.shared = Interner()
        self._item_shared = Interner()
        self.group = array("l")
        self.states = array("b")
        self.created = array("q")
        self.event = array("q")
        self.locking = array("q")
        self.locks = array("q") if locks_apart(profile) else self.locking
        self.updated = array("q")
        self.first_update = array("q")
        self.item_count = array("H")
        self.by_id = SortedIndex()
        self.by_order = SortedIndex()
        self.by_created = SortedIndex()
        self.by_event = SortedIndex()
        self.by_locking = SortedIndex()
        self.by_locks = SortedIndex() if locks_apart(profile) else self.by_locking
        self.by_updated = SortedIndex()
        self._ids = array("q")
        self._orders = array("q")
        self.changed: dict[int, Standing] = {}
        self.next_update = _FIRST_UPDATE
        self._campaigns: dict[str, set[int]] = {}
        self._grouped = 0
        self._last: tuple[int, list[Any]] = (-1, [])

    def __len__(self) -> int:
        return len(self._records)

    def append(self, reported: Reported) -> int:
        """Take one action in bulk; `seal` must follow before anything is looked up."""
        return self._pack(reported)

    def add(self, reported: Reported) -> int:
        """Take one action while serving."""
        row = self._pack(reported)
        self.by_id.add(hash(reported.own[_ID]), row)
        self.by_order.add(hash(reported.own[_OID]), row)
        for index, key in self._dated(row):
            index.add(key, row)
        self._locks_anew(row)
        return row

    def seal(self) -> None:
        """Make what was taken in bulk be found."""
        self.by_id.fill(self._ids)
        self.by_order.fill(self._orders)
        self.by_created.fill(self.created)
        self.by_event.fill(self.event)
        self.by_locking.fill(self.locking)
        self.by_updated.fill(self.updated)
        if self.locks is not self.locking:
            self.locks.extend(lock_instant(locking, self._profile) for locking in self.locking)
            self.by_locks.fill(self.locks)

    def twins(self) -> tuple[int, int] | None:
        """Two actions that have one Id, if there are any."""
        for rows in self.by_id.repeated():
            for one, other in combinations(rows, 2):
                if self.own_value(one, "Id") == self.own_value(other, "Id"):
                    return one, other
        return None

    def _dated(self, row: int) -> tuple[tuple[SortedIndex, int], ...]:
        return (
            (self.by_created, self.created[row]),
            (self.by_event, self.event[row]),
            (self.by_locking, self.locking[row]),
            (self.by_updated, self.updated[row]),
        )

    def _pack(self, reported: Reported) -> int:
        row = len(self._records)
        shared, own, items, state, (created, event, locking) = reported
        packed: list[Any] = [*own]
        for common, single in items:
            packed.append(self._item_shared.number(common))
            packed += single
        self._records.append(orjson.dumps(packed)[1:-1])  # a copy: its own buffer is larger
        self._ids.append(hash(own[_ID]))
        self._orders.append(hash(own[_OID]))
        self.group.append(self.shared.number(shared))
        self.states.append(f.STATES.index(state))
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

    def reported(self, row: int) -> tuple[tuple[str, ...], list[str]]:
        """The values of ACTION_SHARED and, as a copy, those of ACTION_OWN."""
        return self.shared_values(row), self.own(row)[:_OWN]

    def reported_item(self, row: int, at: int) -> tuple[str, str, str, str, str]:
        """Category, Sku, Quantity, SaleAmount and Payout of one item as it was reported."""
        start = len(f.ACTION_OWN) + 5 * at
        number, sku, quantity, amount, payout = self.own(row)[start : start + 5]
        return self._item_shared.values[number][_CATEGORY], sku, quantity, amount, payout

    def shared_values(self, row: int) -> tuple[str, ...]:
        return self.shared.values[self.group[row]]

    def shared_value(self, row: int, name: str) -> str:
        return self.shared_values(row)[_SHARED_AT[name]]

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
            item_of(self._item_shared.values[own[i]], *own[i + 1 : i + 5])
            for i in range(start, len(own), 5)
        )

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
            self._locks_anew(row)

    def _locks_anew(self, row: int) -> None:
        """Reckon the lock of a new action, or of one whose LockingDate has moved."""
        if self.locks is self.locking:
            return
        instant = lock_instant(self.locking[row], self._profile)
        if row == len(self.locks):
            self.locks.append(instant)
        else:
            self.by_locks.remove(self.locks[row], row)
            self.locks[row] = instant
        self.by_locks.add(instant, row)

    def state_at(self, row: int, now: float) -> str:
        """The state that shows: a pending action is APPROVED from the instant it locks."""
        state = self.states[row]
        return f.STATES[1 if state == 0 and self.locks[row] <= now else state]

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
