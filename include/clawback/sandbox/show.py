"""How actions, items, updates and submissions look, value by value in the order of the wire."""

from __future__ import annotations

from functools import lru_cache
from operator import itemgetter
from urllib.parse import quote

from clawback.sandbox import fields as f
from clawback.sandbox.facts import Item, Submission, UpdateRow
from clawback.sandbox.history import payout_rate
from clawback.sandbox.load import OPEN_ENDED
from clawback.sandbox.modified import present, shared_by
from clawback.sandbox.resource import Row
from clawback.sandbox.ticking import stamp
from clawback.sandbox.world import World

_LOCKING = f.ACTION_OWN.index("LockingDate")
_CURRENCY = f.ACTION_SHARED.index("Currency")
_STATUS = f.ACTION_SHARED.index("CustomerStatus")
_about_update = itemgetter(
    *map(
        f.ACTION.own.index,
        ("LockingDate", "ClearedDate", "EventDate", "Oid", "CustomerId", "SharedId", "Uri"),
    )
)
_about_submission = itemgetter(
    *map(f.ACTION_SHARED.index, ("CampaignId", "ActionTrackerId", "MediaPartnerId", "EventCode"))
)
_NO_CATALOG = ("",) * 6
_TYPES = {"modify": "Modification", "reverse": "Reversal"}
_DETAILS = {
    "OPEN": "The action has no locking date yet",
    "PAYMENT_PENDING": "The action is locked and will be paid",
    "PAID": "The action has been paid",
}


class Show:
    """Writes what a world holds as the API shows it at a time, below a prefix of the path."""

    def __init__(self, world: World, account_id: str) -> None:
        self._world = world
        self._account_id = account_id
        self._last: tuple[tuple[object, ...], Row] = ((), Row((), ()))

    def locking(self, row: int, now: float) -> int | None:
        """The LockingDate an action shows; none while its locking is open-ended (reference §8)."""
        store = self._world.store
        locking = store.locking[row]
        open_ended = locking == store.event[row] + OPEN_ENDED and locking > now
        if open_ended and not store.own_value(row, "LockingDate"):
            return None
        return locking

    def state(self, update: UpdateRow, now: float) -> str:
        if self._world.profile.update_state == "written":
            return update.state
        return self._world.store.state_at(update.row, now)

    def action(self, row: int, now: float, prefix: str) -> Row:
        store = self._world.store
        shared, own = store.reported(row)
        standing = store.changed.get(row)
        if standing is not None:
            shared = shared_by(shared, standing)
            present(own, standing, self._world.profile)
        if standing is not None or not own[_LOCKING]:
            locking = self.locking(row, now)
            own[_LOCKING] = own[_LOCKING] if locking is None else self._stamp(locking)
        action_id, *others = own
        uri = f"{prefix}/Actions/{action_id}"
        return Row(shared, (action_id, store.state_at(row, now), *others, uri))

    def _action_again(self, row: int, now: float, prefix: str) -> Row:
        """The same; an action's updates stand in a row, so the last one is remembered."""
        key = (row, now, prefix, self._world.version)
        if self._last[0] != key:
            self._last = key, self.action(row, now, prefix)
        return self._last[1]

    def items(self, row: int) -> tuple[Item, ...]:
        return self._world.store.standing(row).items

    def item(self, action_id: str, item: Item, prefix: str) -> Row:
        return Row(
            (),
            (
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
            ),
        )

    def update(self, update: UpdateRow, now: float, prefix: str) -> Row:
        shared, action = self._action_again(update.row, now, prefix)
        locking, cleared, event, order_id, customer, shared_id, uri = _about_update(action)
        state = update.state if self._world.profile.update_state == "written" else action[1]
        update_id = f"{action[0]}.{update.number}"
        return Row(
            _common_of_updates(shared),
            (
                update_id,
                action[0],
                state,
                *self._state_detail(state, locking, cleared),
                update.disposition,
                update.delta_payout,
                update.delta_amount,
                update.category,
                update.sku,
                update.quantity,
                "ITEM" if update.sku else "ACTION",
                payout_rate(update.delta_amount, update.delta_payout),
                self._stamp(update.at),
                locking,
                cleared,
                event,
                order_id,
                customer,
                shared_id,
                uri,
                f"{prefix}/ActionUpdates/{update_id}",
            ),
        )

    def _state_detail(self, state: str, locking: str, cleared: str) -> tuple[str, str]:
        """StateDetail and its description; no document lists them all (reference §5, §9.20)."""
        detail = ""
        if self._world.profile.state_details:
            if state == f.APPROVED:
                detail = "PAID" if cleared else "PAYMENT_PENDING"
            elif state == f.PENDING and not locking:
                detail = "OPEN"
        return detail, _DETAILS.get(detail, "")

    def submission(self, submission: Submission, now: float, prefix: str) -> Row:
        store, row = self._world.store, submission.row
        if row is None:
            tracker = submission.fields.get("ActionTrackerId", "")
            known = tracker if tracker.isascii() and tracker.isdecimal() else ""
            about = ("", known, "", "")
            order_id = submission.fields.get("OrderId", "")
        else:
            about = _about_submission(store.shared_values(row))
            order_id = store.own_value(row, "Oid")
        completed = submission.completed
        return Row(
            (self._account_id, *about, _TYPES[submission.verb]),
            (
                submission.batch_id,
                self._stamp(int(submission.at)),
                order_id,
                submission.payload,
                _status(submission, now),
                "" if completed is None else self._stamp(int(completed)),
                submission.error_type,
                submission.error_reason,
                f"{prefix}/APISubmissions/{submission.batch_id}",
            ),
        )

    def _stamp(self, seconds: int) -> str:
        return stamp(seconds, self._world.profile.zone)


@lru_cache(maxsize=4096)
def _common_of_updates(shared: tuple[str, ...]) -> tuple[str, ...]:
    """What the updates of actions with these values of ACTION_SHARED have in common."""
    campaign, _, tracker, tracker_name, event_code, partner, _, ad, *_ = shared
    return (
        campaign,
        tracker,
        tracker,
        tracker_name,
        event_code,
        partner,
        ad,
        shared[_CURRENCY],
        *_NO_CATALOG,
        f"S-{partner}",
        shared[_STATUS],
    )


def _status(submission: Submission, now: float) -> str:
    """Queued for the first half of its wait, then In Progress, then Complete (reference §4)."""
    if submission.completed is not None:
        return "Complete"
    half = submission.at + (submission.due - submission.at) / 2
    return "Queued" if now < half else "In Progress"
