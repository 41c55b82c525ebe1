"""Finds the rows that a query names, newest first, and puts them into the order of the wire."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from urllib.parse import quote, urlencode

from clawback.sandbox import fields as f
from clawback.sandbox.facts import Item, Submission, UpdateRow
from clawback.sandbox.history import payout_rate
from clawback.sandbox.query import Query
from clawback.sandbox.ticking import stamp
from clawback.sandbox.world import World

_REMEMBERED = 8
_CURRENCY = f.ACTION.names.index("Currency")
# LockingDate, ClearingDate, ActionDate, Oid, CustomerId, CustomerStatus and SharedId of an update.
_about_update = itemgetter(
    *(
        f.ACTION.names.index(name)
        for name in (
            "LockingDate",
            "ClearedDate",
            "EventDate",
            "Oid",
            "CustomerId",
            "CustomerStatus",
            "SharedId",
        )
    )
)
_NO_CATALOG = ("",) * 6
_STATUS = {"modify": "Modification", "reverse": "Reversal"}


class Listing:
    """Answers queries about a world; remembers the last few, for the pages that follow."""

    def __init__(self, world: World, account_id: str) -> None:
        self._world = world
        self._account_id = account_id
        self._known: OrderedDict[tuple[object, ...], Sequence[int]] = OrderedDict()

    # Which rows

    def actions(self, query: Query, now: float) -> Sequence[int]:
        """Rows of the actions that match, newest CreationDate first (reference §2.4)."""
        return self._remember("actions", query, now, self._find_actions)

    def updates(self, query: Query, now: float) -> Sequence[int]:
        """References of the updates that match, newest first (reference §5)."""
        return self._remember("updates", query, now, self._find_updates)

    def _remember(
        self,
        kind: str,
        query: Query,
        now: float,
        find: Callable[[Query, float], Sequence[int]],
    ) -> Sequence[int]:
        store = self._world.store
        key = (
            kind,
            query.campaign,
            query.state,
            query.updated,
            query.event,
            query.locking,
            query.order_id,
            self._world.version,
            store.by_created.count(-math.inf, now),
            store.by_locking.count(-math.inf, now) if query.state else 0,
        )
        if key in self._known:
            self._known.move_to_end(key)
        else:
            self._known[key] = find(query, now)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return self._known[key]

    def _find_actions(self, query: Query, now: float) -> Sequence[int]:
        store = self._world.store
        windows = (
            (store.by_updated, store.updated, query.updated),
            (store.by_event, store.event, query.event),
            (store.by_locking, store.locking, query.locking),
        )
        asked = [(index, column, window) for index, column, window in windows if window]
        asked.sort(key=lambda entry: entry[0].count(*entry[2]))
        index, _, window = asked[0]
        rows: Iterable[int] = index.between(*window)
        for _, column, (low, high) in asked[1:]:
            rows = [row for row in rows if low <= column[row] <= high]
        rows = self._campaign(rows, query.campaign)
        created = store.created
        rows = [row for row in rows if created[row] <= now]
        if query.locking:
            rows = [
                row for row in rows if store.own_value(row, "LockingDate") or row in store.changed
            ]
        if query.state:
            rows = [row for row in rows if store.state_at(row, now) == query.state]
        if query.order_id:
            rows = [row for row in rows if store.own_value(row, "Oid") == query.order_id]
        return sorted(rows, key=lambda row: (created[row], row), reverse=True)

    def _find_updates(self, query: Query, now: float) -> Sequence[int]:
        history = self._world.history
        found = [*self._creations(query, now), *self._later(query, now)]
        if query.state:
            found = [ref for ref in found if history.get(ref).state == query.state]
        return sorted(found, key=history.sort_key, reverse=True)

    def _creations(self, query: Query, now: float) -> list[int]:
        store, history = self._world.store, self._world.history
        low, high = query.updated or (-math.inf, math.inf)
        rows: Iterable[int] = store.by_created.between(low, min(high, now))
        if query.event and not query.updated:
            rows = [r for r in store.by_event.between(*query.event) if store.created[r] <= now]
        rows = self._in_windows(rows, query)
        return [ref for row in rows for ref in history.creations(row)]

    def _later(self, query: Query, now: float) -> list[int]:
        history = self._world.history
        low, high = query.updated or (-math.inf, math.inf)
        found = history.later(low, min(high, now))
        kept = set(self._in_windows({history.row_of(ref) for ref in found}, query))
        return [ref for ref in found if history.row_of(ref) in kept]

    def _in_windows(self, rows: Iterable[int], query: Query) -> Iterable[int]:
        store = self._world.store
        for column, window in ((store.event, query.event), (store.locking, query.locking)):
            if window:
                low, high = window
                rows = [row for row in rows if low <= column[row] <= high]
        return self._campaign(rows, query.campaign)

    def _campaign(self, rows: Iterable[int], campaign: str) -> Iterable[int]:
        store = self._world.store
        if store.campaigns().keys() == {campaign}:
            return rows
        groups = store.campaigns().get(campaign, set())
        return [row for row in rows if store.group[row] in groups]

    # How they look

    def action(self, row: int, now: float, prefix: str) -> tuple[str, ...]:
        store = self._world.store
        locking = None
        standing = store.changed.get(row)
        if standing is not None and (
            store.own_value(row, "LockingDate") or standing.locking <= now
        ):
            locking = self._stamp(standing.locking)
        return store.values(row, now, f"{prefix}/Actions/", locking)

    def items(self, row: int) -> tuple[Item, ...]:
        return self._world.store.standing(row).items

    def item(self, action_id: str, item: Item, prefix: str) -> tuple[str, ...]:
        return (
            item.sku,
            item.name,
            item.category,
            str(item.quantity),
            str(item.amount),
            item.currency,
            str(item.payout),
            item.payout_currency,
            item.rebate,
            item.rebate_currency,
            item.adjusted,
            item.adjustment,
            f"{prefix}/Actions/{action_id}/Items/{quote(item.sku, safe='')}",
        )

    def update(self, update: UpdateRow, prefix: str) -> tuple[str, ...]:
        action = self.action(update.row, update.at, prefix)
        (action_id, campaign, _, tracker, tracker_name, event_code, partner, _, _, ad, *_) = action
        update_id = f"{action_id}.{update.number}"
        return (
            update_id,
            action_id,
            campaign,
            tracker,
            tracker,
            tracker_name,
            event_code,
            partner,
            update.state,
            "",
            "",
            ad,
            update.disposition,
            update.delta_payout,
            update.delta_amount,
            action[_CURRENCY],
            update.category,
            update.sku,
            update.quantity,
            *_NO_CATALOG,
            "ITEM" if update.sku else "ACTION",
            payout_rate(update.delta_amount, update.delta_payout),
            f"S-{partner}",
            self._stamp(update.at),
            *_about_update(action),
            action[-1],
            f"{prefix}/ActionUpdates/{update_id}",
        )

    def submission(self, submission: Submission, now: float, prefix: str) -> tuple[str, ...]:
        store, row, form = self._world.store, submission.row, submission.fields
        completed = submission.completed
        if row is None:
            tracker = form.get("ActionTrackerId", "")
            known = tracker if tracker.isascii() and tracker.isdecimal() else ""
            about = ("", known, "", "", form.get("OrderId", ""))
        else:
            about = (
                store.shared_value(row, "CampaignId"),
                store.shared_value(row, "ActionTrackerId"),
                store.shared_value(row, "MediaPartnerId"),
                store.shared_value(row, "EventCode"),
                store.own_value(row, "Oid"),
            )
        return (
            submission.batch_id,
            self._account_id,
            self._stamp(int(submission.at)),
            *about,
            urlencode(form),
            _STATUS[submission.verb],
            _status(submission, now),
            "" if completed is None else self._stamp(int(completed)),
            submission.error_type,
            submission.error_reason,
            f"{prefix}/APISubmissions/{submission.batch_id}",
        )

    def _stamp(self, seconds: int) -> str:
        return stamp(seconds, self._world.profile.zone)


def _status(submission: Submission, now: float) -> str:
    """Queued for the first half of its wait, then In Progress, then Complete (reference §4)."""
    if submission.completed is not None:
        return "Complete"
    half = submission.at + (submission.due - submission.at) / 2
    return "Queued" if now < half else "In Progress"
