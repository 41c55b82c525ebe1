"""ActionUpdates: creation records are computed, later ones are kept (reference §5)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from clawback.sandbox import fields as f
from clawback.sandbox.facts import Standing, UpdateRow, Write
from clawback.sandbox.index import SortedIndex
from clawback.sandbox.items import money
from clawback.sandbox.profile import Profile
from clawback.sandbox.rules import RowDraft
from clawback.sandbox.store import Store

CREATION = "IR_BLANK"
_ITEM_BITS = 16


@dataclass(frozen=True, slots=True)
class Change:
    """A write that took an action from one standing to another; `at` is the date it bears."""

    row: int
    write: Write
    before: Standing
    after: Standing
    at: int


class History:
    """All updates of a store, named by a reference: creation records from 0 up, later ones below.

    A creation record's reference is row << 16 | item; the i-th later update's is -1 - i.
    """

    def __init__(self, store: Store, profile: Profile) -> None:
        self._store = store
        self._profile = profile
        self._log: list[UpdateRow] = []
        self._by_number: dict[int, int] = {}
        self.by_date = SortedIndex()

    def __len__(self) -> int:
        return len(self._log)

    def append(self, update: UpdateRow) -> None:
        self.by_date.add(update.at, len(self._log))
        self._by_number.setdefault(update.number, len(self._log))
        self._log.append(update)

    def write(self, change: Change, draft: RowDraft) -> None:
        """Keep one update of a change."""
        write, after = change.write, change.after
        item = None if draft.item is None else after.items[draft.item]
        quantity = ""
        if item is not None and draft.item is not None:
            was = change.before.items[draft.item].quantity
            difference = self._profile.update_quantity == "difference"
            quantity = str(item.quantity - (was if difference else 0))
        self.append(
            UpdateRow(
                row=change.row,
                number=self._next(),
                at=change.at,
                disposition=write.disposition or write.code,
                state=after.state,
                delta_amount=str(draft.delta_amount),
                delta_payout=str(draft.delta_payout),
                sku="" if item is None else item.sku,
                quantity=quantity,
                category="" if item is None else item.category,
            )
        )

    def repeat(self, *, same_number: bool) -> None:
        """Write the last update once more (a fault)."""
        last = self._log[-1]
        self.append(last if same_number else last._replace(number=self._next()))

    def adopt(self, row: int, update: UpdateRow) -> None:
        """Keep an update that a world line gives, under the next number."""
        self.append(update._replace(row=row, number=self._next()))

    def _next(self) -> int:
        number = self._store.next_update
        self._store.next_update += 1
        return number

    # Reading

    def get(self, reference: int) -> UpdateRow:
        if reference < 0:
            return self._log[-1 - reference]
        row, at = reference >> _ITEM_BITS, reference & ((1 << _ITEM_BITS) - 1)
        return self._creation(row, at)

    def row_of(self, reference: int) -> int:
        return self._log[-1 - reference].row if reference < 0 else reference >> _ITEM_BITS

    def sort_key(self, reference: int) -> tuple[int, int]:
        """Updates in the order of their dates, then their numbers."""
        if reference < 0:
            update = self._log[-1 - reference]
            return update.at, update.number
        row, at = reference >> _ITEM_BITS, reference & ((1 << _ITEM_BITS) - 1)
        return self._store.created[row], self._store.first_update[row] + at

    def creations(self, row: int) -> range:
        """The references of an action's creation records."""
        return range(row << _ITEM_BITS, (row << _ITEM_BITS) + self._store.item_count[row])

    def later(self, low: float, high: float) -> list[int]:
        """The references of later updates that were written in [low, high]."""
        return [-1 - at for at in self.by_date.between(low, high)]

    def find(self, row: int, number: int) -> int | None:
        at = number - self._store.first_update[row]
        if 0 <= at < self._store.item_count[row]:
            return self.creations(row)[at]
        logged = self._by_number.get(number)
        if logged is None or self._log[logged].row != row:
            return None
        return -1 - logged

    def _creation(self, row: int, at: int) -> UpdateRow:
        category, sku, quantity, amount, payout = self._store.reported_item(row, at)
        number = self._store.first_update[row] + at
        date = self._store.created[row]
        return UpdateRow(
            row, number, date, CREATION, f.PENDING, amount, payout, sku, quantity, category
        )


@lru_cache(maxsize=4096)
def payout_rate(amount: str, payout: str) -> str:
    """The contract's rate in percent, as far as an update's deltas show it."""
    if not money(amount):
        return ""
    return str((money(payout) / money(amount) * 100).quantize(Decimal("0.01")))
