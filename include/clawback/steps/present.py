"""What impact.com holds now, read in bulk into memory and not into the ledger."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from clawback.impact.client import ImpactClient
from clawback.impact.errors import TooManyPages, Unavailable
from clawback.impact.models import Action as Listed
from clawback.impact.models import ActionUpdate, Page
from clawback.impact.windows import Window, halve
from clawback.money import ZERO
from clawback.reconcile.facts import Action, ActionState, Item
from clawback.reconcile.originals import UpdateRow, items_from_updates

_SERVER_FAULT = 500
T = TypeVar("T")


@dataclass(slots=True)
class Present:
    """Some actions as they are listed now, with their update rows."""

    actions: dict[str, Listed] = field(default_factory=dict)
    updates: dict[str, dict[str, ActionUpdate]] = field(default_factory=dict)

    def apply(self, action: Action) -> Action:
        """The ledger's action with what impact.com says of it now; as it was if not listed.

        Its items are those that the update rows tell; where they leave doubt, the ledger's are
        kept if the amount has not moved, and else left out, so that the amount alone counts.
        """
        now = self.actions.get(action.id)
        if now is None:
            return action
        return replace(
            action,
            state=ActionState(now.state.value),
            amount=now.amount,
            payout=now.payout,
            locking_at=now.locking_date,
            cleared_at=now.cleared_date,
            items=self._items(action, now),
        )

    def last_disposition(self, action_id: str) -> str:
        """The disposition of an action's newest update; empty without any."""
        rows = self.updates.get(action_id, {}).values()
        newest = max(rows, key=lambda row: (row.update_date, row.id), default=None)
        return "" if newest is None else newest.disposition

    def explained(self, action_id: str) -> bool:
        """Whether an action's update rows add up to what it holds."""
        rows = self.updates.get(action_id, {}).values()
        return sum((row.delta_amount for row in rows), ZERO) == self.actions[action_id].amount

    def _items(self, action: Action, now: Listed) -> tuple[Item, ...]:
        if now.amount == action.amount and now.state.value == action.state.value:
            return action.items
        rows = [_row(update) for update in self.updates.get(action.id, {}).values()]
        told = items_from_updates(rows, now.amount, now.creation_date)
        return told.items if told.adds_up and told.items else action.items


def read_present(
    client: ImpactClient, windows: Sequence[Window], wanted: Collection[str]
) -> Present:
    """List windows of event dates whole, and keep the actions and updates that are wanted."""
    present = Present()
    for window in windows:
        for action in _rows(client.list_actions, window):
            if action.id in wanted:
                present.actions[action.id] = action
        for update in _rows(client.list_action_updates, window):
            if update.action_id in wanted:
                present.updates.setdefault(update.action_id, {})[update.id] = update
    return present


def _rows(read: Callable[[Window], Iterator[Page[T]]], window: Window) -> Iterator[T]:
    """The rows of a window; one that is too much is halved, and rows may come twice."""
    try:
        for page in read(window):
            yield from page.rows
    except (TooManyPages, Unavailable) as error:
        if isinstance(error, Unavailable) and (error.status or 0) < _SERVER_FAULT:
            raise
        try:
            halves = halve(window)
        except ValueError:
            raise error from None
        for half in halves:
            yield from _rows(read, half)


def _row(update: ActionUpdate) -> UpdateRow:
    return UpdateRow(
        id=update.id,
        sku=update.sku,
        quantity=update.quantity,
        delta_amount=update.delta_amount,
        delta_payout=update.delta_payout,
        disposition=update.disposition,
        at=update.update_date,
    )
